/*
 * moved.c - see moved.h. The store finds series by scanning labels, so the subjects are looked for together, once for each label
 * name that may name one; samples are then read in batches of series that share that label's value, each batch in an arena that
 * ends with it. Memory goes with a batch and with the number of series, not with the samples of all. What was found is said by moved_answer.c.
 */
#include "query/moved_inquiry.h"

#include "base/clock.h"
#include "base/scope.h"
#include "model/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_SERIES 64
#define IDS_MAX 64
#define PATTERN_BYTES_MAX 16384
#define SEASON_NS ((int64_t)86400 * NS_PER_S)
#define BEFORE_WINDOWS 4

/* --- which series --------------------------------------------------------------------------------------------------- */

static void write_quoted(struct buf *out, struct str text)
{
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.bytes[i];
                if (c < 0x80 && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
                        buf_byte(out, '\\');
                buf_byte(out, (char)c);
        }
}

/* More than the subjects: "web1" also finds web1.example.org and https://web1:9100. Who is meant the resolver says. */
static bool write_pattern(const struct moved_question *question, struct buf *out)
{
        const char *between = "";
        buf_text(out, "(?i)(?:.*[/@])?(?:");
        for (size_t i = 0; i < question->subject_count; i++)
                each (value, &question->subjects[i].values) {
                        if (!value->length)
                                continue;
                        buf_text(out, between);
                        write_quoted(out, *value);
                        between = "|";
                }
        buf_text(out, ")(?:[.:/@].*)?");
        return *between != '\0';
}

static bool is_known(const struct inquiry *inquiry, const struct labels *labels, uint64_t hash)
{
        size_t at;
        for (uint32_t i = map_first(&inquiry->known, hash, &at); i != MAP_NONE; i = map_next(&inquiry->known, hash, &at))
                if (labels_equal(&inquiry->candidates.items[i].labels, labels))
                        return true;
        return false;
}

/* The first of the subjects that the labels name; subject_count: none. */
static uint32_t subject_of(const struct moved_question *question, const struct labels *labels)
{
        uint64_t ids[IDS_MAX];
        size_t count = question->resolve(question->context, labels, ids, countof(ids));
        for (uint32_t i = 0; i < question->subject_count; i++)
                for (size_t k = 0; k < count; k++)
                        if (question->subjects[i].id == ids[k])
                                return i;
        return (uint32_t)question->subject_count;
}

static bool consider(struct inquiry *inquiry, struct str by, const struct labels *labels, struct err *err)
{
        uint64_t hash = labels_id(labels).high;
        struct str name = labels_value(labels, LABEL_METRIC_NAME);
        if (is_known(inquiry, labels, hash))
                return true;
        uint32_t subject = subject_of(inquiry->question, labels);
        if (subject == inquiry->question->subject_count)
                return true;
        if (measure_reading(name) == READ_NOT) {
                inquiry->buckets++;
                return true;
        }
        struct candidate *candidate = arena_push(&inquiry->arena, &inquiry->candidates);
        if (!candidate || !map_put(&inquiry->known, hash, (uint32_t)(inquiry->candidates.count - 1)))
                return fail_memory(err, "moved", sizeof *candidate);
        *candidate = (struct candidate){.labels = *labels, .name = name, .by = by, .value = labels_value(labels, by), .subject = subject};
        return true;
}

static struct series_select select_of(const struct inquiry *inquiry, const struct matchers *matchers, int64_t earlier_ns)
{
        return (struct series_select){.matchers = matchers, .start_ns = inquiry->window.before_ns - earlier_ns,
                                      .end_ns = inquiry->window.until_ns - earlier_ns, .samples_max = MOVED_SAMPLES_MAX,
                                      .cancelled = inquiry->question->cancelled, .deadline_ns = inquiry->question->deadline_ns};
}

static bool find_by(struct inquiry *inquiry, struct str by, struct str pattern, struct err *err)
{
        const struct promql_source *source = &inquiry->question->source;
        scoped(matchers_done) struct matchers matchers = {0};
        struct series_set set = {0};
        if (!matchers_add(&matchers, &inquiry->arena, MATCH_REGEX, by, pattern, err))
                return false;
        struct series_select select = select_of(inquiry, &matchers, 0);
        select.labels_only = true;
        if (!source->select(source->context, &select, &inquiry->arena, &set, err))
                return err_within(err, "finding series by their label %.*s", STR_ARGS(by));
        each (series, &set)
                if (!consider(inquiry, by, &series->labels, err))
                        return false;
        return true;
}

