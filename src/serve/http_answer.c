/*
 * http_answer.c - see http.h: answers on their way out, whole or written while they are sent.
 *
 * The trade: an answer is whole in memory before its first byte leaves, so that an error found late still is an honest
 * status; it is bounded, compressed by the worker that made it, and all answers together are bounded too.
 */
#include "serve/http_wire.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

#define COMPRESS_BYTES_MIN 2048

struct str request_header(struct request *request, const char *name)
{
        return str_of(MHD_lookup_connection_value(request->wire->connection, MHD_HEADER_KIND, name));
}

bool request_answer(struct request *request, int status, const char *content_type, struct str body)
{
        request->answer.status = status;
        request->answer.content_type = content_type;
        return buf_add(&request->answer.body, body);
}

bool request_answer_json(struct request *request, int status, const json_t *body, struct err *err)
{
        if (!body || !json_write(body, &request->answer.body))
                return fail_memory(err, "serve", request->answer.body.length);
        request->answer.status = status;
        request->answer.content_type = "application/json";
        return true;
}

/* Seconds until a sender shall come again. Many are refused at one time when we are busy: they are spread over three
 * seconds, or they would all come at one time again. */
static const char *retry_after(unsigned status)
{
        static const char *const soon[] = {"1", "2", "3"};
        static _Atomic unsigned turn;
        return status == 429 ? soon[turn++ % countof(soon)] : "5";
}

/* Prometheus throws away what is answered with 429, unless retry_on_http_429 is set, and sends again on any 5xx. */
static bool drops_on_429(const struct request *request)
{
        return str_is(request->raw_path, "/api/v1/write");
}

void request_answer_err(struct request *request, const struct err *err)
{
        struct answer *answer = &request->answer;
        struct str message = str_of(err->message);
        answer->status = err_http_status(err->code);
        if (answer->status == 429 && drops_on_429(request))
                answer->status = 503;
        answer->content_type = "application/json";
        answer->fixed = (struct str){0};
        buf_clear(&answer->body);
        buf_printf(&answer->body, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", err_type(err->code));
        json_quote(&answer->body, message);
        buf_text(&answer->body, "}\n");
        if (answer->status == 429 || answer->status == 503 || answer->status == 507)
                request_add_header(request, "Retry-After", retry_after(answer->status));
        if (answer->status == 401)
                request_add_header(request, "WWW-Authenticate", "Bearer realm=\"evenkeel\"");
}

void request_answer_stream(struct request *request, const char *content_type, void (*closed)(void *stream), void *stream)
{
        request->answer.status = 200;
        request->answer.content_type = content_type;
        request->answer.is_stream = true;
        request->server->stats.streams++;
        request->answer.stream_closed = closed;
        request->answer.stream = stream;
}

bool request_add_header(struct request *request, const char *name, const char *value)
{
        struct str kept_name = arena_str(&request->arena, str_of(name));
        struct str kept_value = arena_str(&request->arena, str_of(value));
        struct header *header = kept_name.bytes && kept_value.bytes
                                        ? arena_push(&request->arena, &request->answer.headers)
                                        : NULL;
        if (header)
                *header = (struct header){kept_name.bytes, kept_value.bytes};
        return header;
}

static bool gzip_bytes(struct str from, struct buf *out)
{
        z_stream z = {0};
        if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
                return false;
        size_t bound = deflateBound(&z, from.length);
        bool good = from.length < UINT32_MAX && buf_reserve(out, bound);
        if (good) {
                z.next_in = (Bytef *)(uintptr_t)from.bytes;
                z.avail_in = (uInt)from.length;
                z.next_out = (Bytef *)out->bytes;
                z.avail_out = (uInt)bound;
                good = deflate(&z, Z_FINISH) == Z_STREAM_END;
                out->length = z.total_out;
        }
        deflateEnd(&z);
        return good;
}

void compress_answer(struct request *request)
{
        struct answer *answer = &request->answer;
        if (answer->is_stream || answer->is_compressed || answer->body.length < COMPRESS_BYTES_MIN ||
            !header_lists(request_header(request, "Accept-Encoding"), "gzip"))
                return;
        struct buf packed = {0};
        if (gzip_bytes(buf_str(&answer->body), &packed)) {
                buf_done(&answer->body);
                answer->body = packed;
                answer->is_compressed = true;
        } else {
                buf_done(&packed);
        }
}

/* ---- streams ---- */

static ssize_t stream_read(void *context, uint64_t position, char *bytes, size_t count)
{
        (void)position;
        struct request_wire *wire = context;
        with_lock(&wire->lock);
        size_t taken = min_of(count, wire->stream_bytes.length);
        if (taken) {
                memcpy(bytes, wire->stream_bytes.bytes, taken);
                buf_drop_front(&wire->stream_bytes, taken);
                return (ssize_t)taken;
        }
        if (wire->is_ended || wire->request.server->stopping)
                return MHD_CONTENT_READER_END_OF_STREAM;
        wire->is_asleep = true;
        MHD_suspend_connection(wire->connection);
        return 0;
}

static void stream_wake(struct request_wire *wire) /* its lock is held */
{
        if (!wire->is_asleep)
                return;
        wire->is_asleep = false;
        MHD_resume_connection(wire->connection);
}

bool request_stream_write(struct request *request, struct str bytes)
{
        struct request_wire *wire = request->wire;
        with_lock(&wire->lock);
        if (wire->stream_bytes.length + bytes.length > STREAM_BYTES_MAX || !buf_add(&wire->stream_bytes, bytes))
                return false;
        stream_wake(wire);
        return true;
}

void request_stream_end(struct request *request)
{
        with_lock(&request->wire->lock);
        request->wire->is_ended = true;
        stream_wake(request->wire);
}

/* ---- sending ---- */

static struct MHD_Response *response_of(struct request_wire *wire)
{
        struct answer *answer = &wire->request.answer;
        if (answer->is_stream)
                return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, wire, NULL);
        if (answer->fixed.bytes)
                return MHD_create_response_from_buffer(answer->fixed.length, (void *)(uintptr_t)answer->fixed.bytes,
                                                       MHD_RESPMEM_PERSISTENT);
        size_t length;
        char *bytes = buf_take(&answer->body, &length);
        if (!bytes)
                return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        wire->answer_bytes = length;
        wire->request.server->stats.answers_held_bytes += length;
        struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
        if (!response)
                free(bytes);
        return response;
}

