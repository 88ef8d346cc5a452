/* limit_forecast.c - see limit_forecast.h. Such series are few, so a partition's are in an array that is searched from its beginning. */
#include "observe/limit_forecast.h"

#include "base/clock.h"
#include "base/reader.h"
#include "base/scope.h"
#include "learn/forecast.h"
#include "model/batch.h"
#include "observe/observe.h"
#include "store/archive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 64           /* of a partition */
#define ASK_NS (60 * NS_PER_S)
#define IDLE_NS (3600 * NS_PER_S)
#define AHEAD_S (72 * 3600.0)
#define AGREE 3
#define FORGET 10
#define SLOT_MAX INT64_C(1000000000000)
#define VERSION 1

struct watched {
        struct hash128 id;
        int64_t last_ns, asked_ns, since_ns; /* since: told and not over; 0: nothing told */
        double told_s;          /* the time that was left when it was told last */
        uint32_t agree, silent; /* askings in a row that foretold, and did not */
        struct forecast forecast;
};

struct partition {
        struct watched *watched; /* SERIES_MAX, or NULL */
        uint32_t count;
        uint64_t left_out;
};

struct limit_forecasts {
        struct partition partitions[PARTITIONS];
};

struct limit {
        struct str end;
        double value;
        bool from_below;
};

static const struct limit limits[] = {
#define X(end, value, from_below) {STR_INIT(end), value, from_below},
#include "observe/limits.def"
#undef X
};

bool limit_forecasts_create(struct limit_forecasts **out_forecasts, struct err *err)
{
        *out_forecasts = calloc(1, sizeof **out_forecasts);
        return *out_forecasts || fail_memory(err, "limit_forecast", sizeof **out_forecasts);
}

void limit_forecasts_destroy(struct limit_forecasts *forecasts)
{
        for (int p = 0; forecasts && p < PARTITIONS; p++)
                free(forecasts->partitions[p].watched);
        free(forecasts);
}

uint64_t limit_forecasts_left_out(const struct limit_forecasts *forecasts)
{
        uint64_t sum = 0;
        for (int p = 0; p < PARTITIONS; p++)
                sum += forecasts->partitions[p].left_out;
        return sum;
}

static const struct limit *limit_of(struct str name)
{
        for (size_t i = 0; i < countof(limits); i++)
                if (name.length >= limits[i].end.length && str_equal(str_slice(name, name.length - limits[i].end.length, name.length), limits[i].end))
                        return &limits[i];
        return NULL;
}

static bool reserve(struct partition *partition, struct err *err)
{
        if (!partition->watched)
                partition->watched = calloc(SERIES_MAX, sizeof *partition->watched);
        return partition->watched || fail_memory(err, "limit_forecast", SERIES_MAX * sizeof *partition->watched);
}

/* *out_watched NULL: there is no room for it. */
static bool find_or_add(struct partition *partition, struct hash128 id, int64_t now_ns, struct watched **out_watched, struct err *err)
{
        struct watched *idle = NULL;
        if (!reserve(partition, err))
                return false;
        for (uint32_t i = 0; i < partition->count; i++) {
                struct watched *watched = &partition->watched[i];
                if (hash128_equal(watched->id, id)) {
                        *out_watched = watched;
                        return true;
                }
                if (!idle && watched->last_ns + IDLE_NS < now_ns)
                        idle = watched;
        }
        struct watched *place = partition->count < SERIES_MAX ? &partition->watched[partition->count++] : idle;
        if (place) {
                memset(place, 0, sizeof *place);
                place->id = id;
                forecast_init(&place->forecast);
        } else
                partition->left_out++;
        *out_watched = place;
        return true;
}

/* "about 3 hours": as people say it. */
static void write_span(struct buf *out, double seconds)
{
        static const struct { double from, unit; const char *name; } spans[] = {{172800, 86400, "days"}, {7200, 3600, "hours"}, {0, 60, "minutes"}};
        size_t i = 0;
        if (!isfinite(seconds) || seconds > 400 * 86400.0) {
                buf_text(out, "more than a year");
                return;
        }
        while (seconds < spans[i].from)
                i++;
        buf_printf(out, "%.0f %s", seconds / spans[i].unit, spans[i].name);
}

static bool note(const struct watched *watched, const struct labels *labels, const struct limit *limit, double value, const struct forecast_answer *answer,
                 struct noticed *noticed, struct err *err)
{
        scoped(buf_done) struct buf sentence = {0};
        scoped(buf_done) struct buf evidence = {0};
        struct str name = labels_value(labels, LABEL_METRIC_NAME);
        if (answer) {
                buf_printf(&sentence, "%.*s will reach %g in about ", STR_ARGS(name), limit->value);
                write_span(&sentence, answer->expected_s);
                buf_text(&sentence, " (");
                write_span(&sentence, answer->earliest_s);
                buf_text(&sentence, " to ");
                write_span(&sentence, answer->latest_s);
                buf_text(&sentence, ") if it goes on like this");
        } else
                buf_printf(&sentence, "%.*s is no longer on its way to %g", STR_ARGS(name), limit->value);
        if (sentence.failed || !labels_print(labels, &evidence))
                return fail_memory(err, "limit_forecast", sentence.length + evidence.length);
        struct anomaly anomaly = {
                .kind = ANOMALY_FORECAST, .labels = *labels, .time_ns = watched->last_ns, .since_ns = watched->since_ns ? watched->since_ns : watched->last_ns,
                .is_over = !answer, .score = answer ? 1 - answer->expected_s / (2 * AHEAD_S) : 0, .value = value, .expected_low = NAN, .expected_high = NAN,
                .sentence = buf_str(&sentence), .evidence = buf_str(&evidence),
        };
        return noticed_add_anomaly(noticed, &anomaly, err);
}

