/*
 * budget_voyage - weeks of many series with injected faults, through the detectors that run live and the alert budget: how many pages a team
 * gets for the two a night that it said, and which faults it was not told of.
 *
 *      budget_voyage [--seeds N] [--first S] [--weeks W] [--series N] [--faults PER_DAY]
 *
 * Series have days, weekends, noise of three sorts and levels of their own, a sample each five minutes; a fault lifts or drops one of them by six to
 * twenty scatters for ten minutes to two hours. The first week is for learning: neither its pages nor its faults count. Held to:
 *
 *      the budget      where faults are more than pages, what is told is within a fifth of the budget; never more than that
 *      reasons         whatever is held back says why
 *      misses          each fault is told, held back with its reason, or seen by nobody: the three add up, and are printed
 *      false pages     of the pages no more are about no fault than the share that the team said, and two deviations of chance
 */
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "learn/detector.h"
#include "observe/alert_budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS INT64_C(1767571200000000000) /* a Monday */
#define STEP_NS (300 * NS_PER_S)
#define DAY_STEPS 288
#define WEEK_STEPS (7 * DAY_STEPS)
#define LATE_STEPS 6            /* after its end a fault may still be told */
#define SERIES_MAX 2000
#define FAULTS_MAX 4096
#define PAGES_A_DAY 4.0         /* two a night of twelve hours */
#define FALSE_SHARE 0.1

struct fault {
        int series, from, to;
        double size;
        bool is_told, is_held;
};

struct series {
        struct detector detector;
        double level, scatter, wave, weekend;
        int sort, fault;        /* the one that lasts; -1: none */
        bool is_open;
        char name[16];
};

struct options {
        int seeds, weeks, series, faults_a_day;
        uint64_t first;
};

struct voyage {
        const struct options *options;
        struct rng rng;
        struct series *series;
        struct fault faults[FAULTS_MAX];
        int fault_count;
        struct alert_budget *budget;
        struct noticed noticed;
        int pages, false_pages, held, without_reason;
};

static double noise_of(struct rng *rng, int sort)
{
        double sum = -6;
        if (sort == 1)
                return 3.46 * (rng_unit(rng) - 0.5);
        if (sort == 2)
                return -log(1 - rng_unit(rng)) - 1;
        for (int i = 0; i < 12; i++)
                sum += rng_unit(rng);
        return sum;
}

static void launch(struct voyage *voyage)
{
        for (int i = 0; i < voyage->options->series; i++) {
                struct series *series = &voyage->series[i];
                *series = (struct series){.level = 20 + 500 * rng_unit(&voyage->rng), .sort = i % 3, .fault = -1};
                series->scatter = series->level * (0.02 + 0.1 * rng_unit(&voyage->rng));
                series->wave = series->scatter * 10 * rng_unit(&voyage->rng);
                series->weekend = 0.5 + 0.5 * rng_unit(&voyage->rng);
                snprintf(series->name, sizeof series->name, "h%d", i);
                detector_init(&series->detector);
        }
}

static double value_at(struct voyage *voyage, const struct series *series, int step)
{
        double day = sin(2 * M_PI * (step % DAY_STEPS) / DAY_STEPS), busy = step % WEEK_STEPS >= 5 * DAY_STEPS ? series->weekend : 1;
        double value = series->level + busy * series->wave * day + series->scatter * noise_of(&voyage->rng, series->sort);
        return value + (series->fault >= 0 ? voyage->faults[series->fault].size : 0);
}

/* At any time, on any series that is well. */
static void maybe_break(struct voyage *voyage, int step)
{
        if (rng_unit(&voyage->rng) * DAY_STEPS >= voyage->options->faults_a_day || voyage->fault_count == FAULTS_MAX)
                return;
        int which = (int)rng_below(&voyage->rng, (uint64_t)voyage->options->series);
        struct series *series = &voyage->series[which];
        if (series->fault >= 0)
                return;
        double size = series->scatter * (6 + 14 * rng_unit(&voyage->rng)) * (rng_below(&voyage->rng, 2) ? 1 : -1);
        series->fault = voyage->fault_count;
        voyage->faults[voyage->fault_count++] = (struct fault){which, step, step + 2 + (int)rng_below(&voyage->rng, 23), size, false, false};
}

/* The fault of a series that lasts, or has just ended. */
static struct fault *fault_of(struct voyage *voyage, struct str host, int step)
{
        for (int i = voyage->fault_count; i-- > 0 && voyage->faults[i].from > step - DAY_STEPS;) {
                struct fault *fault = &voyage->faults[i];
                if (str_is(host, voyage->series[fault->series].name) && step >= fault->from && step <= fault->to + LATE_STEPS)
                        return fault;
        }
        return NULL;
}

static void count_findings(struct voyage *voyage, int step)
{
        each (finding, &voyage->noticed.findings) {
                struct fault *fault = fault_of(voyage, labels_value(&finding->labels, STR("host")), step);
                if (!finding->is_firing)
                        continue;
                if (fault)
                        *(finding->is_held ? &fault->is_held : &fault->is_told) = true;
                voyage->without_reason += finding->is_held && !finding->held_why.length;
                if (step < WEEK_STEPS)
                        continue;
                voyage->pages += !finding->is_held;
                voyage->false_pages += !finding->is_held && !fault;
                voyage->held += finding->is_held;
        }
}

