/*
 * decode_fuzz - what every fuzz target of a decoder does: decodes the bytes and checks that the result is one a store
 * could take, to the last byte. For fuzz targets only.
 */
#pragma once

#include "wire/decode.h"

#include "base/clock.h"
#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static uint64_t decode_fuzz_sum; /* of all texts: reads them, so that the sanitizers see a bad one */

static void decode_fuzz_text(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                decode_fuzz_sum += (unsigned char)text.bytes[i];
}

static void decode_fuzz_labels(const struct labels *labels, bool canonical)
{
        if (labels->count > LABELS_MAX * 4)
                abort();
        for (size_t i = 0; i < labels->count; i++) {
                decode_fuzz_text(labels->items[i].name);
                decode_fuzz_text(labels->items[i].value);
                if (canonical && (!labels->items[i].value.length || !str_is_utf8(labels->items[i].value) ||
                                  (i && str_compare(labels->items[i - 1].name, labels->items[i].name) >= 0)))
                        abort();
        }
}

static void decode_fuzz_check(const struct telemetry *telemetry)
{
        each (stream, &telemetry->streams)
                decode_fuzz_labels(stream, true);
        each (record, &telemetry->records) {
                if (record->stream >= telemetry->streams.count || record->severity > 24)
                        abort();
                decode_fuzz_text(record->line);
                decode_fuzz_labels(&record->attributes, false);
        }
        each (series, &telemetry->series) {
                decode_fuzz_labels(&series->labels, true);
                for (size_t i = 0; i < series->count; i++)
                        decode_fuzz_sum += (uint64_t)series->samples[i].time_ns;
        }
        each (meta, &telemetry->metas) {
                decode_fuzz_text(meta->name);
                decode_fuzz_text(meta->help);
                decode_fuzz_text(meta->unit);
        }
        decode_fuzz_text(telemetry->rejected_why);
}

static inline void decode_fuzz_findings(const struct telemetry *telemetry)
{
        each (finding, &telemetry->findings) {
                decode_fuzz_labels(&finding->labels, true);
                decode_fuzz_labels(&finding->annotations, true);
                decode_fuzz_text(finding->generator_url);
                decode_fuzz_text(finding->source);
        }
        each (change, &telemetry->changes) {
                decode_fuzz_labels(&change->labels, true);
                decode_fuzz_text(change->kind);
                decode_fuzz_text(change->title);
                decode_fuzz_text(change->by);
        }
}

static inline void decode_fuzz(decode_fn *decode, struct str settings, const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct batch *batch = batch_create(1, STR("fuzz"), &err);
        if (!batch)
                abort();
        struct label target[] = {{STR("host"), STR("fallback")}, {STR("job"), STR("fuzz")}};
        batch->labels = (struct labels){target, 2, 2};
        batch->settings = settings;
        batch->received_ns = INT64_C(1767225600) * NS_PER_S;
        batch->bytes = (struct str){(const char *)bytes, count};
        if (decode(batch, &err)) {
                decode_fuzz_check(&batch->telemetry);
                decode_fuzz_findings(&batch->telemetry);
        } else if (!err.message[0]) {
                abort();
        }
        batch_destroy(batch);
}
