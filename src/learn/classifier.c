/*
 * classifier.c - see classifier.h.
 *
 *      rows     hash of a feature -> [ weight for label 0, 1, 2 ... ]      eight labels are one vector
 *      examples [ rows and counts ] [ pull at label 0, 1, 2 ... ]          weights = sum of pull * sign * value
 *
 * A value is the sublinear count times the feature's rarity, scaled so that words, pairs and pieces have equal say and a
 * long text weighs no more than a short one. Rarity is fixed when a row is born and anew by each fit: values must not
 * change under the pulls. A row lives as long as an example has it.
 */
#include "learn/classifier_state.h"

#include "base/hash.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES_MAX 50000
#define LABELS_MAX 256
#define BYTES_MAX ((uint64_t)256 << 20)
#define PASSES 5                /* over all examples; later ones change no answer */
#define TRIAL_PASSES 3          /* enough to tell which strength is better */
#define FOLDS 10                /* a tenth of the examples is kept out in turn */
#define KEPT_OUT_WANTED 1000    /* trials; as many folds as that takes */
#define KEPT_OUT_LEAST 40       /* examples; with fewer nothing is kept out */
#define NO_FOLD FOLDS
#define OWN_STEPS 3             /* with a new example */
#define OLDER_STEPS 32          /* with older ones after it */
#define REFIT_UP_TO 2048        /* while so few, learning refits at each doubling: rarity is still moving */
#define FIT_TRIALS 16           /* new trials between two fits of the curve */
#define FORGET_SHARE 16         /* of the examples, at a bound, at once */
#define BIAS_VALUE 0.3f         /* of row 0, which every text has */
#define BIAS_HASH 0

static const float costs[] = {0.1f, 0.2f, 0.5f, 1.0f};
#define COST_START 0.5f

typedef float lanes __attribute__((vector_size(CLASSIFIER_LANES * sizeof(float)), aligned(32), may_alias));

struct term {
        uint32_t row;
        float value;
};

struct scores {
        float of[CLASSIFIER_LABELS_MAX + CLASSIFIER_LANES] __attribute__((aligned(32)));
};

static uint32_t or_default(uint32_t wanted, uint32_t otherwise, uint32_t most)
{
        wanted = wanted ? wanted : otherwise;
        return wanted < most ? wanted : most;
}

static float *aligned_floats(size_t count)
{
        float *floats = aligned_alloc(32, (count * sizeof(float) + 31) / 32 * 32);
        if (floats)
                memset(floats, 0, count * sizeof(float));
        return floats;
}

/* -- tables ------------------------------------------------------------------------------------------------------- */

/* Moves a matrix to wider rows; the new lanes are copies of the lane that stood for labels not seen yet. */
static float *widened(const float *old, size_t rows, size_t capacity, uint32_t from, uint32_t to, uint32_t unseen)
{
        float *wide = aligned_floats(capacity * to);
        for (size_t r = 0; wide && r < rows; r++)
                for (uint32_t lane = 0; lane < to; lane++)
                        wide[r * to + lane] = from ? old[r * from + (lane < from ? lane : unseen)] : 0;
        return wide;
}

bool classifier_reserve_labels(struct classifier *c, uint32_t labels)
{
        if (labels < c->stride)
                return true;
        uint32_t stride = (labels + 1 + labels / 4 + CLASSIFIER_LANES - 1) / CLASSIFIER_LANES * CLASSIFIER_LANES;
        stride = min_of(stride, (uint32_t)(CLASSIFIER_LABELS_MAX + CLASSIFIER_LANES));
        char **names = realloc(c->labels, stride * sizeof *names);
        if (names)
                c->labels = names;
        uint32_t *examples = names ? realloc(c->label_examples, stride * sizeof *examples) : NULL;
        if (examples)
                c->label_examples = examples;
        float *weights = examples ? widened(c->rows.weights, c->rows.count, c->rows.capacity, c->stride, stride, c->label_count) : NULL;
        float *pulls = weights ? widened(c->pulls, c->example_count, c->example_capacity, c->stride, stride, c->label_count) : NULL;
        if (!pulls) {
                free(weights);
                return false;
        }
        free(c->rows.weights);
        free(c->pulls);
        c->rows.weights = weights;
        c->pulls = pulls;
        c->stride = stride;
        return true;
}

