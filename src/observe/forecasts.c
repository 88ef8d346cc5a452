/*
 * forecasts.c - see forecasts.h. Windows are read at intervals that fit them: ten minutes every minute, two hours every five, a day every half
 * hour; what a window said stays until it is read again. So a limit costs about 1.3 range queries a minute.
 */
#include "observe/forecasts.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/scope.h"
#include "learn/trend.h"
#include "model/content.h"
#include "observe/forecast_table.h"
#include "observe/rule_template.h"
#include "query/promql.h"

#include <math.h>
#include <stdlib.h>

#define MINUTE_NS (60 * NS_PER_S)
#define AGREE 2                 /* evaluations in a row before it is told */
#define CALM 3                  /* before it is taken back */
#define LATER 1.5               /* taken back only when there is this much more time than the limit of telling */
#define EVALUATION_BYTES_MAX ((size_t)256 << 20)

#define WINDOWS TREND_WINDOWS

struct limit {
        struct str name, series, alert, summary;
        double at;
        int64_t warn_ns, page_ns, within_ns;
        char fault[200];
};

struct estimate {
        bool is_there;
        int64_t at_ns, earliest_ns, latest_ns;
};

struct forecast { /* a series that will meet its limit in sight */
        struct str limit;
        struct buf packed, sentence;    /* labels of the finding without severity */
        struct estimate estimates[WINDOWS];
        struct estimate best;
        double value, limit_value;
        int agreed[ALERT_CRITICAL + 1], calm;
        enum alert_severity told;       /* 0: nobody was */
        bool is_dirty, is_gone;
};

struct forecasts {
        struct series_store *series;
        struct arena arena;             /* of limits */
        struct { struct limit *items; size_t count, capacity; } limits;
        struct forecast **items;
        size_t count, capacity;
        struct map index;
        struct noticed left_over;       /* resolved findings of limits that a new configuration no longer has */
        int64_t minute;
        uint64_t beyond_bound;
        bool is_dirty;
};

bool forecasts_create(struct series_store *series, struct forecasts **out_forecasts, struct err *err)
{
        struct forecasts *forecasts = calloc(1, sizeof *forecasts);
        if (!forecasts)
                return fail_memory(err, "forecasts", sizeof *forecasts);
        forecasts->series = series;
        noticed_init(&forecasts->left_over);
        *out_forecasts = forecasts;
        return true;
}

static void free_forecast(struct forecast *forecast)
{
        free((char *)forecast->limit.bytes);
        buf_done(&forecast->packed);
        buf_done(&forecast->sentence);
        free(forecast);
}

void forecasts_destroy(struct forecasts *forecasts)
{
        if (!forecasts)
                return;
        for (size_t i = 0; i < forecasts->count; i++)
                free_forecast(forecasts->items[i]);
        free(forecasts->items);
        map_done(&forecasts->index);
        arena_done(&forecasts->arena);
        noticed_done(&forecasts->left_over);
        free(forecasts);
}

/* --- configuration ---------------------------------------------------------------------------------------------------------------- */

static bool read_duration(const json_t *item, const char *key, int64_t otherwise_ns, int64_t *out_ns, struct err *err)
{
        const json_t *value = json_object_get(item, key);
        *out_ns = otherwise_ns;
        if (!value)
                return true;
        if (json_is_integer(value))
                *out_ns = json_integer_value(value) * NS_PER_S;
        else if (!promql_duration(json_str(item, key), out_ns, err))
                return err_within(err, "%s", key);
        return *out_ns >= 0 || fail(err, ERR_INVALID, "forecasts", "%s must not be negative", key);
}

static bool check_series(const struct limit *limit, struct err *err)
{
        struct arena arena;
        struct matchers matchers = {0};
        arena_init(&arena, 1 << 20);
        bool good = promql_selector(limit->series, &arena, &matchers, err);
        matchers_done(&matchers);
        arena_done(&arena);
        return good || err_within(err, "series");
}