static bool sail_series(struct voyage *voyage, struct series *series, int step, struct err *err)
{
        struct verdict verdict;
        if (series->fault >= 0 && step >= voyage->faults[series->fault].to)
                series->fault = -1;
        int64_t time_ns = START_NS + step * STEP_NS;
        double value = value_at(voyage, series, step);
        detector_push(&series->detector, time_ns, value, &verdict);
        bool is_over = series->is_open && !verdict.is_open;
        if (!verdict.is_flagged && !is_over)
                return true;
        series->is_open = verdict.is_flagged;
        struct label labels[] = {{LABEL_METRIC_NAME, STR("load")}, {STR("host"), str_of(series->name)}};
        struct anomaly anomaly = {.kind = verdict.view == VIEW_SHIFT ? ANOMALY_SHIFT : ANOMALY_LEVEL, .labels = {labels, 2, 2}, .time_ns = time_ns, .since_ns = time_ns,
                                  .is_over = is_over, .score = (double)verdict.score, .p_value = (double)verdict.p_value, .value = value,
                                  .is_learning = step < DAY_STEPS, .sentence = STR("load is unusual"), .evidence = STR("load")};
        return noticed_add_anomaly(&voyage->noticed, &anomaly, err);
}

static bool sail(struct voyage *voyage, struct err *err)
{
        for (int step = 0; step < voyage->options->weeks * WEEK_STEPS; step++) {
                maybe_break(voyage, step);
                noticed_clear(&voyage->noticed);
                for (int i = 0; i < voyage->options->series; i++)
                        if (!sail_series(voyage, &voyage->series[i], step, err))
                                return false;
                if (!alert_budget_tick(voyage->budget, (uint64_t)step + 1, START_NS + step * STEP_NS, &voyage->noticed, err))
                        return false;
                count_findings(voyage, step);
        }
        return true;
}

/* What was asked, against what came; false: not as it should be. */
static bool arrive(const struct voyage *voyage, uint64_t seed)
{
        int faults = 0, told = 0, held = 0;
        for (int i = 0; i < voyage->fault_count; i++)
                if (voyage->faults[i].from >= WEEK_STEPS) {
                        faults++;
                        told += voyage->faults[i].is_told;
                        held += !voyage->faults[i].is_told && voyage->faults[i].is_held;
                }
        double asked = PAGES_A_DAY * 7 * (voyage->options->weeks - 1);
        bool is_scarce = voyage->options->faults_a_day < 2 * PAGES_A_DAY;
        bool is_within = voyage->pages <= 1.2 * asked && (is_scarce || voyage->pages >= 0.8 * asked);
        bool is_true = voyage->false_pages <= FALSE_SHARE * voyage->pages + 2 * sqrt(FALSE_SHARE * voyage->pages);
        printf("seed %llu: %d pages of %.0f that may be, %d of them about no fault; %d faults: %d told, %d held back, %d missed; %d findings held back, %d without a reason\n",
               (unsigned long long)seed, voyage->pages, asked, voyage->false_pages, faults, told, held, faults - told - held, voyage->held, voyage->without_reason);
        if (!is_within || !is_true || voyage->without_reason)
                printf("seed %llu: %s\n", (unsigned long long)seed, !is_within ? "the pages are not within a fifth of the budget" : !is_true ? "too many pages are about no fault" : "something was held back without a reason");
        return is_within && is_true && !voyage->without_reason;
}

static bool run(const struct options *options, uint64_t seed)
{
        struct err err = {0};
        struct voyage *voyage = calloc(1, sizeof *voyage);
        bool good = voyage != NULL;
        if (good) {
                *voyage = (struct voyage){.options = options, .rng = {seed}, .series = calloc((size_t)options->series, sizeof *voyage->series)};
                noticed_init(&voyage->noticed);
                good = voyage->series && alert_budget_create(&voyage->budget, &err);
        }
        if (good) {
                launch(voyage);
                good = sail(voyage, &err);
        }
        if (!good)
                printf("seed %llu: %s\n", (unsigned long long)seed, err.message);
        good = good && arrive(voyage, seed);
        if (voyage) {
                alert_budget_destroy(voyage->budget);
                noticed_done(&voyage->noticed);
                free(voyage->series);
        }
        free(voyage);
        return good;
}

int main(int argc, char **argv)
{
        struct options options = {.seeds = 1, .first = 1, .weeks = 4, .series = 200, .faults_a_day = 10};
        for (int i = 1; i + 1 < argc; i += 2) {
                int number = atoi(argv[i + 1]);
                if (strcmp(argv[i], "--first") == 0)
                        options.first = (uint64_t)number;
                else
                        *(strcmp(argv[i], "--weeks") == 0 ? &options.weeks : strcmp(argv[i], "--series") == 0 ? &options.series :
                          strcmp(argv[i], "--faults") == 0 ? &options.faults_a_day : &options.seeds) = number;
        }
        int failed = 0;
        if (options.series > SERIES_MAX || options.weeks < 2)
                return fprintf(stderr, "at most %d series, at least 2 weeks\n", SERIES_MAX), 2;
        for (int i = 0; i < options.seeds; i++)
                failed += !run(&options, options.first + (uint64_t)i);
        printf("%d of %d voyages as they should be\n", options.seeds - failed, options.seeds);
        return failed != 0;
}
