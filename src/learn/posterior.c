/*
 * posterior.c - see posterior.h.
 *
 *      runbook                          pool of all its runs
 *      runbook, signature               pool of its runs for that signature
 *      runbook, signature, class        a cell
 *      signature                        pool of what healed by itself
 *      signature, class                 a cell of that
 *
 * All five are rows of one table; a level says which of the key's words count, the others are 0.
 */
#include "learn/posterior.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"
#include "learn/beta.h"

#include <stdlib.h>

#define CELLS_MAX 65536
#define SNAPSHOT_MAGIC 0x31545350U
#define POOL_WEIGHT 4.0         /* runs that the pool above is worth, however many there were */
#define START_YES 0.5           /* before anything is known: a mean of a third */
#define START_NO 1.0
#define TAIL 0.05               /* on either side of the interval */
#define COUNT_MAX (1U << 30)

enum level { LEVEL_RUNBOOK, LEVEL_SIGNATURE, LEVEL_CLASS, LEVEL_HEAL_SIGNATURE, LEVEL_HEAL_CLASS, LEVELS };

struct cell {
        struct posterior_key key;
        uint32_t verified, failed, harmful;
        uint32_t since_harm;    /* verified successes after the last harm */
        uint8_t level;
};

struct posterior {
        struct cell *cells;
        uint32_t count, capacity, cells_max;
        struct map by_key;
        uint64_t crowded;
};

static struct posterior_key key_at(struct posterior_key key, enum level level)
{
        if (level == LEVEL_RUNBOOK)
                key.signature = 0;
        if (level == LEVEL_HEAL_SIGNATURE || level == LEVEL_HEAL_CLASS)
                key.runbook = 0;
        if (level != LEVEL_CLASS && level != LEVEL_HEAL_CLASS)
                key.target_class = 0;
        return key;
}

static uint64_t hash_of(struct posterior_key key, enum level level)
{
        return hash64_seeded((struct str){(const char *)&key, sizeof key}, level);
}

static bool same_key(struct posterior_key a, struct posterior_key b)
{
        return a.runbook == b.runbook && a.signature == b.signature && a.target_class == b.target_class;
}

static struct cell *find(const struct posterior *posterior, struct posterior_key key, enum level level)
{
        size_t at;
        key = key_at(key, level);
        uint64_t hash = hash_of(key, level);
        for (uint32_t i = map_first(&posterior->by_key, hash, &at); i != MAP_NONE; i = map_next(&posterior->by_key, hash, &at))
                if (posterior->cells[i].level == level && same_key(posterior->cells[i].key, key))
                        return &posterior->cells[i];
        return NULL;
}

struct posterior *posterior_create(uint32_t cells_max, struct err *err)
{
        struct posterior *posterior = calloc(1, sizeof *posterior);
        if (!posterior) {
                fail_memory(err, "posterior", sizeof *posterior);
                return NULL;
        }
        posterior->cells_max = cells_max ? cells_max : CELLS_MAX;
        return posterior;
}

void posterior_destroy(struct posterior *posterior)
{
        if (!posterior)
                return;
        free(posterior->cells);
        map_done(&posterior->by_key);
        free(posterior);
}

/* False: no memory. At the bound out_cell is NULL. */
static bool find_or_make(struct posterior *posterior, struct posterior_key key, enum level level, struct cell **out_cell)
{
        *out_cell = find(posterior, key, level);
        if (*out_cell || posterior->count == posterior->cells_max)
                return true;
        if (posterior->count == posterior->capacity) {
                uint32_t capacity = posterior->capacity ? posterior->capacity * 2 : 64;
                struct cell *cells = realloc(posterior->cells, capacity * sizeof *cells);
                if (!cells)
                        return false;
                posterior->cells = cells;
                posterior->capacity = capacity;
        }
        key = key_at(key, level);
        if (!map_put(&posterior->by_key, hash_of(key, level), posterior->count))
                return false;
        *out_cell = &posterior->cells[posterior->count++];
        **out_cell = (struct cell){.key = key, .level = (uint8_t)level};
        return true;
}

/* All cells from one level to another exist, or are past the bound; cells may move, so this comes before counting. */
static bool make_cells(struct posterior *posterior, struct posterior_key key, enum level from, enum level to, struct err *err)
{
        struct cell *cell;
        for (enum level level = from; level <= to; level++)
                if (!find_or_make(posterior, key, level, &cell))
                        return fail_memory(err, "posterior", posterior->capacity * 2 * sizeof *cell);
        return true;
}

static void count_up(uint32_t *count)
{
        *count += *count < COUNT_MAX;
}

static void count_outcome(struct cell *cell, enum posterior_outcome outcome)
{
        switch (outcome) {
        case POSTERIOR_VERIFIED:
                count_up(&cell->verified);
                if (cell->harmful)
                        count_up(&cell->since_harm);
                return;
        case POSTERIOR_FAILED:
                count_up(&cell->failed);
                return;
        case POSTERIOR_HARMFUL:
                count_up(&cell->harmful);
                cell->since_harm = 0;
                return;
        }
}

