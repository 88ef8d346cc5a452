/*
 * miner.c - see miner.h. Finding a line's sentence, adding sentences, and forgetting them at the bound.
 *
 * What by_key finds is compared with the line before it is believed, so a slot may be used again while old keys still
 * name it; the map is made anew when it has grown to several times the templates.
 */
#include "learn/miner_state.h"

#include "base/hash.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_TRIES 64         /* templates with the same marks looked at for a new line */
#define FORGET_TRIES 64         /* slots looked at for the rarest */
#define FORGET_LINES_MAX 8      /* one that was seen more often is not forgotten */
#define SLOT_BYTES (sizeof(struct shape) + 4 * 16) /* with its share of the maps */

uint32_t miner_alias(const struct miner *miner, uint32_t number)
{
        for (uint32_t steps = 0; steps < miner->count && number < miner->count && miner->shapes[number].alias != number; steps++)
                number = miner->shapes[number].alias;
        return number;
}

static const struct shape *living(const struct miner *miner, uint32_t number)
{
        if (number >= miner->count)
                return NULL;
        const struct shape *shape = &miner->shapes[miner_alias(miner, number)];
        return shape->parts ? shape : NULL;
}

/* --- finding ------------------------------------------------------------------------------------------------------- */

static uint32_t find_key(struct miner *miner, uint64_t key, const struct token *tokens, uint32_t count)
{
        size_t at;
        uint32_t number = map_first(&miner->by_key, key, &at);
        if (number == MAP_NONE)
                return MAP_NONE;
        number = miner_alias(miner, number);
        const struct shape *shape = &miner->shapes[number];
        return shape->parts && shape_fits(shape, tokens, count) ? number : MAP_NONE;
}

/* The place a line's free tail would begin, told by its tokens as shape_tail tells it by parts. */
static uint32_t find_tail(const struct miner *miner, const struct token *tokens, uint32_t count)
{
        if (!miner->by_prefix.count)
                return MAP_NONE;
        for (uint32_t i = count - 1; i-- > 2;) {
                if (tokens[i].kind != TOKEN_MARK || !tokens[i + 1].blank_before)
                        continue;
                size_t at;
                uint64_t prefix = tokens_prefix(tokens, i + 1);
                for (uint32_t n = map_first(&miner->by_prefix, prefix, &at); n != MAP_NONE; n = map_next(&miner->by_prefix, prefix, &at))
                        if (miner->shapes[n].has_tail && miner->shapes[n].count == i + 2)
                                return n;
        }
        return MAP_NONE;
}

/* Among those with the same marks, the one with most words of its own. */
static uint32_t find_marks(const struct miner *miner, const struct token *tokens, uint32_t count)
{
        size_t at;
        uint32_t tries = 0, best = MAP_NONE, best_open = UINT32_MAX;
        for (uint32_t n = map_first(&miner->by_marks, tokens_marks(tokens, count), &at); n != MAP_NONE && tries < BUCKET_TRIES;
             n = miner->shapes[n].next, tries++) {
                const struct shape *shape = &miner->shapes[n];
                uint32_t opened = 0;
                for (uint32_t i = 0; i < shape->count; i++)
                        opened += shape->parts[i].opened;
                if (opened && opened < best_open && shape_fits(shape, tokens, count))
                        best = n, best_open = opened;
        }
        return best;
}

/* Of two sentences with one key the later is meant. */
bool miner_set_key(struct miner *miner, uint64_t key, uint32_t number)
{
        size_t at;
        uint32_t known = map_first(&miner->by_key, key, &at);
        if (known == number)
                return true;
        if (known != MAP_NONE) {
                map_remove(&miner->by_key, key, known); /* leaves the room */
                if (known < miner->count)
                        shapes_touch(miner, known);
        }
        return map_put(&miner->by_key, key, number);
}

/* --- adding and forgetting ------------------------------------------------------------------------------------------ */

/* The id is the hash of domain and birth text; two shapes born with the same text are told apart by their order. */
static bool name_shape(struct miner *miner, struct shape *shape)
{
        size_t at;
        scoped(buf_done) struct buf text = {0};
        shape_text(shape, false, &text);
        if (text.failed)
                return false;
        shape->id = hash64_seeded(buf_str(&text), miner->domain);
        while (map_first(&miner->by_id, shape->id, &at) != MAP_NONE)
                shape->id++;
        return true;
}

