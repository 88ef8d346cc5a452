/*
 * api_runs.c - runbooks and their runs: what is proposed, what exactly would run, what ran and what came of it; approving, rejecting, stopping.
 *
 * Reading goes to the state database through the server's reader; whatever changes something is a command in the asker's name. A run that is proposed is
 * its own dry run: facts.plan has the very words.
 */
#include "act/act.h"
#include "act/act_table.h"
#include "act/freeze.h"
#include "act/draft.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/incident_table.h"
#include "loop/state_table.h"
#include "reach/launch_allow.h"
#include "reach/launcher.h"
#include "serve/server.h"

#include <stdio.h>

#define RUNS_LISTED_MAX 1000

static bool answer(struct request *request, json_t *object, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = object;
        return body ? request_answer_json(request, 200, body, err) : fail_memory(err, "serve", sizeof(void *));
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static bool read_part(struct server *server, const char *name, json_t **out_part, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        bool found;
        with_lock(&server->reader_lock);
        if (!act_part_read(server->reader, name, &text, &found, err))
                return false;
        *out_part = found ? json_parse(buf_str(&text), err) : json_null();
        return *out_part;
}

/* What is believed of a runbook is kept by signature and kind of target; its runs are what all of them did. */
static bool add_count(void *context, struct str runbook, struct str run_state, int64_t count, struct err *err)
{
        size_t i;
        json_t *item;
        json_array_foreach ((json_t *)context, i, item)
                if (str_equal(json_str(item, "name"), runbook) &&
                    json_object_setn_new(json_object_get(item, "runs"), run_state.bytes, run_state.length, json_integer(count)) != 0)
                        return fail_memory(err, "serve", sizeof *item);
        return true;
}

bool runbooks_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *list = NULL;
        size_t i;
        json_t *item;
        if (!read_part(server, "runbooks", &list, err))
                return false;
        json_array_foreach (list, i, item)
                if (json_object_set_new(item, "runs", json_object()) != 0)
                        return fail_memory(err, "serve", sizeof *item);
        with_lock(&server->reader_lock);
        return run_counts_visit(server->reader, add_count, list, err) && answer(request, json_pack("{s:o}", "runbooks", json_is_array(list) ? json_incref(list) : json_array()), err);
}

/* Freezes as declared, and the one that holds now. */
static bool read_freezes(struct request *request, json_t **out_freezes, json_t **out_holding, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *content = NULL, *freezes = json_array();
        struct str name;
        size_t i;
        json_t *file;
        {
                with_lock(&server->reader_lock);
                if (!state_read_content(server->reader, &content, err))
                        return false;
        }
        json_array_foreach (json_object_get(content, "files"), i, file)
                json_array_extend(freezes, json_object_get(json_object_get(file, "tree"), "freezes"));
        bool holds = content && freezes_hold(content, clock_now_ns(server->context.clock), &name);
        *out_holding = holds ? json_stringn(name.bytes, name.length) : json_null();
        *out_freezes = give(freezes);
        return (*out_freezes && *out_holding) || fail_memory(err, "serve", 64);
}

bool automation_show(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *state = NULL, *freezes = NULL, *holding = NULL;
        if (!read_part(server_of(request), "state", &state, err) || !read_freezes(request, &freezes, &holding, err))
                return false;
        const json_t *stopped = json_object_get(state, "stopped");
        return answer(request, json_pack("{s:b, s:O?, s:O, s:O}", "is_stopped", json_is_object(stopped), "stopped", json_is_object(stopped) ? stopped : NULL, "frozen_by",
                                         holding, "freezes", freezes), err);
}

static bool add_run(void *context, const struct run_row *row, struct err *err)
{
        json_t *run = json_parse(row->body, err);
        return run && (json_array_append_new(context, run) == 0 || fail_memory(err, "serve", row->body.length));
}

bool runs_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        int64_t limit, before, incident;
        if (!request_number(request, "limit", 100, 1, RUNS_LISTED_MAX, &limit, err) || !request_number(request, "before", 0, 0, UINT32_MAX, &before, err) ||
            !request_number(request, "incident", 0, 0, UINT32_MAX, &incident, err))
                return false;
        struct run_filter filter = {.incident_number = incident, .runbook = request_field(request, "runbook"), .state = request_field(request, "state"),
                                    .before_number = before, .limit = (size_t)limit};
        scoped_ptr(json_decref) json_t *runs = json_array();
        with_lock(&server->reader_lock);
        return run_rows_list(server->reader, &filter, add_run, runs, err) && answer(request, json_pack("{s:O}", "runs", runs), err);
}

static bool add_step(void *context, struct str body, struct err *err)
{
        json_t *step = json_parse(body, err);
        return step && (json_array_append_new(context, step) == 0 || fail_memory(err, "serve", body.length));
}

static bool read_run(struct request *request, int64_t *out_number, struct err *err)
{
        return (str_to_i64(request->captured[0], out_number) && *out_number > 0) ||
               fail(err, ERR_INVALID, "serve", "\"%.*s\" is no number of a run", STR_ARGS(str_slice(request->captured[0], 0, 40)));
}

static uint64_t id_of(const json_t *run)
{
        uint64_t id = 0;
        str_to_u64(json_str(run, "id"), &id);
        return id;
}

