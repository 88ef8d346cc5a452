/* http_client_test - against a small server of its own in a thread: answers, bounds, redirects, gzip, time limits. */
#include "reach/http_client.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

/* Answers each connection's first request by its path, then closes it. */
struct server {
        int fd;
        uint16_t port;
        struct thread thread;
};

static void answer(int fd, const char *head, const void *body, size_t count)
{
        char text[512];
        int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", head, count);
        send(fd, text, (size_t)length, MSG_NOSIGNAL);
        while (count) {
                ssize_t sent = send(fd, body, count, MSG_NOSIGNAL);
                if (sent <= 0)
                        return;
                body = (const char *)body + sent;
                count -= (size_t)sent;
        }
}

static void answer_bomb(int fd)
{
        size_t plain = 8 << 20;
        char *zeroes = calloc(1, plain), *packed = malloc(1 << 20);
        z_stream stream = {.next_in = (Bytef *)zeroes, .avail_in = (uInt)plain, .next_out = (Bytef *)packed,
                           .avail_out = 1 << 20};
        deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
        deflate(&stream, Z_FINISH);
        answer(fd, "200 OK\r\nContent-Encoding: gzip", packed, stream.total_out);
        deflateEnd(&stream);
        free(zeroes);
        free(packed);
}

static void answer_path(struct server *server, int fd, const char *request)
{
        char head[256];
        if (strncmp(request, "GET /plain ", 11) == 0)
                answer(fd, "200 OK\r\nContent-Type: text/plain; version=0.0.4", "hello", 5);
        else if (strncmp(request, "GET /large ", 11) == 0)
                answer(fd, "200 OK", (char[5000]){0}, 5000);
        else if (strncmp(request, "GET /bomb ", 10) == 0)
                answer_bomb(fd);
        else if (strncmp(request, "GET /here ", 10) == 0)
                answer(fd, "302 Found\r\nLocation: /plain", "", 0);
        else if (strncmp(request, "GET /loop ", 10) == 0)
                answer(fd, "302 Found\r\nLocation: /loop", "", 0);
        else if (strncmp(request, "GET /away ", 10) == 0) {
                snprintf(head, sizeof head, "302 Found\r\nLocation: http://localhost:%u/plain", server->port);
                answer(fd, head, "", 0);
        } else if (strncmp(request, "GET /file ", 10) == 0)
                answer(fd, "302 Found\r\nLocation: file:///etc/passwd", "", 0);
        else if (strncmp(request, "POST /echo ", 11) == 0)
                answer(fd, "429 Too Many\r\nRetry-After: 7", strstr(request, "\r\n\r\n") + 4,
                       strlen(strstr(request, "\r\n\r\n") + 4));
        else
                answer(fd, "404 Not Found", "", 0);
}

static void serve(void *context)
{
        struct server *server = context;
        for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0; close(fd)) {
                char request[4096] = {0};
                ssize_t got = recv(fd, request, sizeof request - 1, 0);
                if (got > 0 && strncmp(request, "GET /never ", 11) == 0)
                        recv(fd, request, sizeof request - 1, 0); /* until the client gives up */
                else if (got > 0)
                        answer_path(server, fd, request);
        }
}

static int start_server(void **state)
{
        static struct server server;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(server.fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(server.fd, 16) < 0)
                return -1;
        getsockname(server.fd, (struct sockaddr *)&address, &length);
        server.port = ntohs(address.sin_port);
        *state = &server;
        return thread_start(&server.thread, "server", serve, &server, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
        struct server *server = *state;
        shutdown(server->fd, SHUT_RDWR);
        thread_join(&server->thread);
        close(server->fd);
        return 0;
}

static bool fetch(struct server *server, const char *path, struct http_request request, struct http_response *response,
                  struct err *err)
{
        struct http_client *client = NULL;
        char url[128];
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, path);
        request.url = url;
        assert_true(http_client_create(4, NULL, NULL, &client, err));
        bool fetched = http_fetch(client, &request, response, err);
        http_client_destroy(client);
        return fetched;
}

static void an_answer_comes_with_status_type_and_body(void **state)
{
        struct http_response response = {0};
        struct err err;
        assert_true(fetch(*state, "/plain", (struct http_request){0}, &response, &err));
        assert_int_equal(response.status, 200);
        assert_string_equal(response.content_type, "text/plain; version=0.0.4");
        assert_true(str_is(buf_str(&response.body), "hello"));
        assert_true(response.duration_ns > 0);
        buf_done(&response.body);
        assert_true(fetch(*state, "/nothing", (struct http_request){0}, &response, &err));
        assert_int_equal(response.status, 404);
        buf_done(&response.body);
}

static void a_body_is_sent_and_retry_after_is_read(void **state)
{
        struct http_response response = {0};
        struct err err;
        struct http_request request = {.method = "POST", .body = STR("ping")};
        assert_true(fetch(*state, "/echo", request, &response, &err));
        assert_int_equal(response.status, 429);
        assert_int_equal(response.retry_after_s, 7);
        buf_done(&response.body);
}