uint32_t shape_tail(const struct shape *shape)
{
        uint32_t place = 0, words = 0;
        for (uint32_t i = shape->count; i-- > 2 && !place;)
                if (i + 1 < shape->count && shape->parts[i].kind == TOKEN_MARK && str_is(shape_word(shape, i), ":") && shape->parts[i + 1].blank_before)
                        place = i + 1;
        for (uint32_t i = 0; i < place; i++)
                words += shape->parts[i].kind == TOKEN_WORD && shape->parts[i].length > 2;
        if (words < 2 || (!shape->has_tail && shape->count > place + 8))
                return 0;
        for (uint32_t i = place; i < shape->count && !shape->has_tail; i++)
                if (shape->parts[i].kind != TOKEN_WORD || !shape->parts[i].blank_before)
                        return 0;
        return place;
}

static bool link_marks(struct miner *miner, uint32_t number)
{
        size_t at;
        struct shape *shape = &miner->shapes[number];
        uint64_t marks = shape_marks(shape);
        uint32_t head = map_first(&miner->by_marks, marks, &at);
        shape->next = head;
        shape->previous = MAP_NONE;
        if (!map_put(&miner->by_marks, marks, number))
                return false;
        if (head != MAP_NONE) {
                map_remove(&miner->by_marks, marks, head);
                miner->shapes[head].previous = number;
        }
        return true;
}

static void unlink_marks(struct miner *miner, uint32_t number)
{
        struct shape *shape = &miner->shapes[number];
        uint64_t marks = shape_marks(shape);
        if (shape->next != MAP_NONE)
                miner->shapes[shape->next].previous = shape->previous;
        if (shape->previous != MAP_NONE) {
                miner->shapes[shape->previous].next = shape->next;
        } else if (map_remove(&miner->by_marks, marks, number) && shape->next != MAP_NONE) {
                map_put(&miner->by_marks, marks, shape->next); /* into the room that was just freed */
        }
        shape->next = shape->previous = MAP_NONE;
}

/* Template 0 and those for crowds take what no other takes, halves are found by their whole: they stand in no list. */
static bool stands_in_lists(const struct miner *miner, uint32_t number)
{
        return number && miner->shapes[number].parts && !miner->shapes[number].crowd && !miner->shapes[number].is_half;
}

bool shapes_listed(const struct miner *miner, uint32_t number)
{
        return stands_in_lists(miner, number) && !miner->shapes[number].has_tail;
}

bool shapes_link(struct miner *miner, uint32_t number)
{
        struct shape *shape = &miner->shapes[number];
        shape->next = shape->previous = MAP_NONE;
        if (!stands_in_lists(miner, number))
                return true;
        uint32_t tail = shape_tail(shape);
        if (shapes_listed(miner, number) && !link_marks(miner, number))
                return false;
        return !tail || map_put(&miner->by_prefix, shape_prefix(shape, tail), number);
}

void shapes_unlink(struct miner *miner, uint32_t number)
{
        struct shape *shape = &miner->shapes[number];
        if (!stands_in_lists(miner, number))
                return;
        uint32_t tail = shape_tail(shape);
        if (shapes_listed(miner, number))
                unlink_marks(miner, number);
        if (tail)
                map_remove(&miner->by_prefix, shape_prefix(shape, tail), number);
}

static bool index_shape(struct miner *miner, uint32_t number)
{
        struct shape *shape = &miner->shapes[number];
        return (shape->is_half || miner_set_key(miner, shape->key, number)) && map_put(&miner->by_id, shape->id, number) && shapes_link(miner, number);
}

static uint64_t bytes_held(const struct miner *miner)
{
        return miner->counts.bytes + miner->count * SLOT_BYTES;
}

bool miner_is_full(const struct miner *miner)
{
        return (miner->free_first == MAP_NONE && miner->count >= miner->bounds.templates_max) || bytes_held(miner) >= miner->bounds.bytes_max;
}

/* The slot is free for another; keys that still name it are found out when they are looked up. */
static void forget(struct miner *miner, uint32_t number)
{
        struct shape *shape = &miner->shapes[number];
        shapes_unlink(miner, number);
        map_remove(&miner->by_key, shape->key, number);
        map_remove(&miner->by_id, shape->id, number);
        miner->counts.aliases -= shape->alias != number;
        miner->counts.bytes -= shape_bytes(shape);
        shape_done(shape);
        *shape = (struct shape){.alias = number, .next = miner->free_first, .previous = MAP_NONE};
        shapes_touch(miner, number);
        miner->free_first = number;
        miner->counts.forgotten++;
        if (miner->merged)
                miner->merged(miner->merged_context, number, MINER_GONE);
}

