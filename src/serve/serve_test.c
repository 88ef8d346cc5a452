/* serve_test - the whole program's HTTP face over a real loop in a folder of its own, asked as senders, Grafana, the console
 * and strangers ask. */
#include "serve/serve.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/thread.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "loop/state_table.h"
#include "observe/observe.h"
#include "serve/openapi.h"
#include "serve/route.h"
#include "serve/status.h"
#include "store/database.h"
#include "wire/redact.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail

SCOPED_PTR(database_close, struct database)

static char directory[SCRATCH_BYTES], state_path[96], first_password[PASSWORD_ONCE_BYTES];
static struct loop *loop;
static struct redactor *redactor;
static struct server *server;
static struct http_listener listener;

/* As an earlier life set it aside. */
static bool leave_damaged_day(void)
{
        char path[128];
        snprintf(path, sizeof path, "%s/telemetry", directory);
        if (mkdir(path, 0700) != 0)
                return false;
        snprintf(path, sizeof path, "%s/telemetry/2020-02-03.db.damaged", directory);
        FILE *file = fopen(path, "wb");
        return file && fclose(file) == 0;
}

static int start(void **unused)
{
        (void)unused;
        struct err err;
        bool is_new = false;
        if (scratch_make(directory, "serve") != 0)
                return -1;
        snprintf(state_path, sizeof state_path, "%s/state.db", directory);
        if (!leave_damaged_day())
                return -1;
        listener = (struct http_listener){.address = "127.0.0.1"};
        struct http_options options = {.listeners = &listener, .listener_count = 1};
        bool good = credential_start(&err) && redactor_create(NULL, NULL, &redactor, &err);
        struct loop_options loop_options = {.directory = directory, .redactor = redactor};
        good = good && loop_open(&loop_options, &loop, &err) && loop_start(loop, &err);
        if (good) {
                struct serve_context context = {
                        .clock = &clock_real, .intake = loop_intake(loop), 
                        .logs = loop_logs(loop), .log_templates = observe_log_templates(loop_observe(loop)), .series = loop_series(loop),
                        .archive = loop_archive(loop), .journal = loop_journal(loop), .loop = loop, .command = loop_command,
                        .registry = loop_registry(loop),
                        .redactor = redactor, .data_directory = directory, .state_path = state_path, .version = "0.test",
                };
                good = serve_start(&context, &options, &server, &err) && serve_first_admin(server, &is_new, first_password, &err);
        }
        if (!good)
                puts(err.message);
        return good && is_new ? 0 : -1;
}

static int stop(void **unused)
{
        (void)unused;
        serve_stop(server);
        loop_stop(loop);
        loop_close(loop);
        redactor_destroy(redactor);
        return scratch_remove(directory);
}

/* ---- asking ---- */

struct answer_seen {
        long status;
        struct buf body, head;
};

static void seen_done(struct answer_seen *seen)
{
        buf_done(&seen->body);
        buf_done(&seen->head);
}

static size_t collect(char *bytes, size_t size, size_t count, void *out)
{
        return buf_append(out, bytes, size * count) ? size * count : 0;
}

/* headers: lines, NULL-ended. */
static struct answer_seen ask_with(const char *method, const char *path, struct str body, const char *const *headers)
{
        struct answer_seen seen = {0};
        char url[1000];
        CURL *curl = curl_easy_init();
        struct curl_slist *list = curl_slist_append(NULL, "Expect:");
        for (; headers && *headers; headers++)
                list = curl_slist_append(list, *headers);
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", listener.port, path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &seen.body);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, &seen.head);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        if (body.bytes) {
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.length);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.bytes);
        }
        curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &seen.status);
        curl_easy_cleanup(curl);
        curl_slist_free_all(list);
        buf_byte(&seen.body, 0);
        buf_byte(&seen.head, 0);
        return seen;
}

static struct answer_seen ask(const char *method, const char *path, const char *body, const char *header)
{
        const char *headers[] = {"Content-Type: application/json", header, NULL};
        return ask_with(method, path, str_of(body), headers);
}

static long status_of(const char *method, const char *path, const char *body, const char *header)
{
        scoped(seen_done) struct answer_seen seen = ask(method, path, body, header);
        return seen.status;
}

static json_t *json_of(const struct answer_seen *seen)
{
        struct err err;
        json_t *json = json_parse(str_of(seen->body.bytes), &err);
        if (!json)
                print_error("%s: %s\n", err.message, seen->body.bytes);
        assert_non_null(json);
        return json;
}

/* "Authorization: Bearer ..." of the file that the CLI reads. */
static const char *local_token(void)
{
        static char header[128];
        char path[96], secret[64] = "";
        snprintf(path, sizeof path, "%s/cli.token", directory);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%63s", secret), 1);
        fclose(file);
        snprintf(header, sizeof header, "Authorization: Bearer %s", secret);
        return header;
}

static json_t *ask_json(const char *method, const char *path, const char *body)
{
        scoped(seen_done) struct answer_seen seen = ask(method, path, body, local_token());
        if (seen.status != 200)
                print_error("%s %s: %ld %s\n", method, path, seen.status, seen.body.bytes);
        assert_int_equal(seen.status, 200);
        return json_of(&seen);
}

static bool has_text(const struct buf *buf, const char *text)
{
        return strstr(buf->bytes, text) != NULL;
}

static void send_lines(void)
{
        static bool is_sent;
        struct err err;
        if (is_sent)
                return;
        is_sent = true;
        static const char *const bodies[] = {"{\"message\":\"one apple\"}", "{\"message\":\"two pears\"}", "{\"message\":\"three apples, password=hunter22secret\"}"};
        for (size_t i = 0; i < countof(bodies); i++)
                assert_int_equal(status_of("POST", "/api/v1/webhook/test", bodies[i], NULL), 200);
        assert_true(loop_settle(loop, 5000, &err));
}

