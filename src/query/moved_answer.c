/* moved_answer.c - what an inquiry found, in a sentence for people and as JSON for the console; see moved.h. It finds nothing by itself. */
#include "query/moved_inquiry.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/quantity.h"
#include "base/scope.h"
#include "model/measure.h"

#include <inttypes.h>
#include <stdio.h>

#define TOGETHER_NAMED 3        /* of a group, in the sentence */

/* --- in words ------------------------------------------------------------------------------------------------------------ */

static size_t looked_at(const struct inquiry *inquiry)
{
        return inquiry->candidates.count - inquiry->absent - inquiry->unread;
}

static const struct candidate *candidate_of(const struct inquiry *inquiry, const struct movement *movement)
{
        return &inquiry->candidates.items[movement->series];
}

/* Of a mean the sum's name without its end. */
static struct str name_of(const struct candidate *candidate)
{
        return str_slice(candidate->name, 0, candidate->name.length - (candidate->is_mean ? 4 : 0));
}

static bool is_rate(const struct candidate *candidate)
{
        return !candidate->is_mean && measure_reading(candidate->name) == READ_AS_RATE;
}

static void write_value(struct buf *out, const struct candidate *candidate, double value)
{
        measure_write(out, name_of(candidate), is_rate(candidate), value);
}

/* The metric as people say it, with what tells it from its like: "node_cpu_seconds_total per second (cpu 0, mode user)". */
static void write_what(struct buf *out, const struct candidate *candidate)
{
        const char *before = " (";
        buf_add(out, name_of(candidate));
        buf_text(out, candidate->is_mean ? " on average" : is_rate(candidate) ? " per second" : "");
        each (label, &candidate->labels) {
                if (str_equal(label->name, LABEL_METRIC_NAME) || str_equal(label->name, candidate->by) || str_is(label->name, "job") ||
                    str_is(label->name, "instance") || str_is(label->name, "host"))
                        continue;
                buf_printf(out, "%s%.*s %.*s", before, STR_ARGS(label->name), STR_ARGS(str_slice(label->value, 0, 60)));
                before = ", ";
        }
        buf_text(out, *before == ',' ? ")" : "");
}

static void write_series(struct buf *out, const struct inquiry *inquiry, const struct candidate *candidate)
{
        write_what(out, candidate);
        buf_text(out, " of ");
        buf_add(out, inquiry->question->subjects[candidate->subject].name);
}

static void write_time_of_day(struct buf *out, int64_t time_ns)
{
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(time_ns, 0, text);
        buf_printf(out, "%.8s", text + 11);
}

static void write_after(struct buf *out, int64_t after_ns)
{
        quantity_duration((double)(after_ns / NS_PER_S), out);
        buf_text(out, " after the first");
}

/* "node_load1 of web1 left its normal at 12:03:10 UTC, 20s after the first: 7.2 instead of 0.4" */
static void write_sentence(struct buf *out, const struct inquiry *inquiry, const struct movement *movement)
{
        const struct candidate *candidate = candidate_of(inquiry, movement);
        int64_t after_ns = movement->onset_ns - inquiry->first_ns;
        write_series(out, inquiry, candidate);
        buf_text(out, movement->way == MOVEMENT_STOPPED ? " stopped at " : " left its normal at ");
        write_time_of_day(out, movement->onset_ns);
        buf_text(out, " UTC");
        if (movement->group && !movement->is_little && after_ns >= NS_PER_S) {
                buf_text(out, ", ");
                write_after(out, after_ns);
        }
        buf_text(out, movement->way == MOVEMENT_STOPPED ? "; it was " : ": ");
        if (movement->way != MOVEMENT_STOPPED) {
                write_value(out, candidate, movement->level);
                buf_text(out, " instead of ");
        }
        write_value(out, candidate, movement->usual);
}

static void write_group(struct buf *out, const struct inquiry *inquiry, size_t first)
{
        const struct movement *items = inquiry->moved.items;
        size_t count = 0, together = 0;
        while (first + together < inquiry->moved.count && items[first + together].group == items[first].group)
                together++;
        for (; count < min_of(together, (size_t)TOGETHER_NAMED); count++) {
                buf_text(out, !count ? "" : count + 1 == together ? " and " : ", ");
                write_series(out, inquiry, candidate_of(inquiry, &items[first + count]));
        }
        if (together > count)
                buf_printf(out, " and %zu more with %s", together - count, count > 1 ? "them" : "it");
}

/* The whole in one or two sentences, and what it does not cover. */
static void write_summary(struct buf *out, const struct inquiry *inquiry)
{
        const struct movement *items = inquiry->moved.items;
        size_t large = 0, second = 0;
        while (large < inquiry->moved.count && !items[large].is_little)
                large++;
        if (!looked_at(inquiry) && !inquiry->unread)
                buf_text(out, "No series names this: nothing was measured about it in this time.");
        else if (!large && inquiry->unknown == looked_at(inquiry))
                buf_text(out, "Whether anything left its normal cannot be said.");
        else if (!large)
                buf_printf(out, "None of %zu series left its normal in this time.", looked_at(inquiry));
        else
                buf_printf(out, "%zu of %zu series left %s normal. First ", large, looked_at(inquiry), large == 1 ? "its" : "their");
        if (large) {
                write_group(out, inquiry, 0);
                while (second < large && items[second].group == 0)
                        second++;
                buf_text(out, ", at ");
                write_time_of_day(out, inquiry->first_ns);
                buf_text(out, " UTC");
                if (second < large) {
                        buf_text(out, "; then ");
                        write_group(out, inquiry, second);
                        buf_text(out, ", ");
                        write_after(out, inquiry_group_onset(inquiry, second) - inquiry->first_ns);
                }
                buf_text(out, ".");
        }
        if (inquiry->earlier)
                buf_printf(out, " %zu had left %s normal before this time began.", inquiry->earlier, inquiry->earlier == 1 ? "its" : "their");
        if (inquiry->unknown)
                buf_printf(out, " Of %zu too little is known from before.", inquiry->unknown);
        if (inquiry->found > inquiry->candidates.count)
                buf_printf(out, " %zu more series were not looked at: ask for one host or service.", inquiry->found - inquiry->candidates.count);
        if (inquiry->unread)
                buf_printf(out, " %zu have too many points: ask for a shorter time.", inquiry->unread);
}