/* The rarest of the next slots gives way, an alias first; never one that has aliases. */
static bool forget_one(struct miner *miner)
{
        uint32_t victim = MAP_NONE;
        for (uint32_t tries = 0; tries < FORGET_TRIES && (victim == MAP_NONE || miner->shapes[victim].lines > 1); tries++) {
                miner->hand = miner->hand + 1 < miner->count ? miner->hand + 1 : 1;
                const struct shape *shape = &miner->shapes[miner->hand];
                bool taken = shape->id != 0 && !shape->crowd && !shape->has_aliases && shape->lines <= FORGET_LINES_MAX;
                if (taken && (victim == MAP_NONE || shape->lines < miner->shapes[victim].lines))
                        victim = miner->hand;
        }
        if (victim == MAP_NONE)
                return false;
        forget(miner, victim);
        return true;
}

static bool take_slot(struct miner *miner, uint32_t *out_number)
{
        if (miner->free_first != MAP_NONE) {
                *out_number = miner->free_first;
                miner->free_first = miner->shapes[*out_number].next;
                return true;
        }
        if (miner->count == miner->capacity) {
                uint32_t capacity = miner->capacity ? miner->capacity * 2 : 8;
                struct shape *shapes = realloc(miner->shapes, capacity * sizeof *shapes);
                if (!shapes)
                        return false;
                miner->shapes = shapes;
                miner->capacity = capacity;
        }
        *out_number = miner->count++;
        return true;
}

uint32_t shapes_add(struct miner *miner, struct shape shape)
{
        uint32_t number;
        if ((!shape.id && !name_shape(miner, &shape)) || !take_slot(miner, &number)) {
                shape_done(&shape);
                return MAP_NONE;
        }
        shape.alias = number;
        miner->shapes[number] = shape;
        shapes_touch(miner, number);
        miner->counts.bytes += shape_bytes(&shape);
        if (!index_shape(miner, number)) {
                forget(miner, number);
                miner->counts.forgotten--;
                return MAP_NONE;
        }
        return number;
}

/* --- learning -------------------------------------------------------------------------------------------------------- */

/* Does another template own the key that this one has too? Two that were opened alike may both have it until they are merged. */
static bool key_is_taken(const struct miner *miner, const struct map *fresh, uint32_t number)
{
        size_t at;
        uint64_t key = miner->shapes[number].key;
        uint32_t owner = map_first(&miner->by_key, key, &at);
        bool lives = owner < miner->count && miner->shapes[owner].parts && !miner->shapes[owner].is_half && miner->shapes[owner].key == key;
        return lives ? owner != number : map_first(fresh, key, &at) != MAP_NONE;
}

/* Keys pile up as templates are opened and forgotten: only the living ones' own are kept. */
static bool thin_keys(struct miner *miner)
{
        if (miner->by_key.count < 4 * (size_t)miner->count + 64)
                return true;
        struct map fresh = {0};
        for (uint32_t i = 0; i < miner->count; i++)
                if (miner->shapes[i].parts && !miner->shapes[i].is_half && !key_is_taken(miner, &fresh, i) && !map_put(&fresh, miner->shapes[i].key, i)) {
                        map_done(&fresh);
                        return false;
                }
        map_done(&miner->by_key);
        miner->by_key = fresh;
        miner->key_changes++;
        return true;
}

static uint32_t find_crowd(struct miner *miner, const struct token *tokens, uint32_t count)
{
        uint32_t number = find_key(miner, tokens_marks(tokens, count), tokens, count);
        miner->counts.crowded++;
        if (number == MAP_NONE && (bytes_held(miner) >= miner->bounds.bytes_max / 8 * 9 || miner->count >= (uint64_t)miner->bounds.templates_max * 9 / 8)) {
                miner->counts.homeless++;
                return 0;
        }
        return number;
}

