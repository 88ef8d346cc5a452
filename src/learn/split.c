/*
 * split.c - see split.h. All of it is integers but the last comparison, in bits; nothing is estimated from samples, since a single line of
 * another level is evidence that the word does not tell it.
 */
#include "learn/split.h"

#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORD_LINES_MIN 4        /* of each word */

struct split *split_create(void)
{
        return calloc(1, sizeof(struct split));
}

void split_destroy(struct split *split)
{
        free(split);
}

/* What a programmer may have written: letters, joined by - or _. */
static bool is_word(struct str value)
{
        bool good = value.length >= 2 && value.length <= SPLIT_WORD_BYTES;
        for (size_t i = 0; good && i < value.length; i++) {
                char c = value.bytes[i];
                good = (c | 32) >= 'a' && (c | 32) <= 'z' ? true : i > 0 && (c == '-' || c == '_');
        }
        return good;
}

static void add_word(struct split *split, struct split_place *place, struct str value, uint8_t level)
{
        uint32_t i = 0;
        place->is_open = place->is_open || !is_word(value);
        while (i < place->count && !str_equal(value, (struct str){place->words[i].bytes, place->words[i].length}))
                i++;
        if (i == MINER_HALVES_MAX)
                place->is_open = true;
        if (place->is_open)
                return;
        if (i == place->count) {
                place->words[place->count++].length = (uint8_t)value.length;
                memcpy(place->words[i].bytes, value.bytes, value.length);
                place->newest = split->lines;
        }
        place->words[i].lines[level]++;
}

void split_add(struct split *split, const struct miner *miner, struct str line, const struct miner_match *match, uint8_t level)
{
        split->lines++;
        for (uint32_t i = 0, at = 0; i < match->variable_count; i++) {
                const struct miner_variable *variable = &match->variables[i];
                struct str value = str_slice(line, variable->start, variable->start + variable->length);
                if (split->lines == 1 && split->place_count < SPLIT_PLACES && is_word(value) && miner_divides(miner, match->number, variable->place))
                        split->places[split->place_count++].place = variable->place;
                while (at < split->place_count && split->places[at].place < variable->place)
                        at++;
                if (at < split->place_count && split->places[at].place == variable->place)
                        add_word(split, &split->places[at], value, level);
        }
}

bool split_is_over(const struct split *split)
{
        uint32_t looked_at = 0;
        for (uint32_t i = 0; i < split->place_count; i++)
                looked_at += !split->places[i].is_open;
        return looked_at == 0 || split->lines >= SPLIT_LINES_MAX;
}

/* Each word with one level, often enough; and words of two levels. */
static bool tells_level(const struct split *split, const struct split_place *place, uint64_t by_level[static SPLIT_CLASSES])
{
        uint64_t lines = 0;
        uint32_t levels = 0;
        for (uint32_t i = 0; i < place->count; i++) {
                uint32_t met = 0;
                for (uint32_t level = 0; level < SPLIT_CLASSES; level++) {
                        uint32_t count = place->words[i].lines[level];
                        if (count && count < WORD_LINES_MIN)
                                return false;
                        met += count > 0;
                        by_level[level] += count;
                        lines += count;
                }
                if (met != 1)
                        return false;
        }
        for (uint32_t level = 0; level < SPLIT_CLASSES; level++)
                levels += by_level[level] > 0;
        return levels >= 2 && lines == split->lines && place->newest <= split->lines / 2;
}

/* Bits of the levels, each coded by how often it comes; against the letters of the words, and a level's parameter for each. */
static bool is_shorter(const struct split_place *place, const uint64_t by_level[static SPLIT_CLASSES], uint64_t lines)
{
        double together = 0, apart = 0;
        for (uint32_t level = 0; level < SPLIT_CLASSES; level++)
                if (by_level[level])
                        together += (double)by_level[level] * log2((double)lines / (double)by_level[level]);
        for (uint32_t i = 0; i < place->count; i++)
                apart += 8.0 * place->words[i].length + 0.5 * log2((double)lines);
        return together > apart;
}

const struct split_place *split_judge(const struct split *split)
{
        const struct split_place *best = NULL;
        for (uint32_t i = 0; i < split->place_count; i++) {
                const struct split_place *place = &split->places[i];
                uint64_t by_level[SPLIT_CLASSES] = {0};
                if (!place->is_open && (!best || place->count < best->count) && tells_level(split, place, by_level) && is_shorter(place, by_level, split->lines))
                        best = place;
        }
        return best;
}

/* --- saving ---------------------------------------------------------------------------------------------------------- */

void split_write(const struct split *split, struct buf *out)
{
        buf_u32(out, split->lines);
        buf_u8(out, split->place_count);
        for (uint32_t i = 0; i < split->place_count; i++) {
                const struct split_place *place = &split->places[i];
                buf_u32(out, place->newest);
                buf_u16(out, place->place);
                buf_u8(out, place->is_open);
                buf_u8(out, place->count);
                for (uint32_t w = 0; w < place->count; w++) {
                        for (uint32_t level = 0; level < SPLIT_CLASSES; level++)
                                buf_u32(out, place->words[w].lines[level]);
                        buf_u8(out, place->words[w].length);
                        buf_append(out, place->words[w].bytes, place->words[w].length);
                }
        }
}

static bool word_read(struct reader *reader, struct split_word *word)
{
        for (uint32_t level = 0; level < SPLIT_CLASSES; level++)
                word->lines[level] = reader_u32(reader);
        word->length = reader_u8(reader);
        struct str bytes = reader_bytes(reader, word->length);
        if (reader->failed || !is_word(bytes))
                return false;
        memcpy(word->bytes, bytes.bytes, bytes.length);
        return true;
}

static bool place_read(struct reader *reader, struct split_place *place)
{
        place->newest = reader_u32(reader);
        place->place = reader_u16(reader);
        uint8_t is_open = reader_u8(reader), count = reader_u8(reader);
        place->is_open = is_open;
        if (reader->failed || is_open > 1 || count > MINER_HALVES_MAX)
                return false;
        for (; place->count < count; place->count++)
                if (!word_read(reader, &place->words[place->count]))
                        return false;
        return true;
}

struct split *split_read(struct reader *reader)
{
        struct split *split = split_create();
        if (!split)
                return NULL;
        split->lines = reader_u32(reader);
        uint8_t count = reader_u8(reader);
        bool good = !reader->failed && count <= SPLIT_PLACES;
        for (; good && split->place_count < count; split->place_count += good)
                good = place_read(reader, &split->places[split->place_count]) &&
                       (!split->place_count || split->places[split->place_count - 1].place < split->places[split->place_count].place);
        if (good)
                return split;
        split_destroy(split);
        return NULL;
}