bool classifier_add_label(struct classifier *c, struct str label)
{
        if (!classifier_reserve_labels(c, c->label_count + 1))
                return false;
        char *copy = malloc(label.length + 1);
        if (!copy)
                return false;
        if (label.length)
                memcpy(copy, label.bytes, label.length);
        copy[label.length] = 0;
        c->label_examples[c->label_count] = 0;
        c->labels[c->label_count++] = copy;
        return true;
}

static bool grow_matrix(float **matrix, size_t used, size_t capacity, uint32_t stride)
{
        float *grown = aligned_floats(capacity * stride);
        if (!grown)
                return false;
        if (used)
                memcpy(grown, *matrix, used * stride * sizeof(float));
        free(*matrix);
        *matrix = grown;
        return true;
}

#define GROW(array, capacity)                                                                                          \
        ({                                                                                                             \
                void *grown_ = realloc((array), (capacity) * sizeof *(array));                                         \
                (array) = grown_ ? grown_ : (array);                                                                   \
                grown_ != NULL;                                                                                        \
        })

bool classifier_reserve_rows(struct classifier *c, uint32_t more)
{
        struct classifier_rows *rows = &c->rows;
        if (rows->capacity - rows->count + c->free_count >= more)
                return true;
        uint32_t capacity = max_of(rows->capacity * 2, rows->count + more);
        if (!GROW(rows->hashes, capacity) || !GROW(rows->examples, capacity) || !GROW(rows->rarity, capacity) ||
            !GROW(rows->kinds, capacity) || !GROW(c->free_rows, capacity) ||
            !grow_matrix(&rows->weights, rows->count, capacity, c->stride))
                return false;
        rows->capacity = capacity;
        return true;
}

bool classifier_reserve_examples(struct classifier *c)
{
        if (c->example_count < c->example_capacity)
                return true;
        uint32_t capacity = c->example_capacity ? c->example_capacity * 2 : 64;
        if (!GROW(c->examples, capacity) || !grow_matrix(&c->pulls, c->example_count, capacity, c->stride))
                return false;
        c->example_capacity = capacity;
        return true;
}

static uint32_t row_of(const struct classifier *c, uint64_t hash)
{
        size_t at;
        return map_first(&c->by_hash, hash, &at);
}

static float rarity(const struct classifier *c, uint32_t examples)
{
        return sqrtf(1 + logf((1 + (float)c->example_count) / (1 + (float)examples)));
}

/* Rows were reserved. MAP_NONE without memory. */
static uint32_t row_born(struct classifier *c, uint64_t hash, uint8_t kind)
{
        struct classifier_rows *rows = &c->rows;
        uint32_t row = c->free_count ? c->free_rows[c->free_count - 1] : rows->count;
        if (!map_put(&c->by_hash, hash, row))
                return MAP_NONE;
        if (c->free_count)
                c->free_count--;
        else
                rows->count++;
        rows->hashes[row] = hash;
        rows->kinds[row] = kind;
        rows->examples[row] = 0;
        rows->rarity[row] = rarity(c, 1);
        memset(rows->weights + (size_t)row * c->stride, 0, c->stride * sizeof(float));
        return row;
}

static void row_left(struct classifier *c, uint32_t row)
{
        if (--c->rows.examples[row])
                return;
        map_remove(&c->by_hash, c->rows.hashes[row], row);
        c->free_rows[c->free_count++] = row;
}

/* -- values ------------------------------------------------------------------------------------------------------- */

#define AHEAD 16                /* terms: rarities are far apart too */

/* What makes each kind's values one unit long, and all kinds together too. */
static void norms_of(const float squares[TEXT_KINDS], float norms[TEXT_KINDS])
{
        int kinds = 0;
        for (int k = 0; k < TEXT_KINDS; k++)
                kinds += squares[k] > 0;
        for (int k = 0; k < TEXT_KINDS; k++)
                norms[k] = squares[k] > 0 ? 1 / sqrtf(squares[k] * (float)kinds) : 0;
}

