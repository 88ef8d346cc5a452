/* classifier_test - what it learns, how sure it is, what it takes back, and what happens at the bounds. */
#include "learn/classifier.h"

#include "base/rng.h"
#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

SCOPED_PTR(classifier_destroy, struct classifier)

static struct text_features features;

static int start(void **state)
{
        (void)state;
        return text_features_init(&features) ? 0 : 1;
}

static int stop(void **state)
{
        (void)state;
        text_features_done(&features);
        return 0;
}

static const struct text_features *of(const char *text)
{
        struct str field = str_of(text);
        text_features_of(&features, &field, 1);
        return &features;
}

static struct classifier *classifier_new(struct classifier_bounds bounds)
{
        struct classifier *classifier = classifier_create(bounds, NULL);
        assert_non_null(classifier);
        return classifier;
}

/* Made-up tickets: each team has words of its own and some that all use; one in twenty has a wrong label. */
static const char *const teams[] = {"network", "storage", "access", "printing"};
static const char *const own[][6] = {
        {"vpn", "switch", "wireless", "tunnel", "router", "latency"}, {"disk", "quota", "volume", "backup", "share", "full"},
        {"password", "account", "locked", "login", "reset", "expired"}, {"printer", "toner", "paper", "scan", "tray", "jam"}};
static const char *const shared[] = {"please", "help", "my", "since", "today", "office", "user", "urgent", "the", "not"};

static const char *ticket(struct rng *rng, uint32_t team, char text[256])
{
        size_t length = 0;
        for (int i = 0; i < 8; i++) {
                uint64_t dice = rng_below(rng, 10);
                const char *word = dice < 3 ? own[team][rng_below(rng, 6)] : dice < 4 ? own[rng_below(rng, 4)][rng_below(rng, 6)]
                                                                                       : shared[rng_below(rng, countof(shared))];
                length += (size_t)snprintf(text + length, 256 - length, "%s ", word);
        }
        return text;
}

static void teach(struct classifier *classifier, struct rng *rng, int count, uint64_t set, bool online)
{
        char text[256];
        for (int i = 0; i < count; i++) {
                uint32_t team = (uint32_t)rng_below(rng, 4);
                of(ticket(rng, team, text));
                struct str label = str_of(teams[rng_below(rng, 20) ? team : rng_below(rng, 4)]);
                assert_true(online ? classifier_learn(classifier, &features, label, set, NULL) : classifier_add(classifier, &features, label, set, NULL));
        }
        assert_true(online || classifier_fit(classifier, NULL));
}

static struct str first(const struct classifier *classifier, const char *text, struct classifier_answer *out_answer)
{
        classifier_classify(classifier, of(text), out_answer);
        return out_answer->count ? classifier_label(classifier, out_answer->labels[0]) : STR("");
}

/* The share that is right, and how far confidence is from it, over ten bins. */
static double examine(const struct classifier *classifier, int count, double *out_error)
{
        struct rng rng = {77};
        char text[256];
        int right = 0, in_bin[10] = {0};
        double lead[10] = {0}, error = 0;
        struct classifier_answer answer;
        for (int i = 0; i < count; i++) {
                uint32_t team = (uint32_t)rng_below(&rng, 4);
                bool is_right = str_is(first(classifier, ticket(&rng, team, text), &answer), teams[team]);
                int bin = (int)fmin(answer.confidence * 10, 9);
                right += is_right;
                in_bin[bin]++;
                lead[bin] += answer.confidence - is_right;
        }
        for (int bin = 0; bin < 10; bin++)
                error += in_bin[bin] ? fabs(lead[bin]) : 0;
        *out_error = error / count;
        return (double)right / count;
}

static void it_learns_in_bulk_and_knows_how_sure_it_is(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1};
        double error;
        teach(classifier, &rng, 1500, 0, false);
        assert_true(examine(classifier, 2000, &error) > 0.85);
        assert_true(error < 0.08); /* a twentieth of what it learnt was wrong, the questions are not */
}

