/* notify_test - the proof that pages arrive (canary, gaps, people without contact), what is kept back at the bound, repeats, and ends that are told. */
#include "engage/notify.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "engage/engage.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S ((int64_t)1000000000)
#define START (1767225600 * S) /* 2026-01-01, a Thursday, midnight */
#define SENT_MAX 64

/* What left, in order: copies. */
struct left { uint64_t id; char receiver[16], to[16], occasion[16], title[200], why[1000]; bool is_page, is_repeat, is_answered; };

/* Engage and notify as the pipeline joins them, on a virtual clock, with receivers that take everything when they are well. */
struct house {
        struct engage *engage;
        struct notify *notify;
        struct noticed noticed;
        struct arena arena;
        uint64_t sequence;
        int64_t now_ns;
        bool receivers_are_well;
        struct left left[SENT_MAX];
        size_t left_count;
        struct err err;
};

static void take_message(void *context, const struct outgoing *outgoing)
{
        struct house *house = context;
        if (house->left_count == SENT_MAX)
                return;
        struct left *left = &house->left[house->left_count++];
        *left = (struct left){.id = outgoing->id, .is_repeat = outgoing->is_repeat, .is_page = json_flag(outgoing->message, "is_page", false)};
        snprintf(left->receiver, sizeof left->receiver, "%.*s", STR_ARGS(outgoing->receiver));
        snprintf(left->to, sizeof left->to, "%.*s", STR_ARGS(outgoing->to));
        snprintf(left->occasion, sizeof left->occasion, "%.*s", STR_ARGS(json_str(outgoing->message, "occasion")));
        scoped(buf_done) struct buf why = {0};
        json_write(json_object_get(outgoing->message, "why"), &why);
        snprintf(left->why, sizeof left->why, "%.*s", STR_ARGS(buf_str(&why)));
        snprintf(left->title, sizeof left->title, "%.*s", STR_ARGS(json_str(outgoing->message, "title")));
}

static bool order(struct house *house, const char *verb, json_t *arguments)
{
        scoped_ptr(json_decref) json_t *owned = arguments, *result = NULL;
        house->err = (struct err){0};
        return notify_command(house->notify, verb, owned, "test", ++house->sequence, house->now_ns, &result, &house->err);
}

static void configure(struct house *house, const char *yaml)
{
        json_t *tree = yaml_parse(str_of(yaml), "teams.yaml", &house->err);
        if (!tree)
                fail_msg("%s", house->err.message);
        scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "teams.yaml", "tree", tree);
        if (!notify_configure(house->notify, content, &house->err))
                fail_msg("%s", house->err.message);
}

static void house_init(struct house *house, const char *yaml)
{
        *house = (struct house){.now_ns = START, .receivers_are_well = true};
        noticed_init(&house->noticed);
        arena_init(&house->arena, 0);
        assert_true(engage_create(&(struct engage_options){0}, &house->engage, &house->err));
        struct notify_options options = {.engage = house->engage, .delivery = {.fake = take_message, .fake_context = house}};
        assert_true(notify_create(&options, &house->notify, &house->err));
        configure(house, yaml);
        assert_true(notify_start(house->notify, &house->err));
}

static void house_done(struct house *house)
{
        notify_destroy(house->notify);
        engage_destroy(house->engage);
        noticed_done(&house->noticed);
        arena_done(&house->arena);
}

static void answer_receivers(struct house *house)
{
        for (size_t i = 0; house->receivers_are_well && i < house->left_count; i++) {
                char id[24];
                snprintf(id, sizeof id, "%" PRIu64, house->left[i].id);
                if (!house->left[i].is_answered)
                        assert_true(order(house, "notification_result", json_pack("{s:s, s:s, s:i, s:s}", "id", id, "outcome", "sent", "attempts", 1, "error", "")));
                house->left[i].is_answered = true;
        }
}

