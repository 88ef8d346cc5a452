/* log_answer.c - see log_answer.h. */
#include "serve/log_answer.h"

#include "base/json.h"
#include "base/scope.h"
#include "observe/log_templates.h"
#include "query/logql.h"
#include "serve/when.h"
#include "wire/message.h"

static bool read_time(const struct request *request, const char *name, int64_t otherwise_ns, int64_t *out_ns, struct err *err)
{
        struct str text = request_field(request, name);
        *out_ns = otherwise_ns;
        return text.length == 0 || when_any(text, clock_now_ns(server_of(request)->context.clock), out_ns) ||
               fail(err, ERR_INVALID, "serve", "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid timestamp", name,
                    STR_ARGS(str_slice(text, 0, 100)));
}

bool log_select_read(struct request *request, struct log_select *out_select, struct err *err)
{
        int64_t now_ns = clock_now_ns(server_of(request)->context.clock), since_ns = 3600 * NS_PER_S;
        struct str since = request_field(request, "since"), query = request_field(request, "query");
        struct log_select select = {.newest_first = true, .cancelled = http_stopping(server_of(request)->http)};
        if (since.length && !when_length(since, &since_ns))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"since\": cannot parse \"%.*s\" to a valid duration",
                            STR_ARGS(str_slice(since, 0, 100)));
        if (!read_time(request, "end", now_ns + NS_PER_S, &select.end_ns, err) ||
            !read_time(request, "start", select.end_ns - since_ns, &select.start_ns, err) ||
            !request_deadline(request, &select.deadline_ns, err))
                return false;
        if (select.end_ns < select.start_ns)
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"end\": end timestamp must not be before start time");
        if (!logql_parse(query.length ? query : STR("{}"), &request->arena, &select, err))
                return err_within(err, "invalid parameter \"query\"");
        *out_select = select;
        return true;
}

void log_labels_write(struct buf *out, const struct labels *labels)
{
        buf_byte(out, '{');
        each (label, labels) {
                if (label != labels->items)
                        buf_byte(out, ',');
                json_quote(out, label->name);
                buf_byte(out, ':');
                json_quote(out, label->value);
        }
        buf_byte(out, '}');
}

void log_row_write(struct buf *out, const struct log_row *row)
{
        buf_printf(out, "{\"id\":\"%lu\",\"time_ns\":\"%ld\",\"severity\":\"%s\",\"stream\":", (unsigned long)row->id,
                   (long)row->time_ns, severity_name(row->severity));
        log_labels_write(out, row->stream);
        buf_text(out, ",\"line\":");
        json_quote(out, row->line);
        buf_text(out, ",\"attributes\":");
        log_labels_write(out, &row->attributes);
        buf_byte(out, '}');
}

static bool copy_labels(struct arena *arena, const struct labels *from, struct labels *out)
{
        *out = (struct labels){0};
        each (label, from) {
                struct label *to = arena_push(arena, out);
                if (!to)
                        return false;
                to->name = arena_str(arena, label->name);
                to->value = arena_str(arena, label->value);
                if (!to->name.bytes || !to->value.bytes)
                        return false;
        }
        return true;
}

bool log_row_copy(struct arena *arena, const struct log_row *row, const struct log_row *last, struct log_row *out_row)
{
        *out_row = *row;
        out_row->line = arena_str(arena, row->line);
        if (last && labels_equal(last->stream, row->stream)) {
                out_row->stream = last->stream;
        } else {
                struct labels *stream = arena_new(arena, struct labels);
                if (!stream || !copy_labels(arena, row->stream, stream))
                        return false;
                out_row->stream = stream;
        }
        return out_row->line.bytes && copy_labels(arena, &row->attributes, &out_row->attributes);
}

bool template_id_read(struct str text, uint64_t *out_id, struct err *err)
{
        uint64_t id = 0;
        bool good = text.length > 0 && text.length <= 16;
        for (size_t i = 0; good && i < text.length; i++) {
                char c = text.bytes[i];
                bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
                good = digit || letter;
                id = id << 4 | (uint64_t)(digit ? c - '0' : (c | 32) - 'a' + 10);
        }
        *out_id = id;
        return (good && id) || fail(err, ERR_INVALID, "serve", "\"%.*s\" is no id of a template: it has up to 16 hexadecimal digits", STR_ARGS(str_slice(text, 0, 40)));
}

bool log_template_read(struct request *request, struct log_select *select, struct line_matcher **out_matcher, struct err *err)
{
        uint64_t id;
        scoped(buf_done) struct buf service = {0};
        struct str text = request_field(request, "template");
        if (!text.length)
                return true;
        if (!template_id_read(text, &id, err) || !(*out_matcher = log_templates_matcher(server_of(request)->context.log_templates, id, &service, err)))
                return err_within(err, "invalid parameter \"template\"");
        struct str word = line_matcher_word(*out_matcher);
        struct line_filter *filter = word.length ? arena_push(&request->arena, &select->filters) : NULL;
        if (word.length && !filter)
                return fail_memory(err, "serve", sizeof *filter);
        if (filter)
                *filter = (struct line_filter){.op = LINE_CONTAINS, .text = word};
        return matchers_add(&select->matchers, &request->arena, MATCH_EQUAL, STR("service"), buf_str(&service), err);
}

bool log_row_is_of(const struct line_matcher *matcher, const struct log_row *row)
{
        return !matcher || line_matcher_matches(matcher, message_of_line(labels_value(row->stream, STR("source")), row->line));
}
