/*
 * moved - which series of some hosts and services left their normal in a time, which of them together, and which first.
 *
 * Asked at query time, over stored samples: the series whose labels name the subjects are found, read with the time before (four
 * times as long, at least MOVED_BEFORE_MIN_NS, at most MOVED_BEFORE_MAX_NS) and the same hours of the day before, and judged by learn/movement.
 * Counters are read as rates, as the detectors read them, a sum by the count beside it
 * (x_sum and x_count) as what one was on average; buckets are left out.
 *
 * Bounded: of more than series_max series those of nearer subjects are taken first, of one subject one of each metric before
 * the second of any; a batch of series with more than MOVED_SAMPLES_MAX samples is left out; MOVED_TOLD_MAX are told, earlier and
 * stronger ones first. What was left out is counted in the answer and said in its sentence. The deadline ends the whole.
 *
 * Any thread; nothing is kept.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"
#include "query/promql.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MOVED_SUBJECTS_MAX 24
#define MOVED_SERIES_MAX 1000
#define MOVED_TOLD_MAX 200
#define MOVED_WINDOW_MAX_NS ((int64_t)86400 * 1000000000)
#define MOVED_BEFORE_MIN_NS ((int64_t)3600 * 1000000000)
#define MOVED_BEFORE_MAX_NS MOVED_WINDOW_MAX_NS
#define MOVED_SAMPLES_MAX ((size_t)4 << 20) /* of one batch of series, 64 MiB */

struct moved_subject {
        uint64_t id;
        struct str kind, name;  /* name: as shown to people */
        struct { struct str *items; size_t count, capacity; } values; /* of labels that name it: "web1", "nginx.service" */
};

struct moved_question {
        const struct moved_subject *subjects; /* those asked about first, then their neighbours */
        size_t subject_count;
        const struct str *label_names; /* labels that may name a subject */
        size_t label_name_count;
        /* The ids of what labels name: a label's value alone may mean another thing elsewhere. */
        size_t (*resolve)(void *context, const struct labels *labels, uint64_t *out_ids, size_t max);
        void *context;
        struct promql_source source;
        int64_t from_ns, until_ns;
        size_t series_max;      /* 0: MOVED_SERIES_MAX */
        const _Atomic bool *cancelled; /* may be NULL */
        int64_t deadline_ns;    /* as in series_select */
};

/* The answer as JSON (schema Moved in serve/openapi.c); the caller's. NULL: err. ERR_INVALID when the time is none or too long. */
json_t *moved_find(const struct moved_question *question, struct err *err);
