/* runner.c - see runner.h. A thread a running step, since a step mostly waits: for a process, for an answer. */
#include "act/runner.h"

#include "act/run.h"
#include "base/json.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/scope.h"
#include "reach/http_client.h"
#include "reach/secrets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ORDERS_MAX 4096

struct runner {
        struct step_hands hands;
        struct command_sink sink;
        struct secrets secrets;
        struct queue queue;
        struct thread threads[RUNNER_THREADS];
        _Atomic bool stopping;
};

void step_order_destroy(struct step_order *order)
{
        if (!order)
                return;
        json_decref(order->plan);
        free(order);
}

bool runner_create(const struct step_hands *hands, const struct command_sink *sink, struct runner **out_runner, struct err *err)
{
        struct runner *runner = calloc(1, sizeof *runner);
        if (!runner)
                return fail_memory(err, "runner", sizeof *runner);
        runner->hands = *hands;
        secrets_init(&runner->secrets);
        runner->hands.secrets = &runner->secrets;
        runner->sink = *sink;
        queue_init(&runner->queue, ORDERS_MAX);
        *out_runner = runner;
        return true;
}

void runner_destroy(struct runner *runner)
{
        if (!runner)
                return;
        runner_stop(runner);
        for (struct step_order *order; (order = queue_pop(&runner->queue, 0));)
                step_order_destroy(order);
        queue_done(&runner->queue);
        secrets_done(&runner->secrets);
        free(runner);
}

/* --- one order ------------------------------------------------------------------------------------------------------------ */

static json_t *result_of(const struct step_order *order, const struct step_outcome *outcome)
{
        char run[24];
        snprintf(run, sizeof run, "%" PRIu64, order->run);
        return json_pack("{s:s, s:i, s:i, s:b, s:I, s:o, s:o}", "run", run, "step", (int)order->step, "attempt", (int)order->attempt, "good", outcome->is_good, "status",
                         (json_int_t)outcome->status, "output", run_text(outcome->output), "sentence", run_text(outcome->sentence));
}

/* False: nobody knows what became of it, and so nothing is told. */
static bool do_step(struct runner *runner, const struct step_order *order, struct arena *arena, struct step_outcome *out_outcome)
{
        const struct step_kind *kind = step_kind_find(json_str(order->plan, "kind"));
        struct err err = {0};
        if (!kind || !kind->run)
                *out_outcome = (struct step_outcome){.sentence = STR("this version does not know such a step")};
        else if (kind->run(&runner->hands, order->plan, arena, out_outcome, &err))
                return !runner->stopping || out_outcome->is_good;
        else if (err.code == ERR_CANCELLED || runner->stopping)
                return false;
        else
                *out_outcome = (struct step_outcome){.sentence = arena_str(arena, str_of(err.message))};
        return true;
}

static bool tell(struct runner *runner, const char *verb, json_t *arguments)
{
        struct err err = {0};
        json_t *result = NULL;
        bool good = arguments ? runner->sink.submit(runner->sink.context, verb, arguments, "evenkeel", &result, &err) : fail_memory(&err, "runner", sizeof *arguments);
        if (!good && err.code != ERR_CANCELLED && err.code != ERR_CONFLICT)
                log_err(LOG_LEVEL_ERROR, &err);
        json_decref(result);
        return good;
}

/* Before anything is done outside: the journal has it, or it must not be done. */
static bool may_begin(struct runner *runner, const struct step_order *order)
{
        char run[24];
        snprintf(run, sizeof run, "%" PRIu64, order->run);
        return tell(runner, "step_begin", json_pack("{s:s, s:i, s:i}", "run", run, "step", (int)order->step, "attempt", (int)order->attempt));
}

static void do_order(struct runner *runner, const struct step_order *order)
{
        scoped(arena_done) struct arena arena;
        struct step_outcome outcome = {0};
        arena_init(&arena, 0);
        if (!order->run)
                tell(runner, json_string_value(json_object_get(order->plan, "verb")), json_incref(json_object_get(order->plan, "arguments")));
        else if (may_begin(runner, order) && do_step(runner, order, &arena, &outcome))
                tell(runner, "step_result", result_of(order, &outcome));
}

static void run_orders(void *context)
{
        struct runner *runner = context;
        for (struct step_order *order; (order = queue_pop(&runner->queue, -1));) {
                if (!runner->stopping)
                        do_order(runner, order);
                step_order_destroy(order);
        }
}

/* --- the threads ------------------------------------------------------------------------------------------------------------ */

bool runner_start(struct runner *runner, struct err *err)
{
        for (size_t i = 0; i < RUNNER_THREADS; i++)
                if (!thread_start(&runner->threads[i], "runner", run_orders, runner, err))
                        return false;
        return true;
}

bool runner_hand(struct runner *runner, struct step_order *order)
{
        return queue_try_push(&runner->queue, order, 1);
}

bool runner_set_secrets(struct runner *runner, const json_t *secrets, struct err *err)
{
        return secrets_set(&runner->secrets, secrets, err);
}

void runner_kill(struct runner *runner)
{
        if (runner->hands.stop_all)
                runner->hands.stop_all(runner->hands.context);
}

void runner_forget(struct runner *runner)
{
        for (struct step_order *order; (order = queue_pop(&runner->queue, 0));)
                step_order_destroy(order);
}

void runner_turn(struct runner *runner)
{
        for (struct step_order *order; (order = queue_pop(&runner->queue, 0));) {
                do_order(runner, order);
                step_order_destroy(order);
        }
}

void runner_stop(struct runner *runner)
{
        if (runner->stopping)
                return;
        runner->stopping = true;
        queue_close(&runner->queue);
        if (runner->threads[0].started)
                runner_kill(runner);
        for (size_t i = 0; i < RUNNER_THREADS; i++)
                thread_join(&runner->threads[i]);
}

/* --- the real hands ---------------------------------------------------------------------------------------------------------- */

static bool launch_really(void *context, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        return launcher_run(context, launch, arena, out_result, err);
}

static bool fetch_really(void *context, const struct http_request *request, struct http_response *out_response, struct err *err)
{
        struct http_client *client;
        (void)context;
        if (!http_client_create(1, NULL, NULL, &client, err))
                return false;
        bool good = http_fetch(client, request, out_response, err);
        http_client_destroy(client);
        return good;
}

static void stop_really(void *context)
{
        launcher_stop_all(context);
}

struct step_hands step_hands_real(struct launcher *launcher)
{
        return (struct step_hands){launcher ? launch_really : NULL, fetch_really, launcher ? stop_really : NULL, launcher};
}
