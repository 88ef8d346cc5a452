/*
 * delivery.c - see delivery.h. A list of messages under one lock and a few threads that take what is due: receivers are slow, and few at
 * a time; a list is walked faster than one is waited for.
 */
#include "engage/delivery.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "reach/http_client.h"
#include "reach/secrets.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_RETRY_S 5
#define LAST_RETRY_S 600
#define WAIT_MS 1000
#define BEAT_EVERY_NS (60 * NS_PER_S)

struct item {
        struct item *next;
        struct outgoing outgoing;       /* texts and trees are the item's */
        char *texts;
        int64_t due_ns;                 /* monotonic */
        uint32_t tries;
        bool is_taken, is_tried, is_failed_told; /* is_tried: its receiver is free again, though the result is still on its way into the journal */
        const char *result;             /* to be journaled; NULL: not tried out yet */
        struct err err;
};

struct rate { struct rate *next; char *receiver; int64_t minute_ns; uint32_t sent; };

struct delivery {
        struct delivery_options options;
        struct command_sink sink;
        struct lock lock;
        struct signal changed;
        struct item *items;             /* oldest first; guarded by lock, as all that follows */
        struct rate *rates;
        struct secrets secrets;
        bool is_stopping;
        struct thread threads[DELIVERY_THREADS], heart;
        _Atomic int64_t beat_ns;
        char *link, *heartbeat;
        char hostname[256];
};

/* --- life ------------------------------------------------------------------------------------------------------------- */

bool delivery_create(const struct delivery_options *options, const struct command_sink *sink, struct delivery **out_delivery, struct err *err)
{
        struct delivery *delivery = calloc(1, sizeof *delivery);
        if (!delivery)
                return fail_memory(err, "delivery", sizeof *delivery);
        delivery->options = *options;
        delivery->sink = *sink;
        lock_init(&delivery->lock, LOCK_QUEUE);
        secrets_init(&delivery->secrets);
        signal_init(&delivery->changed);
        delivery->link = strdup(options->link ? options->link : "");
        delivery->heartbeat = strdup(options->heartbeat ? options->heartbeat : "");
        if (gethostname(delivery->hostname, sizeof delivery->hostname - 1) != 0 || !delivery->hostname[0])
                snprintf(delivery->hostname, sizeof delivery->hostname, "localhost");
        if (!delivery->link || !delivery->heartbeat) {
                delivery_destroy(delivery);
                return fail_memory(err, "delivery", 64);
        }
        *out_delivery = delivery;
        return true;
}

static void item_destroy(struct item *item)
{
        if (!item)
                return;
        json_decref((json_t *)item->outgoing.settings);
        json_decref((json_t *)item->outgoing.message);
        free(item->texts);
        free(item);
}

void delivery_destroy(struct delivery *delivery)
{
        if (!delivery)
                return;
        delivery_stop(delivery);
        for (struct item *item = delivery->items, *next; item; item = next) {
                next = item->next;
                item_destroy(item);
        }
        for (struct rate *rate = delivery->rates, *next; rate; rate = next) {
                next = rate->next;
                free(rate->receiver);
                free(rate);
        }
        secrets_done(&delivery->secrets);
        free(delivery->link);
        free(delivery->heartbeat);
        signal_done(&delivery->changed);
        lock_done(&delivery->lock);
        free(delivery);
}

/* Texts in one block, trees copied deep: jansson's counts are not for two threads. */
static struct item *item_create(const struct outgoing *outgoing, struct err *err)
{
        struct item *item = calloc(1, sizeof *item);
        size_t bytes = outgoing->receiver.length + outgoing->kind.length + outgoing->to.length;
        if (item) {
                item->outgoing = *outgoing;
                item->outgoing.settings = outgoing->settings ? json_deep_copy(outgoing->settings) : json_object();
                item->outgoing.message = json_deep_copy(outgoing->message);
                item->texts = malloc(bytes + 1);
        }
        if (!item || !item->texts || !item->outgoing.settings || !item->outgoing.message) {
                item_destroy(item);
                fail_memory(err, "delivery", bytes);
                return NULL;
        }
        char *at = item->texts;
        struct str *texts[] = {&item->outgoing.receiver, &item->outgoing.kind, &item->outgoing.to};
        for (size_t i = 0; i < countof(texts); i++) {
                if (texts[i]->length)
                        memcpy(at, texts[i]->bytes, texts[i]->length);
                texts[i]->bytes = at;
                at += texts[i]->length;
        }
        return item;
}

bool delivery_give(struct delivery *delivery, const struct outgoing *outgoing, struct err *err)
{
        if (delivery->options.fake) {
                delivery->options.fake(delivery->options.fake_context, outgoing);
                return true;
        }
        struct item *item = item_create(outgoing, err);
        if (!item)
                return false;
        with_lock(&delivery->lock);
        struct item **end = &delivery->items;
        while (*end)
                end = &(*end)->next;
        *end = item;
        signal_one(&delivery->changed);
        return true;
}

