/*
 * moved_inquiry - what moved.c has found, on its way to moved_answer.c; of these two files alone.
 */
#pragma once

#include "base/map.h"
#include "learn/movement.h"
#include "query/moved.h"

struct candidate {
        struct labels labels;
        struct str name, by, value; /* by: the label that names the subject */
        uint32_t subject, ordinal; /* ordinal: among its subject's series of that metric */
        bool is_absent;         /* known in these days, but not in this time */
        bool is_mean;           /* a sum read by the count beside it */
        struct movement movement;
};

struct inquiry {
        const struct moved_question *question;
        struct movement_window window;
        struct arena arena;
        struct { struct candidate *items; size_t count, capacity; } candidates;
        struct map known;       /* by their labels' hash */
        struct { struct movement *items; size_t count, capacity; } moved;
        uint32_t groups;
        int64_t first_ns;       /* when the first of the first group left */
        size_t found;           /* series, also those beyond the bound */
        size_t buckets;         /* of histograms: left out */
        size_t absent, unread;  /* no sample in this time; too many */
        size_t unknown, earlier; /* too little is known from before; left before the time began */
};

/* The labels of the count beside a sum. */
struct count_labels {
        char name[LABEL_BYTES_MAX + 8];
        struct label items[LABELS_MAX];
        struct labels labels;
};

/* False: the candidate is no sum. What is given borrows the candidate's labels. */
bool inquiry_count_labels(const struct candidate *candidate, struct count_labels *out_count);
/* Of the group that begins there among those that moved: the least of its members', since the strongest, which stands first, may be one whose
 * beginning is less surely known. */
int64_t inquiry_group_onset(const struct inquiry *inquiry, size_t first);
/* The caller's; NULL: no memory. */
json_t *inquiry_answer(const struct inquiry *inquiry, struct err *err);
