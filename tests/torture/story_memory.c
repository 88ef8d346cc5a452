/* story_memory.c - stories of decoding, masking and asking, which need nothing but memory. */
#include "story.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/batch.h"
#include "query/logql.h"
#include "query/prom_json.h"
#include "query/promql.h"
#include "query/series_list.h"
#include "wire/exposition.h"
#include "wire/otlp_json.h"
#include "wire/redact.h"
#include "wire/syslog.h"
#include "wire/webhook.h"

static bool decode(decode_fn *decode_bytes, struct str bytes, struct str settings, struct err *err)
{
        struct batch *batch = batch_create(1, STR("story"), err);
        if (!batch)
                return false;
        struct label host = {STR("host"), STR("h")};
        batch->labels = (struct labels){&host, 1, 1};
        batch->bytes = arena_str(&batch->arena, bytes);
        batch->settings = settings;
        batch->received_ns = INT64_C(1767225600) * NS_PER_S;
        bool good = batch->bytes.bytes ? decode_bytes(batch, err) : fail_memory(err, "story", bytes.length);
        scoped(buf_done) struct buf packed = {0};
        if (good && !batch_pack(batch, &packed))
                good = fail_memory(err, "story", packed.length);
        struct batch *again = good ? batch_unpack(buf_str(&packed), err) : NULL;
        good = again;
        batch_destroy(again);
        batch_destroy(batch);
        return good;
}

bool tell_syslog(struct err *err)
{
        return decode(syslog_decode, STR("<13>1 2026-01-01T00:00:00Z web nginx 1 - [a b=\"c\"] hello\n<34>Jan  1 00:00:00 db su[2]: no\nodd\n"), STR(""), err);
}

bool tell_otlp_logs(struct err *err)
{
        return decode(otlp_logs_json_decode, STR("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"s\"}}]},"
                                                 "\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"x\"},\"attributes\":"
                                                 "[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}}]}]}]}]}"), STR(""), err);
}

bool tell_webhook(struct err *err)
{
        return decode(webhook_decode, STR("{\"events\":[{\"t\":1767225600,\"m\":\"x\"},{\"m\":[1]}]}"),
                      STR("{\"records\":\"$.events\",\"line\":\"{{$.m}}\",\"time\":\"$.t\"}"), err);
}

bool tell_exposition(struct err *err)
{
        return decode(exposition_decode, STR("# HELP a b\n# TYPE a counter\na{x=\"1\"} 2\nb 3 1767225600000\n"), STR(""), err);
}

bool tell_promql(struct err *err)
{
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf out = {0};
        struct series_list list;
        struct promql_result result;
        if (!series_list_read(STR("a{x=\"1\"} 1 10\na{x=\"1\"} 3 20\na{x=\"2\"} 7 15\n"), &arena, &list, err))
                return false;
        struct promql_source source = series_list_source(&list);
        struct promql_options options = {.start_ns = 10 * NS_PER_S, .end_ns = 60 * NS_PER_S, .step_ns = 10 * NS_PER_S};
        if (!promql_query(STR("sum by (x) (rate(a{x=~\"1|2\"}[30s])) + on (x) topk(1, label_replace(a, \"y\", \"$1\", \"x\", \"(.*)\"))"), &source,
                          &options, &arena, &result, err))
                return false;
        return prom_json_result(&result, &out) || fail_memory(err, "story", out.length);
}

bool tell_logql(struct err *err)
{
        scoped(arena_done) struct arena arena = {0};
        struct log_select select = {0};
        if (!logql_parse(STR("{a=\"b\", c=~\"d+\"} |= \"e\\n\" |~ \"f\""), &arena, &select, err))
                return false;
        logql_done(&select);
        return true;
}

bool tell_redaction(struct err *err)
{
        scoped_ptr(json_decref) json_t *patterns = json_parse(
                STR("[{\"name\":\"badge\",\"pattern\":\"badge-(?<secret>[0-9]+)\",\"hints\":[\"badge\"],\"sample\":\"badge-12\"}]"), err);
        struct redactor *redactor;
        char text[] = "badge-123 password=hunter2 x";
        if (!patterns || !redactor_create(patterns, NULL, &redactor, err))
                return false;
        uint64_t masked = redact_text(redactor, text, sizeof text - 1);
        redactor_destroy(redactor);
        if (masked != 2 || strstr(text, "123") || strstr(text, "hunter2"))
                broken("%s is what masking left", text);
        return true;
}