struct reading {
        struct arena *arena;
        struct { struct limit *items; size_t count, capacity; } limits;
};

static bool read_limit(void *context, const char *file, const json_t *item, struct err *err)
{
        struct reading *reading = context;
        struct str name = json_str(item, "limit"), summary = json_str(item, "summary"), alert = json_str(item, "alert");
        const json_t *at = json_object_get(item, "at");
        (void)file;
        if (!json_object_get(item, "limit"))
                return true; /* another thing to watch */
        struct limit *limit = arena_push(reading->arena, &reading->limits);
        if (!limit)
                return fail_memory(err, "forecasts", sizeof *limit);
        each (other, &reading->limits)
                if (other != limit && str_equal(other->name, name))
                        return fail(err, ERR_INVALID, "forecasts", "there are two limits named %.*s", STR_ARGS(name));
        if (!name.length || !summary.length || (at && !json_is_number(at)))
                return fail(err, ERR_INVALID, "forecasts", "a limit needs a name, series and summary, and `at` is a number");
        limit->at = at ? json_number_value(at) : 0;
        if (!text_copy(name, reading->arena, &limit->name) || !text_copy(json_str(item, "series"), reading->arena, &limit->series) ||
            !text_copy(summary, reading->arena, &limit->summary) || !text_copy(alert.length ? alert : STR("LimitInSight"), reading->arena, &limit->alert))
                return fail_memory(err, "forecasts", summary.length);
        bool good = check_series(limit, err) && rule_template_check(limit->summary, err) && read_duration(item, "warn", 24 * 60 * MINUTE_NS, &limit->warn_ns, err) &&
                    read_duration(item, "page", 60 * MINUTE_NS, &limit->page_ns, err) && read_duration(item, "within", 72 * 60 * MINUTE_NS, &limit->within_ns, err);
        return good || err_within(err, "limit %.*s", STR_ARGS(name));
}

bool forecasts_check(const json_t *content, struct err *err)
{
        struct arena arena;
        struct reading reading = {.arena = &arena};
        arena_init(&arena, 0);
        bool good = content_visit(content, "watch", read_limit, &reading, err);
        arena_done(&arena);
        return good;
}

static bool is_limit(const struct forecasts *forecasts, struct str name)
{
        each (limit, &forecasts->limits)
                if (str_equal(limit->name, name))
                        return true;
        return false;
}

static bool resolve_gone(struct forecasts *forecasts, struct err *err);

bool forecasts_configure(struct forecasts *forecasts, const json_t *content, struct err *err)
{
        struct arena arena;
        struct reading reading = {.arena = &arena};
        arena_init(&arena, 0);
        if (!content_visit(content, "watch", read_limit, &reading, err)) {
                arena_done(&arena);
                return false;
        }
        arena_done(&forecasts->arena);
        forecasts->arena = arena;
        forecasts->limits.items = reading.limits.items;
        forecasts->limits.count = reading.limits.count;
        return resolve_gone(forecasts, err);
}

/* --- findings --------------------------------------------------------------------------------------------------------------------- */

static void about(int64_t ns, struct buf *out)
{
        double minutes = (double)ns / (double)MINUTE_NS;
        if (minutes < 1)
                buf_text(out, "less than a minute");
        else if (minutes < 120)
                buf_printf(out, "about %.0f minutes", minutes);
        else if (minutes < 60 * 48)
                buf_printf(out, "about %.0f hours", minutes / 60);
        else
                buf_printf(out, "about %.0f days", minutes / 60 / 24);
}

static void write_summary(const struct forecast *forecast, int64_t time_ns, struct buf *out)
{
        buf_add(out, buf_str(&forecast->sentence));
        buf_text(out, " in ");
        about(max_of(forecast->best.at_ns - time_ns, (int64_t)0), out);
        if (forecast->best.latest_ns == INT64_MAX)
                return;
        buf_text(out, " (between ");
        about(max_of(forecast->best.earliest_ns - time_ns, (int64_t)0), out);
        buf_text(out, " and ");
        about(max_of(forecast->best.latest_ns - time_ns, (int64_t)0), out);
        buf_text(out, ")");
}

