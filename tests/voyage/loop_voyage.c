/*
 * loop_voyage - sails the whole loop through a week of telemetry, commands, faults and crashes on a disk that forgets, and
 * checks that nothing acknowledged is lost and nothing comes twice; then leaves out one sync after the other.
 *
 *      loop_voyage [--seeds N] [--first S] [--days D] [--forget SITE] [--syncs] [--verbose]
 *
 * What is sent goes through the real intake and is read back through logs_select and series_select. Every record carries
 * the number of its piece in its text, every sample as its value; a piece knows what it must look like. The journal and the
 * pipeline are turned by hand on a virtual clock; the archive writes on its own thread, so a seed does not repeat every
 * interleaving, but every life ends at an operation of the disk wherever that falls.
 *
 *      file sources    go on from their cursor after a crash: what is before it is there once, nothing behind it is
 *      otlp            is sent again when the acknowledgement was lost, and is there once
 *      commands        are applied once, in the order of an audit log whose chain verifies
 *      alerts          of other tools become alerts, each once, though the power went between telling and deciding; commands about incidents
 *                      in between are applied once, like all others
 *      pages           every incident is told to the receiver or has its explanation; a message comes twice only as a repeat, and not at all once its
 *                      result was answered; what was told is in the outbox, whatever the crash took
 *      calm seas       a voyage without faults gives the same bytes with one worker and with four
 *
 * --forget: only without this sync; being shipwrecked is the good result. --syncs: all of them in turn.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "engage/receiver.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "loop/state_table.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/source.h"
#include "store/database.h"
#include "store/disk_forgetful.h"
#include "store/logs.h"
#include "store/series.h"
#include "store/vfs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VFS "loop_voyage"
#define FOLDER "/data"
#define START_NS INT64_C(1767225600000000000)
#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (24 * HOUR_NS)
#define RETENTION_DAYS_KEPT 3
#define LAST_SYNC "the end of a life" /* fails: it only stops the disk */
#define FILES 2
#define TOLD_WITHIN_NS (60 * NS_PER_S) /* messages wait a little for others */
#define SITES_MAX 32
#define FORGOTTEN_SEEDS_MAX 400 /* a left out sync must show within so many voyages */
#define OTLP_JSON 10
#define ALERTMANAGER 13
#define WEBHOOK 6

enum fate { MAY_BE_THERE, MUST_BE_THERE, MUST_NOT_BE_THERE };

/* A record or a sample. */
struct piece {
        uint64_t line_hash;     /* 0: a sample */
        int64_t received_ns;
        uint32_t sent;          /* the index of its batch; of a file's lines: UINT32_MAX */
        bool is_seen;
};

/* A batch. Its pieces follow one another. */
struct sent {
        struct voyage *voyage;
        uint32_t first, count;
        enum fate fate;
        char *body;             /* of those that are sent again: until they are acknowledged for good */
        size_t body_bytes;
        bool is_pending;
};

struct followed {
        struct { uint32_t *items; size_t count, capacity; } lines; /* piece numbers */
        size_t next;            /* the first line that was not acknowledged */
        size_t offered_to;      /* of the offer under way */
        bool is_pending;
        struct voyage *voyage;
};

/* Another tool's alert; its name is its number. */
struct told {
        struct voyage *voyage;
        bool is_acknowledged, is_there;
};

struct order {
        bool is_acknowledged;   /* answered well */
        bool is_told;           /* answered at all */
};

/* A message that reached the receiver. */
struct heard {
        uint64_t id;
        bool is_answered;       /* that it arrived was answered well: it may not come again */
        bool is_there;          /* in the outbox, when that was read */
};

struct totals {
        uint64_t voyages, crashes, kills, recoveries, checks, pieces, acknowledged, refused, repeats, commands, checkpoints, days_removed, alerts, pages, page_repeats;
};

struct voyage {
        struct rng rng;
        uint64_t seed;
        bool is_calm;
        int workers;
        struct disk *disk;
        struct clock clock;
        struct loop *loop;
        struct arena arena;
        struct { struct piece *items; size_t count, capacity; } pieces;
        struct { struct sent **items; size_t count, capacity; } sent;
        struct { struct order *items; size_t count, capacity; } orders;
        struct { struct told **items; size_t count, capacity; } told;
        struct { struct heard *items; size_t count, capacity; } heard;
        bool is_configured;     /* whom to tell was answered well */
        struct followed files[FILES];
        int64_t newest_ns;      /* journal time, highest seen */
        struct source_counters *counters; /* as they were read before */
        size_t counter_count;
        uint64_t audit_rows;
        int lives;
        char violation[900];
        struct totals *totals;
};

static bool violate(struct voyage *voyage, const char *format, ...)
{
        va_list arguments;
        va_start(arguments, format);
        if (!voyage->violation[0])
                vsnprintf(voyage->violation, sizeof voyage->violation, format, arguments);
        va_end(arguments);
        return false;
}

#define grow(vector)                                                                                                    \
        ({                                                                                                              \
                if ((vector)->count == (vector)->capacity) {                                                            \
                        (vector)->capacity = max_of((size_t)64, 2 * (vector)->capacity);                                \
                        (vector)->items = realloc((vector)->items, (vector)->capacity * sizeof *(vector)->items);       \
                        if (!(vector)->items)                                                                           \
                                abort();                                                                                \
                }                                                                                                       \
                memset(&(vector)->items[(vector)->count], 0, sizeof *(vector)->items);                                  \
                &(vector)->items[(vector)->count++];                                                                    \
        })

/* --- sending ------------------------------------------------------------------------------------------------------------ */

static uint32_t new_piece(struct voyage *voyage, uint32_t sent)
{
        struct piece *piece = grow(&voyage->pieces);
        piece->sent = sent;
        piece->received_ns = clock_now_ns(&voyage->clock);
        voyage->totals->pieces++;
        return (uint32_t)voyage->pieces.count - 1;
}

/* What each record must read like, as the decoder gives it before anything is stored. */
static void note_lines(struct voyage *voyage, const struct batch *batch)
{
        each (record, &batch->telemetry.records) {
                size_t at;
                uint64_t number;
                struct str rest = record->line, digits;
                if (!str_find(rest, STR("#"), &at))
                        abort();
                rest = str_slice(rest, at + 1, rest.length);
                if (!str_cut(&rest, '#', &digits) || !str_to_u64(digits, &number) || number >= voyage->pieces.count)
                        abort();
                voyage->pieces.items[number].line_hash = hash64(record->line) | 1;
                voyage->pieces.items[number].received_ns = batch->received_ns;
        }
}

