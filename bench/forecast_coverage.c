/*
 * forecast_coverage - how often the interval of a forecast holds the time at which a series reached a limit.
 *
 *      forecast_coverage FILE.csv...       timestamp,value[,...], as `evenkeel detect` takes them
 *
 * For each file, at every 25th sample at which a limit a few window's scatters away is foretold, looks whether and when the mean over
 * ten samples really got there. Limits that are not reached within the file count as held only if the interval is open or ends
 * behind the file; limits are asked for above and below.
 */
#include "learn/forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 1000000
#define EVERY 25

struct counts {
        int asked, held, early, late;
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

static double smooth_at(const double *values, int at)
{
        double sum = 0;
        for (int i = at - 9; i <= at; i++)
                sum += values[i];
        return sum / 10;
}

static void ask(const struct forecast *forecast, const double *times, const double *values, int rows, int at, int side, struct counts *counts)
{
        double scatter = 0;
        for (int i = at - 99; i <= at; i++)
                scatter += fabs(values[i] - values[i - 1]) / 100;
        double limit = smooth_at(values, at) + side * 10 * scatter;
        struct forecast_answer answer;
        if (scatter == 0 || !forecast_until(forecast, limit, side > 0, &answer) || answer.latest_s == 0)
                return;
        double truth = INFINITY, left = times[rows - 1] - times[at];
        for (int i = at + 1; i < rows && isinf(truth); i++)
                if (side * (smooth_at(values, i) - limit) >= 0)
                        truth = times[i] - times[at];
        if (isinf(truth) && answer.latest_s > left)
                return; /* the file does not tell */
        counts->asked++;
        counts->early += truth < answer.earliest_s;
        counts->late += truth > answer.latest_s;
        counts->held += truth >= answer.earliest_s && truth <= answer.latest_s;
}

int main(int argc, char **argv)
{
        double *times = malloc(2 * ROWS_MAX * sizeof *times), *values = times ? times + ROWS_MAX : NULL;
        struct counts sum = {0};
        for (int file = 1; values && file < argc; file++) {
                int rows = read_rows(argv[file], times, values);
                struct forecast forecast;
                forecast_init(&forecast);
                for (int i = 0; i < rows; i++) {
                        forecast_push(&forecast, (int64_t)(times[i] * 1e9), values[i]);
                        if (i >= 110 && i % EVERY == 0) {
                                ask(&forecast, times, values, rows, i, 1, &sum);
                                ask(&forecast, times, values, rows, i, -1, &sum);
                        }
                }
        }
        free(times);
        printf("%d forecasts: %.1f %% held, %.1f %% reached earlier, %.1f %% later or never\n", sum.asked, 100.0 * sum.held / fmax(sum.asked, 1),
               100.0 * sum.early / fmax(sum.asked, 1), 100.0 * sum.late / fmax(sum.asked, 1));
}
