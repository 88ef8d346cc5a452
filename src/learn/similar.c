/*
 * similar.c - see similar.h.
 *
 *      slots    [ id, sequence, parts ... ] [ ... ]     a case keeps its slot until it is forgotten
 *
 * A search walks all slots twice: to count in how many cases each part of the question stands, and to weigh.
 */
#include "learn/similar.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CASES_MAX 4096
#define SNAPSHOT_MAGIC 0x314D4953U

/* What a part of each kind counts. An alert says most; of words there are many. */
static const float counts_of_kind[SIMILAR_KINDS] = {
        [SIMILAR_ALERT] = 3, [SIMILAR_TEMPLATE] = 2, [SIMILAR_ENTITY] = 2, [SIMILAR_ENTITY_KIND] = 1, [SIMILAR_CHANGE] = 2, [SIMILAR_WORD] = 0.5f};

struct kept {
        uint64_t id, sequence;
        uint32_t count;
        uint64_t *hashes;       /* one allocation with the kinds after it */
        uint8_t *kinds;
};

struct similar {
        struct kept *cases;     /* by sequence: the one put longest ago first */
        uint32_t count, cases_max;
        uint64_t sequence, forgotten;
};

void similar_add(struct similar_case *made, enum similar_kind kind, struct str text)
{
        uint64_t hash = hash64_seeded(text, (uint64_t)kind + 1);
        for (uint32_t i = 0; i < made->count; i++)
                if (made->parts[i].hash == hash)
                        return;
        if (made->count == SIMILAR_PARTS_MAX) {
                made->cut = true;
                return;
        }
        made->parts[made->count++] = (struct similar_part){hash, text, (uint8_t)kind};
}

/* By the hash of the word in lower case, so that "Disk" meets "disk"; shown as it was written. */
void similar_add_words(struct similar_case *made, struct text_features *features, struct str text)
{
        text_features_of(features, &text, 1);
        made->cut |= features->cut;
        for (uint32_t i = 0; i < features->count; i++) {
                const struct text_feature *feature = &features->items[i];
                if (feature->kind != TEXT_WORD)
                        continue;
                uint32_t before = made->count;
                similar_add(made, SIMILAR_WORD, (struct str){(const char *)&feature->hash, sizeof feature->hash});
                if (made->count > before)
                        made->parts[before].text = str_slice(text, feature->start, feature->start + feature->length);
        }
}

struct similar *similar_create(uint32_t cases_max, struct err *err)
{
        struct similar *similar = calloc(1, sizeof *similar);
        if (similar) {
                similar->cases_max = cases_max ? cases_max : CASES_MAX;
                similar->cases = calloc(similar->cases_max, sizeof *similar->cases);
        }
        if (similar && similar->cases)
                return similar;
        similar_destroy(similar);
        fail_memory(err, "similar", (cases_max ? cases_max : CASES_MAX) * sizeof(struct kept));
        return NULL;
}

void similar_destroy(struct similar *similar)
{
        if (!similar)
                return;
        for (uint32_t i = 0; similar->cases && i < similar->count; i++)
                free(similar->cases[i].hashes);
        free(similar->cases);
        free(similar);
}

static void remove_at(struct similar *similar, uint32_t at)
{
        free(similar->cases[at].hashes);
        similar->count--;
        memmove(similar->cases + at, similar->cases + at + 1, (similar->count - at) * sizeof *similar->cases);
}

bool similar_forget(struct similar *similar, uint64_t id)
{
        for (uint32_t i = 0; i < similar->count; i++)
                if (similar->cases[i].id == id) {
                        remove_at(similar, i);
                        return true;
                }
        return false;
}

static bool kept_init(struct kept *kept, uint32_t count)
{
        kept->hashes = malloc(count * (sizeof *kept->hashes + 1) + 1);
        kept->kinds = kept->hashes ? (uint8_t *)(kept->hashes + count) : NULL;
        kept->count = count;
        return kept->hashes != NULL;
}

