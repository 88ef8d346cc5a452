/*
 * miner_merge.c - when sentences become one. Nothing is gathered beforehand: a new sentence is compared with those that
 * have the same marks, and what differs is the evidence. So there is nothing to keep, bound or save; the price is a walk
 * over at most NEAR_TRIES sentences for each new one.
 *
 *      one place differs     user <alice|bob|carol> logged in       enough words for that place (words_wanted)
 *      two places differ     reports <up|down>, expected <up|down>   enough for each, or so many pairs that nobody wrote them all
 *      all after a colon     connection lost: <...>                  enough different endings
 */
#include "learn/miner_state.h"

#include "base/scope.h"

#include <stdlib.h>

#define NEAR_TRIES 256          /* sentences with the same marks looked at */
#define NEAR_MAX 48             /* of them, those that are alike */
#define SETTLE_ROUNDS 4         /* one merge may make the next possible */
#define WAITING_MAX 1024
#define PAIRS_WANTED 7          /* sentences over two places with at least three words each */
#define TAILS_WANTED 4
#define WORDS_COUNTED 8         /* nobody asks for more */

struct near {
        uint32_t number;
        uint8_t count, places[2];
};

struct nearby {
        struct near items[NEAR_MAX];
        uint32_t count;
};

static bool is_one_of(struct str word, const struct str *words, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (str_equal_nocase(word, words[i]))
                        return true;
        return false;
}

static bool is_preposition(struct str word)
{
        static const struct str words[] = {STR_INIT("for"), STR_INIT("from"), STR_INIT("by"), STR_INIT("of"), STR_INIT("on"), STR_INIT("at"), STR_INIT("with"),
                                           STR_INIT("in"), STR_INIT("via")};
        return is_one_of(word, words, countof(words));
}

/* "password for root from": between two prepositions stands a noun, and one that differs is a name. Not after "to" ("failed to start on"), not
 * before "of", which names seldom have ("error on read of"), and no gerund ("for writing by"). */
static bool holds_noun(const struct shape *shape, uint32_t place)
{
        if (place + 1u >= shape->count || !is_preposition(shape_word(shape, place - 1)))
                return false;
        struct str word = shape_word(shape, place), next = shape_word(shape, place + 1);
        bool is_gerund = word.length > 4 && str_equal_nocase(str_slice(word, word.length - 3, word.length), STR("ing"));
        return !is_gerund && (str_equal_nocase(next, STR("to")) || (is_preposition(next) && !str_equal_nocase(next, STR("of"))));
}

/* After these English and printf put a value. */
static bool announces_name(struct str word)
{
        static const struct str words[] = {
                STR_INIT("for"), STR_INIT("from"), STR_INIT("to"), STR_INIT("by"), STR_INIT("of"), STR_INIT("on"), STR_INIT("at"), STR_INIT("with"),
                STR_INIT("user"), STR_INIT("host"), STR_INIT("client"), STR_INIT("server"), STR_INIT("session"), STR_INIT("file"), STR_INIT("device"),
                STR_INIT("process"), STR_INIT("service"), STR_INIT("interface"), STR_INIT("node"), STR_INIT("named"), STR_INIT("called"),
                STR_INIT("package"), STR_INIT("key"), STR_INIT("name"), STR_INIT("domain"), STR_INIT("module"), STR_INIT("thread"), STR_INIT("task"),
                STR_INIT("job")};
        return is_one_of(word, words, countof(words));
}

/* What follows may say how it went: a value, but hardly a name. */
static bool announces_state(struct str word)
{
        static const struct str words[] = {STR_INIT("is"), STR_INIT("state"), STR_INIT("status"), STR_INIT("type")};
        return is_one_of(word, words, countof(words));
}

/* May a name that is known stand here? Not anywhere: "up" may be known from a list of states, and a program that speaks first is its own subject. */
static bool takes_name(const struct shape *shape, uint32_t place)
{
        return place && announces_name(shape_word(shape, place - 1));
}

/* How many different words make a place a variable. Where values are announced few do; a sentence's first word is
 * nearly always the programmer's; between words stand the programmer's too. */
