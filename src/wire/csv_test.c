/* csv_test - what a row is, which tables are refused, and that what is written is read back. */
#include "wire/csv.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The table as read: fields in <>, rows on lines of their own; or the message. */
static void read_as(const char *text, size_t length, struct buf *out)
{
        scoped(csv_done) struct csv csv;
        struct err err = {0};
        bool has_row = false;
        bool ok = csv_open(&csv, (struct str){text, length}, &err);
        for (size_t i = 0; ok && i < csv.header.count; i++)
                buf_printf(out, "<%.*s>", STR_ARGS(csv.header.items[i]));
        while (ok && (ok = csv_next(&csv, &has_row, &err)) && has_row) {
                buf_byte(out, '\n');
                each (field, &csv.fields)
                        buf_printf(out, "<%.*s>", STR_ARGS(*field));
        }
        if (!ok)
                buf_text(out, err.message);
        assert_true(buf_byte(out, 0));
}

static void assert_reads(const char *text, const char *wanted)
{
        scoped(buf_done) struct buf out = {0};
        read_as(text, strlen(text), &out);
        assert_string_equal(out.bytes, wanted);
}

static void rows_are_read_as_rfc_4180_says(void **state)
{
        (void)state;
        assert_reads("a,b\n1,2\n", "<a><b>\n<1><2>");
        assert_reads("a,b\r\n1,2\r\n", "<a><b>\n<1><2>");
        assert_reads("a,b\n1,", "<a><b>\n<1><>");
        assert_reads("a,b\n,\n", "<a><b>\n<><>");
        assert_reads("a,b\n\"x, y\",\"one\ntwo\"\n", "<a><b>\n<x, y><one\ntwo>");
        assert_reads("a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", "<a><b>\n<say \"hi\"><\">");
        assert_reads("a\n\"\"\nx\n", "<a>\n<>\n<x>");
        assert_reads("\xEF\xBB\xBF" "a,b\n1,2", "<a><b>\n<1><2>");
        assert_reads("a,b\n\n\r\n1,2\n\n", "<a><b>\n<1><2>");
        assert_reads("a,b\n5\" disk,it's\n", "<a><b>\n<5\" disk><it's>");
}

static void a_table_that_is_not_one_is_refused_by_its_line(void **state)
{
        (void)state;
        assert_reads("", "there is no header; the first line must name the columns");
        assert_reads("\n\n", "there is no header; the first line must name the columns");
        assert_reads("a,b,a\n", "the header names column a twice; name each column once");
        assert_reads("a,b\n\"1\n2\",3\n4\n", "<a><b>\n<1\n2><3>line 4 has 1 fields where the header has 2; quote fields that hold commas or line ends");
        assert_reads("a,b\n1,\"2\n", "<a><b>line 2: a quoted field begins and never ends; add the closing quote");
        assert_reads("a,b\n\"1\"x,2\n", "<a><b>line 2: something stands between a closing quote and the next comma");
        assert_reads("a,b\n1,\"2\"\rx\n", "<a><b>line 2: a carriage return after a quoted field without a line feed");
}

static void columns_are_found_by_name(void **state)
{
        (void)state;
        scoped(csv_done) struct csv csv;
        struct err err = {0};
        size_t column = 9;
        assert_true(csv_open(&csv, STR("a,b c,d\n"), &err));
        assert_true(csv_column(&csv, STR("b c"), &column, &err));
        assert_int_equal(column, 1);
        assert_false(csv_column(&csv, STR("e"), &column, &err));
        assert_int_equal(column, 1);
        assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void what_is_written_is_read_back(void **state)
{
        (void)state;
        static const struct str fields[] = {STR_INIT("plain"), STR_INIT(""), STR_INIT("a,b"), STR_INIT("\"q\""), STR_INIT("two\nlines"), STR_INIT("r\r")};
        scoped(buf_done) struct buf text = {0};
        scoped(csv_done) struct csv csv;
        bool has_row = false;
        csv_write_row(&text, fields, countof(fields));
        csv_write_row(&text, fields, countof(fields));
        assert_false(text.failed);
        assert_true(str_starts_with(buf_str(&text), STR("plain,,\"a,b\",\"\"\"q\"\"\",\"two\nlines\",\"r\r\"\n")));
        assert_true(csv_open(&csv, buf_str(&text), NULL));
        assert_true(csv_next(&csv, &has_row, NULL) && has_row);
        assert_int_equal(csv.fields.count, countof(fields));
        for (size_t i = 0; i < countof(fields); i++)
                assert_true(str_equal(csv.fields.items[i], fields[i]));
}

static void rows_past_the_bound_of_columns_are_refused(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        for (size_t i = 0; i <= CSV_COLUMNS_MAX; i++)
                buf_printf(&text, "%zu,", i);
        scoped(csv_done) struct csv csv;
        struct err err = {0};
        assert_false(csv_open(&csv, buf_str(&text), &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_are_read_as_rfc_4180_says),
                cmocka_unit_test(a_table_that_is_not_one_is_refused_by_its_line),
                cmocka_unit_test(columns_are_found_by_name),
                cmocka_unit_test(what_is_written_is_read_back),
                cmocka_unit_test(rows_past_the_bound_of_columns_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