static inline float plain_value(const struct classifier *c, uint32_t row, uint8_t count)
{
        return c->tf[count] * c->rows.rarity[row];
}

void classifier_weigh(const struct classifier *c, struct classifier_example *example)
{
        float squares[TEXT_KINDS] = {0};
        for (uint32_t i = 0; i < example->count; i++) {
                float value = plain_value(c, example->rows[i], example->counts[i]);
                squares[c->rows.kinds[example->rows[i]]] += value * value;
        }
        norms_of(squares, example->norms);
}

static uint32_t terms_of_example(const struct classifier *c, const struct classifier_example *example, struct term *terms)
{
        terms[0] = (struct term){0, BIAS_VALUE};
        for (uint32_t i = 0; i < example->count; i++) {
                uint32_t row = example->rows[i], later = example->rows[min_of(i + AHEAD, example->count - 1)];
                __builtin_prefetch(&c->rows.rarity[later]);
                __builtin_prefetch(&c->rows.kinds[later]);
                __builtin_prefetch(c->rows.weights + (size_t)row * c->stride); /* weights are far apart and wanted next */
                terms[i + 1] = (struct term){row, plain_value(c, row, example->counts[i]) * example->norms[c->rows.kinds[row]]};
        }
        return example->count + 1;
}

static uint8_t count_of(const struct text_feature *feature)
{
        return (uint8_t)min_of(feature->count, (uint32_t)CLASSIFIER_TF - 1);
}

/* Features that no example has say nothing. places, if not NULL, tells which feature each term is of. */
static uint32_t terms_of_features(const struct classifier *c, const struct text_features *features, struct term *terms, uint32_t *places)
{
        float squares[TEXT_KINDS] = {0}, norms[TEXT_KINDS];
        uint32_t count = 1;
        terms[0] = (struct term){0, BIAS_VALUE};
        for (uint32_t i = 0; i < features->count; i++) {
                uint32_t row = row_of(c, features->items[i].hash);
                if (row == MAP_NONE || row == 0)
                        continue;
                float value = plain_value(c, row, count_of(&features->items[i]));
                squares[c->rows.kinds[row]] += value * value;
                if (places)
                        places[count] = i;
                terms[count++] = (struct term){row, value};
        }
        norms_of(squares, norms);
        for (uint32_t i = 1; i < count; i++)
                terms[i].value *= norms[c->rows.kinds[terms[i].row]];
        return count;
}

static void score(const struct classifier *c, const struct term *terms, uint32_t count, struct scores *out_scores)
{
        lanes *sum = (lanes *)out_scores->of;
        uint32_t vectors = c->stride / CLASSIFIER_LANES;
        memset(sum, 0, c->stride * sizeof(float));
        for (uint32_t i = 0; i < count; i++) {
                const lanes *weights = (const lanes *)(c->rows.weights + (size_t)terms[i].row * c->stride);
                for (uint32_t v = 0; v < vectors; v++)
                        sum[v] += weights[v] * terms[i].value;
        }
}

static void pull(struct classifier *c, const struct term *terms, uint32_t count, const struct scores *by)
{
        const lanes *move = (const lanes *)by->of;
        uint32_t vectors = c->stride / CLASSIFIER_LANES;
        for (uint32_t i = 0; i < count; i++) {
                lanes *weights = (lanes *)(c->rows.weights + (size_t)terms[i].row * c->stride);
                for (uint32_t v = 0; v < vectors; v++)
                        weights[v] += move[v] * terms[i].value;
        }
}

/* -- the solver --------------------------------------------------------------------------------------------------- */

/* One step of coordinate descent for all labels: Hsieh et al., algorithm 1, with squared hinge. */
static void step(struct classifier *c, uint32_t number)
{
        const struct classifier_example *example = &c->examples[number];
        struct term terms[TEXT_FEATURES_MAX + 1];
        struct scores scores;
        float *pulls = c->pulls + (size_t)number * c->stride;
        uint32_t count = terms_of_example(c, example, terms);
        float slack = 0.5f / c->cost, length = (example->count ? 1 : 0) + BIAS_VALUE * BIAS_VALUE;
        score(c, terms, count, &scores);
        for (uint32_t lane = 0; lane < c->stride; lane++) {
                float sign = lane == example->label ? 1 : -1;
                float slope = sign * scores.of[lane] - 1 + pulls[lane] * slack;
                float wanted = pulls[lane] - slope / (length + slack);
                wanted = wanted > 0 ? wanted : 0;
                scores.of[lane] = (wanted - pulls[lane]) * sign;
                pulls[lane] = wanted;
        }
        pull(c, terms, count, &scores);
}