/* ---- who may ask ---- */

static void what_is_registered_is_listed_shown_changed_and_walked(void **unused)
{
        (void)unused;
        char path[120];
        scoped_ptr(json_decref) json_t *kinds = ask_json("GET", "/api/v1/kinds", NULL);
        assert_true(json_array_size(json_object_get(kinds, "kinds")) >= 5);
        scoped(seen_done) struct answer_seen made = ask("POST", "/api/v1/entities", "{\"kind\":\"host\",\"fields\":{\"name\":\"shelf1\",\"memory\":16}}", local_token());
        assert_int_equal(made.status, 201);
        scoped_ptr(json_decref) json_t *host = json_of(&made);
        const char *id = json_string_value(json_object_get(host, "id"));
        assert_int_equal(status_of("POST", "/api/v1/entities", "{\"kind\":\"host\",\"fields\":{\"name\":\"shelf1\"}}", local_token()), 409);
        assert_int_equal(status_of("POST", "/api/v1/entities", "{\"kind\":\"host\",\"fields\":{\"name\":\"x\",\"memory\":\"much\"}}", local_token()), 400);
        snprintf(path, sizeof path, "/api/v1/entities/%s", id);
        scoped_ptr(json_decref) json_t *changed = ask_json("POST", path, "{\"fields\":{\"memory\":32}}");
        scoped_ptr(json_decref) json_t *shown = ask_json("GET", path, NULL);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(json_object_get(shown, "fields"), "memory"), "value")), 32);
        snprintf(path, sizeof path, "/api/v1/entities/%s/history", id);
        scoped_ptr(json_decref) json_t *history = ask_json("GET", path, NULL);
        const json_t *events = json_object_get(history, "events");
        assert_int_equal(json_array_size(events), 2);
        snprintf(path, sizeof path, "/api/v1/entities/%s?at=%s", id, json_string_value(json_object_get(json_array_get(events, 1), "time_ns")));
        scoped_ptr(json_decref) json_t *then = ask_json("GET", path, NULL);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(json_object_get(then, "fields"), "memory"), "value")), 16);
        snprintf(path, sizeof path, "/api/v1/entities/%s/graph", id);
        scoped_ptr(json_decref) json_t *graph = ask_json("GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(graph, "nodes")), 1);
        scoped_ptr(json_decref) json_t *list = ask_json("GET", "/api/v1/entities?kind=host&field=memory&value=32", NULL);
        assert_int_equal(json_i64(list, "total", -1), 1);
        assert_int_equal(status_of("GET", "/api/v1/entities/77", NULL, local_token()), 404);
        assert_int_equal(status_of("GET", "/api/v1/entities/x", NULL, local_token()), 404);
}

static void a_table_of_entities_goes_out_and_comes_in_again(void **unused)
{
        (void)unused;
        scoped_ptr(json_decref) json_t *came = ask_json("POST", "/api/v1/entities.csv?kind=host", "name,purpose,tags\nshelf2,\"a \"\"spare\"\", kept\",a;b\n");
        assert_int_equal(json_i64(came, "created", -1), 1);
        scoped(seen_done) struct answer_seen out = ask("GET", "/api/v1/entities.csv?kind=host&query=shelf2", NULL, local_token());
        assert_int_equal(out.status, 200);
        assert_true(has_text(&out.body, ",shelf2,"));
        assert_true(has_text(&out.body, "\"a \"\"spare\"\", kept\""));
        scoped_ptr(json_decref) json_t *again = ask_json("POST", "/api/v1/entities.csv?kind=host", out.body.bytes);
        assert_int_equal(json_i64(again, "same", -1), 1);
        assert_int_equal(status_of("POST", "/api/v1/entities.csv?kind=host", "name,wrong\na,b\n", local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/entities.csv?kind=plane", NULL, local_token()), 404);
}

/* As somebody with the file in hand would. */
static void tamper(const char *sql)
{
        struct err err;
        scoped_ptr(database_close) struct database *state = NULL;
        assert_true(state_open(state_path, NULL, &state, &err));
        assert_true(database_execute(state, sql, &err));
}

static void the_audit_log_is_listed_without_secrets_and_a_changed_entry_is_named(void **unused)
{
        (void)unused;
        assert_int_equal(status_of("POST", "/api/v1/users", "{\"name\":\"audrey\",\"role\":\"viewer\",\"password\":\"eleven small boats\"}", local_token()), 200);
        scoped_ptr(json_decref) json_t *list = ask_json("GET", "/api/v1/audit?verb=user_create", NULL);
        const json_t *newest = json_array_get(json_object_get(list, "entries"), 0), *arguments = json_object_get(newest, "arguments");
        assert_true(str_is(json_str(arguments, "name"), "audrey"));
        assert_true(str_is(json_str(arguments, "password_hash"), "(not shown)"));
        assert_true(str_is(json_str(newest, "by"), "cli") && str_is(json_str(newest, "outcome"), "done"));

        scoped_ptr(json_decref) json_t *whole = ask_json("GET", "/api/v1/audit/verify", NULL);
        assert_true(json_is_true(json_object_get(whole, "is_whole")));
        char path[160], sql[160];
        struct str sequence = json_str(newest, "sequence"), head = json_str(whole, "head");
        snprintf(path, sizeof path, "/api/v1/audit/verify?head=%.*s", STR_ARGS(head));
        scoped_ptr(json_decref) json_t *noted = ask_json("GET", path, NULL);
        assert_true(json_is_true(json_object_get(noted, "is_whole")));
        scoped_ptr(json_decref) json_t *foreign = ask_json("GET", "/api/v1/audit/verify?head=0000000000000000000000000000000000000000000000000000000000000000", NULL);
        assert_false(json_is_true(json_object_get(foreign, "is_whole")));
        assert_int_equal(status_of("GET", "/api/v1/audit/verify?head=abc", NULL, local_token()), 400);

        snprintf(sql, sizeof sql, "UPDATE audit SET by = 'mallory' WHERE sequence = %.*s", STR_ARGS(sequence));
        tamper(sql);
        scoped_ptr(json_decref) json_t *changed = ask_json("GET", "/api/v1/audit/verify", NULL);
        assert_false(json_is_true(json_object_get(changed, "is_whole")));
        assert_true(str_equal(json_str(changed, "broken"), sequence));
        snprintf(sql, sizeof sql, "UPDATE audit SET by = 'cli' WHERE sequence = %.*s", STR_ARGS(sequence));
        tamper(sql);
        scoped_ptr(json_decref) json_t *mended = ask_json("GET", "/api/v1/audit/verify", NULL);
        assert_true(json_is_true(json_object_get(mended, "is_whole")));
}

static void a_stranger_gets_nothing_and_a_health_check_gets_an_answer(void **unused)
{
        (void)unused;
        assert_int_equal(status_of("GET", "/-/healthy", NULL, NULL), 200);
        assert_int_equal(status_of("GET", "/-/ready", NULL, NULL), 200);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, NULL), 401);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, "Authorization: Bearer evk_guess"), 401);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, "Authorization: Nonsense"), 401);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, "Cookie: evenkeel_session=guess"), 401);
        assert_int_equal(status_of("GET", "/api/v1/nothing", NULL, NULL), 404);
        assert_int_equal(status_of("DELETE", "/api/v1/status", NULL, NULL), 405);
        assert_int_equal(status_of("POST", "/api/v1/query", "{}", NULL), 401);
}

