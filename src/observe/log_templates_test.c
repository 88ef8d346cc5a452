/* log_templates_test - records become templates with counts and values, the same on any worker and after any restart. */
#include "observe/log_templates.h"

#include "base/clock.h"
#include "base/scope.h"
#include "store/logs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_NS (60 * NS_PER_S)
#define START_NS (INT64_C(1767225600) * NS_PER_S)

SCOPED_PTR(log_templates_destroy, struct log_templates)
SCOPED_PTR(line_matcher_destroy, struct line_matcher)

struct told {
        struct log_templates *templates;
        struct noticed noticed;
        uint64_t sequence;
        int64_t time_ns;
};

static void told_init(struct told *told)
{
        *told = (struct told){.time_ns = START_NS};
        noticed_init(&told->noticed);
        assert_true(log_templates_create(&told->templates, NULL));
}

static void told_done(struct told *told)
{
        log_templates_destroy(told->templates);
        noticed_done(&told->noticed);
}

/* One batch of equal records. */
static void say(struct told *told, const char *service, const char *line, uint8_t severity, uint32_t times)
{
        struct label label = {STR("service"), str_of(service)};
        struct labels stream = {.items = &label, .count = 1};
        struct log_record records[64];
        uint32_t picks[64];
        struct batch batch = {.received_ns = told->time_ns};
        for (uint32_t i = 0; i < times; i++) {
                records[i] = (struct log_record){.severity = severity, .line = str_of(line)};
                picks[i] = i;
        }
        batch.telemetry.streams.items = &stream;
        batch.telemetry.streams.count = 1;
        batch.telemetry.records.items = records;
        batch.telemetry.records.count = times;
        struct fold fold = {.partition = logs_partition(&stream), .batch = &batch, .sequence = ++told->sequence, .time_ns = told->time_ns,
                            .records = picks, .record_count = times};
        assert_true(log_templates_fold(told->templates, &fold, &told->noticed, NULL));
}

struct seen {
        uint32_t count;
        struct template_view view;
        char sentence[200];
        struct value_sketch values[4];
};

static bool see(void *context, const struct template_view *view)
{
        struct seen *seen = context;
        seen->count++;
        seen->view = *view;
        snprintf(seen->sentence, sizeof seen->sentence, "%.*s", STR_ARGS(view->sentence));
        for (uint32_t i = 0; i < view->variable_count && i < countof(seen->values); i++)
                if (view->variables[i].values)
                        seen->values[i] = *view->variables[i].values;
        return true;
}

static struct seen look(struct told *told, const char *service)
{
        struct seen seen = {0};
        assert_true(log_templates_visit(told->templates, str_of(service), 0, see, &seen, NULL));
        return seen;
}

static void a_template_has_counts_levels_examples_and_typed_values(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        char line[100];
        for (int i = 1; i <= 100; i++) {
                snprintf(line, sizeof line, "request of user%d took %dms", i % 3, i);
                say(&told, "shop", line, i % 10 ? 9 : 17, 1);
        }
        say(&told, "other", "request of user1 took 5ms", 9, 1);
        struct seen seen = look(&told, "shop");
        assert_int_equal(seen.count, 1);
        assert_string_equal(seen.sentence, "request of <id> took <duration>");
        assert_int_equal(seen.view.lines, 100);
        assert_int_equal(seen.view.lines_by_level[LOG_LEVELS_ERROR], 10);
        assert_int_equal(seen.view.first_record, item_id(1, 0));
        assert_int_equal(seen.view.newest_record, item_id(100, 0));
        assert_int_equal(seen.view.variable_count, 2);
        assert_true(seen.values[1].is_number && value_sketch_quantile(&seen.values[1], 0.5) > 0.02 && value_sketch_quantile(&seen.values[1], 0.5) < 0.08);
        assert_int_equal(look(&told, "").count, 2);
}

