/* http_test - a real server on a free loopback port, met by polite and by hostile peers. */
#include "serve/http.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail /* ours is in base/err.h */

static struct http_server *server;
static struct http_listener listener;
static struct request *_Atomic held;
static struct request *_Atomic stream;
static _Atomic bool stream_is_closed;

static bool echo(struct request *request, struct err *err)
{
        struct str name = fields_value(&request->fields, "name");
        if (str_is(name, "bad"))
                return fail(err, ERR_REFUSED, "test", "the name \"%.*s\" is refused", STR_ARGS(name));
        buf_printf(&request->answer.body, "%s %.*s %zu ", http_method_name(request->method), STR_ARGS(name),
                   request->body.length);
        for (size_t i = request->method == HTTP_GET ? 0 : 5000; i < 5000; i++)
                buf_byte(&request->answer.body, '.');
        request->answer.status = 200;
        request->answer.content_type = "text/plain";
        return true;
}

static bool hold(struct request *request, struct err *err)
{
        (void)err;
        request_hold(request);
        held = request;
        return true;
}

static void closed(void *context)
{
        (void)context;
        stream = NULL;
        stream_is_closed = true;
}

static bool open_stream(struct request *request, struct err *err)
{
        (void)err;
        stream = request;
        request_answer_stream(request, "text/event-stream", closed, NULL);
        return true;
}

static bool begin(void *context, struct request *request, struct err *err)
{
        (void)context;
        request->run = str_starts_with(request->raw_path, STR("/hold")) ? hold : str_is(request->raw_path, "/stream") ? open_stream : echo;
        request->on_worker = str_is(request->raw_path, "/worker") || str_is(request->raw_path, "/hold-on-worker");
        request->body_max = 100000;
        if (str_is(request->raw_path, "/secret"))
                return fail(err, ERR_UNAUTHENTICATED, "test", "sign in first");
        return true;
}

static int start(void **state)
{
        (void)state;
        struct err err;
        listener = (struct http_listener){.address = "127.0.0.1"};
        struct http_options options = {.listeners = &listener, .listener_count = 1, .bodies_bytes_max = 150000,
                                       .idle_s = 5, .headers_s = 1, .body_s = 1};
        struct http_hooks hooks = {.begin = begin};
        return http_start(&options, &hooks, &server, &err) ? 0 : (puts(err.message), 1);
}

static int stop(void **state)
{
        (void)state;
        http_stop(server);
        return 0;
}

static size_t collect(char *bytes, size_t size, size_t count, void *out)
{
        return buf_append(out, bytes, size * count) ? size * count : 0;
}

static long fetch(const char *path, const char *body, size_t length, bool compressed, struct buf *out)
{
        CURL *curl = curl_easy_init();
        char url[200];
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", listener.port, path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        if (compressed)
                curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
        if (body) {
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)length);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        }
        long status = 0;
        curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_cleanup(curl);
        return status;
}

