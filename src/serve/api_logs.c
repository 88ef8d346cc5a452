/* api_logs.c - log records for the console and the CLI: a page of them, their histogram, the neighbours of one. */
#include "base/json.h"
#include "base/scope.h"
#include "query/logql.h"
#include "serve/log_answer.h"
#include "serve/warnings.h"

#include <stdio.h>

#define CONTEXT_ROWS_MAX 1000
#define BUCKETS_MAX 1000

/* ---- a page ---- */

struct page {
        struct buf *out;
        size_t count, limit;
        bool more;
        const struct line_matcher *matcher; /* NULL: any row */
};

static bool add_row(void *context, const struct log_row *row)
{
        struct page *page = context;
        if (!log_row_is_of(page->matcher, row))
                return true;
        if (page->count == page->limit) {
                page->more = true;
                return false;
        }
        if (page->count++ > 0)
                buf_byte(page->out, ',');
        log_row_write(page->out, row);
        return !page->out->failed;
}

static void write_stats(struct buf *out, const struct log_select_stats *stats)
{
        buf_printf(out, "\"stats\":{\"blocks_seen\":%lu,\"blocks_opened\":%lu,\"rows_scanned\":%lu,\"bytes_scanned\":%lu}",
                   (unsigned long)stats->blocks_seen, (unsigned long)stats->blocks_opened,
                   (unsigned long)stats->rows_scanned, (unsigned long)stats->bytes_scanned);
}

static void is_json_answer(struct request *request)
{
        request->answer.status = 200;
        request->answer.content_type = "application/json";
}

static bool read_direction(struct request *request, struct log_select *select, struct err *err)
{
        struct str direction = request_field(request, "direction");
        select->newest_first = !str_is(direction, "forward");
        return direction.length == 0 || str_is(direction, "forward") || str_is(direction, "backward") ||
               fail(err, ERR_INVALID, "serve", "invalid parameter \"direction\": it is forward or backward");
}

bool logs_list(struct request *request, struct err *err)
{
        int64_t limit;
        scoped(logql_done) struct log_select select = {0};
        struct log_select_stats stats = {0};
        scoped_ptr(line_matcher_destroy) struct line_matcher *matcher = NULL;
        if (!request_number(request, "limit", LOG_ROWS_DEFAULT, 1, LOG_ROWS_MAX, &limit, err) ||
            !log_select_read(request, &select, err) || !read_direction(request, &select, err) || !log_template_read(request, &select, &matcher, err))
                return false;
        struct page page = {.out = &request->answer.body, .limit = (size_t)limit, .matcher = matcher};
        select.limit = matcher ? 0 : page.limit + 1; /* one more tells whether there is more */
        buf_text(page.out, "{\"rows\":[");
        if (!logs_select(server_of(request)->context.logs, &select, add_row, &page, &stats, err))
                return false;
        buf_printf(page.out, "],\"more\":%s,", page.more ? "true" : "false");
        write_stats(page.out, &stats);
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(page.out, '}');
        is_json_answer(request);
        return true;
}

/* ---- a histogram ---- */

#define SEVERITIES 25

struct histogram {
        int64_t start_ns, step_ns;
        size_t buckets;
        uint64_t (*counts)[SEVERITIES];
        const struct line_matcher *matcher;
};

static bool count_row(void *context, const struct log_row *row)
{
        struct histogram *histogram = context;
        size_t bucket = (size_t)((row->time_ns - histogram->start_ns) / histogram->step_ns);
        if (bucket < histogram->buckets && log_row_is_of(histogram->matcher, row))
                histogram->counts[bucket][row->severity % SEVERITIES]++;
        return true;
}

/* Numbers of one name (error, error2 ...) are one count. */
static void write_counts(struct buf *out, const uint64_t counts[static SEVERITIES])
{
        bool is_first = true;
        for (int severity = 0; severity < SEVERITIES; severity++) {
                const char *name = severity_name((uint8_t)severity);
                uint64_t count = counts[severity];
                bool is_told = false;
                for (int other = 0; other < SEVERITIES; other++) {
                        if (other == severity || strcmp(severity_name((uint8_t)other), name) != 0)
                                continue;
                        is_told |= other < severity;
                        count += counts[other];
                }
                if (is_told || count == 0)
                        continue;
                buf_printf(out, "%s\"%s\":%lu", is_first ? "" : ",", name, (unsigned long)count);
                is_first = false;
        }
}

