/*
 * source_registry - every source that was ever named: its counters, cursor, and whether it has fallen silent.
 *
 * Bounded by SOURCES_MAX; further names are counted together under "others". From any thread; one lock.
 * Times are journal times, so what it says is a function of the journal.
 */
#pragma once

#include "observe/intake.h"

struct source_registry;

bool source_registry_create(struct source_registry **out_registry, struct err *err);
void source_registry_destroy(struct source_registry *registry);

void source_registry_count(struct source_registry *registry, const struct batch *batch, const char *kind, int64_t time_ns);
void source_registry_dropped(struct source_registry *registry, struct str source, uint64_t count);
void source_registry_duplicate(struct source_registry *registry, struct str source);
void source_registry_parse_failure(struct source_registry *registry, struct str source, const char *kind, uint64_t count);
void source_registry_state(struct source_registry *registry, struct str source, const char *kind, bool failing, const char *text);
void source_registry_lag(struct source_registry *registry, struct str source, double lag);
void source_registry_tick(struct source_registry *registry, int64_t time_ns);
struct str source_registry_cursor(struct source_registry *registry, struct str source, struct arena *arena);
size_t source_registry_list(struct source_registry *registry, struct source_counters *out_sources, size_t max);
uint64_t source_registry_over_bound(struct source_registry *registry);
json_t *source_registry_save(struct source_registry *registry); /* an object { "sources": [...] }; NULL: no memory */
bool source_registry_restore(struct source_registry *registry, const json_t *saved, struct err *err);
