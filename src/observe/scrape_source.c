/*
 * scrape_source.c - see scrape_source.h.
 *
 * One thread drives all scrapes through one HTTP client, so a hundred dead targets only cost their time limits. When a
 * target is due follows from its hash, so targets spread evenly over the interval and keep their place after a restart. A scrape
 * becomes up to three batches of the same receive time: the body as it came, the stale lines, and what is said about the
 * scrape itself.
 */
#include "observe/scrape_source.h"

#include "base/json.h"
#include "base/thread.h"
#include "observe/scrape_series.h"
#include "observe/scrape_targets.h"
#include "reach/http_client.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_FLIGHT_MAX 128
#define BODY_BYTES_MAX BATCH_BYTES_MAX
#define DISCOVERY_NS (2 * NS_PER_S)
#define ACCEPT                                                                                                         \
        "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"        \
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

struct scraped { /* a target being scraped */
        struct scrape_source *source;
        struct scrape_target target;    /* its texts are the generation's arena's */
        struct generation *generation;
        struct scrape_series series;
        int64_t due_ns;
        bool is_under_way, is_gone, is_failing;
        char name[256];                 /* of the source */
};

/* The memory of one listing of targets; lives while a target of it does. */
struct generation {
        struct arena arena;
        size_t users;
};

struct scrape_source {
        struct intake *intake;
        struct thread thread;
        struct http_client *client;
        struct scrape_jobs jobs;
        struct scraped **targets;
        size_t count, capacity;
        int64_t discovered_ns;
        _Atomic bool stopping;
        bool discovery_fails;
};

static int64_t now_monotonic_ns(void)
{
        return clock_monotonic_ns(&clock_real);
}

/* --- batches ---------------------------------------------------------------------------------------------------- */

static void note_outcome(void *context, const struct batch *batch, const struct err *err)
{
        if (err) {
                source_dropped(context, batch->source, 1);
                source_state(context, batch->source, "scrape", true, "a scrape was not kept: %s", err->message);
        }
}

static bool copy_labels(const struct labels *labels, struct batch *batch, struct err *err)
{
        struct label *items = arena_array(&batch->arena, labels->count, sizeof *items);
        bool fine = items != NULL;
        for (size_t i = 0; i < labels->count && fine; i++) {
                items[i].name = arena_str(&batch->arena, labels->items[i].name);
                items[i].value = arena_str(&batch->arena, labels->items[i].value);
                fine = items[i].name.bytes && items[i].value.bytes;
        }
        batch->labels = (struct labels){items, labels->count, labels->count};
        return fine || fail_memory(err, "scrape", labels->count * sizeof *items);
}

static bool offer(struct scraped *scraped, struct str bytes, const char *settings, int64_t received_ns, struct err *err)
{
        struct batch *batch = batch_create(SOURCE_SCRAPE, str_of(scraped->name), err);
        if (!batch)
                return false;
        batch->received_ns = received_ns;
        batch->bytes = arena_str(&batch->arena, bytes);
        batch->settings = arena_str(&batch->arena, str_of(settings));
        bool fine = (batch->bytes.bytes && batch->settings.bytes) || fail_memory(err, "scrape", bytes.length);
        if (!fine || !copy_labels(&scraped->target.labels, batch, err)) {
                batch_destroy(batch);
                return false;
        }
        if (intake_offer(scraped->source->intake, batch, note_outcome, scraped->source->intake, err))
                return true;
        if (err->code == ERR_BUSY || err->code == ERR_FULL)
                source_dropped(scraped->source->intake, str_of(scraped->name), 1);
        return false;
}

static void offer_own(struct scraped *scraped, bool up, int64_t duration_ns, size_t samples, size_t added,
                      int64_t received_ns)
{
        char text[512];
        struct err err;
        int length = snprintf(text, sizeof text,
                              "# TYPE up gauge\nup %d\n# TYPE scrape_duration_seconds gauge\nscrape_duration_seconds %.9f\n"
                              "# TYPE scrape_samples_scraped gauge\nscrape_samples_scraped %zu\n"
                              "# TYPE scrape_samples_post_metric_relabeling gauge\n"
                              "scrape_samples_post_metric_relabeling %zu\n"
                              "# TYPE scrape_series_added gauge\nscrape_series_added %zu\n",
                              up, (double)duration_ns / 1e9, samples, samples, added);
        offer(scraped, (struct str){text, (size_t)length}, "{}", received_ns, &err);
}

