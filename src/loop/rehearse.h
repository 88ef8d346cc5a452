/*
 * rehearse - the record told again to a loop of its own: what of it may differ from how it was, and who answers in the world's place.
 *
 *      loop_open with loop_options.rehearsal: recovery is the whole life of such a loop; nothing is sent, nothing is run
 *
 * Every message is taken to have arrived at once; what the record says of sending is left out, since other messages are sent. What steps
 * of runbooks gave comes from the record.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "engage/receiver.h"

#include <jansson.h>
#include <stdint.h>

struct database;

#define REHEARSAL_SENT_MAX 4096 /* messages of one entry; more stay without a result */

struct rehearsal {
        int64_t until_ns;               /* later entries are not told; 0: all are */
        const json_t *content;          /* in place of every configuration; NULL: as recorded */
        /* May change the arguments of a command, or say that it has no sense here. NULL: as recorded. False: failed. */
        bool (*rewrite)(void *context, struct database *state, const char *verb, json_t *arguments, bool *out_is_left_out, struct err *err);
        void *context;
        /* Called now and then with the time of the entry; NULL: nobody looks. */
        void (*look)(void *context, uint64_t sequence, int64_t time_ns);
        uint64_t entries, commands_left_out; /* filled as it goes */
        int64_t first_ns, last_ns;
        uint64_t sent[REHEARSAL_SENT_MAX]; /* ids, since the results were taken last */
        size_t sent_count;
};

/* A delivery_options.fake; context is the rehearsal. */
void rehearsal_hear(void *context, const struct outgoing *outgoing);
/* The command as it is told now, JSON appended to out. */
bool rehearsal_command(struct rehearsal *rehearsal, struct database *state, struct str payload, struct buf *out, bool *out_is_left_out, struct err *err);
