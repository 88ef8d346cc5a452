/* words.c - see words.h. Appends to a buffer that remembers a failure, so nothing is asked in between. */
#include "engage/words.h"

#include "base/scope.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NS INT64_C(1000000000)
#define BLANK_BYTES_MAX 24
#define NUMBER_BYTES_MAX 40
#define STORY_BYTES_MAX 300     /* of a summary; the alert itself has the rest */

static bool is_upper(char c)
{
        return isupper((unsigned char)c);
}

static bool is_lower(char c)
{
        return islower((unsigned char)c) || isdigit((unsigned char)c);
}

static bool is_mark(char c)
{
        return c == '_' || c == '-' || c == '.' || c == ' ' || c == ':' || c == '/';
}

/* A word ends before a capital that follows a small letter, and before the last capital of an acronym. */
static bool begins_word(struct str name, size_t at)
{
        if (!at || !is_upper(name.bytes[at]))
                return false;
        return is_lower(name.bytes[at - 1]) || (is_upper(name.bytes[at - 1]) && at + 1 < name.length && islower((unsigned char)name.bytes[at + 1]));
}

void words_of_name(struct str name, struct buf *out)
{
        if (memchr(name.bytes ? name.bytes : "", ' ', name.length)) {
                words_plain(name, out); /* a sentence already */
                return;
        }
        size_t start = out->length;
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                bool is_acronym = is_upper(c) && ((i + 1 < name.length && is_upper(name.bytes[i + 1])) || (i && is_upper(name.bytes[i - 1]) && !begins_word(name, i)));
                if (is_mark(c) || begins_word(name, i))
                        buf_byte(out, ' ');
                if (!is_mark(c))
                        buf_byte(out, is_upper(c) && !is_acronym ? (char)tolower((unsigned char)c) : c);
        }
        if (!out->failed && out->length > start)
                out->bytes[start] = (char)toupper((unsigned char)out->bytes[start]);
}

/* The length of a blank such as <*> or <duration> at the beginning; 0: there is none. */
static size_t blank_length(struct str text)
{
        for (size_t i = 1; i < min_of(text.length, (size_t)BLANK_BYTES_MAX); i++) {
                if (text.bytes[i] == '>')
                        return i > 1 ? i + 1 : 0;
                if (text.bytes[i] != '*' && text.bytes[i] != '_' && !islower((unsigned char)text.bytes[i]))
                        return 0;
        }
        return 0;
}

/* The length of a number with a power of ten ("3e-09", "1.5E+06") at the beginning; 0: there is none. */
static size_t power_length(struct str text)
{
        size_t at = 0, digits, exponent;
        while (at < text.length && (isdigit((unsigned char)text.bytes[at]) || text.bytes[at] == '.'))
                at++;
        digits = at;
        if (!digits || at == text.length || (text.bytes[at] != 'e' && text.bytes[at] != 'E'))
                return 0;
        at++;
        if (at == text.length || (text.bytes[at] != '+' && text.bytes[at] != '-'))
                return 0; /* without a sign it may be an identifier */
        at++;
        exponent = at;
        while (at < text.length && isdigit((unsigned char)text.bytes[at]))
                at++;
        bool ends = at == text.length || !isalnum((unsigned char)text.bytes[at]);
        return at > exponent && ends && at < NUMBER_BYTES_MAX ? at : 0;
}

static void write_number(struct str text, struct buf *out)
{
        char number[NUMBER_BYTES_MAX + 1];
        snprintf(number, sizeof number, "%.*s", STR_ARGS(text));
        double value = strtod(number, NULL);
        if (value != 0 && value < 1e-4)
                buf_text(out, "nearly 0");
        else if (value >= 1e15)
                buf_text(out, "very many");
        else
                buf_printf(out, value >= 100 ? "%.0f" : "%.4g", value);
}