static const char own_series[] = "up 0\nscrape_duration_seconds 0\nscrape_samples_scraped 0\n"
                                 "scrape_samples_post_metric_relabeling 0\nscrape_series_added 0\n";

/* Ends the series that are not in body; an empty body ends all. */
static void end_vanished(struct scraped *scraped, struct str body, const char *more, int64_t received_ns,
                         size_t *out_samples, size_t *out_added)
{
        scoped(buf_done) struct buf gone = {0};
        struct err err;
        bool updated = scrape_series_update(&scraped->series, body, &gone, out_samples, out_added, &err);
        buf_text(&gone, more);
        const char *settings = scraped->target.job->honor_labels ? "{\"stale\":true,\"honor_labels\":true}" : "{\"stale\":true}";
        if (updated && gone.length)
                offer(scraped, buf_str(&gone), settings, received_ns, &err);
}

/* --- one scrape ------------------------------------------------------------------------------------------------- */

static bool take_body(struct scraped *scraped, const struct http_response *response, int64_t received_ns, struct err *err)
{
        const struct scrape_job *job = scraped->target.job;
        bool is_openmetrics = strncmp(response->content_type, "application/openmetrics-text", 28) == 0;
        char settings[128];
        if (response->status != 200)
                return fail(err, ERR_IO, "scrape", "%.*s answered with status %ld", STR_ARGS(scraped->target.url),
                            response->status);
        snprintf(settings, sizeof settings, "{\"honor_labels\":%s,\"honor_timestamps\":%s%s}",
                 job->honor_labels ? "true" : "false", job->honor_timestamps ? "true" : "false",
                 is_openmetrics ? ",\"openmetrics\":true" : "");
        return offer(scraped, buf_str(&response->body), settings, received_ns, err) || err->code == ERR_BUSY;
}

static void scraped_release(struct scraped *scraped);

static void note_scraped(void *context, struct http_response *response, const struct err *fault)
{
        struct scraped *scraped = context;
        int64_t received_ns = clock_now_ns(intake_clock(scraped->source->intake));
        size_t samples = 0, added = 0;
        struct err err = {0};
        scraped->is_under_way = false;
        if (scraped->is_gone) {
                scraped_release(scraped);
                return;
        }
        bool up = !fault && take_body(scraped, response, received_ns, &err);
        end_vanished(scraped, up ? buf_str(&response->body) : STR(""), "", received_ns, &samples, &added);
        offer_own(scraped, up, response->duration_ns, samples, added, received_ns);
        if (!up)
                source_state(scraped->source->intake, str_of(scraped->name), "scrape", true, "%s",
                             fault ? fault->message : err.message);
        else if (scraped->is_failing)
                source_state(scraped->source->intake, str_of(scraped->name), "scrape", false, "%s", "");
        scraped->is_failing = !up;
}

static void begin_scrape(struct scraped *scraped)
{
        const struct scrape_job *job = scraped->target.job;
        char accept_timeout[64], authorization[1024];
        struct http_request request = {
                .url = scraped->target.url.bytes,
                .headers = {ACCEPT, accept_timeout},
                .timeout_ms = job->timeout_ms,
                .body_bytes_max = BODY_BYTES_MAX,
                .accepts_gzip = true,
                .ca_file = job->ca_file.length ? job->ca_file.bytes : NULL,
                .insecure = job->insecure,
        };
        snprintf(accept_timeout, sizeof accept_timeout, "X-Prometheus-Scrape-Timeout-Seconds: %.3f",
                 (double)job->timeout_ms / 1e3);
        if (job->authorization.length) {
                snprintf(authorization, sizeof authorization, "Authorization: %.*s", STR_ARGS(job->authorization));
                request.headers[2] = authorization;
        }
        struct err err;
        scraped->is_under_way = true;
        if (http_client_start(scraped->source->client, &request, note_scraped, scraped, &err))
                return;
        scraped->is_under_way = false;
        source_state(scraped->source->intake, str_of(scraped->name), "scrape", true, "%s", err.message);
}

