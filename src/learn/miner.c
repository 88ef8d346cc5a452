/*
 * miner.c - see miner.h.
 *
 * The key of a shape is a sum over its tokens, so that opening one word changes one addend: all "alike but for one
 * word" keys of a shape cost one pass, and the key that gathers them is the key of the merged template itself.
 * The trade: keys of 64 bits are believed without comparing words; a clash joins two sentences, once in 2^32 shapes.
 */
#include "learn/miner.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define GATHERED_MAX 12         /* words remembered at one open place: no rule asks for more */
#define BUCKET_TRIES 64         /* templates with the same marks looked at for a new line */
#define SNAPSHOT_MAGIC 0x314E494DU
#define OPEN_HASH 0x9E3779B97F4A7C15U
#define WORD_BYTES_MAX 256      /* of a constant kept; longer ones are values */

/* A token as a template keeps it: its bytes, with "varied" once a soft one has been seen with another value. */
struct part {
        uint64_t hash, value;   /* of the place; of the value first seen in a soft one */
        uint32_t start;         /* in the shape's text */
        uint16_t length;
        uint8_t kind, type, run;
        bool blank_before, varied, run_varied;
};

struct shape {
        uint64_t key, id, lines;
        int64_t first_ns, last_ns;
        struct part *parts;     /* one allocation with the text after it */
        uint32_t count, text_length, alias, next_in_bucket;
        bool merged;            /* was made by a merge: may match lines whose key it does not have */
};

/* Shapes alike but for one word. */
struct gather {
        uint64_t key;
        uint32_t members[GATHERED_MAX];
        uint8_t count, place, weight, wanted;
        bool waiting;
};

struct miner {
        struct miner_bounds bounds;
        uint64_t domain;
        struct shape *shapes;
        uint32_t count, capacity;
        struct gather *gathers;
        uint32_t gather_count, gather_next, gather_max;
        uint32_t *waiting;      /* a ring of gathers that are ripe */
        uint32_t waiting_count, waiting_first;
        struct map by_key, by_id, by_marks, by_gather;
        struct miner_counts counts;
};

static inline uint64_t mix(uint64_t hash, uint32_t place)
{
        uint64_t x = (hash + 0x632BE59BD9B4E019U * (place + 1));
        x = (x ^ (x >> 29)) * 0xBF58476D1CE4E5B9U;
        return x ^ (x >> 32);
}

static inline uint64_t addend(const struct token *token, uint32_t place)
{
        bool open = token->kind == TOKEN_SOFT || token->kind == TOKEN_VALUE;
        return mix(open ? OPEN_HASH : token->hash * 4 + token->kind * 2 + token->blank_before, place);
}

static inline uint64_t open_addend(uint32_t place) { return mix(OPEN_HASH, place); }

static uint64_t key_of(const struct token *tokens, uint32_t count)
{
        uint64_t key = mix(count, 1000);
        for (uint32_t i = 0; i < count; i++)
                key += addend(&tokens[i], i);
        return key;
}

/* The key of the line with every word open: the first level of the tree. */
static uint64_t marks_of(const struct token *tokens, uint32_t count)
{
        uint64_t key = mix(count, 1000);
        for (uint32_t i = 0; i < count; i++)
                key += tokens[i].kind == TOKEN_MARK ? addend(&tokens[i], i) : open_addend(i);
        return key;
}

static uint32_t find_key(const struct miner *miner, uint64_t key)
{
        size_t at;
        uint32_t number = map_first(&miner->by_key, key, &at);
        return number;
}

uint32_t miner_alias(const struct miner *miner, uint32_t number)
{
        for (uint32_t steps = 0; steps < miner->count && number < miner->count && miner->shapes[number].alias != number; steps++)
                number = miner->shapes[number].alias;
        return number;
}

static void shape_text(const struct shape *shape, struct buf *text)
{
        const char *bytes = (const char *)(shape->parts + shape->count);
        for (uint32_t i = 0; i < shape->count; i++) {
                const struct part *part = &shape->parts[i];
                if (part->blank_before)
                        buf_byte(text, ' ');
                bool open = part->kind == TOKEN_VALUE || (part->kind == TOKEN_SOFT && part->varied);
                if (!open)
                        buf_append(text, bytes + part->start, part->length);
                uint32_t runs = part->run_varied || part->type == VALUE_TIME ? 1 : part->run;
                for (uint32_t run = 0; open && run < runs; run++)
                        buf_text(text, run ? " <*>" : "<*>");
        }
}

