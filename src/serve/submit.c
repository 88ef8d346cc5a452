/*
 * submit.c - see submit.h. A body becomes a batch, intake decodes, masks and journals it, and the answer that the sender's
 * protocol wants leaves after the commit.
 *
 *      /api/v1/write        204; 400 wrong, do not retry; 415 version 2 or no snappy; 503 when busy
 *                           too: by default Prometheus does not come again on 429
 *      /v1/logs /v1/metrics 200 with the sender's content type, partial_success only when items were rejected
 *      /api/v2/alerts       200; 400 and a text when an alert was wrong, though the others were taken
 *      webhook, changes     200 and JSON
 */
#include "serve/submit.h"

#include "base/embedded.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "observe/intake.h"
#include "serve/server.h"
#include "wire/compress.h"
#include "wire/otlp_response.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

extern const struct embedded_file mapping_files[];
extern const size_t mapping_files_count;

enum dialect { DIALECT_REMOTE_WRITE, DIALECT_OTLP, DIALECT_WEBHOOK, DIALECT_CHANGES, DIALECT_ALERTMANAGER };

/* What a path's rows in sources.def do not say: how its senders speak HTTP. */
static const struct path {
        const char *prefix;
        enum dialect dialect;
        enum otlp_signal signal;
} paths[] = {
        {"/api/v1/write", DIALECT_REMOTE_WRITE, 0},
        {"/v1/logs", DIALECT_OTLP, OTLP_LOGS},
        {"/v1/metrics", DIALECT_OTLP, OTLP_METRICS},
        {"/api/v1/webhook/", DIALECT_WEBHOOK, 0},
        {"/api/v1/changes", DIALECT_CHANGES, 0},
        {"/api/v2/alerts", DIALECT_ALERTMANAGER, 0},
};

static const struct format {
        uint16_t number;
        const char *name, *path;
} formats[] = {
#define S(number, name, path, mask, decode, start, stop, check) {number, name, path},
#include "observe/sources.def"
#undef S
};

struct submission { /* of the request's arena */
        const struct path *path;
        const struct format *format;
        enum otlp_encoding encoding;
};

static bool is_json(struct str type)
{
        return str_equal_nocase(type, STR("application/json")) ||
               (type.length > 5 && str_equal_nocase(str_slice(type, type.length - 5, type.length), STR("+json")));
}

static bool is_protobuf(struct str type)
{
        return str_equal_nocase(type, STR("application/x-protobuf")) || str_equal_nocase(type, STR("application/protobuf"));
}

/* Of a path's rows the content type decides: the name of the one for JSON ends in _json, or it is the only one. */
static const struct format *format_of(const char *path, enum dialect dialect, bool json)
{
        for (size_t i = 0; i < countof(formats); i++) {
                struct str name = str_of(formats[i].name);
                bool for_json = name.length > 5 && str_equal(str_slice(name, name.length - 5, name.length), STR("_json"));
                if (formats[i].path && strcmp(formats[i].path, path) == 0 && (dialect != DIALECT_OTLP || for_json == json))
                        return &formats[i];
        }
        return NULL;
}

static bool check_remote_write(struct request *request, struct str type, struct str parameters, struct err *err)
{
        size_t at;
        struct str encoding = request_header(request, "Content-Encoding");
        if (!is_protobuf(type) || str_find(parameters, STR("io.prometheus.write.v2"), &at))
                return fail(err, ERR_UNSUPPORTED, "serve",
                            "remote write is taken in version 1.0 only: Content-Type application/x-protobuf, proto=prometheus.WriteRequest");
        if (encoding.bytes && !str_equal_nocase(encoding, STR("snappy")))
                return fail(err, ERR_UNSUPPORTED, "serve", "remote write must be Content-Encoding: snappy, not %.*s",
                            STR_ARGS(str_slice(encoding, 0, 40)));
        return true;
}

static bool find_format(struct request *request, struct submission *submission, struct err *err)
{
        const struct route *route = request->route;
        struct str parameters = request_header(request, "Content-Type"), type = {0};
        str_cut(&parameters, ';', &type);
        type = str_trim(type);
        for (size_t i = 0; i < countof(paths); i++)
                if (str_starts_with(str_of(route->path), str_of(paths[i].prefix)))
                        submission->path = &paths[i];
        submission->encoding = is_json(type) ? OTLP_JSON : OTLP_PROTOBUF;
        submission->format = submission->path ? format_of(route->path, submission->path->dialect, is_json(type)) : NULL;
        if (!submission->format)
                return fail(err, ERR_INTERNAL, "serve", "%s has no row in submit.c", route->path);
        if (submission->path->dialect == DIALECT_REMOTE_WRITE)
                return check_remote_write(request, type, parameters, err);
        if (is_json(type) || (submission->path->dialect == DIALECT_OTLP && is_protobuf(type)))
                return true;
        return fail(err, ERR_UNSUPPORTED, "serve", "%s takes Content-Type application/json%s, not \"%.*s\"", route->path,
                    submission->path->dialect == DIALECT_OTLP ? " or application/x-protobuf" : "", STR_ARGS(str_slice(type, 0, 80)));
}

/* Senders must know whether to come again: only 429, 502, 503 and 504 say so in every dialect. */
static void answer_err(struct request *request, const struct submission *submission, struct err *err)
{
        if (err->code == ERR_FULL || err->code == ERR_CORRUPT || err->code == ERR_INTERNAL || err->code == ERR_CANCELLED)
                err->code = ERR_IO;
        if (err->code == ERR_REFUSED || err->code == ERR_CONFLICT)
                err->code = ERR_INVALID;
        request_answer_err(request, err);
        if (submission->path && submission->path->dialect == DIALECT_OTLP) {
                buf_clear(&request->answer.body);
                otlp_error(err, submission->encoding, &request->answer.body);
                request->answer.content_type = otlp_content_type(submission->encoding);
        }
}

