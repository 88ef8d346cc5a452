/*
 * csv.c - see csv.h. Verbs that work on files drive it, and imports.
 *
 * The whole text is in memory, so that a field costs nothing but its two words; the trade is that a file larger than
 * memory cannot be read. A row is read field by field, a field by its first byte: quoted or not.
 */
#include "wire/csv.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"

#define MARK STR("\xEF\xBB\xBF")

static size_t count_line_ends(struct str s)
{
        size_t count = 0;
        for (size_t i = 0; i < s.length; i++)
                count += s.bytes[i] == '\n';
        return count;
}

/* A copy without the second quote of each pair; bytes is NULL when memory ran out. */
static struct str without_doubles(struct arena *arena, struct str raw)
{
        char *copy = arena_alloc(arena, raw.length);
        size_t length = 0;
        for (size_t i = 0; copy && i < raw.length; i++) {
                copy[length++] = raw.bytes[i];
                i += raw.bytes[i] == '"';
        }
        return (struct str){copy, length};
}

static bool read_quoted(struct csv *csv, struct arena *arena, struct str *out_field, struct err *err)
{
        struct str s = csv->rest;
        size_t i = 1;
        bool has_doubles = false;
        for (;;) {
                const char *quote = i < s.length ? memchr(s.bytes + i, '"', s.length - i) : NULL;
                if (!quote)
                        return fail(err, ERR_INVALID, "csv", "line %zu: a quoted field begins and never ends; add the closing quote", csv->lines + 1);
                i = (size_t)(quote - s.bytes);
                if (i + 1 >= s.length || s.bytes[i + 1] != '"')
                        break;
                has_doubles = true;
                i += 2;
        }
        struct str raw = str_slice(s, 1, i);
        *out_field = has_doubles ? without_doubles(arena, raw) : raw;
        if (!out_field->bytes)
                return fail_memory(err, "csv", raw.length);
        csv->lines += count_line_ends(raw);
        csv->rest = str_slice(s, i + 1, s.length);
        if (csv->rest.length && !memchr(",\r\n", csv->rest.bytes[0], 3))
                return fail(err, ERR_INVALID, "csv", "line %zu: something stands between a closing quote and the next comma", csv->lines + 1);
        return true;
}

static void read_plain(struct csv *csv, struct str *out_field)
{
        struct str s = csv->rest;
        size_t i = 0;
        while (i < s.length && s.bytes[i] != ',' && s.bytes[i] != '\n')
                i++;
        bool has_return = i && s.bytes[i - 1] == '\r' && (i == s.length || s.bytes[i] == '\n');
        csv->rest = str_slice(s, i - has_return, s.length);
        *out_field = str_slice(s, 0, i - has_return);
}

static bool add_field(struct csv *csv, struct csv_fields *fields, struct str field, struct err *err)
{
        if (fields->count == CSV_COLUMNS_MAX)
                return fail(err, ERR_TOO_LARGE, "csv", "line %zu has more than %d columns; split the file", csv->line, CSV_COLUMNS_MAX);
        struct str *place = arena_push(&csv->lasting, fields);
        if (!place)
                return fail_memory(err, "csv", sizeof field);
        *place = field;
        return true;
}

/* Steps over a line end; a carriage return alone is not one. */
static bool end_line(struct csv *csv, struct err *err)
{
        struct str s = csv->rest;
        size_t returns = s.length && s.bytes[0] == '\r';
        if (s.length == returns) {
                csv->rest = (struct str){0};
                return true;
        }
        if (s.bytes[returns] != '\n')
                return fail(err, ERR_INVALID, "csv", "line %zu: a carriage return after a quoted field without a line feed", csv->lines + 1);
        csv->rest = str_slice(s, returns + 1, s.length);
        csv->lines++;
        return true;
}

static void skip_empty_lines(struct csv *csv)
{
        for (;;) {
                struct str s = csv->rest;
                size_t returns = s.length && s.bytes[0] == '\r';
                if (s.length > returns && s.bytes[returns] != '\n')
                        return;
                csv->rest = str_slice(s, returns + 1, s.length);
                csv->lines++;
                if (!csv->rest.length)
                        return;
        }
}

