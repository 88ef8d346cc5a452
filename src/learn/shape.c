/*
 * shape.c - see shape.h. Words are compared by their hashes, values by their bytes: a soft place keeps the value it first
 * held in the shape's text, and shows it until a second one is seen.
 */
#include "learn/shape.h"

#include "base/hash.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_HASH 0x9E3779B97F4A7C15U
#define COUNT_PLACE 1000

static inline uint64_t mix(uint64_t hash, uint32_t place)
{
        uint64_t x = hash + 0x632BE59BD9B4E019U * (place + 1);
        x = (x ^ (x >> 29)) * 0xBF58476D1CE4E5B9U;
        return x ^ (x >> 32);
}

static inline uint64_t open_addend(uint32_t place) { return mix(OPEN_HASH, place); }

static inline uint64_t addend(uint64_t hash, uint8_t kind, bool blank_before, uint32_t place)
{
        bool open = kind == TOKEN_SOFT || kind == TOKEN_VALUE;
        return mix(open ? OPEN_HASH : hash * 4 + kind * 2 + blank_before, place);
}

uint64_t tokens_prefix(const struct token *tokens, uint32_t count)
{
        uint64_t key = 0;
        for (uint32_t i = 0; i < count; i++)
                key += addend(tokens[i].hash, tokens[i].kind, tokens[i].blank_before, i);
        return key;
}

uint64_t tokens_key(const struct token *tokens, uint32_t count)
{
        return mix(count, COUNT_PLACE) + tokens_prefix(tokens, count);
}

uint64_t tokens_marks(const struct token *tokens, uint32_t count)
{
        uint64_t key = mix(count, COUNT_PLACE);
        for (uint32_t i = 0; i < count; i++)
                key += tokens[i].kind == TOKEN_MARK ? addend(tokens[i].hash, TOKEN_MARK, tokens[i].blank_before, i) : open_addend(i);
        return key;
}

uint64_t shape_prefix(const struct shape *shape, uint32_t count)
{
        uint64_t key = 0;
        for (uint32_t i = 0; i < count; i++)
                key += addend(shape->parts[i].hash, shape->parts[i].kind, shape->parts[i].blank_before, i);
        return key;
}

uint64_t shape_key(const struct shape *shape)
{
        return mix(shape->has_tail ? COUNT_PLACE + shape->count : shape->count, COUNT_PLACE) + shape_prefix(shape, shape->count);
}

uint64_t shape_marks(const struct shape *shape)
{
        uint64_t key = mix(shape->count, COUNT_PLACE);
        for (uint32_t i = 0; i < shape->count; i++) {
                const struct part *part = &shape->parts[i];
                key += part->kind == TOKEN_MARK ? addend(part->hash, TOKEN_MARK, part->blank_before, i) : open_addend(i);
        }
        return key;
}

size_t shape_bytes(const struct shape *shape)
{
        return shape->parts ? shape->count * sizeof(struct part) + shape->text_length + 1 : 0;
}

static struct part *parts_alloc(uint32_t count, size_t text_bytes)
{
        return calloc(1, count * sizeof(struct part) + text_bytes + 1);
}

struct str shape_word(const struct shape *shape, uint32_t place)
{
        const struct part *part = &shape->parts[place];
        return (struct str){(const char *)(shape->parts + shape->count) + part->start, part->length};
}

bool shape_of_line(struct str line, const struct token *tokens, uint32_t count, bool only_marks, struct shape *out_shape)
{
        size_t bytes = 0, at = 0;
        for (uint32_t i = 0; i < count; i++)
                bytes += tokens[i].kind != TOKEN_VALUE && tokens[i].length <= WORD_BYTES_MAX ? tokens[i].length : 0;
        struct part *parts = parts_alloc(count, bytes);
        if (!parts)
                return false;
        char *text = (char *)(parts + count);
        for (uint32_t i = 0; i < count; i++) {
                const struct token *token = &tokens[i];
                bool kept = token->kind != TOKEN_VALUE && !(only_marks && token->kind != TOKEN_MARK) && token->length <= WORD_BYTES_MAX;
                parts[i] = (struct part){.hash = token->hash, .start = (uint32_t)at, .length = kept ? (uint16_t)token->length : 0,
                                         .kind = kept ? token->kind : TOKEN_VALUE, .type = token->type, .run = token->run,
                                         .blank_before = token->blank_before};
                if (kept)
                        memcpy(text + at, line.bytes + token->start, token->length);
                at += parts[i].length;
        }
        *out_shape = (struct shape){.parts = parts, .count = (uint16_t)count, .text_length = (uint32_t)at, .crowd = only_marks,
                                    .first_ns = INT64_MAX, .last_ns = INT64_MIN};
        out_shape->key = only_marks ? shape_marks(out_shape) : shape_key(out_shape);
        return true;
}

bool shape_copy(const struct shape *shape, struct shape *out_shape)
{
        *out_shape = *shape;
        if (!(out_shape->parts = parts_alloc(shape->count, shape->text_length)))
                return false;
        memcpy(out_shape->parts, shape->parts, shape->count * sizeof *shape->parts + shape->text_length);
        return true;
}