bool miner_text(const struct miner *miner, uint32_t number, struct buf *text)
{
        if (number >= miner->count)
                return false;
        shape_text(&miner->shapes[miner_alias(miner, number)], text);
        return !text->failed;
}

/* The id is the hash of domain and birth text; two shapes born with the same text are told apart by their order. */
static bool shape_name(struct miner *miner, struct shape *shape)
{
        size_t at;
        scoped(buf_done) struct buf text = {0};
        shape_text(shape, &text);
        if (text.failed)
                return false;
        shape->id = hash64_seeded(buf_str(&text), miner->domain);
        while (map_first(&miner->by_id, shape->id, &at) != MAP_NONE)
                shape->id++;
        return true;
}

static bool shapes_reserve(struct miner *miner)
{
        if (miner->count < miner->capacity)
                return true;
        uint32_t capacity = miner->capacity ? miner->capacity * 2 : 64;
        struct shape *shapes = realloc(miner->shapes, capacity * sizeof *shapes);
        if (!shapes)
                return false;
        miner->shapes = shapes;
        miner->capacity = capacity;
        return true;
}

/* Takes the shape (its parts too, also on failure); MAP_NONE without memory. */
static uint32_t shape_add(struct miner *miner, struct shape shape, uint64_t marks)
{
        size_t at;
        shape.alias = miner->count;
        shape.next_in_bucket = MAP_NONE;
        if (!shapes_reserve(miner) || (!shape.id && !shape_name(miner, &shape)) || !map_put(&miner->by_key, shape.key, miner->count)) {
                free(shape.parts);
                return MAP_NONE;
        }
        if (!map_put(&miner->by_id, shape.id, miner->count)) {
                map_remove(&miner->by_key, shape.key, miner->count);
                free(shape.parts);
                return MAP_NONE;
        }
        if (shape.merged) {
                uint32_t head = map_first(&miner->by_marks, marks, &at);
                if (head == MAP_NONE) {
                        map_put(&miner->by_marks, marks, miner->count);
                } else {
                        shape.next_in_bucket = miner->shapes[head].next_in_bucket;
                        miner->shapes[head].next_in_bucket = miner->count;
                }
        }
        miner->counts.bytes += shape.count * sizeof(struct part) + shape.text_length + sizeof shape;
        miner->shapes[miner->count] = shape;
        return miner->count++;
}

static struct part *parts_alloc(uint32_t count, size_t text_bytes)
{
        return calloc(1, count * sizeof(struct part) + text_bytes + 1);
}

/* A shape as the line shows it; with only_marks every word is a variable. */
static bool shape_of_line(struct str line, const struct token *tokens, uint32_t count, bool only_marks, struct shape *out_shape)
{
        size_t bytes = 0, at = 0;
        for (uint32_t i = 0; i < count; i++)
                bytes += min_of(tokens[i].length, (uint32_t)WORD_BYTES_MAX);
        struct part *parts = parts_alloc(count, bytes);
        if (!parts)
                return false;
        char *text = (char *)(parts + count);
        for (uint32_t i = 0; i < count; i++) {
                const struct token *token = &tokens[i];
                struct str value = {line.bytes + token->start, token->length};
                bool kept = token->kind != TOKEN_VALUE && !(only_marks && token->kind != TOKEN_MARK) && token->length <= WORD_BYTES_MAX;
                parts[i] = (struct part){token->hash, token->kind == TOKEN_SOFT ? hash64(value) : 0, (uint32_t)at, kept ? (uint16_t)token->length : 0,
                                         kept ? token->kind : TOKEN_VALUE, token->type, token->run, token->blank_before, false, false};
                if (kept)
                        memcpy(text + at, value.bytes, value.length);
                at += parts[i].length;
        }
        *out_shape = (struct shape){.parts = parts, .count = count, .text_length = (uint32_t)at, .merged = only_marks,
                                    .key = only_marks ? marks_of(tokens, count) : key_of(tokens, count)};
        return true;
}

