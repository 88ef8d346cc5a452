/*
 * trust.c - how much a runbook may do by itself, for one signature and class of targets, and why.
 *
 *      suggest    it is shown with the incident
 *      approve    people are asked
 *      auto       it goes ahead, under the guards
 *
 * An administrator says how far it may go; the numbers say whether it has earned that: enough verified successes, a credible interval that lies
 * high, and oftener than waiting would have helped. A standard change goes ahead without the numbers. A harmful run sends both back to suggest.
 */
#include "act/act_state.h"
#include "base/hash.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

#define AUTO_VERIFIED 5
#define AUTO_LOW 0.6
#define AUTO_BEATS_WAITING 0.9

uint64_t trust_class(struct str kind)
{
        return hash64(kind);
}

struct posterior_key trust_key(const struct run *run)
{
        return (struct posterior_key){hash64(run_fact(run, "runbook")), run->signature, trust_class(run_fact(run, "target_kind"))};
}

static enum autonomy setting_of(const struct act *act, const struct runbook *runbook)
{
        enum autonomy level = AUTONOMY_SUGGEST;
        const json_t *setting = json_object_getn(act->settings, runbook->name.bytes, runbook->name.length);
        if (setting)
                autonomy_parse(json_str(setting, "level"), &level);
        else if (runbook->is_standard_change)
                level = AUTONOMY_AUTO;
        return level;
}

static enum autonomy decide(const struct act *act, const struct runbook *runbook, const struct posterior_belief *belief, const char **out_reason)
{
        enum autonomy level = setting_of(act, runbook);
        if (belief->is_demoted) {
                *out_reason = "it did harm here and has not made up for it yet";
                return AUTONOMY_SUGGEST;
        }
        if (level != AUTONOMY_AUTO) {
                *out_reason = level == AUTONOMY_APPROVE ? "an administrator lets it ask" : "nobody gave it more";
                return level;
        }
        if (runbook->is_standard_change) {
                *out_reason = "it is a standard change, approved beforehand";
                return AUTONOMY_AUTO;
        }
        bool is_earned = belief->verified >= AUTO_VERIFIED && belief->low >= AUTO_LOW && belief->beats_healing >= AUTO_BEATS_WAITING;
        *out_reason = is_earned ? "it helped often enough, and oftener than waiting" : "it may go ahead by itself once it has helped often enough, and oftener than waiting";
        return is_earned ? AUTONOMY_AUTO : AUTONOMY_APPROVE;
}

json_t *trust_of(const struct act *act, const struct runbook *runbook, struct posterior_key key, enum autonomy *out_autonomy)
{
        struct posterior_belief belief;
        const char *reason;
        posterior_read(act->posterior, key, &belief);
        *out_autonomy = decide(act, runbook, &belief, &reason);
        return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:b, s:i, s:b}", "autonomy", autonomy_name(*out_autonomy), "allowed",
                         autonomy_name(setting_of(act, runbook)), "reason", reason, "verified", (int)belief.verified, "failed", (int)belief.failed, "harmful",
                         (int)belief.harmful, "mean", belief.mean, "low", belief.low, "high", belief.high, "heals_by_itself", belief.heal_mean, "beats_waiting",
                         belief.beats_healing, "is_demoted", belief.is_demoted, "until_trusted", (int)belief.until_trusted, "is_standard_change",
                         runbook->is_standard_change);
}

/* --- what people see --------------------------------------------------------------------------------------------------------- */

/* The posterior knows hashes; people want to know what they stand for. */
static bool remember_cell(struct act *act, const struct run *run, struct err *err)
{
        struct str runbook = run_fact(run, "runbook");
        json_t *list = json_object_getn(act->cells, runbook.bytes, runbook.length), *one;
        char signature[24];
        size_t i;
        if (!list && json_object_setn_new(act->cells, runbook.bytes, runbook.length, list = json_array()) != 0)
                return fail_memory(err, "act", sizeof *list);
        snprintf(signature, sizeof signature, "%" PRIu64, run->signature);
        json_array_foreach (list, i, one)
                if (str_is(json_str(one, "id"), signature) && str_equal(json_str(one, "target_kind"), run_fact(run, "target_kind")))
                        return true;
        if (json_array_size(list) >= ACT_CELLS_MAX)
                json_array_remove(list, 0);
        one = json_pack("{s:s, s:o, s:o}", "id", signature, "signature", run_text(run_fact(run, "signature")), "target_kind", run_text(run_fact(run, "target_kind")));
        return json_array_append_new(list, one) == 0 || fail_memory(err, "act", sizeof *one);
}

json_t *trust_whole(const struct act *act, const struct runbook *runbook)
{
        enum autonomy autonomy;
        struct posterior_totals totals = posterior_totals(act->posterior, hash64(runbook->name));
        struct posterior_key any = {hash64(runbook->name), 0, trust_class(runbook->parameters.items[runbook->target].kind)};
        scoped_ptr(json_decref) json_t *whole = trust_of(act, runbook, any, &autonomy), *list = json_array();
        json_t *known;
        size_t i;
        json_array_foreach (json_object_getn(act->cells, runbook->name.bytes, runbook->name.length), i, known) {
                struct posterior_key key = any;
                str_to_u64(json_str(known, "id"), &key.signature);
                key.target_class = trust_class(json_str(known, "target_kind"));
                json_t *one = trust_of(act, runbook, key, &autonomy);
                if (!one || json_object_set(one, "signature", json_object_get(known, "signature")) != 0 ||
                    json_object_set(one, "target_kind", json_object_get(known, "target_kind")) != 0 || json_array_append(list, one) != 0) {
                        json_decref(one);
                        return NULL;
                }
                json_decref(one);
        }
        json_t *wants = json_pack("{s:i, s:f, s:f}", "verified", AUTO_VERIFIED, "low", AUTO_LOW, "beats_waiting", AUTO_BEATS_WAITING);
        if (!whole || !list || json_object_set_new(whole, "wants", wants) != 0 || json_object_set(whole, "known", list) != 0 ||
            json_object_set_new(whole, "verified", json_integer(totals.verified)) != 0 || json_object_set_new(whole, "failed", json_integer(totals.failed)) != 0 ||
            json_object_set_new(whole, "harmful", json_integer(totals.harmful)) != 0)
                return NULL;
        return give(whole);
}

/* --- counting --------------------------------------------------------------------------------------------------------------- */

static enum posterior_outcome counted_as(enum run_state outcome)
{
        return outcome == RUN_SUCCEEDED ? POSTERIOR_VERIFIED : outcome == RUN_HARMFUL ? POSTERIOR_HARMFUL : POSTERIOR_FAILED;
}

/* What a run counts as stands in its story, so that each counts once whoever judges it how often. */
void trust_take_back(struct act *act, struct run *run)
{
        int64_t counted = json_i64(run->story, "counted_as", 0);
        if (!counted || !posterior_take_back(act->posterior, trust_key(run), counted_as((enum run_state)counted)))
                return;
        json_object_del(run->story, "counted_as");
        act->is_belief_dirty = run->is_dirty = true;
}

bool trust_record(struct act *act, struct run *run, enum run_state outcome, struct err *err)
{
        act->is_belief_dirty = true;
        return remember_cell(act, run, err) && run_tell(run, "counted_as", json_integer(outcome), err) &&
               posterior_record(act->posterior, trust_key(run), counted_as(outcome), err);
}