void shape_done(struct shape *shape)
{
        free(shape->parts);
        shape->parts = NULL;
}

bool shape_fits(const struct shape *shape, const struct token *tokens, uint32_t count)
{
        if (shape->has_tail ? count < shape->count : count != shape->count)
                return false;
        for (uint32_t i = 0; i < (uint32_t)shape->count - shape->has_tail; i++) {
                const struct part *part = &shape->parts[i];
                const struct token *token = &tokens[i];
                bool same = part_is_open(part) ? token->kind != TOKEN_MARK
                                               : part->hash == token->hash && part->kind == token->kind && part->blank_before == token->blank_before;
                if (!same)
                        return false;
        }
        return true;
}

uint32_t shape_differ(const struct shape *a, const struct shape *b, uint8_t out_places[static 2])
{
        uint32_t differ = 0;
        if (a->count != b->count)
                return 3;
        for (uint32_t i = 0; i < a->count && differ < 3; i++) {
                const struct part *x = &a->parts[i], *y = &b->parts[i];
                bool both_open = part_is_open(x) && part_is_open(y);
                if (both_open || (x->kind == y->kind && x->hash == y->hash && x->blank_before == y->blank_before))
                        continue;
                if (x->blank_before != y->blank_before || x->kind == TOKEN_MARK || y->kind == TOKEN_MARK)
                        return 3;
                if (differ < 2)
                        out_places[differ] = (uint8_t)i;
                differ++;
        }
        return differ;
}

void shape_open(struct shape *shape, uint32_t place)
{
        struct part *part = &shape->parts[place];
        if (part->kind == TOKEN_WORD) {
                part->type = VALUE_NAME;
                part->kind = TOKEN_VALUE;
                part->opened = true;
        }
        part->varied = true;
        shape->key = shape_key(shape);
}

/* A soft place that holds one word is shown as that word; its key is that of the open place. */
bool shape_close(const struct shape *shape, uint32_t place, struct str word, struct shape *out_shape)
{
        uint32_t length = shape->text_length - shape->parts[place].length + (uint32_t)word.length, at = 0;
        struct part *parts = parts_alloc(shape->count, length);
        if (!parts)
                return false;
        char *text = (char *)(parts + shape->count);
        for (uint32_t i = 0; i < shape->count; i++) {
                struct str kept = i == place ? word : shape_word(shape, i);
                parts[i] = shape->parts[i];
                if (i == place)
                        parts[i] = (struct part){.hash = hash64(word), .kind = TOKEN_SOFT, .type = parts[i].type, .run = 1, .blank_before = parts[i].blank_before};
                parts[i].start = at;
                parts[i].length = (uint16_t)kept.length;
                if (kept.length)
                        memcpy(text + at, kept.bytes, kept.length);
                at += parts[i].length;
        }
        *out_shape = (struct shape){.key = shape->key, .parts = parts, .text_length = at, .count = shape->count, .has_tail = shape->has_tail,
                                    .first_ns = INT64_MAX, .last_ns = INT64_MIN};
        return true;
}

void shape_cut(struct shape *shape, uint32_t place)
{
        struct part *part = &shape->parts[place];
        const char *text = (const char *)(shape->parts + shape->count);
        *part = (struct part){.kind = TOKEN_VALUE, .type = VALUE_TEXT, .run = 1, .opened = true, .run_varied = true,
                              .blank_before = part->blank_before, .start = part->start};
        shape->text_length = part->start;
        memmove(shape->parts + place + 1, text, part->start);
        shape->count = (uint16_t)(place + 1);
        shape->has_tail = true;
        shape->key = shape_key(shape);
}

static bool holds(const struct shape *shape, uint32_t place, struct str value)
{
        return str_equal(shape_word(shape, place), value);
}

static void meet_type(struct part *part, uint8_t type)
{
        if (part->type != type)
                part->type = VALUE_TEXT;
}

void shape_note(struct shape *shape, struct str line, const struct token *tokens)
{
        uint32_t count = shape->count - shape->has_tail;
        for (uint32_t i = 0; i < count; i++) {
                struct part *part = &shape->parts[i];
                const struct token *token = &tokens[i];
                if (part->kind <= TOKEN_MARK)
                        continue;
                if (part->kind == TOKEN_SOFT && !part->varied)
                        part->varied = !holds(shape, i, (struct str){line.bytes + token->start, token->length});
                if (token->kind != TOKEN_WORD)
                        meet_type(part, token->type);
                part->run_varied |= part->run != token->run;
        }
}

void shape_note_again(struct shape *shape, uint32_t place, struct str value)
{
        struct part *part = &shape->parts[place];
        if (part->kind == TOKEN_SOFT && !part->varied)
                part->varied = !holds(shape, place, value);
}

