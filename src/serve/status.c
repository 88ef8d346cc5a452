/*
 * status.c - see status.h. Every counter of every part is read here once and told twice, so the numbers on the status page
 * and in /metrics are the same numbers: one table of (JSON section, JSON name, metric, type, help).
 */
#include "serve/status.h"

#include "base/json.h"
#include "base/scope.h"
#include "loop/loop.h"
#include "observe/log_templates.h"
#include "observe/intake.h"
#include "register/registry.h"
#include "store/archive.h"
#include "store/journal.h"
#include "store/logs.h"
#include "store/series.h"
#include "wire/exposition_write.h"
#include "wire/redact.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LICENCE "AGPL-3.0-or-later" /* as meson.build says */

/* ---- the program's own process ---- */

struct process {
        double cpu_s;
        uint64_t resident_bytes, open_files, threads;
};

static uint64_t count_entries(const char *path)
{
        DIR *directory = opendir(path);
        uint64_t count = 0;
        while (directory && readdir(directory))
                count++;
        if (directory)
                closedir(directory);
        return count > 2 ? count - 2 : 0;
}

static void read_process(struct process *out)
{
        struct rusage usage;
        long pages = 0, resident = 0;
        *out = (struct process){.open_files = count_entries("/proc/self/fd"), .threads = count_entries("/proc/self/task")};
        if (getrusage(RUSAGE_SELF, &usage) == 0)
                out->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        FILE *file = fopen("/proc/self/statm", "re");
        if (file && fscanf(file, "%ld %ld", &pages, &resident) == 2)
                out->resident_bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
        if (file)
                fclose(file);
}

/* ---- all counters ---- */

struct counters {
        struct process process;
        struct intake_stats intake;
        struct journal_stats journal;
        struct archive_stats archive;
        struct logs_stats logs;
        struct log_templates_stats templates;
        struct series_stats series;
        struct registry_stats registry;
        struct loop_stats loop;
        const struct http_stats *http;
        double uptime_s;
        long processors;
};

static void read_counters(struct server *server, struct counters *out)
{
        const struct serve_context *context = &server->context;
        *out = (struct counters){.http = http_read_stats(server->http), .processors = sysconf(_SC_NPROCESSORS_ONLN)};
        read_process(&out->process);
        if (context->intake)
                intake_read_stats(context->intake, &out->intake);
        if (context->journal)
                journal_read_stats(context->journal, &out->journal);
        if (context->archive)
                archive_read_stats(context->archive, &out->archive);
        if (context->logs)
                logs_read_stats(context->logs, &out->logs);
        if (context->log_templates)
                log_templates_read_stats(context->log_templates, &out->templates);
        if (context->series)
                series_read_stats(context->series, &out->series);
        if (context->registry)
                registry_read_stats(context->registry, &out->registry);
        if (context->loop)
                loop_read_stats(context->loop, &out->loop);
        out->uptime_s = (double)(clock_now_ns(context->clock) - server->started_ns) / NS_PER_S;
}

