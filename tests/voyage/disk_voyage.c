/*
 * disk_voyage - sails the journal and two SQLite databases through crashes on a disk that forgets, and checks that
 * nothing acknowledged is lost; then leaves out one sync after the other and must be shipwrecked by each.
 *
 *      disk_voyage [--seeds N] [--first S] [--site NAME] [--verbose]
 *
 * One voyage is a life of the store as the loop leads it: entries are appended and committed, sealed into a database of
 * blocks, and now and then a checkpoint flushes the blocks, writes the sequence it stands for into the database of
 * state, and trims the journal. At a random operation the power fails or the process is killed; what comes back is held
 * against what was told. What must always hold:
 *
 *   - an acknowledged entry is in the blocks or comes from the journal, exactly as it was sent
 *   - sequences have no gap, no entry comes twice, times never go back
 *   - the checkpoint never stands for more than the blocks hold, and the journal goes on right after it
 *   - the databases are sound
 *
 * With --site only that sync is left out, and being shipwrecked is the good result.
 */
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "store/database.h"
#include "store/disk_forgetful.h"
#include "store/journal.h"
#include "store/vfs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VFS "voyage"
#define LAST_SYNC "the end of a life" /* fails: it only stops the disk */
#define EPOCHS 14
#define SITES_MAX 32
#define FORGOTTEN_SEEDS_MAX 600 /* a left out sync must show within so many voyages */

static const char *const blocks_schema[] = {
        "CREATE TABLE block (sequence INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, body BLOB NOT NULL)", NULL};
static const char *const state_schema[] = {
        "CREATE TABLE checkpoint (one INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);"
        "INSERT INTO checkpoint VALUES (1, 0)", NULL};

struct totals {
        uint64_t voyages, crashes, kills, acknowledged, refused, survived, checkpoints, recoveries;
};

struct voyage {
        struct rng rng;
        struct disk *disk;
        struct clock clock;
        struct journal *journal;                /* these three NULL between lives */
        struct database *blocks, *state;
        struct {
                uint64_t *items;                /* id of the entry with sequence index + 1: committed for good */
                size_t count, capacity;
        } told;
        bool *is_committed;                     /* by id */
        uint64_t next_id, ids_max;
        uint64_t checkpoint, blocks_through;    /* of this life */
        int64_t last_time_ns;
        char violation[600];                    /* empty: all is well */
        struct totals *totals;
        uint64_t recoveries_before;               /* by earlier voyages; files are made before the first */
};

struct sending {
        struct append append;
        struct voyage *voyage;
        uint64_t id;
        char *payload;
};

static bool violate(struct voyage *voyage, const char *format, ...)
{
        va_list arguments;
        va_start(arguments, format);
        if (!voyage->violation[0])
                vsnprintf(voyage->violation, sizeof voyage->violation, format, arguments);
        va_end(arguments);
        return false;
}

/* ------------------------------------------------------------------------------------------------------------- entries */

/* The payload of an id: the id and then bytes that follow from it. */
static size_t payload_make(uint64_t id, char **out_bytes)
{
        struct rng rng = {id * 977};
        size_t count = sizeof id + (rng_below(&rng, 12) ? rng_below(&rng, 900) : rng_below(&rng, 12000));
        char *bytes = malloc(count);
        if (!bytes)
                abort();
        memcpy(bytes, &id, sizeof id);
        for (size_t i = sizeof id; i < count; i++)
                bytes[i] = (char)rng_u64(&rng);
        *out_bytes = bytes;
        return count;
}

static bool payload_is(struct str payload, uint64_t id)
{
        char *bytes;
        size_t count = payload_make(id, &bytes);
        bool same = str_equal(payload, (struct str){bytes, count});
        free(bytes);
        return same;
}

