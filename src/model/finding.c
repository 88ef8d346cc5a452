/* finding.c - see finding.h. */
#include "model/finding.h"

#include "base/scope.h"

bool finding_copy(const struct finding *finding, struct arena *arena, struct finding *out_copy, struct err *err)
{
        struct finding copy = *finding;
        if (!labels_copy(&finding->labels, arena, &copy.labels) || !labels_copy(&finding->annotations, arena, &copy.annotations) ||
            !text_copy(finding->held_why, arena, &copy.held_why) || !text_copy(finding->evidence, arena, &copy.evidence) ||
            !text_copy(finding->generator_url, arena, &copy.generator_url) || !text_copy(finding->source, arena, &copy.source))
                return fail_memory(err, "finding", sizeof copy);
        *out_copy = copy;
        return true;
}

bool change_event_copy(const struct change_event *change, struct arena *arena, struct change_event *out_copy, struct err *err)
{
        struct change_event copy = *change;
        if (!labels_copy(&change->labels, arena, &copy.labels) || !text_copy(change->kind, arena, &copy.kind) ||
            !text_copy(change->title, arena, &copy.title) || !text_copy(change->by, arena, &copy.by) ||
            !text_copy(change->reference, arena, &copy.reference) || !text_copy(change->url, arena, &copy.url))
                return fail_memory(err, "change", sizeof copy);
        *out_copy = copy;
        return true;
}

enum alert_severity alert_severity_of(const struct labels *labels)
{
        static const struct { const char *name; enum alert_severity severity; } names[] = {
                {"critical", ALERT_CRITICAL}, {"page", ALERT_CRITICAL},  {"fatal", ALERT_CRITICAL},   {"disaster", ALERT_CRITICAL},
                {"info", ALERT_INFO},         {"information", ALERT_INFO}, {"none", ALERT_INFO},
        };
        struct str severity = labels_value(labels, STR("severity"));
        for (size_t i = 0; i < countof(names); i++)
                if (str_equal_nocase(severity, str_of(names[i].name)))
                        return names[i].severity;
        return ALERT_WARNING;
}

const char *alert_severity_name(enum alert_severity severity)
{
        return severity == ALERT_CRITICAL ? "critical" : severity == ALERT_INFO ? "info" : "warning";
}

const char *finding_origin_name(enum finding_origin origin)
{
        static const char *const names[] = {"unknown", "rule", "check", "external", "anomaly", "forecast", "self", "person"};
        return (size_t)origin < countof(names) ? names[origin] : names[0];
}