#define COUNTERS                                                                                                       \
        C("process", "uptime_s", "evenkeel_uptime_seconds", "gauge", "Since the program started.", c->uptime_s)        \
        C("process", "cpu_s", "process_cpu_seconds_total", "counter", "Processor time, user and system.", c->process.cpu_s) \
        C("process", "processors", "evenkeel_processors", "gauge", "Processors of this machine.", c->processors)       \
        C("process", "resident_bytes", "process_resident_memory_bytes", "gauge", "Memory in use.", c->process.resident_bytes) \
        C("process", "open_files", "process_open_fds", "gauge", "Open file descriptors.", c->process.open_files)       \
        C("process", "threads", "process_threads", "gauge", "Threads.", c->process.threads)                            \
        C("intake", "batches", "evenkeel_intake_batches_total", "counter", "Batches accepted.", c->intake.batches)     \
        C("intake", "records", "evenkeel_intake_records_total", "counter", "Log records accepted.", c->intake.records) \
        C("intake", "samples", "evenkeel_intake_samples_total", "counter", "Metric samples accepted.", c->intake.samples) \
        C("intake", "bytes", "evenkeel_intake_bytes_total", "counter", "Bytes accepted.", c->intake.bytes)             \
        C("intake", "rejected", "evenkeel_intake_rejected_total", "counter", "Wrong items within good batches.", c->intake.rejected) \
        C("intake", "duplicates", "evenkeel_intake_duplicates_total", "counter", "Batches recognised as sent again.", c->intake.duplicates) \
        C("intake", "busy", "evenkeel_intake_busy_total", "counter", "Offers refused because intake was full.", c->intake.busy) \
        C("intake", "refused", "evenkeel_intake_refused_total", "counter", "Batches refused as wrong.", c->intake.refused) \
        C("intake", "secrets_masked", "evenkeel_intake_secrets_masked_total", "counter", "Secrets masked before storage.", c->intake.secrets_masked) \
        C("intake", "bytes_waiting", "evenkeel_intake_waiting_bytes", "gauge", "Offered but not yet in the store.", c->intake.bytes_waiting) \
        C("journal", "first_sequence", "evenkeel_journal_first_sequence", "gauge", "Oldest entry on disk.", c->journal.first_sequence) \
        C("journal", "last_committed", "evenkeel_journal_last_sequence", "gauge", "Newest committed entry.", c->journal.last_committed) \
        C("journal", "bytes_on_disk", "evenkeel_journal_disk_bytes", "gauge", "Size of the journal.", c->journal.bytes_on_disk) \
        C("journal", "syncs", "evenkeel_journal_syncs_total", "counter", "fdatasync calls.", c->journal.syncs)         \
        C("journal", "entries", "evenkeel_journal_entries_total", "counter", "Entries committed.", c->journal.entries) \
        C("journal", "bytes_appended", "evenkeel_journal_appended_bytes_total", "counter", "Bytes committed.", c->journal.bytes_appended) \
        C("journal", "refused", "evenkeel_journal_refused_total", "counter", "Appends refused.", c->journal.refused)   \
        C("journal", "clock_held", "evenkeel_journal_clock_held_total", "counter", "Entries whose time was held because the clock went back.", c->journal.clock_held) \
        C("journal", "failures", "evenkeel_journal_failures_total", "counter", "Writes or syncs that failed.", c->journal.failures) \
        C("journal", "sync_s_last", "evenkeel_journal_sync_seconds", "gauge", "The last fdatasync.", (double)c->journal.sync_ns_last / 1e9) \
        C("journal", "sync_s_max", "evenkeel_journal_sync_seconds_max", "gauge", "The slowest fdatasync.", (double)c->journal.sync_ns_max / 1e9) \
        C("archive", "days", "evenkeel_archive_days", "gauge", "Day databases.", c->archive.days)                      \
        C("archive", "bytes_on_disk", "evenkeel_archive_disk_bytes", "gauge", "Size of the day databases.", c->archive.bytes_on_disk) \
        C("archive", "waiting_bytes", "evenkeel_archive_waiting_bytes", "gauge", "Sealed blocks not yet stored.", c->archive.waiting_bytes) \
        C("archive", "failures", "evenkeel_archive_failures_total", "counter", "Stores that failed and were tried again.", c->archive.failures) \
        C("archive", "log_blocks", "evenkeel_archive_log_blocks", "gauge", "Stored blocks of logs.", c->archive.blocks[BLOCK_LOGS]) \
        C("archive", "log_records", "evenkeel_archive_log_records", "gauge", "Log records in them.", c->archive.items[BLOCK_LOGS]) \
        C("archive", "log_raw_bytes", "evenkeel_archive_log_raw_bytes", "gauge", "Their bytes as they came.", c->archive.raw_bytes[BLOCK_LOGS]) \
        C("archive", "log_stored_bytes", "evenkeel_archive_log_stored_bytes", "gauge", "Their bytes as stored.", c->archive.stored_bytes[BLOCK_LOGS]) \
        C("archive", "metric_blocks", "evenkeel_archive_metric_blocks", "gauge", "Stored blocks of metrics.", c->archive.blocks[BLOCK_METRICS]) \
        C("archive", "metric_samples", "evenkeel_archive_metric_samples", "gauge", "Samples in them.", c->archive.items[BLOCK_METRICS]) \
        C("archive", "metric_stored_bytes", "evenkeel_archive_metric_stored_bytes", "gauge", "Their bytes as stored.", c->archive.stored_bytes[BLOCK_METRICS]) \
        C("logs", "records", "evenkeel_logs_records_total", "counter", "Log records taken into the store.", c->logs.records) \
        C("logs", "bytes", "evenkeel_logs_bytes_total", "counter", "Bytes of their lines.", c->logs.bytes)             \
        C("logs", "open_records", "evenkeel_logs_open_records", "gauge", "In open chunks.", c->logs.open_records)      \
        C("logs", "open_bytes", "evenkeel_logs_open_bytes", "gauge", "In open chunks.", c->logs.open_bytes)            \
        C("logs", "blocks_sealed", "evenkeel_logs_blocks_sealed_total", "counter", "Blocks sealed.", c->logs.blocks_sealed) \
        C("templates", "programs", "evenkeel_templates_programs", "gauge", "Programs whose templates are kept.", c->templates.domains) \
        C("templates", "templates", "evenkeel_templates", "gauge", "Templates kept.", c->templates.templates)          \
        C("templates", "bytes", "evenkeel_templates_bytes", "gauge", "Their memory.", c->templates.bytes)              \
        C("templates", "lines", "evenkeel_templates_lines_total", "counter", "Log records that got a template.", c->templates.lines) \
        C("templates", "forgotten", "evenkeel_templates_forgotten_total", "counter", "Rare templates that gave way at the bound.", c->templates.templates_forgotten) \
        C("templates", "programs_forgotten", "evenkeel_templates_programs_forgotten_total", "counter", "Quiet programs whose templates gave way at the bound.", c->templates.domains_forgotten) \
        C("templates", "lines_crowded", "evenkeel_templates_lines_crowded_total", "counter", "Records that shared a template because the bound was reached.", c->templates.lines_crowded) \
        C("templates", "lines_of_others", "evenkeel_templates_lines_of_others_total", "counter", "Records of programs beyond the bound.", c->templates.lines_of_others) \
        C("series", "series", "evenkeel_series", "gauge", "Resident series.", c->series.series)                        \
        C("series", "created", "evenkeel_series_created_total", "counter", "Series seen for the first time.", c->series.series_created) \
        C("series", "refused", "evenkeel_series_refused_total", "counter", "Samples of new series refused at the bound.", c->series.series_refused) \
        C("series", "samples", "evenkeel_series_samples_total", "counter", "Samples taken into the store.", c->series.samples) \
        C("series", "out_of_order", "evenkeel_series_out_of_order_total", "counter", "Samples older than the newest of their series.", c->series.out_of_order) \
        C("series", "duplicates", "evenkeel_series_duplicates_total", "counter", "Samples of a time that was there already.", c->series.duplicates) \
        C("series", "open_bytes", "evenkeel_series_open_bytes", "gauge", "In open chunks.", c->series.open_bytes)      \
        C("series", "resident_bytes", "evenkeel_series_resident_bytes", "gauge", "Memory of all resident series.", c->series.resident_bytes) \
        C("series", "blocks_sealed", "evenkeel_series_blocks_sealed_total", "counter", "Blocks sealed.", c->series.blocks_sealed) \
        C("register", "entities", "evenkeel_register_entities", "gauge", "Entities, deleted ones not counted.", c->registry.entities) \
        C("register", "deleted", "evenkeel_register_deleted", "gauge", "Deleted entities that are not purged yet.", c->registry.hidden) \
        C("register", "relations", "evenkeel_register_relations", "gauge", "Relations, one for each source that knows it.", c->registry.relations) \
        C("register", "created", "evenkeel_register_created_total", "counter", "Entities that came to be.", c->registry.created) \
        C("register", "merged", "evenkeel_register_merged_total", "counter", "Entities that turned out to be another.", c->registry.merged) \
        C("register", "seen", "evenkeel_register_seen_total", "counter", "Resources of telemetry that were looked at.", c->registry.seen) \
        C("register", "refused_rate", "evenkeel_register_refused_rate_total", "counter", "New entities refused because too many came at once.", c->registry.refused_rate) \
        C("register", "refused_full", "evenkeel_register_refused_full_total", "counter", "Entities and relations refused at their bound.", c->registry.refused_full) \
        C("register", "refused_keys", "evenkeel_register_refused_keys_total", "counter", "Further names of entities that have too many.", c->registry.refused_keys) \
        C("register", "ambiguous", "evenkeel_register_ambiguous_total", "counter", "Resources that could be one of several entities.", c->registry.ambiguous) \
        C("loop", "sequence_applied", "evenkeel_loop_sequence_applied", "gauge", "Newest entry whose effects are in the store.", c->loop.sequence_applied) \
        C("loop", "sequence_checkpoint", "evenkeel_loop_sequence_checkpoint", "gauge", "Entry of the last checkpoint.", c->loop.sequence_checkpoint) \
        C("loop", "replay_from_ns", "evenkeel_loop_replay_from_nanoseconds", "gauge", "Where a replay can begin; 0: nothing is kept yet.", c->loop.replay_from_ns) \
        C("loop", "checkpoints", "evenkeel_loop_checkpoints_total", "counter", "Checkpoints written.", c->loop.checkpoints) \
        C("loop", "checkpoint_failures", "evenkeel_loop_checkpoint_failures_total", "counter", "Checkpoints that failed.", c->loop.checkpoint_failures) \
        C("loop", "checkpoint_s_last", "evenkeel_loop_checkpoint_seconds", "gauge", "The last checkpoint.", (double)c->loop.checkpoint_ns_last / 1e9) \
        C("loop", "checkpoint_time_s", "evenkeel_loop_checkpoint_time_seconds", "gauge", "When the last checkpoint was written, as seconds since 1970; 0: never.", (double)c->loop.checkpoint_time_ns / 1e9) \
        C("loop", "commands", "evenkeel_loop_commands_total", "counter", "Commands applied.", c->loop.commands)        \
        C("loop", "replayed_entries", "evenkeel_loop_replayed_entries", "gauge", "Entries replayed at the start.", c->loop.replayed_entries) \
        C("loop", "recovery_s", "evenkeel_loop_recovery_seconds", "gauge", "Time the replay took.", (double)c->loop.recovery_ns / 1e9) \
        C("loop", "days_removed", "evenkeel_loop_days_removed_total", "counter", "Days removed by retention.", c->loop.days_removed) \
        C("retention", "days", "evenkeel_retention_days", "gauge", "Telemetry older than this many days is removed.", c->loop.retention_days) \
        C("retention", "bytes", "evenkeel_retention_bytes", "gauge", "Telemetry beyond this many bytes is removed; 0: no bound.", c->loop.retention_bytes) \
        C("http", "requests", "evenkeel_http_requests_total", "counter", "HTTP requests.", c->http->requests)          \
        C("http", "connections", "evenkeel_http_connections", "gauge", "Open HTTP connections.", c->http->connections) \
        C("http", "body_bytes", "evenkeel_http_body_bytes_total", "counter", "Bytes of request bodies.", c->http->body_bytes) \
        C("http", "answer_bytes", "evenkeel_http_answer_bytes_total", "counter", "Bytes of answers.", c->http->answer_bytes) \
        C("http", "bodies_held_bytes", "evenkeel_http_bodies_held_bytes", "gauge", "Bodies in memory.", c->http->bodies_held_bytes) \
        C("http", "answers_held_bytes", "evenkeel_http_answers_held_bytes", "gauge", "Answers not yet sent.", c->http->answers_held_bytes) \
        C("http", "refused_busy", "evenkeel_http_refused_busy_total", "counter", "Refused with 429 by HTTP's own bounds.", c->http->refused_busy) \
        C("http", "refused_large", "evenkeel_http_refused_large_total", "counter", "Bodies beyond their bound.", c->http->refused_large) \
        C("http", "slow_closed", "evenkeel_http_slow_closed_total", "counter", "Connections closed because the peer was too slow.", c->http->slow_closed) \
        C("http", "streams", "evenkeel_http_streams", "gauge", "Live streams.", c->http->streams)                      \
        C("http", "held", "evenkeel_http_held", "gauge", "Requests that wait for a commit or a worker.", c->http->held) \
        C("http", "answers_2xx", "evenkeel_http_answers_2xx_total", "counter", "Answers with a status of 200 to 299.", c->http->by_class[2]) \
        C("http", "answers_3xx", "evenkeel_http_answers_3xx_total", "counter", "Answers with a status of 300 to 399.", c->http->by_class[3]) \
        C("http", "answers_4xx", "evenkeel_http_answers_4xx_total", "counter", "Answers with a status of 400 to 499.", c->http->by_class[4]) \
        C("http", "answers_5xx", "evenkeel_http_answers_5xx_total", "counter", "Answers with a status of 500 to 599.", c->http->by_class[5]) \
        C("http", "seconds", "evenkeel_http_request_seconds_total", "counter", "Time from headers to the end of the answer, summed.", (double)c->http->micros_total / 1e6)