static bool tell(const struct forecast *forecast, enum alert_severity severity, bool is_firing, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        struct arena arena;
        scoped(buf_done) struct buf summary = {0};
        struct label annotation[] = {{.name = STR("summary")}};
        struct finding finding = {.origin = FINDING_FORECAST, .is_firing = is_firing, .starts_ns = is_firing ? time_ns : 0, .ends_ns = is_firing ? 0 : time_ns,
                                  .value = forecast->value, .source = forecast->limit};
        arena_init(&arena, 0);
        write_summary(forecast, time_ns, &summary);
        annotation[0].value = buf_str(&summary);
        finding.annotations = (struct labels){annotation, 1, 1};
        bool good = !summary.failed && labels_unpack(buf_str(&forecast->packed), &arena, &finding.labels, err);
        struct label *label = good ? arena_push(&arena, &finding.labels) : NULL;
        if (label)
                *label = (struct label){STR("severity"), str_of(alert_severity_name(severity))};
        good = label && labels_canonical(&finding.labels, err) && noticed_add_finding(noticed, &finding, err);
        arena_done(&arena);
        return good || (err && err->message[0] ? false : fail_memory(err, "forecasts", summary.length));
}

static void mark(struct forecasts *forecasts, struct forecast *forecast)
{
        forecast->is_dirty = true;
        forecasts->is_dirty = true;
}

static bool tell_as(struct forecasts *forecasts, struct forecast *forecast, enum alert_severity severity, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        if (forecast->told == severity)
                return true;
        if ((forecast->told && !tell(forecast, forecast->told, false, time_ns, noticed, err)) ||
            (severity && !tell(forecast, severity, true, time_ns, noticed, err)))
                return false;
        forecast->told = severity;
        mark(forecasts, forecast);
        return true;
}

static bool resolve_gone(struct forecasts *forecasts, struct err *err)
{
        for (size_t i = 0; i < forecasts->count; i++) {
                struct forecast *forecast = forecasts->items[i];
                if (is_limit(forecasts, forecast->limit) || forecast->is_gone)
                        continue;
                if (!tell_as(forecasts, forecast, 0, 0, &forecasts->left_over, err))
                        return false;
                forecast->is_gone = true;
                mark(forecasts, forecast);
        }
        return true;
}

/* --- deciding --------------------------------------------------------------------------------------------------------------------- */

/* The severity that the time left asks for; `stretch` is for taking back. */
static enum alert_severity severity_of(const struct limit *limit, const struct estimate *best, int64_t time_ns, double stretch)
{
        double left = best->is_there ? (double)(best->at_ns - time_ns) : INFINITY;
        if (limit->page_ns && left <= (double)limit->page_ns * stretch)
                return ALERT_CRITICAL;
        return limit->warn_ns && left <= (double)limit->warn_ns * stretch ? ALERT_WARNING : 0;
}

static struct trend_arrival arrival_of(const struct estimate *estimate, int64_t time_ns)
{
        return (struct trend_arrival){(double)(estimate->at_ns - time_ns), (double)(estimate->earliest_ns - time_ns),
                                      estimate->latest_ns == INT64_MAX ? INFINITY : (double)(estimate->latest_ns - time_ns)};
}

