/* word.c - see word.h. The scanner counts what a word is made of while it looks for its end; the rules then read the counts. */
#include "learn/word.h"

#include "base/scope.h"

#include <string.h>

static bool one_of(struct str word, const struct str *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (str_equal_nocase(word, list[i]))
                        return true;
        return false;
}

/* What printf makes of a boolean or a missing pointer, in the languages people log from. */
static bool is_flag(struct str word)
{
        static const struct str flags[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null")};
        char first = word.bytes[0] | 32;
        return (word.length == 4 || word.length == 5) && (first == 't' || first == 'f' || first == 'n') && one_of(word, flags, countof(flags));
}

/* The C library's day and month names (asctime): only capitalised, since "may" and "sat" are words. */
static bool is_calendar(struct str word)
{
        static const char names[] = "MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
        if (word.length != 3 || word.bytes[0] < 'A' || word.bytes[0] > 'W')
                return false;
        for (size_t i = 0; i < sizeof names - 1; i += 3)
                if (memcmp(word.bytes, names + i, 3) == 0)
                        return true;
        return false;
}

bool word_is_user(struct str word)
{
        static const struct str names[] = {STR_INIT("user"), STR_INIT("username"), STR_INIT("login")};
        char first = word.length >= 4 && word.length <= 8 ? word.bytes[0] | 32 : 0;
        return (first == 'u' || first == 'l') && one_of(word, names, countof(names));
}

/* "10ms", "3.5s", "4096B", "16K": a number with a unit. */
static enum value_type type_of_unit(struct str unit)
{
        static const struct str times[] = {STR_INIT("ms"), STR_INIT("s"), STR_INIT("us"), STR_INIT("ns"), STR_INIT("sec"), STR_INIT("min"), STR_INIT("h")};
        static const struct str sizes[] = {STR_INIT("b"), STR_INIT("k"), STR_INIT("kb"), STR_INIT("kib"), STR_INIT("m"), STR_INIT("mb"),
                                           STR_INIT("mib"), STR_INIT("g"), STR_INIT("gb"), STR_INIT("gib"), STR_INIT("tb")};
        return one_of(unit, times, countof(times)) ? VALUE_DURATION : one_of(unit, sizes, countof(sizes)) ? VALUE_SIZE : VALUE_ID;
}

const uint64_t byte_counts[256] = {
        ['0' ... '9'] = COUNT_DIGIT + COUNT_HEX, ['a' ... 'f'] = COUNT_LETTER + COUNT_HEX, ['A' ... 'F'] = COUNT_LETTER + COUNT_HEX,
        ['g' ... 'z'] = COUNT_LETTER, ['G' ... 'Z'] = COUNT_LETTER, ['.'] = COUNT_DOT, ['/'] = COUNT_SLASH, ['\\'] = COUNT_SLASH,
};

uint64_t word_counts(struct str word)
{
        uint64_t counts = 0;
        for (size_t i = 0; i < min_of(word.length, (size_t)WORD_COUNTED_MAX); i++)
                counts += byte_counts[(unsigned char)word.bytes[i]];
        return counts;
}

struct tally { uint32_t digits, letters, hex, dots, slashes; };

static enum value_type type_of_digits_first(struct str word, const struct tally *tally)
{
        if (tally->dots == 3 && tally->letters == 0)
                return VALUE_ADDRESS;
        if (tally->letters == 0)
                return VALUE_NUMBER;
        if (word.length > 2 && word.bytes[0] == '0' && (word.bytes[1] | 32) == 'x')
                return VALUE_HEX;
        if (tally->hex == word.length)
                return VALUE_HEX;
        size_t unit = 0;
        while (unit < word.length && !is_letter(word.bytes[unit]))
                unit++;
        return type_of_unit(str_slice(word, unit, word.length));
}

/* Kind and type of a word by its looks. What begins with a digit, is a path, is long hex or mixes letters with many
 * digits is never written by a programmer in a sentence; "ssh2", "eth0" and "a.b.Class" may be: soft. */
void word_class(struct str word, uint64_t counts, struct token *token)
{
        struct tally tally = {COUNT_OF(counts, COUNT_DIGIT), COUNT_OF(counts, COUNT_LETTER), COUNT_OF(counts, COUNT_HEX),
                              COUNT_OF(counts, COUNT_DOT), COUNT_OF(counts, COUNT_SLASH)};
        bool sign = word.length > 1 && (word.bytes[0] == '-' || word.bytes[0] == '+');
        token->kind = TOKEN_VALUE;
        if (tally.digits == 0 && tally.dots == 0 && tally.slashes == 0 && is_flag(word))
                token->type = VALUE_FLAG;
        else if (tally.digits && is_digit(word.bytes[sign]))
                token->type = type_of_digits_first(str_slice(word, sign, word.length), &tally);
        else if ((tally.slashes && (word.bytes[0] == '/' || word.bytes[0] == '\\')) || (tally.slashes > 1 && tally.dots + tally.digits + tally.slashes > 2))
                token->type = VALUE_PATH;
        else if (word.length >= 8 && tally.hex == word.length)
                token->type = VALUE_HEX;
        else if (tally.digits > 2 || (tally.digits && tally.hex == word.length && word.length >= 4))
                token->type = tally.dots > 1 ? VALUE_ADDRESS : VALUE_ID;
        else if (tally.digits && (word.bytes[0] | 32) == 'v' && tally.letters == 1)
                token->type = VALUE_ID;
        else if (tally.digits || (tally.dots && word.bytes[0] != '.'))
                token->kind = TOKEN_SOFT, token->type = tally.dots ? VALUE_NAME : VALUE_ID;
        else
                token->kind = TOKEN_WORD, token->type = is_calendar(word) ? VALUE_TIME : VALUE_TEXT;
        if (token->type == VALUE_TIME)
                token->kind = TOKEN_VALUE;
}

bool word_is_method(struct str word)
{
        static const struct str methods[] = {STR_INIT("GET"), STR_INIT("POST"), STR_INIT("PUT"), STR_INIT("HEAD"), STR_INIT("DELETE"),
                                             STR_INIT("PATCH"), STR_INIT("OPTIONS"), STR_INIT("CONNECT"), STR_INIT("TRACE"), STR_INIT("PROPFIND")};
        for (size_t i = 0; i < countof(methods); i++)
                if (str_equal(word, methods[i]))
                        return true;
        return false;
}

bool word_is_sentence(struct str word)
{
        static const struct str names[] = {STR_INIT("msg"), STR_INIT("message"), STR_INIT("event"), STR_INIT("short_message")};
        return word.length >= 3 && one_of(word, names, countof(names));
}