static struct batch *make_batch(struct voyage *voyage, uint16_t format, const char *source, struct str body)
{
        struct err err = {0};
        struct batch *batch = batch_create(format, str_of(source), &err);
        batch->bytes = arena_str(&batch->arena, body);
        batch->received_ns = clock_now_ns(&voyage->clock);
        if (!intake_decode(batch, &err)) {
                printf("the voyage's own batch is wrong: %s\n", err.message);
                abort();
        }
        note_lines(voyage, batch);
        return batch;
}

static void is_taken(void *context, const struct batch *batch, const struct err *err)
{
        (void)batch;
        struct sent *sent = context;
        sent->is_pending = false;
        if (err) {
                sent->voyage->totals->refused++;
                return;
        }
        if (sent->fate == MUST_BE_THERE)
                sent->voyage->totals->repeats++;
        sent->fate = MUST_BE_THERE;
        sent->voyage->totals->acknowledged++;
}

static void offer(struct voyage *voyage, struct sent *sent, struct batch *batch)
{
        sent->is_pending = true;
        if (!intake_offer(loop_intake(voyage->loop), batch, is_taken, sent, NULL)) {
                sent->is_pending = false;
                voyage->totals->refused++;
        }
}

static struct sent *new_sent(struct voyage *voyage)
{
        struct sent **place = grow(&voyage->sent);
        *place = calloc(1, sizeof **place);
        **place = (struct sent){.voyage = voyage, .first = (uint32_t)voyage->pieces.count};
        return *place;
}

static const char words[][12] = {"disk", "started", "refused", "timeout", "user", "link down", "ok", "temperature"};

static void put_text(struct voyage *voyage, struct buf *body, uint32_t piece)
{
        for (uint64_t left = rng_below(&voyage->rng, 12); left > 0; left--)
                buf_printf(body, "%s ", words[rng_below(&voyage->rng, countof(words))]);
        buf_printf(body, "#%u#", piece);
}

static void put_syslog(struct voyage *voyage, struct buf *body, uint32_t piece)
{
        char time[CLOCK_RFC3339_BYTES];
        clock_rfc3339(clock_now_ns(&voyage->clock), 6, time);
        buf_printf(body, "<%u>1 %s host%u app%u - - - ", (unsigned)rng_below(&voyage->rng, 190), time,
                   (unsigned)rng_below(&voyage->rng, 3), (unsigned)rng_below(&voyage->rng, 5));
        put_text(voyage, body, piece);
        buf_text(body, "\n");
}

static void put_sample(struct voyage *voyage, struct buf *body, uint32_t piece)
{
        buf_printf(body, "voyage_value{of=\"%u\",kind=\"%u\"} %u\n", piece - voyage->sent.items[voyage->pieces.items[piece].sent]->first,
                   (unsigned)rng_below(&voyage->rng, 4), piece);
}

static void put_hook(struct voyage *voyage, struct buf *body, uint32_t piece)
{
        buf_text(body, body->length ? ",{\"message\":\"" : "[{\"message\":\"");
        put_text(voyage, body, piece);
        buf_printf(body, "\",\"level\":%u}", (unsigned)rng_below(&voyage->rng, 9));
}

static void put_otlp(struct voyage *voyage, struct buf *body, uint32_t piece)
{
        buf_printf(body, "%s{\"timeUnixNano\":\"%" PRId64 "\",\"severityNumber\":%u,\"body\":{\"stringValue\":\"",
                   body->length ? "," : "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[", clock_now_ns(&voyage->clock) - (int64_t)rng_below(&voyage->rng, 1000),
                   (unsigned)rng_below(&voyage->rng, 24));
        put_text(voyage, body, piece);
        buf_text(body, "\"}}");
}

/* The kinds of telemetry that are pushed. */
static const struct {
        uint16_t format;
        const char *sources[2];
        void (*put)(struct voyage *voyage, struct buf *body, uint32_t piece);
        const char *end;
        bool is_repeated;
} kinds[] = {
        {SOURCE_SYSLOG, {"syslog-tcp", "syslog-udp"}, put_syslog, "", false},
        {SOURCE_SCRAPE, {"scrape:a", "scrape:b"}, put_sample, "", false},
        {WEBHOOK, {"webhook:deploy", "webhook:alerts"}, put_hook, "]", false},
        {OTLP_JSON, {"otlp", "otlp"}, put_otlp,
         "]}],\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]}}]}", true},
};

static void send_batch(struct voyage *voyage)
{
        size_t kind = rng_below(&voyage->rng, countof(kinds));
        struct sent *sent = new_sent(voyage);
        scoped(buf_done) struct buf body = {0};
        clock_advance(&voyage->clock, 1 + (int64_t)rng_below(&voyage->rng, NS_PER_S)); /* no two samples of a series at once */
        for (uint64_t left = 1 + rng_below(&voyage->rng, rng_below(&voyage->rng, 10) ? 5 : 60); left > 0; left--, sent->count++)
                kinds[kind].put(voyage, &body, new_piece(voyage, (uint32_t)voyage->sent.count - 1));
        buf_text(&body, kinds[kind].end);
        if (kinds[kind].is_repeated) {
                sent->body = malloc(body.length);
                memcpy(sent->body, body.bytes, body.length);
                sent->body_bytes = body.length;
        }
        offer(voyage, sent, make_batch(voyage, kinds[kind].format, kinds[kind].sources[rng_below(&voyage->rng, 2)], buf_str(&body)));
}

/* The acknowledgement was lost, or there was none: the sender sends the same bytes again, until it is content. */
static void send_again(struct voyage *voyage)
{
        size_t from = voyage->sent.count > 40 ? voyage->sent.count - 40 : 0;
        for (size_t i = from; i < voyage->sent.count; i++) {
                struct sent *sent = voyage->sent.items[i];
                if (!sent->body || sent->is_pending || rng_below(&voyage->rng, 3))
                        continue;
                if (sent->fate == MAY_BE_THERE)
                        for (uint32_t p = sent->first; p < sent->first + sent->count; p++) /* which of the two is kept is open */
                                voyage->pieces.items[p].received_ns = min_of(voyage->pieces.items[p].received_ns, clock_now_ns(&voyage->clock));
                struct batch *batch = batch_create(OTLP_JSON, STR("otlp"), NULL);
                batch->bytes = arena_str(&batch->arena, (struct str){sent->body, sent->body_bytes});
                batch->received_ns = clock_now_ns(&voyage->clock);
                offer(voyage, sent, batch);
        }
}

