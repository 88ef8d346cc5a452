/*
 * promql_test - the language, told by the files of tests/promql.
 *
 *      load                    the lines after it, to an empty one, are series (query/series_list.h)
 *      at 60 sum(a)            an instant query at that second ...
 *        {x="1"} 3             ... and its result, in order; or one line: "scalar 3", "text abc", "nothing", "refused WORDS"
 *      from 0 to 60 by 20 a    a range; values by step, "_" where there is none
 *        a{x="1"} 1 _ 3
 */
#include "query/promql.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "query/prom_json.h"
#include "query/series_list.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void print_values(const struct series_data *series, const struct promql_options *options, struct buf *out)
{
        size_t next = 0;
        labels_print(&series->labels, out);
        for (int64_t time = options->start_ns; time <= options->end_ns; time += options->step_ns ? options->step_ns : 1) {
                buf_byte(out, ' ');
                if (next < series->count && (series->times_ns[next] == time || !options->step_ns))
                        promql_number(series->values[next++], out);
                else
                        buf_byte(out, '_');
        }
}

static void print_result(const struct promql_result *result, const struct promql_options *options, struct buf *out)
{
        if (result->type == PROMQL_SCALAR) {
                buf_text(out, "scalar ");
                promql_number(result->scalar, out);
        } else if (result->type == PROMQL_STRING) {
                buf_printf(out, "text %.*s", STR_ARGS(result->text));
        } else if (!result->set.count) {
                buf_text(out, "nothing");
        }
        for (size_t i = 0; i < result->set.count; i++) {
                buf_text(out, i ? "\n" : "");
                print_values(&result->set.items[i], options, out);
        }
}

static int64_t seconds_ns(struct str word)
{
        double seconds = 0;
        assert_true(str_to_double(word, &seconds));
        return (int64_t)llround(seconds * 1000) * NS_PER_MS;
}

static struct str take_word(struct str *line)
{
        struct str word = {0};
        str_cut(line, ' ', &word);
        return word;
}

/* "at 60 EXPRESSION" or "from 0 to 60 by 20 EXPRESSION". */
static struct str read_query(struct str line, struct promql_options *out_options)
{
        bool is_range = str_is(take_word(&line), "from");
        out_options->start_ns = out_options->end_ns = seconds_ns(take_word(&line));
        if (!is_range)
                return line;
        take_word(&line);
        out_options->end_ns = seconds_ns(take_word(&line));
        take_word(&line);
        out_options->step_ns = seconds_ns(take_word(&line));
        return line;
}

static void answer(struct str line, struct str series, struct buf *out)
{
        scoped(arena_done) struct arena arena = {0};
        struct series_list list;
        struct promql_result result;
        struct promql_options options = {0};
        struct err err = {0};
        if (!series_list_read(series, &arena, &list, &err))
                fail_msg("%s", err.message);
        struct promql_source source = series_list_source(&list);
        struct str query = read_query(line, &options);
        if (promql_query(query, &source, &options, &arena, &result, &err))
                print_result(&result, &options, out);
        else
                buf_printf(out, "refused %s %s", err_type(err.code), err.message);
}

/* "refused TYPE WORDS" asks for the error type and for the words somewhere in the message. */
static bool is_answer(struct str given, struct str wanted)
{
        struct str kind;
        size_t at;
        if (!str_starts_with(wanted, STR("refused ")))
                return str_equal(given, wanted);
        str_cut(&wanted, ' ', &kind);
        str_cut(&wanted, ' ', &kind);
        return str_starts_with(given, STR("refused ")) && str_starts_with(str_slice(given, 8, given.length), kind) &&
               str_find(given, wanted, &at);
}

static void check(const char *path, struct str query, struct str series, struct str wanted)
{
        scoped(buf_done) struct buf given = {0};
        answer(query, series, &given);
        if (!is_answer(buf_str(&given), wanted))
                fail_msg("%s: %.*s\n  wanted:\n%.*s\n  given:\n%.*s", path, STR_ARGS(query), STR_ARGS(wanted), (int)given.length,
                         given.bytes ? given.bytes : "");
}

