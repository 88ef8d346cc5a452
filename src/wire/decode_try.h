/* decode_try - a batch for the tests of decoders, decoded: text in, telemetry out. For tests only. */
#pragma once

#include "wire/decode.h"

#include "base/clock.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>

#define TRY_RECEIVED_NS (INT64_C(1767225600) * NS_PER_S) /* 2026-01-01T00:00:00Z */

SCOPED_PTR(batch_destroy, struct batch)

static inline struct batch *try_batch(struct str bytes, struct str settings)
{
        struct batch *batch = batch_create(1, STR("test"), NULL);
        assert_non_null(batch);
        batch->bytes = bytes;
        batch->settings = settings;
        batch->received_ns = TRY_RECEIVED_NS;
        static struct label labels[] = {{STR("host"), STR("peer")}};
        batch->labels = (struct labels){labels, 1, 1};
        return batch;
}

static inline struct batch *try_decode(decode_fn *decode, struct str bytes, struct str settings)
{
        struct err err = {0};
        struct batch *batch = try_batch(bytes, settings);
        if (!decode(batch, &err))
                fail_msg("%s", err.message);
        return batch;
}

static inline struct str try_label(const struct batch *batch, size_t record, const char *name)
{
        return labels_value(&batch->telemetry.streams.items[batch->telemetry.records.items[record].stream], str_of(name));
}

static inline struct str try_attribute(const struct batch *batch, size_t record, const char *name)
{
        return labels_value(&batch->telemetry.records.items[record].attributes, str_of(name));
}

#define assert_str(actual, expected)                                                                                   \
        do {                                                                                                           \
                struct str actual_ = (actual);                                                                         \
                if (!str_is(actual_, expected))                                                                        \
                        fail_msg("\"%.*s\" is not \"%s\"", STR_ARGS(actual_), expected);                               \
        } while (0)

/* The time as text, for reading tests. */
static inline struct str try_time(int64_t ns)
{
        static char text[CLOCK_RFC3339_BYTES];
        return (struct str){text, clock_rfc3339(ns, 3, text)};
}
