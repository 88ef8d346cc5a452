/*
 * usual - what is usual of a series, from a stretch of it that is taken for normal: its median, and how far it goes to either
 * side by itself.
 *
 * Everything is a median or a quantile, so a few bad rows in the stretch change little (as in BARO, Pham et al., FSE 2024). The
 * spread is the widest of several, so that a series that mostly stands still, or mostly stands at one of two values, is not
 * taken for one without noise: the quartiles, a tenth of the deviation, a thousandth of the median, and, since a tail is noise
 * too, a third of how far it goes one time in twenty.
 *
 * Pure. Who asks which entity began a trouble (engage/cause_metrics) and what moved together (learn/movement) share it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define USUAL_ROWS_MIN 4
#define USUAL_NOISE 3.0         /* spreads from the median that say nothing */

struct usual {
        double median, up, down; /* the spread to either side */
};

/* What measures something: larger ones do not, and their products would not be numbers. Not NaN. */
bool usual_is_number(double value);
/* Of sorted numbers, between neighbours in proportion; count is not 0. */
double usual_quantile(const double *sorted, size_t count, double q);
int usual_by_value(const void *a, const void *b);       /* for qsort of doubles */

/* Values that are none are passed over; in order of time. scratch holds count values. False: too few, or too wild, to say. */
bool usual_of(const double *values, size_t count, double *scratch, struct usual *out_usual);
/* The same without the tail, for who asks a series' own past how long its tail stays. */
bool usual_without_tail(const double *values, size_t count, double *scratch, struct usual *out_usual);

/* How strange it is to have gone this far up (or down) from the median, 0 to 1: by its own noise *and* by its own size,
 * else memory that stands still and moves by a thousandth outshines all. 1: a thousand times its size. */
double usual_strangeness(const struct usual *usual, double distance, bool is_up);