static uint32_t words_wanted(const struct shape *shape, uint32_t place)
{
        if (place == 0)
                return 6;
        if (shape->parts[place - 1].kind == TOKEN_MARK)
                return 4;
        if (holds_noun(shape, place))
                return 2;
        return announces_name(shape_word(shape, place - 1)) || announces_state(shape_word(shape, place - 1)) ? 3 : 4;
}

/* A sentence keeps words of its own, or it would swallow others. */
static uint32_t words_beside(const struct shape *shape, const struct near *near)
{
        uint32_t words = 0;
        for (uint32_t i = 0; i < shape->count; i++)
                words += shape->parts[i].kind == TOKEN_WORD && shape->parts[i].length > 1 && i != near->places[0] && (near->count < 2 || i != near->places[1]);
        return words;
}

static void find_near(const struct miner *miner, uint32_t number, struct nearby *out_nearby)
{
        const struct shape *shape = &miner->shapes[number];
        uint32_t tries = 0, n;
        size_t at;
        out_nearby->count = 0;
        for (n = map_first(&miner->by_marks, shape_marks(shape), &at); n != MAP_NONE && tries < NEAR_TRIES && out_nearby->count < NEAR_MAX;
             n = miner->shapes[n].next, tries++) {
                struct near near = {.number = n};
                if (n == number || (near.count = (uint8_t)shape_differ(shape, &miner->shapes[n], near.places)) > 2)
                        continue;
                out_nearby->items[out_nearby->count++] = near;
        }
}

/* Do the places at which it differs lie among the wanted ones? */
static bool lies_within(const struct near *near, const struct near *wanted)
{
        for (uint32_t i = 0; i < near->count; i++)
                if (near->places[i] != wanted->places[0] && (wanted->count < 2 || near->places[i] != wanted->places[1]))
                        return false;
        return true;
}

/* Different words at a place over the sentence and those near it; a place that is open in one of them has any number. */
static uint32_t words_at(const struct miner *miner, uint32_t number, const struct nearby *nearby, const struct near *wanted, uint32_t place)
{
        uint64_t seen[WORDS_COUNTED];
        uint32_t count = 0;
        for (uint32_t i = 0; i <= nearby->count && count < WORDS_COUNTED; i++) {
                if (i < nearby->count && !lies_within(&nearby->items[i], wanted))
                        continue;
                const struct part *part = &miner->shapes[i < nearby->count ? nearby->items[i].number : number].parts[place];
                if (part_is_open(part))
                        return UINT32_MAX;
                uint32_t known = 0;
                while (known < count && seen[known] != part->hash)
                        known++;
                if (known == count)
                        seen[count++] = part->hash;
        }
        return count;
}

void miner_note_names(struct miner *miner, uint32_t number, const struct token *tokens)
{
        const struct shape *shape = &miner->shapes[number];
        for (uint32_t i = 0; i < (uint32_t)shape->count - shape->has_tail; i++)
                if (shape->parts[i].opened && tokens[i].kind == TOKEN_WORD)
                        known_names_add(&miner->names, tokens[i].hash);
}

/* Have all words at the place been values elsewhere in this program? */
static bool are_names(const struct miner *miner, uint32_t number, const struct nearby *nearby, const struct near *wanted, uint32_t place)
{
        for (uint32_t i = 0; i <= nearby->count; i++) {
                if (i < nearby->count && !lies_within(&nearby->items[i], wanted))
                        continue;
                const struct part *part = &miner->shapes[i < nearby->count ? nearby->items[i].number : number].parts[place];
                if (!part_is_open(part) && !known_names_has(&miner->names, part->hash))
                        return false;
        }
        return true;
}