static void every_route_but_the_open_ones_refuses_a_stranger(void **unused)
{
        (void)unused;
        for (const struct route *route = routes; route < routes + route_count; route++) {
                if (!route->path || route->need == NEED_NOTHING)
                        continue;
                /* a page in a browser on this machine counts as a stranger */
                scoped(seen_done) struct answer_seen seen = ask(http_method_name(route->method), route->path, route->method == HTTP_POST ? "{}" : NULL, "Origin: http://elsewhere.example");
                if (seen.status != 401)
                        print_error("%s %s: %ld\n", http_method_name(route->method), route->path, seen.status);
                assert_int_equal(seen.status, 401);
        }
}

static void a_session_begins_with_a_new_password_and_its_writes_need_the_csrf_token(void **unused)
{
        (void)unused;
        char body[200], cookie[200], csrf[200];
        snprintf(body, sizeof body, "{\"name\":\"admin\",\"password\":\"%s\"}", first_password);
        assert_int_equal(status_of("POST", "/api/v1/session", "{\"name\":\"admin\",\"password\":\"wrong password\"}", NULL), 401);
        assert_int_equal(status_of("POST", "/api/v1/session", body, "Origin: http://elsewhere.example"), 403);
        scoped(seen_done) struct answer_seen seen = ask("POST", "/api/v1/session", body, NULL);
        assert_int_equal(seen.status, 200);
        assert_true(has_text(&seen.head, "HttpOnly") && has_text(&seen.head, "SameSite=Strict"));
        scoped_ptr(json_decref) json_t *session = json_of(&seen);
        assert_true(json_flag(json_object_get(session, "user"), "must_change_password", false));
        assert_int_equal(json_i64(session, "password_chars_min", 0), PASSWORD_CHARS_MIN);
        const char *at = strstr(seen.head.bytes, "evenkeel_session=");
        assert_non_null(at);
        snprintf(cookie, sizeof cookie, "Cookie: %.*s", (int)strcspn(at, ";"), at);
        snprintf(csrf, sizeof csrf, "X-CSRF-Token: %s", json_string_value(json_object_get(session, "csrf")));
        assert_int_equal(status_of("GET", "/api/v1/session", NULL, cookie), 200);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, cookie), 403); /* a new password first */
        snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"a long new password\"}", first_password);
        assert_int_equal(status_of("POST", "/api/v1/session/password", body, cookie), 403); /* no CSRF token */
        const char *headers[] = {cookie, csrf, "Content-Type: application/json", NULL};
        scoped(seen_done) struct answer_seen changed = ask_with("POST", "/api/v1/session/password", str_of(body), headers);
        assert_int_equal(changed.status, 200);
        assert_int_equal(status_of("GET", "/api/v1/session", NULL, cookie), 401); /* the old session has ended */
        at = strstr(changed.head.bytes, "evenkeel_session=");
        snprintf(cookie, sizeof cookie, "Cookie: %.*s", (int)strcspn(at, ";"), at);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, cookie), 200);
        scoped(seen_done) struct answer_seen shown = ask("GET", "/api/v1/session", NULL, cookie);
        scoped_ptr(json_decref) json_t *fresh = json_of(&shown);
        snprintf(csrf, sizeof csrf, "X-CSRF-Token: %s", json_string_value(json_object_get(fresh, "csrf")));
        scoped(seen_done) struct answer_seen ended = ask_with("DELETE", "/api/v1/session", (struct str){0}, headers);
        assert_int_equal(ended.status, 200);
        assert_int_equal(status_of("GET", "/api/v1/session", NULL, cookie), 401);
}

static void wrong_passwords_make_the_next_one_wait(void **unused)
{
        (void)unused;
        long status = 0;
        for (int i = 0; i < 6; i++)
                status = status_of("POST", "/api/v1/session", "{\"name\":\"mallory\",\"password\":\"guess after guess\"}", NULL);
        assert_int_equal(status, 429);
}