/* ---- sources ---- */

static const char *state_of(const struct source_counters *source)
{
        return source->failing ? "failing" : source->last_seen_ns == 0 ? "new" : source->silent ? "silent" : "ok";
}

static json_t *number_text(int64_t number)
{
        char text[24];
        snprintf(text, sizeof text, "%ld", (long)number);
        return json_string(text);
}

static json_t *source_json(const struct source_counters *source)
{
        json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name", source->name, "kind", source->kind, "state",
                                 state_of(source), "state_text", source->state_text, "last_seen_ns",
                                 number_text(source->last_seen_ns), "newest_event_ns", number_text(source->newest_event_ns),
                                 "clock_skew_ns", number_text(source->clock_skew_ns), "expected_every_ns",
                                 number_text(source->expected_every_ns));
        const struct { const char *name; uint64_t value; } counts[] = {
                {"batches", source->batches}, {"records", source->records}, {"samples", source->samples},
                {"bytes", source->bytes}, {"dropped", source->dropped}, {"duplicates", source->duplicates},
                {"parse_failures", source->parse_failures},
        };
        for (size_t i = 0; json && i < countof(counts); i++)
                json_object_set_new(json, counts[i].name, json_integer((json_int_t)counts[i].value));
        if (json) {
                json_object_set_new(json, "lag", json_real(source->lag_s));
                json_object_set_new(json, "rate_records", json_real(source->rate_records));
                json_object_set_new(json, "rate_samples", json_real(source->rate_samples));
        }
        return json;
}