static bool decide(struct forecasts *forecasts, const struct limit *limit, struct forecast *forecast, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        forecast->best.is_there = false;
        for (size_t i = WINDOWS; i-- > 0;) { /* the longest first */
                struct trend_arrival shorter = arrival_of(&forecast->estimates[i], time_ns), longer = arrival_of(&forecast->best, time_ns);
                if (forecast->estimates[i].is_there && (!forecast->best.is_there || trend_is_sooner(&shorter, &longer)))
                        forecast->best = forecast->estimates[i];
        }
        enum alert_severity wanted = severity_of(limit, &forecast->best, time_ns, 1), kept = severity_of(limit, &forecast->best, time_ns, LATER);
        for (enum alert_severity severity = ALERT_INFO; severity <= ALERT_CRITICAL; severity++)
                forecast->agreed[severity] = wanted >= severity ? min_of(forecast->agreed[severity] + 1, AGREE) : 0;
        forecast->calm = kept < forecast->told ? forecast->calm + 1 : 0;
        enum alert_severity agreed = forecast->agreed[ALERT_CRITICAL] >= AGREE ? ALERT_CRITICAL : forecast->agreed[ALERT_WARNING] >= AGREE ? ALERT_WARNING : 0;
        mark(forecasts, forecast);
        if (agreed > forecast->told && !tell_as(forecasts, forecast, agreed, time_ns, noticed, err))
                return false;
        if (forecast->calm >= CALM) {
                forecast->calm = 0;
                if (!tell_as(forecasts, forecast, kept, time_ns, noticed, err))
                        return false;
        }
        bool is_in_sight = forecast->best.is_there && forecast->best.at_ns - time_ns <= limit->within_ns;
        forecast->is_gone = !is_in_sight && !forecast->told;
        return true;
}

/* --- looking ---------------------------------------------------------------------------------------------------------------------- */

static bool finding_labels(const struct limit *limit, const struct labels *series, struct arena *arena, struct buf *out_packed)
{
        struct labels labels = {0};
        each (label, series) {
                if (str_equal(label->name, LABEL_METRIC_NAME) || str_is(label->name, "severity") || str_is(label->name, "alertname"))
                        continue;
                struct label *kept = arena_push(arena, &labels);
                if (!kept)
                        return false;
                *kept = *label;
        }
        struct label *name = arena_push(arena, &labels);
        if (!name)
                return false;
        *name = (struct label){STR("alertname"), limit->alert};
        return labels_canonical(&labels, NULL) && labels_pack(&labels, out_packed);
}

static uint64_t hash_of(struct str limit, struct str packed)
{
        return hash64_seeded(packed, hash64(limit));
}

static struct forecast *find(const struct forecasts *forecasts, struct str limit, struct str packed)
{
        size_t at;
        for (uint32_t i = map_first(&forecasts->index, hash_of(limit, packed), &at); i != MAP_NONE; i = map_next(&forecasts->index, hash_of(limit, packed), &at))
                if (str_equal(forecasts->items[i]->limit, limit) && str_equal(buf_str(&forecasts->items[i]->packed), packed))
                        return forecasts->items[i];
        return NULL;
}

/* NULL without err: at the bound. */
static struct forecast *add(struct forecasts *forecasts, struct str limit, struct str packed, struct str sentence, struct err *err)
{
        if (forecasts->count == FORECASTS_MAX) {
                forecasts->beyond_bound++;
                return NULL;
        }
        if (forecasts->count == forecasts->capacity) {
                size_t capacity = max_of(forecasts->capacity * 2, (size_t)16);
                struct forecast **items = realloc(forecasts->items, capacity * sizeof(struct forecast *));
                if (!items) {
                        fail_memory(err, "forecasts", capacity * sizeof *items);
                        return NULL;
                }
                forecasts->items = items;
                forecasts->capacity = capacity;
        }
        struct forecast *forecast = calloc(1, sizeof *forecast);
        if (forecast)
                forecast->limit = (struct str){strndup(limit.bytes, limit.length), limit.length};
        if (!forecast || !forecast->limit.bytes || !buf_add(&forecast->packed, packed) || !buf_add(&forecast->sentence, sentence) ||
            !map_put(&forecasts->index, hash_of(limit, packed), (uint32_t)forecasts->count)) {
                if (forecast)
                        free_forecast(forecast);
                fail_memory(err, "forecasts", sizeof *forecast);
                return NULL;
        }
        return forecasts->items[forecasts->count++] = forecast;
}

