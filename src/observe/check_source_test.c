/* check_source_test - checks of every kind against servers made here, and what becomes of their results. */
#include "observe/intake_fake.c"

#include "base/json.h"
#include "observe/check_source.h"
#include "observe/checks.h"
#include "observe/self_watch.h"
#include "wire/check_result.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_somewhere(int *out_port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(fd, 16), 0);
        getsockname(fd, (struct sockaddr *)&address, &length);
        *out_port = ntohs(address.sin_port);
        return fd;
}

struct stage { /* an intake, a configuration and the threads that follow it */
        struct intake intake;
        struct checks *checks;
        struct check_source *source;
        json_t *content;
};

static void configure(struct stage *stage, const char *checks)
{
        struct err err = {0};
        json_decref(stage->content);
        char text[4096];
        snprintf(text, sizeof text, "{\"files\":[{\"name\":\"t.yaml\",\"tree\":{\"checks\":[%s]}}]}", checks);
        stage->content = json_parse(str_of(text), &err);
        if (!stage->content || !checks_configure(stage->checks, stage->content, &err))
                fail_msg("%s", err.message);
}

static void begin(struct stage *stage, const char *checks)
{
        struct err err = {0};
        *stage = (struct stage){0};
        fake_init(&stage->intake);
        stage->intake.decode = check_result_decode;
        assert_true(checks_create(&stage->checks, &err));
        configure(stage, checks);
        struct check_source_options options = {.intake = &stage->intake, .checks = stage->checks, .threads = 2, .self_every_ns = 3600 * NS_PER_S};
        assert_true(check_source_start(&options, &stage->source, &err));
}

static void end(struct stage *stage)
{
        check_source_stop(stage->source);
        checks_destroy(stage->checks);
        json_decref(stage->content);
        fake_done(&stage->intake);
}

struct wanted {
        const char *alert;
        bool is_firing;
        char summary[300];
};

static bool has_finding(struct intake *fake, void *context)
{
        struct wanted *wanted = context;
        for (size_t i = 0; i < fake->batches_count; i++)
                each (finding, &fake->batches[i]->telemetry.findings)
                        if (finding->is_firing == wanted->is_firing && str_is(labels_value(&finding->labels, STR("alertname")), wanted->alert)) {
                                snprintf(wanted->summary, sizeof wanted->summary, "%.*s", STR_ARGS(labels_value(&finding->annotations, STR("summary"))));
                                return true;
                        }
        return false;
}

static void a_port_that_listens_is_well_and_a_closed_one_fires(void **state)
{
        (void)state;
        struct stage stage;
        char checks[400];
        int port, fd = listen_somewhere(&port);
        snprintf(checks, sizeof checks, "{\"name\":\"db\",\"kind\":\"tcp\",\"host\":\"127.0.0.1\",\"port\":%d,\"every\":\"1s\",\"attempts\":2}", port);
        begin(&stage, checks);
        struct wanted well = {"TcpCheckFailed", false, ""}, broken = {"TcpCheckFailed", true, ""};
        assert_true(fake_wait(&stage.intake, has_finding, &well));
        fake_forget(&stage.intake);
        close(fd);
        assert_true(fake_wait(&stage.intake, has_finding, &broken));
        assert_non_null(strstr(broken.summary, "127.0.0.1"));
        end(&stage);
}

static void a_check_that_is_taken_away_resolves_what_it_had_firing(void **state)
{
        (void)state;
        struct stage stage;
        int port, fd = listen_somewhere(&port);
        char checks[400];
        close(fd);
        snprintf(checks, sizeof checks, "{\"name\":\"db\",\"kind\":\"tcp\",\"host\":\"127.0.0.1\",\"port\":%d,\"every\":1,\"attempts\":1}", port);
        begin(&stage, checks);
        struct wanted broken = {"TcpCheckFailed", true, ""}, over = {"TcpCheckFailed", false, ""};
        assert_true(fake_wait(&stage.intake, has_finding, &broken));
        fake_forget(&stage.intake);
        configure(&stage, "");
        assert_true(fake_wait(&stage.intake, has_finding, &over));
        end(&stage);
}

static bool source_fails(struct intake *fake, void *context)
{
        for (size_t i = 0; i < fake->sources_count; i++)
                if (strcmp(fake->sources[i].name, context) == 0)
                        return fake->sources[i].failing;
        return false;
}

static void a_plugin_without_a_launcher_is_told_on_the_sources_page(void **state)
{
        (void)state;
        struct stage stage;
        begin(&stage, "{\"name\":\"disk\",\"kind\":\"plugin\",\"command\":[\"/bin/true\"],\"every\":1}");
        assert_true(fake_wait(&stage.intake, source_fails, "check:disk"));
        end(&stage);
}

