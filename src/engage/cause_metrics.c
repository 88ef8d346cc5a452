/*
 * cause_metrics.c - see cause_metrics.h. The causes of an incident and the verb `causes` drive it.
 *
 *      rows   |------------- usual -------------|-- unsure --|at---------- after ----------|
 *
 * Rows right before `at` belong to neither side, since trouble begins before it is noticed. Everything is a median or a
 * quantile, so a few bad rows on either side change little; the trade is that a fault of one row in a hundred is missed.
 */
#include "engage/cause_metrics.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "learn/usual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNSURE_SHARE 10         /* a tenth of the rows before `at` */
#define BREACH_ROWS 12          /* before `at` in which the target may have been in breach already */
#define NEAR_ROWS 3             /* around a breach, for what was usual right then */
#define LOW_BREACH 0.1          /* of the worst: no breach */
#define LEVEL_QUANTILE 0.9      /* of the rows after: where it went */
#define GOOD_CHANGE 0.5         /* what a change to the good counts */
#define OTHER_SERIES 0.25       /* what an entity's further series count beside its strangest */
#define EXPLAINED 0.3           /* what a caller's change counts when its callee shows the same */
#define EARLIER 0.1             /* what being first adds */
#define STRANGE_BESIDE_SHARE 0.05
#define SHARE_MAX 1000.0        /* more of the target's trouble than this is all the same */

enum bad_way { BAD_UP, BAD_DOWN, BAD_BOTH };

/* Which way is bad, by what metrics are called; the first that is contained decides. Others: up. */
static const struct {
        const char *part;
        enum bad_way way;
        bool is_traffic;
} namings[] = {
        {"availab", BAD_DOWN, false}, {"success", BAD_DOWN, false}, {"uptime", BAD_DOWN, false}, {"healthy", BAD_DOWN, false},
        {"ready", BAD_DOWN, false}, {"free", BAD_DOWN, false}, {"idle", BAD_DOWN, false}, {"hit", BAD_DOWN, false},
        {"error", BAD_UP, false}, {"fail", BAD_UP, false}, {"latency", BAD_UP, false}, {"duration", BAD_UP, false},
        {"request", BAD_BOTH, true}, {"call", BAD_BOTH, true}, {"throughput", BAD_BOTH, true}, {"load", BAD_BOTH, true},
        {"traffic", BAD_BOTH, true},
};

struct judged {                 /* a series */
        uint32_t entity;
        enum bad_way way;
        bool is_traffic, has_usual;
        struct usual usual;
        double strangeness, after;
        size_t onset;
};

struct rank {
        const struct cause_question *question;
        struct arena *arena;
        size_t usual_end, at_row;
        size_t target;          /* the series asked about, or what was chosen for it */
        struct judged *judged;
        struct { struct str *items; size_t count, capacity; } entities;
        struct map by_name;
        uint32_t (*edges)[2];   /* caller, callee; by caller */
        size_t edge_count;
        size_t *first_edge;     /* of each entity, and the end */
        bool *leads_back;       /* an edge that closes a circle of calls */
        double *scratch;        /* a row of numbers to sort */
        double *breach;         /* how far the target is in breach, by row */
        double *excess;         /* of each entity, as the target's metric has it */
        bool *is_upstream;
};

static bool contains_nocase(struct str s, const char *part)
{
        size_t length = strlen(part);
        for (size_t i = 0; i + length <= s.length; i++)
                if (str_equal_nocase(str_slice(s, i, i + length), (struct str){part, length}))
                        return true;
        return false;
}

static void name_series(struct judged *judged, struct str metric)
{
        judged->way = BAD_UP;
        for (size_t i = 0; i < countof(namings); i++)
                if (contains_nocase(metric, namings[i].part)) {
                        judged->way = namings[i].way;
                        judged->is_traffic = namings[i].is_traffic;
                        return;
                }
}

static size_t gather(const double *values, size_t from, size_t to, double *out)
{
        size_t count = 0;
        for (size_t i = from; i < to; i++)
                if (usual_is_number(values[i]))
                        out[count++] = values[i];
        return count;
}

/* -- strangeness -------------------------------------------------------------------------------------------------- */

