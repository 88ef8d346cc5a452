/* engage_command_fuzz - any bytes as commands about incidents, a line each (VERB JSON), over an engage with some alerts: each is done or refused. */
#include "engage/engage.h"

#include "base/json.h"
#include "base/scope.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define COMMANDS_MAX 64

SCOPED_PTR(engage_destroy, struct engage)

static void fire(struct engage *engage, const char *name, const char *host, uint64_t sequence)
{
        struct label labels[] = {{STR("alertname"), str_of(name)}, {STR("host"), str_of(host)}};
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = {labels, 2, 2}, .is_firing = true};
        struct noticed noticed;
        noticed_init(&noticed);
        assert(noticed_add_finding(&noticed, &finding, NULL));
        assert(engage_take(engage, &noticed, sequence, (int64_t)sequence * 1000000000, NULL));
        noticed_done(&noticed);
}

static void order(struct engage *engage, struct str line, uint64_t sequence)
{
        struct str verb;
        char name[64];
        str_cut(&line, ' ', &verb);
        snprintf(name, sizeof name, "%.*s", (int)min_of(verb.length, sizeof name - 1), verb.bytes);
        scoped_ptr(json_decref) json_t *arguments = json_parse(line.bytes ? line : STR("{}"), NULL);
        scoped_ptr(json_decref) json_t *result = NULL;
        struct err err = {0};
        if (json_is_object(arguments) && engage_handles(name) &&
            !engage_command(engage, name, arguments, "fuzz", sequence, (int64_t)sequence * 1000000000, &result, &err))
                assert(err.code != ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str rest = {(const char *)data, size}, line;
        scoped_ptr(engage_destroy) struct engage *engage = NULL;
        if (!engage_create(&(struct engage_options){0}, &engage, NULL))
                return 0;
        fire(engage, "DiskFull", "web1", 1);
        fire(engage, "SlowDisk", "web1", 2);
        fire(engage, "DiskFull", "db1", 3);
        for (uint64_t i = 0; i < COMMANDS_MAX && rest.length && str_cut(&rest, '\n', &line); i++) {
                order(engage, line, 10 + i);
                assert(engage_tick(engage, 10 + i, (int64_t)(10 + i) * 1000000000, NULL));
        }
        return 0;
}
