/*
 * message.c - see message.h. The JSON is made where it is decided, so that the outbox says for good what was told; words are made
 * of it on delivery's threads.
 */
#include "engage/message.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

/* A text for people: UTF-8, and "..." where a template has a blank. */
static json_t *plain(struct str text)
{
        scoped(buf_done) struct buf out = {.bytes_max = 4096};
        struct str rest = text;
        size_t at;
        if (!text.length || !str_is_utf8(text))
                return json_string(text.length ? "(not UTF-8)" : "");
        while (str_find(rest, STR("<*>"), &at)) {
                buf_add(&out, str_slice(rest, 0, at));
                buf_text(&out, "...");
                rest = str_slice(rest, at + 3, rest.length);
        }
        buf_add(&out, rest);
        return out.failed ? json_string("(too long)") : json_stringn(out.bytes, out.length);
}

static json_t *labels_json(const struct labels *labels)
{
        json_t *object = json_object();
        each (label, labels) {
                json_t *value = json_stringn(label->value.bytes, label->value.length);
                if (str_is_utf8(label->name) && json_object_setn_new(object, label->name.bytes, label->name.length, value ? value : json_string("(not UTF-8)")) != 0) {
                        json_decref(object);
                        return NULL;
                }
        }
        return object;
}

static json_t *alert_json(const struct incident_alert *alert)
{
        char print[40];
        snprintf(print, sizeof print, "%016" PRIx64, alert->fingerprint.low);
        return json_pack("{s:o, s:s, s:o, s:o, s:I, s:I, s:s, s:o, s:b}", "name", plain(labels_value(&alert->labels, STR("alertname"))), "state",
                         alert->is_firing ? "firing" : "resolved", "labels", labels_json(&alert->labels), "annotations", labels_json(&alert->annotations),
                         "starts_ns", (json_int_t)alert->starts_ns, "ends_ns", (json_int_t)alert->resolved_ns, "fingerprint", print, "generator_url",
                         plain(alert->generator_url), "is_held", alert->is_held);
}

/* "host web1", each once. */
static json_t *where_json(const struct incident_view *incident)
{
        json_t *list = json_array();
        each (entity, &incident->entities) {
                scoped(buf_done) struct buf text = {0};
                if (json_array_size(list) >= 10)
                        break;
                buf_printf(&text, "%.*s %.*s", STR_ARGS(entity->kind), STR_ARGS(entity->name));
                json_array_append_new(list, plain(buf_str(&text)));
        }
        return list;
}

/* Who says so, as people would put it. */
static void add_origin(const struct incident_alert *alert, struct buf *text)
{
        static const char *const words[] = {[FINDING_RULE] = "rule ",       [FINDING_CHECK] = "check ",   [FINDING_EXTERNAL] = "told by ",
                                            [FINDING_ANOMALY] = "unusual: ", [FINDING_FORECAST] = "forecast of "};
        if (alert->origin == FINDING_SELF)
                buf_text(text, " (Evenkeel about itself)");
        else if (alert->source.length && (size_t)alert->origin < countof(words) && words[alert->origin])
                buf_printf(text, " (%s%.*s)", words[alert->origin], STR_ARGS(alert->source));
}

/* "DiskFull: /var has 120 MB left (rule disk)" */
static json_t *reason_json(const struct incident_alert *alert)
{
        scoped(buf_done) struct buf text = {0};
        struct str name = labels_value(&alert->labels, STR("alertname"));
        struct str said = labels_value(&alert->annotations, STR("description"));
        if (!said.length)
                said = labels_value(&alert->annotations, STR("summary"));
        if (!said.length)
                said = labels_value(&alert->annotations, STR("message"));
        buf_printf(&text, "%.*s%s%.*s", STR_ARGS(name), said.length ? ": " : "", STR_ARGS(said));
        if (!isnan(alert->value) && !isinf(alert->value) && !said.length)
                buf_printf(&text, ", now %.6g", alert->value);
        add_origin(alert, &text);
        return plain(buf_str(&text));
}

/* Where all is about one thing, "it comes from there" tells nothing. */
static json_t *causes_json(const struct incident_view *incident)
{
        json_t *list = json_array();
        if (incident->entities.count == 1 && incident->causes.count == 1 && incident->causes.items[0].entity == incident->entities.items[0].id)
                return list;
        each (cause, &incident->causes)
                if (json_array_size(list) < MESSAGE_CAUSES_MAX)
                        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name", plain(cause->name), "kind", plain(cause->kind), "reason", plain(cause->reason)));
        return list;
}

