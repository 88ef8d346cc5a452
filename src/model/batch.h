/*
 * batch - bytes accepted from a source, with all that decoding them needs: what a journal entry of telemetry holds.
 *
 * A batch is validated and its secrets are masked before it is offered to the journal; its decoder (a row of
 * observe/sources.def) is a pure function of it, so replay gives what live gave.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"
#include "model/telemetry.h"

#include <stdint.h>

struct batch {
        struct arena arena;         /* owns everything below, and usually the decoded telemetry too */
        uint16_t format;            /* the row number in observe/sources.def: decides the decoder; stable for good */
        struct str source;          /* name as the sources page shows it: "syslog-tcp", "file:/var/log/syslog" */
        struct labels labels;       /* added to all that is in it (job, instance, path); canonical */
        struct str settings;        /* what else the decoder needs: mapping, hostname ...; format's own, may be empty */
        struct str cursor;          /* where the source goes on after a restart; empty when it has no such thing */
        int64_t received_ns;
        struct str bytes;           /* exact, secrets masked */
        struct telemetry telemetry; /* decoded, when is_decoded */
        bool is_decoded;
        struct json_t *tree;        /* bytes, when whoever masked them has parsed them already; see batch_json */
        size_t weight;              /* bytes that observe/intake counts for it while it is in flight */
};

#define BATCH_BYTES_MAX ((size_t)64 << 20)     /* of bytes; sources refuse larger bodies, or cut into several batches */

struct batch *batch_create(uint16_t format, struct str source, struct err *err); /* source is copied */
void batch_destroy(struct batch *batch);

bool batch_pack(const struct batch *batch, struct buf *out);               /* the journal entry's payload */
struct batch *batch_unpack(struct str payload, struct err *err);           /* copies; received_ns is in it */

/* The bytes as JSON, for the decoder: parsed once, by whoever asks first for the tree to be kept. The result is the caller's. */
struct json_t *batch_json(const struct batch *batch, struct err *err);
