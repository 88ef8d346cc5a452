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

bool trust_record(struct act *act, const struct run *run, enum run_state outcome, struct err *err)
{
        enum posterior_outcome counted = outcome == RUN_SUCCEEDED ? POSTERIOR_VERIFIED : outcome == RUN_HARMFUL ? POSTERIOR_HARMFUL : POSTERIOR_FAILED;
        act->is_belief_dirty = true;
        return posterior_record(act->posterior, trust_key(run), counted, err);
}
