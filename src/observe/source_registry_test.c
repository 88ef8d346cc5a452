/* source_registry_test - what is counted for whom, who has fallen silent, and what a restart keeps. */
#include "observe/source_registry.h"

#include "base/json.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)

static struct source_registry *registry;

static int set_up(void **state)
{
        (void)state;
        return source_registry_create(&registry, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
        (void)state;
        source_registry_destroy(registry);
        return 0;
}

/* A batch of so many records, received at the time, the event a little before. */
static void count(const char *source, size_t records, int64_t time_ns, const char *cursor)
{
        struct batch batch = {.source = str_of(source), .received_ns = time_ns, .bytes = STR("12345"), .cursor = str_of(cursor)};
        struct log_record items[8] = {0};
        for (size_t i = 0; i < records; i++)
                items[i].time_ns = time_ns - 7 * NS_PER_S;
        batch.telemetry.records.items = items;
        batch.telemetry.records.count = records;
        source_registry_count(registry, &batch, "syslog", time_ns);
}

static struct source_counters counters_of(const char *name)
{
        static struct source_counters all[SOURCES_MAX];
        size_t there = source_registry_list(registry, all, SOURCES_MAX);
        for (size_t i = 0; i < there; i++)
                if (strcmp(all[i].name, name) == 0)
                        return all[i];
        return (struct source_counters){0};
}

static void counts_are_kept_by_source(void **state)
{
        (void)state;
        count("b", 2, START_NS, NULL);
        count("b", 3, START_NS + NS_PER_S, NULL);
        count("a", 1, START_NS, NULL);
        source_registry_dropped(registry, STR("a"), 4);
        source_registry_duplicate(registry, STR("a"));
        source_registry_parse_failure(registry, STR("new"), "otlp", 6);
        source_registry_state(registry, STR("a"), "file", true, "cannot be read");
        source_registry_lag(registry, STR("a"), 2.5);
        struct source_counters b = counters_of("b"), a = counters_of("a");
        assert_int_equal(b.batches, 2);
        assert_int_equal(b.records, 5);
        assert_int_equal(b.bytes, 10);
        assert_int_equal(b.last_seen_ns, START_NS + NS_PER_S);
        assert_int_equal(b.newest_event_ns, START_NS - 6 * NS_PER_S);
        assert_int_equal(b.clock_skew_ns, 7 * NS_PER_S);
        assert_int_equal(a.dropped, 4);
        assert_int_equal(a.duplicates, 1);
        assert_true(a.failing);
        assert_string_equal(a.state_text, "cannot be read");
        assert_string_equal(a.kind, "syslog"); /* who named it first */
        assert_true(a.lag_s == 2.5);
        assert_int_equal(counters_of("new").parse_failures, 6);
        struct source_counters first;
        assert_int_equal(source_registry_list(registry, &first, 1), 3); /* says how many there are */
}

static void a_source_that_speaks_every_minute_is_silent_after_three(void **state)
{
        (void)state;
        int64_t time_ns = START_NS;
        for (int i = 0; i < 6; i++, time_ns += 60 * NS_PER_S)
                count("minutely", 1, time_ns, NULL);
        time_ns -= 60 * NS_PER_S; /* of the last */
        source_registry_tick(registry, time_ns + 170 * NS_PER_S);
        assert_false(counters_of("minutely").silent);
        source_registry_tick(registry, time_ns + 181 * NS_PER_S);
        assert_true(counters_of("minutely").silent);
        count("minutely", 1, time_ns + 182 * NS_PER_S, NULL);
        assert_false(counters_of("minutely").silent);
}

static void a_source_seen_a_few_times_only_is_never_called_silent(void **state)
{
        (void)state;
        for (int i = 0; i < 4; i++)
                count("new", 1, START_NS + i * NS_PER_S, NULL);
        source_registry_tick(registry, START_NS + 86400 * NS_PER_S);
        assert_false(counters_of("new").silent);
}

static void rates_follow_what_comes(void **state)
{
        (void)state;
        for (int second = 1; second <= 120; second++) {
                count("busy", 5, START_NS + second * NS_PER_S, NULL);
                source_registry_tick(registry, START_NS + second * NS_PER_S);
        }
        assert_in_range((long)(counters_of("busy").rate_records * 100), 480, 501);
        for (int second = 121; second <= 240; second++)
                source_registry_tick(registry, START_NS + second * NS_PER_S);
        assert_true(counters_of("busy").rate_records < 0.1);
}

static void names_beyond_the_bound_are_counted_together(void **state)
{
        (void)state;
        char name[32];
        for (int i = 0; i < SOURCES_MAX + 50; i++) {
                snprintf(name, sizeof name, "source-%d", i);
                source_registry_dropped(registry, str_of(name), 1);
        }
        assert_int_equal(source_registry_over_bound(registry), 51); /* one place is that of the others */
        assert_int_equal(counters_of("others").dropped, 51);
        assert_int_equal(source_registry_list(registry, NULL, 0), SOURCES_MAX);
        source_registry_dropped(registry, STR("source-7"), 1); /* one that is known stays itself */
        assert_int_equal(counters_of("source-7").dropped, 2);
}

static void a_long_name_is_cut_and_still_one_source(void **state)
{
        (void)state;
        char name[300];
        memset(name, 'n', sizeof name);
        source_registry_dropped(registry, (struct str){name, sizeof name}, 1);
        source_registry_dropped(registry, (struct str){name, sizeof name}, 1);
        struct source_counters one[2];
        assert_int_equal(source_registry_list(registry, one, 2), 1);
        assert_int_equal(one[0].dropped, 2);
}

static void cursors_and_counters_survive_a_restart(void **state)
{
        (void)state;
        struct err err;
        scoped(arena_done) struct arena arena = {0};
        count("file", 2, START_NS, "offset 10");
        count("file", 1, START_NS + NS_PER_S, "offset 25");
        count("file", 1, START_NS + 2 * NS_PER_S, ""); /* says nothing of where it is */
        scoped_ptr(json_decref) json_t *saved = source_registry_save(registry);
        struct source_counters before = counters_of("file");
        source_registry_destroy(registry);
        assert_true(source_registry_create(&registry, &err));
        assert_true(source_registry_restore(registry, saved, &err));
        struct source_counters after = counters_of("file");
        assert_int_equal(after.records, 4);
        assert_int_equal(after.batches, before.batches);
        assert_int_equal(after.last_seen_ns, before.last_seen_ns);
        assert_int_equal(after.expected_every_ns, before.expected_every_ns);
        assert_string_equal(after.kind, "syslog");
        struct str cursor = source_registry_cursor(registry, STR("file"), &arena);
        assert_true(str_is(cursor, "offset 25"));
        assert_int_equal(source_registry_cursor(registry, STR("unknown"), &arena).length, 0);
        source_registry_tick(registry, START_NS + 3 * NS_PER_S);
        assert_true(counters_of("file").rate_records == 0); /* what was counted before the restart is no rate */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(counts_are_kept_by_source, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_source_that_speaks_every_minute_is_silent_after_three, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_source_seen_a_few_times_only_is_never_called_silent, set_up, tear_down),
                cmocka_unit_test_setup_teardown(rates_follow_what_comes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(names_beyond_the_bound_are_counted_together, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_long_name_is_cut_and_still_one_source, set_up, tear_down),
                cmocka_unit_test_setup_teardown(cursors_and_counters_survive_a_restart, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