static void a_restored_state_goes_on_as_if_nothing_had_happened(void **state)
{
        (void)state;
        scoped(told_done) struct told one, other;
        scoped(buf_done) struct buf saved = {0}, first = {0}, second = {0};
        told_init(&one);
        told_init(&other);
        char line[100];
        for (int i = 0; i < 600; i++) {
                if (i == 300) {
                        assert_true(log_templates_save(one.templates, &saved, NULL));
                        assert_true(log_templates_restore(other.templates, buf_str(&saved), NULL));
                        other.sequence = one.sequence;
                        other.time_ns = one.time_ns;
                }
                snprintf(line, sizeof line, "unit %c of %s did step %d of job%07d", 'a' + i % 7, i % 3 ? "alpha" : "bravo", i, i / (i % 5 + 1));
                for (struct told *told = &one; told; told = told == &one && i >= 300 ? &other : NULL) {
                        told->time_ns += 20 * NS_PER_S;
                        say(told, i % 2 ? "shop" : "mail", line, 9, 1 + i % 4);
                }
        }
        assert_true(log_templates_save(one.templates, &first, NULL) && log_templates_save(other.templates, &second, NULL));
        assert_true(str_equal(buf_str(&first), buf_str(&second)));
}

/* --- one template that turns out to be several sentences ---------------------------------------------------------------- */

/* A link is up, degraded or down, and each is told with a level of its own. */
static void say_link(struct told *told, int i)
{
        static const struct { const char *word; uint8_t severity; } states[] = {{"up", 9}, {"degraded", 13}, {"down", 17}};
        char line[100];
        snprintf(line, sizeof line, "Link %d state is %s now", i, states[i % 3].word);
        say(told, "switch", line, states[i % 3].severity, 1);
        snprintf(line, sizeof line, "Login %d of user %s done", i, i % 3 == 0 ? "alice" : i % 3 == 1 ? "bob" : "carol");
        say(told, "switch", line, i % 2 ? 9 : 13, 1);
}

struct found {
        struct template_view whole, half[8];
        char half_sentence[8][100];
        uint32_t count, half_count;
};

static bool find_halves(void *context, const struct template_view *view)
{
        struct found *found = context;
        found->count++;
        if (view->half_count)
                found->whole = *view;
        if (!view->split_from)
                return true;
        snprintf(found->half_sentence[found->half_count], sizeof found->half_sentence[0], "%.*s", STR_ARGS(view->sentence));
        found->half[found->half_count++] = *view;
        return true;
}

static void a_word_that_tells_the_level_gets_a_template_that_knows_where_it_came_from(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        for (int i = 0; i < 600; i++)
                say_link(&told, i);
        struct found found = {0};
        assert_true(log_templates_visit(told.templates, STR("switch"), 0, find_halves, &found, NULL));
        assert_int_equal(found.half_count, 3);
        assert_int_equal(found.count, 5); /* and the login, whose users tell nothing */
        uint64_t lines = found.whole.lines;
        for (uint32_t i = 0; i < 3; i++) {
                assert_true(found.half[i].split_from == found.whole.id && found.whole.halves[i] == found.half[i].id);
                lines += found.half[i].lines;
                if (found.half[i].lines_by_level[LOG_LEVELS_ERROR])
                        assert_string_equal(found.half_sentence[i], "Link <number> state is down now");
                for (int level = 0; level < LOG_LEVELS; level++)
                        assert_true(found.half[i].lines_by_level[level] == 0 || found.half[i].lines_by_level[level] == found.half[i].lines);
        }
        assert_int_equal(lines, 600);
        scoped(buf_done) struct buf service = {0};
        scoped_ptr(line_matcher_destroy) struct line_matcher *both = log_templates_matcher(told.templates, found.whole.id, &service, NULL);
        assert_true(line_matcher_matches(both, STR("Link 5 state is down now")) && line_matcher_matches(both, STR("Link 5 state is up now")));
        struct log_templates_stats stats;
        log_templates_read_stats(told.templates, &stats);
        assert_int_equal(stats.templates_split, 1);
}

/* Wherever the process ends: before, while the words are watched, after the split. */
static void a_restart_changes_no_split(void **state)
{
        (void)state;
        for (int stop = 1; stop < 400; stop += 57) {
                scoped(told_done) struct told one, other;
                scoped(buf_done) struct buf saved = {0}, first = {0}, second = {0};
                told_init(&one);
                told_init(&other);
                for (int i = 0; i < 400; i++) {
                        if (i == stop) {
                                assert_true(log_templates_save(one.templates, &saved, NULL));
                                assert_true(log_templates_restore(other.templates, buf_str(&saved), NULL));
                                other.sequence = one.sequence;
                                other.time_ns = one.time_ns;
                        }
                        say_link(&one, i);
                        if (i >= stop)
                                say_link(&other, i);
                }
                assert_true(log_templates_save(one.templates, &first, NULL) && log_templates_save(other.templates, &second, NULL));
                assert_true(str_equal(buf_str(&first), buf_str(&second)));
        }
}