static int by_metric(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;
        int order = x->subject != y->subject ? (x->subject < y->subject ? -1 : 1) : str_compare(x->name, y->name);
        return order ? order : labels_compare(&x->labels, &y->labels);
}

static int by_turn(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;
        if (x->subject != y->subject)
                return x->subject < y->subject ? -1 : 1;
        if (x->ordinal != y->ordinal)
                return x->ordinal < y->ordinal ? -1 : 1;
        return labels_compare(&x->labels, &y->labels);
}

static int by_batch(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;
        int order = str_compare(x->by, y->by);
        order = order ? order : str_compare(x->value, y->value);
        order = order ? order : str_compare(x->name, y->name);
        return order ? order : labels_compare(&x->labels, &y->labels);
}

static void keep_within_bound(struct inquiry *inquiry)
{
        size_t most = inquiry->question->series_max ? inquiry->question->series_max : MOVED_SERIES_MAX, count = inquiry->candidates.count;
        struct candidate *items = inquiry->candidates.items;
        inquiry->found = count;
        if (!count)
                return;
        qsort(items, count, sizeof *items, by_metric);
        for (size_t i = 1; i < count; i++)
                if (items[i].subject == items[i - 1].subject && str_equal(items[i].name, items[i - 1].name))
                        items[i].ordinal = items[i - 1].ordinal + 1;
        if (count > most) {
                qsort(items, count, sizeof *items, by_turn);
                inquiry->candidates.count = most;
        }
        qsort(items, inquiry->candidates.count, sizeof *items, by_batch);
}

static bool find_candidates(struct inquiry *inquiry, struct err *err)
{
        scoped(buf_done) struct buf pattern = {.bytes_max = PATTERN_BYTES_MAX};
        if (!write_pattern(inquiry->question, &pattern))
                return true;
        if (pattern.failed)
                return fail(err, ERR_TOO_LARGE, "moved", "the things asked about have too many names; ask for fewer");
        for (size_t i = 0; i < inquiry->question->label_name_count; i++)
                if (!find_by(inquiry, inquiry->question->label_names[i], buf_str(&pattern), err))
                        return false;
        keep_within_bound(inquiry);
        return true;
}

/* --- how they moved ----------------------------------------------------------------------------------------------------- */

/* Of a counter what came in a second, at each of its points but the first and those at which it was set back. */
static bool read_points(const struct series_data *series, enum measure_reading reading, int64_t later_ns, struct arena *arena,
                        struct movement_points *out_points, struct err *err)
{
        int64_t *times_ns = arena_alloc(arena, (series->count + 1) * sizeof *times_ns);
        double *values = arena_alloc(arena, (series->count + 1) * sizeof *values);
        size_t count = 0;
        if (!times_ns || !values)
                return fail_memory(err, "moved", series->count * 16);
        for (size_t i = 0; i < series->count; i++) {
                double value = series->values[i];
                if (reading == READ_AS_RATE) {
                        if (!i || !(value >= series->values[i - 1]))
                                continue;
                        value = (value - series->values[i - 1]) / ((double)(series->times_ns[i] - series->times_ns[i - 1]) / NS_PER_S);
                }
                times_ns[count] = series->times_ns[i] + later_ns;
                values[count++] = value;
        }
        *out_points = (struct movement_points){times_ns, values, count};
        return true;
}