bool similar_put(struct similar *similar, uint64_t id, const struct similar_case *made, struct err *err)
{
        struct kept kept = {.id = id};
        if (!kept_init(&kept, made->count))
                return fail_memory(err, "similar", made->count * sizeof *kept.hashes);
        for (uint32_t i = 0; i < made->count; i++) {
                kept.hashes[i] = made->parts[i].hash;
                kept.kinds[i] = made->parts[i].kind;
        }
        similar_forget(similar, id);
        if (similar->count == similar->cases_max) {
                remove_at(similar, 0);
                similar->forgotten++;
        }
        kept.sequence = similar->sequence++;
        similar->cases[similar->count++] = kept;
        return true;
}

/* -- finding ------------------------------------------------------------------------------------------------------ */

struct question {
        const struct similar_case *asked;
        double weights[SIMILAR_PARTS_MAX], whole; /* with rarity */
        uint8_t table[512];     /* open addressing: part + 1 by hash */
};

static uint32_t find_part(const struct question *question, uint64_t hash)
{
        for (uint32_t at = hash % 512; question->table[at]; at = (at + 1) % 512)
                if (question->asked->parts[question->table[at] - 1].hash == hash)
                        return question->table[at] - 1u;
        return MAP_NONE;
}

static void question_init(struct question *question, const struct similar *similar, const struct similar_case *asked)
{
        uint32_t cases_with[SIMILAR_PARTS_MAX] = {0};
        *question = (struct question){.asked = asked};
        for (uint32_t i = 0; i < asked->count; i++) {
                uint32_t at = asked->parts[i].hash % 512;
                while (question->table[at])
                        at = (at + 1) % 512;
                question->table[at] = (uint8_t)(i + 1);
        }
        for (uint32_t c = 0; c < similar->count; c++)
                for (uint32_t i = 0; i < similar->cases[c].count; i++) {
                        uint32_t part = find_part(question, similar->cases[c].hashes[i]);
                        if (part != MAP_NONE)
                                cases_with[part]++;
                }
        for (uint32_t i = 0; i < asked->count; i++) {
                double rarity = log(1 + (similar->count + 1.0) / (cases_with[i] + 1.0));
                question->weights[i] = counts_of_kind[asked->parts[i].kind] * rarity;
                question->whole += question->weights[i];
        }
}

static void add_reason(struct similar_hit *hit, uint32_t part, double weight)
{
        uint32_t at = hit->reason_count < SIMILAR_REASONS_MAX ? hit->reason_count++ : SIMILAR_REASONS_MAX;
        for (; at > 0 && weight > hit->reasons[at - 1].share; at--)
                if (at < SIMILAR_REASONS_MAX)
                        hit->reasons[at] = hit->reasons[at - 1];
        if (at < SIMILAR_REASONS_MAX)
                hit->reasons[at] = (struct similar_reason){part, (float)weight};
}

static struct similar_hit weigh(const struct question *question, const struct kept *kept)
{
        struct similar_hit hit = {.id = kept->id};
        double common = 0, own = 0, own_common = 0;
        for (uint32_t i = 0; i < kept->count; i++) {
                uint32_t part = find_part(question, kept->hashes[i]);
                own += counts_of_kind[kept->kinds[i]];
                if (part == MAP_NONE)
                        continue;
                own_common += counts_of_kind[kept->kinds[i]];
                common += question->weights[part];
                add_reason(&hit, part, question->weights[part]);
        }
        for (uint32_t i = 0; i < hit.reason_count; i++)
                hit.reasons[i].share /= (float)common;
        if (question->whole > 0 && own > 0)
                hit.likeness = fmin(sqrt(common / question->whole * (own_common / own)), 1);
        return hit;
}

static bool is_before(const struct similar_hit *a, const struct similar_hit *b)
{
        return a->likeness != b->likeness ? a->likeness > b->likeness : a->id < b->id;
}