static bool read_row(struct csv *csv, struct csv_fields *fields, struct arena *arena, bool *out_has_row, struct err *err)
{
        skip_empty_lines(csv);
        fields->count = 0;
        csv->line = csv->lines + 1;
        if (!csv->rest.length) {
                *out_has_row = false;
                return true;
        }
        for (bool more = true; more;) {
                struct str field = {0};
                if (csv->rest.length && csv->rest.bytes[0] == '"') {
                        if (!read_quoted(csv, arena, &field, err))
                                return false;
                } else {
                        read_plain(csv, &field);
                }
                if (!add_field(csv, fields, field, err))
                        return false;
                more = csv->rest.length && csv->rest.bytes[0] == ',';
                if (more)
                        csv->rest = str_slice(csv->rest, 1, csv->rest.length);
        }
        *out_has_row = true;
        return end_line(csv, err);
}

static void map_end(struct map *map)
{
        map_done(map);
}

static bool check_header(const struct csv *csv, struct err *err)
{
        scoped(map_end) struct map names = {0};
        for (uint32_t i = 0; i < csv->header.count; i++) {
                struct str name = csv->header.items[i];
                size_t at;
                uint64_t hash = hash64(name);
                for (uint32_t n = map_first(&names, hash, &at); name.length && n != MAP_NONE; n = map_next(&names, hash, &at))
                        if (str_equal(csv->header.items[n], name))
                                return fail(err, ERR_INVALID, "csv", "the header names column %.*s twice; name each column once", STR_ARGS(str_slice(name, 0, 64)));
                if (!map_put(&names, hash, i))
                        return fail_memory(err, "csv", csv->header.count * 12);
        }
        return true;
}

bool csv_open(struct csv *csv, struct str bytes, struct err *err)
{
        bool has_row;
        *csv = (struct csv){.rest = bytes};
        arena_init(&csv->lasting, 0);
        arena_init(&csv->row, 0);
        if (str_starts_with(bytes, MARK))
                csv->rest = str_slice(bytes, MARK.length, bytes.length);
        if (!read_row(csv, &csv->header, &csv->lasting, &has_row, err))
                return false;
        if (!has_row)
                return fail(err, ERR_INVALID, "csv", "there is no header; the first line must name the columns");
        return check_header(csv, err);
}

void csv_done(struct csv *csv)
{
        arena_done(&csv->lasting);
        arena_done(&csv->row);
}

bool csv_next(struct csv *csv, bool *out_has_row, struct err *err)
{
        arena_reset(&csv->row);
        bool has_row;
        if (!read_row(csv, &csv->fields, &csv->row, &has_row, err))
                return false;
        if (has_row && csv->fields.count != csv->header.count)
                return fail(err, ERR_INVALID, "csv", "line %zu has %zu fields where the header has %zu; quote fields that hold commas or line ends",
                            csv->line, csv->fields.count, csv->header.count);
        *out_has_row = has_row;
        return true;
}

bool csv_column(const struct csv *csv, struct str name, size_t *out_column, struct err *err)
{
        for (size_t i = 0; i < csv->header.count; i++)
                if (str_equal(csv->header.items[i], name)) {
                        *out_column = i;
                        return true;
                }
        return fail(err, ERR_NOT_FOUND, "csv", "there is no column %.*s; the header must name it", STR_ARGS(str_slice(name, 0, 64)));
}

static bool needs_quotes(struct str field)
{
        static const char special[] = {',', '"', '\r', '\n'};
        if (str_starts_with(field, MARK)) /* in front of all it would be dropped */
                return true;
        for (size_t i = 0; i < sizeof special; i++)
                if (field.length && memchr(field.bytes, special[i], field.length))
                        return true;
        return false;
}

void csv_write_field(struct buf *out, struct str field, bool is_first)
{
        if (!is_first)
                buf_byte(out, ',');
        if (!needs_quotes(field)) {
                buf_add(out, field);
                return;
        }
        buf_byte(out, '"');
        struct str part;
        for (bool again = false; str_cut(&field, '"', &part); again = true) {
                if (again)
                        buf_text(out, "\"\"");
                buf_add(out, part);
        }
        buf_byte(out, '"');
}

/* A row of one empty field is quoted: a reader would pass over an empty line. */
void csv_write_row(struct buf *out, const struct str *fields, size_t count)
{
        for (size_t i = 0; i < count; i++)
                csv_write_field(out, fields[i], i == 0);
        buf_text(out, count == 1 && !fields[0].length ? "\"\"\n" : "\n");
}
