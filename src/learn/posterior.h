/*
 * posterior - how often a runbook really helped, and how sure we are: what autonomy is decided on.
 *
 *      posterior_create -> { posterior_record | posterior_heal | posterior_read } ... -> posterior_destroy
 *                 ^-- posterior_restore <-- posterior_snapshot
 *
 * For each runbook x signature x class of targets a Beta posterior of *verified* success: an outcome counts as one when
 * the fault was gone afterwards and stayed gone, not when the steps ended without error. Alike targets are pooled: what
 * the runbook did elsewhere for the same signature is a prior worth a few runs, and what it did for other signatures is
 * the prior of that one (partial pooling, Gelman et al., Bayesian Data Analysis, ch. 5, with a fixed weight). The own
 * runs are left out of the pool, so nothing counts twice. With nothing known the mean is a third: help must be shown.
 *
 * A harmful run counts as several failures and demotes its cell until DEMOTED_UNTIL verified successes came after it.
 *
 * Many faults go away by themselves. The same counts are kept of what happened without any run, and the belief says how
 * probable it is that the runbook beats waiting.
 *
 * Every record can be taken back. Used by one thread at a time. Past cells_max, new cells are not kept apart: their
 * outcomes go to the pools above them, and are counted. No clock, no randomness.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define POSTERIOR_DEMOTED_UNTIL 10
#define POSTERIOR_HARM_FAILURES 5       /* what a harmful run counts as */

enum posterior_outcome { POSTERIOR_VERIFIED, POSTERIOR_FAILED, POSTERIOR_HARMFUL };

struct posterior_key {                  /* hashes of the caller's */
        uint64_t runbook, signature, target_class;
};

struct posterior_belief {
        uint32_t verified, failed, harmful;     /* of this very key */
        double mean, low, high;                 /* of the chance of verified success; low to high has nine tenths of it */
        double pool_mean;                       /* what the pool alone would say */
        double heal_mean;                       /* the chance that it heals by itself */
        double beats_healing;                   /* the chance that the runbook helps oftener than waiting */
        bool is_demoted;                        /* harm was done, and not made up for yet */
        uint32_t until_trusted;                 /* verified successes still wanted; 0 if not demoted */
};

struct posterior_counts {
        uint32_t cells;
        uint64_t crowded;                       /* outcomes that went to the pools only */
};

struct posterior;

struct posterior *posterior_create(uint32_t cells_max, struct err *err); /* 0: 65536, pools included */
void posterior_destroy(struct posterior *posterior);

bool posterior_record(struct posterior *posterior, struct posterior_key key, enum posterior_outcome outcome, struct err *err);
/* Undoes one such record; false when there is none left to undo. Taking back the last harm lifts the demotion. */
bool posterior_take_back(struct posterior *posterior, struct posterior_key key, enum posterior_outcome outcome);

/* A fault of this signature on this class of target was left alone for as long as a run would have had: was it gone? */
bool posterior_heal(struct posterior *posterior, uint64_t signature, uint64_t target_class, bool healed, struct err *err);

/* Undoes one such record, when it turns out that somebody had a hand in it; false when there is none. */
bool posterior_heal_take_back(struct posterior *posterior, uint64_t signature, uint64_t target_class, bool healed);

/* All outcomes of one runbook, whatever the signature and target. */
struct posterior_totals { uint32_t verified, failed, harmful; };
struct posterior_totals posterior_totals(const struct posterior *posterior, uint64_t runbook);

void posterior_read(const struct posterior *posterior, struct posterior_key key, struct posterior_belief *out_belief);
struct posterior_counts posterior_counts(const struct posterior *posterior);

/* Version 1, little-endian. Restore refuses what snapshot cannot have written. */
bool posterior_snapshot(const struct posterior *posterior, struct buf *out, struct err *err);
struct posterior *posterior_restore(struct str bytes, uint32_t cells_max, struct err *err);
