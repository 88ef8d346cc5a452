/* promql_number - numbers as Prometheus writes them where it never uses an exponent: scalars, count_values' labels. */
#pragma once

#include "base/buf.h"

void promql_number_plain(double value, struct buf *out);
