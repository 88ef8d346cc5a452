/*
 * engage_store.c - engage's memory and its rows: loaded at the start, written inside the pipeline's transaction.
 *
 * Writing changes nothing in memory but the cases of the past, which twice is once, so that it may be done again after a failed commit; engage_written forgets what was
 * dirty. Rows have keys of their own and are added or replaced, so that writing twice is writing once.
 */
#include "base/scope.h"
#include "engage/alert_table.h"
#include "engage/engage_state.h"
#include "engage/incident_table.h"
#include "store/database.h"

#define INCIDENTS_KEPT_NS ((int64_t)730 * 86400 * 1000000000)
#define ROWS_KEPT_NS ((int64_t)90 * 86400 * 1000000000)

const char engage_schema[] = ALERT_SCHEMA INCIDENT_SCHEMA;
const char engage_evidence_schema[] = EVIDENCE_SCHEMA;

static bool take_learned(void *context, const struct learned_row *row, struct err *err)
{
        struct engage *engage = context;
        return learned_add(engage->learned, row->pair, row->one, row->other, row->together, row->apart, row->changed_ns, err);
}

static bool take_seen(void *context, uint64_t same, uint32_t incidents, struct err *err)
{
        struct engage *engage = context;
        return correlator_remember(engage->correlator, same, incidents, err);
}

static bool take_group(void *context, uint32_t serial, struct str bytes, struct err *err)
{
        struct engage *engage = context;
        return correlator_restore(engage->correlator, serial, bytes, err);
}

static bool take_change(void *context, const struct change_note *note, struct err *err)
{
        return engage_keep_change(context, note, err) && engage_place_change(context, note, err);
}

bool engage_load(struct engage *engage, struct database *state, int64_t newest_ns, struct err *err)
{
        engage->now_ns = newest_ns;
        if (!incident_rows_load(state, newest_ns - INCIDENT_KEPT_NS, engage->incidents, err) ||
            !alert_rows_load(state, newest_ns - ALERT_KEPT_NS, engage->alerts, err) ||
            !learned_rows_load(state, take_learned, engage, err) || !ledger_rows_load(state, 1000, engage_take_ledger, engage, err) ||
            !engage_routing_load(engage, state, err) || !engage_past_load(engage, state, err) ||
            !seen_rows_load(state, take_seen, engage, err) || !group_rows_load(state, take_group, engage, err) ||
            !change_rows_load(state, CORRELATE_CHANGES_MAX, take_change, engage, err))
                return err_within(err, "loading alerts and incidents");
        learned_clean(engage->learned);
        struct incident *incident;
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));)
                if (incident_is_alive(incident))
                        engage_count_again(engage, incident);
        correlator_clean(engage->correlator);
        return true;
}

bool engage_is_dirty(const struct engage *engage)
{
        return engage->timeline.count || engage->members.count || engage->whys.count || engage->changes.count || engage->ledger.count ||
               alerts_dirty(engage->alerts, 0) || incidents_dirty(engage->incidents, 0) || learned_is_dirty(engage->learned) ||
               engage_routing_is_dirty(engage) || engage_past_is_dirty(engage) || correlator_is_dirty(engage->correlator);
}

static bool write_learned(struct engage *engage, struct database *state, struct err *err)
{
        struct learned_pair *pair;
        for (size_t at = 0; learned_is_dirty(engage->learned) && (pair = learned_next(engage->learned, &at));) {
                struct learned_row row = {pair->pair, str_of(pair->one), str_of(pair->other), pair->together, pair->apart, pair->changed_ns};
                if (pair->is_dirty && !learned_row_write(state, &row, err))
                        return false;
        }
        return true;
}

static bool write_lists(struct engage *engage, struct database *state, struct err *err)
{
        each (change, &engage->members)
                if (!member_row_write(state, change, err))
                        return false;
        each (entry, &engage->timeline)
                if (!timeline_row_write(state, entry, err))
                        return false;
        each (why, &engage->whys)
                if (!why_row_write(state, why, err))
                        return false;
        each (note, &engage->changes)
                if (!change_row_write(state, note, err))
                        return false;
        each (entry, &engage->ledger)
                if (!ledger_row_write(state, entry, err))
                        return false;
        return true;
}

static bool write_group(void *context, uint32_t serial, struct str bytes, struct err *err)
{
        return group_row_write(context, serial, bytes, err);
}

static bool write_seen(void *context, uint64_t same, uint32_t incidents, struct err *err)
{
        return seen_row_write(context, same, incidents, err);
}

bool engage_write(struct engage *engage, struct database *state, struct err *err)
{
        const struct alert *alert;
        const struct incident *incident;
        for (size_t at = 0; (alert = alerts_dirty(engage->alerts, at)); at++)
                if (!alert_row_write(state, alert, err))
                        return err_within(err, "writing an alert");
        for (size_t at = 0; (incident = incidents_dirty(engage->incidents, at)); at++)
                if (!incident_row_write(state, incident, err) || !engage_past_note(engage, incident, err))
                        return err_within(err, "writing incident %u", incident->number);
        if (!write_lists(engage, state, err) || !write_learned(engage, state, err) || !engage_routing_write(engage, state, err) || !engage_past_write(engage, state, err) ||
            !correlator_save(engage->correlator, &(struct correlator_rows){state, write_group, write_seen}, err))
                return err_within(err, "writing what happened to incidents");
        return !engage->is_retention_due || (alert_rows_forget(state, engage->now_ns - ROWS_KEPT_NS, err) &&
                                                          incident_rows_forget(state, engage->now_ns - ROWS_KEPT_NS, engage->now_ns - INCIDENTS_KEPT_NS, err));
}

void engage_written(struct engage *engage)
{
        alerts_clean(engage->alerts);
        incidents_clean(engage->incidents);
        learned_clean(engage->learned);
        correlator_clean(engage->correlator);
        engage_routing_written(engage);
        engage_past_written(engage);
        arena_reset(&engage->pending);
        engage->timeline.items = NULL, engage->timeline.count = engage->timeline.capacity = 0;
        engage->members.items = NULL, engage->members.count = engage->members.capacity = 0;
        engage->whys.items = NULL, engage->whys.count = engage->whys.capacity = 0;
        engage->changes.items = NULL, engage->changes.count = engage->changes.capacity = 0;
        engage->ledger.items = NULL, engage->ledger.count = engage->ledger.capacity = 0;
        engage->is_retention_due = false;
}