/* Collects the indented lines after a query. */
static struct str take_wanted(struct str *rest, struct buf *room)
{
        buf_clear(room);
        while (rest->length && rest->bytes[0] == ' ') {
                struct str line;
                str_cut(rest, '\n', &line);
                if (room->length)
                        buf_byte(room, '\n');
                buf_add(room, str_trim(line));
        }
        return buf_str(room);
}

static size_t tell(const char *path, struct str text)
{
        scoped(buf_done) struct buf series = {0}, wanted = {0};
        struct str line;
        size_t queries = 0;
        while (str_cut(&text, '\n', &line)) {
                if (str_is(line, "load")) {
                        buf_clear(&series);
                        while (str_cut(&text, '\n', &line) && line.length) {
                                buf_add(&series, line);
                                buf_byte(&series, '\n');
                        }
                } else if (line.length && line.bytes[0] != '#') {
                        check(path, line, buf_str(&series), take_wanted(&text, &wanted));
                        queries++;
                }
        }
        return queries;
}

static void the_language_is_as_its_stories_tell(void **state)
{
        (void)state;
        size_t queries = 0;
        DIR *directory = opendir("tests/promql");
        assert_non_null(directory);
        for (struct dirent *entry; (entry = readdir(directory));) {
                char path[512], text[65536];
                snprintf(path, sizeof path, "tests/promql/%s", entry->d_name);
                FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
                if (!file)
                        continue;
                size_t count = fread(text, 1, sizeof text, file);
                fclose(file);
                queries += tell(path, (struct str){text, count});
        }
        closedir(directory);
        assert_true(queries > 40);
}

