/*
 * replay_diff.c - see replay_diff.h.
 *
 *      messages: the same alerts, occasion and team -> equal, or at another time, or to others
 *                what is left: the same but for the team -> moved
 *                what is left: only here -> missed; only there -> sent; the reason is what the other side says of those alerts
 */
#include "loop/replay_diff.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NEAR_NS (3600 * NS_PER_S)
#define OTHER_TIME_NS NS_PER_S

/* One list of rows of each side, and who is paired with whom. */
struct side {
        const json_t *rows, *outcome;
        size_t count;
        size_t *mates;                  /* index + 1 of the other side's row; 0: none */
};

struct pairing {
        struct side recorded, other;
        json_t *out;
        bool failed;
};

static int64_t time_of(const json_t *row, const char *key)
{
        int64_t time_ns = 0;
        str_to_i64(json_str(row, key), &time_ns);
        return time_ns;
}

static bool is_equal(const json_t *one, const json_t *other, const char *key)
{
        return json_equal(json_object_get(one, key), json_object_get(other, key));
}

static bool shares_alerts(const json_t *one, const json_t *other)
{
        size_t i, k;
        const json_t *mine, *theirs;
        json_array_foreach (json_object_get(one, "alerts"), i, mine)
                json_array_foreach (json_object_get(other, "alerts"), k, theirs)
                        if (json_equal(mine, theirs))
                                return true;
        return false;
}

static int64_t distance(const json_t *one, const json_t *other, const char *key)
{
        int64_t apart_ns = time_of(one, key) - time_of(other, key);
        return apart_ns < 0 ? -apart_ns : apart_ns;
}

typedef bool same_fn(const json_t *one, const json_t *other);

static void pair_nearest(struct pairing *pairing, const char *time_key, same_fn *is_same)
{
        for (size_t i = 0; i < pairing->recorded.count; i++) {
                const json_t *row = json_array_get(pairing->recorded.rows, i);
                size_t best = SIZE_MAX;
                for (size_t k = 0; !pairing->recorded.mates[i] && k < pairing->other.count; k++) {
                        const json_t *mate = json_array_get(pairing->other.rows, k);
                        if (pairing->other.mates[k] || distance(row, mate, time_key) > NEAR_NS || !is_same(row, mate) || !shares_alerts(row, mate))
                                continue;
                        if (best == SIZE_MAX || distance(row, mate, time_key) < distance(row, json_array_get(pairing->other.rows, best), time_key))
                                best = k;
                }
                if (best != SIZE_MAX) {
                        pairing->recorded.mates[i] = best + 1;
                        pairing->other.mates[best] = i + 1;
                }
        }
}

/* --- reasons ------------------------------------------------------------------------------------------------------------- */

static const char *name_of(const json_t *row)
{
        const char *name = json_string_value(json_array_get(json_object_get(row, "names"), 0));
        return name ? name : "the alert";
}

static const json_t *incident_about(const json_t *outcome, const json_t *row, const char *time_key)
{
        size_t at;
        const json_t *incident;
        json_array_foreach (json_object_get(outcome, "incidents"), at, incident)
                if (shares_alerts(incident, row) && time_of(incident, "opened_ns") <= time_of(row, time_key) + NEAR_NS)
                        return incident;
        return NULL;
}

/* The last stored reason why nobody was told of it. */
static const char *reason_of(const json_t *outcome, const json_t *incident)
{
        const char *found = NULL;
        size_t at;
        const json_t *decision;
        json_array_foreach (json_object_get(outcome, "not_told"), at, decision)
                if (json_equal(json_object_get(decision, "incident"), json_object_get(incident, "id")))
                        found = json_string_value(json_object_get(decision, "reason"));
        return found;
}

/* Why the outcome has nothing like the row. is_other: the outcome is that of the other configuration. */
static void explain(const json_t *outcome, const json_t *row, const char *time_key, bool is_other, struct buf *out)
{
        const char *whose = is_other ? "with the other configuration" : "as it was recorded";
        const json_t *incident = incident_about(outcome, row, time_key);
        const char *reason = incident ? reason_of(outcome, incident) : NULL;
        if (!incident)
                buf_printf(out, "%s %s does not fire", whose, name_of(row));
        else if (reason)
                buf_printf(out, "%s nobody is told: %s", whose, reason);
        else
                buf_printf(out, "%s %s is told of otherwise, or at another time", whose, name_of(row));
}

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

