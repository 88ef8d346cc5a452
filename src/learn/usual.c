/* usual.c - see usual.h. */
#include "learn/usual.h"

#include "base/scope.h"

#include <math.h>
#include <stdlib.h>

#define TAIL_QUANTILE 0.95      /* how far it goes now and then, which says nothing either */
#define TAIL_ROWS(count) ((count) / 4 * 3) /* of the rows, the earlier: a tail is spoilt by a few rows of trouble */
#define GATE 8.0                /* spreads at which a change counts to two thirds */
#define SIZE_MAX_RATIO 1000.0   /* larger changes are all the same */
#define VALUE_MAX 1e100

bool usual_is_number(double value)
{
        return fabs(value) < VALUE_MAX;
}

int usual_by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

double usual_quantile(const double *sorted, size_t count, double q)
{
        double place = q * (double)(count - 1);
        size_t low = (size_t)place;
        return low + 1 < count ? sorted[low] + (place - (double)low) * (sorted[low + 1] - sorted[low]) : sorted[low];
}

static size_t gather_sorted(const double *values, size_t count, double *out)
{
        size_t found = 0;
        for (size_t i = 0; i < count; i++)
                if (usual_is_number(values[i]))
                        out[found++] = values[i];
        qsort(out, found, sizeof *out, usual_by_value);
        return found;
}

static double deviation_from(const double *values, size_t count, double median)
{
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++)
                sum += values[i] - median;
        double mean = sum / (double)count;
        for (size_t i = 0; i < count; i++)
                squares += (values[i] - median - mean) * (values[i] - median - mean);
        return sqrt(squares / (double)count);
}

bool usual_without_tail(const double *values, size_t count, double *scratch, struct usual *out_usual)
{
        size_t found = gather_sorted(values, count, scratch);
        if (found < USUAL_ROWS_MIN)
                return false;
        double median = usual_quantile(scratch, found, 0.5);
        double quartiles = (usual_quantile(scratch, found, 0.75) - usual_quantile(scratch, found, 0.25)) / 1.349;
        double spread = fmax(fmax(quartiles, 0.1 * deviation_from(scratch, found, median)), fmax(1e-3 * fabs(median), 1e-12));
        *out_usual = (struct usual){median, spread, spread};
        return isfinite(spread);
}

bool usual_of(const double *values, size_t count, double *scratch, struct usual *out_usual)
{
        struct usual usual;
        if (!usual_without_tail(values, count, scratch, &usual))
                return false;
        size_t found = gather_sorted(values, TAIL_ROWS(count), scratch);
        if (found >= USUAL_ROWS_MIN) {
                usual.up = fmax(usual.up, (usual_quantile(scratch, found, TAIL_QUANTILE) - usual.median) / USUAL_NOISE);
                usual.down = fmax(usual.down, (usual.median - usual_quantile(scratch, found, 1 - TAIL_QUANTILE)) / USUAL_NOISE);
        }
        *out_usual = usual;
        return isfinite(usual.up) && isfinite(usual.down);
}

double usual_strangeness(const struct usual *usual, double distance, bool is_up)
{
        double spread = is_up ? usual->up : usual->down, size = fabs(usual->median) + spread;
        double ratio = is_up ? (size + distance) / size : size / fmax(size - distance, spread);
        double counts = 1 - exp(-distance / spread / GATE);
        return counts * fmin(log(ratio) / log(SIZE_MAX_RATIO), 1);
}
