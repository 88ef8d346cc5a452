/* measure.c - see measure.h. */
#include "model/measure.h"

#include "base/quantity.h"

#include <math.h>

enum measure_reading measure_reading(struct str name)
{
        if (str_ends_with(name, STR("_bucket")))
                return READ_NOT;
        return str_ends_with(name, STR("_total")) || str_ends_with(name, STR("_count")) || str_ends_with(name, STR("_sum")) ? READ_AS_RATE : READ_AS_IS;
}

bool measure_is_bytes(struct str name)
{
        return str_ends_with(name, STR("_bytes")) || str_ends_with(name, STR("_bytes_total"));
}

void measure_write(struct buf *out, struct str name, bool is_rate, double value)
{
        if (measure_is_bytes(name)) {
                quantity_iec(value, out);
                buf_text(out, "B");
        } else if (str_ends_with(name, STR("_seconds")) && !is_rate) {
                quantity_duration(value, out);
        } else if (fabs(value) < 1000) {
                buf_printf(out, "%.4g", value);
        } else {
                quantity_si(value, out);
        }
}