/* How many different words make a place a variable. Where English and printf put values (after "for", "user", "=")
 * few do; a sentence's first word is nearly always the programmer's; between words stands the programmer's too. */
static uint8_t words_wanted(const struct shape *shape, uint32_t place)
{
        static const struct str before_values[] = {
                STR_INIT("for"), STR_INIT("from"), STR_INIT("to"), STR_INIT("by"), STR_INIT("of"), STR_INIT("user"), STR_INIT("host"), STR_INIT("client"),
                STR_INIT("server"), STR_INIT("package"), STR_INIT("session"), STR_INIT("file"), STR_INIT("device"), STR_INIT("process"), STR_INIT("service"),
                STR_INIT("interface"), STR_INIT("node"), STR_INIT("named"), STR_INIT("called"), STR_INIT("is"), STR_INIT("app"), STR_INIT("caller"),
                STR_INIT("pkg"), STR_INIT("key"), STR_INIT("name"), STR_INIT("domain"), STR_INIT("module"), STR_INIT("thread"), STR_INIT("task"), STR_INIT("job")};
        if (place == 0)
                return GATHERED_MAX;
        const struct part *before = &shape->parts[place - 1];
        struct str word = {(const char *)(shape->parts + shape->count) + before->start, before->length};
        if (before->kind == TOKEN_MARK)
                return 6;
        for (size_t i = 0; i < countof(before_values); i++)
                if (str_equal_nocase(word, before_values[i]))
                        return 3;
        return 6;
}

/* A sentence keeps at least two words of its own, or it would swallow others. */
static uint32_t words_in(const struct shape *shape)
{
        uint32_t words = 0;
        for (uint32_t i = 0; i < shape->count; i++)
                words += shape->parts[i].kind == TOKEN_WORD && shape->parts[i].length > 1;
        return words;
}

static struct gather *gather_find(struct miner *miner, uint64_t key, uint32_t place)
{
        size_t at;
        for (uint32_t i = map_first(&miner->by_gather, key, &at); i != MAP_NONE; i = map_next(&miner->by_gather, key, &at))
                if (miner->gathers[i].place == place)
                        return &miner->gathers[i];
        return NULL;
}

/* A place for new evidence: the oldest gives way, except those whose merge waits. */
static struct gather *gather_new(struct miner *miner, uint64_t key, uint32_t place)
{
        uint32_t number = miner->gather_count;
        if (number == miner->gather_max) {
                number = miner->gather_next;
                miner->gather_next = (number + 1) % miner->gather_max;
                if (miner->gathers[number].waiting)
                        return NULL;
                map_remove(&miner->by_gather, miner->gathers[number].key, number);
                miner->gathers[number] = (struct gather){0};
                miner->counts.forgotten++;
        }
        if (!map_put(&miner->by_gather, key, number))
                return NULL;
        miner->gather_count = max_of(miner->gather_count, number + 1);
        miner->gathers[number] = (struct gather){.key = key, .place = (uint8_t)place};
        return &miner->gathers[number];
}

static void gather_add(struct miner *miner, const struct shape *shape, uint32_t number, uint32_t place, uint64_t key)
{
        struct gather *gather = gather_find(miner, key, place);
        bool open = shape->parts[place].kind != TOKEN_WORD;
        if (!gather && !(gather = gather_new(miner, key, place)))
                return;
        if (gather->count && miner_alias(miner, gather->members[0]) == miner_alias(miner, number))
                return;
        if (gather->count < GATHERED_MAX)
                gather->members[gather->count++] = number;
        if (!open)
                gather->wanted = gather->wanted ? min_of(gather->wanted, words_wanted(shape, place)) : words_wanted(shape, place);
        gather->weight = (uint8_t)min_of(gather->weight + (open ? 3 : 1), 255);
        if (gather->waiting || gather->count < 2 || !gather->wanted || gather->weight < gather->wanted || words_in(shape) < 2u + !open)
                return;
        if (miner->waiting_count == miner->gather_max)
                return;
        gather->waiting = true;
        miner->waiting[(miner->waiting_first + miner->waiting_count++) % miner->gather_max] = (uint32_t)(gather - miner->gathers);
}

