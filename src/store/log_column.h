/*
 * log_column - a column of numbers as bytes that zstd packs well.
 *
 * Values are taken relative to their least or to the one before, whatever needs fewer bits, in as few bytes each as the
 * largest needs; all first bytes stand together, then all second bytes, and so on, so that what rarely changes is a run.
 * The count is not stored: the reader knows it.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool log_column_put(struct buf *out, const uint64_t *values, size_t count);
/* The same for a caller who knows the least and the most of them. */
bool log_column_put_between(struct buf *out, const uint64_t *values, size_t count, uint64_t least, uint64_t most);
/* False: the bytes are cut or make no sense. */
bool log_column_get(struct reader *reader, size_t count, uint64_t *out_values);