static bool is_kept_out(uint32_t number, uint32_t fold)
{
        return number % FOLDS == fold;
}

static void weigh_anew(struct classifier *c)
{
        for (uint32_t row = 0; row < c->rows.count; row++)
                c->rows.rarity[row] = rarity(c, c->rows.examples[row]);
        for (uint32_t i = 0; i < c->example_count; i++)
                classifier_weigh(c, &c->examples[i]);
}

/* The order is shuffled (Fisher and Yates) the same way each time. */
static void solve(struct classifier *c, uint32_t *order, uint32_t fold, int passes)
{
        struct rng rng = {0x0DDE5};
        memset(c->rows.weights, 0, (size_t)c->rows.count * c->stride * sizeof(float));
        memset(c->pulls, 0, (size_t)c->example_count * c->stride * sizeof(float));
        for (uint32_t i = 0; i < c->example_count; i++)
                order[i] = i;
        for (int pass = 0; pass < passes; pass++) {
                for (uint32_t i = c->example_count; i > 1; i--) {
                        uint32_t other = (uint32_t)rng_below(&rng, i), held = order[i - 1];
                        order[i - 1] = order[other];
                        order[other] = held;
                }
                for (uint32_t i = 0; i < c->example_count; i++)
                        if (!is_kept_out(order[i], fold))
                                step(c, order[i]);
        }
}

/* -- answers ------------------------------------------------------------------------------------------------------ */

static void best_of(const struct classifier *c, const struct scores *scores, struct classifier_answer *out_answer)
{
        struct classifier_answer answer = {0};
        for (uint32_t label = 0; label < c->label_count; label++) {
                if (!c->label_examples[label])
                        continue;
                uint32_t at = answer.count < CLASSIFIER_BEST ? answer.count++ : CLASSIFIER_BEST;
                for (; at > 0 && scores->of[label] > answer.scores[at - 1]; at--)
                        if (at < CLASSIFIER_BEST) {
                                answer.scores[at] = answer.scores[at - 1];
                                answer.labels[at] = answer.labels[at - 1];
                        }
                if (at < CLASSIFIER_BEST) {
                        answer.scores[at] = scores->of[label];
                        answer.labels[at] = label;
                }
        }
        float lead = answer.count > 1 ? answer.scores[0] - answer.scores[1] : 1;
        if (answer.count)
                answer.confidence = calibration_confidence(&c->calibration, answer.scores[0], lead);
        *out_answer = answer;
}

void classifier_classify(const struct classifier *c, const struct text_features *features, struct classifier_answer *out_answer)
{
        struct term terms[TEXT_FEATURES_MAX + 1];
        struct scores scores;
        score(c, terms, terms_of_features(c, features, terms, NULL), &scores);
        best_of(c, &scores, out_answer);
}

static void note_trial(struct calibration *calibration, const struct classifier_answer *answer, uint32_t label)
{
        if (answer->count > 1)
                calibration_add(calibration, answer->scores[0], answer->scores[0] - answer->scores[1], answer->labels[0] == label);
}

/* Adds the word of the feature to the reasons, or to what its word already says. */
static uint32_t add_reason(struct classifier_reason *reasons, uint32_t count, uint32_t most, const struct text_feature *feature, float weight)
{
        for (uint32_t i = 0; i < count; i++)
                if (reasons[i].field == feature->field && reasons[i].start == feature->start && reasons[i].length == feature->length) {
                        reasons[i].weight += weight;
                        return count;
                }
        if (count < most)
                reasons[count++] = (struct classifier_reason){feature->start, feature->length, feature->field, weight};
        return count;
}

