/*
 * detector - says of each sample of one series whether it is usual, in 384 bytes, without looking ahead.
 *
 *      detector_init -> { detector_push ... detector_is_silent }
 *
 * Four experts expect the next value: a quick and a slow level, and what the hour of the day and of the week usually bring
 * (season.h), each with its own usual scatter; all learn by clipped steps (Huber 1964), so that an anomaly is not learnt
 * as the new normal at once. A sample is as odd as the best expert finds it, less if another good one explains it. From
 * that come several views, each turned into a p-value by its own tail (tail.h), since what is far for one series is
 * near for another:
 *
 *      up, down        far above or below what was expected
 *      move            not what the last four samples lead to (normalised LMS, Widrow & Hoff 1960), nor where the season or else the level is
 *      shift           off to one side for long, and still (exponentially weighted mean, Roberts 1959)
 *
 * The least p-value is the sample's: the tails err so much to the safe side that four looks need no correction, as the test
 * on quiet series shows. An episode opens when it falls low
 * enough and lasts about a day, at least 12 and at most 144 samples from the last odd one; while it lasts, samples score below the flag unless
 * one is worse than all before. So one trouble is one flag and still every odd sample, and what closely follows one, has
 * a high score (by tails that what is odd does not make heavier, or the tenth of ten alike would be less than the first), for as long as oddities of this series usually last: how often one goes on for another sample is counted.
 * What is learnt within an episode counts little.
 *
 * Pure: no clock, no memory of its own; the same samples give the same verdicts. Plain data without pointers: it may be
 * copied and kept as bytes by the same version of the program (DETECTOR_VERSION).
 */
#pragma once

#include "learn/season.h"
#include "learn/tail.h"

#include <stdbool.h>
#include <stdint.h>

#define DETECTOR_VERSION 3      /* of the bytes */
#define DETECTOR_FLAG_P 1.2589e-4 /* a flagged sample's p-value is no larger: 3.9 digits */
#define DETECTOR_LEARNS 64      /* samples before a verdict may be told to people */

enum detector_view { VIEW_UP, VIEW_DOWN, VIEW_MOVE, VIEW_SHIFT, DETECTOR_VIEWS };
enum detector_expert { EXPERT_QUICK, EXPERT_SLOW, EXPERT_DAILY, EXPERT_WEEKLY, DETECTOR_EXPERTS };

#define DETECTOR_LAGS 4

struct detector {
        int64_t last_ns;        /* time of the last sample */
        float step_s;           /* usual distance of samples */
        float quantum;          /* the least difference seen lately */
        uint32_t seen;
        float level[DETECTOR_EXPERTS];  /* quick and slow level; what the seasons are off by lately */
        float scatter[DETECTOR_EXPERTS]; /* mean distance from what each expected */
        uint16_t season_seen[2];        /* samples that the daily and the weekly expert were tried on */
        float taps[DETECTOR_LAGS], lags[DETECTOR_LAGS], move_scatter;
        struct tail tails[DETECTOR_VIEWS];
        float shift;
        uint16_t linger;        /* loudness that still counts for the next sample's score, in 1/1024 */
        uint16_t worst;         /* of the episode: -log10 p, in 1/1024 */
        uint16_t hold;          /* samples until the episode ends by itself; 0: none open */
        uint8_t calm;           /* ordinary samples in a row within it */
        uint8_t settle;         /* samples to pass by after a gap */
        bool was_odd;           /* the last sample */
        uint8_t odd, lasted;    /* odd samples lately; those of them whose next one was unusual, too */
        struct season season;
};

_Static_assert(sizeof(struct detector) <= 384, "a series' detector stays within 384 bytes");

struct verdict {
        float score;            /* 0 to 1; 0.5 and more: flagged */
        float p_value;          /* share of samples as odd as this one */
        bool is_flagged;        /* a new episode, or one that became worse */
        bool is_open;           /* an episode lasts */
        bool is_learning;
        enum detector_view view; /* the one that speaks loudest */
        float expected, low, high; /* what was expected, and the range where nobody would look */
};

void detector_init(struct detector *detector);

/* The next sample. NaN, infinities and numbers beyond 1e18 are missing values: they score 0 and teach nothing. */
void detector_push(struct detector *detector, int64_t time_ns, double value, struct verdict *out_verdict);

/* Whether samples have stopped coming, judged by how they used to come. */
bool detector_is_silent(const struct detector *detector, int64_t now_ns);

/* Whether these bytes, read back from a disk, can be a detector: all numbers finite and within their bounds. */
bool detector_is_sound(const struct detector *detector);