bool delivery_set_secrets(struct delivery *delivery, const json_t *secrets, struct err *err)
{
        return secrets_set(&delivery->secrets, secrets, err);
}

void delivery_beat(struct delivery *delivery)
{
        atomic_store_explicit(&delivery->beat_ns, clock_monotonic_ns(&clock_real), memory_order_relaxed);
}

/* --- secrets ---------------------------------------------------------------------------------------------------------- */

static bool find_secret(void *context, struct str name, struct buf *out, struct err *err)
{
        struct delivery *delivery = context;
        return secrets_find(&delivery->secrets, name, out, err);
}

/* --- the threads ------------------------------------------------------------------------------------------------------ */

/* False: its receiver had all it may have in this minute. A page counts and waits for nothing: in a storm the bound would hold it back for minutes. */
static bool is_within_rate(struct delivery *delivery, const struct item *item, int64_t now_ns)
{
        struct rate *rate = delivery->rates;
        if (!item->outgoing.per_minute || item->result)
                return true;
        while (rate && !str_is(item->outgoing.receiver, rate->receiver))
                rate = rate->next;
        if (!rate) {
                rate = calloc(1, sizeof *rate);
                char *name = rate ? strndup(item->outgoing.receiver.bytes, item->outgoing.receiver.length) : NULL;
                if (!name) {
                        free(rate);
                        return true;
                }
                *rate = (struct rate){delivery->rates, name, now_ns, 0};
                delivery->rates = rate;
        }
        if (now_ns - rate->minute_ns >= 60 * NS_PER_S) {
                rate->minute_ns = now_ns;
                rate->sent = 0;
        }
        if (rate->sent >= item->outgoing.per_minute && !json_flag(item->outgoing.message, "is_page", false))
                return false;
        rate->sent++;
        return true;
}

static bool is_busy(const struct delivery *delivery, struct str receiver)
{
        for (const struct item *item = delivery->items; item; item = item->next)
                if (item->is_taken && !item->is_tried && str_equal(item->outgoing.receiver, receiver))
                        return true;
        return false;
}

/* The oldest that is due and whose receiver is free; NULL after a while without one, or when it is time to stop. */
static struct item *take(struct delivery *delivery)
{
        with_lock(&delivery->lock);
        int64_t now_ns = clock_monotonic_ns(&clock_real);
        for (struct item *item = delivery->items; item && !delivery->is_stopping; item = item->next)
                if (!item->is_taken && item->due_ns <= now_ns && (item->result || !is_busy(delivery, item->outgoing.receiver)) && is_within_rate(delivery, item, now_ns)) {
                        item->is_taken = true;
                        item->is_tried = item->result;
                        return item;
                }
        if (!delivery->is_stopping)
                signal_wait_ms(&delivery->changed, &delivery->lock, WAIT_MS);
        return NULL;
}

static void put_back(struct delivery *delivery, struct item *item, int64_t wait_s)
{
        with_lock(&delivery->lock);
        item->due_ns = clock_monotonic_ns(&clock_real) + wait_s * NS_PER_S;
        item->is_taken = false;
        signal_all(&delivery->changed);
}

static void end(struct delivery *delivery, struct item *item)
{
        with_lock(&delivery->lock);
        struct item **at = &delivery->items;
        while (*at != item)
                at = &(*at)->next;
        *at = item->next;
        item_destroy(item);
        signal_all(&delivery->changed);
}

static bool journal(struct delivery *delivery, struct item *item, const char *outcome)
{
        char id[24];
        json_t *result = NULL;
        struct err err = {0};
        snprintf(id, sizeof id, "%" PRIu64, item->outgoing.id);
        json_t *why = json_string(item->err.code ? item->err.message : "");
        json_t *arguments = json_pack("{s:s, s:s, s:i, s:o}", "id", id, "outcome", outcome, "attempts", (int)item->tries, "error", why ? why : json_string("?"));
        bool good = arguments && delivery->sink.submit(delivery->sink.context, "notification_result", arguments, "evenkeel", &result, &err);
        json_decref(result);
        return good;
}