void words_plain(struct str text, struct buf *out)
{
        for (size_t i = 0; i < text.length;) {
                char c = text.bytes[i];
                struct str rest = str_slice(text, i, text.length);
                bool begins = !i || (!isalnum((unsigned char)text.bytes[i - 1]) && text.bytes[i - 1] != '.' && text.bytes[i - 1] != '_');
                size_t blank = c == '<' ? blank_length(rest) : 0, power = begins && isdigit((unsigned char)c) ? power_length(rest) : 0;
                if (blank)
                        buf_text(out, "\u2026");
                else if (power)
                        write_number(str_slice(rest, 0, power), out);
                else
                        buf_byte(out, c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
                i += blank ? blank : power ? power : 1;
        }
}

void words_duration(int64_t duration_ns, struct buf *out)
{
        static const struct { int64_t ns; const char *name; } units[] = {{86400 * NS, "day"}, {3600 * NS, "hour"}, {60 * NS, "minute"}, {NS, "second"}};
        for (size_t i = 0; i < countof(units); i++) {
                int64_t count = duration_ns / units[i].ns;
                bool is_last = i + 1 == countof(units);
                if (count < 1 || (count < 2 && !is_last && duration_ns % units[i].ns >= units[i + 1].ns))
                        continue; /* "90 seconds" says more than "1 minute" */
                buf_printf(out, "%" PRId64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
                return;
        }
        buf_text(out, "less than a second");
}

void words_plural(struct str kind, struct buf *out)
{
        char last = kind.length ? kind.bytes[kind.length - 1] : 0, before = kind.length > 1 ? kind.bytes[kind.length - 2] : 0;
        if (last == 'y' && !strchr("aeiou", before))
                buf_printf(out, "%.*sies", (int)kind.length - 1, kind.bytes);
        else
                buf_printf(out, "%.*s%s", STR_ARGS(kind), last == 's' || last == 'x' || last == 'h' ? "es" : "s");
}

static bool contains(struct str text, struct str part)
{
        for (size_t i = 0; part.length && i + part.length <= text.length; i++)
                if (strncasecmp(text.bytes + i, part.bytes, part.length) == 0)
                        return true;
        return false;
}

void words_headline(struct str alert_name, struct str summary, struct str kind, struct str name, struct buf *out)
{
        summary = str_trim(summary);
        while (summary.length && summary.bytes[summary.length - 1] == '.')
                summary.length--;
        size_t start = out->length;
        if (summary.length)
                words_plain(summary, out);
        else
                words_of_name(alert_name.length ? alert_name : STR("Trouble"), out);
        struct str said = out->failed ? STR("") : str_slice(buf_str(out), start, out->length);
        if (name.length && !contains(said, name))
                buf_printf(out, " on %.*s %.*s", STR_ARGS(kind), STR_ARGS(name));
}

/* As much of a text as a line of a story holds, whole characters. */
static struct str beginning(struct str text)
{
        size_t length = min_of(text.length, (size_t)STORY_BYTES_MAX);
        while (length && length < text.length && ((unsigned char)text.bytes[length] & 0xC0) == 0x80)
                length--;
        return str_slice(text, 0, length);
}

void words_alert(struct str alert_name, struct str summary, struct str kind, struct str name, struct buf *out)
{
        struct str said = beginning(str_trim(summary));
        buf_append(out, alert_name.bytes, alert_name.length);
        if (said.length) {
                buf_text(out, ": ");
                words_headline(alert_name, said, kind, name, out);
        } else if (name.length && !contains(alert_name, name)) {
                buf_printf(out, " on %.*s %.*s", STR_ARGS(kind), STR_ARGS(name));
        }
}

/* --- causes ------------------------------------------------------------------------------------------------------------------ */

static void write_what(const struct cause_words *cause, struct buf *out)
{
        buf_printf(out, "%.*s%s%.*s", STR_ARGS(cause->kind), cause->kind.length ? " " : "", STR_ARGS(cause->name));
        if (!cause->alerts) {
                buf_text(out, cause->parts_troubled || cause->has_change ? " has no alert of its own" : " is named by alerts about something else");
                return;
        }
        buf_text(out, ": \u201c");
        words_of_name(cause->alert, out);
        buf_text(out, "\u201d ");
        if (llabs(cause->after_ns) < NS) {
                buf_text(out, "as the incident began");
        } else {
                words_duration(llabs(cause->after_ns), out);
                buf_text(out, cause->after_ns < 0 ? " before the incident began" : " after the incident began");
        }
        if (cause->alerts > 1)
                buf_printf(out, ", the first of %u alerts there", cause->alerts);
}

static void write_around(const struct cause_words *cause, struct buf *out)
{
        if (cause->parts_troubled && cause->parts == 1)
                buf_printf(out, "%s the one thing that stands on it is in trouble", cause->alerts ? ";" : ", but");
        else if (cause->parts_troubled)
                buf_printf(out, "%s %u of the %u things that stand on it %s in trouble", cause->alerts ? ";" : ", but", cause->parts_troubled, cause->parts,
                           cause->parts_troubled == 1 ? "is" : "are");
        if (cause->suffering)
                buf_printf(out, "; %u thing%s in trouble depend%s on it", cause->suffering, cause->suffering == 1 ? "" : "s", cause->suffering == 1 ? "s" : "");
        if (!cause->has_change)
                return;
        buf_text(out, "; it was changed ");
        words_duration(cause->change_before_ns, out);
        buf_text(out, " before the incident began");
        if (cause->change.length)
                buf_text(out, ": ");
        words_plain(cause->change, out);
}

/* Why it stands where it stands: order in time, direction of impact, changes nearby. */
static void write_why(const struct cause_words *cause, struct buf *out)
{
        const char *reasons[4];
        size_t count = 0;
        if (cause->has_change)
                reasons[count++] = "it changed shortly before";
        if (cause->alerts && cause->is_first)
                reasons[count++] = "its trouble came first";
        if (cause->suffering)
                reasons[count++] = "trouble travels from it to what depends on it";
        if (cause->parts_troubled > 1)
                reasons[count++] = "what is in trouble has it in common";
        if (!count)
                reasons[count++] = cause->rank > 1 ? "there are fewer signs of it than of those above" : "its alerts are the least usual ones";
        if (cause->of > 1 && cause->rank == 1)
                buf_printf(out, ". The likeliest of %u, since ", cause->of);
        else if (cause->of > 1)
                buf_printf(out, ". Number %u of %u: ", cause->rank, cause->of);
        else
                buf_text(out, ". Suspected, since ");
        for (size_t i = 0; i < count; i++)
                buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", reasons[i]);
}

void words_cause(const struct cause_words *cause, struct buf *out)
{
        write_what(cause, out);
        write_around(cause, out);
        write_why(cause, out);
}