/* One tick: what Evenkeel notices about itself, engage, notify, the commit, the receivers' answers. */
static void tick(struct house *house)
{
        house->sequence++;
        assert_true(notify_find(house->notify, house->sequence, house->now_ns, &house->noticed, &house->err));
        assert_true(engage_take(house->engage, &house->noticed, house->sequence, house->now_ns, &house->err));
        noticed_clear(&house->noticed);
        assert_true(engage_tick(house->engage, house->sequence, house->now_ns, &house->err));
        assert_true(notify_take(house->notify, house->sequence, house->now_ns, &house->err));
        engage_news_clear(house->engage);
        assert_true(notify_tick(house->notify, house->sequence, house->now_ns, &house->err));
        notify_written(house->notify);
        answer_receivers(house);
}

static void pass(struct house *house, int64_t seconds)
{
        for (int64_t i = 0; i < seconds; i++) {
                house->now_ns += S;
                tick(house);
        }
}

static void tell(struct house *house, const char *name, const char *host, bool is_firing)
{
        struct label labels[] = {{STR("alertname"), str_of(name)}, {STR("host"), str_of(host)}, {STR("severity"), STR("critical")}};
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = {labels, 3, 3}, .is_firing = is_firing};
        assert_true(noticed_add_finding(&house->noticed, &finding, &house->err));
        tick(house);
}

static size_t count(const struct house *house, const char *occasion, const char *receiver)
{
        size_t found = 0;
        for (size_t i = 0; i < house->left_count; i++)
                found += strcmp(house->left[i].occasion, occasion) == 0 && (!receiver || strcmp(house->left[i].receiver, receiver) == 0);
        return found;
}

/* The first message that says or believes something with these words; NULL: none. */
static const struct left *about(const struct house *house, const char *words)
{
        for (size_t i = 0; i < house->left_count; i++)
                if (strstr(house->left[i].title, words) || strstr(house->left[i].why, words))
                        return &house->left[i];
        return NULL;
}

static struct incident_view view(struct house *house, uint32_t number)
{
        struct incident_view seen;
        assert_true(engage_view(house->engage, engage_incident_id(house->engage, number), &house->arena, &seen, &house->err));
        return seen;
}

#define RECEIVERS                                                                                                      \
        "receivers:\n  - { name: hook, confirms: true, webhook: { url: \"http://127.0.0.1:1/\" } }\n"                  \
        "  - { name: chat, slack: { url: \"http://127.0.0.1:1/\" } }\n"
#define WITH_CANARY RECEIVERS "teams:\n  - { name: ops, receivers: [ hook, chat ], canary_every: 1h }\nroutes:\n  - { team: ops, group_wait: 1s }\n"
#define PLAIN RECEIVERS "teams:\n  - { name: ops, receivers: [ hook ] }\nroutes:\n  - { team: ops, group_wait: 1s }\n"

static void a_canary_goes_to_who_confirms_and_is_acknowledged_and_over_when_it_was_taken(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, WITH_CANARY);
        pass(&house, 20);
        assert_int_equal(count(&house, "canary", "hook"), 1);
        assert_int_equal(count(&house, "canary", "chat"), 0); /* it cannot confirm: it would only be noise there */
        struct incident_view seen = view(&house, 1);
        assert_int_equal(seen.state, INCIDENT_RESOLVED);
        assert_true(seen.acknowledged_ns > 0);
        assert_int_equal(house.left_count, 1); /* and its end is told to nobody */
        pass(&house, 3600);
        assert_int_equal(count(&house, "canary", "hook"), 2);
        assert_int_equal(house.left_count, 2);
        house_done(&house);
}

static void a_canary_that_nobody_takes_wakes_people_after_five_minutes(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, WITH_CANARY);
        house.receivers_are_well = false;
        pass(&house, 290);
        assert_null(about(&house, "pages may not arrive"));
        pass(&house, 330);
        const struct left *lost = about(&house, "pages may not arrive");
        assert_non_null(lost);
        assert_true(lost->is_page);
        assert_non_null(strstr(lost->title, "none ever came through"));
        assert_int_equal(count(&house, "canary", NULL), 1); /* not one after the other */
        house.receivers_are_well = true;
        pass(&house, 1500);
        assert_int_equal(count(&house, "resolved", "hook"), 1); /* of the alarm: it ended by itself */
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        house_done(&house);
}

