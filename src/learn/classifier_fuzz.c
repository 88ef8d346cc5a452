/* classifier_fuzz - any bytes are texts to learn and to ask about, and any bytes make a classifier or a clear error. */
#include "base/scope.h"
#include "learn/classifier.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(classifier_destroy, struct classifier)

static void check_places(const struct text_features *features, const struct str *fields, size_t field_count)
{
        for (uint32_t i = 0; i < features->count; i++) {
                const struct text_feature *feature = &features->items[i];
                if (feature->field >= field_count || !feature->length || (size_t)feature->start + feature->length > fields[feature->field].length)
                        abort();
        }
}

/* Each line is "label text, text". */
static void learn_all(struct classifier *classifier, struct text_features *features, struct str lines)
{
        struct str line, label, fields[2];
        for (int i = 0; i < 64 && str_cut(&lines, '\n', &line); i++) {
                struct err err = {0};
                struct classifier_answer answer;
                str_cut(&line, ' ', &label);
                fields[0] = fields[1] = (struct str){0};
                str_cut(&line, ',', &fields[0]);
                fields[1] = line;
                text_features_of(features, fields, 2);
                check_places(features, fields, 2);
                if (!classifier_learn(classifier, features, label, label.length, &err) && !err.message[0])
                        abort();
                classifier_classify(classifier, features, &answer);
                if (answer.count && !(answer.confidence >= 0 && answer.confidence <= 1))
                        abort();
        }
        classifier_forget(classifier, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str input = {(const char *)bytes, count};
        struct classifier_bounds bounds = {.examples_max = 16, .labels_max = 12};
        struct err err = {0};
        scoped(text_features_done) struct text_features features = {0};
        scoped(buf_done) struct buf snapshot = {0}, again = {0};
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_restore(input, bounds, &err);
        if (!classifier && !err.message[0])
                abort();
        if (!classifier)
                classifier = classifier_create(bounds, NULL);
        if (!classifier || !text_features_init(&features))
                abort();
        learn_all(classifier, &features, input);
        if (!classifier_snapshot(classifier, &snapshot, NULL))
                abort();
        scoped_ptr(classifier_destroy) struct classifier *twin = classifier_restore(buf_str(&snapshot), bounds, NULL);
        if (!twin || !classifier_snapshot(twin, &again, NULL) || !str_equal(buf_str(&snapshot), buf_str(&again)))
                abort();
        return 0;
}