static void file_is_taken(void *context, const struct batch *batch, const struct err *err)
{
        (void)batch;
        struct followed *file = context;
        file->is_pending = false;
        if (!err)
                file->next = file->offered_to;
}

/* A file grows, and its source reads on from where it was acknowledged. */
static void follow_file(struct voyage *voyage, size_t number)
{
        struct followed *file = &voyage->files[number];
        char source[32];
        if (file->is_pending)
                return;
        for (uint64_t left = rng_below(&voyage->rng, 5); left > 0; left--) {
                uint32_t *line = grow(&file->lines);
                *line = new_piece(voyage, UINT32_MAX);
        }
        scoped(buf_done) struct buf body = {0};
        size_t to = file->next + rng_below(&voyage->rng, file->lines.count - file->next + 1);
        for (size_t i = file->next; i < to; i++)
                buf_printf(&body, "line %zu of file %zu #%u#\n", i, number, file->lines.items[i]);
        if (to == file->next)
                return;
        snprintf(source, sizeof source, "file:/var/log/%zu", number);
        struct batch *batch = make_batch(voyage, SOURCE_FILE, source, buf_str(&body));
        batch->cursor = arena_printf(&batch->arena, "%zu", to);
        file->offered_to = to;
        file->voyage = voyage;
        file->is_pending = true;
        if (!intake_offer(loop_intake(voyage->loop), batch, file_is_taken, file, NULL))
                file->is_pending = false;
}

static void give_order(struct voyage *voyage)
{
        bool is_token = rng_below(&voyage->rng, 3) == 0, is_wrong = rng_below(&voyage->rng, 6) == 0;
        uint32_t number = (uint32_t)voyage->orders.count;
        struct order *order = grow(&voyage->orders);
        char name[32];
        snprintf(name, sizeof name, "n%u", number);
        json_t *arguments = is_token ? json_pack("{s:s, s:s, s:s, s:i, s:s, s:i}", "id", name, "name", "probe", "hash", name, "scopes", 1,
                                                 "created_by", "voyage", "expires_ns", 0)
                                     : json_pack("{s:s, s:s, s:s}", "name", name, "role", is_wrong ? "king" : "viewer", "password_hash", "$argon2id$x");
        json_t *result = NULL;
        struct err err = {0};
        bool good = loop_command(voyage->loop, is_token ? "token_create" : "user_create", arguments, name, &result, &err);
        json_decref(result);
        order = &voyage->orders.items[number];
        order->is_acknowledged = good;
        order->is_told = good || err.code == ERR_INVALID;
        if (good && !is_token && is_wrong)
                violate(voyage, "a command with a wrong role was accepted");
        voyage->totals->commands++;
}

static void alert_is_taken(void *context, const struct batch *batch, const struct err *err)
{
        (void)batch;
        struct told *told = context;
        told->is_acknowledged |= !err;
        told->voyage->totals->alerts += !err;
}

/* A new alert, or the end of one of the last few. */
static void tell_alert(struct voyage *voyage)
{
        bool is_new = voyage->told.count < 4 || rng_below(&voyage->rng, 2);
        size_t number = is_new ? voyage->told.count : voyage->told.count - 1 - rng_below(&voyage->rng, 4);
        char body[300], ends[CLOCK_RFC3339_BYTES];
        int64_t now_ns = clock_now_ns(&voyage->clock);
        if (is_new) {
                struct told **place = grow(&voyage->told);
                *place = calloc(1, sizeof **place);
                (*place)->voyage = voyage;
        }
        clock_rfc3339(is_new ? now_ns + 30 * DAY_NS : now_ns, 3, ends);
        snprintf(body, sizeof body, "[{\"labels\":{\"alertname\":\"A%zu\",\"host\":\"host%zu\",\"severity\":\"critical\"},\"endsAt\":\"%s\"}]", number, number % 7, ends);
        struct batch *batch = batch_create(ALERTMANAGER, STR("prometheus"), NULL);
        batch->bytes = arena_str(&batch->arena, str_of(body));
        batch->received_ns = now_ns;
        /* that an end was acknowledged says nothing about whether its beginning was */
        if (!intake_offer(loop_intake(voyage->loop), batch, is_new ? alert_is_taken : NULL, voyage->told.items[number], NULL))
                voyage->totals->refused++;
}

/* --- pages ------------------------------------------------------------------------------------------------------------------ */

/* The receiver. On the thread that turns the loop. */
static void hear(void *context, const struct outgoing *outgoing)
{
        struct voyage *voyage = context;
        each (heard, &voyage->heard) {
                if (heard->id != outgoing->id)
                        continue;
                voyage->totals->page_repeats++;
                if (heard->is_answered)
                        violate(voyage, "message %" PRIu64 " comes again, though its arrival was answered", outgoing->id);
                else if (!outgoing->is_repeat)
                        violate(voyage, "message %" PRIu64 " comes twice and is not marked as a repeat", outgoing->id);
                return;
        }
        grow(&voyage->heard)->id = outgoing->id;
        voyage->totals->pages++;
}

/* Some of what was heard is said to have arrived; the answer may be lost. */
static void answer_pages(struct voyage *voyage)
{
        for (size_t i = 0; i < voyage->heard.count && !disk_stopped(voyage->disk); i++) {
                char id[24];
                json_t *result = NULL;
                struct err err = {0};
                if (voyage->heard.items[i].is_answered || rng_below(&voyage->rng, 3) == 0)
                        continue;
                snprintf(id, sizeof id, "%" PRIu64, voyage->heard.items[i].id);
                bool good = loop_command(voyage->loop, "notification_result", json_pack("{s:s, s:s}", "id", id, "outcome", "sent"), "voyage", &result, &err);
                voyage->heard.items[i].is_answered = good; /* by index: others may have been heard meanwhile */
                json_decref(result);
        }
}

static void configure(struct voyage *voyage)
{
        static const char whom[] = "receivers:\n  - { name: chat, webhook: { url: \"http://127.0.0.1:9/chat\" } }\n"
                                   "teams:\n  - { name: ops, receivers: [ chat ] }\nroutes:\n  - { team: ops }\n";
        struct err err = {0};
        json_t *tree = yaml_parse(str_of(whom), "whom.yaml", &err), *result = NULL;
        if (!tree)
                violate(voyage, "whom to tell: %s", err.message);
        else
                voyage->is_configured = loop_command(voyage->loop, "configure", json_pack("{s:{s:[{s:s, s:o}]}}", "content", "files", "name", "whom.yaml", "tree", tree),
                                                     "configuration", &result, &err);
        json_decref(result);
}

