/*
 * verb_route.c - the classifier over tables of tickets, without a daemon: learns from one, answers for the other. For
 * trying it on one's own history before letting it route, and for measuring it.
 */
#include "base/buf.h"
#include "base/scope.h"
#include "cli/input.h"
#include "cli/verb.h"
#include "learn/classifier.h"
#include "wire/csv.h"

#include <stdio.h>

SCOPED_PTR(classifier_destroy, struct classifier)

struct text_columns {
        size_t items[TEXT_FIELDS_MAX];
        size_t count;
};

static bool find_texts(const struct csv *csv, const char *list, struct text_columns *out_columns, struct err *err)
{
        struct str rest = str_of(list), name;
        struct text_columns columns = {0};
        while (str_cut(&rest, ',', &name)) {
                if (columns.count == TEXT_FIELDS_MAX)
                        return fail(err, ERR_INVALID, "route", "choosing columns of text: at most %d, by --text", TEXT_FIELDS_MAX);
                if (!csv_column(csv, name, &columns.items[columns.count++], err))
                        return false;
        }
        *out_columns = columns;
        return true;
}

static void features_of_row(struct text_features *features, const struct csv *csv, const struct text_columns *columns)
{
        struct str texts[TEXT_FIELDS_MAX];
        for (size_t i = 0; i < columns->count; i++)
                texts[i] = csv->fields.items[columns->items[i]];
        text_features_of(features, texts, columns->count);
}

static bool learn_table(struct classifier *classifier, struct text_features *features, struct str text, const char *texts,
                        const char *label, struct err *err)
{
        scoped(csv_done) struct csv csv;
        struct text_columns columns;
        size_t label_column;
        bool has_row;
        if (!csv_open(&csv, text, err) || !find_texts(&csv, texts, &columns, err) || !csv_column(&csv, str_of(label), &label_column, err))
                return false;
        for (;;) {
                if (!csv_next(&csv, &has_row, err))
                        return false;
                if (!has_row)
                        return classifier_fit(classifier, err);
                features_of_row(features, &csv, &columns);
                if (!classifier_add(classifier, features, csv.fields.items[label_column], 0, err))
                        return err_within(err, "line %zu", csv.line);
        }
}

static void print_answer(const struct classifier *classifier, const struct classifier_answer *answer, size_t row, struct buf *out)
{
        buf_printf(out, "%zu", row);
        for (uint32_t i = 0; i < CLASSIFIER_BEST; i++) {
                csv_write_field(out, i < answer->count ? classifier_label(classifier, answer->labels[i]) : STR(""), false);
                if (i == 0)
                        buf_printf(out, ",%.6f", answer->confidence);
        }
        buf_byte(out, '\n');
}

static bool answer_table(const struct classifier *classifier, struct text_features *features, struct str text, const char *texts,
                         struct buf *out, struct err *err)
{
        scoped(csv_done) struct csv csv;
        struct text_columns columns;
        bool has_row;
        if (!csv_open(&csv, text, err) || !find_texts(&csv, texts, &columns, err))
                return false;
        buf_text(out, "row,first,confidence,second,third\n");
        for (size_t row = 0;; row++) {
                struct classifier_answer answer;
                if (!csv_next(&csv, &has_row, err))
                        return false;
                if (!has_row)
                        return true;
                features_of_row(features, &csv, &columns);
                classifier_classify(classifier, features, &answer);
                print_answer(classifier, &answer, row, out);
        }
}

bool verb_route(struct cli *cli, struct err *err)
{
        const char *train = cli_option(cli, "train"), *test = cli_option(cli, "test");
        const char *texts = cli_option(cli, "text"), *label = cli_option(cli, "label");
        if (!train || !test || !texts || !label)
                return fail(err, ERR_METHOD, "route", "routing tickets: --train, --test, --text and --label are all needed");
        scoped(buf_done) struct buf learnt = {0}, asked = {0}, out = {0};
        scoped(text_features_done) struct text_features features = {0};
        if (!input_read(train, &learnt, err) || !input_read(test, &asked, err))
                return false;
        scoped_ptr(classifier_destroy) struct classifier *classifier = classifier_create((struct classifier_bounds){0}, err);
        if (!classifier)
                return false;
        if (!text_features_init(&features))
                return fail_memory(err, "route", TEXT_FEATURES_MAX * sizeof *features.items);
        if (!learn_table(classifier, &features, buf_str(&learnt), texts, label, err))
                return err_within(err, "learning from %s", train);
        if (!answer_table(classifier, &features, buf_str(&asked), texts, &out, err))
                return err_within(err, "answering for %s", test);
        if (out.failed)
                return fail_memory(err, "route", out.length);
        fwrite(out.bytes, 1, out.length, stdout);
        return true;
}