bool posterior_record(struct posterior *posterior, struct posterior_key key, enum posterior_outcome outcome, struct err *err)
{
        if (!make_cells(posterior, key, LEVEL_RUNBOOK, LEVEL_CLASS, err))
                return false;
        for (enum level level = LEVEL_RUNBOOK; level <= LEVEL_CLASS; level++) {
                struct cell *cell = find(posterior, key, level);
                if (cell)
                        count_outcome(cell, outcome);
                else if (level == LEVEL_CLASS)
                        posterior->crowded++;
        }
        return true;
}

static uint32_t *count_of(struct cell *cell, enum posterior_outcome outcome)
{
        return outcome == POSTERIOR_VERIFIED ? &cell->verified : outcome == POSTERIOR_FAILED ? &cell->failed : &cell->harmful;
}

bool posterior_take_back(struct posterior *posterior, struct posterior_key key, enum posterior_outcome outcome)
{
        struct cell *own = find(posterior, key, LEVEL_CLASS);
        if (!own || !*count_of(own, outcome))
                return false;
        for (enum level level = LEVEL_RUNBOOK; level <= LEVEL_CLASS; level++) {
                struct cell *cell = find(posterior, key, level);
                uint32_t *count = cell ? count_of(cell, outcome) : NULL;
                if (!count || !*count)
                        continue;
                --*count;
                if (outcome == POSTERIOR_VERIFIED && cell->since_harm)
                        cell->since_harm--;
                if (!cell->harmful)
                        cell->since_harm = 0;
        }
        return true;
}

bool posterior_heal(struct posterior *posterior, uint64_t signature, uint64_t target_class, bool healed, struct err *err)
{
        struct posterior_key key = {.signature = signature, .target_class = target_class};
        if (!make_cells(posterior, key, LEVEL_HEAL_SIGNATURE, LEVEL_HEAL_CLASS, err))
                return false;
        for (enum level level = LEVEL_HEAL_SIGNATURE; level <= LEVEL_HEAL_CLASS; level++) {
                struct cell *cell = find(posterior, key, level);
                if (cell)
                        count_up(healed ? &cell->verified : &cell->failed);
                else if (level == LEVEL_HEAL_CLASS)
                        posterior->crowded++;
        }
        return true;
}

bool posterior_heal_take_back(struct posterior *posterior, uint64_t signature, uint64_t target_class, bool healed)
{
        struct posterior_key key = {.signature = signature, .target_class = target_class};
        struct cell *own = find(posterior, key, LEVEL_HEAL_CLASS);
        if (!own || !(healed ? own->verified : own->failed))
                return false;
        for (enum level level = LEVEL_HEAL_SIGNATURE; level <= LEVEL_HEAL_CLASS; level++) {
                struct cell *cell = find(posterior, key, level);
                uint32_t *count = cell ? healed ? &cell->verified : &cell->failed : NULL;
                if (count && *count)
                        --*count;
        }
        return true;
}

/* -- reading ------------------------------------------------------------------------------------------------------ */

static struct beta seen(const struct cell *cell)
{
        if (!cell)
                return (struct beta){0};
        return (struct beta){cell->verified, (double)cell->failed + (double)cell->harmful * POSTERIOR_HARM_FAILURES};
}

/* The pool's mean, without what this part of it has seen, as a prior worth POOL_WEIGHT runs (or as many as there were). */
static struct beta prior_from(struct beta pool, struct beta part, struct beta above)
{
        double yes = pool.yes - part.yes, no = pool.no - part.no;
        double mean = (above.yes + yes) / (above.yes + yes + above.no + no);
        double weight = above.yes + above.no + yes + no;
        weight = weight < POOL_WEIGHT ? weight : POOL_WEIGHT;
        return (struct beta){weight * mean, weight * (1 - mean)};
}

static struct beta start(void)
{
        return (struct beta){START_YES, START_NO};
}

/* A child may have more than its parent only when the bound kept the parent out. */
static struct beta at_least(struct beta pool, struct beta part)
{
        return (struct beta){pool.yes > part.yes ? pool.yes : part.yes, pool.no > part.no ? pool.no : part.no};
}

static struct beta pool_for(const struct posterior *posterior, struct posterior_key key, struct beta own)
{
        struct beta signature = at_least(seen(find(posterior, key, LEVEL_SIGNATURE)), own);
        struct beta runbook = at_least(seen(find(posterior, key, LEVEL_RUNBOOK)), signature);
        return prior_from(signature, own, prior_from(runbook, signature, start()));
}