static bool see_outbox(struct voyage *voyage, struct database *reader)
{
        scoped(query_done) struct query query = {0};
        struct err err = {0};
        each (heard, &voyage->heard)
                heard->is_there = false;
        if (!query_begin(&query, reader, "SELECT id FROM notify_outbox ORDER BY id", &err))
                return violate(voyage, "reading the outbox: %s", err.message);
        while (query_step(&query, &err)) {
                bool is_heard = false;
                each (heard, &voyage->heard)
                        if (heard->id == (uint64_t)query_i64(&query, 0))
                                is_heard = heard->is_there = true;
                if (!is_heard)
                        return violate(voyage, "message %" PRIu64 " was decided and reached nobody", (uint64_t)query_i64(&query, 0));
        }
        return query_good(&query) || violate(voyage, "reading the outbox: %s", err.message);
}

/* Incidents that somebody should have been told of, and nothing says why he was not. Time passes in leaps, also while nothing runs: one that was
 * opened long ago, and was first looked at just now, may still wait for others. */
static bool see_missed(struct voyage *voyage, struct database *reader)
{
        scoped(query_done) struct query query = {0};
        struct err err = {0};
        if (!query_begin(&query, reader, "SELECT number, state, title, opened_ns, resolved_ns FROM engage_incident i WHERE (flags & 1) = 0 AND state <> 6 AND changed_ns < ?1 AND NOT EXISTS"
                                         " (SELECT 1 FROM notify_outbox o WHERE o.incident = i.id) AND NOT EXISTS"
                                         " (SELECT 1 FROM notify_decision d WHERE d.incident = i.id) AND NOT EXISTS (SELECT 1 FROM notify_pursuit p, json_each(p.body, '$.told') t"
                                         " WHERE p.incident = i.id AND json_extract(t.value, '$.seen') > ?1)", &err))
                return violate(voyage, "looking for missed pages: %s", err.message);
        query_bind_i64(&query, 1, voyage->newest_ns - TOLD_WITHIN_NS);
        if (query_step(&query, &err))
                return violate(voyage, "nobody was told of incident %" PRId64 " (%.*s, state %" PRId64 ", opened at %" PRId64 ", resolved at %" PRId64
                                       "), and nothing says why; now it is %" PRId64, query_i64(&query, 0), STR_ARGS(query_str(&query, 2)), query_i64(&query, 1),
                               query_i64(&query, 3), query_i64(&query, 4), voyage->newest_ns);
        return query_good(&query) || violate(voyage, "looking for missed pages: %s", err.message);
}

static bool check_pages(struct voyage *voyage)
{
        struct err err = {0};
        struct database *reader;
        if (!voyage->is_configured)
                return true;
        if (!loop_open_state(voyage->loop, &reader, &err))
                return violate(voyage, "opening the state: %s", err.message);
        bool good = see_outbox(voyage, reader) && see_missed(voyage, reader);
        database_close(reader);
        for (size_t i = 0; good && i < voyage->heard.count; i++)
                if (!voyage->heard.items[i].is_there)
                        good = violate(voyage, "message %" PRIu64 " left, and nothing is known of it", voyage->heard.items[i].id);
        return good && !voyage->violation[0];
}

/* --- reading back --------------------------------------------------------------------------------------------------------- */

static bool see(struct voyage *voyage, uint64_t number, uint64_t line_hash, const char *what)
{
        if (number >= voyage->pieces.count)
                return violate(voyage, "%s %" PRIu64 " came back, which was never sent", what, number);
        struct piece *piece = &voyage->pieces.items[number];
        if (piece->is_seen)
                return violate(voyage, "%s %" PRIu64 " comes twice", what, number);
        if (piece->line_hash != line_hash)
                return violate(voyage, "%s %" PRIu64 " is not what was sent", what, number);
        piece->is_seen = true;
        return true;
}

static bool see_row(void *context, const struct log_row *row)
{
        struct voyage *voyage = context;
        size_t at;
        uint64_t number;
        struct str rest = row->line, digits;
        if (!str_find(rest, STR("#"), &at))
                return violate(voyage, "a record came back that was never sent: %.*s", STR_ARGS(row->line));
        rest = str_slice(rest, at + 1, rest.length);
        if (!str_cut(&rest, '#', &digits) || !str_to_u64(digits, &number))
                return violate(voyage, "a record came back that was never sent: %.*s", STR_ARGS(row->line));
        return see(voyage, number, hash64(row->line) | 1, "record");
}

static bool see_logs(struct voyage *voyage)
{
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        struct err err = {0};
        if (!logs_select(loop_logs(voyage->loop), &select, see_row, voyage, &stats, &err))
                return violate(voyage, "reading logs: %s", err.message);
        return !stats.blocks_damaged || violate(voyage, "%" PRIu64 " blocks are damaged", stats.blocks_damaged);
}

