/* series_list.c - see series_list.h. Lines of one series are found again by the text of the series, then sorted by time. */
#include "query/series_list.h"

#include "base/map.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "query/promql_rows.h"

#include <math.h>
#include <stdlib.h>

struct growing {
        struct str text;
        struct labels labels;
        struct { struct sample *items; size_t count, capacity; } samples;
};

struct reading {
        struct arena *arena;
        struct { struct growing *items; size_t count, capacity; } series;
        struct map map;
};

static bool parse_labels(struct str text, struct arena *arena, struct labels *out_labels, struct err *err)
{
        struct matchers matchers = {0};
        struct labels labels = {0};
        if (!promql_selector(text, arena, &matchers, err))
                return false;
        each (matcher, &matchers) {
                struct label *label = arena_push(arena, &labels);
                if (!label)
                        return fail_memory(err, "series list", sizeof *label);
                *label = (struct label){matcher->name, matcher->value};
        }
        matchers_done(&matchers);
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

static struct growing *series_of(struct reading *reading, struct str text, struct err *err)
{
        uint64_t hash = hash64(text);
        size_t at;
        for (uint32_t i = map_first(&reading->map, hash, &at); i != MAP_NONE; i = map_next(&reading->map, hash, &at))
                if (str_equal(reading->series.items[i].text, text))
                        return &reading->series.items[i];
        struct growing *series = arena_push(reading->arena, &reading->series);
        if (!series || !map_put(&reading->map, hash, (uint32_t)(reading->series.count - 1)))
                return fail_memory(err, "series list", sizeof *series), NULL;
        series->text = text;
        return parse_labels(text, reading->arena, &series->labels, err) ? series : NULL;
}

/* The last word of the line, taken off it. */
static struct str take_word(struct str *line)
{
        size_t start = line->length;
        while (start > 0 && line->bytes[start - 1] != ' ')
                start--;
        struct str word = str_slice(*line, start, line->length);
        *line = str_trim(str_slice(*line, 0, start));
        return word;
}

static bool read_line(struct reading *reading, struct str line, struct err *err)
{
        struct str time = take_word(&line), value = take_word(&line);
        double seconds, number = absent();
        if (!str_to_double(time, &seconds) || (!str_is(value, "stale") && !str_to_double(value, &number)))
                return fail(err, ERR_INVALID, "series list", "a line must end with a value and a time in seconds");
        struct growing *series = series_of(reading, line, err);
        struct sample *sample = series ? arena_push(reading->arena, &series->samples) : NULL;
        if (!series)
                return false;
        if (!sample)
                return fail_memory(err, "series list", sizeof *sample);
        *sample = (struct sample){(int64_t)llround(seconds * 1000) * 1000000, number};
        return true;
}

static int compare_samples(const void *a, const void *b)
{
        int64_t x = ((const struct sample *)a)->time_ns, y = ((const struct sample *)b)->time_ns;
        return (x > y) - (x < y);
}

static int compare_series(const void *a, const void *b)
{
        return labels_compare(&((const struct series_data *)a)->labels, &((const struct series_data *)b)->labels);
}

static bool finish(struct reading *reading, struct series_list *list, struct err *err)
{
        each (growing, &reading->series) {
                struct series_data *series = arena_push(reading->arena, &list->set);
                int64_t *times = arena_alloc(reading->arena, (growing->samples.count + 1) * sizeof *times);
                double *values = arena_alloc(reading->arena, (growing->samples.count + 1) * sizeof *values);
                if (!series || !times || !values)
                        return fail_memory(err, "series list", growing->samples.count * 16);
                qsort(growing->samples.items, growing->samples.count, sizeof *growing->samples.items, compare_samples);
                size_t count = 0;
                each (sample, &growing->samples) {
                        times[count] = sample->time_ns;
                        values[count++] = sample->value;
                }
                *series = (struct series_data){growing->labels, times, values, count};
        }
        if (list->set.count > 1)
                qsort(list->set.items, list->set.count, sizeof *list->set.items, compare_series);
        return true;
}

static void reading_done(struct reading *reading)
{
        map_done(&reading->map);
}

bool series_list_read(struct str text, struct arena *arena, struct series_list *out_list, struct err *err)
{
        scoped(reading_done) struct reading reading = {.arena = arena};
        struct series_list list = {.arena = arena};
        struct str line;
        for (size_t number = 1; str_cut(&text, '\n', &line); number++) {
                line = str_trim(line);
                if (line.length && line.bytes[0] != '#' && !read_line(&reading, line, err))
                        return err_within(err, "line %zu", number);
        }
        if (!finish(&reading, &list, err))
                return false;
        *out_list = list;
        return true;
}

static size_t first_not_before(const struct series_data *series, int64_t time_ns)
{
        size_t low = 0, high = series->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (series->times_ns[middle] < time_ns)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool list_select(void *context, const struct series_select *select, struct arena *arena, struct series_set *out_set,
                        struct err *err)
{
        const struct series_list *list = context;
        struct series_set set = {0};
        each (series, &list->set) {
                if (!matchers_match(select->matchers, &series->labels))
                        continue;
                size_t first = first_not_before(series, select->start_ns), after = first;
                while (after < series->count && series->times_ns[after] <= select->end_ns)
                        after++;
                struct series_data *found = after > first ? arena_push(arena, &set) : NULL;
                if (found)
                        *found = (struct series_data){series->labels, series->times_ns + first, series->values + first, after - first};
                else if (after > first)
                        return fail_memory(err, "series list", sizeof *found);
        }
        *out_set = set;
        return true;
}

struct promql_source series_list_source(struct series_list *list)
{
        return (struct promql_source){.select = list_select, .context = list};
}
