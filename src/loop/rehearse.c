/* rehearse.c - see rehearse.h. */
#include "loop/rehearse.h"

#include "base/json.h"
#include "base/scope.h"

#include <string.h>

void rehearsal_hear(void *context, const struct outgoing *outgoing)
{
        struct rehearsal *rehearsal = context;
        if (rehearsal->sent_count < REHEARSAL_SENT_MAX)
                rehearsal->sent[rehearsal->sent_count++] = outgoing->id;
}

static bool rewrite(struct rehearsal *rehearsal, struct database *state, json_t *command, bool *out_is_left_out, struct err *err)
{
        const char *verb = json_string_value(json_object_get(command, "verb"));
        json_t *arguments = json_object_get(command, "arguments");
        if (!verb || !arguments)
                return true; /* the loop says what is wrong with it */
        *out_is_left_out = strcmp(verb, "notification_result") == 0;
        if (rehearsal->content && strcmp(verb, "configure") == 0)
                return json_object_set(arguments, "content", (json_t *)rehearsal->content) == 0 || fail_memory(err, "replay", 64);
        return *out_is_left_out || !rehearsal->rewrite || rehearsal->rewrite(rehearsal->context, state, verb, arguments, out_is_left_out, err);
}

bool rehearsal_command(struct rehearsal *rehearsal, struct database *state, struct str payload, struct buf *out, bool *out_is_left_out, struct err *err)
{
        bool is_left_out = false;
        scoped_ptr(json_decref) json_t *command = json_parse(payload, err);
        if (!command || !rewrite(rehearsal, state, command, &is_left_out, err))
                return false;
        if (!is_left_out && !json_write(command, out))
                return fail_memory(err, "replay", payload.length);
        rehearsal->commands_left_out += is_left_out;
        *out_is_left_out = is_left_out;
        return true;
}
