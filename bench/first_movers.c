/*
 * first_movers - which columns of a table moved, in the order in which they began, with the method that answers `evenkeel moved`.
 *
 *      first_movers FILE.csv FROM_S UNTIL_S
 *
 * Columns timestamp (seconds since 1970), then one a series; empty cells are missing. The rows before FROM_S say what is usual.
 * Prints group,series,way,onset_s,spreads,strength for each that moved, no group for those that moved a little; bench/first_movers.py judges it on labelled faults.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/scope.h"
#include "learn/movement.h"
#include "wire/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S 1000000000

struct table {
        struct csv csv;
        struct arena arena;
        struct { int64_t *items; size_t count, capacity; } times;
        struct { double *items; size_t count, capacity; } cells; /* by row */
};

static bool read_all(const char *path, struct buf *text)
{
        FILE *file = fopen(path, "r");
        char piece[65536];
        if (!file)
                return perror(path), false;
        for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
                buf_append(text, piece, got);
        fclose(file);
        return !text->failed;
}

static bool read_table(struct table *table, struct str text, struct err *err)
{
        bool has_row;
        if (!csv_open(&table->csv, text, err))
                return false;
        while (csv_next(&table->csv, &has_row, err) && has_row) {
                int64_t *time = arena_push(&table->arena, &table->times);
                double seconds = 0;
                if (!time || !str_to_double(table->csv.fields.items[0], &seconds))
                        return fail(err, ERR_INVALID, "bench", "line %zu: no time", table->csv.line);
                *time = (int64_t)llround(seconds * NS_PER_S);
                for (size_t i = 1; i < table->csv.fields.count; i++) {
                        double *cell = arena_push(&table->arena, &table->cells);
                        if (!cell)
                                return fail_memory(err, "bench", sizeof *cell);
                        if (!table->csv.fields.items[i].length || !str_to_double(table->csv.fields.items[i], cell))
                                *cell = NAN;
                }
        }
        return true;
}

static bool find_all(struct table *table, const struct movement_window *window, struct movement *moved, size_t *out_count, struct err *err)
{
        size_t rows = table->times.count, columns = table->csv.header.count - 1;
        double *values = arena_array(&table->arena, rows + 1, sizeof *values);
        struct movement_points points = {table->times.items, values, rows};
        if (!values)
                return fail_memory(err, "bench", rows * sizeof *values);
        *out_count = 0;
        for (uint32_t series = 0; series < columns; series++) {
                for (size_t row = 0; row < rows; row++)
                        values[row] = table->cells.items[row * columns + series];
                struct movement *movement = &moved[*out_count];
                if (!movement_find(window, &points, NULL, &table->arena, movement, err))
                        return false;
                movement->series = series;
                *out_count += movement_has_moved(movement);
        }
        return true;
}

int main(int argc, char **argv)
{
        struct table table = {0};
        struct err err = {0};
        scoped(buf_done) struct buf text = {0};
        size_t count = 0;
        if (argc != 4)
                return fprintf(stderr, "first_movers FILE.csv FROM_S UNTIL_S\n"), 2;
        arena_init(&table.arena, 0);
        if (!read_all(argv[1], &text) || !read_table(&table, buf_str(&text), &err) || !table.times.count)
                return fprintf(stderr, "%s\n", err.message), 1;
        struct movement_window window = {table.times.items[0], (int64_t)(strtod(argv[2], NULL) * NS_PER_S), (int64_t)(strtod(argv[3], NULL) * NS_PER_S)};
        struct movement *moved = arena_array(&table.arena, table.csv.header.count, sizeof *moved);
        if (!moved || !find_all(&table, &window, moved, &count, &err))
                return fprintf(stderr, "%s\n", err.message), 1;
        movements_order(moved, count);
        puts("group,series,way,onset_s,spreads,strength");
        for (size_t i = 0; i < count; i++) {
                struct str name = table.csv.header.items[moved[i].series + 1];
                if (!moved[i].is_little)
                        printf("%" PRIu32, moved[i].group);
                printf(",%.*s,%s,%.3f,%.4g,%.4g\n", STR_ARGS(name), movement_way_name(moved[i].way),
                       (double)moved[i].onset_ns / NS_PER_S, moved[i].spreads, moved[i].strength);
        }
        csv_done(&table.csv);
        arena_done(&table.arena);
        return 0;
}