static json_t *helped_json(const struct message_wish *wish)
{
        if (!wish->helped_number)
                return json_null();
        return json_pack("{s:o, s:o, s:i}", "text", plain(wish->helped_text), "by", plain(wish->helped_by), "incident", (int)wish->helped_number);
}

/* What fires before what is over, the worst first: of a storm's thousands the few that wake somebody are in the message. */
static int rank_of(const struct incident_alert *alert)
{
        return !alert->is_firing ? 0 : alert->severity ? (int)alert->severity : ALERT_INFO;
}

static void add_alert(const struct incident_alert *alert, json_t *alerts, json_t *why, bool is_reason, int *more)
{
        if (json_array_size(alerts) < MESSAGE_ALERTS_MAX)
                json_array_append_new(alerts, alert_json(alert));
        else
                ++*more;
        if (is_reason && json_array_size(why) < MESSAGE_WHY_MAX)
                json_array_append_new(why, reason_json(alert));
}

static void add_alerts(const struct message_wish *wish, json_t *alerts, json_t *why, int *more)
{
        bool fires = false;
        each (alert, &wish->incident->alerts)
                fires |= alert->is_firing;
        for (int rank = ALERT_CRITICAL; rank >= 0; rank--) {
                size_t at = 0;
                each (alert, &wish->incident->alerts) {
                        bool is_wanted = !wish->is_told_of || wish->is_told_of[at];
                        at++;
                        if (is_wanted && rank_of(alert) == rank)
                                add_alert(alert, alerts, why, rank > 0 || !fires, more); /* when all is over: what it was */
                }
        }
}

json_t *message_create(const struct message_wish *wish)
{
        const struct incident_view *incident = wish->incident;
        scoped_ptr(json_decref) json_t *alerts = json_array(), *why = json_array();
        int more = 0;
        add_alerts(wish, alerts, why, &more);
        return json_pack("{s:s, s:s, s:b, s:o, s:i, s:o, s:s, s:s, s:I, s:I, s:I, s:o, s:O, s:o, s:o, s:O, s:O, s:i, s:o}", "occasion", wish->occasion, "because",
                         wish->because ? wish->because : "", "is_page", wish->is_page, "team", plain(wish->team), "incident", (int)incident->number, "title",
                         plain(incident->title), "severity", alert_severity_name(incident->severity), "state", incident_state_name(incident->state), "since_ns",
                         (json_int_t)incident->opened_ns, "resolved_ns", (json_int_t)incident->resolved_ns, "time_ns", (json_int_t)wish->time_ns, "where", where_json(incident), "why", why, "causes",
                         causes_json(incident), "helped", helped_json(wish), "told", wish->told, "alerts", alerts, "more_alerts", more, "common_labels",
                         labels_json(&incident->labels));
}

/* --- words ------------------------------------------------------------------------------------------------------------ */

bool message_time(int64_t time_ns, struct buf *out)
{
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(time_ns, 0, text);
        return buf_printf(out, "%.10s %.5s UTC", text, text + 11);
}

static struct str field(const json_t *message, const char *key)
{
        struct str text = json_str(message, key);
        return text.bytes ? text : STR("");
}

bool message_subject(const json_t *message, bool is_repeat, struct buf *out)
{
        static const struct { const char *occasion, *words; } words[] = {
                {"fired", ""}, {"worse", "worse: "}, {"again", "again: "}, {"update", "update: "}, {"reminder", "still: "}, {"escalated", "not acknowledged: "},
                {"resolved", "resolved: "}, {"canary", "canary: "}, {"test", "test: "}, {"approval", "approve? "}, {"run", "run: "}, {"runbook", "runbook: "},
        };
        struct str occasion = field(message, "occasion");
        buf_text(out, is_repeat ? "[repeat] " : "");
        if (json_i64(message, "incident", 0))
                buf_printf(out, "#%d ", (int)json_i64(message, "incident", 0));
        for (size_t i = 0; i < countof(words); i++)
                if (str_is(occasion, words[i].occasion))
                        buf_text(out, words[i].words);
        if (!str_is(occasion, "resolved") && !str_is(occasion, "test"))
                buf_printf(out, "%.*s: ", STR_ARGS(field(message, "severity")));
        struct str title = field(message, "title");
        for (size_t i = 0; i < title.length; i++) /* a header's value has no line ends */
                buf_byte(out, (unsigned char)title.bytes[i] < ' ' ? ' ' : title.bytes[i]);
        return !out->failed;
}

typedef void line_fn(struct buf *out, const char *head, struct str text);

static void text_line(struct buf *out, const char *head, struct str text)
{
        buf_printf(out, "%-18s %.*s\n", head, STR_ARGS(text));
}

