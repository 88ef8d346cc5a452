/* run.c - see run.h. A run is one JSON document beside its few numbers: it is written rarely, and read as it is. */
#include "act/run.h"

#include "base/json.h"
#include "base/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const state_names[] = {"", "proposed", "approved", "rejected", "running", "verifying", "succeeded", "failed", "harmful", "interrupted", "stopped", "withdrawn"};

const char *run_state_name(enum run_state state)
{
        return state_names[state];
}

struct run *run_create(struct err *err)
{
        struct run *run = calloc(1, sizeof *run);
        if (run) {
                run->facts = json_object();
                run->story = json_object();
        }
        if (run && run->facts && run->story)
                return run;
        run_destroy(run);
        fail_memory(err, "act", sizeof *run);
        return NULL;
}

void run_destroy(struct run *run)
{
        if (!run)
                return;
        json_decref(run->facts);
        json_decref(run->story);
        free(run);
}

struct str run_fact(const struct run *run, const char *key)
{
        return json_str(run->facts, key);
}

const json_t *run_step_plan(const struct run *run, uint32_t step)
{
        return json_array_get(json_object_get(run->facts, "plan"), step);
}

json_t *run_text(struct str text)
{
        scoped(buf_done) struct buf plain = {0};
        if (!text.length || str_is_utf8(text))
                return json_stringn(text.length ? text.bytes : "", text.length);
        for (size_t i = 0; i < text.length; i++)
                buf_byte(&plain, (unsigned char)text.bytes[i] < 0x80 ? text.bytes[i] : '?');
        return plain.failed ? NULL : json_stringn(plain.bytes, plain.length);
}

bool run_tell(struct run *run, const char *key, json_t *value, struct err *err)
{
        run->is_dirty = true;
        return json_object_set_new(run->story, key, value) == 0 || fail_memory(err, "act", sizeof *value);
}

static bool set_id(json_t *json, const char *key, uint64_t id)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, id);
        return json_object_set_new(json, key, json_string(text)) == 0;
}

static uint64_t id_of(const json_t *json, const char *key)
{
        uint64_t id = 0;
        str_to_u64(json_str(json, key), &id);
        return id;
}

/* Numbers that a run's document has beside names and ids. */
#define NUMBERS(N) N(proposed_ns) N(decided_ns) N(started_ns) N(steps_ended_ns) N(ended_ns) N(step) N(attempt) N(place) N(due_ns) N(begun_ns) \
        N(good_since_ns) N(harm_since_ns) N(number) N(incident_number)

json_t *run_json(const struct run *run)
{
        scoped_ptr(json_decref) json_t *json = json_pack("{s:s, s:b, s:O, s:O}", "state", run_state_name(run->state), "is_auto", run->is_auto, "facts", run->facts,
                                                         "story", run->story);
        bool good = json && set_id(json, "id", run->id) && set_id(json, "incident", run->incident) && set_id(json, "target", run->target) &&
                    set_id(json, "signature", run->signature);
#define N(name) good = good && json_object_set_new(json, #name, json_integer((json_int_t)run->name)) == 0;
        NUMBERS(N)
#undef N
        return good ? give(json) : NULL;
}

struct run *run_of_json(const json_t *json, struct err *err)
{
        struct run *run = run_create(err);
        if (!run)
                return NULL;
        json_object_update(run->facts, json_object_get(json, "facts"));
        json_object_update(run->story, json_object_get(json, "story"));
        run->id = id_of(json, "id");
        run->incident = id_of(json, "incident");
        run->target = id_of(json, "target");
        run->signature = id_of(json, "signature");
        run->is_auto = json_flag(json, "is_auto", false);
#define N(name) run->name = (__typeof__(run->name))json_i64(json, #name, 0);
        NUMBERS(N)
#undef N
        for (size_t i = 1; i < countof(state_names); i++)
                if (str_is(json_str(json, "state"), state_names[i]))
                        run->state = (enum run_state)i;
        if (run->state && run->id && json_is_object(json_object_get(json, "facts")))
                return run;
        run_destroy(run);
        fail(err, ERR_CORRUPT, "act", "a run in the state database cannot be read; restore state.db from a backup");
        return NULL;
}