bool logs_histogram(struct request *request, struct err *err)
{
        int64_t buckets;
        scoped(logql_done) struct log_select select = {0};
        scoped_ptr(line_matcher_destroy) struct line_matcher *matcher = NULL;
        if (!request_number(request, "buckets", 60, 1, BUCKETS_MAX, &buckets, err) || !log_select_read(request, &select, err) ||
            !log_template_read(request, &select, &matcher, err))
                return false;
        struct histogram histogram = {.start_ns = select.start_ns, .buckets = (size_t)buckets, .matcher = matcher};
        histogram.step_ns = max_of((select.end_ns - select.start_ns + buckets - 1) / buckets, (int64_t)1);
        histogram.counts = arena_array(&request->arena, histogram.buckets, sizeof *histogram.counts);
        if (!histogram.counts)
                return fail_memory(err, "serve", histogram.buckets * sizeof *histogram.counts);
        struct log_select_stats stats = {0};
        if (!logs_select(server_of(request)->context.logs, &select, count_row, &histogram, &stats, err))
                return false;
        struct buf *out = &request->answer.body;
        buf_printf(out, "{\"start_ns\":\"%ld\",\"step_ns\":\"%ld\",\"buckets\":[", (long)histogram.start_ns, (long)histogram.step_ns);
        for (size_t i = 0; i < histogram.buckets; i++) {
                buf_printf(out, "%s{\"time_ns\":\"%ld\",\"counts\":{", i ? "," : "", (long)(histogram.start_ns + (int64_t)i * histogram.step_ns));
                write_counts(out, histogram.counts[i]);
                buf_text(out, "}}");
        }
        buf_text(out, "],");
        write_stats(out, &stats);
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(out, '}');
        is_json_answer(request);
        return true;
}

/* ---- the neighbours of one ---- */

struct neighbours {
        struct arena *arena;
        uint64_t id;
        int64_t time_ns;
        bool before, failed;
        size_t wanted, count;
        struct log_row *items;
};

static bool keep_one(void *context, const struct log_row *row)
{
        struct neighbours *found = context;
        found->failed = !log_row_copy(found->arena, row, NULL, &found->items[0]);
        found->count = 1;
        return false;
}

static bool keep_neighbour(void *context, const struct log_row *row)
{
        struct neighbours *found = context;
        bool is_before = row->time_ns < found->time_ns || (row->time_ns == found->time_ns && row->id < found->id);
        if (row->id == found->id || is_before != found->before)
                return true;
        const struct log_row *last = found->count ? &found->items[found->count - 1] : NULL;
        found->failed |= !log_row_copy(found->arena, row, last, &found->items[found->count]);
        return ++found->count < found->wanted && !found->failed;
}

static bool find_row(struct request *request, uint64_t id, struct log_row *out_row, struct err *err)
{
        struct neighbours found = {.arena = &request->arena, .items = out_row};
        struct log_select select = {.after_id = id - 1, .before_id = id + 1, .start_ns = INT64_MIN / 2, .end_ns = INT64_MAX / 2,
                                    .limit = 1, .cancelled = http_stopping(server_of(request)->http)};
        if (!request_deadline(request, &select.deadline_ns, err) ||
            !logs_select(server_of(request)->context.logs, &select, keep_one, &found, NULL, err))
                return false;
        if (found.failed)
                return fail_memory(err, "serve", sizeof *out_row);
        return found.count == 1 || fail(err, ERR_NOT_FOUND, "serve", "there is no log record %lu (any more)", (unsigned long)id);
}