static void answer_taken(struct request *request, const struct submission *submission, const struct batch *batch)
{
        struct answer *answer = &request->answer;
        uint64_t rejected = batch->telemetry.rejected;
        struct str why = batch->telemetry.rejected_why;
        answer->status = 200;
        switch (submission->path->dialect) {
        case DIALECT_REMOTE_WRITE:
                answer->status = 204;
                break;
        case DIALECT_OTLP:
                answer->content_type = otlp_content_type(submission->encoding);
                otlp_response(submission->path->signal, submission->encoding, rejected, why, &answer->body);
                break;
        case DIALECT_ALERTMANAGER:
                answer->content_type = "application/json";
                if (rejected) {
                        answer->status = 400;
                        json_quote(&answer->body, why);
                }
                break;
        case DIALECT_WEBHOOK:
        case DIALECT_CHANGES:
                answer->content_type = "application/json";
                buf_printf(&answer->body, "{\"status\":\"success\",\"rejected\":%lu}\n", (unsigned long)rejected);
                break;
        }
}

static void on_done(void *context, const struct batch *batch, const struct err *err)
{
        struct request *request = context;
        const struct submission *submission = request->held_for;
        if (err) {
                struct err copy = *err;
                answer_err(request, submission, &copy);
        } else {
                answer_taken(request, submission, batch);
        }
        request_resume(request);
}

static bool source_name(const struct request *request, const struct submission *submission, char *out_name, size_t bytes,
                        struct err *err)
{
        struct str name = submission->path->dialect == DIALECT_WEBHOOK ? request->captured[0] : str_of(request->peer);
        if (submission->path->dialect == DIALECT_WEBHOOK && !account_name_check(name, err))
                return err_within(err, "the webhook's name");
        snprintf(out_name, bytes, "%s:%.*s", submission->format->name, STR_ARGS(name));
        return true;
}

/* mappings/NAME.yaml, built in; NULL: there is none, or no memory. */
static json_t *built_in_mapping(struct str name)
{
        for (size_t i = 0; i < mapping_files_count; i++) {
                struct str path = mapping_files[i].name;
                if (str_equal(str_slice(path, strlen("mappings/"), path.length - strlen(".yaml")), name))
                        return yaml_parse(mapping_files[i].text, path.bytes, NULL);
        }
        return NULL;
}

/* The operator's mapping of that name, else the built-in one, else, when the operator configured none at all, any JSON is a log record. */
static bool fill_settings(struct request *request, const struct submission *submission, struct batch *batch, struct err *err)
{
        const json_t *webhooks = server_of(request)->context.webhooks;
        enum dialect dialect = submission->path->dialect;
        if (dialect != DIALECT_WEBHOOK && dialect != DIALECT_CHANGES)
                return true;
        struct str name = dialect == DIALECT_WEBHOOK ? request->captured[0] : STR("changes");
        json_t *own = json_object_getn(webhooks, name.bytes, name.length);
        scoped_ptr(json_decref) json_t *mapping = own ? json_incref(own) : built_in_mapping(name);
        if (!mapping && json_object_size(webhooks) > 0)
                return fail(err, ERR_NOT_FOUND, "serve", "no webhook \"%.*s\" is configured; add it under webhooks", STR_ARGS(name));
        scoped(buf_done) struct buf text = {0};
        if (mapping && !json_write(mapping, &text))
                return fail_memory(err, "serve", text.length);
        batch->settings = arena_str(&batch->arena, buf_str(&text));
        return true;
}

static bool fill_bytes(struct request *request, const struct submission *submission, struct batch *batch, struct err *err)
{
        struct str body = buf_str(&request->body), plain = body;
        if (submission->path->dialect != DIALECT_REMOTE_WRITE &&
            !decompress(request_header(request, "Content-Encoding"), body, BATCH_BYTES_MAX, &batch->arena, &plain, err))
                return false;
        batch->bytes = plain.bytes == body.bytes ? arena_str(&batch->arena, plain) : plain;
        return batch->bytes.bytes || fail_memory(err, "serve", plain.length);
}

static struct batch *make_batch(struct request *request, const struct submission *submission, struct err *err)
{
        char name[128];
        if (!source_name(request, submission, name, sizeof name, err))
                return NULL;
        struct batch *batch = batch_create(submission->format->number, str_of(name), err);
        if (!batch)
                return NULL;
        batch->received_ns = clock_now_ns(server_of(request)->context.clock);
        if (fill_settings(request, submission, batch, err) && fill_bytes(request, submission, batch, err))
                return batch;
        batch_destroy(batch);
        return NULL;
}

bool submit(struct request *request, struct err *err)
{
        struct submission *submission = arena_new(&request->arena, struct submission);
        if (!submission)
                return fail_memory(err, "serve", sizeof *submission);
        struct batch *batch = find_format(request, submission, err) ? make_batch(request, submission, err) : NULL;
        if (!batch) {
                answer_err(request, submission, err);
                return true;
        }
        request->held_for = submission;
        request_hold(request);
        if (intake_offer(server_of(request)->context.intake, batch, on_done, request, err))
                return true; /* the request is no longer ours */
        answer_err(request, submission, err);
        request_resume(request);
        return true;
}