/* From now on the entry must never be lost. */
static bool commit_to(struct voyage *voyage, uint64_t sequence, uint64_t id)
{
        if (sequence != voyage->told.count + 1)
                return violate(voyage, "entry %llu was given after entry %zu", (unsigned long long)sequence,
                               voyage->told.count);
        if (voyage->is_committed[id])
                return violate(voyage, "the entry of id %llu comes twice", (unsigned long long)id);
        if (voyage->told.count == voyage->told.capacity) {
                voyage->told.capacity = max_of((size_t)64, 2 * voyage->told.capacity);
                voyage->told.items = realloc(voyage->told.items, voyage->told.capacity * sizeof *voyage->told.items);
        }
        voyage->told.items[voyage->told.count++] = id;
        voyage->is_committed[id] = true;
        return true;
}

static void acknowledged(struct append *append, const struct entry *entry, const struct err *err)
{
        struct sending *sending = (struct sending *)append;
        (void)err;
        if (entry) {
                commit_to(sending->voyage, entry->sequence, sending->id);
                sending->voyage->totals->acknowledged++;
        } else {
                sending->voyage->totals->refused++;
        }
        free(sending->payload);
        free(sending);
}

/* Now and then the disk fails meanwhile; and sometimes so badly that the process is ended. */
static void commit_some(struct voyage *voyage)
{
        bool fails = rng_below(&voyage->rng, 20) == 0;
        if (fails)
                disk_fail_nth(voyage->disk, 1 + rng_below(&voyage->rng, 4), 1 + rng_below(&voyage->rng, 4));
        journal_commit_now(voyage->journal);
        disk_fail_nth(voyage->disk, 0, 0);
        if (fails && rng_below(&voyage->rng, 3) == 0) {
                disk_stop_nth(voyage->disk, 1);
                disk_sync_directory(voyage->disk, "/data", LAST_SYNC, NULL);
        }
}

static void send_some(struct voyage *voyage)
{
        for (uint64_t left = 1 + rng_below(&voyage->rng, 6); left > 0 && voyage->next_id < voyage->ids_max; left--) {
                struct sending *sending = calloc(1, sizeof *sending);
                sending->voyage = voyage;
                sending->id = voyage->next_id++;
                size_t count = payload_make(sending->id, &sending->payload);
                sending->append = (struct append){
                        .kind = rng_below(&voyage->rng, 5) ? ENTRY_BATCH : ENTRY_COMMAND,
                        .payload = {sending->payload, count},
                        .done = acknowledged,
                };
                if (!journal_append(voyage->journal, &sending->append, NULL)) {
                        voyage->totals->refused++;
                        free(sending->payload);
                        free(sending);
                }
        }
        commit_some(voyage);
}

/* ------------------------------------------------------------------------------------------- blocks, checkpoints, trims */

static bool put_block(struct voyage *voyage, uint64_t sequence, struct err *err)
{
        scoped(query_done) struct query query = {0};
        char *bytes;
        uint64_t id = voyage->told.items[sequence - 1];
        size_t count = payload_make(id, &bytes);
        bool good = query_begin(&query, voyage->blocks, "INSERT INTO block VALUES (?1, ?2, ?3)", err);
        if (good) {
                query_bind_i64(&query, 1, (int64_t)sequence);
                query_bind_i64(&query, 2, (int64_t)id);
                query_bind_blob(&query, 3, (struct str){bytes, count});
                query_step(&query, err);
                good = query_good(&query);
        }
        free(bytes);
        return good;
}

/* Blocks may be stored long before a checkpoint; nothing counts on them until then. */
static bool store_blocks(struct voyage *voyage, uint64_t through)
{
        struct err err = {0};
        if (!database_begin(voyage->blocks, &err))
                return false;
        for (uint64_t sequence = voyage->blocks_through + 1; sequence <= through; sequence++)
                if (!put_block(voyage, sequence, &err)) {
                        database_rollback(voyage->blocks);
                        return false;
                }
        if (!database_commit(voyage->blocks, &err)) {
                database_rollback(voyage->blocks);
                return false;
        }
        voyage->blocks_through = through;
        return true;
}

static bool write_checkpoint(struct voyage *voyage, uint64_t sequence)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, voyage->state, "UPDATE checkpoint SET sequence = ?1", NULL))
                return false;
        query_bind_i64(&query, 1, (int64_t)sequence);
        query_step(&query, NULL);
        return query_good(&query);
}

