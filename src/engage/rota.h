/*
 * rota - who is on call when: rotations with handovers in a time zone, and overrides.
 *
 *      rota_read -> rota_at, rota_next, rota_gap
 *
 * Plain data in an arena; pure functions of time. A shift begins at local wall time, so a handover at nine stays at nine when
 * the clocks turn. Of several rotations the first that has somebody decides; an override goes before all of them.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/time_zone.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct rota_hours {             /* a part of the week, local time */
        unsigned days;          /* bits, Sunday first */
        int64_t from_s, to_s;   /* of the day; to_s <= from_s: until the next day */
};

struct rotation {
        struct { struct str *items; size_t count, capacity; } people;
        int64_t starts_local_s; /* the first handover */
        int64_t every_s;
        struct { struct rota_hours *items; size_t count, capacity; } hours; /* none: always */
};

struct rota_override {
        struct str schedule, person;
        int64_t from_ns, to_ns;
};

struct rota {
        struct str name;
        struct time_zone zone;
        struct { struct rotation *items; size_t count, capacity; } rotations;
        struct { struct rota_override *items; size_t count, capacity; } overrides; /* declared ones; the newest last */
};

/* { name, time_zone, time_zone_rule, rotations: [ { people, starts, every, hours: [ { days, from, to } ] } ], overrides: [ { person, from, to } ] } */
bool rota_read(const json_t *item, struct arena *arena, struct rota *out_rota, struct err *err);
/* RFC 3339, or "2026-01-05T09:00" (also with a space) in the zone. */
bool rota_time_read(struct str text, const struct time_zone *zone, int64_t *out_ns, struct err *err);

/* The person on call; empty: nobody. overrides are those that commands made, beside the rota's own. */
struct rota_overrides { const struct rota_override *items; size_t count; };
struct str rota_at(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns);
/* The first moment after time_ns, to the minute, at which somebody else (or nobody) is on call; false: not until until_ns. */
bool rota_next(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns, int64_t until_ns, int64_t *out_ns);
/* The first stretch from time_ns on in which nobody is on call; at most until until_ns. */
bool rota_gap(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns, int64_t until_ns, int64_t *out_from_ns, int64_t *out_to_ns);
