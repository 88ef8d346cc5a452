/*
 * text_features.c - see text_features.h. Classifiers and the memory of incidents drive it.
 *
 * One walk over the bytes: characters become words, a word emits itself, its pair with the one before it and its pieces.
 * The trade: hashes instead of a dictionary, so that memory does not grow with what people write; two features that
 * share a 64-bit hash are one.
 */
#include "learn/text_features.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define PLACES (2 * TEXT_FEATURES_MAX)
#define WORD_CHARACTERS_MAX 40   /* of a word; longer ones are encoded data */
#define NUMBER_DIGITS_MAX 4      /* longer numbers name one thing only and say nothing of the next */
#define PIECE_LEAST 3
#define PIECE_MOST 5

/* A word as it is built: lower-cased code points. */
struct word {
        uint32_t characters[WORD_CHARACTERS_MAX + 2]; /* with a mark at both ends */
        uint32_t count, digits, start, end;
        uint64_t hash;
};

struct walk {
        struct text_features *features;
        struct word word;
        uint64_t previous;       /* the hash of the word before; 0: none */
        uint32_t previous_start;
        uint8_t field, fields;
};

bool text_features_init(struct text_features *features)
{
        *features = (struct text_features){0};
        features->items = malloc(TEXT_FEATURES_MAX * sizeof *features->items);
        features->places = calloc(PLACES, sizeof *features->places);
        if (features->items && features->places)
                return true;
        text_features_done(features);
        return false;
}

void text_features_done(struct text_features *features)
{
        free(features->items);
        free(features->places);
        *features = (struct text_features){0};
}

static void forget(struct text_features *features)
{
        memset(features->places, 0, PLACES * sizeof *features->places);
        features->count = 0;
        features->cut = false;
}

static void emit(struct walk *walk, uint64_t hash, enum text_kind kind, uint32_t start, uint32_t end)
{
        struct text_features *features = walk->features;
        uint32_t place = (uint32_t)(hash >> 40) % PLACES;
        for (; features->places[place]; place = (place + 1) % PLACES) {
                struct text_feature *known = &features->items[features->places[place] - 1];
                if (known->hash == hash) {
                        known->count++;
                        return;
                }
        }
        if (features->count == TEXT_FEATURES_MAX) {
                features->cut = true;
                return;
        }
        features->items[features->count++] = (struct text_feature){hash, 1, start, end - start, walk->field, (uint8_t)kind};
        features->places[place] = features->count;
}

static uint64_t hash_characters(const uint32_t *characters, uint32_t count, uint64_t seed)
{
        return hash64_seeded((struct str){(const char *)characters, count * sizeof *characters}, seed);
}

static void emit_pieces(struct walk *walk)
{
        const struct word *word = &walk->word;
        uint32_t whole = word->count + 2; /* with the marks */
        for (uint32_t length = PIECE_LEAST; length <= PIECE_MOST; length++)
                for (uint32_t i = 0; i + length <= whole && length < whole; i++)
                        emit(walk, hash_characters(word->characters + i, length, TEXT_PIECE), TEXT_PIECE, word->start, word->end);
}

static void end_word(struct walk *walk)
{
        struct word *word = &walk->word;
        if (!word->count)
                return;
        word->characters[0] = word->characters[word->count + 1] = ' ';
        bool is_number = word->digits == word->count;
        if (is_number && word->count > NUMBER_DIGITS_MAX)
                for (uint32_t i = 1; i <= word->count; i++)
                        word->characters[i] = '0';
        uint64_t hash = hash_characters(word->characters, word->count + 2, TEXT_WORD);
        emit(walk, hash, TEXT_WORD, word->start, word->end);
        if (walk->fields > 1)
                emit(walk, hash * 31 + walk->field + 1, TEXT_FIELD_WORD, word->start, word->end);
        if (walk->previous)
                emit(walk, walk->previous * 0x9E3779B97F4A7C15U + hash, TEXT_PAIR, walk->previous_start, word->end);
        if (!is_number)
                emit_pieces(walk);
        walk->previous = hash;
        walk->previous_start = word->start;
        word->count = word->digits = 0;
}

/* The code point at the front and its bytes; a byte that begins none stands for itself. */
static uint32_t decode(struct str s, uint32_t *out_bytes)
{
        const unsigned char *b = (const unsigned char *)s.bytes;
        uint32_t more = b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 1 : b[0] < 0xF0 ? 2 : b[0] < 0xF5 ? 3 : 0;
        uint32_t point = more ? b[0] & (0x3F >> more) : b[0];
        for (uint32_t i = 1; i <= more; i++) {
                if (i >= s.length || (b[i] & 0xC0) != 0x80) {
                        *out_bytes = 1;
                        return b[0];
                }
                point = point << 6 | (b[i] & 0x3F);
        }
        *out_bytes = more + 1;
        return point;
}

/* Lower case in the scripts that have it and follow a rule: Latin, Greek, Cyrillic, full width. */
static uint32_t lower(uint32_t c)
{
        if (c < 0x80)
                return c >= 'A' && c <= 'Z' ? c + 32 : c;
        if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F) ||
            (c >= 0xFF21 && c <= 0xFF3A))
                return c + 32;
        if (c >= 0x400 && c <= 0x40F)
                return c + 80;
        if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x4BF))
                return c | 1;
        return c;
}

/* Letters and digits; beyond ASCII all but blanks, punctuation and symbols. */
static bool is_of_word(uint32_t c)
{
        if (c < 0x80)
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        return c >= 0xC0 && c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x303F) &&
               !(c >= 0xFE00 && c <= 0xFE6F) && !(c >= 0xFF00 && c <= 0xFF0F);
}

/* Scripts without blanks between words: Han, kana, Thai, Lao, Khmer, Burmese. */
static bool is_word_alone(uint32_t c)
{
        return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
               (c >= 0x20000 && c <= 0x3FFFF) || (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) ||
               (c >= 0x1780 && c <= 0x17FF);
}

static void add_character(struct walk *walk, uint32_t c, uint32_t start, uint32_t end)
{
        struct word *word = &walk->word;
        if (is_word_alone(c))
                end_word(walk);
        if (word->count == WORD_CHARACTERS_MAX) {
                walk->features->cut = true;
                return;
        }
        if (!word->count)
                word->start = start;
        word->characters[++word->count] = c;
        word->digits += c >= '0' && c <= '9';
        word->end = end;
        if (is_word_alone(c))
                end_word(walk);
}

static void walk_field(struct walk *walk, struct str text)
{
        if (text.length > TEXT_BYTES_MAX)
                walk->features->cut = true;
        text = str_slice(text, 0, TEXT_BYTES_MAX);
        walk->previous = 0;
        for (uint32_t i = 0, bytes; i < text.length; i += bytes) {
                uint32_t c = lower(decode(str_slice(text, i, text.length), &bytes));
                if (is_of_word(c))
                        add_character(walk, c, i, i + bytes);
                else
                        end_word(walk);
        }
        end_word(walk);
}

void text_features_of(struct text_features *features, const struct str *fields, size_t field_count)
{
        forget(features);
        struct walk walk = {.features = features, .fields = (uint8_t)(field_count < TEXT_FIELDS_MAX ? field_count : TEXT_FIELDS_MAX)};
        for (; walk.field < walk.fields; walk.field++)
                walk_field(&walk, fields[walk.field]);
        features->cut |= field_count > TEXT_FIELDS_MAX;
}