/* Where the rows after went in one direction: the distance that a tenth of them exceed. */
static double distance_of(const struct rank *rank, const double *values, struct usual usual, bool is_up)
{
        double *sorted = rank->scratch;
        size_t count = gather(values, rank->at_row, rank->question->row_count, sorted);
        for (size_t i = 0; i < count; i++)
                sorted[i] = fmax(is_up ? sorted[i] - usual.median : usual.median - sorted[i], 0);
        if (!count)
                return 0;
        qsort(sorted, count, sizeof *sorted, usual_by_value);
        return usual_quantile(sorted, count, LEVEL_QUANTILE);
}

/* The first of two rows in turn outside the noise. */
static size_t onset_of(const struct rank *rank, const double *values, struct usual usual)
{
        bool was_out = false;
        for (size_t i = rank->usual_end; i < rank->question->row_count; i++) {
                if (!usual_is_number(values[i]))
                        continue;
                bool is_out = values[i] - usual.median > 2 * USUAL_NOISE * usual.up || usual.median - values[i] > 2 * USUAL_NOISE * usual.down;
                if (is_out && was_out)
                        return i - 1;
                was_out = is_out;
        }
        return rank->question->row_count;
}

static void judge(const struct rank *rank, size_t number)
{
        struct judged *judged = &rank->judged[number];
        const double *values = rank->question->series[number].values;
        judged->onset = rank->question->row_count;
        judged->has_usual = usual_of(values, rank->usual_end, rank->scratch, &judged->usual);
        judged->after = judged->usual.median;
        if (!judged->has_usual)
                return;
        for (int up = 0; up < 2; up++) {
                double distance = distance_of(rank, values, judged->usual, up);
                bool is_good = (up && judged->way == BAD_DOWN) || (!up && judged->way == BAD_UP);
                double strangeness = usual_strangeness(&judged->usual, distance, up) * (is_good ? GOOD_CHANGE : 1);
                if (strangeness <= judged->strangeness)
                        continue;
                judged->strangeness = strangeness;
                judged->after = judged->usual.median + (up ? distance : -distance);
        }
        judged->onset = onset_of(rank, values, judged->usual);
}

static bool same_measure(const struct cause_series *a, const struct cause_series *b)
{
        return str_equal(a->metric, b->metric) && str_equal(a->statistic, b->statistic);
}

static uint64_t measure_hash(const struct cause_series *series, uint32_t entity)
{
        return hash64_seeded(series->metric, hash64_seeded(series->statistic, entity + 1));
}

/* What a caller shows counts less where a callee shows it too. */
static bool discount_callers(struct rank *rank, struct err *err)
{
        const struct cause_question *question = rank->question;
        scoped(map_done) struct map by_measure = {0};
        double *reduced = arena_array(rank->arena, question->series_count + 1, sizeof *reduced);
        if (!reduced)
                return fail_memory(err, "causes", question->series_count * sizeof *reduced);
        for (uint32_t i = 0; i < question->series_count; i++) {
                reduced[i] = rank->judged[i].strangeness;
                if (!map_put(&by_measure, measure_hash(&question->series[i], rank->judged[i].entity), i))
                        return fail_memory(err, "causes", question->series_count * 12);
        }
        size_t *first = arena_array(rank->arena, rank->entities.count + 2, sizeof *first);
        uint32_t *order = arena_array(rank->arena, question->series_count + 1, sizeof *order);
        if (!first || !order)
                return fail_memory(err, "causes", question->series_count * sizeof *order);
        for (size_t i = 0; i < question->series_count; i++)
                first[rank->judged[i].entity + 2]++;
        for (size_t e = 2; e < rank->entities.count + 2; e++)
                first[e] += first[e - 1];
        for (uint32_t i = 0; i < question->series_count; i++)
                order[first[rank->judged[i].entity + 1]++] = i;
        for (size_t e = 0; e < rank->edge_count; e++) {
                uint32_t caller = rank->edges[e][0], callee = rank->edges[e][1];
                for (size_t s = first[caller]; caller != callee && s < first[caller + 1]; s++) {
                        size_t at;
                        uint32_t own = order[s];
                        uint64_t hash = measure_hash(&question->series[own], callee);
                        for (uint32_t other = map_first(&by_measure, hash, &at); other != MAP_NONE; other = map_next(&by_measure, hash, &at))
                                if (rank->judged[other].entity == callee && same_measure(&question->series[own], &question->series[other]) &&
                                    rank->judged[other].strangeness >= rank->judged[own].strangeness / 2)
                                        reduced[own] = fmin(reduced[own], rank->judged[own].strangeness * EXPLAINED);
                }
        }
        for (size_t i = 0; i < question->series_count; i++)
                rank->judged[i].strangeness = reduced[i];
        return true;
}

