/* router.c - see router.h. Learning one example takes about a millisecond, making the model anew from a thousand about a second, which only a revert and the bound cost. */
#include "engage/router.h"

#include "base/scope.h"
#include "learn/classifier.h"

#include <stdlib.h>
#include <string.h>

#define ROUTER_LIST_MAX (2 * ROUTER_EXAMPLES_MAX)

SCOPED_PTR(classifier_destroy, struct classifier)

struct router {
        struct classifier *classifier;
        struct text_features features;
        struct router_example *items;   /* oldest first; texts owned */
        size_t count, dirty;
};

static struct classifier *fresh(struct err *err)
{
        return classifier_create((struct classifier_bounds){.examples_max = 2 * ROUTER_EXAMPLES_MAX, .bytes_max = (uint64_t)64 << 20}, err);
}

bool router_create(struct router **out_router, struct err *err)
{
        struct router *router = calloc(1, sizeof *router);
        if (!router)
                return fail_memory(err, "engage", sizeof *router);
        router->items = calloc(ROUTER_LIST_MAX, sizeof *router->items);
        if (!router->items || !text_features_init(&router->features)) {
                fail_memory(err, "engage", ROUTER_EXAMPLES_MAX * sizeof *router->items);
                router_destroy(router);
                return false;
        }
        if (!(router->classifier = fresh(err))) {
                router_destroy(router);
                return false;
        }
        *out_router = router;
        return true;
}

static void example_done(struct router_example *example)
{
        for (size_t i = 0; i < ROUTER_FIELDS; i++)
                free((char *)example->texts[i].bytes);
        free((char *)example->team.bytes);
}

void router_destroy(struct router *router)
{
        if (!router)
                return;
        for (size_t i = 0; i < router->count; i++)
                example_done(&router->items[i]);
        free(router->items);
        text_features_done(&router->features);
        classifier_destroy(router->classifier);
        free(router);
}

static bool own(struct str *text)
{
        size_t length = min_of(text->length, (size_t)ROUTER_TEXT_BYTES_MAX);
        char *copy = strndup(text->bytes ? text->bytes : "", length);
        *text = (struct str){copy, copy ? strlen(copy) : 0};
        return copy;
}

static bool push(struct router *router, const struct router_example *example, bool is_dirty, struct err *err)
{
        struct router_example copy = *example;
        bool good = own(&copy.team);
        for (size_t i = 0; i < ROUTER_FIELDS; i++)
                good = own(&copy.texts[i]) && good;
        if (!good) {
                example_done(&copy);
                return fail_memory(err, "engage", sizeof copy);
        }
        copy.is_dirty = is_dirty;
        copy.is_gone = false;
        router->items[router->count++] = copy;
        router->dirty += is_dirty;
        return true;
}

static bool learn(struct router *router, struct classifier *classifier, const struct router_example *example, struct err *err)
{
        text_features_of(&router->features, example->texts, ROUTER_FIELDS);
        return classifier_learn(classifier, &router->features, example->team, example->id, err);
}

/* The last word about an incident is the one that counts. */
static bool is_effective(const struct router *router, size_t at)
{
        for (size_t i = at + 1; i < router->count; i++)
                if (!router->items[i].is_gone && router->items[i].incident == router->items[at].incident)
                        return false;
        return !router->items[at].is_gone;
}

bool router_rebuild(struct router *router, struct err *err)
{
        scoped_ptr(classifier_destroy) struct classifier *made = fresh(err);
        if (!made)
                return false;
        for (size_t i = 0; i < router->count; i++)
                if (is_effective(router, i) && !learn(router, made, &router->items[i], err))
                        return false;
        classifier_destroy(router->classifier);
        router->classifier = give(made);
        return true;
}

static void let_go(struct router *router, struct router_example *example)
{
        router->dirty += !example->is_dirty;
        example->is_gone = example->is_dirty = true;
}