/* What one of those counted was on average, at each point before which some came: of x_sum and x_count. */
static bool read_means(const struct series_data *sum, const struct series_data *count, int64_t later_ns, struct arena *arena,
                       struct movement_points *out_points, struct err *err)
{
        int64_t *times_ns = arena_alloc(arena, (sum->count + 1) * sizeof *times_ns);
        double *values = arena_alloc(arena, (sum->count + 1) * sizeof *values), sum_before = NAN, count_before = NAN;
        size_t points = 0;
        if (!times_ns || !values)
                return fail_memory(err, "moved", sum->count * 16);
        for (size_t i = 0, k = 0; i < sum->count; i++) {
                while (k < count->count && count->times_ns[k] < sum->times_ns[i])
                        k++;
                if (k == count->count || count->times_ns[k] != sum->times_ns[i])
                        continue;
                if (count->values[k] > count_before && sum->values[i] >= sum_before) {
                        times_ns[points] = sum->times_ns[i] + later_ns;
                        values[points++] = (sum->values[i] - sum_before) / (count->values[k] - count_before);
                }
                sum_before = sum->values[i];
                count_before = count->values[k];
        }
        *out_points = (struct movement_points){times_ns, values, points};
        return true;
}

static const struct series_data *series_in(const struct series_set *set, const struct labels *labels)
{
        each (series, set)
                if (labels_equal(&series->labels, labels))
                        return series;
        return NULL;
}

static bool is_sum(struct str name)
{
        return name.length > 4 && str_is(str_slice(name, name.length - 4, name.length), "_sum");
}

bool inquiry_count_labels(const struct candidate *candidate, struct count_labels *out_count)
{
        const struct labels *labels = &candidate->labels;
        if (!is_sum(candidate->name) || labels->count > LABELS_MAX || candidate->name.length > LABEL_BYTES_MAX)
                return false;
        int length = snprintf(out_count->name, sizeof out_count->name, "%.*s_count", (int)candidate->name.length - 4, candidate->name.bytes);
        out_count->labels = (struct labels){out_count->items, labels->count, LABELS_MAX};
        for (size_t i = 0; i < labels->count; i++) {
                out_count->items[i] = labels->items[i];
                if (str_equal(labels->items[i].name, LABEL_METRIC_NAME))
                        out_count->items[i].value = (struct str){out_count->name, (size_t)length};
        }
        return true;
}

static const struct series_data *count_beside(const struct candidate *candidate, const struct series_set *set)
{
        struct count_labels count;
        return inquiry_count_labels(candidate, &count) ? series_in(set, &count.labels) : NULL;
}

static bool read_one(const struct candidate *candidate, const struct series_data *series, const struct series_set *set, int64_t later_ns,
                     struct arena *arena, struct movement_points *out_points, struct err *err)
{
        const struct series_data *count = candidate->is_mean ? count_beside(candidate, set) : NULL;
        return count ? read_means(series, count, later_ns, arena, out_points, err)
                     : read_points(series, measure_reading(candidate->name), later_ns, arena, out_points, err);
}

static bool judge(const struct inquiry *inquiry, struct candidate *candidate, const struct series_set *now, const struct series_set *then,
                  struct arena *arena, struct err *err)
{
        const struct series_data *series = series_in(now, &candidate->labels), *past = series_in(then, &candidate->labels);
        struct movement_points points, past_points;
        candidate->is_absent = !series;
        if (!series)
                return true;
        candidate->is_mean = count_beside(candidate, now) != NULL;
        if (candidate->is_mean && !count_beside(candidate, then))
                past = NULL;
        return read_one(candidate, series, now, 0, arena, &points, err) &&
               (!past || read_one(candidate, past, then, SEASON_NS, arena, &past_points, err)) &&
               movement_find(&inquiry->window, &points, past ? &past_points : NULL, arena, &candidate->movement, err);
}

static bool match_batch(const struct candidate *batch, size_t count, struct arena *arena, struct matchers *matchers, struct err *err)
{
        scoped(buf_done) struct buf names = {0};
        for (size_t i = 0; i < count; i++) {
                if (i && str_equal(batch[i].name, batch[i - 1].name))
                        continue;
                buf_text(&names, i ? "|" : "");
                write_quoted(&names, batch[i].name);
                if (is_sum(batch[i].name)) {
                        buf_byte(&names, '|');
                        write_quoted(&names, str_slice(batch[i].name, 0, batch[i].name.length - 4));
                        buf_text(&names, "_count");
                }
        }
        if (names.failed)
                return fail_memory(err, "moved", names.length);
        return matchers_add(matchers, arena, MATCH_EQUAL, batch->by, batch->value, err) &&
               matchers_add(matchers, arena, MATCH_REGEX, LABEL_METRIC_NAME, buf_str(&names), err);
}

