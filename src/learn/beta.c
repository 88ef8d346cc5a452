/* beta.c - see beta.h. The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8) by Lentz's
 * method; quantiles by halving; comparison by summing quantiles. Exact to about 1e-9, which is more than counts can say. */
#include "learn/beta.h"

#include <math.h>

#define STEPS 300
#define CLOSE 1e-12
#define TINY 1e-300
#define SLICES 200      /* of the one distribution, equally likely */

/* lgamma itself writes a global; this does not. */
static double log_gamma(double x)
{
        int sign;
        return lgamma_r(x, &sign);
}

static double away_from_0(double x)
{
        return fabs(x) < TINY ? TINY : x;
}

static double fraction(double a, double b, double x)
{
        double c = 1, d = 1 / away_from_0(1 - (a + b) * x / (a + 1)), value = d;
        for (int m = 1; m < STEPS; m++) {
                double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
                double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
                d = 1 / away_from_0(1 + even * d);
                c = away_from_0(1 + even / c);
                value *= c * d;
                d = 1 / away_from_0(1 + odd * d);
                c = away_from_0(1 + odd / c);
                value *= c * d;
                if (fabs(c * d - 1) < CLOSE)
                        break;
        }
        return value;
}

double beta_below(struct beta beta, double share)
{
        double a = beta.yes, b = beta.no;
        if (share <= 0)
                return 0;
        if (share >= 1)
                return 1;
        double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(share) + b * log1p(-share));
        if (share < (a + 1) / (a + b + 2))
                return front * fraction(a, b, share) / a;
        return 1 - front * fraction(b, a, 1 - share) / b;
}

double beta_quantile(struct beta beta, double chance)
{
        double low = 0, high = 1;
        for (int i = 0; i < 50; i++) {
                double middle = (low + high) / 2;
                if (beta_below(beta, middle) < chance)
                        low = middle;
                else
                        high = middle;
        }
        return (low + high) / 2;
}

double beta_exceeds(struct beta one, struct beta other)
{
        double sum = 0;
        for (int i = 0; i < SLICES; i++)
                sum += beta_below(other, beta_quantile(one, (i + 0.5) / SLICES));
        return sum / SLICES;
}