/* MAP_NONE only without memory. */
static uint32_t find_home(struct miner *miner, struct str line, const struct token *tokens, uint32_t count, uint64_t key)
{
        struct shape shape;
        uint32_t number = find_marks(miner, tokens, count);
        if (number == MAP_NONE && count > 3)
                number = find_tail(miner, tokens, count);
        if (number != MAP_NONE) {
                miner_note_names(miner, number, tokens);
                if (thin_keys(miner))
                        miner_set_key(miner, key, number); /* without it the next one is found the slow way again */
                return number;
        }
        bool crowded = miner_is_full(miner) && !forget_one(miner);
        if (crowded && (number = find_crowd(miner, tokens, count)) != MAP_NONE)
                return number;
        if (!thin_keys(miner) || !shape_of_line(line, tokens, count, crowded, &shape))
                return MAP_NONE;
        number = shapes_add(miner, shape);
        if (number != MAP_NONE && !crowded)
                miner_settle(miner, number);
        return number;
}

static void list_variables(const struct shape *shape, struct str line, const struct token *tokens, struct miner_match *match)
{
        match->variable_count = 0;
        for (uint32_t i = 0; i < shape->count; i++) {
                if (!part_is_variable(&shape->parts[i]))
                        continue;
                bool tail = shape->has_tail && i + 1u == shape->count;
                uint32_t start = tokens[i].start, length = tail ? (uint32_t)line.length - start : tokens[i].length;
                match->variables[match->variable_count++] = (struct miner_variable){start, length, (uint16_t)i, tail ? VALUE_TEXT : tokens[i].type};
        }
}

/* --- lines known by their outlines ------------------------------------------------------------------------------------ */

static bool plan_holds(const struct miner *miner, const struct plan *plan)
{
        return plan->key_changes == miner->key_changes && plan->slot < miner->count && miner->shapes[plan->slot].changes == plan->slot_changes &&
               miner->shapes[plan->number].changes == plan->number_changes;
}

static struct plan *make_plan(const struct miner *miner, const struct miner_line *line, uint32_t slot, uint32_t number)
{
        const struct shape *shape = &miner->shapes[number];
        uint32_t open = 0;
        for (uint32_t i = 0; i < shape->count; i++)
                open += part_is_open(&shape->parts[i]);
        struct plan *plan = plan_create(&line->outline, line->hash, open);
        for (uint32_t i = 0; plan && i < shape->count; i++) {
                const struct token *token = &line->tokens[i];
                struct plan_place place = {.place = (uint8_t)i, .type = token->type};
                if (part_is_open(&shape->parts[i]) && !plan_add(plan, &line->outline, place, token->start, token->start + token->length)) {
                        free(plan);
                        return NULL;
                }
        }
        if (!plan)
                return NULL;
        plan->slot = slot;
        plan->number = number;
        plan->slot_changes = miner->shapes[slot].changes;
        plan->number_changes = shape->changes;
        plan->key_changes = miner->key_changes;
        return plan;
}

/* After the line was found by its key: the next one like it is found by its outline. Without memory it is not. */
static void remember(struct miner *miner, const struct miner_line *line, uint32_t number)
{
        size_t at;
        uint32_t slot = map_first(&miner->by_key, line->key, &at);
        if (!line->hash || slot >= miner->count || miner_alias(miner, slot) != miner_origin(miner, number) ||
            !split_allows_plan(miner, number, line->tokens) || !familiar_wants(&miner->familiar, line->hash))
                return;
        struct plan *plan = make_plan(miner, line, slot, number);
        if (plan)
                familiar_keep(&miner->familiar, plan);
}

/* What shape_note and list_variables do, for a line whose kinds and types its template has met. */
static void follow_plan(struct shape *shape, const struct plan *plan, const struct miner_line *line, struct miner_match *match)
{
        match->variable_count = 0;
        for (uint32_t i = 0; i < plan->place_count; i++) {
                const struct plan_place *place = &plan->places[i];
                bool tail = shape->has_tail && place->place + 1u == shape->count;
                uint32_t start = plan_start(place, &line->outline), end = tail ? (uint32_t)line->text.length : plan_end(place, &line->outline);
                shape_note_again(shape, place->place, str_slice(line->text, start, end));
                if (part_is_variable(&shape->parts[place->place]))
                        match->variables[match->variable_count++] =
                                (struct miner_variable){start, end - start, place->place, tail ? VALUE_TEXT : place->type};
        }
}

void miner_begin(const struct miner *miner, struct str text, struct miner_line *out_line)
{
        out_line->text = text;
        out_line->plan = NULL;
        out_line->hash = outline_of(text, &out_line->outline) ? hash64((struct str){out_line->outline.bytes, out_line->outline.length}) : 0;
        familiar_fetch(&miner->familiar, out_line->hash);
}