/* What was saved before there were splits: a version of its own, and nothing behind the program's templates. */
static void what_version_1_saved_is_read_and_splits_from_there(void **state)
{
        (void)state;
        enum { EMPTY_PARTITION_BYTES = 36 };
        scoped(told_done) struct told told;
        scoped(buf_done) struct buf saved = {0};
        struct label label = {STR("service"), STR("switch")};
        struct labels stream = {.items = &label, .count = 1};
        told_init(&told);
        for (int i = 0; i < 3; i++)
                say(&told, "switch", i == 0 ? "Link 1 state is up now" : i == 1 ? "Link 1 state is down now" : "Link 1 state is degraded now", 9, 1);
        assert_true(log_templates_save(told.templates, &saved, NULL));
        size_t behind = (PARTITIONS - 1 - logs_partition(&stream)) * (size_t)EMPTY_PARTITION_BYTES, end = saved.length - behind;
        memmove(saved.bytes + end - 20, saved.bytes + end, behind); /* no template was watched: a count of none; nothing fatal: sixteen bytes */
        saved.length -= 20;
        saved.bytes[0] = 1;
        assert_true(log_templates_restore(told.templates, buf_str(&saved), NULL));
        for (int i = 0; i < 300; i++)
                say_link(&told, i);
        struct found found = {0};
        assert_true(log_templates_visit(told.templates, STR("switch"), 0, find_halves, &found, NULL));
        assert_int_equal(found.half_count, 3);
}

static void damage_is_refused_with_a_reason(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        scoped(buf_done) struct buf saved = {0};
        struct err err = {0};
        told_init(&told);
        say(&told, "shop", "it took 5ms", 9, 3);
        assert_true(log_templates_save(told.templates, &saved, NULL));
        for (size_t length = 0; length < saved.length; length += 7) {
                assert_false(log_templates_restore(told.templates, str_slice(buf_str(&saved), 0, length), &err));
                assert_int_equal(err.code, ERR_CORRUPT);
        }
}

static uint32_t count_of(const struct told *told, enum anomaly_kind kind, bool is_over)
{
        uint32_t count = 0;
        each (anomaly, &told->noticed.anomalies)
                count += anomaly->kind == kind && anomaly->is_over == is_over;
        return count;
}

/* Three lines a minute for so many minutes. */
static void ordinary(struct told *told, int minutes, const char *line)
{
        for (int minute = 0; minute < minutes; minute++) {
                say(told, "shop", line, 9, 3);
                say(told, "shop", "heartbeat of the shop", 9, 1);
                told->time_ns += MINUTE_NS;
        }
}

static void an_ordinary_day_is_silent_then_each_kind_is_told_once(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        ordinary(&told, 2000, "served a page in 20ms");
        assert_int_equal(told.noticed.anomalies.count, 0);
        say(&told, "shop", "cannot reach the payment partner", 17, 1);
        assert_int_equal(count_of(&told, ANOMALY_NEW_TEMPLATE, false), 1);
        assert_true(str_is(told.noticed.anomalies.items[0].sentence, "shop: says something new: cannot reach the payment partner"));
        assert_true(told.noticed.anomalies.items[0].p_value < 1e-3 && !told.noticed.anomalies.items[0].is_learning);
        say(&told, "shop", "cannot reach the payment partner", 17, 60);
        told.time_ns += MINUTE_NS;
        ordinary(&told, 3, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_SEVERITY_BURST, false), 1);
        assert_int_equal(count_of(&told, ANOMALY_SEVERITY_BURST, true), 1);
        for (int i = 0; i < 3; i++)
                say(&told, "shop", "served a page in 20ms", 9, 64);
        told.time_ns += MINUTE_NS;
        ordinary(&told, 3, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_TEMPLATE_RATE, false), 1);
        assert_int_equal(count_of(&told, ANOMALY_TEMPLATE_RATE, true), 1);
        say(&told, "shop", "served a page in 90000ms", 9, 1);
        assert_int_equal(count_of(&told, ANOMALY_VARIABLE, false), 1);
        for (int minute = 0; minute < 30; minute++) {
                say(&told, "shop", "heartbeat of the shop", 9, 1);
                told.time_ns += MINUTE_NS;
        }
        assert_int_equal(count_of(&told, ANOMALY_TEMPLATE_STOPPED, false), 1);
        ordinary(&told, 2, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_TEMPLATE_STOPPED, true), 1);
}