/* What the launcher would say to each program of the plan now: {step, is_allowed, reason}. is_allowed null: its list cannot be read from here. */
static json_t *permits_of(struct server *server, const json_t *run)
{
        json_t *permits = json_array(), *step, *word;
        size_t i, j;
        json_array_foreach (json_object_get(json_object_get(run, "facts"), "plan"), i, step) {
                struct str words[LAUNCH_WORDS_MAX];
                struct err refusal = {0};
                const json_t *list = json_object_get(step, "words");
                if (!list || json_array_size(list) > LAUNCH_WORDS_MAX)
                        continue;
                json_array_foreach ((json_t *)list, j, word)
                        words[j] = (struct str){json_string_value(word), json_string_length(word)};
                bool is_allowed = launch_allow_check(server->context.allow_path, words, j, &refusal);
                bool is_known = is_allowed || refusal.code != ERR_IO;
                json_array_append_new(permits, json_pack("{s:i, s:o, s:s}", "step", (int)i, "is_allowed", is_known ? json_boolean(is_allowed) : json_null(), "reason", refusal.message));
        }
        return permits;
}

bool runs_show(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        int64_t number;
        bool found = false;
        scoped_ptr(json_decref) json_t *list = json_array(), *steps = json_array();
        if (!read_run(request, &number, err))
                return false;
        with_lock(&server->reader_lock);
        if (!run_row_get(server->reader, number, &found, add_run, list, err))
                return false;
        json_t *run = json_array_get(list, 0);
        if (!found)
                return fail(err, ERR_NOT_FOUND, "serve", "there is no run %ld", (long)number);
        if (!step_rows_visit(server->reader, id_of(run), add_step, steps, err))
                return false;
        bool is_dry = str_is(json_str(run, "state"), "proposed");
        if (is_dry && json_object_set_new(run, "permits", permits_of(server, run)) != 0)
                return fail_memory(err, "serve", sizeof *steps);
        return json_object_set(run, "steps", steps) == 0 ? answer(request, json_incref(run), err) : fail_memory(err, "serve", sizeof *steps);
}

/* --- ordering ------------------------------------------------------------------------------------------------------------------ */

/* Takes arguments. What the guards refused is an answer of its own: the run stays proposed, and the reason is kept. */
static bool order(struct request *request, const char *verb, json_t *arguments, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *result = NULL;
        if (!arguments)
                return fail_memory(err, "serve", sizeof(void *));
        if (!server->context.command(server->context.loop, verb, arguments, asker_of(request)->name, &result, err))
                return false;
        const json_t *refused = json_object_get(result, "refused");
        if (refused)
                return fail(err, ERR_REFUSED, "serve", "it was not started (%s): %s", json_string_value(json_object_get(refused, "guard")),
                            json_string_value(json_object_get(refused, "reason")));
        return answer(request, json_pack("{s:s, s:O?}", "status", "success", "result", result), err);
}

bool runs_add(struct request *request, struct err *err)
{
        json_t *body = NULL;
        if (!request_json(request, &body, err))
                return false;
        bool starts = json_flag(body, "start", false);
        json_object_del(body, "start");
        return order(request, starts ? "run_start" : "run_propose", body, err);
}

bool runs_order(struct request *request, struct err *err)
{
        static const char *const verbs[][2] = {{"approve", "run_approve"}, {"judge", "run_judge"}, {"reject", "run_reject"}, {"stop", "run_stop"}};
        scoped_ptr(json_decref) json_t *body = NULL;
        int64_t number;
        if (!read_run(request, &number, err) || !request_json(request, &body, err))
                return false;
        if (json_object_set_new(body, "run", json_integer(number)) != 0)
                return fail_memory(err, "serve", sizeof *body);
        for (size_t i = 0; i < countof(verbs); i++)
                if (str_is(request->captured[1], verbs[i][0]))
                        return order(request, verbs[i][1], json_incref(body), err);
        return fail(err, ERR_NOT_FOUND, "serve", "a run can be approved, rejected, stopped or judged: /approve, /reject, /stop, /judge");
}

static bool order_with_body(struct request *request, const char *verb, struct err *err)
{
        json_t *body = NULL;
        return request_json(request, &body, err) && order(request, verb, body, err);
}

bool automation_stop_order(struct request *request, struct err *err)
{
        return order_with_body(request, "automation_stop", err);
}

bool automation_resume_order(struct request *request, struct err *err)
{
        return order_with_body(request, "automation_resume", err);
}

bool runbooks_autonomy(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!request_json(request, &body, err))
                return false;
        if (json_object_set_new(body, "runbook", json_stringn(request->captured[0].bytes, request->captured[0].length)) != 0)
                return fail(err, ERR_INVALID, "serve", "the runbook's name is no UTF-8");
        return order(request, "runbook_autonomy", json_incref(body), err);
}

/* Reading alone: what people did is in the incident, and whether the draft is used is a matter of files. */
bool incidents_draft(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *incident = NULL;
        scoped(buf_done) struct buf yaml = {0};
        int64_t number;
        if (!str_to_i64(request->captured[0], &number) || number < 1 || number > UINT32_MAX)
                return fail(err, ERR_INVALID, "serve", "\"%.*s\" is no number of an incident", STR_ARGS(str_slice(request->captured[0], 0, 40)));
        {
                with_lock(&server->reader_lock);
                incident = incident_row_read(server->reader, (uint32_t)number, err);
        }
        return incident && draft_runbook(incident, &yaml, err) && answer(request, json_pack("{s:s%}", "yaml", yaml.bytes, yaml.length), err);
}