/* The next moment after now that is the target's own within the interval. */
static int64_t next_due_ns(const struct scraped *scraped, int64_t now_ns)
{
        int64_t every_ns = scraped->target.job->every_ns;
        int64_t offset_ns = (int64_t)(scraped->target.id % (uint64_t)every_ns);
        int64_t due_ns = now_ns - now_ns % every_ns + offset_ns;
        return due_ns > now_ns ? due_ns : due_ns + every_ns;
}

/* Starts what is due; gives how long until something is, at most a discovery's interval. */
static int64_t scrape_due(struct scrape_source *source, int64_t now_ns)
{
        int64_t first_ns = now_ns + DISCOVERY_NS;
        for (size_t i = 0; i < source->count; i++) {
                struct scraped *scraped = source->targets[i];
                if (scraped->due_ns <= now_ns) {
                        scraped->due_ns = next_due_ns(scraped, now_ns);
                        if (!scraped->is_under_way) /* else the answer to the last one is late; it has its time limit */
                                begin_scrape(scraped);
                }
                first_ns = min_of(first_ns, scraped->due_ns);
        }
        return (first_ns - now_ns) / NS_PER_MS + 1;
}

/* --- the set of targets ----------------------------------------------------------------------------------------- */

static void generation_unref(struct generation *generation)
{
        if (--generation->users)
                return;
        arena_done(&generation->arena);
        free(generation);
}

static void scraped_release(struct scraped *scraped)
{
        scrape_series_done(&scraped->series);
        generation_unref(scraped->generation);
        free(scraped);
}

/* Ends all its series; its memory goes when no request is under way. */
static void remove_target(struct scrape_source *source, size_t at)
{
        struct scraped *scraped = source->targets[at];
        size_t samples, added;
        source->targets[at] = source->targets[--source->count];
        end_vanished(scraped, STR(""), own_series, clock_now_ns(intake_clock(source->intake)), &samples, &added);
        source_state(source->intake, str_of(scraped->name), "scrape", false, "no target any more");
        scraped->is_gone = true;
        if (!scraped->is_under_way)
                scraped_release(scraped);
}

static bool add_target(struct scrape_source *source, const struct scrape_target *target, struct generation *generation)
{
        struct scraped *scraped = calloc(1, sizeof *scraped);
        if (scraped && source->count == source->capacity) {
                size_t capacity = source->capacity ? source->capacity * 2 : 16;
                struct scraped **moved = realloc(source->targets, capacity * sizeof *moved);
                if (!moved) {
                        free(scraped);
                        return false;
                }
                source->targets = moved;
                source->capacity = capacity;
        }
        if (!scraped)
                return false;
        scraped->source = source;
        scraped->target = *target;
        scraped->generation = generation;
        generation->users++;
        snprintf(scraped->name, sizeof scraped->name, "scrape:%.*s/%.*s", STR_ARGS(target->job->name),
                 STR_ARGS(target->instance));
        scraped->due_ns = next_due_ns(scraped, now_monotonic_ns());
        source->targets[source->count++] = scraped;
        return true;
}

static bool has_target(const struct scrape_source *source, uint64_t id)
{
        for (size_t i = 0; i < source->count; i++)
                if (source->targets[i]->target.id == id)
                        return true;
        return false;
}

static bool lists(const struct scrape_targets *targets, uint64_t id)
{
        each (target, targets)
                if (target->id == id)
                        return true;
        return false;
}

/* Targets that stay keep their place and their series; only what came or went changes. */
static void adopt(struct scrape_source *source, const struct scrape_targets *targets, struct generation *generation)
{
        for (size_t i = source->count; i--;)
                if (!lists(targets, source->targets[i]->target.id))
                        remove_target(source, i);
        each (target, targets)
                if (!has_target(source, target->id))
                        add_target(source, target, generation);
}

