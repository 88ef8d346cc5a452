/* command_fuzz - whatever stands in the journal as a command, one a line, is done or refused with a sentence, and there is always an
 * administrator left. */
#include "loop/state_table.h"
#include "loop/verbs.h"
#include "base/json.h"
#include "base/scope.h"
#include "register/account_table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define START_NS INT64_C(1767225600000000000)

static struct database *state;

static void close_state(void)
{
        database_close(state);
}

static bool order(struct str text, int64_t time_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *command = json_parse(text, err), *result = NULL;
        if (!command)
                return false;
        const char *verb = json_string_value(json_object_get(command, "verb"));
        const json_t *arguments = json_object_get(command, "arguments");
        apply_fn *apply = verb ? verb_find(verb) : NULL;
        if (!apply || !arguments)
                return fail(err, ERR_NOT_FOUND, "fuzz", "no such command");
        bool good = apply(state, verb, arguments, time_ns, &result, err);
        if (good != json_is_object(result))
                abort();
        return good;
}

static void begin(void)
{
        struct err err;
        scoped_ptr(json_decref) json_t *result = NULL;
        scoped_ptr(json_decref) json_t *admin = json_pack("{s:s, s:s, s:s}", "name", "admin", "role", "admin", "password_hash", "$argon2id$x");
        if (!state_open(":memory:", NULL, &state, &err) || !verb_find("user_create")(state, "user_create", admin, START_NS, &result, &err))
                abort();
        atexit(close_state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str rest = {(const char *)bytes, count}, line;
        int64_t admins, time_ns = START_NS;
        struct err err;
        if (!state)
                begin();
        if (!database_begin(state, &err))
                abort();
        while (rest.length && str_cut(&rest, '\n', &line)) {
                err = (struct err){0};
                if (!database_execute(state, "SAVEPOINT command", NULL))
                        abort();
                if (!order(line, time_ns += 1000000000, &err)) {
                        if (!err.message[0] || err.code == ERR_INTERNAL || err.code == ERR_IO)
                                abort();
                        database_execute(state, "ROLLBACK TO command", NULL);
                }
                if (!user_count_admins(state, &admins, &err) || !admins)
                        abort();
        }
        database_rollback(state);
        return 0;
}