static void numbers_read_as_prometheus_writes_them(void **state)
{
        (void)state;
        static const struct {
                double value;
                const char *text;
        } rows[] = {{0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"},
                    {1e21, "1e+21"}, {1e20, "100000000000000000000"}, {1.5e-7, "1.5e-07"}, {0.000001, "0.000001"},
                    {123456.789, "123456.789"}, {1.0 / 3, "0.3333333333333333"}, {5e-324, "5e-324"},
                    {1.7976931348623157e308, "1.7976931348623157e+308"}};
        for (size_t i = 0; i < countof(rows); i++) {
                scoped(buf_done) struct buf out = {0};
                promql_number(rows[i].value, &out);
                buf_byte(&out, 0);
                assert_string_equal(out.bytes, rows[i].text);
        }
}

/* The digits of a number's text, without sign, point, exponent and zeros in front. */
static size_t digits_of(const char *text, size_t length, char *out)
{
        size_t count = 0;
        for (size_t i = 0; i < length && text[i] != 'e'; i++)
                if (text[i] >= '0' && text[i] <= '9' && (count || text[i] != '0'))
                        out[count++] = text[i];
        return count;
}

static void a_number_is_the_shortest_that_reads_back(void **state)
{
        (void)state;
        struct rng rng = {7};
        scoped(buf_done) struct buf out = {0};
        for (int i = 0; i < 300000; i++) {
                double value = i % 3 == 0 ? rng_unit(&rng) * 1000 : i % 3 == 1 ? rint(rng_unit(&rng) * 1e6) / 1e4 : 0, back = 0;
                uint64_t bits = rng_u64(&rng) >> 1;
                if (i % 3 == 2)
                        memcpy(&value, &bits, sizeof value);
                if (!isfinite(value))
                        continue;
                buf_clear(&out);
                promql_number(value, &out);
                assert_true(str_to_double(buf_str(&out), &back) && back == value);
                char text[40];
                int precision = 1;
                do
                        snprintf(text, sizeof text, "%.*e", precision - 1, value);
                while (strtod(text, NULL) != value && precision++ < 17);
                char ours[400], exact[40];
                size_t wanted = digits_of(text, strlen(text), exact), given = digits_of(out.bytes, out.length, ours);
                assert_true(given >= wanted); /* zeros may follow in front of the point */
                assert_memory_equal(ours, exact, wanted);
                while (given > wanted)
                        assert_int_equal(ours[--given], '0');
        }
}

static void durations_read_as_prometheus_reads_them(void **state)
{
        (void)state;
        int64_t ns = 0;
        assert_true(promql_duration(STR("1h30m"), &ns, NULL) && ns == 5400 * NS_PER_S);
        assert_true(promql_duration(STR("1.5"), &ns, NULL) && ns == 1500 * NS_PER_MS);
        assert_true(promql_duration(STR("250ms"), &ns, NULL) && ns == 250 * NS_PER_MS);
        assert_false(promql_duration(STR("30m1h"), &ns, NULL));
        assert_false(promql_duration(STR("5parsecs"), &ns, NULL));
        assert_false(promql_duration(STR("300y"), &ns, NULL));
}

static void results_are_written_as_prometheus_api_does(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf out = {0};
        struct series_list list;
        struct promql_result result;
        assert_true(series_list_read(STR("a{x=\"1\"} 2.5 1.25\n"), &arena, &list, NULL));
        struct promql_source source = series_list_source(&list);
        struct promql_options options = {.start_ns = 1250 * NS_PER_MS, .end_ns = 1250 * NS_PER_MS};
        assert_true(promql_query(STR("a"), &source, &options, &arena, &result, NULL));
        assert_true(prom_json_result(&result, &out));
        buf_byte(&out, 0);
        assert_string_equal(out.bytes, "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"a\",\"x\":\"1\"},"
                                       "\"value\":[1.25,\"2.5\"]}]}");
}

static void a_time_beside_a_millisecond_by_its_last_bit_is_that_millisecond(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        struct series_list list = {0};
        struct promql_source source = series_list_source(&list);
        struct promql_options options = {.start_ns = INT64_C(1795362019766999936), .end_ns = INT64_C(1795362019766999936)};
        struct promql_result result;
        assert_true(promql_query(STR("time()"), &source, &options, &arena, &result, NULL));
        assert_true(result.time_ns == INT64_C(1795362019767000000));
        assert_true(result.scalar == 1795362019.767);
}

static void a_query_beyond_its_memory_is_refused(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        struct series_list list = {0};
        struct promql_source source = series_list_source(&list);
        struct promql_options options = {.start_ns = 0, .end_ns = 1000 * NS_PER_S, .step_ns = NS_PER_S, .bytes_max = 1 << 20};
        struct promql_result result;
        struct err err = {0};
        assert_false(promql_query(STR("sum_over_time(vector(1)[1y:1ms])"), &source, &options, &arena, &result, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_non_null(strstr(err.message, "more than the 1 MiB"));
        assert_true(promql_query(STR("vector(1)"), &source, &options, &arena, &result, &err));
}

static void a_cancelled_query_ends(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        struct series_list list = {0};
        struct promql_source source = series_list_source(&list);
        _Atomic bool cancelled = true;
        struct promql_options options = {.cancelled = &cancelled};
        struct promql_result result;
        struct err err = {0};
        assert_false(promql_query(STR("1 + 1"), &source, &options, &arena, &result, &err));
        assert_int_equal(err.code, ERR_CANCELLED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_language_is_as_its_stories_tell),
                cmocka_unit_test(numbers_read_as_prometheus_writes_them),
                cmocka_unit_test(a_number_is_the_shortest_that_reads_back),
                cmocka_unit_test(durations_read_as_prometheus_reads_them),
                cmocka_unit_test(results_are_written_as_prometheus_api_does),
                cmocka_unit_test(a_time_beside_a_millisecond_by_its_last_bit_is_that_millisecond),
                cmocka_unit_test(a_query_beyond_its_memory_is_refused),
                cmocka_unit_test(a_cancelled_query_ends),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
