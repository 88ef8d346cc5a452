/* verb_causes.c - which entity began it, from a table of metrics, without a daemon: for past incidents and for measuring. */
#include "base/buf.h"
#include "base/scope.h"
#include "cli/input.h"
#include "cli/verb.h"
#include "engage/cause_metrics.h"
#include "wire/csv.h"

#include <math.h>
#include <stdio.h>

#define NS_PER_S 1e9
#define CELLS_MAX ((size_t)1 << 28)

struct metrics {
        struct { int64_t *items; size_t count, capacity; } times;
        struct { struct cause_series *items; size_t count, capacity; } series;
        double **columns;
        size_t rows_max;
};

static bool read_time(struct str text, int64_t *out_ns, struct err *err)
{
        double seconds;
        if (!str_to_double(text, &seconds) || !(fabs(seconds) < 9e9))
                return fail(err, ERR_INVALID, "causes", "%.*s is no time; give seconds since 1970", STR_ARGS(str_slice(text, 0, 40)));
        *out_ns = (int64_t)llround(seconds * NS_PER_S);
        return true;
}

/* entity|metric|statistic, by the last two bars. */
static struct cause_series split_name(struct str name)
{
        struct cause_series series = {0};
        struct str rest = name;
        str_cut(&rest, '|', &series.entity);
        str_cut(&rest, '|', &series.metric);
        series.statistic = rest;
        return series;
}

static size_t count_lines(struct str text)
{
        size_t lines = 1;
        for (size_t i = 0; i < text.length; i++)
                lines += text.bytes[i] == '\n';
        return lines;
}

static bool take_header(const struct csv *csv, struct arena *arena, struct metrics *metrics, struct err *err)
{
        size_t columns = csv->header.count - 1;
        if (!str_is(csv->header.items[0], "timestamp") || !columns)
                return fail(err, ERR_INVALID, "causes", "the first column must be timestamp, the others entity|metric|statistic");
        if (metrics->rows_max > CELLS_MAX / columns)
                return fail(err, ERR_TOO_LARGE, "causes", "the table has more than %zu cells; choose a shorter time or wider steps", CELLS_MAX);
        metrics->columns = arena_array(arena, columns, sizeof *metrics->columns);
        for (size_t i = 0; metrics->columns && i < columns; i++) {
                struct cause_series *series = arena_push(arena, &metrics->series);
                metrics->columns[i] = arena_array(arena, metrics->rows_max, sizeof **metrics->columns);
                if (!series || !metrics->columns[i])
                        return fail_memory(err, "causes", metrics->rows_max * sizeof **metrics->columns);
                *series = split_name(csv->header.items[i + 1]);
                series->values = metrics->columns[i];
        }
        return metrics->columns ? true : fail_memory(err, "causes", columns * sizeof *metrics->columns);
}

static bool take_row(const struct csv *csv, struct arena *arena, struct metrics *metrics, struct err *err)
{
        int64_t *time = arena_push(arena, &metrics->times);
        size_t row = metrics->times.count - 1;
        if (!time)
                return fail_memory(err, "causes", sizeof *time);
        if (!read_time(csv->fields.items[0], time, err))
                return err_within(err, "line %zu", csv->line);
        if (row && time[-1] >= *time)
                return fail(err, ERR_INVALID, "causes", "line %zu: its time is not after that of the row before; sort the rows by time", csv->line);
        for (size_t i = 1; i < csv->fields.count; i++) {
                struct str field = csv->fields.items[i];
                double value = NAN;
                if (field.length && !str_to_double(field, &value))
                        return fail(err, ERR_INVALID, "causes", "line %zu: %.*s is no number; leave missing values empty", csv->line, STR_ARGS(str_slice(field, 0, 40)));
                metrics->columns[i - 1][row] = value;
        }
        return true;
}