static int by_weight(const void *a, const void *b)
{
        const struct classifier_reason *x = a, *y = b;
        if (fabsf(x->weight) != fabsf(y->weight))
                return fabsf(x->weight) < fabsf(y->weight) ? 1 : -1;
        return x->field != y->field ? (x->field > y->field) - (x->field < y->field) : (x->start > y->start) - (x->start < y->start);
}

#define REASONS_GATHERED 1024

uint32_t classifier_explain(const struct classifier *c, const struct text_features *features, uint32_t label, uint32_t against,
                            struct classifier_reason *reasons, uint32_t reasons_max)
{
        struct term terms[TEXT_FEATURES_MAX + 1];
        uint32_t places[TEXT_FEATURES_MAX + 1], gathered = 0;
        struct classifier_reason all[REASONS_GATHERED];
        if (label >= c->label_count || against >= c->label_count)
                return 0;
        uint32_t count = terms_of_features(c, features, terms, places);
        for (uint32_t i = 1; i < count; i++) {
                const float *weights = c->rows.weights + (size_t)terms[i].row * c->stride;
                float weight = weights[label] - (against == label ? 0 : weights[against]);
                gathered = add_reason(all, gathered, REASONS_GATHERED, &features->items[places[i]], weight * terms[i].value);
        }
        qsort(all, gathered, sizeof *all, by_weight);
        gathered = min_of(gathered, reasons_max);
        memcpy(reasons, all, gathered * sizeof *all);
        return gathered;
}

/* -- learning ----------------------------------------------------------------------------------------------------- */

static uint64_t bytes_held(const struct classifier *c)
{
        uint64_t row = 8 + 4 + 4 + 1 + 4 + 24 + c->stride * sizeof(float);
        uint64_t example = sizeof(struct classifier_example) + c->stride * sizeof(float);
        return (c->rows.count - c->free_count) * row + c->example_count * example + c->example_terms * 5;
}

/* Takes back what the example did to the weights, and its rows. */
static void undo(struct classifier *c, uint32_t number)
{
        struct classifier_example *example = &c->examples[number];
        struct term terms[TEXT_FEATURES_MAX + 1];
        struct scores by;
        uint32_t count = terms_of_example(c, example, terms);
        for (uint32_t lane = 0; lane < c->stride; lane++)
                by.of[lane] = c->pulls[(size_t)number * c->stride + lane] * (lane == example->label ? -1 : 1);
        pull(c, terms, count, &by);
        for (uint32_t i = 0; i < example->count; i++)
                row_left(c, example->rows[i]);
        c->label_examples[example->label]--;
        c->example_terms -= example->count;
        free(example->rows);
        example->rows = NULL;
}

/* Closes the gaps that undone examples left. */
static void compact(struct classifier *c)
{
        uint32_t kept = 0;
        for (uint32_t i = 0; i < c->example_count; i++) {
                if (!c->examples[i].rows)
                        continue;
                if (kept != i) {
                        c->examples[kept] = c->examples[i];
                        memcpy(c->pulls + (size_t)kept * c->stride, c->pulls + (size_t)i * c->stride, c->stride * sizeof(float));
                }
                kept++;
        }
        c->example_count = kept;
}

static void forget_oldest(struct classifier *c)
{
        while (c->example_count > 1 && (c->example_count > c->bounds.examples_max || bytes_held(c) > c->bounds.bytes_max)) {
                uint32_t count = min_of(c->example_count / FORGET_SHARE + 1, c->example_count - 1);
                for (uint32_t i = 0; i < count; i++)
                        undo(c, i);
                compact(c);
                c->forgotten += count;
        }
}

static uint32_t find_label(const struct classifier *c, struct str label)
{
        for (uint32_t i = 0; i < c->label_count; i++)
                if (str_is(label, c->labels[i]))
                        return i;
        return MAP_NONE;
}

static bool label_for(struct classifier *c, struct str label, uint32_t *out_label, struct err *err)
{
        *out_label = find_label(c, label);
        if (*out_label != MAP_NONE)
                return true;
        if (label.length > CLASSIFIER_LABEL_BYTES_MAX || (label.length && memchr(label.bytes, 0, label.length)))
                return fail(err, ERR_INVALID, "classifier", "learning a label of %zu bytes: it must be a text of at most %d", label.length, CLASSIFIER_LABEL_BYTES_MAX);
        if (c->label_count == c->bounds.labels_max)
                return fail(err, ERR_FULL, "classifier", "learning label %.*s: there are %u labels already; raise the bound or merge some",
                            STR_ARGS(str_slice(label, 0, 64)), c->label_count);
        if (!classifier_add_label(c, label))
                return fail_memory(err, "classifier", label.length);
        *out_label = c->label_count - 1;
        return true;
}