/* One try, and what comes of it. */
static void attempt(struct delivery *delivery, struct item *item, struct http_client *http, int64_t *out_wait_s)
{
        struct receiver_context context = {http, delivery->link, find_secret, delivery, delivery->hostname};
        struct receiver_outcome outcome = {0};
        const struct receiver_kind *kind = receiver_kind_find(item->outgoing.kind);
        item->err = (struct err){0};
        item->tries++;
        bool good = kind ? kind->send(&context, &item->outgoing, &outcome, &item->err) :
                           fail(&item->err, ERR_NOT_FOUND, "delivery", "there is no receiver %.*s any more", STR_ARGS(item->outgoing.receiver));
        int64_t backoff_s = (int64_t)FIRST_RETRY_S << min_of(item->tries - 1, 10u);
        int64_t asked_s = min_of(outcome.retry_after_s, (int64_t)3600);
        backoff_s = min_of(backoff_s, (int64_t)LAST_RETRY_S);
        *out_wait_s = max_of(backoff_s, asked_s);
        if (good)
                item->result = "sent";
        else if (!outcome.may_retry || item->tries >= DELIVERY_TRIES_MAX)
                item->result = "given_up";
}

/* The next message need not wait until the result of this one is decided: amid a storm that would be as long as everything before it takes. */
static void free_receiver(struct delivery *delivery, struct item *item)
{
        with_lock(&delivery->lock);
        item->is_tried = true;
        signal_one(&delivery->changed);
}

static void deliver(struct delivery *delivery, struct item *item, struct http_client *http)
{
        int64_t wait_s = 0;
        if (!item->result) {
                attempt(delivery, item, http, &wait_s);
                if (item->result)
                        free_receiver(delivery, item);
        }
        if (!item->result) {
                if (!item->is_failed_told)
                        item->is_failed_told = journal(delivery, item, "failed");
                put_back(delivery, item, wait_s);
        } else if (journal(delivery, item, item->result)) {
                end(delivery, item);
        } else {
                put_back(delivery, item, 1); /* the journal is full, or stopping */
        }
}

static bool is_stopping(struct delivery *delivery)
{
        with_lock(&delivery->lock);
        return delivery->is_stopping;
}

static void run(void *context)
{
        struct delivery *delivery = context;
        struct http_client *http = NULL;
        struct err err = {0};
        if (!http_client_create(1, NULL, NULL, &http, &err))
                log_err(LOG_LEVEL_ERROR, &err);
        while (http && !is_stopping(delivery)) {
                struct item *item = take(delivery);
                if (item)
                        deliver(delivery, item, http);
        }
        http_client_destroy(http);
}

/* While ticks are decided, and only then: whoever watches outside notices when they are not. */
static void beat(struct delivery *delivery, struct http_client *http)
{
        struct http_response response = {0};
        struct err err = {0};
        scoped(buf_done) struct buf url = {0};
        struct str place = str_of(delivery->heartbeat);
        int64_t silent_ns = clock_monotonic_ns(&clock_real) - atomic_load_explicit(&delivery->beat_ns, memory_order_relaxed);
        bool known = str_starts_with(place, STR("secret:")) ? find_secret(delivery, str_slice(place, 7, place.length), &url, &err) : buf_add(&url, place);
        if (silent_ns > BEAT_EVERY_NS)
                return;
        struct http_request request = {.url = url.bytes, .body_bytes_max = 64 << 10};
        if (!known || !buf_byte(&url, 0) || (request.url = url.bytes, !http_fetch(http, &request, &response, &err)))
                log_err(LOG_LEVEL_WARNING, &err);
        buf_done(&response.body);
}

static void run_heart(void *context)
{
        struct delivery *delivery = context;
        struct http_client *http = NULL;
        int64_t due_ns = clock_monotonic_ns(&clock_real) + 2 * NS_PER_S;
        if (!http_client_create(1, NULL, NULL, &http, NULL))
                return;
        while (!is_stopping(delivery)) {
                {
                        with_lock(&delivery->lock);
                        if (!delivery->is_stopping)
                                signal_wait_ms(&delivery->changed, &delivery->lock, WAIT_MS);
                }
                if (clock_monotonic_ns(&clock_real) < due_ns)
                        continue;
                due_ns += BEAT_EVERY_NS;
                beat(delivery, http);
        }
        http_client_destroy(http);
}

bool delivery_start(struct delivery *delivery, struct err *err)
{
        bool good = true;
        delivery->is_stopping = false;
        for (size_t i = 0; good && !delivery->options.fake && i < DELIVERY_THREADS; i++)
                good = thread_start(&delivery->threads[i], "delivery", run, delivery, err);
        if (good && !delivery->options.fake && *delivery->heartbeat)
                good = thread_start(&delivery->heart, "heartbeat", run_heart, delivery, err);
        return good;
}

void delivery_stop(struct delivery *delivery)
{
        {
                with_lock(&delivery->lock);
                delivery->is_stopping = true;
                signal_all(&delivery->changed);
        }
        for (size_t i = 0; i < DELIVERY_THREADS; i++)
                thread_join(&delivery->threads[i]);
        thread_join(&delivery->heart);
}
