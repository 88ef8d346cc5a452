/*
 * scrape_series - which series a target showed at its last scrape, so that those that vanish can be ended.
 *
 * Kept: a sorted array of hashes of the series as written, and the text, compressed, since ending a series takes its
 * labels. Both change only when the set of series does, so the usual scrape costs one walk over the text.
 * A series written with a time of its own is not ended (as in Prometheus).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct scrape_series {
        uint64_t *ids;          /* sorted */
        size_t count;
        uint64_t signature;     /* of the ids in the order of the text */
        char *packed;           /* zstd of the series' names, one a line */
        size_t packed_length, text_length;
};

void scrape_series_done(struct scrape_series *series);

/* Takes the body as the newest scrape; an empty one when it failed. Lines "series 0" for those that are not there any
 * more are appended to out_gone. *out_samples: how many lines are samples; *out_added: how many series are new. */
bool scrape_series_update(struct scrape_series *series, struct str body, struct buf *out_gone, size_t *out_samples,
                          size_t *out_added, struct err *err);

/* The next sample line of a body: its series as written, and whether it has a time. False: no more. */
bool scrape_series_next(struct str *body, struct str *out_series, bool *out_timed);