static struct beta healing(const struct posterior *posterior, struct posterior_key key)
{
        struct beta own = seen(find(posterior, key, LEVEL_HEAL_CLASS));
        struct beta prior = prior_from(at_least(seen(find(posterior, key, LEVEL_HEAL_SIGNATURE)), own), own, start());
        return (struct beta){prior.yes + own.yes, prior.no + own.no};
}

void posterior_read(const struct posterior *posterior, struct posterior_key key, struct posterior_belief *out_belief)
{
        const struct cell *cell = find(posterior, key, LEVEL_CLASS);
        struct beta own = seen(cell), pool = pool_for(posterior, key, own), heal = healing(posterior, key);
        struct beta beta = {pool.yes + own.yes, pool.no + own.no};
        struct posterior_belief belief = {.mean = beta_mean(beta), .low = beta_quantile(beta, TAIL), .high = beta_quantile(beta, 1 - TAIL),
                                          .pool_mean = beta_mean(pool), .heal_mean = beta_mean(heal), .beats_healing = beta_exceeds(beta, heal)};
        if (cell) {
                belief.verified = cell->verified;
                belief.failed = cell->failed;
                belief.harmful = cell->harmful;
                belief.is_demoted = cell->harmful && cell->since_harm < POSTERIOR_DEMOTED_UNTIL;
                belief.until_trusted = belief.is_demoted ? POSTERIOR_DEMOTED_UNTIL - cell->since_harm : 0;
        }
        *out_belief = belief;
}

struct posterior_totals posterior_totals(const struct posterior *posterior, uint64_t runbook)
{
        const struct cell *cell = find(posterior, (struct posterior_key){.runbook = runbook}, LEVEL_RUNBOOK);
        return cell ? (struct posterior_totals){cell->verified, cell->failed, cell->harmful} : (struct posterior_totals){0};
}

struct posterior_counts posterior_counts(const struct posterior *posterior)
{
        return (struct posterior_counts){posterior->count, posterior->crowded};
}

/* -- bytes -------------------------------------------------------------------------------------------------------- */

bool posterior_snapshot(const struct posterior *posterior, struct buf *out, struct err *err)
{
        buf_u32(out, SNAPSHOT_MAGIC);
        buf_u64(out, posterior->crowded);
        buf_varint(out, posterior->count);
        for (uint32_t i = 0; i < posterior->count; i++) {
                const struct cell *cell = &posterior->cells[i];
                buf_u8(out, cell->level);
                buf_u64(out, cell->key.runbook);
                buf_u64(out, cell->key.signature);
                buf_u64(out, cell->key.target_class);
                buf_varint(out, cell->verified);
                buf_varint(out, cell->failed);
                buf_varint(out, cell->harmful);
                buf_varint(out, cell->since_harm);
        }
        return out->failed ? fail_memory(err, "posterior", out->length) : true;
}

static bool corrupt(struct err *err)
{
        return fail(err, ERR_CORRUPT, "posterior", "reading a snapshot: it holds no beliefs of version 1, or is cut; outcomes in the audit log rebuild them");
}

static uint32_t take_count(struct reader *reader)
{
        uint64_t count = reader_varint(reader);
        reader->failed |= count > COUNT_MAX;
        return reader->failed ? 0 : (uint32_t)count;
}

static bool take_cell(struct posterior *posterior, struct reader *reader, struct err *err)
{
        uint8_t level = reader_u8(reader);
        struct posterior_key key = {reader_u64(reader), reader_u64(reader), reader_u64(reader)};
        uint32_t verified = take_count(reader), failed = take_count(reader), harmful = take_count(reader), since_harm = take_count(reader);
        struct cell *cell;
        if (reader->failed || level >= LEVELS || !same_key(key, key_at(key, level)) || since_harm > verified || (since_harm && !harmful) ||
            find(posterior, key, level))
                return corrupt(err);
        if (!find_or_make(posterior, key, level, &cell))
                return fail_memory(err, "posterior", sizeof *cell);
        if (!cell)      /* the bound is lower than it was */
                posterior->crowded += level == LEVEL_CLASS || level == LEVEL_HEAL_CLASS;
        else
                *cell = (struct cell){key, verified, failed, harmful, since_harm, level};
        return true;
}

SCOPED_PTR(posterior_destroy, struct posterior)

struct posterior *posterior_restore(struct str bytes, uint32_t cells_max, struct err *err)
{
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(cells_max, err);
        struct reader reader = reader_of(bytes);
        if (!posterior)
                return NULL;
        bool ok = reader_u32(&reader) == SNAPSHOT_MAGIC || corrupt(err);
        posterior->crowded = ok ? reader_u64(&reader) : 0;
        uint64_t count = reader_varint(&reader);
        for (uint64_t i = 0; ok && i < count; i++)
                ok = take_cell(posterior, &reader, err);
        if (ok && (reader.failed || reader_left(&reader)))
                ok = corrupt(err);
        return ok ? give(posterior) : NULL;
}