static void a_token_does_what_its_scopes_say(void **unused)
{
        (void)unused;
        char bearer[128], basic[200], path[64];
        scoped_ptr(json_decref) json_t *made = ask_json("POST", "/api/v1/tokens", "{\"name\":\"grafana\",\"scopes\":[\"read\"],\"expires_days\":30}");
        const char *token = json_string_value(json_object_get(made, "token"));
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, bearer), 200);
        assert_int_equal(status_of("GET", "/api/v1/users", NULL, bearer), 403);
        assert_int_equal(status_of("POST", "/api/v1/redact/test", "{\"text\":\"x\"}", bearer), 403);
        assert_int_equal(status_of("POST", "/api/v1/webhook/test", "{}", bearer), 403);
        snprintf(path, sizeof path, "anyname:%s", token);
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        int length = snprintf(basic, sizeof basic, "Authorization: Basic ");
        for (size_t i = 0; i < strlen(path); i += 3) {
                uint32_t bits = 0;
                for (size_t j = 0; j < 3; j++)
                        bits = bits << 8 | (i + j < strlen(path) ? (unsigned char)path[i + j] : 0);
                for (int j = 0; j < 4; j++)
                        basic[length++] = i + (size_t)j > strlen(path) ? '=' : digits[bits >> (18 - 6 * j) & 63];
        }
        basic[length] = 0;
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, basic), 200);
        snprintf(path, sizeof path, "/api/v1/tokens/%s", json_string_value(json_object_get(made, "id")));
        json_decref(ask_json("DELETE", path, NULL));
        assert_int_equal(status_of("GET", "/api/v1/status", NULL, bearer), 401);
}

static void users_are_added_changed_and_locked_out(void **unused)
{
        (void)unused;
        json_decref(ask_json("POST", "/api/v1/users", "{\"name\":\"alice\",\"role\":\"viewer\",\"password\":\"correct horse\",\"must_change_password\":false}"));
        assert_int_equal(status_of("POST", "/api/v1/users", "{\"name\":\"alice\",\"role\":\"viewer\",\"password\":\"correct horse\"}", local_token()), 409);
        assert_int_equal(status_of("POST", "/api/v1/users", "{\"name\":\"bob\",\"role\":\"viewer\",\"password\":\"eleven char\"}", local_token()), 400);
        assert_int_equal(status_of("POST", "/api/v1/session", "{\"name\":\"alice\",\"password\":\"correct horse\"}", NULL), 200);
        json_decref(ask_json("POST", "/api/v1/users/alice", "{\"role\":\"operator\"}"));
        json_decref(ask_json("POST", "/api/v1/users/alice", "{\"disabled\":true}"));
        assert_int_equal(status_of("POST", "/api/v1/session", "{\"name\":\"alice\",\"password\":\"correct horse\"}", NULL), 401);
        assert_int_equal(status_of("POST", "/api/v1/users/nobody", "{\"role\":\"viewer\"}", local_token()), 404);
        assert_int_equal(status_of("POST", "/api/v1/users/admin", "{\"disabled\":true}", local_token()), 422);
        scoped_ptr(json_decref) json_t *users = ask_json("GET", "/api/v1/users", NULL);
        assert_int_equal(json_array_size(json_object_get(users, "users")), 2);
}

static void the_token_file_is_for_its_owner_only(void **unused)
{
        (void)unused;
        char path[96];
        struct stat about;
        snprintf(path, sizeof path, "%s/cli.token", directory);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
}

/* ---- senders ---- */

static long send_as(const char *path, struct str body, const char *type, const char *encoding)
{
        const char *headers[] = {type, encoding, NULL};
        scoped(seen_done) struct answer_seen seen = ask_with("POST", path, body, headers);
        return seen.status;
}

static void remote_write_is_answered_as_its_senders_expect(void **unused)
{
        (void)unused;
        const char *v1 = "Content-Type: application/x-protobuf", *snappy = "Content-Encoding: snappy";
        /* snappy of an empty message */
        assert_int_equal(send_as("/api/v1/write", (struct str){"\0", 1}, v1, snappy), 204);
        assert_int_equal(send_as("/api/v1/write", STR("garbage"), v1, snappy), 400);
        assert_int_equal(send_as("/api/v1/write", STR("x"), "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request", snappy), 415);
        assert_int_equal(send_as("/api/v1/write", STR("x"), "Content-Type: text/plain", snappy), 415);
        assert_int_equal(send_as("/api/v1/write", STR("x"), v1, "Content-Encoding: gzip"), 415);
}

static void otlp_is_answered_in_the_senders_own_encoding(void **unused)
{
        (void)unused;
        scoped(seen_done) struct answer_seen good = ask("POST", "/v1/logs", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"hello\"}}]}]}]}", NULL);
        assert_int_equal(good.status, 200);
        assert_true(has_text(&good.head, "application/json"));
        assert_int_equal(status_of("POST", "/v1/logs", "{\"resourceLogs\":", NULL), 400);
        assert_int_equal(send_as("/v1/metrics", STR(""), "Content-Type: application/x-protobuf", NULL), 200);
        assert_int_equal(send_as("/v1/metrics", STR("\xff\xff\xff"), "Content-Type: application/x-protobuf", NULL), 400);
        assert_int_equal(send_as("/v1/metrics", STR("x"), "Content-Type: text/xml", NULL), 415);
        assert_int_equal(send_as("/v1/logs", STR("x"), "Content-Type: application/json", "Content-Encoding: br"), 415);
}