static uint64_t part_addend(const struct part *part, uint32_t place)
{
        bool open = part->kind == TOKEN_SOFT || part->kind == TOKEN_VALUE;
        return mix(open ? OPEN_HASH : part->hash * 4 + part->kind * 2 + part->blank_before, place);
}

/* What a new shape tells: for each place, that this word was seen there. Short sentences have no evidence to give. */
static void shape_gather(struct miner *miner, uint32_t number)
{
        struct shape shape = miner->shapes[number];
        for (uint32_t i = 0; i < shape.count; i++) {
                const struct part *part = &shape.parts[i];
                if (part->kind != TOKEN_MARK && shape.count > 2)
                        gather_add(miner, &shape, number, i, shape.key - part_addend(part, i) + open_addend(i));
        }
}

static void take_in(struct shape *into, const struct shape *from)
{
        for (uint32_t i = 0; i < into->count; i++) {
                struct part *part = &into->parts[i];
                const struct part *other = &from->parts[i];
                if (part->kind == TOKEN_MARK || (part->kind == TOKEN_WORD && other->kind == TOKEN_WORD))
                        continue;
                if (other->kind != part->kind || part->value != other->value)
                        part->varied = true;
                part->varied |= other->varied;
                if (part->type != other->type)
                        part->type = VALUE_TEXT;
                part->run_varied |= other->run_varied || part->run != other->run;
        }
        into->lines += from->lines;
        into->first_ns = min_of(into->first_ns, from->first_ns);
        into->last_ns = max_of(into->last_ns, from->last_ns);
}

/* The member with one word opened, as a shape of its own. */
static bool shape_opened(const struct shape *member, uint32_t place, uint64_t key, struct shape *out_shape)
{
        size_t bytes = member->count * sizeof(struct part) + member->text_length + 1;
        struct shape shape = *member;
        shape.parts = malloc(bytes);
        if (!shape.parts)
                return false;
        memcpy(shape.parts, member->parts, bytes);
        struct part *part = &shape.parts[place];
        part->type = part->kind == TOKEN_WORD ? VALUE_NAME : part->type;
        part->kind = TOKEN_VALUE;
        shape.key = key;
        shape.id = 0;
        shape.lines = 0;
        shape.merged = true;
        *out_shape = shape;
        return true;
}

static uint64_t shape_marks(const struct shape *shape)
{
        uint64_t key = mix(shape->count, 1000);
        for (uint32_t i = 0; i < shape->count; i++)
                key += shape->parts[i].kind == TOKEN_MARK ? part_addend(&shape->parts[i], i) : open_addend(i);
        return key;
}

static void alias_to(struct miner *miner, uint32_t from, uint32_t to)
{
        from = miner_alias(miner, from);
        to = miner_alias(miner, to);
        if (from == to || miner->shapes[from].count != miner->shapes[to].count)
                return;
        take_in(&miner->shapes[to], &miner->shapes[from]);
        miner->shapes[from].alias = to;
        miner->counts.aliases++;
}

static bool is_full(const struct miner *miner, uint32_t eighths)
{
        return miner->count >= (uint64_t)miner->bounds.templates_max * eighths / 8 || miner->counts.bytes >= miner->bounds.bytes_max / 8 * eighths;
}

/* A soft place that two shapes share is open in both keys: only the place of the gather differs. */
static bool merge(struct miner *miner, const struct gather *gather)
{
        struct shape shape;
        uint32_t target = find_key(miner, gather->key);
        bool made = target == MAP_NONE;
        if (!made && miner->shapes[target].count != miner->shapes[gather->members[0]].count)
                return false;
        if (made) {
                if (is_full(miner, 8) || !shape_opened(&miner->shapes[gather->members[0]], gather->place, gather->key, &shape))
                        return false;
                if ((target = shape_add(miner, shape, shape_marks(&shape))) == MAP_NONE)
                        return false;
        }
        struct part *part = &miner->shapes[miner_alias(miner, target)].parts[gather->place];
        part->kind = part->kind == TOKEN_SOFT ? TOKEN_SOFT : TOKEN_VALUE;
        part->varied = true;
        if (!made && !miner->shapes[target].merged)
                miner->shapes[target].merged = true;
        for (uint32_t i = 0; i < gather->count; i++)
                if (gather->members[i] != target)
                        alias_to(miner, gather->members[i], target);
        if (made)
                shape_gather(miner, target);
        return true;
}