uint32_t similar_find(const struct similar *similar, const struct similar_case *asked, uint64_t except, double least,
                      struct similar_hit *hits, uint32_t hits_max)
{
        struct question question;
        uint32_t count = 0;
        question_init(&question, similar, asked);
        for (uint32_t c = 0; c < similar->count; c++) {
                if (similar->cases[c].id == except)
                        continue;
                struct similar_hit hit = weigh(&question, &similar->cases[c]);
                if (hit.likeness < least || hit.likeness <= 0)
                        continue;
                uint32_t at = count < hits_max ? count++ : hits_max;
                for (; at > 0 && is_before(&hit, &hits[at - 1]); at--)
                        if (at < hits_max)
                                hits[at] = hits[at - 1];
                if (at < hits_max)
                        hits[at] = hit;
        }
        return count;
}

struct similar_counts similar_counts(const struct similar *similar)
{
        return (struct similar_counts){similar->count, similar->sequence, similar->forgotten};
}

/* -- bytes -------------------------------------------------------------------------------------------------------- */

bool similar_snapshot(const struct similar *similar, struct buf *out, struct err *err)
{
        buf_u32(out, SNAPSHOT_MAGIC);
        buf_u64(out, similar->sequence);
        buf_u64(out, similar->forgotten);
        buf_varint(out, similar->count);
        for (uint32_t c = 0; c < similar->count; c++) {
                const struct kept *kept = &similar->cases[c];
                buf_u64(out, kept->id);
                buf_u64(out, kept->sequence);
                buf_varint(out, kept->count);
                for (uint32_t i = 0; i < kept->count; i++) {
                        buf_u64(out, kept->hashes[i]);
                        buf_u8(out, kept->kinds[i]);
                }
        }
        return out->failed ? fail_memory(err, "similar", out->length) : true;
}

static bool corrupt(struct err *err)
{
        return fail(err, ERR_CORRUPT, "similar", "reading a snapshot: it is no memory of cases of version 1, or cut; it fills again with new cases");
}

static bool take_case(struct similar *similar, struct reader *reader, struct err *err)
{
        struct kept kept = {.id = reader_u64(reader), .sequence = reader_u64(reader)};
        uint64_t count = reader_varint(reader);
        if (reader->failed || count > SIMILAR_PARTS_MAX || count * 9 > reader_left(reader) || kept.sequence >= similar->sequence)
                return corrupt(err);
        for (uint32_t c = 0; c < similar->count; c++)
                if (similar->cases[c].id == kept.id || similar->cases[c].sequence >= kept.sequence)
                        return corrupt(err);
        if (!kept_init(&kept, (uint32_t)count))
                return fail_memory(err, "similar", (size_t)count * 9);
        if (similar->count == similar->cases_max) { /* the bound is lower than it was */
                remove_at(similar, 0);
                similar->forgotten++;
        }
        similar->cases[similar->count++] = kept; /* freed with it from now on */
        for (uint32_t i = 0; i < count; i++) {
                kept.hashes[i] = reader_u64(reader);
                kept.kinds[i] = reader_u8(reader);
                if (kept.kinds[i] >= SIMILAR_KINDS)
                        return corrupt(err);
                for (uint32_t other = 0; other < i; other++)
                        if (kept.hashes[other] == kept.hashes[i])
                                return corrupt(err);
        }
        return true;
}

SCOPED_PTR(similar_destroy, struct similar)

struct similar *similar_restore(struct str bytes, uint32_t cases_max, struct err *err)
{
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(cases_max, err);
        struct reader reader = reader_of(bytes);
        if (!similar)
                return NULL;
        bool is_ours = reader_u32(&reader) == SNAPSHOT_MAGIC;
        similar->sequence = reader_u64(&reader);
        similar->forgotten = reader_u64(&reader);
        uint64_t count = reader_varint(&reader);
        bool ok = (is_ours && !reader.failed) || corrupt(err);
        for (uint64_t i = 0; ok && i < count; i++)
                ok = take_case(similar, &reader, err);
        if (ok && (reader.failed || reader_left(&reader)))
                ok = corrupt(err);
        return ok ? give(similar) : NULL;
}