static void add_headers(struct MHD_Response *response, struct answer *answer)
{
        bool has_cache_control = false;
        each (header, &answer->headers) {
                MHD_add_response_header(response, header->name, header->value);
                has_cache_control |= strcasecmp(header->name, "Cache-Control") == 0;
        }
        if (answer->content_type)
                MHD_add_response_header(response, "Content-Type", answer->content_type);
        if (answer->is_compressed)
                MHD_add_response_header(response, "Content-Encoding", "gzip");
        if (!has_cache_control)
                MHD_add_response_header(response, "Cache-Control", "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

enum MHD_Result send_answer(struct request_wire *wire)
{
        struct request *request = &wire->request;
        struct http_stats *stats = &request->server->stats;
        struct answer *answer = &request->answer;
        if (answer->body.failed) {
                struct err err;
                fail(&err, ERR_TOO_LARGE, "serve", "the answer passes its bound of %zu bytes; ask for less at once",
                     answer->body.bytes_max);
                answer->headers.count = 0;
                request_answer_err(request, &err);
        }
        size_t length = answer->fixed.bytes ? answer->fixed.length : answer->body.length;
        struct MHD_Response *response = answer->status ? response_of(wire) : NULL;
        if (!response)
                return MHD_NO;
        add_headers(response, answer);
        stats->by_class[answer->status >= 100 && answer->status < 600 ? answer->status / 100 : 0]++;
        stats->answer_bytes += length;
        connection_deadline(wire->peer, answer->is_stream ? 0 : 300 + (int64_t)length / (64 << 10));
        enum MHD_Result queued = MHD_queue_response(wire->connection, (unsigned)answer->status, response);
        MHD_destroy_response(response);
        return queued;
}