static void checkpoint(struct voyage *voyage)
{
        uint64_t sequence = voyage->told.count;
        if (!store_blocks(voyage, sequence) || !database_checkpoint(voyage->blocks, NULL) ||
            !write_checkpoint(voyage, sequence) || !database_checkpoint(voyage->state, NULL))
                return;
        voyage->checkpoint = sequence;
        voyage->totals->checkpoints++;
        journal_trim(voyage->journal, sequence + 1, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- recovery */

static void close_all(struct voyage *voyage)
{
        journal_close(voyage->journal);
        database_close(voyage->blocks);
        database_close(voyage->state);
        voyage->journal = NULL;
        voyage->blocks = voyage->state = NULL;
}

static bool read_i64(struct database *database, const char *sql, uint64_t *out_value, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, database, sql, err) || !query_step(&query, err))
                return false;
        *out_value = (uint64_t)query_i64(&query, 0);
        return true;
}

/* Every block up to the checkpoint is what was sent. */
static bool check_blocks(struct voyage *voyage, struct err *err)
{
        scoped(query_done) struct query query = {0};
        uint64_t sequence = 0;
        if (!query_begin(&query, voyage->blocks, "SELECT sequence, id, body FROM block ORDER BY sequence", err))
                return false;
        while (query_step(&query, err)) {
                uint64_t id = (uint64_t)query_i64(&query, 1);
                if ((uint64_t)query_i64(&query, 0) != ++sequence || sequence > voyage->told.count ||
                    voyage->told.items[sequence - 1] != id || !payload_is(query_str(&query, 2), id))
                        return violate(voyage, "block %llu is not what was sent", (unsigned long long)sequence);
        }
        if (query_good(&query) && sequence != voyage->checkpoint)
                return violate(voyage, "the checkpoint stands for %llu entries, the blocks hold %llu",
                               (unsigned long long)voyage->checkpoint, (unsigned long long)sequence);
        return query_good(&query);
}

struct replay {
        struct voyage *voyage;
        uint64_t next;
};

static bool replayed(void *context, const struct entry *entry, struct err *err)
{
        struct replay *replay = context;
        struct voyage *voyage = replay->voyage;
        uint64_t id = 0;
        memcpy(&id, entry->payload.bytes, min_of(sizeof id, entry->payload.length));
        (void)err;
        if (entry->sequence != replay->next++)
                return violate(voyage, "entry %llu came back where %llu belongs", (unsigned long long)entry->sequence,
                               (unsigned long long)replay->next - 1);
        if (entry->time_ns < voyage->last_time_ns)
                return violate(voyage, "time went back at entry %llu", (unsigned long long)entry->sequence);
        voyage->last_time_ns = entry->time_ns;
        if (id >= voyage->next_id || !payload_is(entry->payload, id))
                return violate(voyage, "entry %llu is not what was sent", (unsigned long long)entry->sequence);
        if (entry->sequence <= voyage->told.count)
                return voyage->told.items[entry->sequence - 1] == id ||
                       violate(voyage, "entry %llu is another one than was told", (unsigned long long)entry->sequence);
        voyage->totals->survived++; /* written, but not yet acknowledged; from now on it counts as committed */
        return commit_to(voyage, entry->sequence, id);
}

static bool replay_all(struct voyage *voyage, struct err *err)
{
        struct replay replay = {voyage, voyage->checkpoint + 1};
        voyage->last_time_ns = INT64_MIN;
        if (!journal_replay(voyage->journal, voyage->checkpoint + 1, replayed, &replay, err))
                return false;
        return replay.next > voyage->told.count ||
               violate(voyage, "acknowledged up to %zu, but only entries up to %llu came back", voyage->told.count,
                       (unsigned long long)replay.next - 1);
}

static bool drop_after(struct voyage *voyage, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, voyage->blocks, "DELETE FROM block WHERE sequence > ?1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)voyage->checkpoint);
        query_step(&query, err);
        return query_good(&query);
}

