/* delivery_test - what is tried again, when, how often, and what is journaled of it. */
#include "engage/delivery.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

SCOPED_PTR(delivery_destroy, struct delivery)
SCOPED_PTR(http_client_destroy, struct http_client)

/* A receiver that answers as it is told, and the journal's end. */
struct world {
        long status;
        int64_t retry_after_s;
        bool journal_is_full;
        int asked, journaled;
        char outcome[16], id[24], error[200];
        struct delivery *looked_at;     /* while a result is journaled: what could be sent then */
        uint64_t next;
};

static bool answer(void *context, const struct http_request *request, struct http_response *response, struct err *err)
{
        struct world *world = context;
        (void)request, (void)err;
        world->asked++;
        response->status = world->status;
        response->retry_after_s = world->retry_after_s;
        return true;
}

static bool submit(void *context, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        struct world *world = context;
        scoped_ptr(json_decref) json_t *owned = arguments;
        (void)by, (void)err;
        assert_string_equal(verb, "notification_result");
        *out_result = NULL;
        snprintf(world->outcome, sizeof world->outcome, "%s", json_string_value(json_object_get(owned, "outcome")));
        snprintf(world->id, sizeof world->id, "%s", json_string_value(json_object_get(owned, "id")));
        snprintf(world->error, sizeof world->error, "%s", json_string_value(json_object_get(owned, "error")));
        world->journaled += !world->journal_is_full;
        struct item *next = world->looked_at ? take(world->looked_at) : NULL;
        world->next = next ? next->outgoing.id : 0;
        return !world->journal_is_full;
}

static struct delivery *begin(struct world *world)
{
        struct delivery *delivery;
        struct command_sink sink = {.submit = submit, .context = world};
        assert_true(delivery_create(&(struct delivery_options){0}, &sink, &delivery, NULL));
        return delivery;
}

static void hand_in_one(struct delivery *delivery, uint64_t id, const char *receiver, uint32_t per_minute, bool is_page)
{
        scoped_ptr(json_decref) json_t *settings = json_pack("{s:s}", "url", "http://hook/"), *message = json_pack("{s:s, s:[], s:i, s:b}", "occasion", "test", "alerts", "incident", 1, "is_page", is_page);
        struct outgoing outgoing = {.id = id, .receiver = str_of(receiver), .kind = STR("slack"), .to = STR(""), .settings = settings, .message = message, .per_minute = per_minute};
        assert_true(delivery_give(delivery, &outgoing, NULL));
}

static void hand_in(struct delivery *delivery, uint64_t id, const char *receiver, uint32_t per_minute)
{
        hand_in_one(delivery, id, receiver, per_minute, false);
}

static void waits_are_doubled_up_to_ten_minutes_and_after_twelve_tries_it_is_given_up(void **state)
{
        (void)state;
        static const int64_t wanted_s[] = {5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600};
        struct world world = {.status = 503};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 42, "chat", 0);
        for (size_t i = 0; i < countof(wanted_s); i++) {
                int64_t wait_s;
                attempt(delivery, delivery->items, http, &wait_s);
                assert_null(delivery->items->result);
                assert_int_equal(wait_s, wanted_s[i]);
        }
        deliver(delivery, delivery->items, http);
        assert_int_equal(world.asked, DELIVERY_TRIES_MAX);
        assert_string_equal(world.outcome, "given_up");
        assert_string_equal(world.id, "42");
        assert_non_null(strstr(world.error, "503"));
        assert_null(delivery->items);
}

static void a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter_one(void **state)
{
        (void)state;
        struct world world = {.status = 429, .retry_after_s = 90};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        int64_t wait_s;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 1, "chat", 0);
        attempt(delivery, delivery->items, http, &wait_s);
        assert_int_equal(wait_s, 90);
        world.retry_after_s = 1;
        attempt(delivery, delivery->items, http, &wait_s);
        assert_int_equal(wait_s, 10);
        world.retry_after_s = 86400; /* an hour at most: else one bad answer would silence it for a day */
        attempt(delivery, delivery->items, http, &wait_s);
        assert_int_equal(wait_s, 3600);
}

static void what_is_refused_for_good_is_given_up_at_once(void **state)
{
        (void)state;
        struct world world = {.status = 404};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 1, "chat", 0);
        deliver(delivery, delivery->items, http);
        assert_int_equal(world.asked, 1);
        assert_string_equal(world.outcome, "given_up");
}

