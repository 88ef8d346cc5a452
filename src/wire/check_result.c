/* check_result.c - see check_result.h. */
#include "wire/check_result.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "wire/stream.h"

#include <math.h>

struct decoding {
        struct batch *batch;
        const json_t *result;
        struct labels labels;           /* of the result; canonical */
};

/* --- series -------------------------------------------------------------------------------------------------------------------- */

static bool add_series(struct decoding *decoding, struct str name, const struct label *more, size_t more_count, double value, struct err *err)
{
        struct arena *arena = &decoding->batch->arena;
        struct labels labels = {0};
        each (label, &decoding->labels) {
                bool hidden = false;
                for (size_t i = 0; i < more_count; i++)
                        hidden |= str_equal(more[i].name, label->name);
                struct label *kept = hidden ? NULL : arena_push(arena, &labels);
                if (!hidden && !kept)
                        return fail_memory(err, "check", sizeof *kept);
                if (kept)
                        *kept = *label;
        }
        for (size_t i = 0; i <= more_count; i++) {
                struct label *kept = arena_push(arena, &labels);
                if (!kept)
                        return fail_memory(err, "check", sizeof *kept);
                *kept = i < more_count ? more[i] : (struct label){LABEL_METRIC_NAME, name};
        }
        struct series_points *points = arena_push(arena, &decoding->batch->telemetry.series);
        struct sample *sample = arena_new(arena, struct sample);
        if (!points || !sample)
                return fail_memory(err, "check", sizeof *points);
        *sample = (struct sample){decoding->batch->received_ns, value};
        *points = (struct series_points){.samples = sample, .count = 1};
        if (!labels_canonical(&labels, err)) {
                decoding->batch->telemetry.series.count--;
                return false;
        }
        points->labels = labels;
        return true;
}

static bool is_name(struct str name)
{
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9')))
                        return false;
        }
        return name.length > 0 && name.length <= 100;
}

static bool add_values(struct decoding *decoding, struct err *err)
{
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(decoding->result, "values"), name, value) {
                struct str full = arena_printf(&decoding->batch->arena, "check_%s", name);
                if (!full.bytes)
                        return fail_memory(err, "check", sizeof full);
                if (!json_is_number(value) || !is_name(full))
                        stream_reject(decoding->batch, 1, "the value \"%.60s\" is no number or no good name", name);
                else if (!add_series(decoding, full, NULL, 0, json_number_value(value), err))
                        return false;
        }
        return true;
}

/* --- performance data: 'label'=value[unit];[warn];[crit];[min];[max] ------------------------------------------------------------------- */

static bool cut_perf_label(struct str *data, struct arena *arena, struct str *out_label)
{
        size_t at = 0, length = 0;
        *data = str_trim(*data);
        if (!data->length || data->bytes[0] != '\'') {
                if (!str_find(*data, STR("="), &at))
                        return false;
                *out_label = str_slice(*data, 0, at);
                *data = str_slice(*data, at + 1, data->length);
                return at > 0 && !memchr(out_label->bytes, ' ', out_label->length);
        }
        char *text = arena_alloc(arena, data->length);
        for (at = 1; text && at < data->length; at++) {
                if (data->bytes[at] == '\'' && at + 1 < data->length && data->bytes[at + 1] == '\'')
                        at++; /* a quote inside is doubled */
                else if (data->bytes[at] == '\'')
                        break;
                text[length++] = data->bytes[at];
        }
        if (!text || at + 1 >= data->length || data->bytes[at + 1] != '=')
                return false;
        *out_label = (struct str){text, length};
        *data = str_slice(*data, at + 2, data->length);
        return length > 0;
}

/* "2643MB;5948;5958": the number, and the unit in the base that it is a multiple of. */
static bool take_perf_value(struct str text, double *out_value, struct str *out_unit)
{
        static const struct { const char *unit, *base; double factor; } units[] = {
                {"us", "s", 1e-6}, {"ms", "s", 1e-3}, {"KB", "B", 1024}, {"kB", "B", 1000}, {"MB", "B", 1048576}, {"GB", "B", 1073741824}, {"TB", "B", 1099511627776.0},
        };
        struct str number;
        str_cut(&text, ';', &number);
        size_t end = 0;
        while (end < number.length && strchr("+-.0123456789", number.bytes[end]) && number.bytes[end])
                end++;
        if (!str_to_double(str_slice(number, 0, end), out_value) || !isfinite(*out_value))
                return false;
        *out_unit = str_slice(number, end, number.length);
        for (size_t i = 0; i < countof(units); i++)
                if (str_is(*out_unit, units[i].unit)) {
                        *out_value *= units[i].factor;
                        *out_unit = str_of(units[i].base);
                }
        return out_unit->length <= 16;
}