static bool ask(struct watched *watched, const struct labels *labels, const struct limit *limit, double value, struct noticed *noticed, struct err *err)
{
        struct forecast_answer answer;
        bool comes = forecast_until(&watched->forecast, limit->value, limit->from_below, &answer) && answer.expected_s <= AHEAD_S;
        watched->asked_ns = watched->last_ns;
        watched->agree = comes ? watched->agree + 1 : 0;
        watched->silent = comes ? 0 : watched->silent + 1;
        if (comes && watched->agree >= AGREE && (!watched->since_ns || answer.expected_s < watched->told_s / 2)) {
                if (!note(watched, labels, limit, value, &answer, noticed, err))
                        return false;
                watched->since_ns = watched->since_ns ? watched->since_ns : watched->last_ns;
                watched->told_s = fmax(answer.expected_s, 60);
        }
        if (!comes && watched->since_ns && watched->silent >= FORGET) {
                if (!note(watched, labels, limit, value, NULL, noticed, err))
                        return false;
                watched->since_ns = 0;
        }
        return true;
}

static bool fold_series(struct partition *partition, const struct fold *fold, const struct series_points *points, struct noticed *noticed, struct err *err)
{
        const struct limit *limit = limit_of(labels_value(&points->labels, LABEL_METRIC_NAME));
        struct watched *watched = NULL;
        if (limit && !find_or_add(partition, points->id, fold->time_ns, &watched, err))
                return false;
        for (size_t i = 0; watched && i < points->count; i++) {
                int64_t time_ns = points->samples[i].time_ns ? points->samples[i].time_ns : fold->batch->received_ns;
                double value = points->samples[i].value;
                if (time_ns <= watched->last_ns || !isfinite(value))
                        continue;
                watched->last_ns = time_ns;
                forecast_push(&watched->forecast, time_ns, value);
                if (time_ns - watched->asked_ns >= ASK_NS && !ask(watched, &points->labels, limit, value, noticed, err))
                        return false;
        }
        return true;
}

bool limit_forecasts_fold(struct limit_forecasts *forecasts, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        for (size_t i = 0; i < fold->series_count; i++)
                if (!fold_series(&forecasts->partitions[fold->partition], fold, &fold->batch->telemetry.series.items[fold->series[i]], noticed, err))
                        return err_within(err, "forecasting in partition %u", (unsigned)fold->partition);
        return true;
}

/* --- checkpoints: version, size of struct watched; for each partition: count, left_out, the array as it stands in memory -------------- */

bool limit_forecasts_save(const struct limit_forecasts *forecasts, struct buf *out, struct err *err)
{
        buf_u8(out, VERSION);
        buf_u16(out, sizeof(struct watched));
        for (int p = 0; p < PARTITIONS; p++) {
                const struct partition *partition = &forecasts->partitions[p];
                buf_u32(out, partition->count);
                buf_u64(out, partition->left_out);
                if (partition->count)
                        buf_append(out, partition->watched, partition->count * sizeof *partition->watched);
        }
        return !out->failed || fail_memory(err, "limit_forecast", out->length);
}

static bool is_sound(const struct watched *watched)
{
        for (int w = 0; w < FORECAST_WINDOWS; w++)
                if (watched->forecast.windows[w].filled > FORECAST_SLOTS || watched->forecast.windows[w].slot < 0 || watched->forecast.windows[w].slot > SLOT_MAX)
                        return false;
        return isfinite(watched->told_s) && watched->last_ns >= 0 && watched->asked_ns >= 0 && watched->last_ns < INT64_MAX - IDLE_NS;
}

bool limit_forecasts_restore(struct limit_forecasts *forecasts, struct str bytes, struct err *err)
{
        struct reader reader = reader_of(bytes);
        uint8_t version = reader_u8(&reader);
        uint16_t size = reader_u16(&reader);
        if (version != VERSION || size != sizeof(struct watched))
                return fail(err, ERR_CORRUPT, "limit_forecast", "restoring forecasts: version %u is not %d", version, VERSION);
        for (int p = 0; p < PARTITIONS; p++) {
                struct partition *partition = &forecasts->partitions[p];
                uint32_t count = reader_u32(&reader);
                partition->left_out = reader_u64(&reader);
                struct str saved = reader_bytes(&reader, (size_t)count * sizeof(struct watched));
                if (reader.failed || count > SERIES_MAX)
                        return fail(err, ERR_CORRUPT, "limit_forecast", "restoring forecasts: the saved bytes are damaged in partition %d", p);
                if (count && !reserve(partition, err))
                        return false;
                partition->count = count;
                for (uint32_t i = 0; i < count; i++) {
                        memcpy(&partition->watched[i], saved.bytes + i * sizeof(struct watched), sizeof(struct watched));
                        if (!is_sound(&partition->watched[i]))
                                return fail(err, ERR_CORRUPT, "limit_forecast", "restoring forecasts: one holds what none can; the checkpoint is damaged");
                }
        }
        return reader_left(&reader) == 0 || fail(err, ERR_CORRUPT, "limit_forecast", "restoring forecasts: %zu bytes are left over", reader_left(&reader));
}