/* -- share of the target's trouble -------------------------------------------------------------------------------- */

static double bad_side(enum bad_way way, double value)
{
        return way == BAD_DOWN ? -value : value;
}

static double noise_of(const struct judged *judged)
{
        return USUAL_NOISE * (judged->way == BAD_DOWN ? judged->usual.down : judged->usual.up);
}

/* The median, on the bad side, of the rows near a breach that are none: what was usual right then. */
static bool usual_near(const struct rank *rank, const double *values, enum bad_way way, double worst, double *out_level)
{
        size_t count = 0, rows = rank->question->row_count;
        for (size_t i = rank->usual_end; i < rows; i++) {
                bool is_near = false;
                for (size_t j = i < NEAR_ROWS ? 0 : i - NEAR_ROWS; j < rows && j <= i + NEAR_ROWS; j++)
                        is_near |= rank->breach[j] > LOW_BREACH * worst;
                if (is_near && rank->breach[i] <= LOW_BREACH * worst && usual_is_number(values[i]))
                        rank->scratch[count++] = bad_side(way, values[i]);
        }
        if (!count)
                return false;
        qsort(rank->scratch, count, sizeof *rank->scratch, usual_by_value);
        *out_level = usual_quantile(rank->scratch, count, 0.5);
        return true;
}

/* The target is said to be in breach, so one spread is enough. */
static bool find_breach(struct rank *rank)
{
        const struct cause_question *question = rank->question;
        const struct judged *target = &rank->judged[rank->target];
        const double *values = question->series[rank->target].values;
        double worst = 0;
        if (!target->has_usual)
                return false;
        size_t reach = min_of(rank->at_row, (size_t)BREACH_ROWS);
        size_t from = max_of(rank->usual_end, rank->at_row - reach);
        for (size_t i = from; i < question->row_count; i++) {
                double beyond = bad_side(target->way, values[i]) - bad_side(target->way, target->usual.median);
                rank->breach[i] = usual_is_number(values[i]) && beyond > noise_of(target) / USUAL_NOISE ? beyond : 0;
                worst = fmax(worst, rank->breach[i]);
        }
        return worst > 0;
}

/* What the entity has too much of, while the target was in breach: by its traffic, if that is known. */
static double excess_of(const struct rank *rank, size_t number, const double *traffic)
{
        const struct judged *judged = &rank->judged[number];
        const double *values = rank->question->series[number].values;
        double worst = 0, weights = 0, sum = 0, near, level = bad_side(judged->way, judged->usual.median);
        for (size_t i = 0; i < rank->question->row_count; i++)
                worst = fmax(worst, rank->breach[i]);
        if (usual_near(rank, values, judged->way, worst, &near))
                level = fmax(level, near);
        for (size_t i = rank->usual_end; i < rank->question->row_count; i++) {
                double beyond = bad_side(judged->way, values[i]) - level;
                double calls = traffic ? (usual_is_number(traffic[i]) ? fmax(traffic[i], 0) : 0) : 1;
                weights += rank->breach[i] / worst;
                if (usual_is_number(values[i]) && beyond > noise_of(judged))
                        sum += rank->breach[i] / worst * beyond * calls;
        }
        return weights > 0 ? sum / weights : 0;
}

static const double *traffic_of(const struct rank *rank, uint32_t entity)
{
        for (size_t i = 0; i < rank->question->series_count; i++)
                if (rank->judged[i].entity == entity && rank->judged[i].is_traffic)
                        return rank->question->series[i].values;
        return NULL;
}

static bool find_excesses(struct rank *rank)
{
        const struct cause_question *question = rank->question;
        const struct cause_series *target = &question->series[rank->target];
        if (!find_breach(rank))
                return false;
        for (size_t i = 0; i < question->series_count; i++)
                if (rank->judged[i].has_usual && same_measure(&question->series[i], target)) {
                        uint32_t entity = rank->judged[i].entity;
                        rank->excess[entity] = fmax(rank->excess[entity], excess_of(rank, i, traffic_of(rank, entity)));
                }
        return rank->excess[rank->judged[rank->target].entity] > 0;
}

