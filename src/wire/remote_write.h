/*
 * remote_write - Prometheus remote write 1.0: snappy (block format) around a protobuf WriteRequest.
 *
 * Labels normally come sorted and are then used where they lie. Metadata become metas. Exemplars are skipped; native
 * histograms, and series without a name or with bad labels, are rejected and counted.
 */
#pragma once

#include "wire/decode.h"

#define REMOTE_WRITE_BYTES_MAX ((size_t)64 << 20) /* uncompressed */

decode_fn remote_write_decode;