static void add(struct pairing *pairing, const char *what, const char *kind, const json_t *recorded, const json_t *other, const char *time_key, const char *reason)
{
        const json_t *row = other ? other : recorded;
        json_t *nothing = json_null();
        json_t *difference = json_pack("{s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:s}", "what", what, "kind", kind,
                                       "time_ns", json_object_get(row, time_key), "recorded_time_ns", recorded ? json_object_get(recorded, time_key) : nothing,
                                       "title", json_object_get(row, "title"), "severity", json_object_get(row, "severity"),
                                       "occasion", json_object_get(row, "occasion") ? json_object_get(row, "occasion") : nothing, "team",
                                       other ? json_object_get(other, "team") : nothing, "recorded_team", recorded ? json_object_get(recorded, "team") : nothing,
                                       "incident", other ? json_object_get(other, "number") : nothing, "recorded_incident",
                                       recorded ? json_object_get(recorded, "number") : nothing, "alerts", json_object_get(row, "names"), "reason", reason);
        pairing->failed |= !difference || json_array_append_new(pairing->out, difference) != 0;
}

static const char *what_of(const json_t *recorded, const json_t *other)
{
        return json_flag(recorded, "is_page", false) || json_flag(other, "is_page", false) ? "page" : "message";
}

static void add_alone(struct pairing *pairing, const struct side *side, const struct side *against, bool is_recorded, const char *time_key, bool is_incident)
{
        static const char *const kinds[2][2] = {{"sent", "missed"}, {"opened", "not opened"}};
        for (size_t i = 0; i < side->count; i++) {
                scoped(buf_done) struct buf reason = {0};
                const json_t *row = json_array_get(side->rows, i);
                if (side->mates[i])
                        continue;
                explain(against->outcome, row, time_key, is_recorded, &reason);
                buf_byte(&reason, 0);
                add(pairing, is_incident ? "incident" : what_of(row, NULL), kinds[is_incident][is_recorded], is_recorded ? row : NULL,
                    is_recorded ? NULL : row, time_key, reason.failed ? "" : reason.bytes);
        }
}

static bool start(struct pairing *pairing, const json_t *recorded, const json_t *other, const char *key, json_t *out)
{
        *pairing = (struct pairing){.recorded = {json_object_get(recorded, key), recorded, 0, NULL}, .other = {json_object_get(other, key), other, 0, NULL}, .out = out};
        pairing->recorded.count = json_array_size(pairing->recorded.rows);
        pairing->other.count = json_array_size(pairing->other.rows);
        pairing->recorded.mates = calloc(pairing->recorded.count + 1, sizeof(size_t));
        pairing->other.mates = calloc(pairing->other.count + 1, sizeof(size_t));
        return pairing->recorded.mates && pairing->other.mates;
}

static void pairing_done(struct pairing *pairing)
{
        free(pairing->recorded.mates);
        free(pairing->other.mates);
}

/* --- messages -------------------------------------------------------------------------------------------------------------- */

static bool is_same_message(const json_t *one, const json_t *other)
{
        return is_equal(one, other, "occasion") && is_equal(one, other, "team");
}

static bool is_same_occasion(const json_t *one, const json_t *other)
{
        return is_equal(one, other, "occasion");
}

static void compare_messages(struct pairing *pairing, const json_t *recorded, const json_t *other)
{
        char text[200];
        int64_t apart_ns = time_of(other, "time_ns") - time_of(recorded, "time_ns");
        const char *what = what_of(recorded, other), *team = json_string_value(json_object_get(recorded, "team"));
        bool pages = json_flag(other, "is_page", false);
        if (!is_equal(recorded, other, "team")) {
                snprintf(text, sizeof text, "it leads to team %s instead of %s", json_string_value(json_object_get(other, "team")), team);
                add(pairing, what, "moved", recorded, other, "time_ns", text);
        } else if (pages != json_flag(recorded, "is_page", false)) {
                snprintf(text, sizeof text, "it is %s, and %s", json_string_value(json_object_get(other, "severity")),
                         pages ? "wakes somebody now" : "wakes nobody any more");
                add(pairing, what, pages ? "woke" : "calm", recorded, other, "time_ns", text);
        } else if (apart_ns >= OTHER_TIME_NS || apart_ns <= -OTHER_TIME_NS) {
                snprintf(text, sizeof text, "%" PRId64 " s %s", (apart_ns < 0 ? -apart_ns : apart_ns) / NS_PER_S, apart_ns < 0 ? "earlier" : "later");
                add(pairing, what, apart_ns < 0 ? "earlier" : "later", recorded, other, "time_ns", text);
        } else if (!is_equal(recorded, other, "to")) {
                char *mine = json_dumps(json_object_get(recorded, "to"), JSON_COMPACT), *theirs = json_dumps(json_object_get(other, "to"), JSON_COMPACT);
                snprintf(text, sizeof text, "%.90s instead of %.90s", theirs ? theirs : "?", mine ? mine : "?");
                add(pairing, what, "others", recorded, other, "time_ns", text);
                free(mine);
                free(theirs);
        }
}

