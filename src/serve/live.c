/*
 * live.c - see live.h.
 *
 * A stream is counted by two owners, the list and the round that is looking at it, because the connection may end while
 * its query runs. Nothing slow happens under the list's lock; writing into a stream does, so that it cannot end meanwhile.
 */
#include "serve/live.h"

#include "base/json.h"
#include "base/scope.h"
#include "loop/loop.h"
#include "model/telemetry.h"
#include "query/logql.h"
#include "serve/log_answer.h"
#include "serve/status.h"

#include <stdlib.h>
#include <unistd.h>

#define ROUND_MS 250
#define TAIL_ROWS_MAX 1000           /* in one round; more are skipped, and that is told */
#define TAIL_BACK_NS (600 * NS_PER_S) /* event times of new records may be this old */
#define COMMENT_EVERY 60             /* rounds: keeps proxies from ending a quiet stream */

struct live_stream {
        struct live_stream *next;
        struct request *request;
        int references;
        bool is_closed;
        bool is_tail;
        struct arena arena;       /* of the query */
        struct log_select select; /* of tails */
        uint64_t last_id;         /* told up to here */
        size_t rows;              /* of this round */
        struct buf events;        /* of this round; the thread's */
};

struct live {
        struct server *server;
        struct lock lock; /* guards streams and what is_closed and references say */
        struct live_stream *streams;
        size_t count;
        struct thread thread;
        _Atomic bool ended;
};

static void unref(struct live_stream *stream) /* the list's lock is held */
{
        if (--stream->references > 0)
                return;
        logql_done(&stream->select);
        arena_done(&stream->arena);
        buf_done(&stream->events);
        free(stream);
}

static void on_closed(void *context)
{
        struct live_stream *stream = context;
        struct live *live = server_of(stream->request)->live;
        with_lock(&live->lock);
        for (struct live_stream **at = &live->streams; *at; at = &(*at)->next)
                if (*at == stream) {
                        *at = stream->next;
                        live->count--;
                        break;
                }
        stream->is_closed = true;
        unref(stream);
}

static bool open_stream(struct request *request, struct live_stream *stream, struct err *err)
{
        struct live *live = server_of(request)->live;
        stream->request = request;
        stream->references = 1;
        with_lock(&live->lock);
        if (live->ended || live->count >= LIVE_STREAMS_MAX)
                return fail(err, ERR_BUSY, "serve", "%d live streams are open already; close one, or come again later", LIVE_STREAMS_MAX);
        stream->next = live->streams;
        live->streams = stream;
        live->count++;
        request_add_header(request, "X-Accel-Buffering", "no");
        request_answer_stream(request, "text/event-stream", on_closed, stream);
        request_stream_write(request, STR(": evenkeel\n\n"));
        return true;
}

static bool open_or_free(struct request *request, struct live_stream *stream, struct err *err)
{
        if (open_stream(request, stream, err))
                return true;
        stream->references = 1;
        unref(stream);
        return false;
}

bool live_open(struct request *request, struct err *err)
{
        struct live_stream *stream = calloc(1, sizeof *stream);
        return stream ? open_or_free(request, stream, err) : fail_memory(err, "serve", sizeof *stream);
}

/* The first id that is not in the store yet: below it nothing comes any more, whatever partition it belongs to. */
static uint64_t first_missing(struct server *server)
{
        struct loop_stats stats;
        loop_read_stats(server->context.loop, &stats);
        return item_id(stats.sequence_applied + 1, 0);
}

bool logs_tail(struct request *request, struct err *err)
{
        struct live_stream *stream = calloc(1, sizeof *stream);
        struct str query = request_field(request, "query");
        if (!stream)
                return fail_memory(err, "serve", sizeof *stream);
        arena_init(&stream->arena, (size_t)1 << 20);
        stream->is_tail = true;
        stream->references = 1;
        struct str kept = arena_str(&stream->arena, query.length ? query : STR("{}"));
        uint64_t missing = first_missing(server_of(request));
        stream->last_id = missing - 1;
        if (kept.bytes && logql_parse(kept, &stream->arena, &stream->select, err))
                return open_or_free(request, stream, err);
        unref(stream);
        return err_within(err, "invalid parameter \"query\"");
}

/* ---- a round ---- */

