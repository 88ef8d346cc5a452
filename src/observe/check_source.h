/*
 * check_source - runs the checks in force when they are due, and offers what they gave as batches.
 *
 *      check_source_start -> (threads: run what is due) -> check_source_stop
 *
 * So many checks run at once as there are threads; one that is due while all are busy runs late. When a check is due follows from the hash of its
 * name within its interval, so checks spread evenly and keep their place. What a check's states were is kept in memory: after a start the
 * first result is told anew, and a firing finding lasts by itself long enough for that.
 */
#pragma once

#include "base/err.h"
#include "observe/self_watch.h"

#include <stdint.h>

struct checks;
struct check_source;
struct intake;
struct launcher;

struct check_source_options {
        struct intake *intake;
        struct checks *checks;
        struct launcher *launcher;      /* NULL: nothing can be executed */
        const char *data_directory;     /* whose disk is watched; NULL: it is not */
        struct self_store store;        /* whose days are watched */
        int threads;                    /* 0: 8 */
        int64_t self_every_ns;          /* how often Evenkeel looks at itself; 0: 15 s */
};

bool check_source_start(const struct check_source_options *options, struct check_source **out_source, struct err *err);
void check_source_stop(struct check_source *source); /* NULL is fine; waits for what runs, at most its time limit */
