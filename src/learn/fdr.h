/*
 * fdr - online control of the false discovery rate: which of a stream of p-values may be called a discovery, deciding each as it comes.
 *
 * SAFFRON (Ramdas, Zrnic, Wainwright, Jordan: "SAFFRON: an adaptive algorithm for online control of the false discovery rate", ICML 2018), an
 * alpha-investing method that estimates how many of the tests are true nulls: each discovery earns budget, each test spends some, and p-values above
 * `lambda` spend nothing. With the discarding of ADDIS (Tian and Ramdas, NeurIPS 2019): only p-values up to `tau` are tested, as p / tau, so a
 * detector that reports only what it finds remarkable is treated fairly.
 *
 * Among the discoveries so made at most the share `alpha` is expected to be false, as long as p-values of true nulls are no smaller than uniform.
 * Plain data, saved by its owner; the same stream gives the same decisions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FDR_DISCOVERIES_MAX 64  /* older ones no longer earn: that only makes it stricter */

struct fdr {
        double alpha, lambda, tau;      /* 0 < alpha, lambda, tau < 1 */
        uint64_t tested, candidates;    /* so far; candidates: p / tau <= lambda */
        struct fdr_discovery {
                uint64_t tested, candidates; /* at the time of it, itself included */
        } discoveries[FDR_DISCOVERIES_MAX]; /* a ring: number n stands at n % FDR_DISCOVERIES_MAX */
        uint64_t discovered;
};

void fdr_init(struct fdr *fdr, double alpha);   /* lambda 0.5, tau 0.01 */
double fdr_level(const struct fdr *fdr);        /* what the next p-value must not exceed to be a discovery */
bool fdr_test(struct fdr *fdr, double p);       /* p > tau: not tested, false */