/* Copies of all sources; the caller's. */
static struct source_counters *list_sources(struct server *server, size_t *out_count)
{
        struct source_counters none;
        size_t count = intake_list_sources(server->context.intake, &none, 0);
        struct source_counters *sources = calloc(count + 1, sizeof *sources);
        if (!sources)
                return NULL;
        size_t now = intake_list_sources(server->context.intake, sources, count);
        *out_count = min_of(count, now);
        return sources;
}

json_t *sources_json(struct server *server)
{
        size_t count = 0;
        struct source_counters *sources = server->context.intake ? list_sources(server, &count) : NULL;
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, source_json(&sources[i]));
        free(sources);
        return json_pack("{s:o}", "sources", list);
}

bool sources_list(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = sources_json(server_of(request));
        return request_answer_json(request, 200, body, err);
}

/* ---- status ---- */

static void set_number(json_t *status, const char *section, const char *name, double value)
{
        json_t *part = json_object_get(status, section);
        if (!part) {
                part = json_object();
                json_object_set_new(status, section, part);
        }
        bool is_whole = value == (double)(int64_t)value;
        json_object_set_new(part, name, is_whole ? json_integer((json_int_t)value) : json_real(value));
}

/* {"type": "object", "properties": {section: {.. name: {type, description} ..}}}, from the same table as the answer. */
json_t *status_schema_json(void)
{
        json_t *sections = json_object();
        const struct { const char *section, *name, *help; } rows[] = {
#define C(section, name, metric, type, help, value) {section, name, help},
                COUNTERS
#undef C
        };
        for (size_t i = 0; i < countof(rows); i++) {
                json_t *section = json_object_get(sections, rows[i].section);
                if (!section) {
                        section = json_pack("{s:s, s:{}}", "type", "object", "properties");
                        json_object_set_new(sections, rows[i].section, section);
                }
                json_object_set_new(json_object_get(section, "properties"), rows[i].name,
                                    json_pack("{s:s, s:s}", "type", "number", "description", rows[i].help));
        }
        static const char *const texts[] = {"version", "licence", "data_directory", "started_ns", "time_ns"};
        for (size_t i = 0; i < countof(texts); i++)
                json_object_set_new(sections, texts[i], json_pack("{s:s}", "type", "string"));
        return json_pack("{s:s, s:o}", "type", "object", "properties", sections);
}