static bool diff_messages(const json_t *recorded, const json_t *other, json_t *out)
{
        scoped(pairing_done) struct pairing pairing;
        if (!start(&pairing, recorded, other, "told", out))
                return false;
        pair_nearest(&pairing, "time_ns", is_same_message);
        pair_nearest(&pairing, "time_ns", is_same_occasion);
        for (size_t i = 0; i < pairing.recorded.count; i++)
                if (pairing.recorded.mates[i])
                        compare_messages(&pairing, json_array_get(pairing.recorded.rows, i), json_array_get(pairing.other.rows, pairing.recorded.mates[i] - 1));
        add_alone(&pairing, &pairing.recorded, &pairing.other, true, "time_ns", false);
        add_alone(&pairing, &pairing.other, &pairing.recorded, false, "time_ns", false);
        return !pairing.failed;
}

/* --- incidents -------------------------------------------------------------------------------------------------------------- */

static bool is_any(const json_t *one, const json_t *other)
{
        (void)one, (void)other;
        return true;
}

/* One that stands alone but shares alerts with one that has a mate came from it, or went into it. */
static bool has_gone_with(const struct pairing *pairing, const json_t *row, const struct side *against)
{
        for (size_t k = 0; k < against->count; k++) {
                const json_t *other = json_array_get(against->rows, k);
                if (against->mates[k] && shares_alerts(row, other) && distance(row, other, "opened_ns") <= NEAR_NS)
                        return true;
        }
        (void)pairing;
        return false;
}

static void tell_divided(struct pairing *pairing, struct side *side, const struct side *against, bool is_recorded)
{
        for (size_t i = 0; i < side->count; i++) {
                const json_t *row = json_array_get(side->rows, i);
                if (side->mates[i] || !has_gone_with(pairing, row, against))
                        continue;
                side->mates[i] = SIZE_MAX; /* told here */
                add(pairing, "incident", is_recorded ? "joined" : "split", is_recorded ? row : NULL, is_recorded ? NULL : row, "opened_ns",
                    is_recorded ? "its alerts are part of another incident with the other configuration" :
                                  "its alerts were part of another incident as it was recorded");
        }
}

static bool diff_incidents(const json_t *recorded, const json_t *other, json_t *out)
{
        scoped(pairing_done) struct pairing pairing;
        if (!start(&pairing, recorded, other, "incidents", out))
                return false;
        pair_nearest(&pairing, "opened_ns", is_any);
        for (size_t i = 0; i < pairing.recorded.count; i++) {
                const json_t *row = json_array_get(pairing.recorded.rows, i);
                const json_t *mate = pairing.recorded.mates[i] ? json_array_get(pairing.other.rows, pairing.recorded.mates[i] - 1) : NULL;
                char text[100];
                if (!mate || is_equal(row, mate, "severity"))
                        continue;
                snprintf(text, sizeof text, "%s instead of %s", json_string_value(json_object_get(mate, "severity")), json_string_value(json_object_get(row, "severity")));
                add(&pairing, "incident", "severity", row, mate, "opened_ns", text);
        }
        tell_divided(&pairing, &pairing.recorded, &pairing.other, true);
        tell_divided(&pairing, &pairing.other, &pairing.recorded, false);
        add_alone(&pairing, &pairing.recorded, &pairing.other, true, "opened_ns", true);
        add_alone(&pairing, &pairing.other, &pairing.recorded, false, "opened_ns", true);
        return !pairing.failed;
}

/* --- order ------------------------------------------------------------------------------------------------------------------ */

static int by_time(const void *one, const void *other)
{
        int64_t a = time_of(*(json_t *const *)one, "time_ns"), b = time_of(*(json_t *const *)other, "time_ns");
        return a < b ? -1 : a > b;
}

/* In order of time; pages and messages before incidents of the same time, as they were found. */
static json_t *in_order(const json_t *list)
{
        size_t count = json_array_size(list);
        json_t **rows = calloc(count + 1, sizeof *rows), *sorted = json_array();
        for (size_t i = 0; rows && i < count; i++)
                rows[i] = json_array_get(list, i);
        if (rows)
                qsort(rows, count, sizeof *rows, by_time); /* glibc merges: equal ones keep their order */
        for (size_t i = 0; rows && sorted && i < count; i++)
                if (json_array_append(sorted, rows[i]) != 0) {
                        json_decref(sorted);
                        sorted = NULL;
                }
        free(rows);
        return rows ? sorted : NULL;
}

json_t *replay_diff(const json_t *recorded, const json_t *other, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        json_t *sorted = NULL;
        if (!list || !diff_messages(recorded, other, list) || !diff_incidents(recorded, other, list) || !(sorted = in_order(list)))
                fail_memory(err, "replay", 4096);
        return sorted;
}
