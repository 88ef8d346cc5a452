/* promql_number - writing numbers: as scalars and count_values' labels have them, never with an exponent; and integers. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

void promql_number_plain(double value, struct buf *out);
void promql_integer(uint64_t value, struct buf *out);
