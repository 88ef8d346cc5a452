/* exposition_write.c - see exposition_write.h. */
#include "wire/exposition_write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void escaped(struct buf *out, struct str text, bool quote)
{
        for (size_t i = 0; i < text.length; i++) {
                char c = text.bytes[i];
                if (c == '\\' || (quote && c == '"'))
                        buf_byte(out, '\\');
                if (c == '\n')
                        buf_text(out, "\\n");
                else
                        buf_byte(out, c);
        }
}

void exposition_family(struct buf *out, const char *name, const char *type, const char *help)
{
        buf_printf(out, "# HELP %s ", name);
        escaped(out, str_of(help), false);
        buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

void exposition_number(struct buf *out, double value)
{
        if (isnan(value) || isinf(value)) {
                buf_text(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
                return;
        }
        char text[40];
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof text, "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        buf_text(out, text);
}

static void one_label(struct buf *out, const char *before, struct str name, struct str value)
{
        buf_text(out, before);
        buf_add(out, name);
        buf_text(out, "=\"");
        escaped(out, value, true);
        buf_byte(out, '"');
}

static void value_line(struct buf *out, double value)
{
        buf_byte(out, ' ');
        exposition_number(out, value);
        buf_byte(out, '\n');
}

void exposition_sample(struct buf *out, const char *name, double value, ...)
{
        buf_text(out, name);
        const char *before = "{";
        va_list args;
        va_start(args, value);
        for (const char *label; (label = va_arg(args, const char *)); before = ",")
                one_label(out, before, str_of(label), va_arg(args, struct str));
        va_end(args);
        if (*before == ',')
                buf_byte(out, '}');
        value_line(out, value);
}

void exposition_sample_labels(struct buf *out, const char *name, const struct labels *labels, double value)
{
        buf_text(out, name);
        const char *before = "{";
        for (size_t i = 0; i < labels->count; i++) {
                if (str_equal(labels->items[i].name, LABEL_METRIC_NAME))
                        continue;
                one_label(out, before, labels->items[i].name, labels->items[i].value);
                before = ",";
        }
        if (*before == ',')
                buf_byte(out, '}');
        value_line(out, value);
}
