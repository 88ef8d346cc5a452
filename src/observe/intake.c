/*
 * intake.c - see intake.h. Driven by the threads of all sources and by the journal's; owns nothing slow: decoding and
 * masking happen on the source's thread, so many sources share the work, and what is decoded here is handed on with the
 * batch, so the pipeline need not decode again.
 *
 *      offer -> mask -> decode -> count weight -> journal ... committed -> done() to the sender -> deliver() to the pipeline
 *                                                                                              ... stored -> weight back
 */
#include "observe/intake.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "base/thread.h"
#include "observe/source_kinds.h"
#include "observe/source_registry.h"
#include "store/journal.h"
#include "wire/redact.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BYTES_IN_FLIGHT_MAX ((size_t)128 << 20)
#define REPEATABLE_SHARE 5 /* of the room: a remote write of 10,000 series weighs 7 MiB, decoded */
#define RECENT_MAX 16384 /* batches remembered, so that one sent again is recognised */
#define BUSY_WAIT_MS 20

struct recent {
        struct hash128 hash;
        bool is_committed;
};

struct intake {
        struct intake_options options;
        struct journal *journal;
        struct source_registry *registry;
        struct lock lock; /* guards all below but the atomics */
        struct recent ring[RECENT_MAX];
        size_t ring_next, ring_count;
        struct map recent_map;
        _Atomic size_t bytes_waiting, repeatable_waiting; /* repeatable_waiting: of it, what its senders would send again */
        _Atomic uint64_t batches, records, samples, bytes, rejected, duplicates, busy, refused, secrets;
        _Atomic bool stopping;
};

/* A batch on its way through the journal. */
struct passage {
        struct append append; /* first: the journal gives it back */
        struct intake *intake;
        struct batch *batch;
        struct buf payload;
        uint32_t recent_place; /* MAP_NONE: not remembered */
        struct hash128 hash;
        intake_done_fn *done;
        void *context;
};

bool intake_create(const struct intake_options *options, struct intake **out_intake, struct err *err)
{
        struct intake *intake = calloc(1, sizeof *intake);
        if (!intake)
                return fail_memory(err, "intake", sizeof *intake);
        if (!source_registry_create(&intake->registry, err)) {
                free(intake);
                return false;
        }
        intake->options = *options;
        if (!intake->options.bytes_max)
                intake->options.bytes_max = BYTES_IN_FLIGHT_MAX;
        lock_init(&intake->lock, LOCK_INTAKE);
        *out_intake = intake;
        return true;
}

void intake_connect(struct intake *intake, struct journal *journal)
{
        intake->journal = journal;
}

void intake_destroy(struct intake *intake)
{
        if (!intake)
                return;
        source_registry_destroy(intake->registry);
        map_done(&intake->recent_map);
        lock_done(&intake->lock);
        free(intake);
}

void intake_stop(struct intake *intake)
{
        intake->stopping = true;
}

bool intake_stopping(const struct intake *intake)
{
        return intake->stopping;
}

const struct clock *intake_clock(const struct intake *intake)
{
        return intake->options.clock;
}

/* --- batches sent again ------------------------------------------------------------------------------------------ */

static uint32_t find_recent(const struct intake *intake, struct hash128 hash)
{
        size_t at;
        for (uint32_t i = map_first(&intake->recent_map, hash.low, &at); i != MAP_NONE;
             i = map_next(&intake->recent_map, hash.low, &at))
                if (hash128_equal(intake->ring[i].hash, hash))
                        return i;
        return MAP_NONE;
}

/* Remembers a batch, forgetting the oldest at the bound. Holds the lock. */
static uint32_t remember(struct intake *intake, struct hash128 hash, bool is_committed)
{
        uint32_t place = (uint32_t)intake->ring_next;
        if (intake->ring_count == RECENT_MAX)
                map_remove(&intake->recent_map, intake->ring[place].hash.low, place);
        else
                intake->ring_count++;
        intake->ring[place] = (struct recent){hash, is_committed};
        if (!map_put(&intake->recent_map, hash.low, place))
                return MAP_NONE; /* no memory: a repeat of this one will not be recognised */
        intake->ring_next = (intake->ring_next + 1) % RECENT_MAX;
        return place;
}

/* Senders of these formats send a batch again that was refused, or whose acknowledgement they missed. */
static bool is_repeatable(const struct source_kind *kind)
{
        return kind->path && !strstr(kind->path, "/webhook/");
}