static void a_wrong_check_is_refused_by_name(void **state)
{
        (void)state;
        static const struct { const char *check, *why; } wrong[] = {
                {"{\"name\":\"a\",\"kind\":\"smoke\"}", "kind is \"smoke\""},
                {"{\"kind\":\"tcp\"}", "needs a name"},
                {"{\"name\":\"a\",\"kind\":\"tcp\",\"host\":\"x\"}", "host and port"},
                {"{\"name\":\"a\",\"kind\":\"http\",\"url\":\"ftp://x\"}", "http://"},
                {"{\"name\":\"a\",\"kind\":\"http\",\"url\":\"http://x\",\"body\":\"(\"}", "body"},
                {"{\"name\":\"a\",\"kind\":\"dns\",\"host\":\"x\",\"type\":\"Q\"}", "type must be"},
                {"{\"name\":\"a\",\"kind\":\"plugin\",\"command\":[\"relative\"]}", "whole path"},
                {"{\"name\":\"a\",\"kind\":\"ping\",\"host\":\"x\",\"every\":\"100ms\"}", "at least 1s"},
                {"{\"name\":\"a\",\"kind\":\"ping\",\"host\":\"x\",\"evry\":\"30s\"}", "no setting \"evry\""},
                {"{\"name\":\"a\",\"kind\":\"ping\",\"host\":\"x\"},{\"name\":\"a\",\"kind\":\"ping\",\"host\":\"y\"}", "two checks named a"},
        };
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                char text[1024];
                snprintf(text, sizeof text, "{\"files\":[{\"name\":\"t.yaml\",\"tree\":{\"checks\":[%s]}}]}", wrong[i].check);
                scoped_ptr(json_decref) json_t *content = json_parse(str_of(text), &err);
                assert_non_null(content);
                assert_false(checks_check(content, &err));
                if (!strstr(err.message, wrong[i].why) || !strstr(err.message, "t.yaml"))
                        fail_msg("%s", err.message);
        }
}

static void a_source_that_stays_silent_is_told_once_and_resolved_once(void **state)
{
        (void)state;
        struct intake fake;
        struct self_watch *watch;
        struct err err = {0};
        fake_init(&fake);
        fake.decode = check_result_decode;
        assert_true(self_watch_create(&fake, NULL, NULL, &watch, &err));
        fake.sources_count = 1;
        snprintf(fake.sources[0].name, sizeof fake.sources[0].name, "syslog");
        fake.sources[0].silent = true; /* and spoke for a minute only */
        fake.sources[0].steady_since_ns = (1000 - 60) * NS_PER_S;
        fake.sources[0].last_seen_ns = 1000 * NS_PER_S;
        for (int64_t s = 500; s < 1000; s += 15)
                assert_true(self_watch_look(watch, s * NS_PER_S, s * NS_PER_S, &err));
        assert_int_equal(fake.batches_count, 0);
        fake.sources[0].steady_since_ns = (1000 - 1800) * NS_PER_S;
        for (int64_t s = 1000; s <= 1400; s += 15)
                assert_true(self_watch_look(watch, s * NS_PER_S, s * NS_PER_S, &err));
        assert_int_equal(fake.batches_count, 1);
        const struct finding *firing = &fake.batches[0]->telemetry.findings.items[0];
        assert_true(firing->is_firing);
        assert_int_equal(firing->origin, FINDING_SELF);
        assert_int_equal(alert_severity_of(&firing->labels), ALERT_WARNING);
        assert_true(str_is(labels_value(&firing->labels, STR("source")), "syslog"));
        fake.sources[0].silent = false;
        for (int64_t s = 1415; s <= 1500; s += 15)
                assert_true(self_watch_look(watch, s * NS_PER_S, s * NS_PER_S, &err));
        assert_int_equal(fake.batches_count, 2);
        assert_false(fake.batches[1]->telemetry.findings.items[0].is_firing);
        assert_true(self_watch_look(watch, 5000 * NS_PER_S, 1515 * NS_PER_S, &err)); /* the clock is set ahead */
        assert_int_equal(fake.batches_count, 3);
        assert_true(str_is(labels_value(&fake.batches[2]->telemetry.findings.items[0].labels, STR("alertname")), "ClockJumped"));
        self_watch_destroy(watch);
        fake_done(&fake);
}

static size_t damaged_days(void *context, int64_t *out_days, size_t days_max)
{
        const size_t *count = context;
        for (size_t i = 0; i < *count && i < days_max; i++)
                out_days[i] = 20500 + (int64_t)i;
        return *count;
}

static void a_damaged_day_is_told_by_its_date_until_it_is_mended(void **state)
{
        (void)state;
        struct intake fake;
        struct self_watch *watch;
        struct err err = {0};
        size_t damaged = 1;
        fake_init(&fake);
        fake.decode = check_result_decode;
        assert_true(self_watch_create(&fake, NULL, &(struct self_store){damaged_days, &damaged}, &watch, &err));
        for (int64_t s = 1000; s <= 1100; s += 15)
                assert_true(self_watch_look(watch, s * NS_PER_S, s * NS_PER_S, &err));
        assert_int_equal(fake.batches_count, 1);
        const struct finding *firing = &fake.batches[0]->telemetry.findings.items[0];
        assert_int_equal(firing->origin, FINDING_SELF);
        assert_true(str_is(labels_value(&firing->labels, STR("alertname")), "StoredDayDamaged"));
        assert_true(str_is(labels_value(&firing->labels, STR("source")), "2026-02-16"));
        damaged = 0;
        assert_true(self_watch_look(watch, 1115 * NS_PER_S, 1115 * NS_PER_S, &err));
        assert_int_equal(fake.batches_count, 2);
        assert_false(fake.batches[1]->telemetry.findings.items[0].is_firing);
        self_watch_destroy(watch);
        fake_done(&fake);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_port_that_listens_is_well_and_a_closed_one_fires),
                cmocka_unit_test(a_check_that_is_taken_away_resolves_what_it_had_firing),
                cmocka_unit_test(a_plugin_without_a_launcher_is_told_on_the_sources_page),
                cmocka_unit_test(a_wrong_check_is_refused_by_name),
                cmocka_unit_test(a_source_that_stays_silent_is_told_once_and_resolved_once),
                cmocka_unit_test(a_damaged_day_is_told_by_its_date_until_it_is_mended),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
