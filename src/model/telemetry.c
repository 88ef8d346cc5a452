/* telemetry.c - see telemetry.h. */
#include "model/telemetry.h"

#include "base/scope.h"

#define STREAMS_LINEAR_MAX 8
#define STREAM_SLOTS_MIN 64

static uint64_t stream_hash(const struct labels *labels)
{
        return labels_id(labels).low;
}

static void index_put(struct stream_index *index, uint64_t hash, uint32_t stream)
{
        size_t at = hash & (index->capacity - 1);
        while (index->slots[at])
                at = (at + 1) & (index->capacity - 1);
        index->slots[at] = stream + 1;
}

/* The old slots stay in the arena: together at most as large as the new ones. */
static bool index_grow(struct telemetry *telemetry, struct err *err)
{
        struct stream_index grown = {.capacity = max_of(telemetry->stream_index.capacity * 2, (size_t)STREAM_SLOTS_MIN)};
        grown.slots = arena_array(telemetry->arena, grown.capacity, sizeof *grown.slots);
        if (!grown.slots)
                return fail_memory(err, "telemetry", grown.capacity * sizeof *grown.slots);
        for (size_t i = 0; i < telemetry->streams.count; i++)
                index_put(&grown, stream_hash(&telemetry->streams.items[i]), (uint32_t)i);
        telemetry->stream_index = grown;
        return true;
}

/* Newest first: records of one sender come together. */
static uint32_t find_linear(const struct telemetry *telemetry, const struct labels *labels)
{
        for (size_t i = telemetry->streams.count; i-- > 0;)
                if (labels_equal(&telemetry->streams.items[i], labels))
                        return (uint32_t)i;
        return UINT32_MAX;
}

static uint32_t find_hashed(const struct telemetry *telemetry, const struct labels *labels, uint64_t hash)
{
        const struct stream_index *index = &telemetry->stream_index;
        for (size_t at = hash & (index->capacity - 1); index->slots[at]; at = (at + 1) & (index->capacity - 1))
                if (labels_equal(&telemetry->streams.items[index->slots[at] - 1], labels))
                        return index->slots[at] - 1;
        return UINT32_MAX;
}

static uint32_t add_stream(struct telemetry *telemetry, const struct labels *labels, struct err *err)
{
        struct labels *stream = arena_push(telemetry->arena, &telemetry->streams);
        if (!stream) {
                fail_memory(err, "telemetry", sizeof *stream);
                return UINT32_MAX;
        }
        *stream = *labels;
        return (uint32_t)(telemetry->streams.count - 1);
}

uint32_t telemetry_stream(struct telemetry *telemetry, struct labels *labels, struct err *err)
{
        if (!labels_canonical(labels, err))
                return UINT32_MAX;
        if (telemetry->streams.count < STREAMS_LINEAR_MAX) {
                uint32_t found = find_linear(telemetry, labels);
                return found != UINT32_MAX ? found : add_stream(telemetry, labels, err);
        }
        if (telemetry->streams.count * 2 >= telemetry->stream_index.capacity && !index_grow(telemetry, err))
                return UINT32_MAX;
        uint64_t hash = stream_hash(labels);
        uint32_t stream = find_hashed(telemetry, labels, hash);
        if (stream == UINT32_MAX && (stream = add_stream(telemetry, labels, err)) != UINT32_MAX)
                index_put(&telemetry->stream_index, hash, stream);
        return stream;
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
