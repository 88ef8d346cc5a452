/*
 * self_watch - what Evenkeel finds about itself: sources that fell silent or fail, its own disk, a clock that jumped, stored days
 * that are damaged.
 *
 *      self_watch_create -> self_watch_look (every few seconds) ... -> self_watch_destroy
 *
 * One thread. Each finding enters as a result of a check with the origin "self", so that it is journaled like any other; told once when it
 * begins, and once when it ends. A source must have been bad for SELF_SOURCE_NS before anybody hears of it.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct intake;
struct self_watch;

#define SELF_STEADY_NS (INT64_C(1800) * 1000000000)     /* who spoke for less before was no steady speaker: an error log after its errors */
#define SELF_SOURCE_NS (INT64_C(120) * 1000000000)      /* a restart of a sender is no news */
#define SELF_JUMP_NS (INT64_C(30) * 1000000000)
#define SELF_DISK_WARNING 0.10                          /* of the disk is free */
#define SELF_DISK_CRITICAL 0.03

/* Whose damaged days are told: fills in at most days_max (days since 1970), gives how many there are. Any thread; borrowed for good. */
struct self_store {
        size_t (*damaged_days)(void *context, int64_t *out_days, size_t days_max);
        void *context;
};

bool self_watch_create(struct intake *intake, const char *data_directory, const struct self_store *store, struct self_watch **out_watch, struct err *err);
/* data_directory, store: NULL: are not looked at. */
void self_watch_destroy(struct self_watch *watch); /* NULL is fine */
bool self_watch_look(struct self_watch *watch, int64_t wall_ns, int64_t monotonic_ns, struct err *err);