static void a_gap_of_on_call_and_somebody_without_contact_are_told_until_they_are_mended(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, RECEIVERS "people:\n  - { name: ann, contacts: [ hook ] }\n  - { name: bob }\n"
                                     "on_call:\n  - { name: day, time_zone: UTC, rotations: [ { people: [ ann, bob ], starts: \"2026-01-01T00:00\", every: 1w,\n"
                                     "      hours: [ { days: [ mon, tue, wed, thu, fri, sat, sun ], from: \"08:00\", to: \"20:00\" } ] } ] }\n"
                                     "teams:\n  - { name: ops, on_call: day, receivers: [ chat ] }\nroutes:\n  - { team: ops, group_wait: 1s }\n");
        pass(&house, 30);
        const struct left *gap = about(&house, "nobody is on call for day from 2026-01-01 00:00 UTC until 2026-01-01 08:00 UTC");
        assert_non_null(gap);
        assert_false(gap->is_page);
        assert_non_null(about(&house, "bob may be asked for and has no contact"));
        configure(&house, RECEIVERS "people:\n  - { name: ann, contacts: [ hook ] }\n"
                                    "on_call:\n  - { name: day, time_zone: UTC, rotations: [ { people: [ ann ], starts: \"2026-01-01T00:00\", every: 1w } ] }\n"
                                    "teams:\n  - { name: ops, on_call: day, receivers: [ chat ] }\nroutes:\n  - { team: ops, group_wait: 1s }\n");
        pass(&house, 1000);
        assert_int_equal(count(&house, "resolved", "chat"), 1); /* both are one incident */
        house_done(&house);
}

static void an_override_closes_a_gap_only_when_its_person_and_schedule_exist(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, RECEIVERS "people:\n  - { name: ann, contacts: [ hook ] }\n"
                                     "on_call:\n  - { name: day, rotations: [ { people: [ ann ] } ] }\nteams:\n  - { name: ops, on_call: day, receivers: [ chat ] }\n");
        json_int_t until = (json_int_t)(START + 3600 * S);
        assert_false(order(&house, "on_call_override", json_pack("{s:s, s:s, s:I}", "schedule", "night", "person", "ann", "to_ns", until)));
        assert_non_null(strstr(house.err.message, "night"));
        assert_false(order(&house, "on_call_override", json_pack("{s:s, s:s, s:I}", "schedule", "day", "person", "eve", "to_ns", until)));
        assert_non_null(strstr(house.err.message, "eve"));
        assert_false(order(&house, "on_call_override", json_pack("{s:s, s:s, s:I}", "schedule", "day", "person", "ann", "to_ns", (json_int_t)START)));
        assert_true(order(&house, "on_call_override", json_pack("{s:s, s:s, s:I}", "schedule", "day", "person", "ann", "to_ns", until)));
        house_done(&house);
}

static void a_receiver_that_fails_for_two_minutes_is_told_to_the_others(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, RECEIVERS "teams:\n  - { name: ops, receivers: [ hook, chat ] }\nroutes:\n  - { team: ops, group_wait: 1s }\n");
        house.receivers_are_well = false;
        tell(&house, "DiskFull", "web1", true);
        pass(&house, 5);
        assert_int_equal(count(&house, "fired", "hook"), 1);
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64, house.left[0].id);
        assert_true(order(&house, "notification_result", json_pack("{s:s, s:s, s:i, s:s}", "id", id, "outcome", "failed", "attempts", 1, "error", "Connection refused")));
        pass(&house, 60);
        assert_null(about(&house, "do not arrive"));
        pass(&house, 600);
        const struct left *fails = about(&house, "messages to hook do not arrive: Connection refused");
        assert_non_null(fails);
        house_done(&house);
}

