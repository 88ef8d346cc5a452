/* table - rows of text, aligned for people: collected, then printed, because widths are known only at the end. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

enum table_color { COLOR_NONE, COLOR_RED, COLOR_YELLOW, COLOR_GREEN, COLOR_DIM };

struct table {
        struct arena arena;
        int columns;
        bool is_right[TABLE_COLUMNS_MAX]; /* numbers */
        struct { struct cell { struct str text; enum table_color color; } *items; size_t count, capacity; } cells;
};

/* "NAME|>COUNT|STATE": a '>' aligns the column at its right. */
void table_init(struct table *table, const char *heads);
void table_done(struct table *table);
void table_cell(struct table *table, enum table_color color, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct table *table, FILE *out, bool has_color);
const char *color_start(enum table_color color, bool has_color);
const char *color_end(enum table_color color, bool has_color);