static bool is_enough(const struct miner *miner, uint32_t number, const struct nearby *nearby, const struct near *wanted)
{
        const struct shape *shape = &miner->shapes[number];
        if (wanted->count == 0)
                return true;
        uint32_t first = words_at(miner, number, nearby, wanted, wanted->places[0]), own = words_beside(shape, wanted);
        if (wanted->count == 1 && own >= 2 && first >= 2 && takes_name(shape, wanted->places[0]) && are_names(miner, number, nearby, wanted, wanted->places[0]))
                return true;
        if (wanted->count == 1)
                return own >= 2 && first >= words_wanted(shape, wanted->places[0]);
        uint32_t second = words_at(miner, number, nearby, wanted, wanted->places[1]), sentences = 1;
        for (uint32_t i = 0; i < nearby->count; i++)
                sentences += lies_within(&nearby->items[i], wanted);
        bool each_enough = first >= words_wanted(shape, wanted->places[0]) && second >= words_wanted(shape, wanted->places[1]);
        return own >= 2 && (each_enough || (sentences >= PAIRS_WANTED && min_of(first, second) >= 3));
}

static void alias_to(struct miner *miner, uint32_t from, uint32_t to)
{
        if (miner->shapes[from].is_split) {
                split_dissolve(miner, from, alias_to);
                miner->shapes[to].is_whole = true;
        }
        struct shape *gone = &miner->shapes[from], *stays = &miner->shapes[to];
        shapes_unlink(miner, from);
        shape_take_in(stays, gone);
        stays->has_aliases = true;
        miner->counts.bytes -= shape_bytes(gone);
        shape_done(gone);
        gone->alias = to;
        gone->count = 0;
        gone->lines = 0;
        shapes_touch(miner, from);
        miner->counts.aliases++;
        if (miner->merged)
                miner->merged(miner->merged_context, from, to);
}

static uint32_t most_seen(const struct miner *miner, uint32_t a, uint32_t b)
{
        return miner->shapes[b].lines > miner->shapes[a].lines || (miner->shapes[b].lines == miner->shapes[a].lines && b < a) ? b : a;
}

/* A change of places changes the lists it stands in. Without memory it stands in none, and merges no more. */
static void change(struct miner *miner, uint32_t number, const struct near *opened, uint32_t cut)
{
        struct shape *shape = &miner->shapes[number];
        if (cut && shape->is_split)
                split_dissolve(miner, number, alias_to);
        shapes_unlink(miner, number);
        miner->counts.bytes -= shape_bytes(shape);
        for (uint32_t i = 0; opened && i < opened->count; i++) {
                shape_open(shape, opened->places[i]);
                split_open(miner, number, opened->places[i]);
        }
        if (cut)
                shape_cut(shape, cut);
        shapes_touch(miner, number);
        miner->counts.bytes += shape_bytes(shape);
        miner_set_key(miner, shape->key, number);
        shapes_link(miner, number);
}

/* Before the places are opened. */
static void keep_names(struct miner *miner, uint32_t number, const struct nearby *nearby, const struct near *wanted)
{
        for (uint32_t i = 0; i <= nearby->count; i++) {
                if (i < nearby->count && !lies_within(&nearby->items[i], wanted))
                        continue;
                const struct shape *shape = &miner->shapes[i < nearby->count ? nearby->items[i].number : number];
                for (uint32_t k = 0; k < wanted->count; k++)
                        if (shape->parts[wanted->places[k]].kind == TOKEN_WORD)
                                known_names_add(&miner->names, shape->parts[wanted->places[k]].hash);
        }
}

static uint32_t merge(struct miner *miner, uint32_t number, const struct nearby *nearby, const struct near *wanted)
{
        uint32_t stays = number;
        for (uint32_t i = 0; i < nearby->count; i++)
                if (lies_within(&nearby->items[i], wanted))
                        stays = most_seen(miner, stays, nearby->items[i].number);
        keep_names(miner, number, nearby, wanted);
        change(miner, stays, wanted, 0);
        for (uint32_t i = 0; i < nearby->count; i++)
                if (nearby->items[i].number != stays && lies_within(&nearby->items[i], wanted))
                        alias_to(miner, nearby->items[i].number, stays);
        if (number != stays)
                alias_to(miner, number, stays);
        return stays;
}

