/* scrape_source_test - a small exporter in a thread is scraped: bodies, staleness, failures, discovery. */
#include "observe/intake_fake.c"

#include "base/json.h"
#include "base/scratch.h"
#include "observe/scrape_series.h"
#include "observe/scrape_source.h"
#include "observe/source.h"
#include "observe/scrape_targets.h"
#include "wire/exposition.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* Answers every request with the body set for it; no body: status 503. */
struct exporter {
        int fd;
        uint16_t port;
        struct thread thread;
        struct lock lock;
        char body[512], type[128];
};

static void serve(void *context)
{
        struct exporter *exporter = context;
        for (int fd; (fd = accept(exporter->fd, NULL, NULL)) >= 0; close(fd)) {
                char request[4096], answer[1024];
                if (recv(fd, request, sizeof request, 0) <= 0)
                        continue;
                lock_take(&exporter->lock);
                int length = snprintf(answer, sizeof answer,
                                      "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                                      exporter->body[0] ? "200 OK" : "503 Out", exporter->type, strlen(exporter->body),
                                      exporter->body);
                lock_release(&exporter->lock);
                send(fd, answer, (size_t)length, MSG_NOSIGNAL);
        }
}

static struct exporter exporter;
static struct intake intake;
static void *source;

static void say(const char *body)
{
        with_lock(&exporter.lock);
        snprintf(exporter.body, sizeof exporter.body, "%s", body);
}

