/* word.c - see word.h. One pass counts what the word is made of; the rules then read the counts. */
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
        return (word.length == 4 || word.length == 5) && one_of(word, flags, countof(flags));
}

/* The C library's day and month names (asctime): only capitalised, since "may" and "sat" are words. */
static bool is_calendar(struct str word)
{
        static const char names[] = "MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
        for (size_t i = 0; word.length == 3 && i < sizeof names - 1; i += 3)
                if (memcmp(word.bytes, names + i, 3) == 0)
                        return true;
        return false;
}

bool word_is_user(struct str word)
{
        static const struct str names[] = {STR_INIT("user"), STR_INIT("username"), STR_INIT("login")};
        return (word.length >= 4 && word.length <= 8) && one_of(word, names, countof(names));
}

/* "10ms", "3.5s", "4096B", "16K": a number with a unit. */
static enum value_type type_of_unit(struct str unit)
{
        static const struct str times[] = {STR_INIT("ms"), STR_INIT("s"), STR_INIT("us"), STR_INIT("ns"), STR_INIT("sec"), STR_INIT("min"), STR_INIT("h")};
        static const struct str sizes[] = {STR_INIT("b"), STR_INIT("k"), STR_INIT("kb"), STR_INIT("kib"), STR_INIT("m"), STR_INIT("mb"),
                                           STR_INIT("mib"), STR_INIT("g"), STR_INIT("gb"), STR_INIT("gib"), STR_INIT("tb")};
        return one_of(unit, times, countof(times)) ? VALUE_DURATION : one_of(unit, sizes, countof(sizes)) ? VALUE_SIZE : VALUE_ID;
}

struct tally { uint32_t digits, letters, hex, dots, slashes; };

/* What a byte adds to the counts, twelve bits each: one addition a byte. */
#define DIGIT UINT64_C(1)
#define LETTER (UINT64_C(1) << 12)
#define HEX (UINT64_C(1) << 24)
#define DOT (UINT64_C(1) << 36)
#define SLASH (UINT64_C(1) << 48)
#define TALLY_BYTES_MAX 4095 /* what a longer word begins with says enough */

static const uint64_t adds[256] = {
        ['0' ... '9'] = DIGIT + HEX, ['a' ... 'f'] = LETTER + HEX, ['A' ... 'F'] = LETTER + HEX, ['g' ... 'z'] = LETTER, ['G' ... 'Z'] = LETTER,
        ['.'] = DOT, ['/'] = SLASH, ['\\'] = SLASH,
};

static struct tally tally_of(struct str word)
{
        uint64_t sum = 0;
        for (size_t i = 0; i < min_of(word.length, (size_t)TALLY_BYTES_MAX); i++)
                sum += adds[(unsigned char)word.bytes[i]];
        return (struct tally){sum & 0xFFF, sum >> 12 & 0xFFF, sum >> 24 & 0xFFF, sum >> 36 & 0xFFF, sum >> 48 & 0xFFF};
}

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
void word_class(struct str word, struct token *token)
{
        struct tally tally = tally_of(word);
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

bool word_is_dotted(struct str word)
{
        struct tally tally = tally_of(word);
        return tally.dots == 1 && tally.digits == 0;
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
