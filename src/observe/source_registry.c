/*
 * source_registry.c - see source_registry.h. A source is silent when nothing came for three times its usual gap. The usual
 * gap is learned as a slowly forgetting maximum, so that a source that speaks once a night is not called silent at noon.
 */
#include "observe/source_registry.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define GAP_MIN_NS (10 * NS_PER_S)
#define GAP_FORGET 0.98          /* of the learned gap is kept at each batch */
#define BATCHES_TO_LEARN 5
#define RATE_TIME_S 15.0         /* time constant of the rates */
#define CURSOR_BYTES_MAX 4096

struct entry_of_source {
        struct source_counters counters;
        char *cursor;
        uint64_t records_before, samples_before; /* at the last tick of a second */
};

struct source_registry {
        struct lock lock;
        struct entry_of_source **entries; /* one allocation each: pointers stay true as the list grows */
        size_t count, capacity;
        struct map by_name;
        int64_t ticked_ns;
        uint64_t over_bound;
};

bool source_registry_create(struct source_registry **out_registry, struct err *err)
{
        struct source_registry *registry = calloc(1, sizeof *registry);
        if (!registry)
                return fail_memory(err, "source_registry", sizeof *registry);
        lock_init(&registry->lock, LOCK_SOURCE);
        *out_registry = registry;
        return true;
}

void source_registry_destroy(struct source_registry *registry)
{
        if (!registry)
                return;
        for (size_t i = 0; i < registry->count; i++) {
                free(registry->entries[i]->cursor);
                free(registry->entries[i]);
        }
        free(registry->entries);
        map_done(&registry->by_name);
        lock_done(&registry->lock);
        free(registry);
}

static struct entry_of_source *find(const struct source_registry *registry, struct str name)
{
        size_t at;
        uint64_t hash = hash64(name);
        for (uint32_t i = map_first(&registry->by_name, hash, &at); i != MAP_NONE; i = map_next(&registry->by_name, hash, &at))
                if (str_is(name, registry->entries[i]->counters.name))
                        return registry->entries[i];
        return NULL;
}

static struct entry_of_source *add(struct source_registry *registry, struct str name, const char *kind)
{
        if (registry->count == registry->capacity) {
                size_t grown = registry->capacity ? registry->capacity * 2 : 16;
                struct entry_of_source **moved = realloc(registry->entries, grown * sizeof *moved);
                if (!moved)
                        return NULL;
                registry->entries = moved;
                registry->capacity = grown;
        }
        struct entry_of_source *entry = calloc(1, sizeof *entry);
        if (!entry || !map_put(&registry->by_name, hash64(name), (uint32_t)registry->count)) {
                free(entry);
                return NULL;
        }
        snprintf(entry->counters.name, sizeof entry->counters.name, "%.*s", STR_ARGS(name));
        snprintf(entry->counters.kind, sizeof entry->counters.kind, "%s", kind ? kind : "");
        registry->entries[registry->count++] = entry;
        return entry;
}

/* The source's entry, made when new; NULL only when memory ran out. Holds the lock. */
static struct entry_of_source *entry_of(struct source_registry *registry, struct str name, const char *kind)
{
        if (name.length >= sizeof((struct source_counters *)0)->name)
                name.length = sizeof((struct source_counters *)0)->name - 1;
        struct entry_of_source *entry = find(registry, name);
        if (!entry && registry->count >= SOURCES_MAX - 1) { /* the last place is that of the others */
                registry->over_bound++;
                name = STR("others");
                entry = find(registry, name);
        }
        if (!entry)
                entry = add(registry, name, kind);
        if (entry && kind && !entry->counters.kind[0])
                snprintf(entry->counters.kind, sizeof entry->counters.kind, "%s", kind);
        return entry;
}

static void learn_gap(struct source_counters *counters, int64_t time_ns)
{
        if (counters->batches <= 1 || !counters->steady_since_ns || time_ns - counters->last_seen_ns > 3 * max_of(counters->expected_every_ns, GAP_MIN_NS))
                counters->steady_since_ns = time_ns;
        if (counters->batches > 1) {
                int64_t gap = time_ns - counters->last_seen_ns;
                int64_t kept = (int64_t)((double)counters->expected_every_ns * GAP_FORGET);
                int64_t longest = max_of(gap, kept);
                counters->expected_every_ns = max_of(longest, GAP_MIN_NS);
        }
        counters->last_seen_ns = time_ns;
        counters->silent = false;
}