uint32_t miner_refine(struct miner *miner, uint32_t steps_max)
{
        uint32_t done = 0;
        for (; done < steps_max && miner->waiting_count; done++) {
                struct gather *gather = &miner->gathers[miner->waiting[miner->waiting_first]];
                miner->waiting_first = (miner->waiting_first + 1) % miner->gather_max;
                miner->waiting_count--;
                gather->waiting = false;
                struct gather ripe = *gather;
                merge(miner, &ripe);
        }
        return done;
}

static bool fits(const struct shape *shape, const struct token *tokens, uint32_t count)
{
        if (shape->count != count)
                return false;
        for (uint32_t i = 0; i < count; i++) {
                const struct part *part = &shape->parts[i];
                bool open = part->kind == TOKEN_VALUE || part->kind == TOKEN_SOFT;
                if (part->kind == TOKEN_MARK || !open ? part_addend(part, i) != addend(&tokens[i], i) : tokens[i].kind == TOKEN_MARK)
                        return false;
        }
        return true;
}

/* A line whose key is new: a merged template with one of its words open, else one with the same marks. */
static uint32_t find_merged(const struct miner *miner, const struct token *tokens, uint32_t count, uint64_t key)
{
        size_t at;
        for (uint32_t i = 0; i < count; i++) {
                uint32_t number = tokens[i].kind == TOKEN_WORD ? find_key(miner, key - addend(&tokens[i], i) + open_addend(i)) : MAP_NONE;
                if (number != MAP_NONE && miner->shapes[number].merged && miner->shapes[number].count == count)
                        return number;
        }
        uint32_t number = map_first(&miner->by_marks, marks_of(tokens, count), &at);
        for (int tries = 0; number != MAP_NONE && tries < BUCKET_TRIES; tries++, number = miner->shapes[number].next_in_bucket)
                if (fits(&miner->shapes[number], tokens, count))
                        return number;
        return MAP_NONE;
}

/* The last eighth of the room is for templates that keep only the marks of a line. */
static bool find_home(struct miner *miner, struct str line, const struct token *tokens, uint32_t count, uint64_t key, uint32_t *out_number)
{
        struct shape shape;
        *out_number = find_merged(miner, tokens, count, key);
        if (*out_number != MAP_NONE)
                return true;
        bool crowded = is_full(miner, 7);
        if (crowded) {
                miner->counts.crowded++;
                *out_number = find_key(miner, marks_of(tokens, count));
                if (*out_number == MAP_NONE && is_full(miner, 8)) {
                        miner->counts.homeless++;
                        *out_number = 0;
                }
                if (*out_number != MAP_NONE)
                        return true;
        }
        if (!shape_of_line(line, tokens, count, crowded, &shape))
                return false;
        shape.first_ns = INT64_MAX;
        shape.last_ns = INT64_MIN;
        if ((*out_number = shape_add(miner, shape, marks_of(tokens, count))) == MAP_NONE)
                return false;
        if (!crowded)
                shape_gather(miner, *out_number);
        return true;
}

static void note_values(struct shape *shape, struct str line, const struct token *tokens, uint32_t count, struct miner_match *match)
{
        for (uint32_t i = 0; i < count && shape->count == count; i++) {
                struct part *part = &shape->parts[i];
                const struct token *token = &tokens[i];
                if (part->kind == TOKEN_MARK || part->kind == TOKEN_WORD)
                        continue;
                if (part->kind == TOKEN_SOFT && !part->varied)
                        part->varied = token->kind != TOKEN_SOFT || hash64((struct str){line.bytes + token->start, token->length}) != part->value;
                if (part->type != token->type && token->kind != TOKEN_WORD)
                        part->type = VALUE_TEXT;
                part->run_varied |= part->run != token->run;
                if (part->kind == TOKEN_VALUE || part->varied)
                        match->variables[match->variable_count++] = (struct miner_variable){token->start, token->length, token->type};
        }
}