void miner_fetch(const struct miner *miner, const struct miner_line *line)
{
        familiar_fetch_plan(&miner->familiar, line->hash);
}

static void split(const struct miner *miner, struct miner_line *line)
{
        line->plan = NULL;
        line->count = line_scan(line->text, line->tokens);
        line->key = tokens_key(line->tokens, line->count);
        map_fetch(&miner->by_key, line->key);
}

void miner_split(struct miner *miner, struct miner_line *line)
{
        line->plan = line->hash ? familiar_look(&miner->familiar, &line->outline, line->hash) : NULL;
        line->familiar_changes = miner->familiar.changes;
        if (!line->plan || !plan_holds(miner, line->plan))
                split(miner, line);
}

uint32_t miner_expect(const struct miner *miner, const struct miner_line *line)
{
        size_t at;
        uint32_t number = line->plan ? line->plan->number : map_first(&miner->by_key, line->key, &at);
        if (number >= miner->count)
                return MAP_NONE;
        __builtin_prefetch(&miner->shapes[number]);
        __builtin_prefetch((const char *)(&miner->shapes[number] + 1) - 1);
        return number;
}

void miner_fetch_parts(const struct miner *miner, uint32_t number)
{
        const struct shape *shape = number < miner->count ? &miner->shapes[number] : NULL;
        for (size_t at = 0; shape && shape->parts && at < shape->count * sizeof *shape->parts; at += 64)
                __builtin_prefetch((const char *)shape->parts + at);
}

bool miner_learn(struct miner *miner, struct str text, int64_t time_ns, struct miner_match *out_match, struct err *err)
{
        struct miner_line line;
        miner_begin(miner, text, &line);
        miner_split(miner, &line);
        return miner_learn_line(miner, &line, time_ns, out_match, err);
}

/* --- learning -------------------------------------------------------------------------------------------------------- */

static void count_line(struct miner *miner, struct shape *shape, int64_t time_ns)
{
        shape->lines++;
        shape->first_ns = min_of(shape->first_ns, time_ns);
        shape->last_ns = max_of(shape->last_ns, time_ns);
        miner->counts.lines++;
}

static bool learn_tokens(struct miner *miner, const struct miner_line *line, int64_t time_ns, struct miner_match *out_match, struct err *err)
{
        uint32_t number = find_key(miner, line->key, line->tokens, line->count);
        bool known = number != MAP_NONE, born = false;
        if (!known) {
                if ((number = find_home(miner, line->text, line->tokens, line->count, line->key)) == MAP_NONE)
                        return fail_memory(err, "miner", line->count * sizeof(struct part));
                born = miner->shapes[number].lines == 0;
                number = miner_alias(miner, number);
        }
        if (miner->shapes[number].is_split)
                number = split_route(miner, number, line->text, line->tokens);
        struct shape *shape = &miner->shapes[number];
        out_match->number = number;
        out_match->is_new = born && shape->lines == 0;
        if (number) {
                shape_note(shape, line->text, line->tokens);
                list_variables(shape, line->text, line->tokens, out_match);
        } else {
                out_match->variable_count = 1;
                out_match->variables[0] = (struct miner_variable){0, (uint32_t)line->text.length, 0, VALUE_TEXT};
        }
        count_line(miner, shape, time_ns);
        if (known && number)
                remember(miner, line, number);
        return true;
}