static bool add_perfdata(struct decoding *decoding, struct err *err)
{
        struct str data, label, one, unit;
        double value;
        if (!text_copy(json_str(decoding->result, "perfdata"), &decoding->batch->arena, &data))
                return fail_memory(err, "check", sizeof data);
        for (size_t count = 0; str_trim(data).length; count++) {
                if (count == CHECK_PERFDATA_MAX || !cut_perf_label(&data, &decoding->batch->arena, &label)) {
                        stream_reject(decoding->batch, 1, "performance data is not understood at \"%.*s\"", STR_ARGS(str_slice(str_trim(data), 0, 40)));
                        return true;
                }
                str_cut(&data, ' ', &one);
                if (str_starts_with(one, STR("U")))
                        continue; /* the plugin could not tell the value */
                if (!take_perf_value(one, &value, &unit)) {
                        stream_reject(decoding->batch, 1, "performance data of %.*s is no number", STR_ARGS(str_slice(label, 0, 60)));
                        continue;
                }
                struct label more[] = {{STR("label"), label}, {STR("unit"), unit}};
                if (!add_series(decoding, STR("check_perfdata"), more, countof(more), value, err))
                        return false;
        }
        return true;
}

static bool add_all_series(struct decoding *decoding, int state, struct err *err)
{
        const json_t *duration = json_object_get(decoding->result, "duration_s");
        return add_series(decoding, STR("check_up"), NULL, 0, state <= 1, err) && add_series(decoding, STR("check_state"), NULL, 0, state, err) &&
               add_series(decoding, STR("check_duration_seconds"), NULL, 0, json_is_number(duration) ? json_number_value(duration) : 0, err) &&
               add_series(decoding, STR("check_state_changes_total"), NULL, 0, (double)json_i64(decoding->result, "changes", 0), err) &&
               add_series(decoding, STR("check_flapping"), NULL, 0, json_flag(decoding->result, "flapping", false), err) && add_values(decoding, err) &&
               add_perfdata(decoding, err);
}

/* --- findings ------------------------------------------------------------------------------------------------------------------ */

static bool take_texts(const json_t *object, struct arena *arena, struct labels *out_labels, struct err *err)
{
        struct labels labels = {0};
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)object, name, value) {
                struct label *label = arena_push(arena, &labels);
                if (!json_is_string(value) || !*name)
                        return fail(err, ERR_INVALID, "check", "\"%.60s\" is no text", name);
                if (!label || !text_copy(str_of(name), arena, &label->name) || !text_copy(str_of(json_string_value(value)), arena, &label->value))
                        return fail_memory(err, "check", sizeof *label);
        }
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

static bool add_label(struct arena *arena, struct labels *labels, struct str name, struct str value)
{
        each (label, labels)
                if (str_equal(label->name, name)) {
                        label->value = value;
                        return true;
                }
        struct label *label = arena_push(arena, labels);
        if (label)
                *label = (struct label){name, value};
        return label;
}