static void tell_discovery(struct scrape_source *source, const struct err *err)
{
        if (err || source->discovery_fails)
                source_state(source->intake, STR("scrape"), "scrape", err != NULL, "%s", err ? err->message : "");
        source->discovery_fails = err != NULL;
}

static void discover(struct scrape_source *source, int64_t now_ns)
{
        source->discovered_ns = now_ns;
        if (!scrape_jobs_changed(&source->jobs))
                return;
        struct generation *generation = calloc(1, sizeof *generation);
        struct scrape_targets targets;
        struct err err;
        if (!generation)
                return;
        arena_init(&generation->arena, (size_t)256 << 20);
        generation->users = 1;
        bool listed = scrape_targets_list(&source->jobs, &generation->arena, &targets, &err);
        if (listed)
                adopt(source, &targets, generation); /* else the targets known so far stay */
        tell_discovery(source, listed ? NULL : &err);
        generation_unref(generation);
}

static void run(void *context)
{
        struct scrape_source *source = context;
        while (!source->stopping) {
                int64_t now_ns = now_monotonic_ns();
                if (!source->discovered_ns || now_ns - source->discovered_ns >= DISCOVERY_NS)
                        discover(source, now_ns);
                int64_t wait_ms = scrape_due(source, now_ns);
                if (!source->stopping)
                        http_client_run(source->client, wait_ms);
        }
}

static void check_job(const json_t *item, size_t index, struct faults *faults)
{
        scoped_ptr(json_decref) json_t *alone = json_pack("{s:[O]}", "jobs", item);
        struct scrape_jobs jobs;
        struct scrape_targets targets;
        struct err err = {0};
        char place[64];
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)256 << 20);
        snprintf(place, sizeof place, "sources.scrape.jobs.%zu", index);
        faults_keys(faults, place, item, "authorization ca_file every files honor_labels honor_timestamps insecure job labels path scheme targets timeout");
        if (!scrape_jobs_parse(alone, &jobs, &err)) {
                faults_add(faults, place, &err);
                return;
        }
        if (!scrape_targets_list(&jobs, &arena, &targets, &err))
                faults_add(faults, place, &err);
        const char *ca_file = json_string_value(json_object_get(item, "ca_file"));
        if (ca_file && *ca_file && access(ca_file, R_OK) != 0) {
                fail_errno(&err, errno, "scrape", "reading %s", ca_file);
                faults_add(faults, place, &err);
        }
        scrape_jobs_done(&jobs);
}

void scrape_source_check(const json_t *config, struct faults *faults)
{
        const json_t *jobs = json_object_get(config, "jobs");
        size_t index;
        json_t *item;
        faults_keys(faults, "sources.scrape", config, "jobs");
        if (jobs && !json_is_array(jobs))
                faults_note(faults, "sources.scrape.jobs", ERR_INVALID, "scrape", "it must be a list of jobs");
        json_array_foreach((json_t *)jobs, index, item)
                check_job(item, index, faults);
}

bool scrape_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err)
{
        struct scrape_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "scrape", sizeof *source);
        source->intake = intake;
        if (!scrape_jobs_parse(config, &source->jobs, err)) {
                free(source);
                return false;
        }
        if (!source->jobs.count) { /* nothing to scrape: no thread */
                *out_source = source;
                return true;
        }
        if (!http_client_create(IN_FLIGHT_MAX, NULL, NULL, &source->client, err) ||
            !thread_start(&source->thread, "scrape", run, source, err)) {
                scrape_source_stop(source);
                return false;
        }
        *out_source = source;
        return true;
}

void scrape_source_stop(void *stopped)
{
        struct scrape_source *source = stopped;
        if (!source)
                return;
        source->stopping = true;
        if (source->thread.started)
                http_client_wake(source->client);
        thread_join(&source->thread);
        http_client_destroy(source->client); /* drops what is under way */
        for (size_t i = 0; i < source->count; i++)
                scraped_release(source->targets[i]);
        free(source->targets);
        scrape_jobs_done(&source->jobs);
        free(source);
}
