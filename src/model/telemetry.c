/* telemetry.c - see telemetry.h. */
#include "model/telemetry.h"

#include "base/scope.h"

uint32_t telemetry_stream(struct telemetry *telemetry, struct labels *labels, struct err *err)
{
        if (!labels_canonical(labels, err))
                return UINT32_MAX;
        /* The newest first: records of one sender come together. */
        for (size_t i = telemetry->streams.count; i-- > 0;)
                if (labels_equal(&telemetry->streams.items[i], labels))
                        return (uint32_t)i;
        struct labels *stream = arena_push(telemetry->arena, &telemetry->streams);
        if (!stream) {
                fail_memory(err, "telemetry", sizeof *stream);
                return UINT32_MAX;
        }
        *stream = *labels;
        return (uint32_t)(telemetry->streams.count - 1);
}

static const char *const names[] = {
        "unknown", "trace", "trace", "trace", "trace", "debug", "debug", "debug",    "debug", "info",  "notice", "info", "info",
        "warn",    "warn",  "warn",  "warn",  "error", "critical", "alert", "error", "fatal", "fatal", "fatal",  "fatal",
};

const char *severity_name(uint8_t severity)
{
        return severity < countof(names) ? names[severity] : names[0];
}

uint8_t severity_of_name(struct str name)
{
        static const struct {
                const char *name;
                uint8_t severity;
        } known[] = {
                {"trace", SEVERITY_TRACE},       {"debug", SEVERITY_DEBUG},      {"info", SEVERITY_INFO},
                {"information", SEVERITY_INFO},  {"informational", SEVERITY_INFO}, {"notice", SEVERITY_NOTICE},
                {"warn", SEVERITY_WARN},         {"warning", SEVERITY_WARN},     {"err", SEVERITY_ERROR},
                {"error", SEVERITY_ERROR},       {"severe", SEVERITY_ERROR},     {"crit", SEVERITY_CRITICAL},
                {"critical", SEVERITY_CRITICAL}, {"alert", SEVERITY_ALERT},      {"emerg", SEVERITY_FATAL},
                {"emergency", SEVERITY_FATAL},   {"panic", SEVERITY_FATAL},      {"fatal", SEVERITY_FATAL},
        };
        for (size_t i = 0; i < countof(known); i++)
                if (str_equal_nocase(name, str_of(known[i].name)))
                        return known[i].severity;
        return SEVERITY_UNKNOWN;
}
