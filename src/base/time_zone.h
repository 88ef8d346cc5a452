/*
 * time_zone - how far a place's clocks are ahead of UTC, from a POSIX TZ rule such as "CET-1CEST,M3.5.0,M10.5.0/3".
 *
 * Plain data, pure functions: decisions must not depend on which files a machine has. time_zone_read_rule alone reads a file
 * (the last line of a TZif file, RFC 8536), once, before a configuration is journaled.
 * Source: IEEE 1003.1, "TZ"; RFC 8536 allows hours from -167 to 167.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum zone_day { ZONE_WEEKDAY, ZONE_JULIAN, ZONE_DAY_OF_YEAR }; /* Mm.w.d; Jn, without 29 February; n, from 0 */

struct zone_turn {
        enum zone_day how;
        int month, week, day;
        int64_t at_s;                   /* local time of the day */
};

struct time_zone {
        int64_t standard_s, summer_s;   /* seconds ahead of UTC */
        bool has_summer;
        struct zone_turn to_summer, to_standard;
};

/* "UTC" and an empty text are UTC. */
bool time_zone_parse(struct str rule, struct time_zone *out_zone, struct err *err);
/* "Europe/Berlin" -> its rule in force, appended. ERR_NOT_FOUND: this machine knows no such zone. */
bool time_zone_read_rule(const char *name, struct buf *out_rule, struct err *err);

int64_t time_zone_ahead_s(const struct time_zone *zone, int64_t utc_s);
static inline int64_t time_zone_local_s(const struct time_zone *zone, int64_t utc_s)
{
        return utc_s + time_zone_ahead_s(zone, utc_s);
}
/* Of a time that the clocks skip: as far behind the turn as it says; of one that they show twice: the first. */
int64_t time_zone_utc_s(const struct time_zone *zone, int64_t local_s);
