/*
 * verb_detect.c - the detectors over a file of samples, without a daemon: for trying them and measuring them.
 *
 * A file whose second column is `value` is one series; its samples meet the detector that every series of the daemon has. Any
 * other is several series of one thing: with normal rows to learn from they are judged together (learn/joint.h), without, each
 * by its own detector, and the oddest column speaks for the row.
 */
#include "base/buf.h"
#include "base/scope.h"
#include "cli/input.h"
#include "cli/verb.h"
#include "learn/detector.h"
#include "learn/joint.h"
#include "wire/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct table {                  /* the value columns of a file */
        double *values;         /* row by row; NaN where a field is empty */
        size_t row_count, row_capacity, column_count;
};

static void table_done(struct table *table)
{
        free(table->values);
}

static void free_detectors(struct detector **detectors)
{
        free(*detectors);
}

SCOPED_PTR(joint_destroy, struct joint)

static bool is_single(const struct csv *csv)
{
        return csv->header.count > 1 && str_is(csv->header.items[1], "value");
}

/* An empty field is a missing value. */
static bool read_number(const struct csv *csv, size_t column, double *out_value, struct err *err)
{
        struct str field = str_trim(csv->fields.items[column]);
        *out_value = NAN;
        return !field.length || str_to_double(field, out_value) ||
               fail(err, ERR_INVALID, "detect", "reading line %zu: column %.*s is '%.*s', not a number (leave it empty where a value is missing)",
                    csv->line, STR_ARGS(csv->header.items[column]), STR_ARGS(field));
}

static bool read_time(const struct csv *csv, int64_t *out_time_ns, struct err *err)
{
        struct str field = str_trim(csv->fields.items[0]);
        double seconds;
        if (!str_to_double(field, &seconds) || !(fabs(seconds) < 9e9))
                return fail(err, ERR_INVALID, "detect", "reading line %zu: '%.*s' is not a time in seconds since 1970", csv->line, STR_ARGS(field));
        *out_time_ns = (int64_t)(seconds * 1e9);
        return true;
}

static bool open_series(struct csv *csv, const char *path, struct buf *bytes, struct err *err)
{
        if (!input_read(path, bytes, err) || !csv_open(csv, buf_str(bytes), err))
                return err_within(err, "reading %s", path);
        return csv->header.count > 1 || fail(err, ERR_INVALID, "detect", "reading %s: a time and at least one column of values are needed", path);
}

static bool flush(struct buf *out, size_t beyond, struct err *err)
{
        if (out->failed)
                return fail_memory(err, "detect", out->length);
        if (out->length > beyond) {
                fwrite(out->bytes, 1, out->length, stdout);
                buf_clear(out);
        }
        return true;
}

static bool push_single(struct csv *csv, struct detector *detector, struct buf *out, struct err *err)
{
        bool has_row;
        while (csv_next(csv, &has_row, err) && has_row) {
                int64_t time_ns;
                double value;
                struct verdict verdict;
                if (!read_time(csv, &time_ns, err) || !read_number(csv, 1, &value, err))
                        return false;
                detector_push(detector, time_ns, value, &verdict);
                if (!out)
                        continue;
                buf_printf(out, "%.*s,%.*s,%.9g,%d\n", STR_ARGS(csv->fields.items[0]), STR_ARGS(csv->fields.items[1]), (double)verdict.score, verdict.is_flagged);
                if (!flush(out, 1 << 16, err))
                        return false;
        }
        return !has_row;
}

static bool detect_single(struct csv *csv, struct csv *training, struct buf *out, struct err *err)
{
        struct detector detector;
        detector_init(&detector);
        if (training && (!is_single(training) || !push_single(training, &detector, NULL, err)))
                return is_single(training) ? false : fail(err, ERR_INVALID, "detect", "learning from --train: its second column is not `value` as in the file");
        buf_text(out, "timestamp,value,score,anomaly\n");
        return push_single(csv, &detector, out, err);
}