/* ... and time stamps inside make equal bytes a repeat. An alert needs none: told again in the same bytes it goes on firing, or fires again, and what
 * was a repeat changes nothing. */
static bool is_known_by_bytes(const struct source_kind *kind)
{
        return is_repeatable(kind) && strcmp(kind->name, "alertmanager") != 0;
}

static struct hash128 hash_batch(const struct batch *batch)
{
        struct hash128 bytes = hash128(batch->bytes), source = hash128(batch->source);
        return (struct hash128){bytes.low ^ source.low, bytes.high + batch->format};
}

enum repeat { REPEAT_NO, REPEAT_COMMITTED, REPEAT_PENDING };

static enum repeat note_batch(struct intake *intake, struct passage *passage)
{
        with_lock(&intake->lock);
        uint32_t seen = find_recent(intake, passage->hash);
        if (seen != MAP_NONE)
                return intake->ring[seen].is_committed ? REPEAT_COMMITTED : REPEAT_PENDING;
        passage->recent_place = remember(intake, passage->hash, false);
        return REPEAT_NO;
}

/* The journal has taken it, or not: a failed batch may be sent again. */
static void settle_batch(struct intake *intake, const struct passage *passage, bool is_committed)
{
        if (passage->recent_place == MAP_NONE)
                return;
        with_lock(&intake->lock);
        struct recent *recent = &intake->ring[passage->recent_place];
        if (!hash128_equal(recent->hash, passage->hash))
                return; /* the ring has come round */
        recent->is_committed = is_committed;
        if (!is_committed) {
                map_remove(&intake->recent_map, passage->hash.low, passage->recent_place);
                recent->hash = (struct hash128){0};
        }
}

/* --- masking and decoding ---------------------------------------------------------------------------------------- */

bool intake_decode(struct batch *batch, struct err *err)
{
        if (batch->is_decoded)
                return true;
        const struct source_kind *kind = source_kind_of(batch->format);
        if (!kind)
                return fail(err, ERR_UNSUPPORTED, "intake", "a batch of the unknown format %u; a newer version wrote it, use that",
                            batch->format);
        batch->telemetry.arena = &batch->arena;
        bool good = kind->decode(batch, err);
        json_decref(give(batch->tree));
        batch->is_decoded = good;
        return good;
}

static bool mask_json(const struct redactor *redactor, struct batch *batch, uint64_t *out_masked, struct err *err)
{
        scoped_ptr(json_decref) json_t *tree = json_parse(batch->bytes, err);
        if (!tree)
                return false;
        *out_masked = redact_json(redactor, tree);
        if (!*out_masked) { /* the exact bytes are kept */
                batch->tree = give(tree);
                return true;
        }
        scoped(buf_done) struct buf text = {0};
        struct str masked = {0};
        if (json_write(tree, &text))
                masked = arena_str(&batch->arena, buf_str(&text));
        if (!masked.bytes)
                return fail_memory(err, "intake", batch->bytes.length);
        batch->bytes = masked;
        return true;
}

static bool mask_and_decode(struct intake *intake, struct batch *batch, struct err *err)
{
        const struct source_kind *kind = source_kind_of(batch->format);
        const struct redactor *redactor = intake->options.redactor;
        uint64_t masked = 0;
        assert(kind);
        if (redactor && kind->mask == REDACT_TEXT)
                masked = redact_text(redactor, (char *)batch->bytes.bytes, batch->bytes.length);
        if (redactor && kind->mask == REDACT_JSON && !mask_json(redactor, batch, &masked, err))
                return false;
        if (!intake_decode(batch, err))
                return false;
        if (redactor && kind->mask == REDACT_FIELDS)
                masked = redact_telemetry(redactor, &batch->telemetry);
        intake->secrets += masked;
        return true;
}

static uint64_t sample_count(const struct telemetry *telemetry)
{
        uint64_t samples = 0;
        each (series, &telemetry->series)
                samples += series->count;
        return samples;
}