static int64_t newest_event(const struct telemetry *telemetry, int64_t received_ns)
{
        int64_t newest = INT64_MIN;
        each (record, &telemetry->records)
                newest = max_of(newest, record->time_ns ? record->time_ns : received_ns);
        each (series, &telemetry->series)
                for (size_t i = 0; i < series->count; i++)
                        newest = max_of(newest, series->samples[i].time_ns ? series->samples[i].time_ns : received_ns);
        return newest;
}

static void keep_cursor(struct entry_of_source *entry, struct str cursor)
{
        if (!cursor.length || cursor.length > CURSOR_BYTES_MAX)
                return;
        char *copy = strndup(cursor.bytes, cursor.length);
        if (!copy)
                return; /* the older cursor stays: the source would read a little again, and say so */
        free(entry->cursor);
        entry->cursor = copy;
}

void source_registry_count(struct source_registry *registry, const struct batch *batch, const char *kind, int64_t time_ns)
{
        const struct telemetry *telemetry = &batch->telemetry;
        int64_t newest_ns = newest_event(telemetry, batch->received_ns);
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, batch->source, kind);
        if (!entry)
                return;
        struct source_counters *counters = &entry->counters;
        counters->batches++;
        counters->bytes += batch->bytes.length;
        counters->records += telemetry->records.count;
        each (series, &telemetry->series)
                counters->samples += series->count;
        counters->parse_failures += telemetry->rejected;
        if (newest_ns != INT64_MIN) {
                counters->newest_event_ns = newest_ns;
                counters->clock_skew_ns = batch->received_ns - newest_ns;
        }
        learn_gap(counters, time_ns);
        keep_cursor(entry, batch->cursor);
}

void source_registry_dropped(struct source_registry *registry, struct str source, uint64_t count)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, source, NULL);
        if (entry)
                entry->counters.dropped += count;
}

void source_registry_duplicate(struct source_registry *registry, struct str source)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, source, NULL);
        if (entry)
                entry->counters.duplicates++;
}

void source_registry_parse_failure(struct source_registry *registry, struct str source, const char *kind, uint64_t count)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, source, kind);
        if (entry)
                entry->counters.parse_failures += count;
}

void source_registry_state(struct source_registry *registry, struct str source, const char *kind, bool failing, const char *text)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, source, kind);
        if (!entry)
                return;
        entry->counters.failing = failing;
        snprintf(entry->counters.state_text, sizeof entry->counters.state_text, "%s", text);
}

void source_registry_lag(struct source_registry *registry, struct str source, double lag)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = entry_of(registry, source, NULL);
        if (entry)
                entry->counters.lag_s = lag;
}

static void update_rates(struct entry_of_source *entry, double seconds)
{
        struct source_counters *counters = &entry->counters;
        double weight = seconds / (RATE_TIME_S + seconds);
        double records = (double)(counters->records - entry->records_before) / seconds;
        double samples = (double)(counters->samples - entry->samples_before) / seconds;
        counters->rate_records += weight * (records - counters->rate_records);
        counters->rate_samples += weight * (samples - counters->rate_samples);
        entry->records_before = counters->records;
        entry->samples_before = counters->samples;
}

void source_registry_tick(struct source_registry *registry, int64_t time_ns)
{
        if (time_ns - registry->ticked_ns < NS_PER_S)
                return;
        with_lock(&registry->lock);
        double seconds = registry->ticked_ns ? (double)(time_ns - registry->ticked_ns) / 1e9 : 1;
        registry->ticked_ns = time_ns;
        for (size_t i = 0; i < registry->count; i++) {
                struct source_counters *counters = &registry->entries[i]->counters;
                update_rates(registry->entries[i], seconds);
                counters->silent = counters->batches >= BATCHES_TO_LEARN &&
                                   time_ns - counters->last_seen_ns > 3 * counters->expected_every_ns;
        }
}

