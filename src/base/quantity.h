/*
 * quantity - numbers as a person reads them, appended to a text. Four digits are kept. Anything is a number, also NaN and infinity; running out
 * of memory is out->failed. The forms are those of Prometheus' template functions humanize, humanize1024, humanizePercentage and humanizeDuration.
 */
#pragma once

#include "base/buf.h"

void quantity_si(double number, struct buf *out);               /* 16.2M, 250m */
void quantity_iec(double number, struct buf *out);              /* 39.78Mi: the unit comes after it */
void quantity_percentage(double ratio, struct buf *out);        /* 0.25: 25% */
void quantity_duration(double seconds, struct buf *out);        /* 2h 5m 0s, 12.5ms */
