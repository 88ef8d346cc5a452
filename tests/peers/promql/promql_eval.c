/*
 * promql_eval - evaluates queries over series from a file, without a daemon. Usage: promql_eval SERIES < QUERIES
 *
 * The file is that of query/series_list.h. Queries, one a line, times in seconds:
 *
 *      instant TIME EXPRESSION
 *      range START END STEP EXPRESSION
 *
 * Each answer is one line: what Prometheus' /api/v1/query would say.
 */
#include "base/json.h"
#include "base/scope.h"
#include "query/prom_json.h"
#include "query/promql.h"
#include "query/series_list.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool read_file(const char *path, struct buf *out)
{
        FILE *file = fopen(path, "rb");
        char part[65536];
        size_t count;
        while (file && (count = fread(part, 1, sizeof part, file)))
                buf_append(out, part, count);
        if (file)
                fclose(file);
        return file && !out->failed;
}

/* The next word of the line as milliseconds in ns. */
static int64_t take_time(struct str *line)
{
        struct str word;
        double seconds = 0;
        str_cut(line, ' ', &word);
        str_to_double(word, &seconds);
        return (int64_t)llround(seconds * 1000) * 1000000;
}

static void answer(struct str line, const struct promql_source *source, struct buf *out)
{
        struct str kind;
        struct promql_options options = {0};
        struct promql_result result;
        struct err err = {0};
        scoped(arena_done) struct arena arena = {0};
        str_cut(&line, ' ', &kind);
        options.start_ns = options.end_ns = take_time(&line);
        if (str_is(kind, "range")) {
                options.end_ns = take_time(&line);
                options.step_ns = take_time(&line);
        }
        if (promql_query(line, source, &options, &arena, &result, &err)) {
                buf_text(out, "{\"status\":\"success\",\"data\":");
                prom_json_result(&result, out);
        } else {
                buf_printf(out, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", err_type(err.code));
                json_quote(out, str_of(err.message));
        }
        buf_text(out, "}\n");
}

int main(int argc, char **argv)
{
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf text = {0}, out = {0};
        struct series_list list;
        struct err err = {0};
        if (argc != 2 || !read_file(argv[1], &text))
                return fprintf(stderr, "usage: promql_eval SERIES < QUERIES; SERIES must be readable\n"), 2;
        if (!series_list_read(buf_str(&text), &arena, &list, &err))
                return fprintf(stderr, "%s: %s\n", argv[1], err.message), 1;
        struct promql_source source = series_list_source(&list);
        char *line = NULL;
        size_t room = 0;
        ssize_t length;
        while ((length = getline(&line, &room, stdin)) > 0) {
                buf_clear(&out);
                answer(str_trim((struct str){line, (size_t)length}), &source, &out);
                fwrite(out.bytes, 1, out.length, stdout);
                fflush(stdout);
        }
        free(line);
        return 0;
}
