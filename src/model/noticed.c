/* noticed.c - see noticed.h. Four lists that are filled alike. */
#include "model/noticed.h"

#include "base/scope.h"

void noticed_init(struct noticed *noticed)
{
        *noticed = (struct noticed){0};
        arena_init(&noticed->arena, 0);
}

void noticed_done(struct noticed *noticed)
{
        arena_done(&noticed->arena);
        *noticed = (struct noticed){0};
}

void noticed_clear(struct noticed *noticed)
{
        uint64_t dropped = noticed->dropped;
        struct arena arena = noticed->arena;
        arena_done(&arena); /* there is one for each partition, and most have nothing to tell most of the time */
        *noticed = (struct noticed){.arena = arena, .dropped = dropped};
}

static bool is_full(struct noticed *noticed, size_t count)
{
        noticed->dropped += count >= NOTICED_MAX;
        return count >= NOTICED_MAX;
}

bool noticed_add_anomaly(struct noticed *noticed, const struct anomaly *anomaly, struct err *err)
{
        if (is_full(noticed, noticed->anomalies.count))
                return true;
        struct anomaly copy = *anomaly;
        if (!labels_copy(&anomaly->labels, &noticed->arena, &copy.labels) || !text_copy(anomaly->sentence, &noticed->arena, &copy.sentence) ||
            !text_copy(anomaly->evidence, &noticed->arena, &copy.evidence))
                return fail_memory(err, "noticed", sizeof copy);
        struct anomaly *kept = arena_push(&noticed->arena, &noticed->anomalies);
        if (!kept)
                return fail_memory(err, "noticed", sizeof copy);
        *kept = copy;
        return true;
}

bool noticed_add_finding(struct noticed *noticed, const struct finding *finding, struct err *err)
{
        struct finding copy;
        if (is_full(noticed, noticed->findings.count))
                return true;
        if (!finding_copy(finding, &noticed->arena, &copy, err))
                return false;
        struct finding *kept = arena_push(&noticed->arena, &noticed->findings);
        if (!kept)
                return fail_memory(err, "noticed", sizeof copy);
        *kept = copy;
        return true;
}

bool noticed_add_change(struct noticed *noticed, const struct change_event *change, struct err *err)
{
        struct change_event copy;
        if (is_full(noticed, noticed->changes.count))
                return true;
        if (!change_event_copy(change, &noticed->arena, &copy, err))
                return false;
        struct change_event *kept = arena_push(&noticed->arena, &noticed->changes);
        if (!kept)
                return fail_memory(err, "noticed", sizeof copy);
        *kept = copy;
        return true;
}

bool noticed_add_resource(struct noticed *noticed, const struct resource_seen *resource, struct err *err)
{
        if (is_full(noticed, noticed->resources.count))
                return true;
        struct resource_seen copy = *resource;
        if (!labels_copy(&resource->labels, &noticed->arena, &copy.labels))
                return fail_memory(err, "noticed", sizeof copy);
        struct resource_seen *kept = arena_push(&noticed->arena, &noticed->resources);
        if (!kept)
                return fail_memory(err, "noticed", sizeof copy);
        *kept = copy;
        return true;
}

bool noticed_move(struct noticed *from, struct noticed *to, struct err *err)
{
        if (noticed_is_empty(from) && !from->dropped)
                return true;
        struct noticed before = *to; /* the lists' ends: what memory took half way is cut off again */
        bool good = true;
        each (anomaly, &from->anomalies)
                good = good && noticed_add_anomaly(to, anomaly, err);
        each (finding, &from->findings)
                good = good && noticed_add_finding(to, finding, err);
        each (change, &from->changes)
                good = good && noticed_add_change(to, change, err);
        each (resource, &from->resources)
                good = good && noticed_add_resource(to, resource, err);
        if (!good) {
                to->anomalies.count = before.anomalies.count;
                to->findings.count = before.findings.count;
                to->changes.count = before.changes.count;
                to->resources.count = before.resources.count;
                to->dropped = before.dropped;
                return false;
        }
        to->dropped += from->dropped;
        from->dropped = 0;
        noticed_clear(from);
        return true;
}
