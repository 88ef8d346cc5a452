/* source_kinds - the rows of sources.def as a table: how a batch of each kind is masked, decoded, and where it comes from. */
#pragma once

#include "base/err.h"
#include "wire/decode.h"
#include "wire/redact.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct faults;
struct intake;

struct source_kind {
        uint16_t number;
        const char *name;
        const char *path;       /* NULL: not POSTed */
        enum redact_how mask;
        decode_fn *decode;
        bool (*start)(struct intake *intake, const json_t *config, void **out_source, struct err *err); /* NULL: POSTed */
        void (*stop)(void *source);
        void (*check)(const json_t *config, struct faults *faults); /* NULL: POSTed */
};

extern const struct source_kind source_kinds[];
extern const size_t source_kind_count;

const struct source_kind *source_kind_of(uint16_t number); /* NULL: not known */
const struct source_kind *source_kind_named(const char *name);