bool miner_learn(struct miner *miner, struct str line, int64_t time_ns, struct miner_match *out_match, struct err *err)
{
        struct token tokens[LINE_TOKENS_MAX];
        uint32_t count = line_scan(line, tokens), before = miner->count;
        uint64_t key = key_of(tokens, count);
        uint32_t number = find_key(miner, key);
        if ((number == MAP_NONE || miner->shapes[number].count != count) && !find_home(miner, line, tokens, count, key, &number))
                return fail_memory(err, "miner", count * sizeof(struct part));
        number = miner_alias(miner, number);
        struct shape *shape = &miner->shapes[number];
        out_match->number = number;
        out_match->is_new = miner->count > before;
        out_match->variable_count = 0;
        note_values(shape, line, tokens, count, out_match);
        if (number == 0)
                out_match->variables[out_match->variable_count++] = (struct miner_variable){0, (uint32_t)line.length, VALUE_TEXT};
        shape->lines++;
        shape->first_ns = min_of(shape->first_ns, time_ns);
        shape->last_ns = max_of(shape->last_ns, time_ns);
        miner->counts.lines++;
        return true;
}

uint32_t miner_count(const struct miner *miner)
{
        return miner->count;
}

bool miner_find(const struct miner *miner, uint64_t id, uint32_t *out_number)
{
        size_t at;
        uint32_t number = map_first(&miner->by_id, id, &at);
        if (number == MAP_NONE)
                return false;
        *out_number = miner_alias(miner, number);
        return true;
}

bool miner_template(const struct miner *miner, uint32_t number, struct miner_template *out_template)
{
        if (number >= miner->count)
                return false;
        const struct shape *shape = &miner->shapes[miner_alias(miner, number)];
        *out_template = (struct miner_template){.id = shape->id, .lines = shape->lines, .first_ns = shape->first_ns, .last_ns = shape->last_ns};
        for (uint32_t i = 0; i < shape->count; i++)
                if (shape->parts[i].kind == TOKEN_VALUE || (shape->parts[i].kind == TOKEN_SOFT && shape->parts[i].varied))
                        out_template->types[out_template->variable_count++] = shape->parts[i].type;
        return true;
}

struct miner_counts miner_counts(const struct miner *miner)
{
        struct miner_counts counts = miner->counts;
        counts.templates = miner->count - counts.aliases;
        return counts;
}

/* Template 0: a single variable, whatever the line. */
static bool add_homeless(struct miner *miner)
{
        struct part *parts = parts_alloc(1, 0);
        if (!parts)
                return false;
        parts[0] = (struct part){.kind = TOKEN_VALUE, .type = VALUE_TEXT, .run = 1};
        struct shape shape = {.parts = parts, .count = 1, .key = 1, .first_ns = INT64_MAX, .last_ns = INT64_MIN};
        return shape_add(miner, shape, 1) == 0;
}

static struct miner *miner_empty(struct miner_bounds bounds, struct err *err)
{
        struct miner *miner = calloc(1, sizeof *miner);
        if (!miner)
                return fail_memory(err, "miner", sizeof *miner), NULL;
        bounds.templates_max = bounds.templates_max ? max_of(bounds.templates_max, 16u) : 16384;
        bounds.bytes_max = bounds.bytes_max ? bounds.bytes_max : 32 << 20;
        miner->bounds = bounds;
        miner->gather_max = bounds.templates_max * 4;
        miner->gathers = calloc(miner->gather_max, sizeof *miner->gathers);
        miner->waiting = calloc(miner->gather_max, sizeof *miner->waiting);
        if (!miner->gathers || !miner->waiting) {
                fail_memory(err, "miner", miner->gather_max * sizeof *miner->gathers);
                miner_destroy(miner);
                return NULL;
        }
        return miner;
}

struct miner *miner_create(struct str domain, struct miner_bounds bounds, struct err *err)
{
        struct miner *miner = miner_empty(bounds, err);
        if (!miner)
                return NULL;
        miner->domain = hash64(domain);
        if (!add_homeless(miner)) {
                fail_memory(err, "miner", sizeof(struct shape));
                miner_destroy(miner);
                return NULL;
        }
        return miner;
}