/* --- as JSON ------------------------------------------------------------------------------------------------------------- */

static json_t *time_json(int64_t time_ns)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, time_ns);
        return time_ns == INT64_MAX ? json_null() : json_string(text);
}

static json_t *written(struct buf *text)
{
        json_t *json = text->failed ? NULL : json_text(buf_str(text));
        buf_clear(text);
        return json;
}

static json_t *labels_json(const struct labels *labels)
{
        json_t *object = json_object();
        each (label, labels)
                json_object_setn_new(object, label->name.bytes, label->name.length, json_text(label->value));
        return object;
}

static json_t *number_json(double number)
{
        return number == number ? json_real(number) : json_null();
}

static json_t *subject_json(const struct moved_subject *subject)
{
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64, subject->id);
        return json_pack("{s:s, s:o, s:o}", "id", id, "kind", json_text(subject->kind), "name", json_text(subject->name));
}

static json_t *value_json(struct buf *text, const struct candidate *candidate, double value)
{
        if (value != value)
                return json_null();
        write_value(text, candidate, value);
        return written(text);
}

static void write_range(struct buf *out, const struct labels *labels)
{
        buf_text(out, "rate(");
        labels_print(labels, out);
        buf_text(out, "[5m])");
}

/* What to ask PromQL for to see it. */
static void write_query(struct buf *out, const struct candidate *candidate)
{
        if (!candidate->is_mean && !is_rate(candidate)) {
                labels_print(&candidate->labels, out);
                return;
        }
        struct count_labels count;
        write_range(out, &candidate->labels);
        if (candidate->is_mean && inquiry_count_labels(candidate, &count)) {
                buf_text(out, " / ");
                write_range(out, &count.labels);
        }
}

static json_t *movement_json(const struct inquiry *inquiry, const struct movement *movement, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        const struct candidate *candidate = candidate_of(inquiry, movement);
        write_what(&text, candidate);
        json_t *what = written(&text);
        write_sentence(&text, inquiry, movement);
        json_t *sentence = written(&text);
        write_query(&text, candidate);
        json_t *query = written(&text);
        json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "what", what, "sentence", sentence, "query", query,
                                 "labels", labels_json(&candidate->labels), "entity", subject_json(&inquiry->question->subjects[candidate->subject]),
                                 "way", movement_way_name(movement->way), "group", movement->is_little ? json_null() : json_integer(movement->group),
                                 "is_little", movement->is_little, "onset_ns", time_json(movement->onset_ns), "earliest_ns",
                                 time_json(movement->earliest_ns), "latest_ns", time_json(movement->latest_ns), "end_ns", time_json(movement->end_ns),
                                 "strength", json_real(movement->strength));
        if (!json || json_object_set_new(json, "usual", number_json(movement->usual)) || json_object_set_new(json, "level", number_json(movement->level)) ||
            json_object_set_new(json, "usual_text", value_json(&text, candidate, movement->usual)) ||
            json_object_set_new(json, "level_text", value_json(&text, candidate, movement->level))) {
                json_decref(json);
                return fail_memory(err, "moved", sizeof *movement), NULL;
        }
        return json;
}

json_t *inquiry_answer(const struct inquiry *inquiry, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *moved = json_array();
        size_t told = min_of(inquiry->moved.count, (size_t)MOVED_TOLD_MAX);
        write_summary(&text, inquiry);
        for (size_t i = 0; i < told; i++) {
                json_t *one = movement_json(inquiry, &inquiry->moved.items[i], err);
                if (!one || json_array_append_new(moved, one))
                        return one ? (fail_memory(err, "moved", sizeof one), NULL) : NULL;
        }
        json_t *answer = json_pack("{s:o, s:o, s:o, s:o, s:o, s:O, s:i, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "sentence", written(&text), "from_ns",
                                   time_json(inquiry->window.from_ns), "until_ns", time_json(inquiry->window.until_ns), "before_ns",
                                   time_json(inquiry->window.before_ns), "first_ns", inquiry->groups ? time_json(inquiry->first_ns) : json_null(), "moved", moved, "groups", (int)inquiry->groups, "series", "looked_at",
                                   (json_int_t)looked_at(inquiry), "unknown", (json_int_t)inquiry->unknown, "earlier", (json_int_t)inquiry->earlier,
                                   "left_out", (json_int_t)(inquiry->found - inquiry->candidates.count), "too_many_points", (json_int_t)inquiry->unread,
                                   "buckets", (json_int_t)inquiry->buckets, "not_told", (json_int_t)(inquiry->moved.count - told));
        if (!answer)
                fail_memory(err, "moved", text.length);
        return answer;
}
