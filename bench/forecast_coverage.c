/*
 * forecast_coverage - how often the interval of a forecast holds the time at which a series reached a limit.
 *
 *      forecast_coverage FILE.csv...       timestamp,value[,...], as `evenkeel detect` takes them
 *      forecast_coverage --generated N     N series that fill up: a line, a random walk around it and noise, of any shares
 *
 * Asks as the daemon does (observe/forecasts.c): over ten minutes, two hours and a day, at the steps of its range queries, with the newest sample of
 * the five minutes before each step; of what the windows foretell the longest one's counts, unless a shorter is clearly sooner. For each file, at every 25th sample at which a limit ten
 * differences of neighbours away is foretold, looks whether and when the mean over ten samples really got there. Limits that are not
 * reached within the file count as held only if the interval is open or ends behind the file; limits are asked for above and below.
 */
#include "base/rng.h"
#include "learn/trend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 1000000
#define EVERY 25
#define LOOKBACK_S 300
#define GENERATED_STEP_S 60
#define GENERATED_ROWS 20000

struct counts {
        int asked, held, early, late, open;
};

static int read_rows(const char *path, double *times, double *values)
{
        FILE *file = fopen(path, "r");
        char line[65536];
        int rows = 0;
        while (file && rows < ROWS_MAX && fgets(line, sizeof line, file)) {
                double time, value;
                if (sscanf(line, "%lf,%lf", &time, &value) != 2)
                        continue;
                times[rows] = time;
                values[rows++] = value;
        }
        if (file)
                fclose(file);
        return rows;
}

/* What a range query over the window gives at row `at`. */
static size_t window_points(const struct trend_window *window, const double *times, const double *values, int at, double *x, double *y)
{
        size_t count = 0;
        int row = at;
        for (int64_t back = 0; back <= window->span_s && row >= 0; back += window->step_s) {
                double time = times[at] - (double)back;
                while (row >= 0 && times[row] > time)
                        row--;
                if (row < 0 || times[row] <= time - LOOKBACK_S)
                        continue;
                x[count] = -(double)back;
                y[count++] = values[row];
        }
        for (size_t i = 0; i < count / 2; i++) {
                double swap_x = x[i], swap_y = y[i];
                x[i] = x[count - 1 - i], y[i] = y[count - 1 - i];
                x[count - 1 - i] = swap_x, y[count - 1 - i] = swap_y;
        }
        return count;
}

static bool foretell(const double *times, const double *values, int at, double limit, struct trend_arrival *out_arrival)
{
        bool found = false;
        for (int i = TREND_WINDOWS; i-- > 0;) {
                double x[TREND_POINTS_MAX], y[TREND_POINTS_MAX];
                struct trend_arrival arrival;
                size_t count = window_points(&trend_windows[i], times, values, at, x, y);
                if (!trend_foretell(&trend_windows[i], x, y, count, limit, &arrival) || (found && !trend_is_sooner(&arrival, out_arrival)))
                        continue;
                *out_arrival = arrival;
                found = true;
        }
        return found;
}

static double smooth_at(const double *values, int at)
{
        double sum = 0;
        for (int i = at - 9; i <= at; i++)
                sum += values[i];
        return sum / 10;
}

static void note(struct counts *counts, const struct trend_arrival *arrival, double truth)
{
        counts->asked++;
        counts->open += isinf(arrival->latest);
        counts->early += truth < arrival->earliest;
        counts->late += truth > arrival->latest;
        counts->held += truth >= arrival->earliest && truth <= arrival->latest;
}

static void ask(const double *times, const double *values, int rows, int at, int side, struct counts *counts)
{
        double scatter = 0;
        for (int i = at - 99; i <= at; i++)
                scatter += fabs(values[i] - values[i - 1]) / 100;
        double limit = smooth_at(values, at) + side * 10 * scatter;
        struct trend_arrival arrival;
        if (scatter == 0 || side * (values[at] - limit) >= 0 || !foretell(times, values, at, limit, &arrival))
                return;
        double truth = INFINITY, left = times[rows - 1] - times[at];
        for (int i = at + 1; i < rows && isinf(truth); i++)
                if (side * (smooth_at(values, i) - limit) >= 0)
                        truth = times[i] - times[at];
        if (isinf(truth) && arrival.latest > left)
                return; /* the file does not tell */
        note(counts, &arrival, truth);
}

static double normal(struct rng *rng)
{
        double sum = -6;
        for (int i = 0; i < 12; i++)
                sum += rng_unit(rng);
        return sum;
}

/* A day that fills up by a line, of which the walk is a part; the limit is up to a day ahead. */
static void generate(uint64_t seed, double *times, double *values, struct counts *counts)
{
        struct rng rng = {seed};
        int known = 30 + (int)(rng_unit(&rng) * 1440), row = 0;
        double walk = 3 * rng_unit(&rng), noise = 20 * rng_unit(&rng), level = 0;
        for (; row < known; row++, level += 1 + walk * normal(&rng)) {
                times[row] = row * GENERATED_STEP_S;
                values[row] = level + noise * normal(&rng);
        }
        double limit = level + 20 + known * rng_unit(&rng);
        struct trend_arrival arrival;
        if (!foretell(times, values, known - 1, limit, &arrival))
                return;
        for (; level < limit && row < GENERATED_ROWS; row++)
                level += 1 + walk * normal(&rng);
        note(counts, &arrival, (row - (known - 1)) * GENERATED_STEP_S);
}

int main(int argc, char **argv)
{
        double *times = malloc(2 * ROWS_MAX * sizeof *times), *values = times ? times + ROWS_MAX : NULL;
        struct counts sum = {0};
        bool generates = argc == 3 && strcmp(argv[1], "--generated") == 0;
        for (int seed = 1; values && generates && seed <= atoi(argv[2]); seed++)
                generate((uint64_t)seed, times, values, &sum);
        for (int file = 1; values && !generates && file < argc; file++) {
                int rows = read_rows(argv[file], times, values);
                for (int i = 110; i < rows; i++)
                        if (i % EVERY == 0) {
                                ask(times, values, rows, i, 1, &sum);
                                ask(times, values, rows, i, -1, &sum);
                        }
        }
        free(times);
        printf("%d forecasts: %.1f %% held, %.1f %% reached earlier, %.1f %% later or never; %.1f %% may never\n", sum.asked, 100.0 * sum.held / fmax(sum.asked, 1),
               100.0 * sum.early / fmax(sum.asked, 1), 100.0 * sum.late / fmax(sum.asked, 1),
               100.0 * sum.open / fmax(sum.asked, 1));
}