void miner_destroy(struct miner *miner)
{
        if (!miner)
                return;
        for (uint32_t i = 0; i < miner->count; i++)
                free(miner->shapes[i].parts);
        free(miner->shapes);
        free(miner->gathers);
        free(miner->waiting);
        map_done(&miner->by_key);
        map_done(&miner->by_id);
        map_done(&miner->by_marks);
        map_done(&miner->by_gather);
        free(miner);
}

static void part_write(struct buf *out, const struct part *part)
{
        buf_u64(out, part->hash);
        buf_u64(out, part->value);
        buf_u16(out, part->length);
        buf_u8(out, part->kind);
        buf_u8(out, part->type);
        buf_u8(out, part->run);
        buf_u8(out, (uint8_t)(part->blank_before | part->varied << 1 | part->run_varied << 2));
}

static void shape_write(struct buf *out, const struct shape *shape)
{
        buf_u64(out, shape->key);
        buf_u64(out, shape->id);
        buf_u64(out, shape->lines);
        buf_u64(out, (uint64_t)shape->first_ns);
        buf_u64(out, (uint64_t)shape->last_ns);
        buf_u32(out, shape->alias);
        buf_u8(out, shape->merged);
        buf_u32(out, shape->count);
        for (uint32_t i = 0; i < shape->count; i++)
                part_write(out, &shape->parts[i]);
        buf_u32(out, shape->text_length);
        buf_append(out, shape->parts + shape->count, shape->text_length);
}

static void gather_write(struct buf *out, const struct gather *gather)
{
        buf_u64(out, gather->key);
        buf_u8(out, gather->count);
        buf_u8(out, gather->place);
        buf_u8(out, gather->weight);
        buf_u8(out, gather->wanted);
        for (uint32_t i = 0; i < gather->count; i++)
                buf_u32(out, gather->members[i]);
}

bool miner_snapshot(const struct miner *miner, struct buf *out, struct err *err)
{
        buf_u32(out, SNAPSHOT_MAGIC);
        buf_u64(out, miner->domain);
        buf_u64(out, miner->counts.lines);
        buf_u64(out, miner->counts.crowded);
        buf_u64(out, miner->counts.homeless);
        buf_u64(out, miner->counts.forgotten);
        buf_u32(out, miner->count);
        for (uint32_t i = 0; i < miner->count; i++)
                shape_write(out, &miner->shapes[i]);
        buf_u32(out, miner->gather_count);
        buf_u32(out, miner->gather_next);
        for (uint32_t i = 0; i < miner->gather_count; i++)
                gather_write(out, &miner->gathers[i]);
        buf_u32(out, miner->waiting_count);
        for (uint32_t i = 0; i < miner->waiting_count; i++)
                buf_u32(out, miner->waiting[(miner->waiting_first + i) % miner->gather_max]);
        return out->failed ? fail_memory(err, "miner", out->length) : true;
}

static bool part_read(struct reader *reader, struct part *part, uint32_t *text_at)
{
        part->hash = reader_u64(reader);
        part->value = reader_u64(reader);
        part->length = reader_u16(reader);
        part->kind = reader_u8(reader);
        part->type = reader_u8(reader);
        part->run = reader_u8(reader);
        uint8_t bits = reader_u8(reader);
        part->blank_before = bits & 1;
        part->varied = bits & 2;
        part->run_varied = bits & 4;
        part->start = *text_at;
        *text_at += part->length;
        return part->kind < TOKEN_KINDS && part->type < VALUE_TYPES && bits < 8;
}

