/*
 * delivery - the threads that send what notify decided, and bring the result back as a command.
 *
 *      delivery_create -> delivery_start -> delivery_give (after the commit) ... -> delivery_stop -> delivery_destroy
 *
 * At most one message at a time to one receiver, DELIVERY_THREADS at a time in all. A failure that may pass is tried again
 * after 5 s, doubled up to 10 minutes (or as the receiver asks by Retry-After), for DELIVERY_TRIES_MAX tries; then it is given up.
 * A try whose result could not be journaled stays the thread's business until it is; the receiver's next message does not wait for that. Nothing here
 * decides anything.
 */
#pragma once

#include "base/err.h"
#include "engage/receiver.h"
#include "model/command_sink.h"

#include <stdint.h>

#define DELIVERY_THREADS 4
#define DELIVERY_TRIES_MAX 12

struct delivery;

struct delivery_options {
        /* A test's own way out: called with each message instead of a thread. NULL: the network. */
        void (*fake)(void *context, const struct outgoing *outgoing);
        void *fake_context;
        const char *link;               /* of the console, for messages; NULL: none */
        const char *heartbeat;          /* an address, or secret:NAME, that is asked once a minute as long as time passes; NULL: none */
};

bool delivery_create(const struct delivery_options *options, const struct command_sink *sink, struct delivery **out_delivery, struct err *err);
void delivery_destroy(struct delivery *delivery);
bool delivery_start(struct delivery *delivery, struct err *err);
void delivery_stop(struct delivery *delivery); /* what was not sent stays in the tables */

/* Copies. */
bool delivery_give(struct delivery *delivery, const struct outgoing *outgoing, struct err *err);
bool delivery_set_secrets(struct delivery *delivery, const json_t *secrets, struct err *err);
void delivery_beat(struct delivery *delivery); /* a tick was decided: the pipeline lives */
