/* alertmanager.c - see alertmanager.h. */
#include "wire/alertmanager.h"

#include "base/json.h"
#include "base/scope.h"
#include "wire/timestamp.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool name_is_good(const char *name)
{
        if (!isalpha((unsigned char)*name) && *name != '_')
                return false;
        while (isalnum((unsigned char)*name) || *name == '_')
                name++;
        return *name == '\0';
}

static bool take_labels(const json_t *object, bool check_names, struct arena *arena, struct labels *out_labels, struct err *err)
{
        struct labels labels = {0};
        const char *name;
        json_t *value;
        if (object && !json_is_object(object) && !json_is_null(object))
                return fail(err, ERR_INVALID, "alertmanager", "labels and annotations must be objects");
        json_object_foreach((json_t *)object, name, value) {
                if (!json_is_string(value) || (check_names && !name_is_good(name)))
                        return fail(err, ERR_INVALID, "alertmanager", "\"%s\" is no good label; names are letters, digits and _, values texts", name);
                struct label *label = arena_push(arena, &labels);
                if (!label || !text_copy(str_of(name), arena, &label->name) ||
                    !text_copy((struct str){json_string_value(value), json_string_length(value)}, arena, &label->value))
                        return fail_memory(err, "alertmanager", sizeof *label);
        }
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

/* 0 for what is missing or Go's zero time. */
static bool take_time(const json_t *alert, const char *key, int64_t *out_ns, struct err *err)
{
        struct str text = json_str(alert, key);
        *out_ns = 0;
        if (!text.length || str_starts_with(text, STR("0001-")))
                return true;
        return timestamp_iso(text, 0, NULL, out_ns) == text.length ||
               fail(err, ERR_INVALID, "alertmanager", "%s \"%.*s\" is no time; write it as 2026-01-31T23:59:59Z", key, STR_ARGS(str_slice(text, 0, 40)));
}

static int hex_of(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The rule's expression, that Prometheus puts into the link to itself: what to look at. Empty: the link has none. */
static bool take_evidence(struct str url, struct arena *arena, struct str *out_evidence)
{
        size_t at, length = 0;
        *out_evidence = STR("");
        if (!str_find(url, STR("g0.expr="), &at))
                return true;
        struct str text = str_slice(url, at + 8, url.length);
        char *bytes = arena_alloc(arena, text.length + 1);
        for (size_t i = 0; bytes && i < text.length && text.bytes[i] != '&' && text.bytes[i] != '#'; i++) {
                int high = text.bytes[i] == '%' && i + 2 < text.length ? hex_of(text.bytes[i + 1]) : -1, low = high < 0 ? -1 : hex_of(text.bytes[i + 2]);
                bytes[length++] = low >= 0 ? (char)(high << 4 | low) : text.bytes[i] == '+' ? ' ' : text.bytes[i];
                i += low >= 0 ? 2 : 0;
        }
        *out_evidence = (struct str){bytes, length};
        return bytes;
}

/* The value, as annotations tell it by custom. */
static double value_of(const struct labels *annotations)
{
        static const struct str names[] = {STR_INIT("value"), STR_INIT("current_value")};
        char text[40];
        for (size_t i = 0; i < countof(names); i++) {
                struct str value = labels_value(annotations, names[i]);
                char *end = text;
                snprintf(text, sizeof text, "%.*s", STR_ARGS(str_slice(value, 0, sizeof text - 1)));
                double number = value.length && value.length < sizeof text ? strtod(text, &end) : NAN;
                if (end != text && !*end)
                        return number;
        }
        return NAN;
}

static bool take_alert(struct batch *batch, const json_t *alert, struct finding *out_finding, struct err *err)
{
        struct finding finding = {.origin = FINDING_EXTERNAL, .value = NAN, .source = batch->source};
        if (!json_is_object(alert))
                return fail(err, ERR_INVALID, "alertmanager", "an alert must be an object");
        if (!take_labels(json_object_get(alert, "labels"), true, &batch->arena, &finding.labels, err) ||
            !take_labels(json_object_get(alert, "annotations"), false, &batch->arena, &finding.annotations, err) ||
            !take_time(alert, "startsAt", &finding.starts_ns, err) || !take_time(alert, "endsAt", &finding.ends_ns, err))
                return false;
        if (!finding.labels.count)
                return fail(err, ERR_INVALID, "alertmanager", "an alert needs at least one label");
        if (finding.ends_ns && finding.starts_ns > finding.ends_ns)
                return fail(err, ERR_INVALID, "alertmanager", "startsAt is after endsAt");
        if (!text_copy(json_str(alert, "generatorURL"), &batch->arena, &finding.generator_url) ||
            !take_evidence(finding.generator_url, &batch->arena, &finding.evidence))
                return fail_memory(err, "alertmanager", sizeof finding);
        finding.held_why = STR("");
        finding.value = value_of(&finding.annotations);
        finding.is_firing = !finding.ends_ns || finding.ends_ns > batch->received_ns;
        finding.starts_ns = finding.starts_ns ? finding.starts_ns : min_of(finding.ends_ns ? finding.ends_ns : INT64_MAX, batch->received_ns);
        finding.ends_ns = finding.ends_ns ? finding.ends_ns : batch->received_ns + ALERTMANAGER_RESOLVE_NS;
        *out_finding = finding;
        return true;
}

bool alertmanager_decode(struct batch *batch, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = batch_json(batch, err);
        size_t i;
        json_t *alert;
        if (!body)
                return err_within(err, "reading alerts");
        if (!json_is_array(body) || json_array_size(body) > ALERTMANAGER_ALERTS_MAX)
                return fail(err, ERR_INVALID, "alertmanager", "the body must be an array of at most %d alerts", ALERTMANAGER_ALERTS_MAX);
        json_array_foreach(body, i, alert) {
                struct finding finding;
                struct err why = {0};
                if (!take_alert(batch, alert, &finding, &why)) {
                        if (why.code == ERR_MEMORY)
                                return fail_memory(err, "alertmanager", batch->bytes.length);
                        if (!batch->telemetry.rejected++)
                                batch->telemetry.rejected_why = arena_printf(&batch->arena, "alert %zu: %s", i + 1, why.message);
                        continue;
                }
                struct finding *kept = arena_push(&batch->arena, &batch->telemetry.findings);
                if (!kept)
                        return fail_memory(err, "alertmanager", sizeof *kept);
                *kept = finding;
        }
        return true;
}