static bool recover(struct voyage *voyage, struct err *err)
{
        const struct journal_options options = {.segment_bytes = 8192, .reserve_bytes = 4096};
        if (!disk_make_directory(voyage->disk, "/data", err) ||
            !database_open("/data/state.db", VFS, state_schema, &voyage->state, err) ||
            !database_open("/data/blocks.db", VFS, blocks_schema, &voyage->blocks, err) ||
            !journal_open(voyage->disk, "/data", &voyage->clock, &options, &voyage->journal, err) ||
            !database_verify(voyage->state, err) || !database_verify(voyage->blocks, err) ||
            !read_i64(voyage->state, "SELECT sequence FROM checkpoint", &voyage->checkpoint, err) ||
            !drop_after(voyage, err) || !check_blocks(voyage, err) || !replay_all(voyage, err))
                return false;
        voyage->blocks_through = voyage->checkpoint;
        voyage->totals->recoveries++;
        return true;
}

/* The machine or the process comes back, perhaps to fail again while it recovers. */
static bool come_back(struct voyage *voyage)
{
        for (int tries = 0;; tries++) {
                struct err err = {0};
                bool is_birth = voyage->recoveries_before == voyage->totals->recoveries && tries < 4;
                if (is_birth || rng_below(&voyage->rng, 3) == 0)
                        disk_stop_nth(voyage->disk, 1 + rng_below(&voyage->rng, is_birth ? 35 : 50));
                bool good = recover(voyage, &err);
                if (voyage->violation[0])
                        return false;
                if (good)
                        return true;
                if (!disk_stopped(voyage->disk))
                        return violate(voyage, "it does not come back: %s", err.message);
                bool is_crash = rng_below(&voyage->rng, 3) > 0;
                uint64_t seed = rng_u64(&voyage->rng);
                if (is_crash)
                        disk_crash(voyage->disk, seed);
                close_all(voyage);
                if (!is_crash)
                        disk_kill(voyage->disk);
        }
}

/* ------------------------------------------------------------------------------------------------------------- a voyage */

static void do_something(struct voyage *voyage)
{
        switch (rng_below(&voyage->rng, 20)) {
        case 0:
        case 1:
                checkpoint(voyage);
                break;
        case 2:
        case 3:
                if (voyage->told.count > voyage->blocks_through)
                        store_blocks(voyage, voyage->blocks_through + 1 +
                                             rng_below(&voyage->rng, voyage->told.count - voyage->blocks_through));
                break;
        case 4:
                clock_advance(&voyage->clock, -(int64_t)rng_below(&voyage->rng, 3 * NS_PER_S));
                break;
        case 5:
                disk_set_bytes_max(voyage->disk, rng_below(&voyage->rng, 3) ? 0 : 1);
                break;
        default:
                clock_advance(&voyage->clock, (int64_t)rng_below(&voyage->rng, NS_PER_S));
                send_some(voyage);
        }
}

/* Lives until the disk stops, or long enough. */
static bool live(struct voyage *voyage)
{
        if (rng_below(&voyage->rng, 4))
                disk_stop_nth(voyage->disk, 1 + rng_below(&voyage->rng, 200));
        for (int steps = 60; steps > 0 && !disk_stopped(voyage->disk) && !voyage->violation[0]; steps--)
                do_something(voyage);
        disk_set_bytes_max(voyage->disk, 0);
        return !voyage->violation[0];
}

static void end_life(struct voyage *voyage)
{
        bool is_crash = rng_below(&voyage->rng, 3) > 0;
        uint64_t seed = rng_u64(&voyage->rng);
        /* Before closing: nothing that a program does on its way out may help. */
        disk_stop_nth(voyage->disk, 1);
        disk_sync_directory(voyage->disk, "/data", LAST_SYNC, NULL);
        close_all(voyage);
        if (is_crash) {
                disk_crash(voyage->disk, seed);
                voyage->totals->crashes++;
        } else {
                disk_kill(voyage->disk);
                voyage->totals->kills++;
        }
}

