/*
 * classifier - learns from labelled texts which label a new one should get: the team of a ticket, the owner of an incident.
 *
 *      classifier_create -> { classifier_learn | classifier_classify | classifier_forget } ... -> classifier_destroy
 *                   ^-- classifier_restore <-- classifier_snapshot
 *      in bulk:     { classifier_add } ... -> classifier_fit
 *
 * One linear machine per label over the hashed features of a text (text_features.h): a support vector machine with
 * squared hinge, solved in the dual by coordinate descent (Hsieh et al., ICML 2008). The dual is chosen because it keeps,
 * for each example, how hard it pulls at each label, and the weights are the sum of those pulls. So an example can be
 * taken back exactly, whenever a person says that it was wrong or it grows old; nothing else of it stays.
 *
 * Learning one example takes about a millisecond: it is asked first (an honest trial, which goes into the calibration), then pulls
 * until it lies right, and some older ones, in turn, are let pull again. classifier_fit does the same for all from
 * scratch: it picks the strength of regularisation and calibrates on tenths of the examples, kept out in turn, and then
 * learns all.
 *
 * Confidence is the chance that the first label is right: a logistic curve over the first score and its lead (Platt,
 * 1999), fitted on predictions for examples that were not yet learnt.
 *
 * Used by one thread at a time. Bounded: past examples_max or bytes_max the oldest examples are forgotten and counted;
 * labels past labels_max are refused. No clock, no randomness: the same calls give the same bytes.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "learn/text_features.h"

#include <stdbool.h>
#include <stdint.h>

#define CLASSIFIER_LABELS_MAX 1024
#define CLASSIFIER_LABEL_BYTES_MAX 256
#define CLASSIFIER_BEST 3

struct classifier;

struct classifier_bounds {
        uint32_t examples_max;  /* 0: 50000 */
        uint32_t labels_max;    /* 0: 256; at most CLASSIFIER_LABELS_MAX */
        uint64_t bytes_max;     /* of examples and weights; 0: 256 MiB */
};

struct classifier_answer {
        uint32_t count;                         /* of what follows; 0 before anything was learnt */
        uint32_t labels[CLASSIFIER_BEST];       /* best first */
        float scores[CLASSIFIER_BEST];
        double confidence;                      /* that the first is right, in [0, 1] */
};

struct classifier_reason {
        uint32_t start, length; /* the word, in its field */
        uint8_t field;
        float weight;           /* what it adds to the lead of the label; negative: what it takes from it */
};

struct classifier_counts {
        uint64_t learnt, forgotten; /* examples; forgotten because of a bound */
        uint32_t examples, labels, rows;
        uint64_t bytes;
        uint64_t trials, trials_right; /* asked before learnt, ever; how often the first label was right */
};

struct classifier *classifier_create(struct classifier_bounds bounds, struct err *err);
void classifier_destroy(struct classifier *classifier);

/* Adds an example and learns it. `set` names what it came with (a person's correction, an import), for classifier_forget.
 * On failure nothing was learnt. */
bool classifier_learn(struct classifier *classifier, const struct text_features *features, struct str label, uint64_t set,
                      struct err *err);
/* Adds an example without learning it; classifier_fit is due. */
bool classifier_add(struct classifier *classifier, const struct text_features *features, struct str label, uint64_t set,
                    struct err *err);
/* Learns all examples from scratch. About a second for 20,000 tickets with eight labels. */
bool classifier_fit(struct classifier *classifier, struct err *err);

/* Takes every example of the set back; how many there were. */
uint32_t classifier_forget(struct classifier *classifier, uint64_t set);

void classifier_classify(const struct classifier *classifier, const struct text_features *features,
                         struct classifier_answer *out_answer);
/* The words that speak for the label against the other, strongest first; how many were written. Both are numbers of
 * labels; with `against` the same as `label` the words that speak for it at all. */
uint32_t classifier_explain(const struct classifier *classifier, const struct text_features *features, uint32_t label,
                            uint32_t against, struct classifier_reason *reasons, uint32_t reasons_max);

struct str classifier_label(const struct classifier *classifier, uint32_t label); /* lasts as long as the classifier */
struct classifier_counts classifier_counts(const struct classifier *classifier);

/* Version 1, little-endian. Restore refuses what snapshot cannot have written; the bounds are the caller's. */
bool classifier_snapshot(const struct classifier *classifier, struct buf *out, struct err *err);
struct classifier *classifier_restore(struct str bytes, struct classifier_bounds bounds, struct err *err);