static void at_the_bound_a_message_is_kept_back_counted_and_sent_when_there_is_room(void **state)
{
        (void)state;
        static struct house house;
        struct notify_counts counts;
        size_t tests = 0;
        house_init(&house, PLAIN);
        house.receivers_are_well = false;
        while (order(&house, "test_notification", json_pack("{s:s}", "receiver", "hook")))
                assert_true(++tests <= 10000);
        assert_int_equal(tests, 10000);
        assert_int_equal(house.err.code, ERR_BUSY);
        tell(&house, "DiskFull", "web1", true);
        pass(&house, 5);
        notify_count(house.notify, &counts);
        assert_true(counts.shed > 0);
        assert_int_equal(counts.waiting, 10000);
        assert_int_equal(count(&house, "fired", NULL), 0);
        house.receivers_are_well = true; /* takes those that left: SENT_MAX were seen here */
        house.left_count = SENT_MAX;
        answer_receivers(&house);
        notify_written(house.notify);
        house.left_count = 0;
        pass(&house, 15);
        assert_int_equal(count(&house, "fired", "hook"), 1);
        house_done(&house);
}

static void what_is_decided_before_messages_may_leave_is_a_repeat(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, PLAIN);
        notify_stop(house.notify);
        tell(&house, "DiskFull", "web1", true); /* decided again, after a crash */
        pass(&house, 5);
        assert_int_equal(house.left_count, 0);
        assert_true(notify_start(house.notify, &house.err));
        pass(&house, 1);
        assert_int_equal(house.left_count, 1);
        assert_true(house.left[0].is_repeat);
        tell(&house, "BaseDown", "db1", true);
        pass(&house, 5);
        assert_int_equal(house.left_count, 2);
        assert_false(house.left[1].is_repeat);
        house_done(&house);
}

static void a_result_told_twice_or_of_nobody_changes_nothing(void **state)
{
        (void)state;
        static struct house house;
        struct notify_counts counts;
        house_init(&house, PLAIN);
        tell(&house, "DiskFull", "web1", true);
        pass(&house, 5);
        house.left[0].is_answered = false;
        answer_receivers(&house);
        assert_true(order(&house, "notification_result", json_pack("{s:s, s:s}", "id", "77", "outcome", "sent")));
        assert_false(order(&house, "notification_result", json_pack("{s:s, s:s}", "id", "77", "outcome", "eaten")));
        notify_count(house.notify, &counts);
        assert_int_equal(counts.sent, 1);
        assert_int_equal(counts.pages, 1);
        house_done(&house);
}

static void the_end_is_told_also_while_a_silence_lasts(void **state)
{
        (void)state;
        static struct house house;
        house_init(&house, PLAIN);
        tell(&house, "DiskFull", "web1", true);
        pass(&house, 5);
        assert_true(order(&house, "silence_create", json_pack("{s:[s], s:I}", "matchers", "host=web1", "ends_ns", (json_int_t)(START + 7200 * S))));
        pass(&house, 5);
        tell(&house, "DiskFull", "web1", false);
        pass(&house, 5);
        assert_int_equal(count(&house, "resolved", "hook"), 1);
        tell(&house, "DiskFull", "web1", true); /* and the silence does keep the next one quiet */
        pass(&house, 30);
        assert_int_equal(count(&house, "again", NULL), 0);
        house_done(&house);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_canary_goes_to_who_confirms_and_is_acknowledged_and_over_when_it_was_taken),
                cmocka_unit_test(a_canary_that_nobody_takes_wakes_people_after_five_minutes),
                cmocka_unit_test(a_gap_of_on_call_and_somebody_without_contact_are_told_until_they_are_mended),
                cmocka_unit_test(an_override_closes_a_gap_only_when_its_person_and_schedule_exist),
                cmocka_unit_test(a_receiver_that_fails_for_two_minutes_is_told_to_the_others),
                cmocka_unit_test(at_the_bound_a_message_is_kept_back_counted_and_sent_when_there_is_room),
                cmocka_unit_test(what_is_decided_before_messages_may_leave_is_a_repeat),
                cmocka_unit_test(a_result_told_twice_or_of_nobody_changes_nothing),
                cmocka_unit_test(the_end_is_told_also_while_a_silence_lasts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
