/*
 * rule_template.c - see rule_template.h. A pipeline of steps, each of which turns a value (a number or a text) into another; small enough to be walked
 * anew each time, since it runs when an alert changes, not when a sample comes.
 */
#include "observe/rule_template.h"

#include "base/quantity.h"
#include "base/scope.h"
#include "query/promql.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct operand {
        bool is_number;
        double number;
        struct buf text;
};

struct walk {
        struct str rest;              /* of the expression between the braces */
        const struct labels *labels;  /* NULL: only checking */
        double value;
        struct err *err;
};

static void skip_blanks(struct str *rest)
{
        while (rest->length && isspace((unsigned char)rest->bytes[0]))
                *rest = str_slice(*rest, 1, rest->length);
}

/* The next word: up to a blank or '|', or a quoted text with its quotes. */
static struct str take_word(struct str *rest)
{
        size_t length = 0;
        skip_blanks(rest);
        if (rest->length && rest->bytes[0] == '"') {
                for (length = 1; length < rest->length && rest->bytes[length] != '"'; length++)
                        ;
                length += length < rest->length;
        } else {
                while (length < rest->length && !isspace((unsigned char)rest->bytes[length]) && rest->bytes[length] != '|')
                        length++;
        }
        struct str word = str_slice(*rest, 0, length);
        *rest = str_slice(*rest, length, rest->length);
        return word;
}

static void set_text(struct operand *operand, struct str text)
{
        struct buf fresh = {0}; /* text may point into the old one */
        buf_add(&fresh, text);
        buf_done(&operand->text);
        operand->text = fresh;
        operand->is_number = false;
}

static struct str operand_text(struct operand *operand)
{
        if (operand->is_number) {
                buf_clear(&operand->text);
                promql_number(operand->number, &operand->text);
        }
        return buf_str(&operand->text);
}

static double operand_number(struct operand *operand)
{
        double number;
        return operand->is_number ? operand->number : str_to_double(buf_str(&operand->text), &number) ? number : NAN;
}

/* --- functions ----------------------------------------------------------------------------------------------------- */

static void change_case(struct operand *operand, int (*change)(int), bool words_only)
{
        scoped(buf_done) struct buf changed = {0};
        struct str text = operand_text(operand);
        for (size_t i = 0; i < text.length; i++)
                buf_byte(&changed, (char)(words_only && i && text.bytes[i - 1] != ' ' ? text.bytes[i] : change((unsigned char)text.bytes[i])));
        set_text(operand, buf_str(&changed));
}

static const struct numeric {
        const char *name;
        void (*write)(double number, struct buf *out);
} numerics[] = {
        {"humanize", quantity_si},
        {"humanize1024", quantity_iec},
        {"humanizePercentage", quantity_percentage},
        {"humanizeDuration", quantity_duration},
};

static const struct textual {
        const char *name;
        int (*change)(int letter);
        bool words_only;
} textuals[] = {
        {"title", toupper, true},
        {"toUpper", toupper, false},
        {"toLower", tolower, false},
};

/* One conversion with text around it; ours is a subset that C's printf understands alike. */
static bool format_is_good(struct str format)
{
        size_t at = 0, conversions = 0;
        while (at < format.length) {
                if (format.bytes[at++] != '%')
                        continue;
                if (at < format.length && format.bytes[at] == '%') {
                        at++;
                        continue;
                }
                while (at < format.length && strchr("-+0 .123456789", format.bytes[at]))
                        at++;
                if (at == format.length || !strchr("fgedsv", format.bytes[at++]) || ++conversions > 1)
                        return false;
        }
        return conversions == 1 && format.length < 64;
}

static void write_format(struct str format, struct operand *operand, struct buf *out)
{
        for (size_t at = 0; at < format.length; at++) {
                char spec[72];
                size_t length = 0;
                if (format.bytes[at] != '%' || (at + 1 < format.length && format.bytes[at + 1] == '%')) {
                        buf_byte(out, format.bytes[at]);
                        at += format.bytes[at] == '%';
                        continue;
                }
                while (!strchr("fgedsv", format.bytes[at]))
                        spec[length++] = format.bytes[at++];
                char kind = format.bytes[at];
                struct str text = operand_text(operand);
                if (kind == 's' || kind == 'v') {
                        buf_add(out, text);
                } else if (kind == 'd') {
                        snprintf(spec + length, sizeof spec - length, "lld");
                        char written[400];
                        snprintf(written, sizeof written, spec, (long long)operand_number(operand));
                        buf_text(out, written);
                } else {
                        snprintf(spec + length, sizeof spec - length, "%c", kind);
                        char written[400];
                        snprintf(written, sizeof written, spec, operand_number(operand));
                        buf_text(out, written);
                }
        }
}

/* --- the walk -------------------------------------------------------------------------------------------------------- */

