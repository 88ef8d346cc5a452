/*
 * runner - the threads that do what steps do outside: each order once, its result ordered back into the journal.
 *
 *      runner_create -> runner_start -> runner_hand ... -> runner_stop -> runner_destroy
 *                    '-> runner_turn (without threads, for tests): all orders, on the caller's thread
 *
 * Orders come from the pipeline's thread after their commit; there are never more than runs at once, so the line needs no other bound. When the program
 * stops, what runs is killed and its result is not told: the next start finds the run in the middle and calls it interrupted.
 */
#pragma once

#include "act/step.h"
#include "model/command_sink.h"

#include <stdint.h>

#define RUNNER_THREADS 8

struct runner;

struct step_order {
        uint64_t run;                   /* 0: a command as it stands, in plan {verb, arguments} */
        uint32_t step, attempt;         /* run, step and attempt together are the order's key */
        json_t *plan;                   /* its own copy */
};
void step_order_destroy(struct step_order *order);

bool runner_create(const struct step_hands *hands, const struct command_sink *sink, struct runner **out_runner, struct err *err);
void runner_destroy(struct runner *runner);
bool runner_start(struct runner *runner, struct err *err);
/* Takes the order over; false: no memory, it is still yours. */
bool runner_hand(struct runner *runner, struct step_order *order);
void runner_forget(struct runner *runner);      /* what was handed and not begun is not done; before runner_start */
bool runner_set_secrets(struct runner *runner, const json_t *secrets, struct err *err); /* by name, copied; any thread */
void runner_kill(struct runner *runner);        /* what runs is ended, and says so in its result */
void runner_turn(struct runner *runner);
void runner_stop(struct runner *runner);

/* The real hands: the launcher (NULL: nothing may be executed), and HTTP. */
struct launcher;
struct step_hands step_hands_real(struct launcher *launcher);