static bool see_samples(struct voyage *voyage)
{
        struct matchers none = {0};
        struct series_select select = {.matchers = &none, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct series_set set = {0};
        struct err err = {0};
        struct arena arena;
        arena_init(&arena, 0);
        if (!series_select(loop_series(voyage->loop), &select, &arena, &set, &err))
                violate(voyage, "reading series: %s", err.message);
        each (series, &set) {
                struct str of = labels_value(&series->labels, STR("of"));
                for (size_t i = 0; i < series->count && !voyage->violation[0]; i++) {
                        uint64_t number = (uint64_t)series->values[i], place;
                        if (!see(voyage, number, 0, "sample"))
                                break;
                        const struct piece *piece = &voyage->pieces.items[number];
                        if (!str_to_u64(of, &place) || place != number - voyage->sent.items[piece->sent]->first)
                                violate(voyage, "sample %" PRIu64 " came back in another series", number);
                        else if (series->times_ns[i] / NS_PER_MS != piece->received_ns / NS_PER_MS)
                                violate(voyage, "sample %" PRIu64 " came back with another time", number);
                }
        }
        arena_done(&arena);
        return !voyage->violation[0];
}

/* Retention may have removed its day. */
static bool may_be_gone(const struct voyage *voyage, const struct piece *piece)
{
        return piece->received_ns / DAY_NS < voyage->newest_ns / DAY_NS - RETENTION_DAYS_KEPT;
}

static bool check_sent(struct voyage *voyage, uint32_t index, bool is_recovery)
{
        struct sent *sent = voyage->sent.items[index];
        uint32_t seen = 0, gone = 0;
        for (uint32_t p = sent->first; p < sent->first + sent->count; p++) {
                seen += voyage->pieces.items[p].is_seen;
                gone += !voyage->pieces.items[p].is_seen && may_be_gone(voyage, &voyage->pieces.items[p]);
        }
        if (sent->fate == MUST_BE_THERE && seen + gone < sent->count)
                return violate(voyage, "batch %u was acknowledged, and %u of its %u %s from %u on are lost (%s %d; it came %.3f h after the start)", index,
                               sent->count - seen - gone, sent->count,
                               voyage->pieces.items[sent->first].line_hash ? "records" : "samples", sent->first,
                               is_recovery ? "at recovery" : "in life", voyage->lives,
                               (double)(voyage->pieces.items[sent->first].received_ns - START_NS) / 3.6e12);
        if (seen && seen + gone < sent->count)
                return violate(voyage, "of batch %u only %u of %u pieces are there", index, seen, sent->count);
        if (is_recovery && seen)
                sent->fate = MUST_BE_THERE; /* it was committed, though nobody was told; it may not vanish again */
        return true;
}

static bool check_file(struct voyage *voyage, size_t number)
{
        const struct followed *file = &voyage->files[number];
        for (size_t i = 0; i < file->lines.count; i++) {
                const struct piece *piece = &voyage->pieces.items[file->lines.items[i]];
                if (i < file->next && !piece->is_seen && !may_be_gone(voyage, piece))
                        return violate(voyage, "line %zu of file %zu is lost, its cursor stands at %zu", i, number, file->next);
                if (i >= file->next && piece->is_seen)
                        return violate(voyage, "line %zu of file %zu is there, but its cursor stands at %zu: it would be read again", i, number, file->next);
        }
        return true;
}

struct auditing {
        struct voyage *voyage;
        bool *is_done;
        bool *is_there;
        uint64_t below;
};

static bool see_audit(void *context, const struct audit_row *row, struct err *err)
{
        (void)err;
        struct auditing *auditing = context;
        struct voyage *voyage = auditing->voyage;
        uint64_t number;
        if (str_is(row->by, "configuration") || str_is(row->by, "voyage"))
                return true; /* what it says shows in the pages */
        if (row->by.length < 2 || !str_to_u64(str_slice(row->by, 1, row->by.length), &number) || number >= voyage->orders.count)
                return violate(voyage, "the audit log has a command by %.*s that was never given", STR_ARGS(row->by));
        if (auditing->is_there[number])
                return violate(voyage, "command %" PRIu64 " was applied twice", number);
        if (row->sequence >= auditing->below)
                return violate(voyage, "the audit log is out of order");
        auditing->below = row->sequence;
        auditing->is_there[number] = true;
        auditing->is_done[number] = str_is(row->outcome, "done");
        return true;
}

static bool count_names(struct voyage *voyage, struct database *reader, const char *sql, uint64_t *out_count)
{
        struct err err = {0};
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, sql, &err) || !query_step(&query, &err))
                return violate(voyage, "counting accounts: %s", err.message);
        *out_count = (uint64_t)query_i64(&query, 0);
        return true;
}

static bool see_alert(struct voyage *voyage, struct str name)
{
        uint64_t number;
        if (name.length < 2 || !str_to_u64(str_slice(name, 1, name.length), &number) || number >= voyage->told.count)
                return violate(voyage, "there is an alert %.*s that was never told", STR_ARGS(name));
        if (voyage->told.items[number]->is_there)
                return violate(voyage, "alert %" PRIu64 " is there twice", number);
        voyage->told.items[number]->is_there = true;
        return true;
}

/* What came is decided at a tick; a journal that failed a moment ago takes one again after a second. */
static void decide_all(struct voyage *voyage)
{
        for (int i = 0; i < 3 && !disk_stopped(voyage->disk); i++) {
                clock_advance(&voyage->clock, 2 * NS_PER_S);
                loop_turn(voyage->loop);
        }
}

/* After a tick: what was acknowledged is decided on, once. */
static bool check_alerts(struct voyage *voyage)
{
        struct err err = {0};
        struct database *reader;
        if (!loop_open_state(voyage->loop, &reader, &err))
                return violate(voyage, "opening the state: %s", err.message);
        each (told, &voyage->told)
                (*told)->is_there = false;
        struct query query = {0};
        bool good = query_begin(&query, reader, "SELECT name FROM engage_alert WHERE source = 'prometheus'", &err) || violate(voyage, "reading alerts: %s", err.message);
        while (good && query_step(&query, &err))
                good = see_alert(voyage, query_str(&query, 0));
        query_done(&query);
        database_close(reader);
        for (size_t i = 0; good && i < voyage->told.count; i++)
                if (voyage->told.items[i]->is_acknowledged && !voyage->told.items[i]->is_there)
                        good = violate(voyage, "alert %zu was acknowledged, and nothing is known of it", i);
        return good;
}

static bool check_audit(struct voyage *voyage, struct database *reader)
{
        struct auditing auditing = {.voyage = voyage, .below = UINT64_MAX};
        auditing.is_done = calloc(voyage->orders.count + 1, 1);
        auditing.is_there = calloc(voyage->orders.count + 1, 1);
        uint64_t rows = 0, done = 0, users = 0, tokens = 0;
        struct err err = {0};
        bool good = (state_verify_audit(reader, &rows, &err) && state_visit_audit(reader, &(struct audit_filter){.limit = 1000000}, see_audit, &auditing, &err)) ||
                    violate(voyage, "the audit log: %s", err.message);
        for (size_t i = 0; good && i < voyage->orders.count; i++) {
                done += auditing.is_done[i];
                if (voyage->orders.items[i].is_acknowledged && !auditing.is_done[i])
                        good = violate(voyage, "command %zu was answered well, and is not applied", i);
                if (voyage->orders.items[i].is_told && !auditing.is_there[i])
                        good = violate(voyage, "command %zu was answered, and is not in the audit log", i);
        }
        good = good && count_names(voyage, reader, "SELECT count(*) FROM account_user", &users) &&
               count_names(voyage, reader, "SELECT count(*) FROM account_token", &tokens);
        if (good && users + tokens != done)
                good = violate(voyage, "%" PRIu64 " commands are done, but there are %" PRIu64 " accounts", done, users + tokens);
        free(auditing.is_done);
        free(auditing.is_there);
        return good;
}

static bool check_commands(struct voyage *voyage)
{
        struct err err = {0};
        struct database *reader;
        if (!loop_open_state(voyage->loop, &reader, &err))
                return violate(voyage, "opening the state: %s", err.message);
        bool good = check_audit(voyage, reader);
        database_close(reader);
        return good;
}

