/*
 * command_sink - the way back into the journal for threads that did something outside: the outbox, the runner, the prober.
 *
 * Rooms below loop/ cannot call it; loop/ gives them this instead. submit journals the command and waits until it was applied,
 * as loop_command does: not from the pipeline's own thread. Takes arguments.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct batch;

struct command_sink {
        bool (*submit)(void *context, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err);
        void *context;
};