static bool judge_batch(struct inquiry *inquiry, struct candidate *batch, size_t count, struct err *err)
{
        const struct promql_source *source = &inquiry->question->source;
        scoped(arena_done) struct arena arena;
        scoped(matchers_done) struct matchers matchers = {0};
        struct series_set now = {0}, then = {0};
        struct err fault = {0};
        arena_init(&arena, 0);
        if (!match_batch(batch, count, &arena, &matchers, err))
                return false;
        struct series_select select = select_of(inquiry, &matchers, 0), past = select_of(inquiry, &matchers, SEASON_NS);
        if (!source->select(source->context, &select, &arena, &now, &fault) || !source->select(source->context, &past, &arena, &then, &fault)) {
                inquiry->unread += count;
                if (fault.code == ERR_REFUSED) /* too many samples */
                        return true;
                return fail(err, fault.code, "moved", "%s", fault.message);
        }
        for (size_t i = 0; i < count; i++)
                if (!judge(inquiry, &batch[i], &now, &then, &arena, err))
                        return false;
        return true;
}

int64_t inquiry_group_onset(const struct inquiry *inquiry, size_t first)
{
        const struct movement *items = inquiry->moved.items;
        int64_t onset_ns = items[first].onset_ns;
        for (size_t i = first; i < inquiry->moved.count && items[i].group == items[first].group; i++)
                onset_ns = min_of(onset_ns, items[i].onset_ns);
        return onset_ns;
}

static bool judge_all(struct inquiry *inquiry, struct err *err)
{
        struct candidate *items = inquiry->candidates.items;
        for (size_t i = 0, end; i < inquiry->candidates.count; i = end) {
                for (end = i + 1; end < inquiry->candidates.count && end - i < BATCH_SERIES; end++)
                        if (!str_equal(items[end].by, items[i].by) || !str_equal(items[end].value, items[i].value))
                                break;
                if (!judge_batch(inquiry, items + i, end - i, err))
                        return false;
        }
        for (uint32_t i = 0; i < inquiry->candidates.count; i++) {
                struct movement *movement = &items[i].movement;
                inquiry->absent += items[i].is_absent;
                inquiry->unknown += movement->way == MOVEMENT_UNKNOWN && !items[i].is_absent;
                inquiry->earlier += movement->way == MOVEMENT_EARLIER;
                if (!movement_has_moved(movement))
                        continue;
                struct movement *moved = arena_push(&inquiry->arena, &inquiry->moved);
                if (!moved)
                        return fail_memory(err, "moved", sizeof *moved);
                *moved = *movement;
                moved->series = i;
        }
        inquiry->groups = movements_order(inquiry->moved.items, inquiry->moved.count);
        inquiry->first_ns = inquiry->moved.count ? inquiry_group_onset(inquiry, 0) : 0;
        return true;
}

/* --- the whole -------------------------------------------------------------------------------------------------------------- */

static bool check_window(const struct moved_question *question, struct err *err)
{
        if (question->from_ns >= question->until_ns)
                return fail(err, ERR_INVALID, "moved", "the time asked for ends before it begins");
        if (question->until_ns - question->from_ns > MOVED_WINDOW_MAX_NS)
                return fail(err, ERR_INVALID, "moved", "the time asked for is longer than a day; what moved first is asked of a shorter one");
        return true;
}

json_t *moved_find(const struct moved_question *question, struct err *err)
{
        if (!check_window(question, err))
                return NULL;
        int64_t length_ns = question->until_ns - question->from_ns;
        int64_t before_ns = max_of(BEFORE_WINDOWS * length_ns, MOVED_BEFORE_MIN_NS);
        before_ns = min_of(before_ns, MOVED_BEFORE_MAX_NS);
        struct inquiry inquiry = {.question = question, .window = {question->from_ns - before_ns, question->from_ns, question->until_ns}};
        json_t *answer = NULL;
        arena_init(&inquiry.arena, 0);
        if (find_candidates(&inquiry, err) && judge_all(&inquiry, err))
                answer = inquiry_answer(&inquiry, err);
        map_done(&inquiry.known);
        arena_done(&inquiry.arena);
        return answer;
}