/* What is a function of the journal never goes back: all but drops and repeats, which are told live only. */
static bool check_counters(struct voyage *voyage)
{
        static struct source_counters now[SOURCES_MAX];
        size_t count = intake_list_sources(loop_intake(voyage->loop), now, SOURCES_MAX);
        for (size_t i = 0; i < voyage->counter_count; i++) {
                const struct source_counters *before = &voyage->counters[i];
                size_t n = 0;
                while (n < count && strcmp(now[n].name, before->name) != 0)
                        n++;
                if (n == count)
                        return violate(voyage, "the source %s is forgotten", before->name);
                if (now[n].records < before->records || now[n].samples < before->samples || now[n].bytes < before->bytes ||
                    now[n].batches < before->batches || now[n].last_seen_ns < before->last_seen_ns)
                        return violate(voyage, "the counters of %s went back", before->name);
        }
        voyage->counters = realloc(voyage->counters, (count + 1) * sizeof *now);
        memcpy(voyage->counters, now, count * sizeof *now);
        voyage->counter_count = count;
        return true;
}

static void note_damaged(void *context, const char *name)
{
        if (strstr(name, ".damaged"))
                violate(context, "%s was set aside as damaged", name);
}

static bool check(struct voyage *voyage, bool is_recovery)
{
        voyage->totals->checks++;
        each (piece, &voyage->pieces)
                piece->is_seen = false;
        if (!see_logs(voyage) || !see_samples(voyage))
                return false;
        for (uint32_t i = 0; i < voyage->sent.count; i++)
                if (!check_sent(voyage, i, is_recovery))
                        return false;
        for (size_t i = 0; i < FILES; i++)
                if (!check_file(voyage, i))
                        return false;
        disk_list(voyage->disk, FOLDER "/telemetry", note_damaged, voyage, NULL);
        return !voyage->violation[0] && check_commands(voyage) && check_counters(voyage);
}

/* --- lives ---------------------------------------------------------------------------------------------------------------- */

/* As a person would: heals the disk, so that what is held up goes on; unless this is the end. */
static bool heal_and_go_on(void *context)
{
        struct voyage *voyage = context;
        disk_set_bytes_max(voyage->disk, 0);
        disk_set_read_only(voyage->disk, false);
        disk_fail_nth(voyage->disk, 0, 0);
        return !disk_stopped(voyage->disk);
}

static bool open_loop(struct voyage *voyage, struct err *err)
{
        static const int64_t checkpoints[] = {HOUR_NS / 6, HOUR_NS, 7 * HOUR_NS};
        struct loop_options options = {
                .directory = FOLDER, .disk = voyage->disk, .vfs = VFS, .clock = &voyage->clock,
                .workers = voyage->workers ? voyage->workers : rng_below(&voyage->rng, 2) ? 1 : 4,
                .checkpoint_ns = checkpoints[rng_below(&voyage->rng, countof(checkpoints))], .retention_days = RETENTION_DAYS_KEPT,
                .segment_bytes = 16384, .stalled = heal_and_go_on, .stalled_context = voyage,
                .delivery = {.fake = hear, .fake_context = voyage},
        };
        return loop_open(&options, &voyage->loop, err);
}

static void crash_or_kill(struct voyage *voyage)
{
        bool is_crash = rng_below(&voyage->rng, 3) > 0;
        uint64_t seed = rng_u64(&voyage->rng);
        if (is_crash)
                disk_crash(voyage->disk, seed);
        else
                disk_kill(voyage->disk);
        voyage->totals->crashes += is_crash;
        voyage->totals->kills += !is_crash;
}

/* A source that follows a file asks for its cursor. It must cover what was acknowledged. */
static bool restore_files(struct voyage *voyage)
{
        for (size_t i = 0; i < FILES; i++) {
                struct followed *file = &voyage->files[i];
                char source[32];
                uint64_t cursor = 0;
                snprintf(source, sizeof source, "file:/var/log/%zu", i);
                struct str text = source_cursor(loop_intake(voyage->loop), str_of(source), &voyage->arena);
                if (text.length && !str_to_u64(text, &cursor))
                        return violate(voyage, "a cursor came back as %.*s", STR_ARGS(text));
                if (cursor < file->next)
                        return violate(voyage, "the cursor of file %zu went back from %zu to %" PRIu64, i, file->next, cursor);
                if (cursor > file->lines.count)
                        return violate(voyage, "the cursor of file %zu is at %" PRIu64 ", beyond what it ever offered", i, cursor);
                file->next = cursor;
                file->is_pending = false;
        }
        return true;
}

static void note_time(struct voyage *voyage)
{
        struct loop_stats stats;
        loop_read_stats(voyage->loop, &stats);
        if (stats.time_ns && stats.time_ns < voyage->newest_ns)
                violate(voyage, "journal time went back by %.3f s", (double)(voyage->newest_ns - stats.time_ns) / 1e9);
        voyage->newest_ns = max_of(voyage->newest_ns, stats.time_ns);
}

/* The machine or the process comes back, perhaps to fail again while it recovers. */
static bool come_back(struct voyage *voyage)
{
        for (int tries = 0;; tries++) {
                struct err err = {0};
                bool stops = !voyage->is_calm && tries < 4 && rng_below(&voyage->rng, voyage->lives ? 3 : 2) == 0;
                bool fails = !voyage->is_calm && !stops && tries < 4 && rng_below(&voyage->rng, 5) == 0;
                if (stops)
                        disk_stop_nth(voyage->disk, 1 + rng_below(&voyage->rng, 60));
                if (fails)
                        disk_fail_nth(voyage->disk, 1 + rng_below(&voyage->rng, 30), 1 + rng_below(&voyage->rng, 3));
                bool good = open_loop(voyage, &err);
                disk_fail_nth(voyage->disk, 0, 0);
                if (good)
                        break;
                if (disk_stopped(voyage->disk))
                        crash_or_kill(voyage);
                else if (!fails)
                        return violate(voyage, "it does not come back: %s", err.message);
        }
        voyage->lives++;
        voyage->totals->recoveries++;
        each (sent, &voyage->sent)
                (*sent)->is_pending = false;
        if (disk_stopped(voyage->disk))
                return true; /* this life is over already; the next one is checked */
        note_time(voyage); /* what a turn did before it ended nobody noted: retention goes by it */
        if (!restore_files(voyage))
                return false;
        bool good = check(voyage, true);
        if (!good && disk_stopped(voyage->disk))
                voyage->violation[0] = 0; /* it stopped while we looked */
        return !voyage->violation[0];
}