json_t *status_json(struct server *server)
{
        struct counters counters, *c = &counters;
        const struct serve_context *context = &server->context;
        json_t *status = json_pack("{s:s, s:s, s:s, s:o, s:o}", "version", context->version ? context->version : "?", "licence", LICENCE, "data_directory",
                                   context->data_directory ? context->data_directory : "", "started_ns",
                                   number_text(server->started_ns), "time_ns", number_text(clock_now_ns(context->clock)));
        if (!status)
                return NULL;
        read_counters(server, c);
#define C(section, name, metric, type, help, value) set_number(status, section, name, (double)(value));
        COUNTERS
#undef C
        return status;
}

bool status_show(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = status_json(server_of(request));
        return request_answer_json(request, 200, body, err);
}

/* ---- metrics ---- */

static void write_sources(struct buf *out, const struct source_counters *sources, size_t count)
{
        static const struct { const char *name, *type, *help; size_t offset; } rows[] = {
                {"evenkeel_source_records_total", "counter", "Log records of a source.", offsetof(struct source_counters, records)},
                {"evenkeel_source_samples_total", "counter", "Samples of a source.", offsetof(struct source_counters, samples)},
                {"evenkeel_source_bytes_total", "counter", "Bytes of a source.", offsetof(struct source_counters, bytes)},
                {"evenkeel_source_dropped_total", "counter", "Items of a source that were lost.", offsetof(struct source_counters, dropped)},
                {"evenkeel_source_duplicates_total", "counter", "Batches of a source that were sent again.", offsetof(struct source_counters, duplicates)},
                {"evenkeel_source_parse_failures_total", "counter", "Wrong items of a source.", offsetof(struct source_counters, parse_failures)},
        };
        for (size_t row = 0; row < countof(rows) && count; row++) {
                exposition_family(out, rows[row].name, rows[row].type, rows[row].help);
                for (size_t i = 0; i < count; i++) {
                        const uint64_t *value = (const uint64_t *)((const char *)&sources[i] + rows[row].offset);
                        exposition_sample(out, rows[row].name, (double)*value, "source", str_of(sources[i].name), "kind", str_of(sources[i].kind), (char *)NULL);
                }
        }
        if (count)
                exposition_family(out, "evenkeel_source_up", "gauge", "1: neither failing nor silent.");
        for (size_t i = 0; i < count; i++)
                exposition_sample(out, "evenkeel_source_up", !sources[i].failing && !sources[i].silent, "source", str_of(sources[i].name), "kind", str_of(sources[i].kind), (char *)NULL);
}