static bool check_bounds(const struct batch *batch, struct err *err)
{
        const struct telemetry *telemetry = &batch->telemetry;
        if (batch->bytes.length > BATCH_BYTES_MAX)
                return fail(err, ERR_TOO_LARGE, "intake", "a batch of %zu bytes, %zu at most; send smaller ones",
                            batch->bytes.length, BATCH_BYTES_MAX);
        if (telemetry->records.count + sample_count(telemetry) >= (size_t)1 << ITEM_ORDINAL_BITS)
                return fail(err, ERR_TOO_LARGE, "intake", "a batch of %zu records, %d at most; send smaller ones",
                            telemetry->records.count, 1 << ITEM_ORDINAL_BITS);
        return true;
}

/* --- the way in --------------------------------------------------------------------------------------------------- */

/* What the batch holds in memory now. batch->weight is what was counted for it. */
static size_t weight_of(const struct batch *batch)
{
        return sizeof *batch + batch->bytes.length + batch->arena.bytes_held;
}

static void set_weight(struct intake *intake, struct batch *batch, size_t weight)
{
        intake->bytes_waiting += weight - batch->weight;
        if (is_repeatable(source_kind_of(batch->format)))
                intake->repeatable_waiting += weight - batch->weight;
        batch->weight = weight;
}

static void give_weight_back(struct intake *intake, struct batch *batch)
{
        set_weight(intake, batch, 0);
}

static void free_passage(struct passage *passage)
{
        buf_done(&passage->payload);
        free(passage);
}

/* On the journal's thread. */
static void committed(struct append *append, const struct entry *entry, const struct err *err)
{
        struct passage *passage = (struct passage *)append;
        struct intake *intake = passage->intake;
        struct batch *batch = passage->batch;
        settle_batch(intake, passage, entry != NULL);
        if (passage->done)
                passage->done(passage->context, batch, err);
        if (entry) {
                intake->options.deliver(intake->options.context, batch, entry->sequence, entry->time_ns);
        } else {
                give_weight_back(intake, batch);
                batch_destroy(batch);
        }
        free_passage(passage);
}

/* A sender whose acknowledgement was lost gets it now; the batch is not stored again. */
static bool answer_repeat(struct intake *intake, struct passage *passage)
{
        struct batch *batch = passage->batch;
        intake->duplicates++;
        source_registry_duplicate(intake->registry, batch->source);
        if (passage->done)
                passage->done(passage->context, batch, NULL);
        give_weight_back(intake, batch);
        batch_destroy(batch);
        free_passage(passage);
        return true;
}

static bool reserve_in(_Atomic size_t *waiting, size_t weight, size_t most, size_t *out_before)
{
        size_t before = *out_before = atomic_fetch_add(waiting, weight);
        if (!before || before + weight <= most)
                return true;
        *waiting -= weight;
        return false;
}

/* Room for the batch before any work is spent on it. A batch heavier than the bound passes when it is alone. Who sends the same again when
 * asked to gets a share: what waits is memory, and there may be senders who cannot. */
static bool reserve(struct intake *intake, struct batch *batch, struct err *err)
{
        size_t weight = weight_of(batch), most = intake->options.bytes_max, before;
        bool is_shared = is_repeatable(source_kind_of(batch->format));
        bool fits = !is_shared || reserve_in(&intake->repeatable_waiting, weight, most / REPEATABLE_SHARE, &before);
        if (fits && !reserve_in(&intake->bytes_waiting, weight, most, &before)) {
                intake->repeatable_waiting -= is_shared ? weight : 0;
                fits = false;
        }
        if (!fits) {
                intake->busy++;
                return fail(err, ERR_BUSY, "intake", "%zu MiB wait to be stored already; send the same again in a second", before >> 20);
        }
        batch->weight = weight;
        return true;
}

static struct passage *create_passage(struct intake *intake, struct batch *batch, intake_done_fn *done, void *context, struct err *err)
{
        struct passage *passage = calloc(1, sizeof *passage);
        if (!passage) {
                fail_memory(err, "intake", sizeof *passage);
                return NULL;
        }
        *passage = (struct passage){.append = {.kind = ENTRY_BATCH, .done = committed}, .intake = intake, .batch = batch,
                                    .recent_place = MAP_NONE, .done = done, .context = context};
        return passage;
}

struct taken {
        uint64_t batches, bytes, records, samples, rejected;
};

static void count_taken(struct intake *intake, const struct taken *taken)
{
        intake->batches += taken->batches;
        intake->bytes += taken->bytes;
        intake->records += taken->records;
        intake->samples += taken->samples;
        intake->rejected += taken->rejected;
}