/* Parts are read into a line's worth of room first: their text comes after them. */
static bool shape_read(struct reader *reader, struct miner *miner)
{
        struct part parts[LINE_TOKENS_MAX];
        struct shape shape = {.key = reader_u64(reader), .id = reader_u64(reader), .lines = reader_u64(reader)};
        uint32_t text_at = 0;
        shape.first_ns = (int64_t)reader_u64(reader);
        shape.last_ns = (int64_t)reader_u64(reader);
        uint32_t alias = reader_u32(reader), number = miner->count;
        shape.merged = reader_u8(reader);
        shape.count = reader_u32(reader);
        if (reader->failed || shape.count > LINE_TOKENS_MAX || shape.id == 0)
                return false;
        for (uint32_t i = 0; i < shape.count; i++)
                if (!part_read(reader, &parts[i], &text_at))
                        return false;
        shape.text_length = reader_u32(reader);
        struct str text = reader_bytes(reader, shape.text_length);
        if (reader->failed || text_at > shape.text_length || !(shape.parts = parts_alloc(shape.count, text.length)))
                return false;
        memcpy(shape.parts, parts, shape.count * sizeof *parts);
        memcpy(shape.parts + shape.count, text.bytes, text.length);
        if (shape_add(miner, shape, shape.merged ? shape_marks(&shape) : 0) == MAP_NONE)
                return false;
        miner->shapes[number].alias = alias;
        miner->counts.aliases += alias != number;
        return true;
}

/* Every chain of aliases ends, at a shape of the same length. */
static bool aliases_are_sound(const struct miner *miner)
{
        for (uint32_t i = 0; i < miner->count; i++) {
                uint32_t to = i;
                for (int steps = 0; miner->shapes[to].alias != to; steps++) {
                        uint32_t next = miner->shapes[to].alias;
                        if (next >= miner->count || steps > 4096 || miner->shapes[next].count != miner->shapes[i].count)
                                return false;
                        to = next;
                }
        }
        return miner->count > 0 && miner->shapes[0].count == 1;
}

static bool gather_read(struct reader *reader, struct miner *miner)
{
        struct gather gather = {.key = reader_u64(reader), .count = reader_u8(reader), .place = reader_u8(reader)};
        gather.weight = reader_u8(reader);
        gather.wanted = reader_u8(reader);
        if (gather.count > GATHERED_MAX)
                return false;
        for (uint32_t i = 0; i < gather.count; i++) {
                gather.members[i] = reader_u32(reader);
                if (gather.members[i] >= miner->count || gather.place >= miner->shapes[gather.members[i]].count ||
                    miner->shapes[gather.members[i]].count != miner->shapes[gather.members[0]].count)
                        return false;
        }
        if (reader->failed || miner->gather_count == miner->gather_max)
                return false;
        miner->gathers[miner->gather_count] = gather;
        return map_put(&miner->by_gather, gather.key, miner->gather_count++);
}

static bool gathers_read(struct reader *reader, struct miner *miner)
{
        uint32_t count = reader_u32(reader), next = reader_u32(reader);
        for (uint32_t i = 0; i < count; i++)
                if (!gather_read(reader, miner))
                        return false;
        miner->gather_next = next < miner->gather_max ? next : 0;
        uint32_t waiting = reader_u32(reader);
        for (uint32_t i = 0; i < waiting; i++) {
                uint32_t number = reader_u32(reader);
                if (reader->failed || number >= miner->gather_count || miner->gathers[number].count == 0 || miner->gathers[number].waiting)
                        return false;
                miner->gathers[number].waiting = true;
                miner->waiting[miner->waiting_count++] = number;
        }
        return !reader->failed && reader_left(reader) == 0;
}

static bool miner_read(struct reader *reader, struct miner *miner)
{
        if (reader_u32(reader) != SNAPSHOT_MAGIC)
                return false;
        miner->domain = reader_u64(reader);
        miner->counts.lines = reader_u64(reader);
        miner->counts.crowded = reader_u64(reader);
        miner->counts.homeless = reader_u64(reader);
        miner->counts.forgotten = reader_u64(reader);
        uint32_t count = reader_u32(reader);
        for (uint32_t i = 0; i < count; i++)
                if (!shape_read(reader, miner))
                        return false;
        return aliases_are_sound(miner) && gathers_read(reader, miner);
}

struct miner *miner_restore(struct str bytes, struct miner_bounds bounds, struct err *err)
{
        struct reader reader = reader_of(bytes);
        struct miner *miner = miner_empty(bounds, err);
        if (miner && !miner_read(&reader, miner)) {
                fail(err, ERR_CORRUPT, "miner", "restoring %zu bytes of templates: they are not a snapshot of version 1, or are damaged; "
                                                "start without it, templates are learnt again", bytes.length);
                miner_destroy(miner);
                return NULL;
        }
        return miner;
}