static void learning_one_by_one_comes_to_nearly_the_same(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *bulk = classifier_new((struct classifier_bounds){0});
        scoped_ptr(classifier_destroy) struct classifier *online = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1}, again = {1};
        double error;
        teach(bulk, &rng, 1500, 0, false);
        teach(online, &again, 1500, 0, true);
        assert_true(examine(online, 2000, &error) > examine(bulk, 2000, &error) - 0.03);
        struct classifier_counts counts = classifier_counts(online);
        assert_true(counts.trials > 1400 && counts.trials_right > counts.trials / 2);
        assert_int_equal(counts.learnt, 1500);
}

static void a_correction_counts_at_once(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1};
        struct classifier_answer answer;
        teach(classifier, &rng, 300, 1, true);
        assert_true(classifier_learn(classifier, of("badge reader at the gate"), STR("facilities"), 2, NULL));
        assert_true(str_is(first(classifier, "the badge reader is dead", &answer), "facilities"));
        assert_true(str_is(first(classifier, "toner for the printer", &answer), "printing"));
}

static void what_is_forgotten_leaves_nothing(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1};
        struct classifier_answer answer;
        char text[256];
        teach(classifier, &rng, 400, 1, false);
        uint32_t rows = classifier_counts(classifier).rows;
        for (int i = 0; i < 40; i++) {
                snprintf(text, sizeof text, "printer toner paper zzz%d", i);
                assert_true(classifier_learn(classifier, of(text), STR("access"), 666, NULL));
        }
        assert_true(str_is(first(classifier, "printer toner paper", &answer), "access"));
        assert_int_equal(classifier_forget(classifier, 666), 40);
        assert_true(str_is(first(classifier, "printer toner paper", &answer), "printing"));
        assert_int_equal(classifier_counts(classifier).rows, rows);
        assert_int_equal(classifier_counts(classifier).examples, 400);
        assert_int_equal(classifier_forget(classifier, 666), 0);
}

static void forgetting_all_of_a_label_unnames_it(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct classifier_answer answer;
        assert_int_equal((first(classifier, "anything", &answer), answer.count), 0);
        assert_true(classifier_learn(classifier, of("a printer"), STR("printing"), 1, NULL));
        assert_true(classifier_learn(classifier, of("a disk"), STR("storage"), 2, NULL));
        assert_int_equal(classifier_forget(classifier, 1), 1);
        assert_true(str_is(first(classifier, "a printer", &answer), "storage"));
        assert_int_equal(answer.count, 1);
        assert_int_equal(classifier_forget(classifier, 2), 1);
        first(classifier, "a printer", &answer);
        assert_int_equal(answer.count, 0);
}

static void the_words_behind_an_answer_are_named(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1};
        struct classifier_answer answer;
        struct classifier_reason reasons[3];
        teach(classifier, &rng, 800, 1, false);
        const char *text = "please help the toner of my office";
        assert_true(str_is(first(classifier, text, &answer), "printing"));
        uint32_t count = classifier_explain(classifier, of(text), answer.labels[0], answer.labels[1], reasons, countof(reasons));
        assert_int_equal(count, 3);
        assert_true(str_is(str_slice(str_of(text), reasons[0].start, reasons[0].start + reasons[0].length), "toner"));
        assert_true(reasons[0].weight > 0 && fabsf(reasons[0].weight) >= fabsf(reasons[1].weight));
        assert_int_equal(classifier_explain(classifier, of(text), 99, 0, reasons, 3), 0);
}

static void the_oldest_are_forgotten_at_the_bound(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *few = classifier_new((struct classifier_bounds){.examples_max = 100});
        scoped_ptr(classifier_destroy) struct classifier *small = classifier_new((struct classifier_bounds){.bytes_max = 100000});
        struct rng rng = {1};
        struct classifier_answer answer;
        assert_true(classifier_learn(few, of("a badge"), STR("facilities"), 1, NULL));
        teach(few, &rng, 400, 2, true);
        teach(small, &rng, 400, 2, true);
        struct classifier_counts counts = classifier_counts(few);
        assert_true(counts.examples <= 100 && counts.examples > 80);
        assert_int_equal(counts.forgotten + counts.examples, counts.learnt);
        assert_false(str_is(first(few, "a badge", &answer), "facilities"));
        counts = classifier_counts(small);
        assert_true(counts.bytes <= 100000 && counts.forgotten > 0 && counts.examples > 10);
}