void shape_take_in(struct shape *shape, const struct shape *from)
{
        for (uint32_t i = 0; from->parts && shape->count == from->count && i < shape->count; i++) {
                struct part *part = &shape->parts[i];
                const struct part *other = &from->parts[i];
                if (!part_is_open(part))
                        continue;
                part->varied |= other->varied || !part_is_open(other) || (part->kind == TOKEN_SOFT && !holds(shape, i, shape_word(from, i)));
                if (part_is_open(other))
                        meet_type(part, other->type);
                part->run_varied |= other->run_varied || part->run != other->run;
        }
        shape->lines += from->lines;
        shape->first_ns = min_of(shape->first_ns, from->first_ns);
        shape->last_ns = max_of(shape->last_ns, from->last_ns);
}

void shape_text(const struct shape *shape, bool typed, struct buf *text)
{
        for (uint32_t i = 0; i < shape->count; i++) {
                const struct part *part = &shape->parts[i];
                if (part->blank_before)
                        buf_byte(text, ' ');
                if (!part_is_variable(part)) {
                        buf_add(text, shape_word(shape, i));
                        continue;
                }
                uint32_t runs = typed || part->run_varied || part->type == VALUE_TIME ? 1 : part->run;
                for (uint32_t run = 0; run < runs; run++)
                        buf_printf(text, "%s<%s>", run ? " " : "", typed ? value_type_name(part->type) : "*");
        }
}

static void part_write(struct buf *out, const struct part *part)
{
        buf_u64(out, part->hash);
        buf_u16(out, part->length);
        buf_u8(out, part->kind);
        buf_u8(out, part->type);
        buf_u8(out, part->run);
        buf_u8(out, (uint8_t)(part->blank_before | part->varied << 1 | part->run_varied << 2 | part->opened << 3));
}

void shape_write(const struct shape *shape, struct buf *out)
{
        uint32_t count = shape->parts ? shape->count : 0;
        buf_u64(out, shape->key);
        buf_u64(out, shape->id);
        buf_u64(out, shape->lines);
        buf_u64(out, (uint64_t)shape->first_ns);
        buf_u64(out, (uint64_t)shape->last_ns);
        buf_u32(out, shape->alias);
        buf_u32(out, shape->next);
        buf_u32(out, shape->previous);
        buf_u8(out, (uint8_t)(shape->has_tail | shape->crowd << 1 | shape->has_aliases << 2 | (shape->parts != NULL) << 3 | shape->is_whole << 4));
        buf_u16(out, (uint16_t)count);
        for (uint32_t i = 0; i < count; i++)
                part_write(out, &shape->parts[i]);
        for (uint32_t i = 0; i < count; i++)
                buf_add(out, shape_word(shape, i));
}

static bool part_read(struct reader *reader, struct part *part, uint32_t *text_at)
{
        part->hash = reader_u64(reader);
        part->length = reader_u16(reader);
        part->kind = reader_u8(reader);
        part->type = reader_u8(reader);
        part->run = reader_u8(reader);
        uint8_t bits = reader_u8(reader);
        part->blank_before = bits & 1;
        part->varied = bits >> 1 & 1;
        part->run_varied = bits >> 2 & 1;
        part->opened = bits >> 3 & 1;
        part->start = *text_at;
        *text_at += part->length;
        return part->kind < TOKEN_KINDS && part->type < VALUE_TYPES && part->length <= WORD_BYTES_MAX && bits < 16;
}

/* Parts are read into a line's worth of room first: their text comes after them. */
bool shape_read(struct reader *reader, struct shape *out_shape)
{
        struct part parts[LINE_TOKENS_MAX];
        struct shape shape = {.key = reader_u64(reader), .id = reader_u64(reader), .lines = reader_u64(reader)};
        shape.first_ns = (int64_t)reader_u64(reader);
        shape.last_ns = (int64_t)reader_u64(reader);
        shape.alias = reader_u32(reader);
        shape.next = reader_u32(reader);
        shape.previous = reader_u32(reader);
        uint8_t bits = reader_u8(reader);
        shape.has_tail = bits & 1;
        shape.crowd = bits >> 1 & 1;
        shape.has_aliases = bits >> 2 & 1;
        shape.is_whole = bits >> 4 & 1;
        shape.count = reader_u16(reader);
        bool has_parts = bits >> 3 & 1;
        if (reader->failed || bits > 31 || shape.count > LINE_TOKENS_MAX || (!has_parts && shape.count) || (shape.has_tail && !shape.count))
                return false;
        for (uint32_t i = 0; i < shape.count; i++)
                if (!part_read(reader, &parts[i], &shape.text_length))
                        return false;
        struct str text = reader_bytes(reader, shape.text_length);
        if (reader->failed || (has_parts && !(shape.parts = parts_alloc(shape.count, text.length))))
                return false;
        if (has_parts && shape.count) {
                memcpy(shape.parts, parts, shape.count * sizeof *parts);
                if (text.length)
                        memcpy(shape.parts + shape.count, text.bytes, text.length);
        }
        *out_shape = shape;
        return true;
}