static bool sail(uint64_t seed, const char *forgotten_site, struct totals *totals, struct voyage *voyage)
{
        *voyage = (struct voyage){.rng = {seed}, .ids_max = 20000, .totals = totals, .recoveries_before = totals->recoveries};
        voyage->disk = disk_forgetful_create();
        voyage->is_committed = calloc(voyage->ids_max, 1);
        clock_init_virtual(&voyage->clock, 1000 * NS_PER_S);
        disk_forget_site(voyage->disk, forgotten_site);
        if (!voyage->disk || !voyage->is_committed || !vfs_register(VFS, voyage->disk, NULL))
                abort();
        totals->voyages++;
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
                if (!come_back(voyage) || !live(voyage))
                        break;
                end_life(voyage);
        }
        close_all(voyage);
        vfs_unregister(VFS);
        free(voyage->told.items);
        free(voyage->is_committed);
        return voyage->violation[0] == 0;
}

struct sites {
        char names[SITES_MAX][64];
        uint64_t syncs[SITES_MAX];
        size_t count;
};

static void note_site(void *context, const char *site, uint64_t syncs)
{
        struct sites *sites = context;
        size_t i = 0;
        while (i < sites->count && strcmp(sites->names[i], site) != 0)
                i++;
        if (strcmp(site, LAST_SYNC) == 0 || i == SITES_MAX)
                return;
        if (i == sites->count)
                snprintf(sites->names[sites->count++], sizeof sites->names[0], "%s", site);
        sites->syncs[i] += syncs;
}

static bool sail_all(uint64_t first, uint64_t seeds, bool verbose, struct sites *sites)
{
        struct totals totals = {0};
        for (uint64_t seed = first; seed < first + seeds; seed++) {
                struct voyage voyage;
                bool good = sail(seed, NULL, &totals, &voyage);
                disk_sites(voyage.disk, note_site, sites);
                disk_forgetful_destroy(voyage.disk);
                if (!good) {
                        printf("seed %llu: %s\n", (unsigned long long)seed, voyage.violation);
                        return false;
                }
                if (verbose)
                        printf("seed %llu: %zu entries\n", (unsigned long long)seed, voyage.told.count);
        }
        printf("%llu voyages: %llu power cuts, %llu kills, %llu recoveries, %llu checkpoints; %llu entries acknowledged, "
               "%llu survived without, %llu refused; none lost, none twice\n",
               (unsigned long long)totals.voyages, (unsigned long long)totals.crashes, (unsigned long long)totals.kills,
               (unsigned long long)totals.recoveries, (unsigned long long)totals.checkpoints,
               (unsigned long long)totals.acknowledged, (unsigned long long)totals.survived,
               (unsigned long long)totals.refused);
        return true;
}

/* True: leaving out this sync is noticed. */
static bool sail_without(const char *site, uint64_t first)
{
        struct totals totals = {0};
        for (uint64_t seed = first; seed < first + FORGOTTEN_SEEDS_MAX; seed++) {
                struct voyage voyage;
                bool good = sail(seed, site, &totals, &voyage);
                disk_forgetful_destroy(voyage.disk);
                if (!good) {
                        printf("without the sync \"%s\": noticed in voyage %llu: %s\n", site,
                               (unsigned long long)(seed - first + 1), voyage.violation);
                        return true;
                }
        }
        printf("without the sync \"%s\": NOT noticed in %d voyages: it is not needed, or the voyage is too calm\n", site,
               FORGOTTEN_SEEDS_MAX);
        return false;
}

int main(int argc, char **argv)
{
        uint64_t seeds = 100, first = 1;
        const char *only_site = NULL;
        bool verbose = false;
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (strcmp(argv[i], "--verbose") == 0)
                        verbose = true;
                else if (value && strcmp(argv[i], "--site") == 0)
                        only_site = argv[++i];
                else if (!(value && strcmp(argv[i], "--seeds") == 0 && str_to_u64(str_of(argv[++i]), &seeds)) &&
                         !(value && strcmp(argv[i], "--first") == 0 && str_to_u64(str_of(argv[++i]), &first)))
                        return fprintf(stderr, "usage: %s [--seeds N] [--first S] [--site NAME] [--verbose]\n", argv[0]), 2;
        }
        if (only_site)
                return sail_without(only_site, first) ? 0 : 1;
        struct sites sites = {0};
        if (!sail_all(first, seeds, verbose, &sites))
                return 1;
        bool good = true;
        for (size_t i = 0; i < sites.count; i++)
                good &= sail_without(sites.names[i], first);
        return good ? 0 : 1;
}
