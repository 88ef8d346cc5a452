/*
 * calibration - turns scores into the chance of being right, by remembering how earlier answers turned out.
 *
 *      calibration_init -> { calibration_add ... calibration_fit | calibration_confidence }
 *
 * An answer has a score and a lead over the next best. The chance is a logistic curve over both (Platt, 1999), fitted to
 * the latest CALIBRATION_TRIALS answers. It starts from a cautious curve, to which a handful of trials adds little.
 * Plain data, one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CALIBRATION_TRIALS 2048
#define CALIBRATION_TERMS 3

struct calibration {
        struct calibration_trial {
                float score, lead;
                bool was_right;
        } trials[CALIBRATION_TRIALS];   /* a ring */
        uint32_t count, next;
        uint64_t total, right;          /* ever */
        double curve[CALIBRATION_TERMS]; /* offset, score, lead */
};

void calibration_init(struct calibration *calibration);
void calibration_add(struct calibration *calibration, float score, float lead, bool was_right);
void calibration_forget(struct calibration *calibration); /* the trials in the ring: the model behind them is gone */
void calibration_fit(struct calibration *calibration);
double calibration_confidence(const struct calibration *calibration, float score, float lead);
