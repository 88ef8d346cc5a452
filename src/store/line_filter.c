/*
 * line_filter.c - see line_filter.h.
 *
 * The literals that a regular expression cannot do without are read off its text by a small, careful walk: whatever it
 * does not understand (flags, look-around, verbs, alternatives at the top) gives no literal, which is slow, never wrong.
 */
#include "store/line_filter.h"

#include "base/regex.h"
#include "base/scope.h"
#include "store/skeleton.h"

bool line_filter_compile(struct line_filter *filter, struct err *err)
{
        if (filter->op != LINE_MATCHES && filter->op != LINE_NOT_MATCHES)
                return true;
        return regex_create(filter->text, REGEX_ANYWHERE, "line_filter", &filter->regex, err);
}

void line_filter_done(struct line_filter *filter)
{
        regex_destroy(filter->regex);
        filter->regex = NULL;
}

static bool regex_found(const struct line_filter *filter, struct str line, bool *out_found, struct err *err)
{
        enum regex_result result = regex_match(filter->regex, line);
        if (result == REGEX_GAVE_UP)
                return fail(err, ERR_REFUSED, "line_filter",
                            "the regular expression \"%.*s\" takes too many steps on a line of %zu bytes; make it simpler",
                            (int)min_of(filter->text.length, (size_t)120), filter->text.bytes, line.length);
        *out_found = result == REGEX_YES;
        return true;
}

bool line_filters_hold(const struct line_filter *filters, size_t count, struct str line, bool *out_hold, struct err *err)
{
        for (size_t i = 0; i < count; i++) {
                const struct line_filter *filter = &filters[i];
                bool found = false, wanted = filter->op == LINE_CONTAINS || filter->op == LINE_MATCHES;
                size_t at;
                if (!filter->regex)
                        found = str_find(line, filter->text, &at);
                else if (!regex_found(filter, line, &found, err))
                        return false;
                if (found != wanted) {
                        *out_hold = false;
                        return true;
                }
        }
        *out_hold = true;
        return true;
}

/* A literal being collected from a pattern; given on at its end. */
struct literal {
        char bytes[256];
        size_t length;
        void (*visit)(void *context, struct str fragment);
        void *context;
};

static void literal_end(struct literal *literal)
{
        if (literal->length)
                skeleton_fragments((struct str){literal->bytes, literal->length}, literal->visit, literal->context);
        literal->length = 0;
}

/* The place after the bracketed class or group that begins at `at`; 0: not understood. */
static size_t class_end(struct str pattern, size_t at)
{
        size_t i = at + 1;
        i += i < pattern.length && pattern.bytes[i] == '^';
        i += i < pattern.length && pattern.bytes[i] == ']';
        for (; i < pattern.length; i++) {
                if (pattern.bytes[i] == '[')
                        return 0; /* [[:alpha:]] */
                if (pattern.bytes[i] == '\\')
                        i++;
                else if (pattern.bytes[i] == ']')
                        return i + 1;
        }
        return 0;
}

static size_t group_end(struct str pattern, size_t at)
{
        size_t depth = 0;
        for (size_t i = at; i < pattern.length;) {
                char c = pattern.bytes[i];
                if (c == '(') {
                        if (i + 1 < pattern.length && pattern.bytes[i + 1] == '*')
                                return 0;
                        if (i + 1 < pattern.length && pattern.bytes[i + 1] == '?' &&
                            (i + 2 >= pattern.length || pattern.bytes[i + 2] != ':'))
                                return 0;
                        depth++;
                }
                if (c == '[') {
                        if (!(i = class_end(pattern, i)))
                                return 0;
                        continue;
                }
                if (c == '\\') {
                        if (i + 1 < pattern.length && strchr("QE", pattern.bytes[i + 1]))
                                return 0;
                        i++;
                }
                i++;
                if (c == ')' && --depth == 0)
                        return i;
        }
        return 0;
}

/* One atom of the pattern at the top level. */
struct atom {
        size_t end;             /* 0: not understood, give up */
        bool is_literal;
        char byte;
};

static struct atom read_atom(struct str pattern, size_t at)
{
        char c = pattern.bytes[at];
        if (c == '(')
                return (struct atom){.end = group_end(pattern, at)};
        if (c == '[')
                return (struct atom){.end = class_end(pattern, at)};
        if (c == '.' || c == '^' || c == '$')
                return (struct atom){.end = at + 1};
        if (c == '\\') {
                char escaped = at + 1 < pattern.length ? pattern.bytes[at + 1] : 'Q';
                bool letter = (escaped >= '0' && escaped <= '9') || ((escaped | 32) >= 'a' && (escaped | 32) <= 'z');
                if (letter)
                        return (struct atom){.end = escaped && strchr("dDwWsSbBntr", escaped) ? at + 2 : 0};
                return (struct atom){at + 2, (unsigned char)escaped < 0x80, escaped};
        }
        if (strchr("|)*+?{", c) && c)
                return (struct atom){0};
        return (struct atom){at + 1, (unsigned char)c < 0x80, c};
}

/* The place after a quantifier, or `at` when none stands there; *out_optional: none at all would do. 0: give up. */
static size_t read_quantifier(struct str pattern, size_t at, bool *out_optional)
{
        *out_optional = false;
        if (at >= pattern.length || !strchr("?*+{", pattern.bytes[at]) || !pattern.bytes[at])
                return at;
        *out_optional = pattern.bytes[at] != '+';
        if (pattern.bytes[at] == '{') {
                const char *close = memchr(pattern.bytes + at, '}', pattern.length - at);
                if (!close)
                        return 0;
                for (const char *c = pattern.bytes + at + 1; c < close; c++)
                        if ((*c < '0' || *c > '9') && *c != ',')
                                return 0; /* no quantifier but literal text, alternatives perhaps */
                at = (size_t)(close - pattern.bytes);
        }
        at++;
        if (at < pattern.length && (pattern.bytes[at] == '?' || pattern.bytes[at] == '+'))
                at++; /* lazy, possessive */
        return at;
}

/* Alternatives at the top make every literal optional, and are seen only on the way: so the walk is done twice. */
static bool regex_literals(struct str pattern, struct literal *literal, bool give)
{
        for (size_t at = 0; at < pattern.length;) {
                struct atom atom = read_atom(pattern, at);
                bool optional;
                size_t next = atom.end ? read_quantifier(pattern, atom.end, &optional) : 0;
                if (!next)
                        return false;
                bool quantified = next != atom.end;
                if (atom.is_literal && !optional && literal->length < sizeof literal->bytes)
                        literal->bytes[literal->length++] = atom.byte;
                if (give && (!atom.is_literal || quantified || literal->length == sizeof literal->bytes))
                        literal_end(literal);
                else if (!give)
                        literal->length = 0;
                at = next;
        }
        if (give)
                literal_end(literal);
        return true;
}

void line_filter_fragments(const struct line_filter *filter, void (*visit)(void *context, struct str fragment),
                           void *context)
{
        struct literal literal = {.visit = visit, .context = context};
        if (filter->op == LINE_CONTAINS)
                skeleton_fragments(filter->text, visit, context);
        if (filter->op == LINE_MATCHES && regex_literals(filter->text, &literal, false))
                regex_literals(filter->text, &literal, true);
}
