/*
 * serve.c - see serve.h: puts the parts of this room together and takes them apart again, and what all handlers use.
 */
#include "serve/serve.h"

#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "serve/live.h"
#include "serve/server.h"
#include "serve/sign_in.h"
#include "store/database.h"
#include "wire/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUERY_S_DEFAULT 60
#define QUERY_S_MAX 300
#define JSON_BYTES_MAX ((size_t)4 << 20) /* decompressed */

static bool load_accounts(struct server *server, struct err *err)
{
        with_lock(&server->reader_lock);
        return accounts_load(server->accounts, server->reader, clock_now_ns(server->context.clock), err);
}

bool server_order(struct server *server, const char *by, const char *verb, json_t *arguments, struct err *err)
{
        json_t *result = NULL;
        if (!arguments)
                return fail_memory(err, "serve", sizeof(void *));
        if (!server->context.command(server->context.loop, verb, arguments, by, &result, err))
                return false;
        json_decref(result);
        return load_accounts(server, err);
}

bool request_json(struct request *request, json_t **out_json, struct err *err)
{
        struct str plain;
        if (!decompress(request_header(request, "Content-Encoding"), buf_str(&request->body), JSON_BYTES_MAX,
                        &request->arena, &plain, err))
                return false;
        json_t *json = plain.length ? json_parse(plain, err) : json_object();
        if (json && !json_is_object(json)) {
                json_decref(json);
                return fail(err, ERR_INVALID, "serve", "the body must be a JSON object");
        }
        *out_json = json;
        return json;
}

struct str request_field(const struct request *request, const char *name)
{
        return fields_value(&request->fields, name);
}

bool request_number(const struct request *request, const char *name, int64_t otherwise, int64_t least, int64_t most,
                    int64_t *out_number, struct err *err)
{
        struct str text = request_field(request, name);
        int64_t number = otherwise;
        if (text.length && (!str_to_i64(text, &number) || number < least || number > most))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"%s\": \"%.*s\" is no whole number from %ld to %ld",
                            name, STR_ARGS(str_slice(text, 0, 100)), (long)least, (long)most);
        *out_number = number;
        return true;
}

bool request_deadline(const struct request *request, int64_t *out_deadline_ns, struct err *err)
{
        struct str text = request_field(request, "timeout");
        int64_t limit_ns = QUERY_S_DEFAULT * NS_PER_S;
        struct str number = text.length && text.bytes[text.length - 1] == 's' ? str_slice(text, 0, text.length - 1) : text;
        double seconds;
        if (text.length) {
                if (!str_to_double(number, &seconds) || !(seconds > 0))
                        return fail(err, ERR_INVALID, "serve", "invalid parameter \"timeout\": cannot parse \"%.*s\" to a valid duration",
                                    STR_ARGS(str_slice(text, 0, 100)));
                limit_ns = (int64_t)(min_of(seconds, (double)QUERY_S_MAX) * NS_PER_S);
        }
        *out_deadline_ns = clock_monotonic_ns(&clock_real) + limit_ns;
        return true;
}

/* The CLI's token: new with every start, known only in memory and in a file that only this user can read. */
static bool write_local_token(struct server *server, struct err *err)
{
        char secret[SECRET_BYTES], path[4096];
        secret_create("evk_", secret);
        secret_hash(str_of(secret), server->local_token_hash);
        if (!server->context.data_directory)
                return true;
        snprintf(path, sizeof path, "%s/cli.token", server->context.data_directory);
        unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fail_errno(err, errno, "serve", "writing %s", path);
        char text[160];
        int length = snprintf(text, sizeof text, "%s\n", secret);
        bool good = write(fd, text, (size_t)length) == length;
        close(fd);
        return good || fail_errno(err, errno, "serve", "writing %s", path);
}

/* Where the CLI finds the daemon, beside the token: the first loopback listener. */
static bool write_address(const struct serve_context *context, const struct http_options *options, struct err *err)
{
        char path[4096];
        if (!context->data_directory || options->listener_count == 0)
                return true;
        const struct http_listener *listener = &options->listeners[0];
        snprintf(path, sizeof path, "%s/cli.address", context->data_directory);
        FILE *file = fopen(path, "we");
        if (!file)
                return fail_errno(err, errno, "serve", "writing %s", path);
        fprintf(file, strchr(listener->address, ':') ? "%s://[%s]:%u\n" : "%s://%s:%u\n",
                listener->certificate ? "https" : "http", listener->address, listener->port);
        return fclose(file) == 0 || fail_errno(err, errno, "serve", "writing %s", path);
}

static bool check_listeners(const struct http_options *options, struct err *err)
{
        for (size_t i = 0; i < options->listener_count; i++) {
                const struct http_listener *listener = &options->listeners[i];
                struct str address = str_of(listener->address);
                bool is_loopback = str_starts_with(address, STR("127.")) || str_is(address, "::1");
                if (!is_loopback && (!listener->certificate || !listener->key))
                        return fail(err, ERR_INVALID, "serve",
                                    "listening on %s, beyond this machine, needs a certificate and a key", listener->address);
        }
        return true;
}

bool serve_start(const struct serve_context *context, const struct http_options *options, struct server **out_server,
                 struct err *err)
{
        struct server *server = calloc(1, sizeof *server);
        if (!server)
                return fail_memory(err, "serve", sizeof *server);
        server->context = *context;
        server->started_ns = clock_now_ns(context->clock);
        lock_init(&server->reader_lock, LOCK_SERVE);
        struct http_hooks hooks = {.begin = route_begin, .context = server};
        bool good = check_listeners(options, err) && accounts_create(&server->accounts, err) &&
                    attempts_create(&server->attempts, err) &&
                    database_open_reader(context->state_path, context->vfs, &server->reader, err) &&
                    load_accounts(server, err) && write_local_token(server, err) && live_create(server, &server->live, err) &&
                    http_start(options, &hooks, &server->http, err) && live_start(server->live, err) &&
                    write_address(context, options, err);
        if (!good) {
                serve_stop(server);
                return err_within(err, "starting HTTP");
        }
        *out_server = server;
        return true;
}

bool serve_first_admin(struct server *server, bool *out_is_new, char out_password[static PASSWORD_ONCE_BYTES],
                       struct err *err)
{
        json_t *arguments;
        *out_is_new = false;
        if (accounts_user_count(server->accounts) > 0)
                return true;
        if (!account_first_admin(&arguments, out_password, err) ||
            !server_order(server, "evenkeel", "user_create", arguments, err))
                return err_within(err, "making the first administrator");
        *out_is_new = true;
        return true;
}

void serve_stop(struct server *server)
{
        if (!server)
                return;
        live_end(server->live); /* its streams, so that http_stop does not wait for them */
        http_stop(server->http);
        live_destroy(server->live);
        database_close(server->reader);
        accounts_destroy(server->accounts);
        attempts_destroy(server->attempts);
        lock_done(&server->reader_lock);
        free(server);
}