static bool add_event(void *context, const struct log_row *row)
{
        struct live_stream *stream = context;
        if (++stream->rows > TAIL_ROWS_MAX || stream->events.length > STREAM_BYTES_MAX / 2)
                return false;
        buf_text(&stream->events, "event: row\ndata: ");
        log_row_write(&stream->events, row);
        buf_text(&stream->events, "\n\n");
        return true;
}

static void look_for_rows(struct server *server, struct live_stream *stream)
{
        struct err err;
        int64_t now_ns = clock_now_ns(server->context.clock);
        uint64_t missing = first_missing(server);
        stream->rows = 0;
        stream->select.after_id = stream->last_id;
        stream->select.before_id = missing;
        stream->select.start_ns = now_ns - TAIL_BACK_NS;
        stream->select.end_ns = now_ns + TAIL_BACK_NS;
        stream->select.limit = TAIL_ROWS_MAX + 1;
        stream->select.cancelled = http_stopping(server->http);
        stream->select.deadline_ns = clock_monotonic_ns(&clock_real) + 2 * NS_PER_S;
        if (missing == stream->last_id + 1)
                return;
        bool good = logs_select(server->context.logs, &stream->select, add_event, stream, NULL, &err);
        stream->last_id = missing - 1;
        if (good && stream->rows > TAIL_ROWS_MAX)
                buf_text(&stream->events, "event: skipped\ndata: {}\n\n");
        if (good)
                return;
        buf_text(&stream->events, "event: problem\ndata: {\"error\":");
        json_quote(&stream->events, str_of(err.message));
        buf_text(&stream->events, "}\n\n");
}

static void add_json_event(struct buf *out, const char *name, json_t *value)
{
        buf_printf(out, "event: %s\ndata: ", name);
        json_write(value, out);
        buf_text(out, "\n\n");
        json_decref(value);
}

/* The streams as they are now, each with one more reference. */
static size_t take_streams(struct live *live, struct live_stream **out_streams)
{
        size_t count = 0;
        with_lock(&live->lock);
        for (struct live_stream *stream = live->streams; stream && count < LIVE_STREAMS_MAX; stream = stream->next) {
                stream->references++;
                out_streams[count++] = stream;
        }
        return count;
}

static void deliver(struct live *live, struct live_stream *stream, struct str events)
{
        with_lock(&live->lock);
        if (!stream->is_closed && events.length && !request_stream_write(stream->request, events))
                request_stream_end(stream->request);
        unref(stream);
}

static void round_of(struct live *live, uint64_t number)
{
        struct live_stream *streams[LIVE_STREAMS_MAX];
        size_t count = take_streams(live, streams);
        scoped(buf_done) struct buf everybody = {0};
        bool is_second = number % (1000 / ROUND_MS) == 0, is_wanted = false;
        for (size_t i = 0; i < count; i++)
                is_wanted |= !streams[i]->is_tail;
        if (is_second && is_wanted) {
                add_json_event(&everybody, "sources", sources_json(live->server));
                add_json_event(&everybody, "status", status_json(live->server));
        }
        for (size_t i = 0; i < count; i++) {
                struct live_stream *stream = streams[i];
                buf_clear(&stream->events);
                if (stream->is_tail)
                        look_for_rows(live->server, stream);
                if (stream->events.length == 0 && number % COMMENT_EVERY == 0)
                        buf_text(&stream->events, ": still here\n\n");
                deliver(live, stream, stream->is_tail || everybody.length == 0 ? buf_str(&stream->events) : buf_str(&everybody));
        }
}

static void live_run(void *context)
{
        struct live *live = context;
        for (uint64_t number = 0; !live->ended; number++) {
                round_of(live, number);
                usleep(ROUND_MS * 1000);
        }
}

bool live_create(struct server *server, struct live **out_live, struct err *err)
{
        struct live *live = calloc(1, sizeof *live);
        if (!live)
                return fail_memory(err, "serve", sizeof *live);
        live->server = server;
        lock_init(&live->lock, LOCK_SERVE);
        *out_live = live;
        return true;
}

bool live_start(struct live *live, struct err *err)
{
        return thread_start(&live->thread, "live", live_run, live, err);
}

void live_end(struct live *live)
{
        if (!live)
                return;
        live->ended = true;
        thread_join(&live->thread);
        with_lock(&live->lock);
        for (struct live_stream *stream = live->streams; stream; stream = stream->next)
                request_stream_end(stream->request);
}

void live_destroy(struct live *live)
{
        if (!live)
                return;
        lock_done(&live->lock);
        free(live);
}