static void end_life(struct voyage *voyage)
{
        struct err err;
        if (voyage->is_calm) { /* where the archive's thread stands must not matter when two voyages are compared */
                loop_settle(voyage->loop, 10000, NULL);
                archive_flush(loop_archive(voyage->loop), &err);
        }
        /* Before closing: nothing that a program does on its way out may help. */
        disk_stop_nth(voyage->disk, 1);
        disk_sync_directory(voyage->disk, FOLDER, LAST_SYNC, NULL);
        struct loop_stats stats;
        loop_read_stats(voyage->loop, &stats);
        voyage->totals->checkpoints += stats.checkpoints;
        voyage->totals->days_removed += stats.days_removed;
        loop_close(voyage->loop);
        voyage->loop = NULL;
        disk_set_bytes_max(voyage->disk, 0);
        disk_set_read_only(voyage->disk, false);
        disk_fail_nth(voyage->disk, 0, 0);
        crash_or_kill(voyage);
}

static void pass_time(struct voyage *voyage)
{
        int64_t by_ns = (int64_t)rng_below(&voyage->rng, 30 * (uint64_t)NS_PER_S) + 1;
        switch (rng_below(&voyage->rng, 24)) {
        case 0:
        case 1:
        case 2:
                by_ns += (int64_t)rng_below(&voyage->rng, 6 * (uint64_t)HOUR_NS);
                break;
        case 3:
                by_ns = -(int64_t)rng_below(&voyage->rng, 2 * (uint64_t)HOUR_NS);
                break;
        default:
                by_ns += (int64_t)rng_below(&voyage->rng, 10 * 60 * (uint64_t)NS_PER_S);
        }
        clock_advance(&voyage->clock, by_ns);
}

static void break_something(struct voyage *voyage)
{
        switch (rng_below(&voyage->rng, 6)) {
        case 0:
                disk_set_bytes_max(voyage->disk, 1);
                break;
        case 1:
                disk_set_read_only(voyage->disk, true);
                break;
        case 2:
                disk_fail_nth(voyage->disk, 1 + rng_below(&voyage->rng, 12), 1 + rng_below(&voyage->rng, 4));
                break;
        default:
                heal_and_go_on(voyage);
        }
}

static void do_something(struct voyage *voyage)
{
        uint64_t what = rng_below(&voyage->rng, 24);
        if (!voyage->is_configured)
                configure(voyage);
        else if (what == 0)
                loop_checkpoint(voyage->loop, 0, NULL);
        else if (what == 1)
                give_order(voyage);
        else if (what == 2)
                send_again(voyage);
        else if (what == 8)
                tell_alert(voyage);
        else if (what == 9)
                answer_pages(voyage);
        else if (what <= 5)
                follow_file(voyage, rng_below(&voyage->rng, FILES));
        else if (what == 6 && !voyage->is_calm)
                break_something(voyage);
        else if (what == 7 && voyage->is_calm)
                archive_flush(loop_archive(voyage->loop), &(struct err){0});
        else
                for (uint64_t left = 1 + rng_below(&voyage->rng, 3); left > 0; left--)
                        send_batch(voyage);
}

static void restart_in_order(struct voyage *voyage)
{
        heal_and_go_on(voyage);
        loop_stop(voyage->loop);
        loop_close(voyage->loop);
        voyage->loop = NULL;
        crash_or_kill(voyage); /* even right after a good end */
}

/* Lives until the disk stops, or long enough. */
static bool live(struct voyage *voyage, int64_t until_ns)
{
        if (!voyage->is_calm && voyage->seed % 2 == 0 && rng_below(&voyage->rng, 3))
                disk_stop_after_new(voyage->disk, 4 + rng_below(&voyage->rng, 7), ".db"); /* a file is never as frail as when it is made */
        if (!voyage->is_calm && rng_below(&voyage->rng, 3))
                disk_stop_nth(voyage->disk, 1 + rng_below(&voyage->rng, 900));
        for (int steps = 10 + (int)rng_below(&voyage->rng, 60); steps > 0 && voyage->newest_ns < until_ns; steps--) {
                pass_time(voyage);
                do_something(voyage);
                loop_turn(voyage->loop);
                if (disk_stopped(voyage->disk))
                        break;
                note_time(voyage);
                if (voyage->violation[0])
                        return false;
        }
        if (!disk_stopped(voyage->disk)) {
                heal_and_go_on(voyage);
                decide_all(voyage);
                if (!disk_stopped(voyage->disk))
                        note_time(voyage);
                if (!disk_stopped(voyage->disk) && (!check_alerts(voyage) || !check_pages(voyage)) && !disk_stopped(voyage->disk))
                        return false;
                voyage->violation[0] = 0;
                if (!check(voyage, false) && !disk_stopped(voyage->disk))
                        return false;
                voyage->violation[0] = 0;
        }
        if (!disk_stopped(voyage->disk) && rng_below(&voyage->rng, 6) == 0)
                restart_in_order(voyage);
        else
                end_life(voyage);
        return true;
}

static bool add_block(void *context, const struct block *block, struct err *err)
{
        (void)err;
        scoped(buf_done) struct buf text = {0};
        uint64_t *sum = context;
        buf_printf(&text, "%" PRIx64 " %d %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 " %016" PRIx64, *sum, block->kind, block->partition,
                   block->first_item, block->last_item, block->items, hash64(block->index), hash64(block->body));
        *sum = hash64(buf_str(&text));
        return true;
}

/* One number for all that is stored. */
static uint64_t sum_blocks(struct voyage *voyage)
{
        uint64_t sum = 0;
        struct err err = {0};
        loop_stop(voyage->loop);
        for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                struct archive_range range = {.kind = (enum block_kind)kind, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
                if (!archive_visit(loop_archive(voyage->loop), &range, NULL, add_block, &sum, &err))
                        violate(voyage, "reading blocks: %s", err.message);
        }
        return sum;
}

static void finish(struct voyage *voyage)
{
        loop_close(voyage->loop);
        vfs_unregister(VFS);
        each (sent, &voyage->sent) {
                free((*sent)->body);
                free(*sent);
        }
        for (size_t i = 0; i < FILES; i++)
                free(voyage->files[i].lines.items);
        free(voyage->sent.items);
        each (told, &voyage->told)
                free(*told);
        free(voyage->told.items);
        free(voyage->heard.items);
        free(voyage->pieces.items);
        free(voyage->orders.items);
        free(voyage->counters);
        arena_done(&voyage->arena);
}

