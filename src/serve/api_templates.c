/*
 * api_templates.c - what programs say, as sentences: their list, and one with its variables and example lines.
 *
 * The list keeps the best `limit` of however many there are; only their texts are copied.
 */
#include "base/json.h"
#include "base/scope.h"
#include "observe/log_templates.h"
#include "serve/log_answer.h"
#include "serve/when.h"

#include <inttypes.h>
#include <math.h>

#define TEMPLATES_MAX 1000

struct listed {
        uint64_t id, lines, by_level[LOG_LEVELS];
        uint64_t split_from, halves[MINER_HALVES_MAX];
        uint32_t half_count;
        int64_t first_ns, last_ns;
        double per_minute, key;
        struct str service, sentence;
};

struct list {
        struct arena *arena;
        struct str order, text;
        int64_t since_ns;
        size_t limit, count;
        uint64_t matched;
        bool failed;
        struct listed *items; /* best first */
};

static double key_of(struct str order, const struct template_view *view)
{
        if (str_is(order, "new"))
                return (double)view->first_ns;
        if (str_is(order, "recent"))
                return (double)view->last_ns;
        return str_is(order, "rate") ? view->per_minute : (double)view->lines;
}

static bool list_one(void *context, const struct template_view *view)
{
        struct list *list = context;
        size_t found;
        double key = key_of(list->order, view);
        if (view->last_ns < list->since_ns || (list->text.length && !str_find(view->sentence, list->text, &found)))
                return true;
        list->matched++;
        size_t place = list->count;
        while (place > 0 && (list->items[place - 1].key < key || (list->items[place - 1].key == key && list->items[place - 1].id > view->id)))
                place--;
        if (place == list->limit)
                return true;
        list->count += list->count < list->limit;
        for (size_t i = list->count - 1; i > place; i--)
                list->items[i] = list->items[i - 1];
        struct listed *item = &list->items[place];
        *item = (struct listed){.id = view->id, .lines = view->lines, .first_ns = view->first_ns, .last_ns = view->last_ns, .per_minute = view->per_minute,
                                .key = key, .service = arena_str(list->arena, view->service), .sentence = arena_str(list->arena, view->sentence)};
        memcpy(item->by_level, view->lines_by_level, sizeof item->by_level);
        item->split_from = view->split_from;
        item->half_count = view->half_count;
        memcpy(item->halves, view->halves, sizeof item->halves);
        list->failed |= !item->service.bytes || !item->sentence.bytes;
        return !list->failed;
}

static void write_head(struct buf *out, const struct listed *item)
{
        static const char *const names[] = {"debug", "info", "warn", "error"};
        buf_printf(out, "\"id\":\"%016" PRIx64 "\",\"service\":", item->id);
        json_quote(out, item->service);
        buf_text(out, ",\"sentence\":");
        json_quote(out, item->sentence);
        buf_printf(out, ",\"count\":%" PRIu64 ",\"per_minute\":%.6g,\"first_seen_ns\":\"%" PRId64 "\",\"last_seen_ns\":\"%" PRId64 "\",\"levels\":{", item->lines,
                   item->per_minute, item->first_ns, item->last_ns);
        bool is_first = true;
        for (int level = 0; level < LOG_LEVELS; level++) {
                if (!item->by_level[level])
                        continue;
                buf_printf(out, "%s\"%s\":%" PRIu64, is_first ? "" : ",", names[level], item->by_level[level]);
                is_first = false;
        }
        buf_byte(out, '}');
        if (item->split_from)
                buf_printf(out, ",\"split_from\":\"%016" PRIx64 "\"", item->split_from);
        for (uint32_t i = 0; i < item->half_count; i++)
                buf_printf(out, "%s\"%016" PRIx64 "\"%s", i ? "," : ",\"split_into\":[", item->halves[i], i + 1 == item->half_count ? "]" : "");
}

static bool read_list(struct request *request, struct list *list, struct err *err)
{
        static const char *const orders[] = {"count", "new", "rate", "recent"};
        int64_t limit, since_ns;
        bool known = !list->order.length;
        struct str since = request_field(request, "since");
        for (size_t i = 0; i < countof(orders); i++)
                known |= str_is(list->order, orders[i]);
        if (!known)
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"sort\": it is count, new, rate or recent");
        if (since.length && !when_length(since, &since_ns))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"since\": it is a length of time such as 1h or 7d");
        if (!request_number(request, "limit", 200, 1, TEMPLATES_MAX, &limit, err))
                return false;
        list->since_ns = since.length ? clock_now_ns(server_of(request)->context.clock) - since_ns : INT64_MIN;
        list->limit = (size_t)limit;
        list->items = arena_array(list->arena, list->limit, sizeof *list->items);
        return list->items || fail_memory(err, "serve", list->limit * sizeof *list->items);
}