static void labels_past_the_bound_or_broken_are_refused(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){.labels_max = 2});
        struct err err = {0};
        char label[CLASSIFIER_LABEL_BYTES_MAX + 2] = {0};
        assert_true(classifier_learn(classifier, of("a"), STR("x"), 1, NULL));
        assert_true(classifier_learn(classifier, of("b"), STR("y"), 1, NULL));
        assert_false(classifier_learn(classifier, of("c"), STR("z"), 1, &err));
        assert_int_equal(err.code, ERR_FULL);
        assert_int_equal(classifier_counts(classifier).examples, 2);
        memset(label, 'l', sizeof label - 1);
        assert_false(classifier_learn(classifier, of("c"), str_of(label), 1, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

static void many_labels_and_empty_texts_do_no_harm(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct classifier_answer answer;
        char text[64], label[16];
        for (int i = 0; i < 200; i++) {
                snprintf(label, sizeof label, "team%d", i % 100);
                snprintf(text, sizeof text, "matter%d of part%d", i % 100, i);
                assert_true(classifier_learn(classifier, of(text), str_of(label), 1, NULL));
        }
        assert_true(classifier_learn(classifier, of(""), STR("team7"), 1, NULL));
        assert_true(str_is(first(classifier, "matter42", &answer), "team42"));
        assert_int_equal(answer.count, CLASSIFIER_BEST);
        first(classifier, "", &answer);
        assert_true(answer.count == CLASSIFIER_BEST && isfinite(answer.confidence));
}

static void a_restored_one_answers_and_learns_the_same(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        struct rng rng = {1};
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        struct classifier_answer a, b;
        char text[256];
        teach(classifier, &rng, 200, 1, false);
        teach(classifier, &rng, 30, 2, true);
        assert_int_equal(classifier_forget(classifier, 2), 30);
        assert_true(classifier_snapshot(classifier, &bytes, NULL));
        scoped_ptr(classifier_destroy) struct classifier *twin = classifier_restore(buf_str(&bytes), (struct classifier_bounds){0}, NULL);
        assert_non_null(twin);
        for (int i = 0; i < 50; i++) {
                uint32_t team = (uint32_t)rng_below(&rng, 4);
                ticket(&rng, team, text);
                first(classifier, text, &a);
                first(twin, text, &b);
                assert_memory_equal(&a, &b, sizeof a);
                assert_true(classifier_learn(classifier, of(text), str_of(teams[team]), 3, NULL));
                assert_true(classifier_learn(twin, of(text), str_of(teams[team]), 3, NULL));
        }
        buf_clear(&bytes);
        assert_true(classifier_snapshot(classifier, &bytes, NULL) && classifier_snapshot(twin, &again, NULL));
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
}

static void a_damaged_snapshot_is_refused(void **state)
{
        (void)state;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_new((struct classifier_bounds){0});
        scoped(buf_done) struct buf bytes = {0};
        struct err err = {0};
        assert_true(classifier_learn(classifier, of("a printer"), STR("printing"), 1, NULL));
        assert_true(classifier_snapshot(classifier, &bytes, NULL));
        for (size_t length = 0; length < bytes.length; length++) {
                assert_null(classifier_restore(str_slice(buf_str(&bytes), 0, length), (struct classifier_bounds){0}, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
        }
        assert_true(buf_byte(&bytes, 0));
        assert_null(classifier_restore(buf_str(&bytes), (struct classifier_bounds){0}, &err));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_learns_in_bulk_and_knows_how_sure_it_is),
                cmocka_unit_test(learning_one_by_one_comes_to_nearly_the_same),
                cmocka_unit_test(a_correction_counts_at_once),
                cmocka_unit_test(what_is_forgotten_leaves_nothing),
                cmocka_unit_test(forgetting_all_of_a_label_unnames_it),
                cmocka_unit_test(the_words_behind_an_answer_are_named),
                cmocka_unit_test(the_oldest_are_forgotten_at_the_bound),
                cmocka_unit_test(labels_past_the_bound_or_broken_are_refused),
                cmocka_unit_test(many_labels_and_empty_texts_do_no_harm),
                cmocka_unit_test(a_restored_one_answers_and_learns_the_same),
                cmocka_unit_test(a_damaged_snapshot_is_refused),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
