/* notify_command_fuzz - any bytes as commands about notifications, a line each (VERB JSON), over two incidents: each is done or refused. */
#include "engage/notify.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "engage/engage.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMANDS_MAX 64
#define S ((int64_t)1000000000)

SCOPED_PTR(engage_destroy, struct engage)
SCOPED_PTR(notify_destroy, struct notify)

static const char teams[] = "receivers: [ { name: hook, confirms: true, webhook: { url: \"http://127.0.0.1:1/\" } } ]\n"
                            "people: [ { name: ann, contacts: [ hook ] }, { name: bob } ]\n"
                            "on_call: [ { name: day, rotations: [ { people: [ ann, bob ], starts: \"1970-01-01T00:00\" } ] } ]\n"
                            "teams: [ { name: ops, on_call: day, receivers: [ hook ], canary_every: 1m } ]\n";

static void take_message(void *context, const struct outgoing *outgoing)
{
        (void)context;
        assert(outgoing->id && outgoing->receiver.bytes && outgoing->message);
}

static void configure(struct notify *notify)
{
        scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "teams.yaml", "tree", yaml_parse(str_of(teams), "teams.yaml", NULL));
        struct err err = {0};
        if (!content || !notify_configure(notify, content, &err)) {
                fprintf(stderr, "%s\n", err.message);
                abort();
        }
}

static void tick(struct engage *engage, struct notify *notify, struct noticed *noticed, uint64_t sequence)
{
        int64_t time_ns = (int64_t)sequence * 7 * S;
        assert(notify_find(notify, sequence, time_ns, noticed, NULL) && engage_take(engage, noticed, sequence, time_ns, NULL));
        noticed_clear(noticed);
        assert(engage_tick(engage, sequence, time_ns, NULL) && notify_take(notify, sequence, time_ns, NULL));
        engage_news_clear(engage);
        assert(notify_tick(notify, sequence, time_ns, NULL));
        notify_written(notify);
}

static void fire(struct noticed *noticed, const char *host)
{
        struct label labels[] = {{STR("alertname"), STR("DiskFull")}, {STR("host"), str_of(host)}, {STR("severity"), STR("critical")}};
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = {labels, 3, 3}, .is_firing = true};
        assert(noticed_add_finding(noticed, &finding, NULL));
}

static void order(struct notify *notify, struct str line, uint64_t sequence)
{
        struct str verb;
        char name[64];
        str_cut(&line, ' ', &verb);
        snprintf(name, sizeof name, "%.*s", (int)min_of(verb.length, sizeof name - 1), verb.bytes);
        scoped_ptr(json_decref) json_t *arguments = json_parse(line.bytes ? line : STR("{}"), NULL);
        scoped_ptr(json_decref) json_t *result = NULL;
        struct err err = {0};
        if (json_is_object(arguments) && notify_handles(name) && !notify_command(notify, name, arguments, "fuzz", sequence, (int64_t)sequence * 7 * S, &result, &err))
                assert(err.code != ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str rest = {(const char *)data, size}, line;
        scoped_ptr(engage_destroy) struct engage *engage = NULL;
        scoped_ptr(notify_destroy) struct notify *notify = NULL;
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        if (!engage_create(&(struct engage_options){0}, &engage, NULL) ||
            !notify_create(&(struct notify_options){.engage = engage, .delivery = {.fake = take_message}}, &notify, NULL))
                return 0;
        configure(notify);
        assert(notify_start(notify, NULL));
        fire(&noticed, "web1");
        fire(&noticed, "db1");
        tick(engage, notify, &noticed, 1);
        for (uint64_t i = 0; i < COMMANDS_MAX && rest.length && str_cut(&rest, '\n', &line); i++) {
                order(notify, line, 10 + 2 * i);
                tick(engage, notify, &noticed, 11 + 2 * i);
        }
        return 0;
}
