/*
 * stream - the stream a log record belongs to: the labels its message gives, completed by those of its batch.
 */
#pragma once

#include "model/batch.h"

/* The index of the stream with these labels (count of them; empty values are left out and then come from
 * batch->labels if they are there) and the batch's others. The array is copied, values stay borrowed unless they
 * are not UTF-8 (bad bytes become '?') or too long (cut at LABEL_BYTES_MAX). UINT32_MAX: err. */
uint32_t stream_of(struct batch *batch, const struct label *labels, size_t count, struct err *err);

/* Room for about so many records, so that the list need not be moved while it grows. Only ever a hint. */
void stream_expect(struct batch *batch, size_t records);
/* Appends a record to the batch's telemetry; NULL: no memory, err says so. */
struct log_record *stream_record(struct batch *batch, uint32_t stream, struct str line, struct err *err);
/* Counts a left-out item, keeping the first reason. */
void stream_reject(struct batch *batch, uint64_t count, const char *format, ...) __attribute__((format(printf, 3, 4)));
