/*
 * torture - tells stories again and again, failing the nth allocation of our own code, until one is told to its end.
 *
 * Each failure must be a clear error, or do no harm; the sanitizers see leaks and touched memory. malloc, calloc and realloc
 * are wrapped by the linker, so that libraries keep their memory: what they do without is not ours to test.
 *
 * Usage: torture [STEP]: fails every STEPth allocation only (default 1).
 */
#include "base/clock.h"
#include "base/scope.h"
#include "model/batch.h"
#include "query/logql.h"
#include "query/prom_json.h"
#include "query/promql.h"
#include "query/series_list.h"
#include "wire/exposition.h"
#include "wire/otlp_json.h"
#include "wire/syslog.h"
#include "wire/webhook.h"

#include <stdio.h>
#include <stdlib.h>

static size_t allocations, failing; /* the number of the one that fails; 0: none */

static bool fails_now(void)
{
        return ++allocations == failing;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
        return fails_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
        return fails_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
        return fails_now() ? NULL : __real_realloc(old, bytes);
}

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

static bool syslog_lines(struct err *err)
{
        return decode(syslog_decode, STR("<13>1 2026-01-01T00:00:00Z web nginx 1 - [a b=\"c\"] hello\n<34>Jan  1 00:00:00 db su[2]: no\nodd\n"), STR(""), err);
}

static bool otlp_logs(struct err *err)
{
        return decode(otlp_logs_json_decode, STR("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"s\"}}]},"
                                                 "\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"x\"},\"attributes\":"
                                                 "[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}}]}]}]}]}"), STR(""), err);
}

static bool webhook(struct err *err)
{
        return decode(webhook_decode, STR("{\"events\":[{\"t\":1767225600,\"m\":\"x\"},{\"m\":[1]}]}"),
                      STR("{\"records\":\"$.events\",\"line\":\"{{$.m}}\",\"time\":\"$.t\"}"), err);
}

static bool exposition(struct err *err)
{
        return decode(exposition_decode, STR("# HELP a b\n# TYPE a counter\na{x=\"1\"} 2\nb 3 1767225600000\n"), STR(""), err);
}

static bool promql(struct err *err)
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

static bool logql(struct err *err)
{
        scoped(arena_done) struct arena arena = {0};
        struct log_select select = {0};
        if (!logql_parse(STR("{a=\"b\", c=~\"d+\"} |= \"e\\n\" |~ \"f\""), &arena, &select, err))
                return false;
        logql_done(&select);
        return true;
}

static const struct {
        const char *name;
        bool (*tell)(struct err *err);
} stories[] = {{"syslog", syslog_lines}, {"otlp logs", otlp_logs}, {"webhook", webhook},
               {"exposition", exposition}, {"promql", promql}, {"logql", logql}};

int main(int argc, char **argv)
{
        size_t step = argc > 1 ? (size_t)max_of(atoi(argv[1]), 1) : 1;
        for (size_t i = 0; i < countof(stories); i++) {
                struct err err = {0};
                failing = 0;
                if (!stories[i].tell(&err)) /* what a thread keeps is made now */
                        return printf("%s fails by itself: %s\n", stories[i].name, err.message), 1;
                size_t errors = 0, nth = 1;
                for (;; nth += step) {
                        err = (struct err){0};
                        allocations = 0;
                        failing = nth;
                        bool good = stories[i].tell(&err);
                        if (!good && !err.message[0])
                                return printf("%s: allocation %zu fails without a word\n", stories[i].name, nth), 1;
                        errors += !good;
                        if (allocations < nth)
                                break;
                }
                printf("%-12s %4zu allocations failed, %4zu errors told\n", stories[i].name, nth - 1, errors);
                if (!errors)
                        return printf("no allocation was reached\n"), 1;
        }
        return 0;
}