/* How many calls an entity usually gets; 1 where that is not known. */
static double calls_of(const struct rank *rank, uint32_t entity)
{
        for (size_t i = 0; i < rank->question->series_count; i++)
                if (rank->judged[i].entity == entity && rank->judged[i].is_traffic && rank->judged[i].has_usual)
                        return fmax(rank->judged[i].usual.median, 0);
        return 1;
}

/* Where most users meet it: of what calls others and nobody calls, the series that is strangest for most calls. */
static size_t choose_target(const struct rank *rank)
{
        size_t best = CAUSE_NO_TARGET;
        double most = 0;
        for (size_t i = 0; rank->edge_count && i < rank->question->series_count; i++) {
                const struct judged *judged = &rank->judged[i];
                bool calls = rank->first_edge[judged->entity] < rank->first_edge[judged->entity + 1], is_called = false;
                for (size_t e = 0; e < rank->edge_count; e++)
                        is_called |= rank->edges[e][1] == judged->entity;
                double matters = judged->strangeness * calls_of(rank, judged->entity);
                if (!calls || is_called || judged->is_traffic || matters <= most)
                        continue;
                best = i;
                most = matters;
        }
        return best;
}

/* Means add up over calls, quantiles do not: of the series of the same metric the one that is a mean. */
static size_t mean_beside(const struct rank *rank, size_t target)
{
        static const char *const means[] = {"average", "avg", "mean"};
        const struct cause_series *series = rank->question->series;
        for (size_t i = 0; i < rank->question->series_count; i++)
                for (size_t m = 0; m < countof(means); m++)
                        if (rank->judged[i].entity == rank->judged[target].entity && str_equal(series[i].metric, series[target].metric) &&
                            str_equal_nocase(series[i].statistic, str_of(means[m])) && rank->judged[i].has_usual)
                                return i;
        return target;
}

/* Everything that the target calls, and what that calls, depth first. An edge back to where the walk is coming from would
 * let two entities explain each other away; it is marked. */
static bool find_upstream(struct rank *rank, uint32_t target, struct err *err)
{
        uint32_t *path = arena_array(rank->arena, rank->entities.count + 1, sizeof *path);
        size_t *next = arena_array(rank->arena, rank->entities.count + 1, sizeof *next), depth = 0;
        bool *on_path = arena_array(rank->arena, rank->entities.count + 1, sizeof *on_path);
        if (!path || !next || !on_path)
                return fail_memory(err, "causes", rank->entities.count * sizeof *next);
        for (uint32_t i = 0; i < rank->entities.count; i++) {
                rank->is_upstream[i] = i == target || !rank->edge_count;
                next[i] = rank->first_edge[i];
        }
        path[depth++] = target;
        on_path[target] = true;
        while (depth) {
                uint32_t here = path[depth - 1];
                if (next[here] == rank->first_edge[here + 1]) {
                        on_path[here] = false;
                        depth--;
                        continue;
                }
                size_t edge = next[here]++;
                uint32_t callee = rank->edges[edge][1];
                rank->leads_back[edge] = on_path[callee];
                if (rank->is_upstream[callee])
                        continue;
                rank->is_upstream[callee] = on_path[callee] = true;
                path[depth++] = callee;
        }
        return true;
}

/* The target's excess without the largest of others': who calls whom is not known. */
static double unexplained(const struct rank *rank, uint32_t target)
{
        double most = 0;
        for (uint32_t i = 0; i < rank->entities.count; i++)
                most = i == target ? most : fmax(most, rank->excess[i]);
        return fmax(rank->excess[target] - most, 0);
}

/* The excess without that of the callees. */
static double own_excess(const struct rank *rank, uint32_t entity)
{
        uint32_t target = rank->judged[rank->target].entity;
        double own = rank->excess[entity];
        if (!rank->edge_count)
                return entity == target ? unexplained(rank, target) : fmin(own, rank->excess[target]);
        for (size_t e = rank->first_edge[entity]; e < rank->first_edge[entity + 1]; e++)
                if (!rank->leads_back[e])
                        own -= fmin(rank->excess[rank->edges[e][1]], rank->excess[entity]);
        return fmax(own, 0);
}

/* -- the answer --------------------------------------------------------------------------------------------------- */