static void records_are_found_by_the_sentence_they_say(void **unused)
{
        (void)unused;
        char path[160];
        assert_int_equal(status_of("POST", "/v1/logs", "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"till\"}}]},"
                                                       "\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"sold 5 apples in 20ms\"}},"
                                                       "{\"body\":{\"stringValue\":\"sold 7 apples in 9ms\"}},{\"body\":{\"stringValue\":\"the till is open\"}}]}]}]}", NULL), 200);
        assert_true(loop_settle(loop, 10000, NULL));
        scoped_ptr(json_decref) json_t *list = ask_json("GET", "/api/v1/templates?service=till&sort=count", NULL);
        const json_t *first = json_array_get(json_object_get(list, "templates"), 0);
        assert_int_equal(json_array_size(json_object_get(list, "templates")), 2);
        assert_string_equal(json_string_value(json_object_get(first, "sentence")), "sold <number> apples in <duration>");
        assert_int_equal(json_integer_value(json_object_get(first, "count")), 2);
        snprintf(path, sizeof path, "/api/v1/templates/%s", json_string_value(json_object_get(first, "id")));
        scoped_ptr(json_decref) json_t *one = ask_json("GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(one, "variables")), 2);
        assert_true(json_array_size(json_object_get(one, "examples")) >= 1);
        assert_true(json_real_value(json_object_get(json_array_get(json_object_get(one, "variables"), 1), "most")) < 0.021);
        snprintf(path, sizeof path, "/api/v1/logs?query=%%7B%%7D&template=%s", json_string_value(json_object_get(first, "id")));
        scoped_ptr(json_decref) json_t *page = ask_json("GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(page, "rows")), 2);
        assert_int_equal(status_of("GET", "/api/v1/templates/zz", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/templates/abc", NULL, local_token()), 404);
        assert_int_equal(status_of("GET", "/api/v1/templates?sort=beauty", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/logs?template=abc", NULL, local_token()), 404);
}

static void what_a_webhook_sent_is_found_masked_counted_and_in_context(void **unused)
{
        (void)unused;
        send_lines();
        scoped_ptr(json_decref) json_t *page = ask_json("GET", "/api/v1/logs?query=%7Bsource%3D%22webhook%22%7D%20%7C%3D%20%22apple%22", NULL);
        json_t *rows = json_object_get(page, "rows");
        assert_int_equal(json_array_size(rows), 2);
        struct str newest = json_str(json_array_get(rows, 0), "line");
        size_t at;
        assert_true(str_find(newest, STR("three apples"), &at));
        assert_false(str_find(newest, STR("hunter22secret"), &at));
        assert_false(json_is_true(json_object_get(page, "more")));
        scoped_ptr(json_decref) json_t *first = ask_json("GET", "/api/v1/logs?query=apple&limit=1", NULL);
        assert_true(json_is_true(json_object_get(first, "more")));
        char path[200];
        snprintf(path, sizeof path, "/api/v1/logs/context?id=%s&before=5&after=5", json_string_value(json_object_get(json_array_get(rows, 1), "id")));
        scoped_ptr(json_decref) json_t *around = ask_json("GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(around, "rows")), 3);
        scoped_ptr(json_decref) json_t *histogram = ask_json("GET", "/api/v1/logs/histogram?query=%7Bsource%3D%22webhook%22%7D&buckets=10", NULL);
        size_t i;
        int64_t total = 0;
        json_t *bucket, *count;
        const char *name;
        json_array_foreach(json_object_get(histogram, "buckets"), i, bucket)
                json_object_foreach(json_object_get(bucket, "counts"), name, count)
                        total += json_integer_value(count);
        assert_int_equal(total, 3);
        assert_int_equal(status_of("GET", "/api/v1/logs/context?id=99999999999", NULL, local_token()), 404);
        assert_int_equal(status_of("GET", "/api/v1/logs?query=%7Bbroken", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/logs?limit=lots", NULL, local_token()), 400);
        scoped_ptr(json_decref) json_t *sources = ask_json("GET", "/api/v1/sources", NULL);
        assert_true(json_array_size(json_object_get(sources, "sources")) >= 1);
}

struct tail {
        struct buf seen;
        CURL *curl;
};

static void send_one_later(void *context)
{
        (void)context;
        usleep(700000);
        status_of("POST", "/api/v1/webhook/test", "{\"message\":\"a late lemon\"}", NULL);
}

static size_t until_lemon(char *bytes, size_t size, size_t count, void *context)
{
        struct tail *tail = context;
        buf_append(&tail->seen, bytes, size * count);
        buf_byte(&tail->seen, 0);
        tail->seen.length--;
        return strstr(tail->seen.bytes, "lemon") ? 0 : size * count;
}

static void a_tail_shows_what_comes_from_now_on(void **unused)
{
        (void)unused;
        send_lines();
        struct tail tail = {.curl = curl_easy_init()};
        struct thread thread = {0};
        struct err err;
        char url[200];
        struct curl_slist *list = curl_slist_append(NULL, local_token());
        snprintf(url, sizeof url, "http://127.0.0.1:%u/api/v1/logs/tail?query=%%7B%%7D", listener.port);
        curl_easy_setopt(tail.curl, CURLOPT_URL, url);
        curl_easy_setopt(tail.curl, CURLOPT_HTTPHEADER, list);
        curl_easy_setopt(tail.curl, CURLOPT_WRITEFUNCTION, until_lemon);
        curl_easy_setopt(tail.curl, CURLOPT_WRITEDATA, &tail);
        curl_easy_setopt(tail.curl, CURLOPT_TIMEOUT, 10L);
        curl_easy_setopt(tail.curl, CURLOPT_NOSIGNAL, 1L);
        assert_true(thread_start(&thread, "sender", send_one_later, NULL, &err));
        curl_easy_perform(tail.curl);
        thread_join(&thread);
        assert_non_null(strstr(tail.seen.bytes, "event: row"));
        assert_non_null(strstr(tail.seen.bytes, "a late lemon"));
        assert_null(strstr(tail.seen.bytes, "apple"));
        curl_easy_cleanup(tail.curl);
        curl_slist_free_all(list);
        buf_done(&tail.seen);
}

/* ---- what an answer leaves out ---- */

static void answers_tell_the_damaged_day_that_they_leave_out(void **unused)
{
        (void)unused;
        static const char *const telling[] = {
                "/api/v1/query?query=up&time=1580731200",
                "/api/v1/query?query=up%20offset%201d&time=1580817600",
                "/api/v1/query_range?query=up&start=1580650000&end=1580731200&step=600",
                "/api/v1/series?match[]=up&start=1580731200&end=1580731300",
                "/api/v1/labels?start=1580731200&end=1580731300",
                "/api/v1/logs?query=%7B%7D&start=2020-02-03T10:00:00Z&end=2020-02-03T11:00:00Z",
                "/api/v1/logs/histogram?query=%7B%7D&start=2020-02-03T10:00:00Z&end=2020-02-03T11:00:00Z",
                "/api/v1/logs/streams?query=%7B%7D&start=2020-02-03T10:00:00Z&end=2020-02-03T11:00:00Z",
                "/loki/api/v1/query_range?query=%7B%7D&start=1580731200000000000&end=1580731300000000000",
                "/loki/api/v1/labels?start=1580731200000000000&end=1580731300000000000",
                "/loki/api/v1/series?start=1580731200000000000&end=1580731300000000000",
                "/loki/api/v1/index/stats?query=%7B%7D&start=1580731200000000000&end=1580731300000000000",
        };
        static const char *const whole[] = {
                "/api/v1/query?query=up&time=1580871600",
                "/api/v1/query?query=1%2B1&time=1580731200",
                "/api/v1/logs?query=%7B%7D&start=2020-02-04T10:00:00Z&end=2020-02-04T11:00:00Z",
                "/loki/api/v1/query_range?query=%7B%7D&start=1580871600000000000&end=1580875200000000000",
        };
        for (size_t i = 0; i < countof(telling); i++) {
                scoped_ptr(json_decref) json_t *answer = ask_json("GET", telling[i], NULL);
                const char *warning = json_string_value(json_array_get(json_object_get(answer, "warnings"), 0));
                if (!warning)
                        print_error("%s does not tell\n", telling[i]);
                assert_non_null(warning);
                assert_non_null(strstr(warning, "2020-02-03"));
        }
        for (size_t i = 0; i < countof(whole); i++) {
                scoped_ptr(json_decref) json_t *answer = ask_json("GET", whole[i], NULL);
                assert_null(json_object_get(answer, "warnings"));
        }
}

/* ---- Grafana ---- */

static void grafana_finds_prometheus_here(void **unused)
{
        (void)unused;
        scoped_ptr(json_decref) json_t *sum = ask_json("GET", "/api/v1/query?query=1%2B1&time=1700000000", NULL);
        const json_t *data = json_object_get(sum, "data");
        assert_true(str_is(json_str(data, "resultType"), "scalar"));
        assert_string_equal(json_string_value(json_array_get(json_object_get(data, "result"), 1)), "2");
        const char *form[] = {"Content-Type: application/x-www-form-urlencoded", local_token(), NULL};
        scoped(seen_done) struct answer_seen posted = ask_with("POST", "/api/v1/query", STR("query=1%2B1"), form);
        assert_int_equal(posted.status, 200);
        scoped(seen_done) struct answer_seen broken = ask("GET", "/api/v1/query?query=up%7B", NULL, local_token());
        assert_int_equal(broken.status, 400);
        assert_true(has_text(&broken.body, "\"errorType\":\"bad_data\"") && has_text(&broken.body, "invalid parameter \\\"query\\\""));
        scoped(seen_done) struct answer_seen points = ask("GET", "/api/v1/query_range?query=up&start=0&end=100000&step=1", NULL, local_token());
        assert_int_equal(points.status, 400);
        assert_true(has_text(&points.body, "exceeded maximum resolution of 11,000 points per timeseries"));
        assert_int_equal(status_of("GET", "/api/v1/query_range?query=up&start=10&end=0&step=1", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/query_range?query=up&start=0&end=10&step=0", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/query?query=up&time=yesterday", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/series", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/label/a-b/values", NULL, local_token()), 400);
        static const char *const paths[] = {"/api/v1/labels", "/api/v1/label/job/values", "/api/v1/series?match%5B%5D=up", "/api/v1/metadata", "/api/v1/rules", "/api/v1/alerts", "/api/v1/status/buildinfo", "/api/v1/status/runtimeinfo"};
        for (size_t i = 0; i < countof(paths); i++) {
                scoped_ptr(json_decref) json_t *answer = ask_json("GET", paths[i], NULL);
                assert_true(str_is(json_str(answer, "status"), "success"));
        }
}

static void samples_that_were_sent_are_queried_in_prometheus_shape(void **unused)
{
        (void)unused;
        struct err err;
        char body[600];
        snprintf(body, sizeof body,
                 "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeMetrics\":[{\"metrics\":[{\"name\":\"carts\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"%ld\",\"asDouble\":7.5}]}}]}]}]}",
                 (long)clock_now_ns(&clock_real));
        assert_int_equal(status_of("POST", "/v1/metrics", body, NULL), 200);
        assert_true(loop_settle(loop, 5000, &err));
        scoped_ptr(json_decref) json_t *answer = ask_json("GET", "/api/v1/query?query=carts", NULL);
        const json_t *series = json_array_get(json_object_get(json_object_get(answer, "data"), "result"), 0);
        assert_true(str_is(json_str(json_object_get(series, "metric"), "__name__"), "carts"));
        assert_string_equal(json_string_value(json_array_get(json_object_get(series, "value"), 1)), "7.5");
        scoped_ptr(json_decref) json_t *names = ask_json("GET", "/api/v1/label/__name__/values", NULL);
        assert_int_equal(json_array_size(json_object_get(names, "data")), 1);
        scoped_ptr(json_decref) json_t *listed = ask_json("GET", "/api/v1/series?match%5B%5D=carts&match%5B%5D=%7B__name__%3D~%22c.*%22%7D", NULL);
        assert_int_equal(json_array_size(json_object_get(listed, "data")), 1);
}

/* Two hours of a host's series, a point every 20 s; five minutes ago one of them went up. */
static void send_series(const char *host)
{
        scoped(buf_done) struct buf body = {0};
        int64_t now_s = clock_now_ns(&clock_real) / NS_PER_S;
        for (int moves = 0; moves < 2; moves++) {
                buf_printf(&body, "%s{\"name\":\"till_%s\",\"gauge\":{\"dataPoints\":[", moves ? "," : "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[",
                           moves ? "moves" : "rests");
                for (int64_t at_s = now_s - 7200; at_s <= now_s; at_s += 20)
                        buf_printf(&body, "%s{\"timeUnixNano\":\"%lld000000000\",\"asDouble\":%g,\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"%s\"}}]}",
                                   at_s == now_s - 7200 ? "" : ",", (long long)at_s, (moves && at_s > now_s - 300 ? 50 : 5) + 0.01 * (double)(at_s % 7), host);
                buf_text(&body, "]}}");
        }
        buf_text(&body, "]}]}]}");
        buf_byte(&body, 0);
        assert_int_equal(status_of("POST", "/v1/metrics", body.bytes, local_token()), 200);
}

static void what_of_a_host_moved_is_told(void **unused)
{
        struct err err;
        (void)unused;
        scoped(seen_done) struct answer_seen made = ask("POST", "/api/v1/entities", "{\"kind\":\"host\",\"fields\":{\"name\":\"till1\"}}", local_token());
        assert_int_equal(made.status, 201);
        send_series("till1");
        assert_true(loop_settle(loop, 5000, &err));
        scoped_ptr(json_decref) json_t *answer = ask_json("GET", "/api/v1/moved?entity=till1&since=30m", NULL);
        const json_t *moved = json_object_get(answer, "moved");
        assert_int_equal(json_i64(json_object_get(answer, "series"), "looked_at", 0), 2);
        assert_int_equal(json_array_size(moved), 1);
        assert_non_null(strstr(json_string_value(json_object_get(json_array_get(moved, 0), "sentence")), "till_moves of till1 left its normal at "));
        assert_int_equal(status_of("GET", "/api/v1/moved?entity=till1&since=3d", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/moved?entity=till1&since=yore", NULL, local_token()), 400);
        assert_int_equal(status_of("GET", "/api/v1/moved?entity=till7", NULL, local_token()), 404);
        assert_int_equal(status_of("GET", "/api/v1/moved?incident=77", NULL, local_token()), 404);
        assert_int_equal(status_of("GET", "/api/v1/moved", NULL, local_token()), 400);
}

static void grafana_finds_loki_here_but_no_metric_queries(void **unused)
{
        (void)unused;
        send_lines();
        scoped_ptr(json_decref) json_t *answer = ask_json("GET", "/loki/api/v1/query_range?query=%7Bsource%3D%22webhook%22%7D%7C%3D%22pears%22&limit=10", NULL);
        const json_t *result = json_object_get(json_object_get(answer, "data"), "result");
        assert_int_equal(json_array_size(result), 1);
        assert_int_equal(json_array_size(json_object_get(json_array_get(result, 0), "values")), 1);
        scoped_ptr(json_decref) json_t *health = ask_json("GET", "/loki/api/v1/query?query=vector(1)%2Bvector(1)", NULL);
        assert_int_equal(json_array_size(json_object_get(json_object_get(health, "data"), "result")), 1);
        scoped(seen_done) struct answer_seen refused = ask("GET", "/loki/api/v1/query_range?query=rate(%7Ba%3D%22b%22%7D%5B5m%5D)", NULL, local_token());
        assert_int_equal(refused.status, 422);
        assert_true(has_text(&refused.body, "rate(...)"));
        scoped_ptr(json_decref) json_t *labels = ask_json("GET", "/loki/api/v1/labels", NULL);
        assert_true(json_array_size(json_object_get(labels, "data")) > 0);
        scoped_ptr(json_decref) json_t *values = ask_json("GET", "/loki/api/v1/label/source/values", NULL);
        assert_true(json_array_size(json_object_get(values, "data")) > 0);
        scoped_ptr(json_decref) json_t *stats = ask_json("GET", "/loki/api/v1/index/stats?query=%7Bsource%3D%22webhook%22%7D", NULL);
        assert_true(json_i64(stats, "entries", 0) >= 3);
        json_decref(ask_json("GET", "/loki/api/v1/series?match%5B%5D=%7B%7D", NULL));
}

/* ---- the program about itself ---- */

static void the_status_answer_is_what_its_schema_describes(void **unused)
{
        (void)unused;
        scoped_ptr(json_decref) json_t *schema = status_schema_json(), *status = ask_json("GET", "/api/v1/status", NULL);
        json_t *described = json_object_get(schema, "properties"), *value;
        const char *key;
        assert_int_equal(json_object_size(described), json_object_size(status));
        json_object_foreach(status, key, value) {
                json_t *part = json_object_get(described, key);
                assert_non_null(part);
                if (json_is_object(value))
                        assert_int_equal(json_object_size(json_object_get(part, "properties")), json_object_size(value));
        }
}

static void every_route_is_described_with_schemas_that_exist(void **unused)
{
        (void)unused;
        struct err err;
        scoped_ptr(json_decref) json_t *description = openapi_json("1", &err);
        assert_non_null(description);
        const json_t *paths = json_object_get(description, "paths"), *schemas = json_object_get(json_object_get(description, "components"), "schemas");
        static const char *const methods[] = {"get", "post", "put", "delete"};
        for (const struct route *route = routes; route < routes + route_count; route++) {
                if (!route->path)
                        continue;
                assert_non_null(json_object_get(json_object_get(paths, route->path), methods[route->method]));
                if (route->request[0])
                        assert_non_null(json_object_get(schemas, route->request));
                if (route->response[0])
                        assert_non_null(json_object_get(schemas, route->response));
                assert_true(route->need == NEED_NOTHING || strncmp(route->path, "/-/", 3) != 0);
        }
        scoped(buf_done) struct buf page = {0};
        assert_true(openapi_markdown(&page));
        scoped(buf_done) struct buf written = {0};
        FILE *file = fopen("docs/reference/api.md", "r"); /* made by: evenkeel openapi --markdown */
        assert_non_null(file);
        for (int c; (c = fgetc(file)) != EOF;)
                buf_byte(&written, (char)c);
        fclose(file);
        assert_true(str_equal(buf_str(&page), buf_str(&written)));
        scoped(seen_done) struct answer_seen served = ask("GET", "/openapi.json", NULL, NULL);
        assert_int_equal(served.status, 200);
}

static void metrics_and_status_tell_the_same_counters(void **unused)
{
        (void)unused;
        send_lines();
        scoped(seen_done) struct answer_seen metrics = ask("GET", "/metrics", NULL, NULL);
        assert_int_equal(metrics.status, 200);
        assert_true(has_text(&metrics.body, "\nevenkeel_http_requests_total ") && has_text(&metrics.body, "evenkeel_build_info{version=\"0.test\"} 1"));
        assert_true(has_text(&metrics.body, "evenkeel_source_records_total{source=\"webhook:test\""));
        scoped_ptr(json_decref) json_t *status = ask_json("GET", "/api/v1/status", NULL);
        assert_true(json_i64(json_object_get(status, "intake"), "records", 0) >= 3);
        assert_true(json_i64(json_object_get(status, "journal"), "last_committed", 0) > 0);
        assert_true(json_i64(json_object_get(status, "process"), "processors", 0) > 0);
        assert_int_equal(json_i64(json_object_get(status, "retention"), "days", 0), 30);
        assert_string_equal(json_string_value(json_object_get(status, "licence")), "AGPL-3.0-or-later");
        scoped_ptr(json_decref) json_t *masked = ask_json("POST", "/api/v1/redact/test", "{\"text\":\"password=hunter22secret\"}");
        assert_int_equal(json_i64(masked, "masked", 0), 1);
}

static void the_console_is_served_with_a_policy_and_found_unchanged(void **unused)
{
        (void)unused;
        scoped(seen_done) struct answer_seen page = ask("GET", "/", NULL, NULL);
        assert_int_equal(page.status, 200);
        assert_true(has_text(&page.head, "Content-Security-Policy: default-src 'none'") && has_text(&page.head, "X-Frame-Options: DENY"));
        assert_true(has_text(&page.body, "<!doctype html>") || has_text(&page.body, "<!DOCTYPE html>"));
        scoped(seen_done) struct answer_seen deep = ask("GET", "/logs/somewhere", NULL, NULL);
        assert_int_equal(deep.status, 200);
        assert_int_equal(status_of("GET", "/assets/missing.js", NULL, NULL), 404);
        char header[100];
        const char *etag = strstr(page.head.bytes, "ETag: ");
        assert_non_null(etag);
        snprintf(header, sizeof header, "If-None-Match: %.*s", (int)strcspn(etag + 6, "\r\n"), etag + 6);
        assert_int_equal(status_of("GET", "/", NULL, header), 304);
}

static void beyond_loopback_needs_a_certificate(void **unused)
{
        (void)unused;
        struct err err;
        struct server *other;
        struct http_listener open = {.address = "0.0.0.0"};
        struct http_options options = {.listeners = &open, .listener_count = 1};
        struct serve_context context = {.clock = &clock_real, .state_path = state_path};
        assert_false(serve_start(&context, &options, &other, &err));
        assert_non_null(strstr(err.message, "needs a certificate"));
}

int main(void)
{
        curl_global_init(CURL_GLOBAL_ALL);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_stranger_gets_nothing_and_a_health_check_gets_an_answer),
                cmocka_unit_test(every_route_but_the_open_ones_refuses_a_stranger),
                cmocka_unit_test(a_session_begins_with_a_new_password_and_its_writes_need_the_csrf_token),
                cmocka_unit_test(wrong_passwords_make_the_next_one_wait),
                cmocka_unit_test(a_token_does_what_its_scopes_say),
                cmocka_unit_test(users_are_added_changed_and_locked_out),
                cmocka_unit_test(the_token_file_is_for_its_owner_only),
                cmocka_unit_test(remote_write_is_answered_as_its_senders_expect),
                cmocka_unit_test(otlp_is_answered_in_the_senders_own_encoding),
                cmocka_unit_test(records_are_found_by_the_sentence_they_say),
                cmocka_unit_test(what_a_webhook_sent_is_found_masked_counted_and_in_context),
                cmocka_unit_test(a_tail_shows_what_comes_from_now_on),
                cmocka_unit_test(answers_tell_the_damaged_day_that_they_leave_out),
                cmocka_unit_test(grafana_finds_prometheus_here),
                cmocka_unit_test(samples_that_were_sent_are_queried_in_prometheus_shape),
                cmocka_unit_test(answers_tell_the_damaged_day_that_they_leave_out),
                cmocka_unit_test(grafana_finds_loki_here_but_no_metric_queries),
                cmocka_unit_test(the_status_answer_is_what_its_schema_describes),
                cmocka_unit_test(every_route_is_described_with_schemas_that_exist),
                cmocka_unit_test(what_is_registered_is_listed_shown_changed_and_walked),
                cmocka_unit_test(a_table_of_entities_goes_out_and_comes_in_again),
                cmocka_unit_test(what_of_a_host_moved_is_told),
                cmocka_unit_test(the_audit_log_is_listed_without_secrets_and_a_changed_entry_is_named),
                cmocka_unit_test(metrics_and_status_tell_the_same_counters),
                cmocka_unit_test(the_console_is_served_with_a_policy_and_found_unchanged),
                cmocka_unit_test(beyond_loopback_needs_a_certificate),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