bool metrics_show(struct request *request, struct err *err)
{
        (void)err;
        struct server *server = server_of(request);
        struct counters counters, *c = &counters;
        struct buf *out = &request->answer.body;
        size_t count = 0;
        struct source_counters *sources = server->context.intake ? list_sources(server, &count) : NULL;
        read_counters(server, c);
        exposition_family(out, "evenkeel_build_info", "gauge", "1; the version is the label.");
        exposition_sample(out, "evenkeel_build_info", 1, "version", str_of(server->context.version ? server->context.version : "?"), (char *)NULL);
#define C(section, name, metric, type, help, value)                                                                    \
        exposition_family(out, metric, type, help);                                                                    \
        exposition_sample(out, metric, (double)(value), (char *)NULL);
        COUNTERS
#undef C
        write_sources(out, sources, count);
        free(sources);
        request->answer.status = 200;
        request->answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
        return true;
}

/* ---- small ones ---- */

bool health_alive(struct request *request, struct err *err)
{
        (void)err;
        return request_answer(request, 200, "text/plain; charset=utf-8", STR("Evenkeel is healthy.\n"));
}

bool health_ready(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        if (server->context.intake && intake_stopping(server->context.intake))
                return fail(err, ERR_IO, "serve", "Evenkeel is stopping");
        return request_answer(request, 200, "text/plain; charset=utf-8", STR("Evenkeel is ready.\n"));
}

bool redact_try(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        const struct redactor *redactor = server_of(request)->context.redactor;
        if (!request_json(request, &body, err))
                return false;
        struct str text = arena_str(&request->arena, json_str(body, "text"));
        if (!text.bytes)
                return fail(err, ERR_INVALID, "serve", "give {\"text\": ...}");
        if (!redactor)
                return fail(err, ERR_REFUSED, "serve", "nothing is masked: no redactor is configured");
        uint64_t masked = redact_text(redactor, (char *)(uintptr_t)text.bytes, text.length);
        scoped_ptr(json_decref) json_t *answer = json_pack("{s:s%, s:I}", "text", text.bytes, text.length, "masked", (json_int_t)masked);
        return request_answer_json(request, 200, answer, err);
}

bool backup_make(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!request_json(request, &body, err))
                return false;
        const char *directory = json_string_value(json_object_get(body, "directory"));
        if (!directory || directory[0] != '/')
                return fail(err, ERR_INVALID, "serve", "give {\"directory\": an absolute path on the server's machine}");
        if (!server->context.backup)
                return fail(err, ERR_REFUSED, "serve", "this program was started without a backup");
        if (!server->context.backup(server->context.backup_context, directory, err))
                return false;
        scoped_ptr(json_decref) json_t *answer = json_pack("{s:s, s:s}", "status", "success", "directory", directory);
        return request_answer_json(request, 200, answer, err);
}