static bool table_row(struct table *table, const struct csv *csv, struct err *err)
{
        if (table->row_count == table->row_capacity) {
                size_t capacity = table->row_capacity ? table->row_capacity * 2 : 1024;
                double *values = realloc(table->values, capacity * table->column_count * sizeof *values);
                if (!values)
                        return fail_memory(err, "detect", capacity * table->column_count * sizeof *values);
                table->values = values;
                table->row_capacity = capacity;
        }
        double *row = table->values + table->row_count * table->column_count;
        for (size_t c = 0; c < table->column_count; c++)
                if (!read_number(csv, c + 1, &row[c], err))
                        return false;
        table->row_count++;
        return true;
}

static bool same_columns(const struct csv *csv, const struct csv *training, struct err *err)
{
        for (size_t c = 1; c < csv->header.count || c < training->header.count; c++)
                if (c >= csv->header.count || c >= training->header.count || !str_equal(csv->header.items[c], training->header.items[c]))
                        return fail(err, ERR_INVALID, "detect", "learning from --train: column %zu has another name than in the file; both need the same columns in the same order", c + 1);
        return true;
}

static struct joint *learn_joint(struct csv *training, struct err *err)
{
        scoped(table_done) struct table table = {.column_count = training->header.count - 1};
        bool has_row;
        while (csv_next(training, &has_row, err) && has_row)
                if (!table_row(&table, training, err))
                        return NULL;
        return has_row ? NULL : joint_create(table.values, table.row_count, table.column_count, err);
}

/* Judged one by one: the row is as odd as its oddest column, corrected for how many there are. */
static void push_apart(struct detector *detectors, size_t count, int64_t time_ns, const double *row, struct joint_verdict *out_verdict)
{
        *out_verdict = (struct joint_verdict){.p_value = 1};
        for (size_t c = 0; c < count; c++) {
                struct verdict verdict;
                detector_push(&detectors[c], time_ns, row[c], &verdict);
                out_verdict->is_flagged |= verdict.is_flagged;
                if (verdict.score <= out_verdict->score)
                        continue;
                out_verdict->score = verdict.score;
                out_verdict->p_value = fmin(1, verdict.p_value * (double)count);
                out_verdict->top = c;
        }
}

static bool detect_several(struct csv *csv, struct csv *training, struct buf *out, struct err *err)
{
        scoped(table_done) struct table table = {.column_count = csv->header.count - 1};
        scoped_ptr(joint_destroy) struct joint *joint = NULL;
        scoped(free_detectors) struct detector *detectors = NULL;
        if (training && (!same_columns(csv, training, err) || !(joint = learn_joint(training, err))))
                return false;
        if (!training && !(detectors = calloc(csv->header.count, sizeof *detectors)))
                return fail_memory(err, "detect", table.column_count * sizeof *detectors);
        for (size_t c = 0; detectors && c < table.column_count; c++)
                detector_init(&detectors[c]);
        buf_text(out, "timestamp,score,anomaly,top\n");
        bool has_row;
        while (csv_next(csv, &has_row, err) && has_row) {
                int64_t time_ns;
                struct joint_verdict verdict;
                table.row_count = 0;
                if (!read_time(csv, &time_ns, err) || !table_row(&table, csv, err))
                        return false;
                if (joint)
                        joint_push(joint, table.values, &verdict);
                else
                        push_apart(detectors, table.column_count, time_ns, table.values, &verdict);
                buf_printf(out, "%.*s,%.9g,%d,", STR_ARGS(csv->fields.items[0]), verdict.score, verdict.is_flagged);
                csv_write_field(out, csv->header.items[verdict.top + 1], true);
                buf_byte(out, '\n');
                if (!flush(out, 1 << 16, err))
                        return false;
        }
        return !has_row;
}

bool verb_detect(struct cli *cli, struct err *err)
{
        const char *train = cli_option(cli, "train");
        scoped(buf_done) struct buf bytes = {0}, training_bytes = {0}, out = {0};
        scoped(csv_done) struct csv csv = {0};
        scoped(csv_done) struct csv training = {0};
        if (!open_series(&csv, cli->words[0], &bytes, err) || (train && !open_series(&training, train, &training_bytes, err)))
                return false;
        struct csv *learn_from = train ? &training : NULL;
        if (!(is_single(&csv) ? detect_single(&csv, learn_from, &out, err) : detect_several(&csv, learn_from, &out, err)))
                return err_within(err, "detecting in %s", cli->words[0]);
        return flush(&out, 0, err);
}
