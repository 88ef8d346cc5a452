/* warnings.c - see warnings.h. Not an error: what is there is right, and a dashboard must not go dark for one bad day. */
#include "serve/warnings.h"

#include "base/json.h"
#include "base/scope.h"
#include "store/archive.h"

#define DAYS_TOLD_MAX 16

void warnings_write(struct request *request, int64_t start_ns, int64_t end_ns)
{
        int64_t days[DAYS_TOLD_MAX];
        struct archive *archive = server_of(request)->context.archive;
        struct buf *out = &request->answer.body;
        size_t count = archive ? archive_damaged_days(archive, start_ns, end_ns, days, DAYS_TOLD_MAX) : 0;
        for (size_t i = 0; i < min_of(count, (size_t)DAYS_TOLD_MAX); i++) {
                int64_t year;
                unsigned month, day;
                clock_date_of_days(days[i], &year, &month, &day);
                buf_printf(out, "%s\"telemetry received on %04d-%02u-%02u is missing, all or in part: the file of that day is damaged; "
                                "restore it from a backup\"", i ? "," : ",\"warnings\":[", (int)year, month, day);
        }
        if (count > DAYS_TOLD_MAX)
                buf_printf(out, ",\"and so is that of %zu more days\"", count - DAYS_TOLD_MAX);
        if (count)
                buf_byte(out, ']');
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