/* Rows that wait to be removed still stand in the list; so it may be full of them. */
static bool make_room(struct router *router)
{
        size_t held = 0;
        for (size_t i = 0; i < router->count; i++)
                held += !router->items[i].is_gone;
        bool is_full = held >= ROUTER_EXAMPLES_MAX;
        for (size_t i = 0, dropped = 0; is_full && dropped < ROUTER_EXAMPLES_DROPPED; i++)
                if (!router->items[i].is_gone) {
                        let_go(router, &router->items[i]);
                        dropped++;
                }
        return is_full;
}

static bool knows_incident(const struct router *router, uint64_t incident)
{
        for (size_t i = 0; i < router->count; i++)
                if (!router->items[i].is_gone && router->items[i].incident == incident)
                        return true;
        return false;
}

bool router_learn(struct router *router, const struct router_example *example, struct err *err)
{
        if (router->count >= ROUTER_LIST_MAX)
                return fail(err, ERR_BUSY, "engage", "too many words about routing wait to be stored; say it again in a moment");
        bool is_other = knows_incident(router, example->incident), is_dropped = make_room(router);
        if (!push(router, example, true, err))
                return false;
        if (is_other || is_dropped ? router_rebuild(router, err) : learn(router, router->classifier, &router->items[router->count - 1], err))
                return true;
        example_done(&router->items[--router->count]);
        router->dirty--;
        return false;
}

bool router_revert(struct router *router, uint64_t id, struct err *err)
{
        for (size_t i = 0; i < router->count; i++)
                if (router->items[i].id == id && !router->items[i].is_gone) {
                        let_go(router, &router->items[i]);
                        return router_rebuild(router, err);
                }
        return fail(err, ERR_NOT_FOUND, "engage", "the word is not held any more: there came too many after it");
}

void router_answer(const struct router *router, const struct str texts[static ROUTER_FIELDS], struct router_answer *out_answer)
{
        struct classifier_answer answer;
        struct classifier_reason reasons[ROUTER_WORDS];
        struct text_features *features = (struct text_features *)&router->features; /* working memory */
        *out_answer = (struct router_answer){.team = STR("")};
        text_features_of(features, texts, ROUTER_FIELDS);
        classifier_classify(router->classifier, features, &answer);
        if (!answer.count)
                return;
        out_answer->team = classifier_label(router->classifier, answer.labels[0]);
        out_answer->confidence = answer.confidence;
        for (size_t i = 0; i < router->count; i++)
                out_answer->examples += is_effective(router, i) && str_equal(router->items[i].team, out_answer->team);
        out_answer->word_count = classifier_explain(router->classifier, features, answer.labels[0], answer.labels[answer.count > 1], reasons, ROUTER_WORDS);
        for (size_t i = 0; i < out_answer->word_count; i++)
                out_answer->words[i] = (struct router_word){str_slice(texts[reasons[i].field], reasons[i].start, reasons[i].start + reasons[i].length),
                                                            (double)reasons[i].weight};
}

bool router_restore(struct router *router, const struct router_example *example, struct err *err)
{
        return router->count < ROUTER_EXAMPLES_MAX ? push(router, example, false, err) : fail(err, ERR_CORRUPT, "engage", "there are more than %d examples of routing", ROUTER_EXAMPLES_MAX);
}

const struct router_example *router_dirty(const struct router *router, size_t *at)
{
        while (*at < router->count && !router->items[*at].is_dirty)
                ++*at;
        return *at < router->count ? &router->items[(*at)++] : NULL;
}

bool router_is_dirty(const struct router *router)
{
        return router->dirty > 0;
}

void router_clean(struct router *router)
{
        size_t kept = 0;
        for (size_t i = 0; router->dirty && i < router->count; i++) {
                router->items[i].is_dirty = false;
                if (router->items[i].is_gone)
                        example_done(&router->items[i]);
                else
                        router->items[kept++] = router->items[i];
        }
        if (router->dirty)
                router->count = kept;
        router->dirty = 0;
}

bool router_snapshot(const struct router *router, struct buf *out, struct err *err)
{
        return classifier_snapshot(router->classifier, out, err);
}
