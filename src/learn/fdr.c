/* fdr.c - see fdr.h. The weights gamma_j fall as 1 / (j + 1)^1.6, as in the paper's experiments, and sum to one. */
#include "learn/fdr.h"

#include <math.h>
#include <string.h>

#define GAMMA_POWER 1.6
#define GAMMA_SUM 2.285765696 /* the sum over j >= 1 of j^-1.6 */

static double gamma_of(uint64_t j)
{
        return pow((double)(j + 1), -GAMMA_POWER) / GAMMA_SUM;
}

void fdr_init(struct fdr *fdr, double alpha)
{
        memset(fdr, 0, sizeof *fdr);
        fdr->alpha = alpha;
        fdr->lambda = 0.5;
        fdr->tau = 0.01;
}

/* alpha_t of the paper, for p / tau: starting wealth alpha / 2, the first discovery earns the other half, each later one alpha. */
double fdr_level(const struct fdr *fdr)
{
        double start = fdr->alpha / 2;
        double level = start * gamma_of(fdr->tested - fdr->candidates);
        uint64_t kept = fdr->discovered < FDR_DISCOVERIES_MAX ? fdr->discovered : FDR_DISCOVERIES_MAX;
        for (uint64_t n = fdr->discovered - kept; n < fdr->discovered; n++) {
                const struct fdr_discovery *discovery = &fdr->discoveries[n % FDR_DISCOVERIES_MAX];
                uint64_t since = (fdr->tested - discovery->tested) - (fdr->candidates - discovery->candidates);
                level += (n == 0 ? fdr->alpha - start : fdr->alpha) * gamma_of(since);
        }
        return fdr->tau * fmin(fdr->lambda, (1 - fdr->lambda) * level);
}

bool fdr_test(struct fdr *fdr, double p)
{
        if (!(p >= 0) || p > fdr->tau)
                return false;
        bool is_discovery = p <= fdr_level(fdr);
        fdr->tested++;
        fdr->candidates += p <= fdr->tau * fdr->lambda;
        if (is_discovery)
                fdr->discoveries[fdr->discovered++ % FDR_DISCOVERIES_MAX] = (struct fdr_discovery){fdr->tested, fdr->candidates};
        return is_discovery;
}
