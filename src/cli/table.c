/* table.c - see table.h. Widths count UTF-8 characters, not bytes; control bytes of telemetry never reach the terminal. */
#include "cli/table.h"

#include "base/scope.h"

#include <stdarg.h>

static size_t width_of(struct str text)
{
        size_t width = 0;
        for (size_t i = 0; i < text.length; i++)
                width += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
        return width;
}

static void add(struct table *table, enum table_color color, struct str text)
{
        struct cell *cell = arena_push(&table->arena, &table->cells);
        char *copy = arena_alloc(&table->arena, text.length + 1);
        if (!cell || !copy)
                return;
        for (size_t i = 0; i < text.length; i++)
                copy[i] = (unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7F ? ' ' : text.bytes[i];
        *cell = (struct cell){{copy, text.length}, color};
}

void table_init(struct table *table, const char *heads)
{
        struct str rest = str_of(heads), head;
        *table = (struct table){0};
        arena_init(&table->arena, 0);
        while (str_cut(&rest, '|', &head) && table->columns < TABLE_COLUMNS_MAX) {
                bool is_right = head.length && head.bytes[0] == '>';
                table->is_right[table->columns++] = is_right;
                add(table, COLOR_DIM, str_slice(head, is_right, head.length));
        }
}

void table_done(struct table *table)
{
        arena_done(&table->arena);
}

void table_cell(struct table *table, enum table_color color, const char *format, ...)
{
        char text[4096];
        va_list args;
        va_start(args, format);
        int length = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        add(table, color, (struct str){text, length < 0 ? 0 : min_of((size_t)length, sizeof text - 1)});
}

const char *color_start(enum table_color color, bool has_color)
{
        static const char *const codes[] = {"", "\033[31m", "\033[33m", "\033[32m", "\033[2m"};
        return has_color ? codes[color] : "";
}

const char *color_end(enum table_color color, bool has_color)
{
        return has_color && color != COLOR_NONE ? "\033[0m" : "";
}

static void print_cell(const struct table *table, size_t column, const struct cell *cell, size_t width, FILE *out, bool has_color)
{
        int padding = (int)(width - width_of(cell->text));
        bool is_last = (int)column == table->columns - 1;
        fprintf(out, "%*s%s%.*s%s", table->is_right[column] ? padding : 0, "", color_start(cell->color, has_color),
                STR_ARGS(cell->text), color_end(cell->color, has_color));
        fprintf(out, "%*s%s", table->is_right[column] || is_last ? 0 : padding, "", is_last ? "\n" : "  ");
}

void table_print(const struct table *table, FILE *out, bool has_color)
{
        size_t widths[TABLE_COLUMNS_MAX] = {0}, columns = (size_t)table->columns;
        for (size_t i = 0; i < table->cells.count; i++)
                widths[i % columns] = max_of(widths[i % columns], width_of(table->cells.items[i].text));
        for (size_t i = 0; i < table->cells.count; i++)
                print_cell(table, i % columns, &table->cells.items[i], widths[i % columns], out, has_color);
}
