/*
 * receiver_webhook.c - a webhook that takes what Alertmanager sends: its body, version 4, with a few fields of ours beside.
 *
 *      webhook: { url: "https://..." | secret:NAME, bearer: secret:NAME, max_alerts: 0 }
 *
 * What groups alerts is the incident, so groupKey and groupLabels name it. Fields of ours stand under "evenkeel"; whoever knows
 * Alertmanager's body alone does not see them. Idempotency-Key is the same for each try.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/receiver.h"
#include "engage/setting.h"

#include <inttypes.h>
#include <stdio.h>

bool receiver_webhook_check(const json_t *settings, struct err *err)
{
        static const char *const keys[] = {"url", "bearer", "max_alerts", NULL};
        struct str url = json_str(settings, "url"), bearer = json_str(settings, "bearer");
        if (!setting_keys(settings, "webhook", keys, err))
                return false;
        if (!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://")) && !str_starts_with(url, STR("secret:")))
                return fail(err, ERR_INVALID, "engage", "webhook needs url, an http or https address or secret:NAME");
        return !bearer.bytes || str_starts_with(bearer, STR("secret:")) ||
               fail(err, ERR_INVALID, "engage", "bearer must be secret:NAME; put the token under secrets in evenkeel.yaml");
}

static json_t *time_json(int64_t time_ns)
{
        char text[CLOCK_RFC3339_BYTES];
        if (!time_ns)
                return json_string("0001-01-01T00:00:00Z");
        clock_rfc3339(time_ns, 3, text);
        return json_string(text);
}

/* What all have alike. */
static void intersect(json_t *common, const json_t *other)
{
        const char *key;
        json_t *value;
        void *next;
        json_object_foreach_safe (common, next, key, value)
                if (!json_equal(value, json_object_get(other, key)))
                        json_object_del(common, key);
}

static json_t *alert_json(const json_t *alert)
{
        return json_pack("{s:O, s:O, s:O, s:o, s:o, s:O, s:O}", "status", json_object_get(alert, "state"), "labels", json_object_get(alert, "labels"),
                         "annotations", json_object_get(alert, "annotations"), "startsAt", time_json(json_i64(alert, "starts_ns", 0)), "endsAt",
                         time_json(json_i64(alert, "ends_ns", 0)), "generatorURL", json_object_get(alert, "generator_url"), "fingerprint",
                         json_object_get(alert, "fingerprint"));
}

static json_t *body_json(const struct receiver_context *context, const struct outgoing *outgoing)
{
        const json_t *message = outgoing->message;
        scoped_ptr(json_decref) json_t *alerts = json_array(), *labels = NULL, *annotations = NULL;
        char group[32], number[16], key[24];
        size_t at;
        const json_t *alert;
        int64_t most = json_i64(outgoing->settings, "max_alerts", 0), cut = json_i64(message, "more_alerts", 0);
        snprintf(number, sizeof number, "%d", (int)json_i64(message, "incident", 0));
        snprintf(group, sizeof group, "{}:{incident=\"%s\"}", number);
        snprintf(key, sizeof key, "%" PRIu64, outgoing->id);
        json_array_foreach (json_object_get(message, "alerts"), at, alert) {
                if (most && (int64_t)json_array_size(alerts) >= most) {
                        cut++;
                        continue;
                }
                json_array_append_new(alerts, alert_json(alert));
                if (labels) {
                        intersect(labels, json_object_get(alert, "labels"));
                        intersect(annotations, json_object_get(alert, "annotations"));
                } else {
                        labels = json_copy(json_object_get(alert, "labels"));
                        annotations = json_copy(json_object_get(alert, "annotations"));
                }
        }
        struct str occasion = json_str(message, "occasion");
        return json_pack("{s:s%, s:s, s:O, s:{s:s}, s:o, s:o, s:s, s:s, s:s, s:I, s:{s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:b, s:s}}", "receiver",
                         outgoing->receiver.bytes, outgoing->receiver.length, "status", str_is(occasion, "resolved") ? "resolved" : "firing", "alerts", alerts,
                         "groupLabels", "incident", number, "commonLabels", labels ? json_incref(labels) : json_object(), "commonAnnotations",
                         annotations ? json_incref(annotations) : json_object(), "externalURL", context->link, "version", "4", "groupKey", group,
                         "truncatedAlerts", (json_int_t)cut, "evenkeel", "occasion", json_object_get(message, "occasion"), "because", json_object_get(message, "because"), "is_page",
                         json_object_get(message, "is_page"), "team", json_object_get(message, "team"), "title", json_object_get(message, "title"), "where",
                         json_object_get(message, "where"), "why", json_object_get(message, "why"), "causes", json_object_get(message, "causes"), "helped",
                         json_object_get(message, "helped"), "is_repeat", outgoing->is_repeat, "id", key);
}

bool receiver_webhook_send(const struct receiver_context *context, const struct outgoing *outgoing, struct receiver_outcome *out_outcome, struct err *err)
{
        scoped(buf_done) struct buf url = {0}, bearer = {0}, body = {0}, authorization = {0};
        char key[64];
        const char *headers[] = {key, NULL, NULL};
        *out_outcome = (struct receiver_outcome){0};
        if (!receiver_setting(context, outgoing->settings, "url", &url, err) || !receiver_setting(context, outgoing->settings, "bearer", &bearer, err))
                return false;
        snprintf(key, sizeof key, "Idempotency-Key: %" PRIu64, outgoing->id);
        if (bearer.length && buf_printf(&authorization, "Authorization: Bearer %.*s", STR_ARGS(buf_str(&bearer))) && buf_byte(&authorization, 0))
                headers[1] = authorization.bytes;
        scoped_ptr(json_decref) json_t *json = body_json(context, outgoing);
        if (!json || !json_write(json, &body)) {
                out_outcome->may_retry = true;
                return fail_memory(err, "engage", body.length);
        }
        return receiver_post(context, url.bytes, headers, buf_str(&body), out_outcome, err);
}