static bool sail(struct voyage *voyage, int64_t days, const char *forgotten_site, uint64_t *out_sum)
{
        int64_t until_ns = START_NS + days * DAY_NS;
        voyage->disk = disk_forgetful_create();
        arena_init(&voyage->arena, 0);
        clock_init_virtual(&voyage->clock, START_NS);
        disk_forget_site(voyage->disk, forgotten_site);
        if (!voyage->disk || !vfs_register(VFS, voyage->disk, NULL))
                abort();
        voyage->totals->voyages++;
        bool good = true;
        while (good && voyage->newest_ns < until_ns)
                good = come_back(voyage) && live(voyage, until_ns);
        good = good && come_back(voyage) && !voyage->violation[0];
        if (good && !disk_stopped(voyage->disk)) {
                disk_stop_nth(voyage->disk, 0);
                heal_and_go_on(voyage);
                decide_all(voyage);
                good = check_alerts(voyage) && check_pages(voyage);
        }
        if (good && out_sum)
                *out_sum = sum_blocks(voyage);
        finish(voyage);
        return !voyage->violation[0];
}

/* --- fleets --------------------------------------------------------------------------------------------------------------- */

struct sites {
        char names[SITES_MAX][64];
        size_t count;
};

static void note_site(void *context, const char *site, uint64_t syncs)
{
        struct sites *sites = context;
        size_t i = 0;
        (void)syncs;
        while (i < sites->count && strcmp(sites->names[i], site) != 0)
                i++;
        if (strcmp(site, LAST_SYNC) != 0 && i == sites->count && i < SITES_MAX)
                snprintf(sites->names[sites->count++], sizeof sites->names[0], "%s", site);
}

/* The same calm voyage with one worker and with four. */
static bool sail_twins(uint64_t seed, int64_t days, struct totals *totals)
{
        uint64_t sums[2] = {0};
        for (int i = 0; i < 2; i++) {
                struct voyage voyage = {.rng = {seed}, .seed = seed, .is_calm = true, .workers = i ? 4 : 1, .totals = totals};
                bool good = sail(&voyage, days, NULL, &sums[i]);
                disk_forgetful_destroy(voyage.disk);
                if (!good) {
                        printf("seed %" PRIu64 ", calm: %s\n", seed, voyage.violation);
                        return false;
                }
        }
        if (sums[0] != sums[1])
                printf("seed %" PRIu64 ": one worker and four store different bytes\n", seed);
        return sums[0] == sums[1];
}

static bool sail_all(uint64_t first, uint64_t seeds, int64_t days, bool verbose, struct sites *sites)
{
        struct totals totals = {0};
        for (uint64_t seed = first; seed < first + seeds; seed++) {
                struct voyage voyage = {.rng = {seed}, .seed = seed, .totals = &totals};
                bool good = sail(&voyage, days, NULL, NULL);
                disk_sites(voyage.disk, note_site, sites);
                disk_forgetful_destroy(voyage.disk);
                if (!good) {
                        printf("seed %" PRIu64 ": %s\n", seed, voyage.violation);
                        return false;
                }
                if (verbose)
                        printf("seed %" PRIu64 ": %d lives\n", seed, voyage.lives);
                if (seed % 4 == 1 && !sail_twins(seed, days, &totals))
                        return false;
        }
        printf("%" PRIu64 " voyages of %" PRId64 " days: %" PRIu64 " power cuts, %" PRIu64 " kills, %" PRIu64 " recoveries, %" PRIu64 " checkpoints, %" PRIu64
               " days removed; %" PRIu64 " records and samples, %" PRIu64 " batches acknowledged, %" PRIu64 " refused, %" PRIu64
               " sent again, %" PRIu64 " commands, %" PRIu64 " alerts, %" PRIu64 " messages, %" PRIu64 " of them repeats; all read back %" PRIu64 " times, none lost, none twice\n",
               totals.voyages, days, totals.crashes, totals.kills, totals.recoveries, totals.checkpoints, totals.days_removed, totals.pieces,
               totals.acknowledged, totals.refused, totals.repeats, totals.commands, totals.alerts, totals.pages + totals.page_repeats,
               totals.page_repeats, totals.checks);
        return true;
}

/* True: leaving out this sync is noticed. */
static bool sail_without(const char *site, uint64_t first, int64_t days)
{
        struct totals totals = {0};
        for (uint64_t seed = first; seed < first + FORGOTTEN_SEEDS_MAX; seed++) {
                struct voyage voyage = {.rng = {seed}, .seed = seed, .totals = &totals};
                bool good = sail(&voyage, days, site, NULL);
                disk_forgetful_destroy(voyage.disk);
                if (!good) {
                        printf("without the sync \"%s\": noticed in voyage %" PRIu64 ": %s\n", site, seed - first + 1, voyage.violation);
                        return true;
                }
        }
        printf("without the sync \"%s\": NOT noticed in %d voyages: it is not needed, or the voyage is too calm\n", site, FORGOTTEN_SEEDS_MAX);
        return false;
}

int main(int argc, char **argv)
{
        uint64_t seeds = 50, first = 1, days = 7;
        const char *forgotten = NULL;
        bool verbose = false, all_syncs = false;
        log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1)); /* faults are the point here */
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (strcmp(argv[i], "--verbose") == 0)
                        verbose = true;
                else if (strcmp(argv[i], "--syncs") == 0)
                        all_syncs = true;
                else if (value && strcmp(argv[i], "--forget") == 0)
                        forgotten = argv[++i];
                else if (!(value && strcmp(argv[i], "--seeds") == 0 && str_to_u64(str_of(argv[++i]), &seeds)) &&
                         !(value && strcmp(argv[i], "--first") == 0 && str_to_u64(str_of(argv[++i]), &first)) &&
                         !(value && strcmp(argv[i], "--days") == 0 && str_to_u64(str_of(argv[++i]), &days)))
                        return fprintf(stderr, "usage: %s [--seeds N] [--first S] [--days D] [--forget SITE] [--syncs] [--verbose]\n", argv[0]), 2;
        }
        if (forgotten)
                return sail_without(forgotten, first, (int64_t)days) ? 0 : 1;
        struct sites sites = {0};
        bool good = sail_all(first, seeds, (int64_t)days, verbose, &sites);
        for (size_t i = 0; good && all_syncs && i < sites.count; i++)
                good = sail_without(sites.names[i], first, (int64_t)days) && good;
        return good ? 0 : 1;
}