/* The points of a window that are no stale markers. */
static struct estimate estimate_from(const struct limit *limit, const struct series_data *series, const struct trend_window *window, int64_t time_ns)
{
        double x[TREND_POINTS_MAX], y[TREND_POINTS_MAX];
        size_t count = 0;
        struct trend_arrival arrival;
        for (size_t i = 0; i < series->count && count < TREND_POINTS_MAX; i++) {
                if (!isfinite(series->values[i]))
                        continue;
                x[count] = (double)(series->times_ns[i] - time_ns) / 1e9;
                y[count++] = series->values[i];
        }
        if (!trend_foretell(window, x, y, count, limit->at, &arrival))
                return (struct estimate){0};
        return (struct estimate){true, time_ns + (int64_t)(arrival.at * 1e9), time_ns + (int64_t)(arrival.earliest * 1e9),
                                 arrival.latest < 1e9 ? time_ns + (int64_t)(arrival.latest * 1e9) : INT64_MAX};
}

static bool take_series(struct forecasts *forecasts, const struct limit *limit, size_t window, const struct series_data *series, struct arena *arena,
                        int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf packed = {0}, sentence = {0};
        struct estimate estimate = estimate_from(limit, series, &trend_windows[window], time_ns);
        if (!finding_labels(limit, &series->labels, arena, &packed))
                return fail_memory(err, "forecasts", packed.length);
        struct forecast *forecast = find(forecasts, limit->name, buf_str(&packed));
        bool is_in_sight = estimate.is_there && estimate.at_ns - time_ns <= limit->within_ns;
        if (!forecast && !is_in_sight)
                return true;
        if (!forecast) {
                rule_template_write(limit->summary, &series->labels, series->values[series->count - 1], &sentence);
                struct err full = {0};
                forecast = add(forecasts, limit->name, buf_str(&packed), buf_str(&sentence), &full);
                if (!forecast)
                        return full.code == ERR_NONE || fail_memory(err, "forecasts", sizeof *forecast);
        }
        forecast->estimates[window] = estimate;
        forecast->value = series->values[series->count - 1];
        forecast->limit_value = limit->at;
        return true;
}

/* What a window no longer has is not in sight by it. */
static void forget_window(struct forecasts *forecasts, const struct limit *limit, size_t window)
{
        for (size_t i = 0; i < forecasts->count; i++)
                if (str_equal(forecasts->items[i]->limit, limit->name))
                        forecasts->items[i]->estimates[window].is_there = false;
}

static bool look(struct forecasts *forecasts, struct limit *limit, size_t window, int64_t time_ns, struct err *err)
{
        struct arena arena;
        struct promql_source source = promql_store_source(forecasts->series);
        struct promql_options options = {.start_ns = time_ns - trend_windows[window].span_s * NS_PER_S, .end_ns = time_ns,
                                         .step_ns = trend_windows[window].step_s * NS_PER_S,
                                         .bytes_max = EVALUATION_BYTES_MAX};
        struct promql_result result;
        struct err fault = {0};
        bool good = true;
        arena_init(&arena, 0);
        if (!promql_query(limit->series, &source, &options, &arena, &result, &fault) ||
            (result.set.count > FORECAST_SERIES_MAX && !fail(&fault, ERR_TOO_LARGE, "forecasts", "limit %.*s has more than %d series; narrow it", STR_ARGS(limit->name),
                                                             FORECAST_SERIES_MAX))) {
                if (!limit->fault[0])
                        log_err(LOG_LEVEL_WARNING, &fault);
                snprintf(limit->fault, sizeof limit->fault, "%.199s", fault.message);
        } else {
                limit->fault[0] = '\0';
                forget_window(forecasts, limit, window);
                each (series, &result.set)
                        good = good && (!series->count || take_series(forecasts, limit, window, series, &arena, time_ns, err));
        }
        arena_done(&arena);
        return good;
}