static int set_up(void **state)
{
        (void)state;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        memset(&exporter, 0, sizeof exporter);
        lock_init(&exporter.lock, LOCK_SERVE);
        snprintf(exporter.type, sizeof exporter.type, "text/plain");
        exporter.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(exporter.fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(exporter.fd, 16) < 0)
                return -1;
        getsockname(exporter.fd, (struct sockaddr *)&address, &length);
        exporter.port = ntohs(address.sin_port);
        fake_init(&intake);
        intake.decode = exposition_decode;
        source = NULL;
        return thread_start(&exporter.thread, "exporter", serve, &exporter, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
        (void)state;
        scrape_source_stop(source);
        shutdown(exporter.fd, SHUT_RDWR);
        thread_join(&exporter.thread);
        close(exporter.fd);
        fake_done(&intake);
        return 0;
}

static void start(const char *more)
{
        char config[512];
        struct err err = {0};
        snprintf(config, sizeof config,
                 "{\"jobs\":[{\"job\":\"node\",\"every\":\"50ms\",\"labels\":{\"rack\":\"r1\"}%s}]}", more);
        scoped_ptr(json_decref) json_t *json = json_parse(str_of(config), &err);
        assert_non_null(json);
        if (!scrape_source_start(&intake, json, &source, &err))
                fail_msg("%s", err.message);
}

static void start_static(void)
{
        char more[64];
        snprintf(more, sizeof more, ",\"targets\":[\"127.0.0.1:%u\"]", exporter.port);
        start(more);
}

struct wanted {
        const char *name;
        bool stale;
        double value;
        size_t after; /* batches that do not count any more */
        size_t found_at;
};

static bool has_sample(struct intake *fake, void *context)
{
        struct wanted *wanted = context;
        for (size_t i = wanted->after; i < fake->batches_count; i++)
                each (series, &fake->batches[i]->telemetry.series) {
                        uint64_t bits;
                        memcpy(&bits, &series->samples[0].value, sizeof bits);
                        bool is_it = wanted->stale ? bits == STALE_NAN_BITS : series->samples[0].value == wanted->value;
                        if (is_it && str_is(labels_value(&series->labels, LABEL_METRIC_NAME), wanted->name)) {
                                wanted->found_at = i;
                                return true;
                        }
                }
        return false;
}

static size_t await_value(const char *name, double value, size_t after)
{
        struct wanted wanted = {name, false, value, after, 0};
        if (!fake_wait(&intake, has_sample, &wanted))
                fail_msg("%s never was %g", name, value);
        return wanted.found_at;
}

static size_t await_stale(const char *name, size_t after)
{
        struct wanted wanted = {name, true, 0, after, 0};
        if (!fake_wait(&intake, has_sample, &wanted))
                fail_msg("%s was never ended", name);
        return wanted.found_at;
}

static void a_target_is_scraped_and_told_about(void **state)
{
        (void)state;
        say("# TYPE a counter\na{b=\"c\"} 12\nd 3\n");
        start_static();
        size_t at = await_value("a", 12, 0);
        const struct batch *batch = intake.batches[at];
        char instance[32];
        snprintf(instance, sizeof instance, "127.0.0.1:%u", exporter.port);
        assert_int_equal(batch->format, SOURCE_SCRAPE);
        assert_true(str_is(labels_value(&batch->labels, STR("instance")), instance));
        assert_true(str_is(labels_value(&batch->labels, STR("job")), "node"));
        assert_true(str_is(labels_value(&batch->labels, STR("rack")), "r1"));
        size_t own = await_value("up", 1, 0);
        assert_int_equal(intake.batches[own]->received_ns, batch->received_ns);
        await_value("scrape_samples_scraped", 2, 0);
        await_value("scrape_series_added", 2, 0);
        await_value("scrape_series_added", 0, own + 1);
}

static void a_series_that_vanishes_is_ended_and_others_go_on(void **state)
{
        (void)state;
        say("a{b=\"} \\\" x\"} 1\nkept 2\n");
        start_static();
        await_value("kept", 2, 0);
        say("kept 3\n");
        size_t at = await_stale("a", 0);
        assert_int_equal(intake.batches[at]->telemetry.series.count, 1);
        await_value("kept", 3, 0);
}

static void a_target_that_fails_ends_its_series_and_is_down(void **state)
{
        (void)state;
        say("a 1\n");
        start_static();
        await_value("a", 1, 0);
        say("");
        await_stale("a", 0);
        size_t down = await_value("up", 0, 0);
        say("a 5\n");
        await_value("a", 5, down);
        await_value("up", 1, down);
}

static bool is_failing(struct intake *fake, void *context)
{
        for (size_t i = 0; i < fake->sources_count; i++)
                if (fake->sources[i].failing && strstr(fake->sources[i].state_text, context))
                        return true;
        return false;
}

static void a_text_that_is_no_metrics_is_down(void **state)
{
        (void)state;
        say("<html>hello</html>\n");
        start_static();
        await_value("up", 0, 0);
        assert_true(fake_wait(&intake, is_failing, ""));
        snprintf(exporter.type, sizeof exporter.type, "application/openmetrics-text; version=1.0.0");
        say("a 1\n"); /* cut short: no # EOF */
        assert_true(fake_wait(&intake, is_failing, "EOF"));
        say("a 1\n# EOF\n");
        await_value("a", 1, 0);
}

static void nobody_listening_is_said(void **state)
{
        (void)state;
        start(",\"targets\":[\"127.0.0.1:1\"]");
        await_value("up", 0, 0);
        assert_true(fake_wait(&intake, is_failing, "127.0.0.1:1"));
}

static void write_file(const char *path, const char *text)
{
        char temporary[256];
        snprintf(temporary, sizeof temporary, "%s.new", path);
        FILE *file = fopen(temporary, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        assert_int_equal(rename(temporary, path), 0);
}

static void discovery_files_are_read_again_when_they_change(void **state)
{
        (void)state;
        char directory[SCRATCH_BYTES], path[SCRATCH_BYTES + 16], text[256], more[2 * SCRATCH_BYTES + 64];
        assert_int_equal(scratch_make(directory, "scrape"), 0);
        snprintf(path, sizeof path, "%s/t.yml", directory);
        snprintf(more, sizeof more, ",\"files\":[\"%s/*.json\",\"%s/*.yml\"]", directory, directory);
        say("a 1\n");
        start(more);
        snprintf(text, sizeof text, "- targets: [\"127.0.0.1:%u\"]\n  labels: {rack: r2, __x: hidden}\n", exporter.port);
        write_file(path, text);
        size_t at = await_value("a", 1, 0);
        assert_true(str_is(labels_value(&intake.batches[at]->labels, STR("rack")), "r2"));
        assert_int_equal(labels_value(&intake.batches[at]->labels, STR("__x")).length, 0);
        write_file(path, "- targets: [\"broken\n");
        assert_true(fake_wait(&intake, is_failing, "t.yml"));
        await_value("a", 1, at + 1); /* the targets known so far stay */
        write_file(path, "[]\n");
        await_stale("a", 0);
        await_stale("up", 0);
        unlink(path);
        scratch_remove(directory);
}

static void samples_with_a_time_of_their_own_are_not_ended(void **state)
{
        (void)state;
        scoped(buf_done) struct buf gone = {0};
        struct scrape_series series = {0};
        size_t samples, added;
        struct err err;
        assert_true(scrape_series_update(&series, STR("a 1 1234\nb{x=\"1\"} 2 # {trace=\"x\"} 1\n# EOF\n"), &gone, &samples,
                                         &added, &err));
        assert_int_equal(samples, 2);
        assert_int_equal(added, 1);
        assert_true(scrape_series_update(&series, STR("c 1\n"), &gone, &samples, &added, &err));
        assert_true(str_is(buf_str(&gone), "b{x=\"1\"} 0\n"));
        scrape_series_done(&series);
}

static void senseless_jobs_are_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {
                "{\"jobs\":[{\"targets\":[\"a:1\"]}]}",
                "{\"jobs\":[{\"job\":\"x\",\"every\":\"fast\"}]}",
                "{\"jobs\":[{\"job\":\"x\",\"every\":\"5s\",\"timeout\":\"6s\"}]}",
                "{\"jobs\":[{\"job\":\"x\",\"scheme\":\"file\"}]}",
                "{\"jobs\":5}",
        };
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                void *started = NULL;
                scoped_ptr(json_decref) json_t *json = json_parse(str_of(wrong[i]), &err);
                assert_non_null(json);
                assert_false(scrape_source_start(&intake, json, &started, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
        struct err err;
        void *idle = NULL;
        assert_true(scrape_source_start(&intake, NULL, &idle, &err));
        scrape_source_stop(idle);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define WITH_EXPORTER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                WITH_EXPORTER(a_target_is_scraped_and_told_about),
                WITH_EXPORTER(a_series_that_vanishes_is_ended_and_others_go_on),
                WITH_EXPORTER(a_target_that_fails_ends_its_series_and_is_down),
                WITH_EXPORTER(a_text_that_is_no_metrics_is_down),
                WITH_EXPORTER(nobody_listening_is_said),
                WITH_EXPORTER(discovery_files_are_read_again_when_they_change),
                cmocka_unit_test(samples_with_a_time_of_their_own_are_not_ended),
                WITH_EXPORTER(senseless_jobs_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