/* Packs and appends. ERR_BUSY of the journal leaves all as it was. */
static bool append_batch(struct intake *intake, struct passage *passage, struct err *err)
{
        struct batch *batch = passage->batch;
        passage->payload.bytes_max = 2 * BATCH_BYTES_MAX;
        if (!passage->payload.length && (!buf_reserve(&passage->payload, batch->bytes.length + 512) || !batch_pack(batch, &passage->payload)))
                return fail_memory(err, "intake", batch->bytes.length);
        passage->append.payload = buf_str(&passage->payload);
        return journal_append(intake->journal, &passage->append, err);
}

static bool offer(struct intake *intake, struct batch **batch_place, intake_done_fn *done, void *context, struct err *err)
{
        struct batch *batch = *batch_place;
        if (intake->stopping)
                return fail(err, ERR_CANCELLED, "intake", "the program is stopping; send the same again later");
        if (!reserve(intake, batch, err))
                return false;
        if (!mask_and_decode(intake, batch, err) || !check_bounds(batch, err)) {
                source_registry_parse_failure(intake->registry, batch->source, source_kind_of(batch->format)->name, 1);
                goto refused;
        }
        set_weight(intake, batch, weight_of(batch)); /* decoding added to it */
        struct taken taken = {1, batch->bytes.length, batch->telemetry.records.count, sample_count(&batch->telemetry), batch->telemetry.rejected};
        struct passage *passage = create_passage(intake, batch, done, context, err);
        if (!passage)
                goto refused;
        if (is_known_by_bytes(source_kind_of(batch->format))) {
                passage->hash = hash_batch(batch);
                enum repeat repeat = note_batch(intake, passage);
                if (repeat == REPEAT_COMMITTED) {
                        *batch_place = NULL;
                        return answer_repeat(intake, passage);
                }
                if (repeat == REPEAT_PENDING) {
                        fail(err, ERR_BUSY, "intake", "the same batch is being stored; send it again in a second");
                        free_passage(passage);
                        goto refused;
                }
        }
        bool is_decided_soon = batch->telemetry.findings.count > 0 && intake->options.decide_soon;
        passage->append.is_followed = is_decided_soon; /* the journal, woken by the alerts, would sync before their tick was there, and then again */
        if (append_batch(intake, passage, err)) {
                count_taken(intake, &taken); /* the batch is the journal's from here on */
                *batch_place = NULL;
                if (is_decided_soon) {
                        intake->options.decide_soon(intake->options.context);
                        journal_go(intake->journal);
                }
                return true;
        }
        settle_batch(intake, passage, false);
        free_passage(passage);
refused:
        give_weight_back(intake, batch);
        intake->refused++;
        return false;
}

bool intake_try_offer(struct intake *intake, struct batch **batch, intake_done_fn *done, void *context, struct err *err)
{
        struct err fault = {0};
        if (offer(intake, batch, done, context, &fault))
                return true;
        if (fault.code != ERR_BUSY) {
                batch_destroy(*batch);
                *batch = NULL;
        }
        if (err)
                *err = fault;
        return false;
}

bool intake_offer(struct intake *intake, struct batch *batch, intake_done_fn *done, void *context, struct err *err)
{
        if (offer(intake, &batch, done, context, err))
                return true;
        batch_destroy(batch);
        return false;
}

struct wait {
        struct lock lock;
        struct signal answered;
        bool is_answered;
        uint64_t rejected;
        struct err err;
};

static void answer_wait(void *context, const struct batch *batch, const struct err *err)
{
        struct wait *wait = context;
        with_lock(&wait->lock);
        wait->is_answered = true;
        wait->rejected = batch->telemetry.rejected;
        if (err)
                wait->err = *err;
        signal_one(&wait->answered);
}

static bool wait_answer(struct wait *wait, uint64_t *out_rejected, struct err *err)
{
        with_lock(&wait->lock);
        while (!wait->is_answered)
                signal_wait(&wait->answered, &wait->lock);
        if (wait->err.code != ERR_NONE) {
                if (err)
                        *err = wait->err;
                return false;
        }
        if (out_rejected)
                *out_rejected = wait->rejected;
        return true;
}