/* Looks an hour, then a day, then a month away: most neighbours are near, and a quiet stream's are not. */
static bool find_neighbours(struct request *request, const struct matchers *stream, struct neighbours *found, struct err *err)
{
        static const int64_t reaches_s[] = {3600, 86400, 30 * 86400};
        for (size_t i = 0; i < countof(reaches_s) && found->wanted; i++) {
                int64_t reach_ns = reaches_s[i] * NS_PER_S;
                struct log_select select = {
                        .matchers = *stream,
                        .start_ns = found->before ? found->time_ns - reach_ns : found->time_ns,
                        .end_ns = found->before ? found->time_ns + 1 : found->time_ns + reach_ns,
                        .newest_first = found->before,
                        .cancelled = http_stopping(server_of(request)->http),
                };
                found->count = 0;
                if (!request_deadline(request, &select.deadline_ns, err) ||
                    !logs_select(server_of(request)->context.logs, &select, keep_neighbour, found, NULL, err))
                        return false;
                if (found->failed)
                        return fail_memory(err, "serve", sizeof *found->items);
                if (found->count == found->wanted)
                        return true;
        }
        return true;
}

static void write_context(struct buf *out, const struct neighbours *before, const struct log_row *row, const struct neighbours *after)
{
        buf_text(out, "{\"rows\":[");
        for (size_t i = before->count; i-- > 0;) {
                log_row_write(out, &before->items[i]);
                buf_byte(out, ',');
        }
        log_row_write(out, row);
        for (size_t i = 0; i < after->count; i++) {
                buf_byte(out, ',');
                log_row_write(out, &after->items[i]);
        }
        buf_printf(out, "],\"more\":%s,\"stats\":{}",
                   before->count == before->wanted || after->count == after->wanted ? "true" : "false");
}

bool logs_context(struct request *request, struct err *err)
{
        int64_t count_before, count_after;
        uint64_t id;
        struct log_row row;
        if (!str_to_u64(request_field(request, "id"), &id) || id == 0 || id == UINT64_MAX)
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"id\": it is the id of a log record");
        if (!request_number(request, "before", 20, 0, CONTEXT_ROWS_MAX, &count_before, err) ||
            !request_number(request, "after", 20, 0, CONTEXT_ROWS_MAX, &count_after, err) || !find_row(request, id, &row, err))
                return false;
        struct neighbours before = {.arena = &request->arena, .id = id, .time_ns = row.time_ns, .before = true, .wanted = (size_t)count_before};
        struct neighbours after = {.arena = &request->arena, .id = id, .time_ns = row.time_ns, .wanted = (size_t)count_after};
        before.items = arena_array(&request->arena, before.wanted + 1, sizeof *before.items);
        after.items = arena_array(&request->arena, after.wanted + 1, sizeof *after.items);
        if (!before.items || !after.items)
                return fail_memory(err, "serve", CONTEXT_ROWS_MAX * sizeof row);
        scoped(matchers_done) struct matchers stream = {0};
        each (label, row.stream)
                if (!matchers_add(&stream, &request->arena, MATCH_EQUAL, label->name, label->value, err))
                        return false;
        if (!find_neighbours(request, &stream, &before, err) || !find_neighbours(request, &stream, &after, err))
                return false;
        write_context(&request->answer.body, &before, &row, &after);
        warnings_write(request, row.time_ns - 3600 * NS_PER_S, row.time_ns + 3600 * NS_PER_S);
        buf_byte(&request->answer.body, '}');
        is_json_answer(request);
        return true;
}

/* ---- streams ---- */

static bool add_stream(void *context, const struct labels *stream)
{
        struct page *page = context;
        if (page->count++ > 0)
                buf_byte(page->out, ',');
        log_labels_write(page->out, stream);
        return !page->out->failed;
}

bool logs_stream_list(struct request *request, struct err *err)
{
        scoped(logql_done) struct log_select select = {0};
        struct page page = {.out = &request->answer.body};
        if (!log_select_read(request, &select, err))
                return false;
        buf_text(page.out, "{\"streams\":[");
        if (!logs_streams(server_of(request)->context.logs, &select.matchers, select.start_ns, select.end_ns, add_stream, &page, err))
                return false;
        buf_byte(page.out, ']');
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(page.out, '}');
        is_json_answer(request);
        return true;
}