static void last_words_are_told_once_until_an_hour_has_passed_without(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        ordinary(&told, 1500, "served a page in 20ms");
        for (int minute = 0; minute < 90; minute++) {
                say(&told, "shop", "giving up, the disk is gone", 21, 2);
                ordinary(&told, 1, "served a page in 20ms");
        }
        assert_int_equal(count_of(&told, ANOMALY_FATAL, false), 1);
        assert_int_equal(count_of(&told, ANOMALY_NEW_TEMPLATE, false), 0); /* of the same line */
        assert_int_equal(count_of(&told, ANOMALY_FATAL, true), 0);
        ordinary(&told, 59, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_FATAL, true), 0);
        ordinary(&told, 3, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_FATAL, true), 1);
        say(&told, "shop", "giving up, the disk is gone", 18, 1);
        assert_int_equal(count_of(&told, ANOMALY_FATAL, false), 2);
        each (anomaly, &told.noticed.anomalies)
                if (anomaly->kind == ANOMALY_FATAL && !anomaly->is_over)
                        assert_true(str_is(anomaly->sentence, "shop: says something fatal: giving up, the disk is gone") && anomaly->p_value < 1e-3);
}

static void last_words_out_of_habit_and_plain_errors_are_not_told(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        say(&told, "shop", "fatal: no", 21, 1);
        for (int hours = 0; hours < 100; hours += 2) {
                say(&told, "shop", "fatal: no", 21, 1);
                ordinary(&told, 120, "served a page in 20ms");
                say(&told, "shop", "cannot reach the payment partner", 17, 1);
        }
        assert_int_equal(count_of(&told, ANOMALY_FATAL, false), 0);
}

/* As a fault does that lasts for some hours. */
static void what_was_said_for_hours_only_did_not_stop(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        ordinary(&told, 1500, "served a page in 20ms");
        for (int minute = 0; minute < 300; minute++) {
                say(&told, "shop", "the partner is slow", 9, 1);
                ordinary(&told, 1, "served a page in 20ms");
        }
        ordinary(&told, 1000, "served a page in 20ms");
        assert_int_equal(count_of(&told, ANOMALY_TEMPLATE_STOPPED, false), 0);
}

static void what_version_2_saved_is_read_and_last_words_survive_a_restart(void **state)
{
        (void)state;
        enum { EMPTY_PARTITION_BYTES = 36, FATAL_BYTES = 16 };
        scoped(told_done) struct told told;
        scoped(buf_done) struct buf saved = {0};
        struct label label = {STR("service"), STR("shop")};
        struct labels stream = {.items = &label, .count = 1};
        told_init(&told);
        ordinary(&told, 1500, "served a page in 20ms");
        say(&told, "shop", "giving up", 21, 1);
        assert_true(log_templates_save(told.templates, &saved, NULL));
        assert_true(log_templates_restore(told.templates, buf_str(&saved), NULL));
        say(&told, "shop", "giving up", 21, 1);
        assert_int_equal(count_of(&told, ANOMALY_FATAL, false), 1);
        size_t behind = (PARTITIONS - 1 - logs_partition(&stream)) * (size_t)EMPTY_PARTITION_BYTES, end = saved.length - behind;
        memmove(saved.bytes + end - FATAL_BYTES, saved.bytes + end, behind);
        saved.length -= FATAL_BYTES;
        saved.bytes[0] = 2;
        assert_true(log_templates_restore(told.templates, buf_str(&saved), NULL));
        say(&told, "shop", "giving up", 21, 1); /* what was told before the upgrade is not known */
        assert_int_equal(count_of(&told, ANOMALY_FATAL, false), 2);
}