bool intake_offer_wait(struct intake *intake, struct batch *batch, uint64_t *out_rejected, struct err *err)
{
        struct wait wait = {0};
        lock_init(&wait.lock, LOCK_CACHE);
        signal_init(&wait.answered);
        struct err fault = {0};
        bool taken;
        while (!(taken = intake_try_offer(intake, &batch, answer_wait, &wait, &fault)) && fault.code == ERR_BUSY && !intake->stopping) {
                struct timespec pause = {0, BUSY_WAIT_MS * NS_PER_MS};
                nanosleep(&pause, NULL);
        }
        batch_destroy(batch); /* NULL unless we stopped while it waited */
        bool good = taken && wait_answer(&wait, out_rejected, err);
        if (!taken && err)
                *err = fault;
        signal_done(&wait.answered);
        lock_done(&wait.lock);
        return good;
}

static void remember_replayed(struct intake *intake, const struct source_kind *kind, const struct batch *batch)
{
        if (!is_known_by_bytes(kind))
                return;
        struct hash128 hash = hash_batch(batch);
        with_lock(&intake->lock);
        if (find_recent(intake, hash) == MAP_NONE)
                remember(intake, hash, true);
}

void intake_stored(struct intake *intake, struct batch *batch, int64_t time_ns)
{
        const struct source_kind *kind = source_kind_of(batch->format);
        if (kind) {
                source_registry_count(intake->registry, batch, kind->name, time_ns);
                if (!batch->weight) /* it did not come through the door but from the journal */
                        remember_replayed(intake, kind, batch);
        }
        give_weight_back(intake, batch);
        batch_destroy(batch);
}

void intake_tick(struct intake *intake, int64_t time_ns)
{
        source_registry_tick(intake->registry, time_ns);
}

/* --- what the pages show, and what survives ----------------------------------------------------------------------- */

size_t intake_list_sources(struct intake *intake, struct source_counters *out_sources, size_t max)
{
        return source_registry_list(intake->registry, out_sources, max);
}

void source_dropped(struct intake *intake, struct str source, uint64_t count)
{
        source_registry_dropped(intake->registry, source, count);
}

void source_parse_failure(struct intake *intake, struct str source, uint64_t count)
{
        source_registry_parse_failure(intake->registry, source, NULL, count);
}

void source_state(struct intake *intake, struct str source, const char *kind, bool failing, const char *format, ...)
{
        char text[200];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        source_registry_state(intake->registry, source, kind, failing, text);
}

void source_lag(struct intake *intake, struct str source, double lag)
{
        source_registry_lag(intake->registry, source, lag);
}

struct str source_cursor(struct intake *intake, struct str source, struct arena *arena)
{
        return source_registry_cursor(intake->registry, source, arena);
}

void intake_read_stats(struct intake *intake, struct intake_stats *out_stats)
{
        *out_stats = (struct intake_stats){
                .batches = intake->batches, .records = intake->records, .samples = intake->samples, .bytes = intake->bytes,
                .rejected = intake->rejected, .duplicates = intake->duplicates, .busy = intake->busy, .refused = intake->refused,
                .secrets_masked = intake->secrets, .bytes_waiting = intake->bytes_waiting,
                .sources_over_bound = source_registry_over_bound(intake->registry),
        };
}

json_t *intake_save(struct intake *intake)
{
        scoped_ptr(json_decref) json_t *saved = source_registry_save(intake->registry);
        json_t *recent = json_array();
        bool good = json_object_set_new(saved, "recent", recent) == 0;
        with_lock(&intake->lock);
        for (size_t i = 0; good && i < intake->ring_count; i++) {
                const struct recent *one = &intake->ring[(intake->ring_next + RECENT_MAX - intake->ring_count + i) % RECENT_MAX];
                char text[40];
                snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)one->hash.high, (unsigned long long)one->hash.low);
                if (one->is_committed)
                        good = json_array_append_new(recent, json_string(text)) == 0;
        }
        return good ? give(saved) : NULL;
}

bool intake_restore(struct intake *intake, const json_t *saved, struct err *err)
{
        if (!source_registry_restore(intake->registry, saved, err))
                return false;
        size_t i;
        json_t *text;
        with_lock(&intake->lock);
        json_array_foreach(json_object_get(saved, "recent"), i, text)
        {
                unsigned long long high, low;
                if (sscanf(json_string_value(text) ? json_string_value(text) : "", "%16llx%16llx", &high, &low) == 2)
                        remember(intake, (struct hash128){low, high}, true);
        }
        return true;
}