bool miner_learn_line(struct miner *miner, struct miner_line *line, int64_t time_ns, struct miner_match *out_match, struct err *err)
{
        if (line->plan && (line->familiar_changes != miner->familiar.changes || !plan_holds(miner, line->plan)))
                miner_split(miner, line);
        if (!line->plan)
                return learn_tokens(miner, line, time_ns, out_match, err);
        out_match->number = line->plan->number;
        out_match->is_new = false;
        struct shape *shape = &miner->shapes[line->plan->number];
        follow_plan(shape, line->plan, line, out_match);
        count_line(miner, shape, time_ns);
        return true;
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

uint32_t miner_count(const struct miner *miner)
{
        return miner->count;
}

uint64_t miner_id(const struct miner *miner, uint32_t number)
{
        return miner->shapes[number].id;
}

bool miner_find(const struct miner *miner, uint64_t id, uint32_t *out_number)
{
        size_t at;
        uint32_t number = map_first(&miner->by_id, id, &at);
        if (number == MAP_NONE || !living(miner, number))
                return false;
        *out_number = miner_alias(miner, number);
        return true;
}

bool miner_template(const struct miner *miner, uint32_t number, struct miner_template *out_template)
{
        const struct shape *shape = living(miner, number);
        if (!shape)
                return false;
        *out_template = (struct miner_template){.id = shape->id, .lines = shape->lines, .first_ns = shape->first_ns, .last_ns = shape->last_ns};
        const struct miner_split *split = shape->is_split ? split_of(miner, miner_alias(miner, number)) : NULL;
        for (uint32_t i = 0; split && i < split->count; i++)
                out_template->halves[out_template->half_count++] = miner->shapes[split->halves[i].number].id;
        if (shape->is_half)
                out_template->split_from = miner->shapes[miner_origin(miner, miner_alias(miner, number))].id;
        for (uint32_t i = 0; i < shape->count; i++)
                if (part_is_variable(&shape->parts[i])) {
                        out_template->variables[out_template->variable_count].place = (uint16_t)i;
                        out_template->variables[out_template->variable_count++].type = shape->parts[i].type;
                }
        return true;
}

static bool write_text(const struct miner *miner, uint32_t number, bool typed, struct buf *text)
{
        const struct shape *shape = living(miner, number);
        if (!shape)
                return false;
        shape_text(shape, typed, text);
        return !text->failed;
}

bool miner_text(const struct miner *miner, uint32_t number, struct buf *text)
{
        return write_text(miner, number, false, text);
}

bool miner_sentence(const struct miner *miner, uint32_t number, struct buf *text)
{
        return write_text(miner, number, true, text);
}

struct miner_counts miner_counts(const struct miner *miner)
{
        struct miner_counts counts = miner->counts;
        counts.templates = 0;
        for (uint32_t i = 0; i < miner->count; i++)
                counts.templates += miner->shapes[i].parts != NULL;
        counts.splits = miner->splits.count;
        for (uint32_t i = 0; i < miner->splits.count; i++)
                counts.halves += miner->splits.items[i].count;
        counts.bytes = miner_bytes(miner);
        return counts;
}

uint64_t miner_bytes(const struct miner *miner)
{
        uint64_t slots = miner->by_key.capacity + miner->by_id.capacity + miner->by_marks.capacity + miner->by_prefix.capacity;
        return sizeof *miner + miner->counts.bytes + known_names_bytes(&miner->names) + miner->capacity * sizeof *miner->shapes +
               miner->waiting.capacity * sizeof *miner->waiting.items + miner->splits.count * sizeof *miner->splits.items + slots * (sizeof *miner->by_key.hashes + sizeof *miner->by_key.values);
}

/* --- beginning and end ----------------------------------------------------------------------------------------------- */

struct miner *miner_empty(struct miner_bounds bounds, struct err *err)
{
        struct miner *miner = calloc(1, sizeof *miner);
        if (!miner)
                return fail_memory(err, "miner", sizeof *miner), NULL;
        bounds.templates_max = bounds.templates_max ? max_of(bounds.templates_max, 16u) : 16384;
        bounds.bytes_max = bounds.bytes_max ? bounds.bytes_max : 32 << 20;
        miner->bounds = bounds;
        miner->free_first = MAP_NONE;
        return miner;
}

/* Template 0: a single variable, whatever the line. */
static bool add_homeless(struct miner *miner)
{
        struct token any = {.kind = TOKEN_VALUE, .type = VALUE_TEXT, .run = 1};
        struct shape shape;
        return shape_of_line(STR(""), &any, 1, true, &shape) && shapes_add(miner, shape) == 0;
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

void miner_on_merge(struct miner *miner, void (*merged)(void *context, uint32_t from, uint32_t to), void *context)
{
        miner->merged = merged;
        miner->merged_context = context;
}

void miner_destroy(struct miner *miner)
{
        if (!miner)
                return;
        for (uint32_t i = 0; i < miner->count; i++)
                shape_done(&miner->shapes[i]);
        free(miner->shapes);
        free(miner->waiting.items);
        known_names_done(&miner->names);
        free(miner->splits.items);
        familiar_done(&miner->familiar);
        map_done(&miner->by_key);
        map_done(&miner->by_id);
        map_done(&miner->by_marks);
        map_done(&miner->by_prefix);
        free(miner);
}