static void a_request(struct told *told, int number, bool whole)
{
        char line[100];
        static const char *const steps[] = {"request req%08d came in", "request req%08d was checked", "request req%08d was billed", "request req%08d is done"};
        for (size_t i = 0; i < countof(steps); i++) {
                snprintf(line, sizeof line, steps[i], number);
                if (whole || i < 1)
                        say(told, "shop", line, 9, 1);
        }
        told->time_ns += 5 * NS_PER_S;
}

static void a_request_that_stops_half_way_is_a_course_never_seen(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        told_init(&told);
        for (int i = 0; i < 1500; i++)
                a_request(&told, i, true);
        assert_int_equal(count_of(&told, ANOMALY_ORDER, false), 0);
        a_request(&told, 5000, false);
        for (int i = 2000; i < 2100; i++)
                a_request(&told, i, true);
        assert_int_equal(count_of(&told, ANOMALY_ORDER, false), 1);
        each (anomaly, &told.noticed.anomalies)
                if (anomaly->kind == ANOMALY_ORDER)
                        assert_true(str_is(anomaly->sentence, "shop: a piece of work took a course never seen; it ended with: request <id> came in"));
}

static void a_flood_of_programs_and_words_stays_within_the_bound(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        struct log_templates_stats stats;
        uint64_t random = 1;
        told_init(&told);
        for (int i = 0; i < 60000; i++) {
                char line[160] = "", service[16];
                for (int letter = 0; letter < 120; letter++) {
                        random = random * 6364136223846793005U + 1442695040888963407U;
                        line[letter] = letter % 8 == 7 ? ' ' : (char)('a' + (random >> 59) % 26);
                }
                snprintf(service, sizeof service, "s%d", i % 3 ? 1 : i % 2000);
                say(&told, service, line, 9, 1);
                told.time_ns += NS_PER_S / 10;
        }
        log_templates_read_stats(told.templates, &stats);
        assert_int_equal(stats.lines, 60000);
        assert_true(stats.templates_forgotten > 10000);
        assert_true(stats.bytes < PARTITIONS * LOG_PARTITION_BYTES);
}

static void stored_lines_are_found_by_template(void **state)
{
        (void)state;
        scoped(told_done) struct told told;
        scoped(buf_done) struct buf service = {0};
        told_init(&told);
        say(&told, "shop", "it took 5ms", 9, 3);
        struct err err = {0};
        scoped_ptr(line_matcher_destroy) struct line_matcher *matcher = log_templates_matcher(told.templates, look(&told, "shop").view.id, &service, NULL);
        assert_non_null(matcher);
        assert_true(str_is(buf_str(&service), "shop"));
        assert_true(line_matcher_matches(matcher, STR("it took 71ms")));
        assert_false(line_matcher_matches(matcher, STR("it costs 71ms")));
        assert_true(str_is(line_matcher_word(matcher), "took"));
        assert_null(log_templates_matcher(told.templates, 5, &service, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_template_has_counts_levels_examples_and_typed_values),
                cmocka_unit_test(a_restored_state_goes_on_as_if_nothing_had_happened),
                cmocka_unit_test(a_word_that_tells_the_level_gets_a_template_that_knows_where_it_came_from),
                cmocka_unit_test(a_restart_changes_no_split),
                cmocka_unit_test(what_version_1_saved_is_read_and_splits_from_there),
                cmocka_unit_test(damage_is_refused_with_a_reason),
                cmocka_unit_test(an_ordinary_day_is_silent_then_each_kind_is_told_once),
                cmocka_unit_test(last_words_are_told_once_until_an_hour_has_passed_without),
                cmocka_unit_test(last_words_out_of_habit_and_plain_errors_are_not_told),
                cmocka_unit_test(what_was_said_for_hours_only_did_not_stop),
                cmocka_unit_test(what_version_2_saved_is_read_and_last_words_survive_a_restart),
                cmocka_unit_test(a_request_that_stops_half_way_is_a_course_never_seen),
                cmocka_unit_test(a_flood_of_programs_and_words_stays_within_the_bound),
                cmocka_unit_test(stored_lines_are_found_by_template),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