/* All rows or none. */
static bool take_rows(struct classifier *c, const struct text_features *features, struct classifier_example *example)
{
        for (uint32_t i = 0; i < features->count; i++) {
                const struct text_feature *feature = &features->items[i];
                uint32_t row = row_of(c, feature->hash);
                if (row == 0)
                        continue;
                if (row == MAP_NONE)
                        row = row_born(c, feature->hash, feature->kind);
                if (row == MAP_NONE) {
                        while (example->count)
                                row_left(c, example->rows[--example->count]);
                        return false;
                }
                c->rows.examples[row]++;
                example->counts[example->count] = count_of(feature);
                example->rows[example->count++] = row;
        }
        return true;
}

bool classifier_add(struct classifier *c, const struct text_features *features, struct str label, uint64_t set, struct err *err)
{
        struct classifier_example example = {.set = set};
        if (!label_for(c, label, &example.label, err))
                return false;
        size_t bytes = features->count * (sizeof *example.rows + 1) + 1;
        example.rows = malloc(bytes);
        if (!example.rows || !classifier_reserve_rows(c, features->count) || !classifier_reserve_examples(c)) {
                free(example.rows);
                return fail_memory(err, "classifier", bytes);
        }
        example.counts = (uint8_t *)(example.rows + features->count);
        if (!take_rows(c, features, &example)) {
                free(example.rows);
                return fail_memory(err, "classifier", bytes);
        }
        classifier_weigh(c, &example);
        memset(c->pulls + (size_t)c->example_count * c->stride, 0, c->stride * sizeof(float));
        c->examples[c->example_count++] = example;
        c->example_terms += example.count;
        c->label_examples[example.label]++;
        c->learnt++;
        forget_oldest(c);
        return true;
}

static void order_done(uint32_t **order)
{
        free(*order);
}

bool classifier_learn(struct classifier *c, const struct text_features *features, struct str label, uint64_t set, struct err *err)
{
        struct classifier_answer answer;
        classifier_classify(c, features, &answer);
        if (!classifier_add(c, features, label, set, err))
                return false;
        uint32_t newest = c->example_count - 1;
        note_trial(&c->calibration, &answer, c->examples[newest].label);
        if (c->calibration.total % FIT_TRIALS == 0)
                calibration_fit(&c->calibration);
        if (c->learnt <= REFIT_UP_TO && (c->learnt & (c->learnt - 1)) == 0) {
                scoped(order_done) uint32_t *order = malloc(c->example_count * sizeof *order);
                if (!order)
                        return true; /* learnt all the same by the steps of the next examples */
                weigh_anew(c);
                solve(c, order, NO_FOLD, PASSES);
                return true;
        }
        for (int i = 0; i < OWN_STEPS; i++)
                step(c, newest);
        for (int i = 0; i < OLDER_STEPS; i++)
                step(c, (uint32_t)rng_below(&c->rng, c->example_count));
        return true;
}

/* How many of the kept-out examples it gets right; their trials go to the calibration. */
static uint32_t try_kept_out(const struct classifier *c, uint32_t fold, struct calibration *calibration)
{
        struct term terms[TEXT_FEATURES_MAX + 1];
        struct scores scores;
        struct classifier_answer answer;
        uint32_t right = 0;
        for (uint32_t i = 0; i < c->example_count; i++) {
                if (!is_kept_out(i, fold))
                        continue;
                score(c, terms, terms_of_example(c, &c->examples[i], terms), &scores);
                best_of(c, &scores, &answer);
                note_trial(calibration, &answer, c->examples[i].label);
                right += answer.count && answer.labels[0] == c->examples[i].label;
        }
        return right;
}

static void calibration_done(struct calibration **calibration)
{
        free(*calibration);
}