static void the_first_failure_is_journaled_once_and_then_what_came_of_it(void **state)
{
        (void)state;
        struct world world = {.status = 500};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 1, "chat", 0);
        for (int i = 0; i < 4; i++)
                deliver(delivery, delivery->items, http);
        assert_int_equal(world.journaled, 1);
        assert_string_equal(world.outcome, "failed");
        world.status = 200;
        deliver(delivery, delivery->items, http);
        assert_int_equal(world.journaled, 2);
        assert_string_equal(world.outcome, "sent");
        assert_null(delivery->items);
}

static void a_result_that_could_not_be_journaled_is_not_sent_again_but_journaled_later(void **state)
{
        (void)state;
        struct world world = {.status = 200, .journal_is_full = true};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 1, "chat", 0);
        deliver(delivery, delivery->items, http);
        deliver(delivery, delivery->items, http);
        assert_non_null(delivery->items);
        world.journal_is_full = false;
        deliver(delivery, delivery->items, http);
        assert_int_equal(world.asked, 1);
        assert_int_equal(world.journaled, 1);
        assert_null(delivery->items);
}

static void one_receiver_has_one_message_at_a_time_and_others_do_not_wait_for_it(void **state)
{
        (void)state;
        struct world world = {0};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        hand_in(delivery, 1, "slow", 0);
        hand_in(delivery, 2, "slow", 0);
        hand_in(delivery, 3, "quick", 0);
        struct item *first = take(delivery), *other = take(delivery);
        assert_int_equal(first->outgoing.id, 1);
        assert_int_equal(other->outgoing.id, 3);
        end(delivery, first);
        assert_int_equal(take(delivery)->outgoing.id, 2);
}

static void the_next_message_does_not_wait_until_the_result_of_the_last_is_journaled(void **state)
{
        (void)state;
        struct world world = {.status = 200};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        hand_in(delivery, 1, "chat", 0);
        hand_in(delivery, 2, "chat", 0);
        world.looked_at = delivery;
        deliver(delivery, take(delivery), http);
        assert_int_equal(world.next, 2);
        hand_in(delivery, 3, "chat", 0);
        assert_null(take(delivery)); /* that one is still being sent */
}

static void no_more_a_minute_than_the_receiver_may_have(void **state)
{
        (void)state;
        struct world world = {0};
        scoped_ptr(delivery_destroy) struct delivery *delivery = begin(&world);
        for (uint64_t i = 1; i <= 3; i++)
                hand_in(delivery, i, "phone", 2);
        end(delivery, take(delivery));
        end(delivery, take(delivery));
        assert_null(take(delivery));
        hand_in_one(delivery, 9, "phone", 2, true); /* a page waits for no minute, and passes what does */
        struct item *page = take(delivery);
        assert_int_equal(page->outgoing.id, 9);
        end(delivery, page);
        delivery->rates->minute_ns -= 61 * NS_PER_S;
        assert_int_equal(take(delivery)->outgoing.id, 3);
}

static void the_heart_beats_only_while_ticks_are_decided(void **state)
{
        (void)state;
        struct world world = {.status = 200};
        struct delivery *made;
        struct command_sink sink = {.submit = submit, .context = &world};
        assert_true(delivery_create(&(struct delivery_options){.heartbeat = "http://watch/beat"}, &sink, &made, NULL));
        scoped_ptr(delivery_destroy) struct delivery *delivery = made;
        scoped_ptr(http_client_destroy) struct http_client *http = NULL;
        assert_true(http_client_create(1, answer, &world, &http, NULL));
        delivery_beat(delivery);
        beat(delivery, http);
        assert_int_equal(world.asked, 1);
        delivery->beat_ns -= 61 * NS_PER_S; /* the pipeline stands still: whoever watches must miss the beat */
        beat(delivery, http);
        assert_int_equal(world.asked, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(waits_are_doubled_up_to_ten_minutes_and_after_twelve_tries_it_is_given_up),
                cmocka_unit_test(a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter_one),
                cmocka_unit_test(what_is_refused_for_good_is_given_up_at_once),
                cmocka_unit_test(the_first_failure_is_journaled_once_and_then_what_came_of_it),
                cmocka_unit_test(a_result_that_could_not_be_journaled_is_not_sent_again_but_journaled_later),
                cmocka_unit_test(one_receiver_has_one_message_at_a_time_and_others_do_not_wait_for_it),
                cmocka_unit_test(the_next_message_does_not_wait_until_the_result_of_the_last_is_journaled),
                cmocka_unit_test(no_more_a_minute_than_the_receiver_may_have),
                cmocka_unit_test(the_heart_beats_only_while_ticks_are_decided),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