static void large_answers_and_bombs_stop_at_the_bound(void **state)
{
        struct http_response response = {0};
        struct err err;
        assert_false(fetch(*state, "/large", (struct http_request){.body_bytes_max = 4999}, &response, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_true(fetch(*state, "/large", (struct http_request){.body_bytes_max = 5000}, &response, &err));
        assert_int_equal(response.body.length, 5000);
        buf_done(&response.body);
        struct http_request gzip = {.body_bytes_max = 1 << 20, .accepts_gzip = true};
        assert_false(fetch(*state, "/bomb", gzip, &response, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        gzip.body_bytes_max = 8 << 20;
        assert_true(fetch(*state, "/bomb", gzip, &response, &err));
        assert_int_equal(response.body.length, 8 << 20);
        buf_done(&response.body);
}

static void redirects_stay_on_the_host_unless_told(void **state)
{
        struct http_response response = {0};
        struct err err;
        assert_true(fetch(*state, "/here", (struct http_request){0}, &response, &err));
        assert_int_equal(response.status, 200);
        buf_done(&response.body);
        assert_false(fetch(*state, "/away", (struct http_request){0}, &response, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_false(fetch(*state, "/loop", (struct http_request){0}, &response, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_false(fetch(*state, "/file", (struct http_request){.follows_elsewhere = true}, &response, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        if (fetch(*state, "/away", (struct http_request){.follows_elsewhere = true}, &response, &err)) {
                assert_int_equal(response.status, 200);
                buf_done(&response.body);
        } else {
                assert_int_equal(err.code, ERR_IO); /* a machine where localhost is no 127.0.0.1 */
        }
}

static void a_silent_server_runs_into_the_time_limit(void **state)
{
        struct http_response response = {0};
        struct err err;
        assert_false(fetch(*state, "/never", (struct http_request){.timeout_ms = 50}, &response, &err));
        assert_int_equal(err.code, ERR_TIMEOUT);
}

static void nobody_there_and_other_schemes_are_errors(void **state)
{
        (void)state;
        struct server nobody = {.port = 1};
        struct http_response response = {0};
        struct err err;
        assert_false(fetch(&nobody, "/", (struct http_request){0}, &response, &err));
        assert_int_equal(err.code, ERR_IO);
        struct http_client *client = NULL;
        assert_true(http_client_create(1, NULL, NULL, &client, &err));
        assert_false(http_fetch(client, &(struct http_request){.url = "file:///etc/passwd"}, &response, &err));
        assert_int_equal(err.code, ERR_INVALID);
        http_client_destroy(client);
}

static void count_done(void *context, struct http_response *response, const struct err *err)
{
        assert_null(err);
        *(int *)context += response->status == 200;
}

static void many_run_side_by_side_within_the_bound(void **state)
{
        struct server *server = *state;
        struct http_client *client = NULL;
        struct err err;
        char url[64];
        int done = 0;
        snprintf(url, sizeof url, "http://127.0.0.1:%u/plain", server->port);
        assert_true(http_client_create(3, NULL, NULL, &client, &err));
        for (int i = 0; i < 20; i++)
                assert_true(http_client_start(client, &(struct http_request){.url = url}, count_done, &done, &err));
        assert_int_equal(http_client_in_flight(client), 20);
        while (http_client_in_flight(client))
                http_client_run(client, 1000);
        assert_int_equal(done, 20);
        assert_true(http_client_start(client, &(struct http_request){.url = url}, count_done, &done, &err));
        http_client_destroy(client); /* with one under way */
}

static bool fake(void *context, const struct http_request *request, struct http_response *response, struct err *err)
{
        (void)context;
        if (strstr(request->url, "dead"))
                return (fail)(err, ERR_IO, "fake", "no route"); /* cmocka has a macro of that name */
        response->status = 200;
        return buf_text(&response->body, request->url);
}

static void a_fake_network_answers_without_one(void **state)
{
        (void)state;
        struct http_client *client = NULL;
        struct http_response response = {0};
        struct err err;
        assert_true(http_client_create(2, fake, NULL, &client, &err));
        assert_true(http_fetch(client, &(struct http_request){.url = "http://x/1"}, &response, &err));
        assert_true(str_is(buf_str(&response.body), "http://x/1"));
        buf_done(&response.body);
        assert_false(http_fetch(client, &(struct http_request){.url = "http://dead/"}, &response, &err));
        assert_string_equal(err.message, "no route");
        http_client_destroy(client);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_answer_comes_with_status_type_and_body),
                cmocka_unit_test(a_body_is_sent_and_retry_after_is_read),
                cmocka_unit_test(large_answers_and_bombs_stop_at_the_bound),
                cmocka_unit_test(redirects_stay_on_the_host_unless_told),
                cmocka_unit_test(a_silent_server_runs_into_the_time_limit),
                cmocka_unit_test(nobody_there_and_other_schemes_are_errors),
                cmocka_unit_test(many_run_side_by_side_within_the_bound),
                cmocka_unit_test(a_fake_network_answers_without_one),
        };
        return cmocka_run_group_tests(tests, start_server, stop_server);
}
