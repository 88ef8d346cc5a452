/* quantity.c - numbers as a person reads them. Four digits are kept: who needs more asks for the value itself. */
#include "base/quantity.h"

#include <math.h>
#include <stdint.h>

static void write_scaled(struct buf *out, double number, double step, const char *const *larger, const char *const *smaller)
{
        const char *unit = "";
        if (fabs(number) >= 1)
                for (size_t i = 0; larger[i] && fabs(number) >= step; i++, number /= step)
                        unit = larger[i];
        else if (number != 0 && smaller)
                for (size_t i = 0; smaller[i] && fabs(number) < 1; i++, number *= step)
                        unit = smaller[i];
        buf_printf(out, "%.4g%s", number, unit);
}

void quantity_si(double number, struct buf *out)
{
        static const char *const larger[] = {"k", "M", "G", "T", "P", "E", "Z", "Y", NULL};
        static const char *const smaller[] = {"m", "u", "n", "p", "f", "a", "z", "y", NULL};
        write_scaled(out, number, 1000, larger, smaller);
}

void quantity_iec(double number, struct buf *out)
{
        static const char *const larger[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi", NULL};
        write_scaled(out, number, 1024, larger, NULL);
}

void quantity_percentage(double number, struct buf *out)
{
        buf_printf(out, "%.4g%%", number * 100);
}

void quantity_duration(double seconds, struct buf *out)
{
        static const char *const smaller[] = {"m", "u", "n", NULL};
        static const char *const none[] = {NULL};
        if (!(fabs(seconds) >= 60 && fabs(seconds) < 1e15)) { /* also what is no number */
                write_scaled(out, seconds, 1000, none, smaller);
                buf_text(out, "s");
                return;
        }
        int64_t whole = (int64_t)fabs(seconds);
        buf_text(out, seconds < 0 ? "-" : "");
        if (whole >= 86400)
                buf_printf(out, "%lldd ", (long long)(whole / 86400));
        if (whole >= 3600)
                buf_printf(out, "%lldh ", (long long)(whole / 3600 % 24));
        buf_printf(out, "%lldm %llds", (long long)(whole / 60 % 60), (long long)(whole % 60));
}