static bool read_metrics(struct csv *csv, struct str text, struct arena *arena, struct metrics *metrics, struct err *err)
{
        bool has_row;
        metrics->rows_max = count_lines(text);
        if (!csv_open(csv, text, err) || !take_header(csv, arena, metrics, err))
                return false;
        for (;;) {
                if (!csv_next(csv, &has_row, err))
                        return false;
                if (!has_row)
                        return true;
                if (!take_row(csv, arena, metrics, err))
                        return false;
        }
}

struct edges {
        struct cause_edge *items;
        size_t count, capacity;
};

static bool read_edges(struct csv *csv, struct str text, struct arena *arena, struct edges *edges, struct err *err)
{
        size_t caller, callee;
        bool has_row;
        if (!csv_open(csv, text, err) || !csv_column(csv, STR("caller"), &caller, err) || !csv_column(csv, STR("callee"), &callee, err))
                return false;
        for (;;) {
                if (!csv_next(csv, &has_row, err))
                        return false;
                if (!has_row)
                        return true;
                struct cause_edge *edge = arena_push(arena, edges);
                if (!edge)
                        return fail_memory(err, "causes", sizeof *edge);
                edge->caller = arena_str(arena, csv->fields.items[caller]);
                edge->callee = arena_str(arena, csv->fields.items[callee]);
                if (!edge->caller.bytes || !edge->callee.bytes)
                        return fail_memory(err, "causes", csv->fields.items[caller].length);
        }
}

static bool find_target(const struct csv *csv, const char *name, size_t *out_target, struct err *err)
{
        size_t column;
        *out_target = CAUSE_NO_TARGET;
        if (!name)
                return true;
        if (!csv_column(csv, str_of(name), &column, err))
                return err_within(err, "finding the target");
        *out_target = column - 1;
        return column ? true : fail(err, ERR_INVALID, "causes", "the target cannot be the column of times");
}

static bool print_causes(const struct cause_list *causes, struct err *err)
{
        scoped(buf_done) struct buf out = {0};
        size_t rank = 0;
        buf_text(&out, "rank,entity,score\n");
        each (cause, causes) {
                buf_printf(&out, "%zu", ++rank);
                csv_write_field(&out, cause->entity, false);
                buf_printf(&out, ",%.9g\n", cause->score);
        }
        if (out.failed)
                return fail_memory(err, "causes", out.length);
        fwrite(out.bytes, 1, out.length, stdout);
        return true;
}

bool verb_causes(struct cli *cli, struct err *err)
{
        const char *at = cli_option(cli, "at"), *graph = cli_option(cli, "graph");
        struct cause_question question = {0};
        if (!at)
                return fail(err, ERR_METHOD, "causes", "ranking causes: --at says when the trouble was noticed, in seconds since 1970");
        if (!read_time(str_of(at), &question.at_ns, err))
                return err_within(err, "reading --at");
        scoped(buf_done) struct buf metrics_text = {0}, edges_text = {0};
        scoped(csv_done) struct csv metrics_csv = {0};
        scoped(csv_done) struct csv edges_csv = {0};
        scoped(arena_done) struct arena arena;
        struct metrics metrics = {0};
        struct edges edges = {0};
        struct cause_list causes;
        arena_init(&arena, 0);
        if (!input_read(cli->words[0], &metrics_text, err) || (graph && !input_read(graph, &edges_text, err)))
                return false;
        if (!read_metrics(&metrics_csv, buf_str(&metrics_text), &arena, &metrics, err))
                return err_within(err, "reading %s", cli->words[0]);
        if (graph && !read_edges(&edges_csv, buf_str(&edges_text), &arena, &edges, err))
                return err_within(err, "reading %s", graph);
        if (!find_target(&metrics_csv, cli_option(cli, "target"), &question.target, err))
                return false;
        question.times_ns = metrics.times.items;
        question.row_count = metrics.times.count;
        question.series = metrics.series.items;
        question.series_count = metrics.series.count;
        question.edges = edges.items;
        question.edge_count = edges.count;
        return cause_metrics_rank(&question, &arena, &causes, err) && print_causes(&causes, err);
}
