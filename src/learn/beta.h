/* beta - the Beta distribution: the share of successes, after so many were seen and so many not. Parameters above 0. */
#pragma once

struct beta {
        double yes, no;
};

static inline double beta_mean(struct beta beta)
{
        return beta.yes / (beta.yes + beta.no);
}

double beta_below(struct beta beta, double share);              /* the chance that the share is below: the incomplete beta function */
double beta_quantile(struct beta beta, double chance);          /* the share below which it is with that chance */
double beta_exceeds(struct beta one, struct beta other);        /* the chance that one's share is the larger */