static bool add_finding(struct decoding *decoding, struct str severity, bool is_firing, int state, struct err *err)
{
        struct arena *arena = &decoding->batch->arena;
        const json_t *result = decoding->result;
        struct str check, alert, text;
        int64_t since_ns = json_i64(result, "since_ns", 0), ends_s = json_i64(result, "ends_s", 0), received_ns = decoding->batch->received_ns;
        struct finding finding = {.origin = str_is(json_str(result, "origin"), "self") ? FINDING_SELF : FINDING_CHECK, .is_firing = is_firing, .value = state,
                                  .held_why = STR(""), .generator_url = STR("")};
        if (!text_copy(json_str(result, "check"), arena, &check) || !text_copy(json_str(result, "alert"), arena, &alert) ||
            !text_copy(json_str(result, "text"), arena, &text) || !text_copy(severity, arena, &severity) || !labels_copy(&decoding->labels, arena, &finding.labels) ||
            !take_texts(json_object_get(result, "annotations"), arena, &finding.annotations, err) ||
            !add_label(arena, &finding.labels, STR("alertname"), alert) || !add_label(arena, &finding.labels, STR("severity"), severity) ||
            !add_label(arena, &finding.annotations, STR("summary"), text))
                return err && err->message[0] ? false : fail_memory(err, "check", sizeof finding);
        if (!labels_canonical(&finding.labels, err) || !labels_canonical(&finding.annotations, err))
                return false;
        finding.starts_ns = since_ns > 0 && since_ns < received_ns ? since_ns : received_ns;
        finding.ends_ns = !is_firing ? received_ns : ends_s > 0 && ends_s < 1000000000 ? received_ns + ends_s * NS_PER_S : 0;
        finding.evidence = arena_printf(arena, "check_state{check=\"%.*s\"}", STR_ARGS(check));
        finding.source = check;
        struct finding *kept = arena_push(arena, &decoding->batch->telemetry.findings);
        if (!kept || !finding.evidence.bytes)
                return fail_memory(err, "check", sizeof *kept);
        *kept = finding;
        return true;
}

/* Severity is a label, so a warning that becomes critical is another alert: it fires before the other one resolves, so that
 * their incident goes on. */
static bool add_findings(struct decoding *decoding, int state, struct err *err)
{
        struct str worst = json_str(decoding->result, "severity"), warning = STR("warning");
        bool is_new = json_flag(decoding->result, "new", false);
        worst = worst.length ? worst : STR("critical");
        struct str now = state == 2 ? worst : warning, other = state == 2 ? warning : worst;
        if (!json_flag(decoding->result, "hard", false))
                return true;
        if (state == 0)
                return !is_new || (add_finding(decoding, worst, false, state, err) && (str_equal(worst, warning) || add_finding(decoding, warning, false, state, err)));
        return add_finding(decoding, now, true, state, err) && (!is_new || str_equal(now, other) || add_finding(decoding, other, false, state, err));
}

/* --- results ------------------------------------------------------------------------------------------------------------------- */

static bool take_state(const json_t *result, int *out_state, struct err *err)
{
        static const char *const names[] = {"ok", "warning", "critical", "unknown"};
        struct str state = json_str(result, "state");
        for (size_t i = 0; i < countof(names); i++)
                if (str_is(state, names[i])) {
                        *out_state = (int)i;
                        return true;
                }
        return fail(err, ERR_INVALID, "check", "state is none of ok, warning, critical, unknown");
}

static bool take_result(struct batch *batch, const json_t *result, struct err *err)
{
        struct decoding decoding = {.batch = batch, .result = result};
        int state = 3;
        if (!json_is_object(result) || !json_str(result, "check").length || !json_str(result, "alert").length)
                return fail(err, ERR_INVALID, "check", "a result must be an object with check and alert");
        return take_state(result, &state, err) && take_texts(json_object_get(result, "labels"), &batch->arena, &decoding.labels, err) &&
               add_all_series(&decoding, state, err) && add_findings(&decoding, state, err);
}

bool check_result_decode(struct batch *batch, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = batch_json(batch, err);
        if (!body)
                return err_within(err, "reading results of checks");
        size_t count = json_is_array(body) ? json_array_size(body) : 1;
        if (count > CHECK_RESULTS_MAX)
                return fail(err, ERR_TOO_LARGE, "check", "more than %d results in a batch", CHECK_RESULTS_MAX);
        for (size_t i = 0; i < count; i++) {
                struct err why = {0};
                size_t findings = batch->telemetry.findings.count, series = batch->telemetry.series.count;
                if (take_result(batch, json_is_array(body) ? json_array_get(body, i) : body, &why))
                        continue;
                if (why.code == ERR_MEMORY)
                        return fail_memory(err, "check", batch->bytes.length);
                batch->telemetry.findings.count = findings; /* a result is taken whole or not at all */
                batch->telemetry.series.count = series;
                stream_reject(batch, 1, "result %zu: %s", i + 1, why.message);
        }
        return true;
}