static uint32_t entity_of(struct rank *rank, struct str name)
{
        size_t at;
        uint64_t hash = hash64(name);
        for (uint32_t i = map_first(&rank->by_name, hash, &at); i != MAP_NONE; i = map_next(&rank->by_name, hash, &at))
                if (str_equal(rank->entities.items[i], name))
                        return i;
        struct str *place = arena_push(rank->arena, &rank->entities);
        if (!place || !map_put(&rank->by_name, hash, (uint32_t)rank->entities.count - 1))
                return MAP_NONE;
        *place = name;
        return (uint32_t)rank->entities.count - 1;
}

/* An edge twice, or both ways written twice, is one edge. */
static int by_edge(const void *a, const void *b)
{
        const uint32_t *x = a, *y = b;
        return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

static bool take_names(struct rank *rank, struct err *err)
{
        const struct cause_question *question = rank->question;
        rank->judged = arena_array(rank->arena, question->series_count + 1, sizeof *rank->judged);
        rank->edges = arena_array(rank->arena, question->edge_count + 1, sizeof *rank->edges);
        if (!rank->judged || !rank->edges)
                return fail_memory(err, "causes", question->series_count * sizeof *rank->judged);
        for (size_t i = 0; i < question->series_count; i++) {
                rank->judged[i].entity = entity_of(rank, question->series[i].entity);
                if (rank->judged[i].entity == MAP_NONE)
                        return fail_memory(err, "causes", sizeof(struct str));
                name_series(&rank->judged[i], question->series[i].metric);
        }
        for (size_t e = 0; e < question->edge_count; e++) {
                uint32_t caller = entity_of(rank, question->edges[e].caller), callee = entity_of(rank, question->edges[e].callee);
                if (caller == MAP_NONE || callee == MAP_NONE)
                        return fail_memory(err, "causes", sizeof(struct str));
                rank->edges[e][0] = caller;
                rank->edges[e][1] = callee;
        }
        qsort(rank->edges, question->edge_count, sizeof *rank->edges, by_edge);
        for (size_t e = 0; e < question->edge_count; e++)
                if (!rank->edge_count || by_edge(rank->edges[rank->edge_count - 1], rank->edges[e]) != 0)
                        memmove(rank->edges[rank->edge_count++], rank->edges[e], sizeof rank->edges[e]);
        rank->first_edge = arena_array(rank->arena, rank->entities.count + 2, sizeof *rank->first_edge);
        rank->leads_back = arena_array(rank->arena, rank->edge_count + 1, sizeof *rank->leads_back);
        if (!rank->first_edge || !rank->leads_back)
                return fail_memory(err, "causes", rank->entities.count * sizeof *rank->first_edge);
        for (size_t e = 0; e < rank->edge_count; e++)
                rank->first_edge[rank->edges[e][0] + 1]++;
        for (size_t i = 0; i < rank->entities.count; i++)
                rank->first_edge[i + 1] += rank->first_edge[i];
        return true;
}

static bool find_rows(struct rank *rank, struct err *err)
{
        const struct cause_question *question = rank->question;
        if (question->row_count > CAUSE_ROWS_MAX)
                return fail(err, ERR_TOO_LARGE, "causes", "ranking causes over %zu rows: at most %zu; choose a shorter time or wider steps", question->row_count, CAUSE_ROWS_MAX);
        while (rank->at_row < question->row_count && question->times_ns[rank->at_row] < question->at_ns)
                rank->at_row++;
        /* The row in which it was noticed may begin before: a row stands for the time until the next. */
        if (rank->at_row && (rank->at_row == question->row_count || question->times_ns[rank->at_row] != question->at_ns))
                rank->at_row--;
        size_t unsure = max_of(rank->at_row / UNSURE_SHARE, (size_t)2);
        rank->usual_end = rank->at_row > unsure ? rank->at_row - unsure : 0;
        if (rank->usual_end < USUAL_ROWS_MIN)
                return fail(err, ERR_INVALID, "causes", "ranking causes: %zu rows before the trouble do not tell what is usual; give at least %d, better a day", rank->at_row, USUAL_ROWS_MIN + 2);
        rank->scratch = arena_array(rank->arena, question->row_count, sizeof *rank->scratch);
        rank->breach = arena_array(rank->arena, question->row_count, sizeof *rank->breach);
        return rank->scratch && rank->breach ? true : fail_memory(err, "causes", question->row_count * sizeof(double));
}

/* An entity's strangeness is that of its strangest series, and a part of the others'. */
static void add_series(const struct rank *rank, size_t number, struct cause *cause)
{
        const struct judged *judged = &rank->judged[number];
        size_t first = rank->usual_end, rows = rank->question->row_count;
        double early = judged->onset < rows ? 1 - (double)(judged->onset - first) / (double)(rows - first) : 0;
        double strangeness = judged->strangeness * (1 + EARLIER * early);
        bool is_first = cause->series == CAUSE_NO_TARGET, is_strangest = is_first || judged->strangeness > rank->judged[cause->series].strangeness;
        if (is_strangest) {
                double other = is_first ? 0 : rank->judged[cause->series].strangeness;
                cause->strangeness += strangeness - other * (1 - OTHER_SERIES);
                cause->series = number;
                cause->before = judged->usual.median;
                cause->after = judged->after;
                cause->onset = judged->onset;
        } else {
                cause->strangeness += strangeness * OTHER_SERIES;
        }
}

static int by_score(const void *a, const void *b)
{
        const struct cause *x = a, *y = b;
        if (x->score != y->score)
                return x->score < y->score ? 1 : -1;
        if (x->onset != y->onset)
                return x->onset > y->onset ? 1 : -1;
        return str_compare(x->entity, y->entity);
}

static bool list_causes(struct rank *rank, bool has_shares, struct cause_list *causes, struct err *err)
{
        const struct cause_question *question = rank->question;
        double whole = has_shares ? rank->excess[rank->judged[rank->target].entity] : 0;
        causes->items = arena_array(rank->arena, rank->entities.count + 1, sizeof *causes->items);
        if (!causes->items)
                return fail_memory(err, "causes", rank->entities.count * sizeof *causes->items);
        for (uint32_t i = 0; i < rank->entities.count; i++)
                causes->items[i] = (struct cause){.entity = rank->entities.items[i], .series = CAUSE_NO_TARGET, .onset = question->row_count,
                                                  .is_upstream = rank->is_upstream[i],
                                                  .share = whole > 0 && rank->is_upstream[i] ? fmin(own_excess(rank, i) / whole, SHARE_MAX) : 0};
        for (size_t i = 0; i < question->series_count; i++)
                add_series(rank, i, &causes->items[rank->judged[i].entity]);
        for (uint32_t i = 0; i < rank->entities.count; i++) {
                struct cause cause = causes->items[i];
                cause.strangeness = fmin(cause.strangeness, 1);
                cause.score = !has_shares ? cause.strangeness
                                          : cause.share + STRANGE_BESIDE_SHARE * cause.strangeness * (cause.is_upstream ? 1 : EXPLAINED);
                if (cause.series != CAUSE_NO_TARGET) /* an edge's entity without series is no answer */
                        causes->items[causes->count++] = cause;
        }
        qsort(causes->items, causes->count, sizeof *causes->items, by_score);
        return true;
}

static bool rank_all(struct rank *rank, struct cause_list *causes, struct err *err)
{
        const struct cause_question *question = rank->question;
        if (!find_rows(rank, err) || !take_names(rank, err))
                return false;
        rank->excess = arena_array(rank->arena, rank->entities.count + 1, sizeof *rank->excess);
        rank->is_upstream = arena_array(rank->arena, rank->entities.count + 1, sizeof *rank->is_upstream);
        if (!rank->excess || !rank->is_upstream)
                return fail_memory(err, "causes", rank->entities.count * sizeof *rank->excess);
        for (size_t i = 0; i < question->series_count; i++)
                judge(rank, i);
        rank->target = question->target == CAUSE_NO_TARGET ? choose_target(rank) : question->target;
        if (rank->target != CAUSE_NO_TARGET)
                rank->target = mean_beside(rank, rank->target);
        bool has_shares = rank->target != CAUSE_NO_TARGET && find_excesses(rank);
        if (rank->target != CAUSE_NO_TARGET && !find_upstream(rank, rank->judged[rank->target].entity, err))
                return false;
        if (!has_shares && !discount_callers(rank, err))
                return false;
        return list_causes(rank, has_shares, causes, err);
}

bool cause_metrics_rank(const struct cause_question *question, struct arena *arena, struct cause_list *out_causes, struct err *err)
{
        struct rank rank = {.question = question, .arena = arena};
        struct cause_list causes = {0};
        bool ok = rank_all(&rank, &causes, err);
        map_done(&rank.by_name);
        if (ok)
                *out_causes = causes;
        return ok;
}