bool classifier_fit(struct classifier *c, struct err *err)
{
        scoped(order_done) uint32_t *order = malloc((c->example_count + 1) * sizeof *order);
        scoped(calibration_done) struct calibration *trial = malloc(sizeof *trial);
        if (!order || !trial)
                return fail_memory(err, "classifier", c->example_count * sizeof *order);
        weigh_anew(c);
        float best_cost = c->cost;
        for (size_t i = 0, most = 0; i < countof(costs) && c->example_count >= KEPT_OUT_LEAST; i++) {
                c->cost = costs[i];
                calibration_init(trial);
                size_t right = 0;
                for (uint32_t fold = 0; fold < FOLDS && fold * (c->example_count / FOLDS) < KEPT_OUT_WANTED; fold++) {
                        solve(c, order, fold, TRIAL_PASSES);
                        right += try_kept_out(c, fold, trial);
                }
                if (i && right <= most)
                        continue;
                most = right;
                best_cost = costs[i];
                trial->total = c->calibration.total; /* these were not asked in their turn */
                trial->right = c->calibration.right;
                calibration_fit(trial);
                c->calibration = *trial;
        }
        c->cost = best_cost;
        solve(c, order, NO_FOLD, PASSES);
        return true;
}

uint32_t classifier_forget(struct classifier *c, uint64_t set)
{
        uint32_t count = 0;
        for (uint32_t i = 0; i < c->example_count; i++)
                if (c->examples[i].set == set) {
                        undo(c, i);
                        count++;
                }
        compact(c);
        for (uint32_t i = 0; count && c->example_count && i < OLDER_STEPS; i++)
                step(c, (uint32_t)rng_below(&c->rng, c->example_count));
        return count;
}

/* -- life --------------------------------------------------------------------------------------------------------- */

struct classifier *classifier_create(struct classifier_bounds bounds, struct err *err)
{
        struct classifier *c = calloc(1, sizeof *c);
        if (!c) {
                fail_memory(err, "classifier", sizeof *c);
                return NULL;
        }
        c->bounds = (struct classifier_bounds){or_default(bounds.examples_max, EXAMPLES_MAX, UINT32_MAX / 2),
                                               or_default(bounds.labels_max, LABELS_MAX, CLASSIFIER_LABELS_MAX),
                                               bounds.bytes_max ? bounds.bytes_max : BYTES_MAX};
        c->cost = COST_START;
        c->rng = (struct rng){0xC1A55};
        calibration_init(&c->calibration);
        for (int count = 1; count < CLASSIFIER_TF; count++)
                c->tf[count] = 1 + logf((float)count);
        if (!classifier_reserve_labels(c, CLASSIFIER_LANES - 1) || !classifier_reserve_rows(c, 1024) || row_born(c, BIAS_HASH, 0) != 0) {
                classifier_destroy(c);
                fail_memory(err, "classifier", 1024 * CLASSIFIER_LANES * sizeof(float));
                return NULL;
        }
        c->rows.examples[0] = 1;
        return c;
}

void classifier_destroy(struct classifier *c)
{
        if (!c)
                return;
        for (uint32_t i = 0; i < c->example_count; i++)
                free(c->examples[i].rows);
        for (uint32_t i = 0; i < c->label_count; i++)
                free(c->labels[i]);
        free(c->labels);
        free(c->label_examples);
        free(c->rows.hashes);
        free(c->rows.examples);
        free(c->rows.rarity);
        free(c->rows.kinds);
        free(c->rows.weights);
        free(c->free_rows);
        free(c->examples);
        free(c->pulls);
        map_done(&c->by_hash);
        free(c);
}

struct str classifier_label(const struct classifier *c, uint32_t label)
{
        return label < c->label_count ? str_of(c->labels[label]) : (struct str){0};
}

struct classifier_counts classifier_counts(const struct classifier *c)
{
        return (struct classifier_counts){.learnt = c->learnt, .forgotten = c->forgotten, .examples = c->example_count,
                                          .labels = c->label_count, .rows = c->rows.count - c->free_count, .bytes = bytes_held(c),
                                          .trials = c->calibration.total, .trials_right = c->calibration.right};
}
