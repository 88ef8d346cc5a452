/*
 * observe.c - see observe.h. Joins the detectors, each of which is a file of its own; only the order stands here.
 *
 * A partition's list is written by the worker that owns the partition and emptied by the pipeline's thread between rounds, so
 * it needs no lock.
 */
#include "observe/observe.h"

#include "base/scope.h"
#include "store/logs.h"

#include <stdlib.h>

struct observe {
        struct observe_options options;
        struct noticed partitions[PARTITIONS];
        struct noticed carried;
};

const struct fold_part fold_parts[] = {
        {0},
};

bool observe_create(const struct observe_options *options, struct observe **out_observe, struct err *err)
{
        struct observe *observe = calloc(1, sizeof *observe);
        if (!observe)
                return fail_memory(err, "observe", sizeof *observe);
        observe->options = *options;
        noticed_init(&observe->carried);
        for (int p = 0; p < PARTITIONS; p++)
                noticed_init(&observe->partitions[p]);
        *out_observe = observe;
        return true;
}

void observe_destroy(struct observe *observe)
{
        if (!observe)
                return;
        noticed_done(&observe->carried);
        for (int p = 0; p < PARTITIONS; p++)
                noticed_done(&observe->partitions[p]);
        free(observe);
}

bool observe_fold(struct observe *observe, const struct fold *fold, struct err *err)
{
        (void)observe;
        (void)fold;
        (void)err;
        return true;
}

bool observe_carry(struct observe *observe, const struct batch *batch, int64_t time_ns, struct err *err)
{
        each (finding, &batch->telemetry.findings) {
                struct finding timed = *finding;
                timed.starts_ns = timed.starts_ns ? timed.starts_ns : time_ns;
                if (!noticed_add_finding(&observe->carried, &timed, err))
                        return false;
        }
        each (change, &batch->telemetry.changes) {
                struct change_event timed = *change;
                timed.time_ns = timed.time_ns ? timed.time_ns : time_ns;
                if (!noticed_add_change(&observe->carried, &timed, err))
                        return false;
        }
        return true;
}

bool observe_gather(struct observe *observe, struct noticed *out_noticed, struct err *err)
{
        if (!noticed_move(&observe->carried, out_noticed, err))
                return false;
        for (int p = 0; p < PARTITIONS; p++)
                if (!noticed_move(&observe->partitions[p], out_noticed, err))
                        return false;
        return true;
}

bool observe_check_configuration(struct observe *observe, const json_t *content, struct err *err)
{
        (void)observe;
        (void)content;
        (void)err;
        return true;
}

bool observe_configure(struct observe *observe, const json_t *content, struct err *err)
{
        (void)observe;
        (void)content;
        (void)err;
        return true;
}

bool observe_load(struct observe *observe, struct database *state, struct err *err)
{
        (void)observe;
        (void)state;
        (void)err;
        return true;
}

bool observe_tick(struct observe *observe, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        (void)observe;
        (void)sequence;
        (void)time_ns;
        (void)noticed;
        (void)err;
        return true;
}

bool observe_is_dirty(const struct observe *observe)
{
        (void)observe;
        return false;
}

bool observe_write(struct observe *observe, struct database *state, struct err *err)
{
        (void)observe;
        (void)state;
        (void)err;
        return true;
}

void observe_written(struct observe *observe)
{
        (void)observe;
}
