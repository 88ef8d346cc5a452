/* metric_name.c - see metric_name.h. Called once a metric, not once a point, so it may be plain. */
#include "wire/metric_name.h"

#include "base/buf.h"
#include "base/scope.h"

#include <stdio.h>

struct word {
        const char *unit, *text;
};

/* UCUM as the specification lists it. */
static const struct word units[] = {
        {"d", "days"},        {"h", "hours"},       {"min", "minutes"},   {"s", "seconds"},   {"ms", "milliseconds"},
        {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},   {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
        {"GiBy", "gibibytes"}, {"TiBy", "tibibytes"}, {"KBy", "kilobytes"}, {"MBy", "megabytes"}, {"GBy", "gigabytes"},
        {"TBy", "terabytes"}, {"m", "meters"},      {"V", "volts"},       {"A", "amperes"},   {"J", "joules"},
        {"W", "watts"},       {"g", "grams"},       {"Cel", "celsius"},   {"Hz", "hertz"},    {"%", "percent"},
        {"1", ""},
};
static const struct word per_units[] = {{"s", "second"}, {"m", "minute"}, {"min", "minute"}, {"h", "hour"}, {"d", "day"},
                                        {"w", "week"},   {"mo", "month"}, {"y", "year"}};

static bool is_word_byte(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':';
}

static size_t put_unit(struct str unit, const struct word *words, size_t count, char *out_text, size_t room)
{
        size_t used = 0;
        for (size_t i = 0; i < count; i++)
                if (str_is(unit, words[i].unit))
                        return (size_t)snprintf(out_text, room, "%s", words[i].text);
        for (size_t i = 0; i < unit.length && used + 1 < room; i++) /* an unknown one as it is, sanitised */
                if (is_word_byte(unit.bytes[i]))
                        out_text[used++] = unit.bytes[i];
                else if (used && out_text[used - 1] != '_')
                        out_text[used++] = '_';
        while (used && out_text[used - 1] == '_')
                used--;
        return used;
}

struct str metric_unit(struct str unit, char out_text[static METRIC_UNIT_BYTES])
{
        struct str rest = str_trim(unit), main;
        if (memchr(rest.bytes ? rest.bytes : "", '{', rest.length)) /* {packets}: an annotation */
                return (struct str){out_text, 0};
        if (!str_cut(&rest, '/', &main))
                return (struct str){out_text, 0};
        size_t used = put_unit(main, units, countof(units), out_text, METRIC_UNIT_BYTES / 2);
        if (rest.length) {
                used += (size_t)snprintf(out_text + used, METRIC_UNIT_BYTES - used, "%sper_", used ? "_" : "");
                used += put_unit(rest, per_units, countof(per_units), out_text + used, METRIC_UNIT_BYTES - used);
        }
        return (struct str){out_text, used};
}

/* Whether name has the word, between underscores or at an end. */
static bool has_word(struct str name, struct str word)
{
        size_t at, from = 0;
        while (str_find(str_slice(name, from, name.length), word, &at)) {
                size_t start = from + at, end = start + word.length;
                if ((start == 0 || name.bytes[start - 1] == '_') && (end == name.length || name.bytes[end] == '_'))
                        return true;
                from = start + 1;
        }
        return false;
}

static void put_word(struct buf *out, struct str word)
{
        if (out->length && word.length)
                buf_byte(out, '_');
        buf_add(out, word);
}

/* The words of a name, joined by one underscore each; "total" of a counter is left for the end. */
static void put_words(struct buf *out, struct str name, bool leave_total)
{
        for (size_t i = 0; i < name.length;) {
                size_t end = i;
                while (end < name.length && is_word_byte(name.bytes[end]))
                        end++;
                struct str word = str_slice(name, i, end);
                if (!(leave_total && str_is(word, "total")))
                        put_word(out, word);
                i = end + 1;
        }
}

struct str metric_name(struct arena *arena, struct str name, struct str unit, enum metric_type type)
{
        scoped(buf_done) struct buf out = {0};
        char text[METRIC_UNIT_BYTES];
        struct str suffix = metric_unit(unit, text);
        put_words(&out, name, type == METRIC_COUNTER);
        if (suffix.length && !has_word(buf_str(&out), suffix))
                put_word(&out, suffix);
        if (str_is(unit, "1") && type == METRIC_GAUGE && !has_word(buf_str(&out), STR("ratio")))
                put_word(&out, STR("ratio"));
        if (type == METRIC_COUNTER)
                put_word(&out, STR("total"));
        if (out.failed)
                return (struct str){0};
        bool digit = out.length && out.bytes[0] >= '0' && out.bytes[0] <= '9';
        return arena_printf(arena, "%s%.*s", digit ? "_" : "", (int)out.length, out.length ? out.bytes : "");
}

struct str metric_label_name(struct arena *arena, struct str name)
{
        bool good = name.length && !(name.bytes[0] >= '0' && name.bytes[0] <= '9');
        for (size_t i = 0; i < name.length && good; i++)
                good = (is_word_byte(name.bytes[i]) && name.bytes[i] != ':') || name.bytes[i] == '_';
        if (good)
                return name;
        struct str copy = name.length && name.bytes[0] >= '0' && name.bytes[0] <= '9'
                                  ? arena_printf(arena, "key_%.*s", STR_ARGS(name))
                                  : arena_str(arena, name);
        for (size_t i = 0; i < copy.length; i++)
                if (!is_word_byte(copy.bytes[i]) || copy.bytes[i] == ':')
                        ((char *)copy.bytes)[i] = '_';
        return copy;
}
