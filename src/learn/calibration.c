/* calibration.c - see calibration.h. Newton's method on the penalised log-likelihood; three unknowns, so Cramer's rule. */
#include "learn/calibration.h"

#include <math.h>
#include <string.h>

#define NEWTON_STEPS 12
#define PRIOR_WEIGHT 2.0        /* how many trials the starting curve is worth, about */

static const double start[CALIBRATION_TERMS] = {-0.5, 1.0, 2.0};

void calibration_init(struct calibration *calibration)
{
        *calibration = (struct calibration){0};
        memcpy(calibration->curve, start, sizeof start);
}

void calibration_add(struct calibration *calibration, float score, float lead, bool was_right)
{
        calibration->trials[calibration->next] = (struct calibration_trial){score, lead, was_right};
        calibration->next = (calibration->next + 1) % CALIBRATION_TRIALS;
        calibration->count += calibration->count < CALIBRATION_TRIALS;
        calibration->total++;
        calibration->right += was_right;
}

void calibration_forget(struct calibration *calibration)
{
        calibration->count = calibration->next = 0;
}

static double chance(const double curve[CALIBRATION_TERMS], float score, float lead)
{
        return 1 / (1 + exp(-(curve[0] + curve[1] * score + curve[2] * lead)));
}

static double determinant(const double m[3][3])
{
        return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
               m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/* Moves the curve one Newton step; how far. */
static double step(const struct calibration *calibration, double curve[CALIBRATION_TERMS])
{
        double slope[3], bend[3][3] = {{0}}, moved = 0;
        for (int i = 0; i < 3; i++) {
                slope[i] = PRIOR_WEIGHT * (start[i] - curve[i]);
                bend[i][i] = PRIOR_WEIGHT;
        }
        for (uint32_t t = 0; t < calibration->count; t++) {
                const struct calibration_trial *trial = &calibration->trials[t];
                double p = chance(curve, trial->score, trial->lead), x[3] = {1, trial->score, trial->lead};
                for (int i = 0; i < 3; i++) {
                        slope[i] += x[i] * (trial->was_right - p);
                        for (int j = 0; j < 3; j++)
                                bend[i][j] += x[i] * x[j] * p * (1 - p);
                }
        }
        double whole = determinant(bend);
        for (int i = 0; i < 3; i++) {
                double replaced[3][3];
                memcpy(replaced, bend, sizeof bend);
                for (int j = 0; j < 3; j++)
                        replaced[j][i] = slope[j];
                double by = determinant(replaced) / whole;
                curve[i] += by;
                moved += fabs(by);
        }
        return moved;
}

/* A curve that ran away (all right or all wrong is held by the prior; this is for overflow) is not taken. */
void calibration_fit(struct calibration *calibration)
{
        double curve[CALIBRATION_TERMS];
        memcpy(curve, start, sizeof curve);
        for (int i = 0; i < NEWTON_STEPS; i++)
                if (step(calibration, curve) < 1e-9)
                        break;
        if (isfinite(curve[0]) && isfinite(curve[1]) && isfinite(curve[2]))
                memcpy(calibration->curve, curve, sizeof curve);
}

double calibration_confidence(const struct calibration *calibration, float score, float lead)
{
        return chance(calibration->curve, score, lead);
}