/* Was the same difference looked at already? */
static bool is_repeated(const struct nearby *nearby, uint32_t number)
{
        const struct near *near = &nearby->items[number];
        for (uint32_t i = 0; i < number; i++)
                if (nearby->items[i].count == near->count && lies_within(&nearby->items[i], near))
                        return true;
        return false;
}

/* The best-supported difference first: equal, then one place, then two. */
static bool merge_near(struct miner *miner, uint32_t *number)
{
        struct nearby nearby;
        find_near(miner, *number, &nearby);
        for (uint32_t places = 0; places <= 2; places++)
                for (uint32_t i = 0; i < nearby.count; i++)
                        if (nearby.items[i].count == places && !is_repeated(&nearby, i) && is_enough(miner, *number, &nearby, &nearby.items[i])) {
                                *number = merge(miner, *number, &nearby, &nearby.items[i]);
                                return true;
                        }
        return false;
}

/* Sentences that begin alike up to a colon and end in different words: the end is text. */
static bool merge_tails(struct miner *miner, uint32_t *number)
{
        uint32_t place = shape_tail(&miner->shapes[*number]), found[NEAR_MAX], count = 0, stays = *number;
        if (!place)
                return false;
        size_t at;
        uint64_t prefix = shape_prefix(&miner->shapes[*number], place);
        bool has_tail = false;
        for (uint32_t n = map_first(&miner->by_prefix, prefix, &at); n != MAP_NONE && count < NEAR_MAX; n = map_next(&miner->by_prefix, prefix, &at)) {
                if (shape_tail(&miner->shapes[n]) != place)
                        continue;
                found[count++] = n;
                stays = miner->shapes[n].has_tail && !miner->shapes[stays].has_tail ? n : miner->shapes[stays].has_tail ? stays : most_seen(miner, stays, n);
                has_tail |= miner->shapes[n].has_tail;
        }
        if (count < 2 || (count < TAILS_WANTED && !has_tail))
                return false;
        if (!has_tail)
                change(miner, stays, NULL, place);
        for (uint32_t i = 0; i < count; i++)
                if (found[i] != stays)
                        alias_to(miner, found[i], stays);
        *number = stays;
        return true;
}

static void wait(struct miner *miner, uint32_t number)
{
        if (miner->waiting.count == miner->waiting.capacity) {
                uint32_t capacity = miner->waiting.capacity ? miner->waiting.capacity * 2 : 16;
                uint32_t *items = capacity <= WAITING_MAX ? realloc(miner->waiting.items, capacity * sizeof *items) : NULL;
                if (!items)
                        return;
                miner->waiting.items = items;
                miner->waiting.capacity = capacity;
        }
        miner->waiting.items[miner->waiting.count++] = number;
}

/* A new sentence with a known name where one is announced need not wait for a second: up to two. */
static void open_names(struct miner *miner, uint32_t number)
{
        const struct shape *shape = &miner->shapes[number];
        struct near names = {.count = 0};
        for (uint32_t i = 1; i < shape->count && i < 255 && names.count < 2; i++)
                if (shape->parts[i].kind == TOKEN_WORD && takes_name(shape, i) && known_names_has(&miner->names, shape->parts[i].hash))
                        names.places[names.count++] = (uint8_t)i;
        if (names.count && words_beside(shape, &names) >= 2)
                change(miner, number, &names, 0);
}

void miner_settle(struct miner *miner, uint32_t number)
{
        if (miner->shapes[number].lines == 0)
                open_names(miner, number);
        for (uint32_t round = 0; round < SETTLE_ROUNDS; round++)
                if (!merge_near(miner, &number) && !merge_tails(miner, &number))
                        return;
        wait(miner, number);
}

uint32_t miner_refine(struct miner *miner, uint32_t steps_max)
{
        uint32_t done = 0;
        for (; done < steps_max && miner->waiting.count; done++) {
                uint32_t number = miner_alias(miner, miner->waiting.items[--miner->waiting.count]);
                if (number && miner->shapes[number].parts && !miner->shapes[number].is_half)
                        miner_settle(miner, number);
        }
        return done;
}