bool templates_list(struct request *request, struct err *err)
{
        struct list list = {.arena = &request->arena, .order = request_field(request, "sort"), .text = request_field(request, "text")};
        struct log_templates_stats stats;
        struct buf *out = &request->answer.body;
        if (!read_list(request, &list, err) ||
            !log_templates_visit(server_of(request)->context.log_templates, request_field(request, "service"), 0, list_one, &list, err))
                return false;
        if (list.failed)
                return fail_memory(err, "serve", list.limit * sizeof *list.items);
        log_templates_read_stats(server_of(request)->context.log_templates, &stats);
        buf_text(out, "{\"templates\":[");
        for (size_t i = 0; i < list.count; i++) {
                buf_text(out, i ? ",{" : "{");
                write_head(out, &list.items[i]);
                buf_byte(out, '}');
        }
        buf_printf(out, "],\"matched\":%" PRIu64 ",\"programs\":%" PRIu64 ",\"all\":%" PRIu64 ",\"forgotten\":%" PRIu64 ",\"split\":%" PRIu64 ",\"splits_refused\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", list.matched,
                   stats.domains, stats.templates, stats.templates_forgotten, stats.templates_split, stats.splits_refused, stats.bytes);
        request->answer.status = 200;
        request->answer.content_type = "application/json";
        return true;
}

/* ---- one ---- */

struct one {
        struct list list;       /* of one */
        uint64_t examples[3];
        struct {
                enum value_type type;
                struct value_sketch values;
        } variables[LINE_TOKENS_MAX];
        uint32_t variable_count;
};

static bool take_one(void *context, const struct template_view *view)
{
        struct one *one = context;
        list_one(&one->list, view);
        one->examples[0] = view->newest_record;
        one->examples[1] = view->kept_record;
        one->examples[2] = view->first_record;
        one->variable_count = view->variable_count;
        for (uint32_t i = 0; i < view->variable_count; i++) {
                one->variables[i].type = view->variables[i].type;
                one->variables[i].values = view->variables[i].values ? *view->variables[i].values : (struct value_sketch){0};
        }
        return false;
}

static const char *unit_of(enum value_type type)
{
        return type == VALUE_DURATION ? "s" : type == VALUE_SIZE ? "bytes" : "";
}

static void write_variable(struct buf *out, enum value_type type, const struct value_sketch *values)
{
        buf_printf(out, "{\"type\":\"%s\",\"unit\":\"%s\",\"seen\":%u", value_type_name(type), unit_of(type), values->count);
        if (values->count && values->is_number) {
                static const double shares[] = {0.5, 0.9, 0.99};
                buf_printf(out, ",\"least\":%.9g,\"most\":%.9g", values->number.least, values->number.most);
                for (size_t i = 0; i < countof(shares); i++)
                        buf_printf(out, ",\"p%g\":%.6g", shares[i] * 100, value_sketch_quantile(values, shares[i]));
        } else if (values->count) {
                buf_text(out, ",\"values\":[");
                for (uint32_t i = 0, written = 0; i < SKETCH_SAMPLES; i++) {
                        if (!values->samples[i].count)
                                continue;
                        buf_text(out, written++ ? ",{\"value\":" : "{\"value\":");
                        json_quote(out, (struct str){values->samples[i].bytes, values->samples[i].length});
                        buf_printf(out, ",\"count\":%u}", values->samples[i].count);
                }
                buf_byte(out, ']');
        }
        buf_byte(out, '}');
}

static bool write_row(void *context, const struct log_row *row)
{
        struct buf *out = context;
        log_row_write(out, row);
        return false;
}

/* Example lines lie in the store; those that retention took are left out. */
static bool write_examples(struct request *request, const struct one *one, struct err *err)
{
        struct buf *out = &request->answer.body;
        size_t written = 0;
        for (size_t i = 0; i < countof(one->examples); i++) {
                uint64_t id = one->examples[i];
                bool again = !id || id == UINT64_MAX;
                for (size_t before = 0; before < i; before++)
                        again |= one->examples[before] == id;
                if (again)
                        continue;
                struct log_select select = {.after_id = id - 1, .before_id = id + 1, .start_ns = INT64_MIN / 2, .end_ns = INT64_MAX / 2, .limit = 1,
                                            .cancelled = http_stopping(server_of(request)->http)};
                size_t before = out->length;
                if (!request_deadline(request, &select.deadline_ns, err))
                        return false;
                if (written)
                        buf_byte(out, ',');
                size_t begin = out->length;
                if (!logs_select(server_of(request)->context.logs, &select, write_row, out, NULL, err))
                        return false;
                if (out->length == begin)
                        out->length = before;
                else
                        written++;
        }
        return true;
}

bool templates_show(struct request *request, struct err *err)
{
        uint64_t id;
        struct listed item;
        struct buf *out = &request->answer.body;
        struct one *one = arena_new(&request->arena, struct one);
        if (!one)
                return fail_memory(err, "serve", sizeof *one);
        if (!template_id_read(request->captured[0], &id, err))
                return false;
        one->list = (struct list){.arena = &request->arena, .since_ns = INT64_MIN, .limit = 1, .items = &item};
        if (!log_templates_visit(server_of(request)->context.log_templates, (struct str){0}, id, take_one, one, err))
                return false;
        if (one->list.failed)
                return fail_memory(err, "serve", sizeof item);
        if (!one->list.count)
                return fail(err, ERR_NOT_FOUND, "serve", "there is no template %016" PRIx64 " (any more)", id);
        buf_byte(out, '{');
        write_head(out, &item);
        buf_text(out, ",\"variables\":[");
        for (uint32_t i = 0; i < one->variable_count; i++) {
                if (i)
                        buf_byte(out, ',');
                write_variable(out, one->variables[i].type, &one->variables[i].values);
        }
        buf_text(out, "],\"examples\":[");
        if (!write_examples(request, one, err))
                return false;
        buf_text(out, "]}");
        request->answer.status = 200;
        request->answer.content_type = "application/json";
        return true;
}
