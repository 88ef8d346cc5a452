/* story_engage.c - stories of alerts that become incidents, and of what people say about them. */
#include "story.h"

#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_stream.h"
#include "engage/engage.h"

SCOPED_PTR(engage_destroy, struct engage)

#define S INT64_C(1000000000)

static bool fire(struct engage *engage, const char *name, const char *host, uint64_t sequence, struct err *err)
{
        struct label labels[] = {{STR("alertname"), str_of(name)}, {STR("host"), str_of(host)}};
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = {labels, 2, 2}, .is_firing = true};
        struct noticed noticed;
        noticed_init(&noticed);
        bool good = noticed_add_finding(&noticed, &finding, err) && engage_take(engage, &noticed, sequence, (int64_t)sequence * S, err);
        if (!good && err->code == ERR_MEMORY && noticed.findings.count) /* as the loop does: the same again */
                good = engage_take(engage, &noticed, sequence, (int64_t)sequence * S, err);
        noticed_done(&noticed);
        return good;
}

static bool order(struct engage *engage, const char *verb, const char *text, uint64_t sequence, struct err *err)
{
        scoped_ptr(json_decref) json_t *arguments = json_parse(str_of(text), err);
        scoped_ptr(json_decref) json_t *result = NULL;
        return arguments && engage_command(engage, verb, arguments, "alice", sequence, (int64_t)sequence * S, &result, err);
}

bool tell_alerts(struct err *err)
{
        scoped_ptr(engage_destroy) struct engage *engage = NULL;
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        arena_init(&arena, 0);
        if (!engage_create(&(struct engage_options){0}, &engage, err) || !fire(engage, "DiskFull", "web1", 1, err) ||
            !fire(engage, "SlowDisk", "web1", 2, err) || !fire(engage, "Hot", "db1", 3, err) || !engage_tick(engage, 4, 4 * S, err) ||
            !order(engage, "incident_merge", "{\"incident\":2,\"into\":1}", 5, err) || !order(engage, "incident_acknowledge", "{\"incident\":1}", 6, err))
                return false;
        if (!engage_view(engage, engage_incident_id(engage, 1), &arena, &view, err))
                return false;
        return (view.alerts.count == 3 && !engage_incident_id(engage, 3)) || fail(err, ERR_INTERNAL, "story", "an alert was lost, or an incident is there twice");
}

bool tell_alert_stream(struct err *err)
{
        scoped(buf_done) struct buf out = {0};
        return alert_stream_correlate(STR("ts_ms,source,entity,peer,name,kind,count,text\n1000,metric,a,n1,slow,up,1,\n2000,trace,b,a,Get,PD,1,\n"
                                          "90000,metric,a,n1,slow,up,1,\n"),
                                      STR("source,source_type,relation,target,target_type\na,instance,hosted_on,n1,host\n"), &out, err);
}
