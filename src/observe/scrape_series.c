/*
 * scrape_series.c - see scrape_series.h. A series is told by its text: an exporter that writes the labels of a series in
 * another order from one scrape to the next would have it ended and shown at the same time; none is known to.
 */
#include "observe/scrape_series.h"

#include "base/hash.h"
#include "base/scope.h"

#include <stdlib.h>
#include <zstd.h>

void scrape_series_done(struct scrape_series *series)
{
        free(series->ids);
        free(series->packed);
        *series = (struct scrape_series){0};
}

/* Where the series part of a line ends: behind the braces, or the name. */
static size_t series_end(struct str line)
{
        size_t at = 0;
        bool quoted = false;
        while (at < line.length && line.bytes[at] != '{' && line.bytes[at] != ' ' && line.bytes[at] != '\t')
                at++;
        size_t brace = at;
        while (brace < line.length && (line.bytes[brace] == ' ' || line.bytes[brace] == '\t'))
                brace++;
        if (brace == line.length || line.bytes[brace] != '{')
                return at;
        for (at = brace; at < line.length; at++) {
                if (quoted && line.bytes[at] == '\\')
                        at++;
                else if (line.bytes[at] == '"')
                        quoted = !quoted;
                else if (!quoted && line.bytes[at] == '}')
                        return at + 1;
        }
        return line.length;
}

static struct str next_word(struct str *line)
{
        *line = str_trim(*line);
        size_t end = 0;
        while (end < line->length && line->bytes[end] != ' ' && line->bytes[end] != '\t')
                end++;
        struct str word = str_slice(*line, 0, end);
        *line = str_slice(*line, end, line->length);
        return word;
}

bool scrape_series_next(struct str *body, struct str *out_series, bool *out_timed)
{
        struct str line;
        while (body->length && str_cut(body, '\n', &line)) {
                line = str_trim(line);
                if (!line.length || line.bytes[0] == '#')
                        continue;
                size_t end = series_end(line);
                struct str rest = str_slice(line, end, line.length);
                next_word(&rest); /* the value */
                struct str time = next_word(&rest);
                *out_series = str_slice(line, 0, end);
                *out_timed = time.length && time.bytes[0] != '#';
                return true;
        }
        return false;
}

static int compare_ids(const void *left, const void *right)
{
        uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
        return (a > b) - (a < b);
}

static bool has(const struct scrape_series *series, uint64_t id)
{
        return series->count && bsearch(&id, series->ids, series->count, sizeof id, compare_ids);
}

/* The set of a body, not yet sorted; names collects the series' texts. */
static bool walk(struct str body, struct buf *ids, struct buf *names, uint64_t *out_signature, size_t *out_samples)
{
        struct str name;
        bool timed;
        uint64_t signature = 0;
        size_t samples = 0;
        while (scrape_series_next(&body, &name, &timed)) {
                samples++;
                if (timed)
                        continue;
                uint64_t id = hash64(name);
                signature = hash64_seeded((struct str){(const char *)&id, sizeof id}, signature);
                buf_append(ids, &id, sizeof id);
                buf_add(names, name);
                buf_byte(names, '\n');
        }
        *out_signature = signature;
        *out_samples = samples;
        return !ids->failed && !names->failed;
}

static bool list_gone(const struct scrape_series *old, const struct scrape_series *now, struct buf *out_gone)
{
        scoped(buf_done) struct buf text = {0};
        if (!old->count)
                return true;
        if (!buf_reserve(&text, old->text_length) ||
            ZSTD_decompress(text.bytes, old->text_length, old->packed, old->packed_length) != old->text_length)
                return false;
        text.length = old->text_length;
        struct str rest = buf_str(&text), name;
        while (rest.length && str_cut(&rest, '\n', &name)) {
                if (has(now, hash64(name)))
                        continue;
                buf_add(out_gone, name);
                buf_text(out_gone, " 0\n");
        }
        return !out_gone->failed;
}

static bool pack(struct scrape_series *series, const struct buf *names)
{
        size_t bound = ZSTD_compressBound(names->length);
        char *packed = malloc(bound ? bound : 1);
        size_t length = packed ? ZSTD_compress(packed, bound, names->bytes, names->length, 1) : 0;
        if (!packed || ZSTD_isError(length)) {
                free(packed);
                return false;
        }
        char *fitted = realloc(packed, length);
        series->packed = fitted ? fitted : packed;
        series->packed_length = length;
        series->text_length = names->length;
        return true;
}

bool scrape_series_update(struct scrape_series *series, struct str body, struct buf *out_gone, size_t *out_samples,
                          size_t *out_added, struct err *err)
{
        scoped(buf_done) struct buf ids = {0}, names = {0};
        struct scrape_series now = {0};
        *out_added = 0;
        if (!walk(body, &ids, &names, &now.signature, out_samples))
                return fail_memory(err, "scrape", names.length);
        if (now.signature == series->signature && ids.length / sizeof *now.ids == series->count)
                return true;
        size_t length = 0;
        now.count = ids.length / sizeof *now.ids;
        now.ids = (uint64_t *)(void *)buf_take(&ids, &length);
        if (now.count)
                qsort(now.ids, now.count, sizeof *now.ids, compare_ids);
        if (!pack(&now, &names) || !list_gone(series, &now, out_gone)) {
                scrape_series_done(&now);
                return fail_memory(err, "scrape", names.length);
        }
        for (size_t i = 0; i < now.count; i++)
                *out_added += !has(series, now.ids[i]);
        scrape_series_done(series);
        *series = now;
        return true;
}