static void escape(struct buf *out, struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                switch (text.bytes[i]) {
                case '<': buf_text(out, "&lt;"); break;
                case '>': buf_text(out, "&gt;"); break;
                case '&': buf_text(out, "&amp;"); break;
                case '"': buf_text(out, "&quot;"); break;
                default: buf_byte(out, text.bytes[i]);
                }
}

static void html_line(struct buf *out, const char *head, struct str text)
{
        buf_printf(out, "<tr><th align=\"left\" valign=\"top\">%s</th><td>", head);
        escape(out, text);
        buf_text(out, "</td></tr>\n");
}

static void list_lines(const json_t *message, const char *key, const char *head, line_fn *line, struct buf *out)
{
        size_t at;
        const json_t *item;
        json_array_foreach (json_object_get(message, key), at, item)
                line(out, at ? "" : head, (struct str){json_string_value(item), json_string_length(item)});
}

static void cause_lines(const json_t *message, line_fn *line, struct buf *out)
{
        size_t at;
        const json_t *cause;
        json_array_foreach (json_object_get(message, "causes"), at, cause) {
                scoped(buf_done) struct buf text = {0};
                buf_printf(&text, "%.*s %.*s", STR_ARGS(field(cause, "kind")), STR_ARGS(field(cause, "name")));
                if (str_starts_with(field(cause, "reason"), buf_str(&text)))
                        buf_clear(&text); /* the reason says it itself */
                else
                        buf_text(&text, ": ");
                buf_add(&text, field(cause, "reason"));
                line(out, at ? "" : "May come from", buf_str(&text));
        }
}

static void helped_line(const json_t *message, line_fn *line, struct buf *out)
{
        const json_t *helped = json_object_get(message, "helped");
        scoped(buf_done) struct buf text = {0};
        if (!json_is_object(helped))
                return;
        buf_printf(&text, "%.*s (incident #%d, said %.*s)", STR_ARGS(field(helped, "text")), (int)json_i64(helped, "incident", 0), STR_ARGS(field(helped, "by")));
        line(out, "Helped last time", buf_str(&text));
}

static void time_line(const json_t *message, const char *key, const char *head, line_fn *line, struct buf *out)
{
        scoped(buf_done) struct buf text = {0};
        if (!json_i64(message, key, 0))
                return;
        message_time(json_i64(message, key, 0), &text);
        line(out, head, buf_str(&text));
}

/* "2 h 5 min": how long it lasted. */
static void lasted_line(const json_t *message, line_fn *line, struct buf *out)
{
        scoped(buf_done) struct buf text = {0};
        int64_t seconds = (json_i64(message, "resolved_ns", 0) - json_i64(message, "since_ns", 0)) / NS_PER_S;
        if (!str_is(field(message, "occasion"), "resolved") || seconds < 0)
                return;
        if (seconds >= 86400)
                buf_printf(&text, "%" PRId64 " d ", seconds / 86400);
        if (seconds >= 3600)
                buf_printf(&text, "%" PRId64 " h ", seconds / 3600 % 24);
        if (seconds >= 60)
                buf_printf(&text, "%" PRId64 " min", seconds / 60 % 60);
        else
                buf_printf(&text, "%" PRId64 " s", seconds);
        line(out, "Lasted", buf_str(&text));
}

static void lines(const json_t *message, const char *link, bool is_repeat, line_fn *line, struct buf *out)
{
        scoped(buf_done) struct buf place = {0};
        line(out, "What", field(message, "title"));
        list_lines(message, "where", "Where", line, out);
        time_line(message, "since_ns", "Since", line, out);
        lasted_line(message, line, out);
        line(out, "State", field(message, "state"));
        list_lines(message, "why", str_is(field(message, "occasion"), "resolved") ? "It was" : "Believed because", line, out);
        cause_lines(message, line, out);
        helped_line(message, line, out);
        list_lines(message, "told", "Told", line, out);
        if (field(message, "because").length)
                line(out, "Sent because", field(message, "because"));
        if (is_repeat)
                line(out, "Repeat", STR("this may have been sent before; Evenkeel restarted before it knew"));
        if (*link && json_i64(message, "incident", 0)) {
                buf_printf(&place, "%s/incidents/%d", link, (int)json_i64(message, "incident", 0));
                line(out, "Look and act", buf_str(&place));
        }
}

bool message_text(const json_t *message, const char *link, bool is_repeat, struct buf *out)
{
        lines(message, link, is_repeat, text_line, out);
        return !out->failed;
}

bool message_html(const json_t *message, const char *link, bool is_repeat, struct buf *out)
{
        buf_text(out, "<!doctype html><html><body><table cellpadding=\"4\">\n");
        lines(message, link, is_repeat, html_line, out);
        return buf_text(out, "</table></body></html>\n");
}