static bool read_operand(struct walk *walk, struct str word, struct operand *out)
{
        static const char *const label_prefixes[] = {"$labels.", ".Labels."};
        for (size_t i = 0; i < countof(label_prefixes); i++)
                if (str_starts_with(word, str_of(label_prefixes[i])) && word.length > strlen(label_prefixes[i])) {
                        struct str name = str_slice(word, strlen(label_prefixes[i]), word.length);
                        set_text(out, walk->labels ? labels_value(walk->labels, name) : STR(""));
                        return true;
                }
        if (str_is(word, "$value") || str_is(word, ".Value")) {
                out->is_number = true;
                out->number = walk->value;
                return true;
        }
        if (word.length >= 2 && word.bytes[0] == '"' && word.bytes[word.length - 1] == '"') {
                set_text(out, str_slice(word, 1, word.length - 1));
                return true;
        }
        return str_to_double(word, &out->number) ? (out->is_number = true) :
               fail(walk->err, ERR_UNSUPPORTED, "rule", "the template says {{ %.*s }}, which is not understood; $labels.NAME, $value and "
                    "functions such as humanize are", STR_ARGS(word));
}

static bool apply_function(struct walk *walk, struct str name, struct operand *operand)
{
        for (size_t i = 0; i < countof(numerics); i++)
                if (str_is(name, numerics[i].name)) {
                        scoped(buf_done) struct buf written = {0};
                        numerics[i].write(operand_number(operand), &written);
                        set_text(operand, buf_str(&written));
                        return true;
                }
        for (size_t i = 0; i < countof(textuals); i++)
                if (str_is(name, textuals[i].name)) {
                        change_case(operand, textuals[i].change, textuals[i].words_only);
                        return true;
                }
        return fail(walk->err, ERR_UNSUPPORTED, "rule", "the template's function %.*s is not supported; humanize, humanize1024, humanizePercentage, "
                    "humanizeDuration, printf, title, toUpper and toLower are", STR_ARGS(name));
}

static bool is_function(struct str name)
{
        for (size_t i = 0; i < countof(numerics); i++)
                if (str_is(name, numerics[i].name))
                        return true;
        for (size_t i = 0; i < countof(textuals); i++)
                if (str_is(name, textuals[i].name))
                        return true;
        return false;
}

static bool apply_printf(struct walk *walk, struct operand *operand, bool has_operand)
{
        struct str format = take_word(&walk->rest);
        if (format.length < 2 || format.bytes[0] != '"' || !format_is_good(format = str_slice(format, 1, format.length - 1)))
                return fail(walk->err, ERR_UNSUPPORTED, "rule", "printf needs a text with one of %%f %%g %%e %%d %%s %%v, as in printf \"%%.2f\" $value");
        if (!has_operand && !read_operand(walk, take_word(&walk->rest), operand))
                return false;
        scoped(buf_done) struct buf written = {0};
        write_format(format, operand, &written);
        set_text(operand, buf_str(&written));
        return true;
}

/* operand, or function operand, or printf "..." operand; then | function, again and again. */
static bool evaluate(struct walk *walk, struct operand *operand)
{
        struct str word = take_word(&walk->rest);
        if (str_is(word, "printf") ? !apply_printf(walk, operand, false) :
            is_function(word) ? !read_operand(walk, take_word(&walk->rest), operand) || !apply_function(walk, word, operand) :
                                !read_operand(walk, word, operand))
                return false;
        for (skip_blanks(&walk->rest); walk->rest.length; skip_blanks(&walk->rest)) {
                if (walk->rest.bytes[0] != '|')
                        return fail(walk->err, ERR_UNSUPPORTED, "rule", "the template has \"%.*s\" where | or }} should stand", STR_ARGS(walk->rest));
                walk->rest = str_slice(walk->rest, 1, walk->rest.length);
                word = take_word(&walk->rest);
                if (str_is(word, "printf") ? !apply_printf(walk, operand, true) : !apply_function(walk, word, operand))
                        return false;
        }
        return true;
}

static bool walk_text(struct str text, const struct labels *labels, double value, struct buf *out, struct err *err)
{
        size_t open, close;
        while (str_find(text, STR("{{"), &open)) {
                if (out)
                        buf_add(out, str_slice(text, 0, open));
                text = str_slice(text, open + 2, text.length);
                if (!str_find(text, STR("}}"), &close))
                        return fail(err, ERR_INVALID, "rule", "the template has {{ without }}");
                struct walk walk = {.rest = str_slice(text, 0, close), .labels = labels, .value = value, .err = err};
                struct operand operand = {0};
                bool good = evaluate(&walk, &operand);
                if (good && out)
                        buf_add(out, operand_text(&operand));
                buf_done(&operand.text);
                if (!good)
                        return false;
                text = str_slice(text, close + 2, text.length);
        }
        if (out)
                buf_add(out, text);
        return true;
}

bool rule_template_check(struct str text, struct err *err)
{
        return walk_text(text, NULL, 0, NULL, err);
}

void rule_template_write(struct str text, const struct labels *labels, double value, struct buf *out)
{
        struct err ignored;
        if (!walk_text(text, labels, value, out, &ignored))
                buf_add(out, text);
}
