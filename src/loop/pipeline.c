/*
 * pipeline.c - see pipeline.h. The diagram on the wall, right half:
 *
 *      workers: fold -> noticed --gather--> register -> observe (rules, budget) -> engage -> act
 *                                                                                 '-> dirty -> state.db -> effects
 *
 * Only the order stands here; what a stage does is its own.
 */
#include "loop/pipeline.h"

#include "base/scope.h"
#include "model/noticed.h"
#include "observe/observe.h"
#include "store/database.h"

#include <stdlib.h>
#include <string.h>

struct pipeline {
        struct observe *observe;
        struct command_sink sink;
        struct noticed noticed;
};

bool pipeline_create(const struct pipeline_options *options, struct pipeline **out_pipeline, struct err *err)
{
        struct pipeline *pipeline = calloc(1, sizeof *pipeline);
        if (!pipeline)
                return fail_memory(err, "pipeline", sizeof *pipeline);
        pipeline->observe = options->observe;
        pipeline->sink = options->sink;
        noticed_init(&pipeline->noticed);
        *out_pipeline = pipeline;
        return true;
}

void pipeline_destroy(struct pipeline *pipeline)
{
        if (!pipeline)
                return;
        noticed_done(&pipeline->noticed);
        free(pipeline);
}

bool pipeline_load(struct pipeline *pipeline, struct database *state, struct err *err)
{
        return observe_load(pipeline->observe, state, err);
}

bool pipeline_carry(struct pipeline *pipeline, const struct batch *batch, int64_t time_ns, struct err *err)
{
        return observe_carry(pipeline->observe, batch, time_ns, err);
}

bool pipeline_forget(struct pipeline *pipeline, struct err *err)
{
        bool good = observe_gather(pipeline->observe, &pipeline->noticed, err);
        noticed_clear(&pipeline->noticed);
        return good;
}

bool pipeline_drain(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        (void)sequence;
        (void)time_ns;
        if (!observe_gather(pipeline->observe, &pipeline->noticed, err))
                return false;
        noticed_clear(&pipeline->noticed);
        return true;
}

bool pipeline_tick(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        if (!observe_gather(pipeline->observe, &pipeline->noticed, err) ||
            !observe_tick(pipeline->observe, sequence, time_ns, &pipeline->noticed, err))
                return false;
        noticed_clear(&pipeline->noticed);
        return true;
}

bool pipeline_handles(const char *verb)
{
        (void)verb;
        return false;
}

bool pipeline_command(struct pipeline *pipeline, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                      int64_t time_ns, json_t **out_result, struct err *err)
{
        (void)pipeline;
        (void)arguments;
        (void)by;
        (void)sequence;
        (void)time_ns;
        (void)out_result;
        return fail(err, ERR_NOT_FOUND, "loop", "there is no command %s; a newer version may know it", verb);
}

bool pipeline_is_dirty(const struct pipeline *pipeline)
{
        return observe_is_dirty(pipeline->observe);
}

bool pipeline_write(struct pipeline *pipeline, struct database *state, struct err *err)
{
        return observe_write(pipeline->observe, state, err);
}

void pipeline_written(struct pipeline *pipeline)
{
        observe_written(pipeline->observe);
}

bool pipeline_start(struct pipeline *pipeline, struct err *err)
{
        (void)pipeline;
        (void)err;
        return true;
}

void pipeline_stop(struct pipeline *pipeline)
{
        (void)pipeline;
}