bool forecasts_tick(struct forecasts *forecasts, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        int64_t minute = time_ns / MINUTE_NS;
        if (!noticed_move(&forecasts->left_over, noticed, err))
                return false;
        if (minute == forecasts->minute)
                return true;
        bool is_first = !forecasts->minute; /* after a start every window is read */
        each (limit, &forecasts->limits) {
                for (size_t i = 0; i < WINDOWS; i++)
                        if ((is_first || minute % trend_windows[i].every_minutes == 0) && !look(forecasts, limit, i, time_ns, err))
                                return false;
                for (size_t i = 0; i < forecasts->count; i++)
                        if (str_equal(forecasts->items[i]->limit, limit->name) && !forecasts->items[i]->is_gone &&
                            !decide(forecasts, limit, forecasts->items[i], time_ns, noticed, err))
                                return false;
        }
        forecasts->minute = minute;
        return true;
}

/* --- the state database ------------------------------------------------------------------------------------------------------------ */

static bool load_row(void *context, const struct forecast_row *row, struct err *err)
{
        struct forecasts *forecasts = context;
        struct err full = {0};
        struct forecast *forecast = add(forecasts, row->limit, row->labels, row->sentence, &full);
        if (!forecast)
                return full.code == ERR_NONE || fail_memory(err, "forecasts", sizeof *forecast);
        forecast->told = (enum alert_severity)row->told;
        forecast->best = (struct estimate){true, row->at_ns, row->earliest_ns, row->latest_ns};
        forecast->value = row->value;
        forecast->limit_value = row->limit_value;
        for (enum alert_severity severity = ALERT_INFO; severity <= forecast->told; severity++)
                forecast->agreed[severity] = AGREE;
        return true;
}

bool forecasts_load(struct forecasts *forecasts, struct database *state, int64_t time_ns, struct err *err)
{
        (void)time_ns;
        return forecast_rows_visit(state, load_row, forecasts, err) && resolve_gone(forecasts, err);
}

bool forecasts_is_dirty(const struct forecasts *forecasts)
{
        return forecasts->is_dirty;
}

bool forecasts_write(struct forecasts *forecasts, struct database *state, struct err *err)
{
        for (size_t i = 0; i < forecasts->count; i++) {
                const struct forecast *forecast = forecasts->items[i];
                if (!forecast->is_dirty)
                        continue;
                struct forecast_row row = {forecast->limit, buf_str(&forecast->packed), buf_str(&forecast->sentence), forecast->value, forecast->limit_value,
                                           forecast->best.at_ns, forecast->best.earliest_ns, forecast->best.latest_ns, forecasts->minute * MINUTE_NS,
                                           (int)forecast->told};
                if (!(forecast->is_gone ? forecast_row_delete(state, &row, err) : forecast_row_write(state, &row, err)))
                        return false;
        }
        return true;
}

static void remove_at(struct forecasts *forecasts, size_t place)
{
        struct forecast *forecast = forecasts->items[place], *last = forecasts->items[forecasts->count - 1];
        map_remove(&forecasts->index, hash_of(forecast->limit, buf_str(&forecast->packed)), (uint32_t)place);
        if (forecast != last) {
                map_remove(&forecasts->index, hash_of(last->limit, buf_str(&last->packed)), (uint32_t)(forecasts->count - 1));
                map_put(&forecasts->index, hash_of(last->limit, buf_str(&last->packed)), (uint32_t)place); /* in a slot just freed */
                forecasts->items[place] = last;
        }
        forecasts->count--;
        free_forecast(forecast);
}

void forecasts_written(struct forecasts *forecasts)
{
        for (size_t i = forecasts->count; i-- > 0;) {
                forecasts->items[i]->is_dirty = false;
                if (forecasts->items[i]->is_gone)
                        remove_at(forecasts, i);
        }
        forecasts->is_dirty = false;
}
