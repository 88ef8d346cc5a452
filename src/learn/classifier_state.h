/* classifier_state - what classifier.c keeps and classifier_snapshot.c writes down; nobody else's. */
#pragma once

#include "base/map.h"
#include "base/rng.h"
#include "learn/calibration.h"
#include "learn/classifier.h"

#define CLASSIFIER_LANES 8      /* weights are computed eight labels at a time */
#define CLASSIFIER_TF 256

struct classifier_example {
        uint64_t set;
        uint32_t label, count;
        float norms[TEXT_KINDS];
        uint32_t *rows;         /* one allocation with the counts after it */
        uint8_t *counts;
};

struct classifier {
        struct classifier_bounds bounds;
        char **labels;
        uint32_t *label_examples;
        uint32_t label_count, stride; /* stride lanes, more than labels: the first free one is "some label not seen yet" */

        struct classifier_rows {
                uint64_t *hashes;
                uint32_t *examples;     /* in which it stands; 0: a free row */
                float *rarity;
                uint8_t *kinds;
                float *weights;         /* stride each, aligned */
                uint32_t count, capacity;
        } rows;
        uint32_t *free_rows;
        uint32_t free_count;
        struct map by_hash;

        struct classifier_example *examples; /* oldest first */
        float *pulls;                   /* stride each: the dual variables */
        uint32_t example_count, example_capacity;
        uint64_t example_terms;         /* of all examples */

        float cost;                     /* C of the machine */
        struct rng rng;                 /* which older examples are asked again */
        struct calibration calibration;
        float tf[CLASSIFIER_TF];
        uint64_t learnt, forgotten;
};

/* For restore: grow the tables; place what was read. False: no memory. */
bool classifier_reserve_labels(struct classifier *classifier, uint32_t labels);
bool classifier_reserve_rows(struct classifier *classifier, uint32_t more);
bool classifier_reserve_examples(struct classifier *classifier);
bool classifier_add_label(struct classifier *classifier, struct str label);
void classifier_weigh(const struct classifier *classifier, struct classifier_example *example);
