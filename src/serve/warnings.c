/* warnings.c - see warnings.h. Not an error: what is there is right, and a dashboard must not go dark for one bad day. */
#include "serve/warnings.h"

#include "base/json.h"
#include "base/scope.h"
#include "store/archive.h"

#include <stdio.h>

#define DAYS_TOLD_MAX 16

/* As texts, in `texts` by their bytes: none holds what JSON would escape. */
static size_t read_warnings(struct request *request, int64_t start_ns, int64_t end_ns, char texts[DAYS_TOLD_MAX + 1][160])
{
        int64_t days[DAYS_TOLD_MAX];
        struct archive *archive = server_of(request)->context.archive;
        size_t count = archive ? archive_damaged_days(archive, start_ns, end_ns, days, DAYS_TOLD_MAX) : 0, told = min_of(count, (size_t)DAYS_TOLD_MAX);
        for (size_t i = 0; i < told; i++) {
                int64_t year;
                unsigned month, day;
                clock_date_of_days(days[i], &year, &month, &day);
                snprintf(texts[i], sizeof texts[i], "telemetry received on %04d-%02u-%02u is missing, all or in part: the file of that day is damaged; restore it from a backup",
                         (int)year, month, day);
        }
        if (count > told)
                snprintf(texts[told++], sizeof texts[0], "and so is that of %zu more days", count - DAYS_TOLD_MAX);
        return told;
}

void warnings_write(struct request *request, int64_t start_ns, int64_t end_ns)
{
        char texts[DAYS_TOLD_MAX + 1][160];
        struct buf *out = &request->answer.body;
        size_t count = read_warnings(request, start_ns, end_ns, texts);
        for (size_t i = 0; i < count; i++)
                buf_printf(out, "%s\"%s\"", i ? "," : ",\"warnings\":[", texts[i]);
        if (count)
                buf_byte(out, ']');
}

bool warnings_add(struct request *request, int64_t start_ns, int64_t end_ns, json_t *answer, struct err *err)
{
        char texts[DAYS_TOLD_MAX + 1][160];
        size_t count = read_warnings(request, start_ns, end_ns, texts);
        json_t *list = count ? json_array() : NULL;
        bool good = true;
        for (size_t i = 0; good && i < count; i++)
                good = json_array_append_new(list, json_string(texts[i])) == 0;
        good = good && (!count || json_object_set(answer, "warnings", list) == 0);
        json_decref(list);
        return good || fail_memory(err, "serve", sizeof texts);
}

static bool select_and_note(void *context, const struct series_select *select, struct arena *arena, struct series_set *out_set,
                            struct err *err)
{
        struct warnings_source *noting = context;
        noting->start_ns = min_of(noting->start_ns, select->start_ns);
        noting->end_ns = max_of(noting->end_ns, select->end_ns);
        return noting->source.select(noting->source.context, select, arena, out_set, err);
}

struct promql_source warnings_note(struct warnings_source *noting, struct promql_source source)
{
        *noting = (struct warnings_source){source, INT64_MAX, INT64_MIN};
        return (struct promql_source){.select = select_and_note, .context = noting};
}