static int dial(void)
{
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(listener.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        struct timeval wait = {.tv_sec = 8};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        return fd;
}

/* Sends raw bytes, gives the status of the first answer; 0 when the server hung up without one. */
static int raw(const char *bytes, size_t length)
{
        int fd = dial();
        char answer[64] = {0};
        if (send(fd, bytes, length, MSG_NOSIGNAL) < 0) { /* it may hang up while we are sending */ }
        ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
        close(fd);
        return got > 12 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static void a_request_is_answered_and_a_long_answer_of_a_worker_is_compressed(void **state)
{
        (void)state;
        scoped(buf_done) struct buf plain = {0}, packed = {0};
        assert_int_equal(fetch("/echo?name=a%20b", NULL, 0, false, &plain), 200);
        assert_true(str_starts_with(buf_str(&plain), STR("GET a b 0 ....")));
        assert_int_equal(fetch("/worker?name=x", NULL, 0, true, &packed), 200);
        assert_int_equal(packed.length, 5000 + strlen("GET x 0 "));
        assert_true(http_read_stats(server)->answer_bytes < 6000);
}

static void an_error_is_told_as_json_with_the_status_of_its_row(void **state)
{
        (void)state;
        scoped(buf_done) struct buf body = {0}, other = {0};
        assert_int_equal(fetch("/echo?name=bad", NULL, 0, false, &body), 422);
        assert_true(str_equal(buf_str(&body), STR("{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"the name "
                                                  "\\\"bad\\\" is refused\"}\n")));
        assert_int_equal(fetch("/echo?name=%zz", NULL, 0, false, &other), 400);
}

static void a_body_is_taken_up_to_its_bound(void **state)
{
        (void)state;
        scoped(buf_done) struct buf good = {0}, large = {0}, secret = {0};
        static char bytes[3000000];
        assert_int_equal(fetch("/echo", bytes, 100000, false, &good), 200);
        assert_true(str_equal(buf_str(&good), STR("POST  100000 ")));
        assert_int_equal(fetch("/echo", bytes, 100001, false, &large), 413);
        assert_int_equal(fetch("/secret", bytes, 100001, false, &secret), 401);
        assert_int_equal(http_read_stats(server)->bodies_held_bytes, 0);
}

static void bodies_together_are_bounded(void **state)
{
        (void)state;
        static char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        static char bytes[90000];
        int first = dial();
        send(first, head, sizeof head - 1, MSG_NOSIGNAL);
        send(first, bytes, sizeof bytes, MSG_NOSIGNAL);
        while (http_read_stats(server)->bodies_held_bytes < sizeof bytes)
                usleep(1000);
        scoped(buf_done) struct buf body = {0};
        assert_int_equal(fetch("/echo", bytes, sizeof bytes, false, &body), 429);
        close(first);
        while (http_read_stats(server)->bodies_held_bytes)
                usleep(1000);
        assert_int_equal(fetch("/echo", bytes, sizeof bytes, false, &body), 200);
}

static void resume_later(void *context)
{
        (void)context;
        while (!held)
                usleep(1000);
        struct request *request = held;
        held = NULL;
        request_answer(request, 204, NULL, STR(""));
        request_resume(request);
}

static void a_held_request_is_answered_by_another_thread(void **state)
{
        (void)state;
        static const char *const paths[] = {"/hold", "/hold-on-worker"};
        for (int i = 0; i < 2; i++) {
                struct thread thread = {0};
                struct err err;
                assert_true(thread_start(&thread, "resume", resume_later, NULL, &err));
                scoped(buf_done) struct buf body = {0};
                assert_int_equal(fetch(paths[i], "x", 1, false, &body), 204);
                thread_join(&thread);
        }
}

static void a_stream_sends_what_is_written_costs_nothing_while_idle_and_tells_its_end(void **state)
{
        (void)state;
        stream_is_closed = false;
        int fd = dial();
        static char head[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
        send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
        while (!stream)
                usleep(1000);
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        usleep(300000);
        getrusage(RUSAGE_SELF, &after);
        assert_true((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec - before.ru_utime.tv_usec < 100000);
        assert_true(request_stream_write(stream, STR("data: 1\n\n")));
        char bytes[2000] = {0};
        size_t length = 0;
        while (!strstr(bytes, "data: 1")) {
                ssize_t got = recv(fd, bytes + length, sizeof bytes - 1 - length, 0);
                assert_true(got > 0);
                length += (size_t)got;
        }
        request_stream_end(stream);
        while (!strstr(bytes, "\r\n0\r\n\r\n")) {
                ssize_t got = recv(fd, bytes + length, sizeof bytes - 1 - length, 0);
                assert_true(got > 0);
                length += (size_t)got;
        }
        close(fd);
        while (!stream_is_closed)
                usleep(1000);
}

static void a_reader_that_does_not_read_is_refused_more(void **state)
{
        (void)state;
        stream_is_closed = false;
        int fd = dial();
        static char head[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", piece[100000];
        send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
        while (!stream)
                usleep(1000);
        int taken = 0;
        while (taken < 1000 && request_stream_write(stream, (struct str){piece, sizeof piece}))
                taken++;
        assert_in_range(taken, 5, 500);
        request_stream_end(stream);
        close(fd);
        while (!stream_is_closed)
                usleep(1000);
}

static void hostile_bytes_are_refused_and_the_server_lives_on(void **state)
{
        (void)state;
        static char huge[200000];
        memset(huge, 'a', sizeof huge);
        memcpy(huge, "GET /echo HTTP/1.1\r\nHost: a\r\nX: ", 32);
        int status = raw(huge, sizeof huge);
        assert_true(status == 431 || status == 413 || status == 0);
        memcpy(huge, "GET /", 5);
        memset(huge + 5, 'a', 40);
        status = raw(huge, sizeof huge);
        assert_true(status == 414 || status == 431 || status == 0);
        static const char chunks[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\nhello";
        status = raw(chunks, sizeof chunks - 1);
        assert_true(status == 400 || status == 0);
        static const char negative[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello";
        status = raw(negative, sizeof negative - 1);
        assert_true(status == 400 || status == 413 || status == 0);
        static const char enormous[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello";
        status = raw(enormous, sizeof enormous - 1);
        assert_true(status == 400 || status == 413 || status == 0);
        static const char hostless[] = "GET /echo HTTP/1.1\r\n\r\n";
        assert_int_equal(raw(hostless, sizeof hostless - 1), 400);
        scoped(buf_done) struct buf body = {0};
        assert_int_equal(fetch("/echo", NULL, 0, false, &body), 200);
}

/* Sends one byte every 100 ms until the server hangs up; gives the seconds that took. */
static double drip(const char *head)
{
        int fd = dial();
        int64_t begun_ns = clock_monotonic_ns(&clock_real);
        send(fd, head, strlen(head), MSG_NOSIGNAL);
        char byte;
        do
                usleep(100000);
        while (send(fd, "a", 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) != 0 &&
               clock_monotonic_ns(&clock_real) - begun_ns < 8 * NS_PER_S);
        close(fd);
        return (double)(clock_monotonic_ns(&clock_real) - begun_ns) / NS_PER_S;
}

static void senders_slower_than_allowed_are_hung_up_on(void **state)
{
        (void)state;
        uint64_t before = http_read_stats(server)->slow_closed;
        assert_true(drip("GET /echo HTTP/1.1\r\nHost: a\r\nX: ") < 4);
        assert_true(drip("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n") < 4);
        assert_true(http_read_stats(server)->slow_closed >= before + 2);
}

static void idle_connections_make_room_when_they_fill_the_house(void **state)
{
        (void)state;
        struct http_listener own = {.address = "127.0.0.1"}, before = listener;
        struct http_options options = {.listeners = &own, .listener_count = 1, .connections_max = 40};
        struct http_hooks hooks = {.begin = begin};
        struct http_server *small;
        struct err err;
        int idle[60];
        assert_true(http_start(&options, &hooks, &small, &err));
        listener = own;
        for (size_t i = 0; i < countof(idle); i++) {
                idle[i] = dial();
                send(idle[i], "GET / HT", 8, MSG_NOSIGNAL);
        }
        scoped(buf_done) struct buf body = {0};
        assert_int_equal(fetch("/echo", NULL, 0, false, &body), 200); /* long before the 20 s for headers are over */
        assert_true(http_read_stats(small)->slow_closed > 0);
        for (size_t i = 0; i < countof(idle); i++)
                close(idle[i]);
        http_stop(small);
        listener = before;
}

static void a_second_server_on_the_same_port_says_so(void **state)
{
        (void)state;
        struct http_options options = {.listeners = &listener, .listener_count = 1};
        struct http_hooks hooks = {.begin = begin};
        struct http_server *other;
        struct err err;
        assert_false(http_start(&options, &hooks, &other, &err));
        assert_non_null(strstr(err.message, "is another program there?"));
}

int main(void)
{
        curl_global_init(CURL_GLOBAL_ALL);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_is_answered_and_a_long_answer_of_a_worker_is_compressed),
                cmocka_unit_test(an_error_is_told_as_json_with_the_status_of_its_row),
                cmocka_unit_test(a_body_is_taken_up_to_its_bound),
                cmocka_unit_test(bodies_together_are_bounded),
                cmocka_unit_test(a_held_request_is_answered_by_another_thread),
                cmocka_unit_test(a_stream_sends_what_is_written_costs_nothing_while_idle_and_tells_its_end),
                cmocka_unit_test(a_reader_that_does_not_read_is_refused_more),
                cmocka_unit_test(hostile_bytes_are_refused_and_the_server_lives_on),
                cmocka_unit_test(senders_slower_than_allowed_are_hung_up_on),
                cmocka_unit_test(idle_connections_make_room_when_they_fill_the_house),
                cmocka_unit_test(a_second_server_on_the_same_port_says_so),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