struct str source_registry_cursor(struct source_registry *registry, struct str source, struct arena *arena)
{
        with_lock(&registry->lock);
        struct entry_of_source *entry = find(registry, source);
        return entry && entry->cursor ? arena_str(arena, str_of(entry->cursor)) : (struct str){0};
}

static int by_name(const void *left, const void *right)
{
        const struct source_counters *a = left, *b = right;
        return strcmp(a->name, b->name);
}

size_t source_registry_list(struct source_registry *registry, struct source_counters *out_sources, size_t max)
{
        size_t there;
        {
                with_lock(&registry->lock);
                there = registry->count;
                for (size_t i = 0; i < min_of(there, max); i++)
                        out_sources[i] = registry->entries[i]->counters;
        }
        if (out_sources)
                qsort(out_sources, min_of(there, max), sizeof *out_sources, by_name);
        return there;
}

uint64_t source_registry_over_bound(struct source_registry *registry)
{
        with_lock(&registry->lock);
        return registry->over_bound;
}

static json_t *save_entry(const struct entry_of_source *entry)
{
        const struct source_counters *c = &entry->counters;
        return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", c->name, "kind", c->kind,
                         "cursor", entry->cursor, "last_seen_ns", (json_int_t)c->last_seen_ns, "newest_event_ns",
                         (json_int_t)c->newest_event_ns, "batches", (json_int_t)c->batches, "records", (json_int_t)c->records,
                         "samples", (json_int_t)c->samples, "bytes", (json_int_t)c->bytes, "dropped", (json_int_t)c->dropped,
                         "duplicates", (json_int_t)c->duplicates, "parse_failures", (json_int_t)c->parse_failures,
                         "expected_every_ns", (json_int_t)c->expected_every_ns, "steady_since_ns", (json_int_t)c->steady_since_ns);
}

json_t *source_registry_save(struct source_registry *registry)
{
        json_t *list = json_array();
        bool good = list;
        with_lock(&registry->lock);
        for (size_t i = 0; good && i < registry->count; i++)
                good = json_array_append_new(list, save_entry(registry->entries[i])) == 0;
        if (good)
                return json_pack("{s:o}", "sources", list);
        json_decref(list); /* with a source left out, it would begin again at its beginning */
        return NULL;
}

bool source_registry_restore(struct source_registry *registry, const json_t *saved, struct err *err)
{
        size_t i;
        json_t *one;
        with_lock(&registry->lock);
        json_array_foreach(json_object_get(saved, "sources"), i, one)
        {
                const char *name = json_string_value(json_object_get(one, "name"));
                const char *kind = json_string_value(json_object_get(one, "kind"));
                const char *cursor = json_string_value(json_object_get(one, "cursor"));
                struct entry_of_source *entry = name ? entry_of(registry, str_of(name), kind) : NULL;
                if (!entry)
                        return fail_memory(err, "source_registry", sizeof *entry);
                struct source_counters *c = &entry->counters;
                c->last_seen_ns = json_integer_value(json_object_get(one, "last_seen_ns"));
                c->newest_event_ns = json_integer_value(json_object_get(one, "newest_event_ns"));
                c->batches = (uint64_t)json_integer_value(json_object_get(one, "batches"));
                c->records = entry->records_before = (uint64_t)json_integer_value(json_object_get(one, "records"));
                c->samples = entry->samples_before = (uint64_t)json_integer_value(json_object_get(one, "samples"));
                c->bytes = (uint64_t)json_integer_value(json_object_get(one, "bytes"));
                c->dropped = (uint64_t)json_integer_value(json_object_get(one, "dropped"));
                c->duplicates = (uint64_t)json_integer_value(json_object_get(one, "duplicates"));
                c->parse_failures = (uint64_t)json_integer_value(json_object_get(one, "parse_failures"));
                c->expected_every_ns = json_integer_value(json_object_get(one, "expected_every_ns"));
                c->steady_since_ns = json_integer_value(json_object_get(one, "steady_since_ns"));
                if (cursor)
                        keep_cursor(entry, str_of(cursor));
        }
        return true;
}
