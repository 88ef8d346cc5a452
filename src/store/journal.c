/*
 * journal.c - see journal.h for what it promises, segment.h for the bytes.
 *
 *      appender: hash the payload, append to the list, wake the thread if it sleeps
 *      journal's thread: take the list -> gather a group -> one write -> one sync -> done() for each, and again
 *
 * Groups form by themselves: what comes while one sync runs is the next group. Large payloads are written from where
 * the appender has them; heads and small payloads are staged, since a system call's part costs more than a short copy.
 *
 * A new segment is made under another name, with its head synced, and then renamed: a segment that can be seen has a
 * good head. From the rename on the segment before it is over, whatever happens: entries in it at or beyond the new
 * one's first sequence are void. That one rule covers failed writes whose bytes reached the disk all the same.
 *
 * The reserve is a preallocated file that becomes a segment when no other can be made.
 */
#include "store/journal.h"

#include "base/hash.h"
#include "base/scope.h"
#include "base/thread.h"
#include "store/segment.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define SEGMENT_BYTES ((size_t)64 << 20)
#define QUEUE_BYTES_MAX ((size_t)64 << 20)
#define RESERVE_BYTES ((size_t)4 << 20)
#define RETRY_NS NS_PER_S
#define TICK_WAIT_NS NS_PER_S
#define REWRITE_BYTES ((size_t)256 << 10)

#define GROUP_ENTRIES_MAX 2048
#define STAGED_PAYLOAD_MAX 512 /* larger ones are written from where they are */
#define STAGING_BYTES ((size_t)512 << 10)

struct segment_place {
        uint64_t first_sequence;
        uint64_t bytes;
};

/* What one write takes: parts that point into the staging area or to payloads. */
struct group {
        struct iovec parts[2 * GROUP_ENTRIES_MAX + 1];
        int part_count;
        size_t entries;
        uint64_t bytes;
        size_t staged;
        char staging[STAGING_BYTES];
};

struct journal {
        struct disk *disk;
        struct clock *clock;
        struct journal_options options;
        char *directory;

        struct lock lock; /* guards the following */
        struct signal work;
        struct append *waiting_first, **waiting_end;
        size_t queue_bytes;     /* of what waits and of what is being committed */
        bool urgent, closing, sleeping;
        bool undecided;         /* something came since the last tick: the next one, which decides about it, does not wait */
        int64_t ticks_due_ns;   /* when what waits are ticks alone; 0: nothing waits */
        struct err why;         /* of a health that is not good */
        struct journal_stats stats;
        struct {
                struct segment_place *items;
                size_t count, capacity;
        } segments;             /* oldest first; each one's name and head are on disk */

        struct thread thread; /* only it, or whoever calls journal_commit_now, uses the following */
        struct disk_file *active; /* NULL: a segment must be made first */
        uint64_t active_bytes, active_end, active_salt; /* size; where the next entry goes */
        uint64_t next_sequence;
        int64_t last_time_ns, retry_ns;
        bool has_reserve, on_reserve;
        struct group *group;
};

static bool path_of(const struct journal *journal, const char *name, char out_path[static PATH_MAX], struct err *err)
{
        if (snprintf(out_path, PATH_MAX, "%s/%s", journal->directory, name) >= PATH_MAX)
                return fail(err, ERR_INVALID, "journal", "the path of %s is too long", journal->directory);
        return true;
}

static bool segment_path(const struct journal *journal, uint64_t first_sequence, char out_path[static PATH_MAX],
                         struct err *err)
{
        char name[32];
        snprintf(name, sizeof name, "%016" PRIx64 ".seg", first_sequence);
        return path_of(journal, name, out_path, err);
}

static bool name_sequence(const char *name, uint64_t *out_sequence)
{
        uint64_t sequence = 0;
        for (int i = 0; i < 16; i++) {
                const char *digit = name[i] ? strchr("0123456789abcdef", name[i]) : NULL;
                if (!digit)
                        return false;
                sequence = sequence << 4 | (uint64_t)(digit - "0123456789abcdef");
        }
        *out_sequence = sequence;
        return strcmp(name + 16, ".seg") == 0 && sequence > 0;
}

static bool segments_reserve(struct journal *journal, struct err *err)
{
        if (journal->segments.count < journal->segments.capacity)
                return true;
        size_t capacity = max_of((size_t)16, journal->segments.capacity * 2);
        void *items = realloc(journal->segments.items, capacity * sizeof *journal->segments.items);
        if (!items)
                return fail_memory(err, "journal", capacity * sizeof *journal->segments.items);
        journal->segments.items = items;
        journal->segments.capacity = capacity;
        return true;
}

/* ------------------------------------------------------------------------------------------------ opening and replay */

struct listing {
        struct journal *journal;
        bool good;
        struct err *err;
};

static void list_segment(void *context, const char *name)
{
        struct listing *listing = context;
        uint64_t first_sequence;
        if (!listing->good || !name_sequence(name, &first_sequence))
                return;
        listing->good = segments_reserve(listing->journal, listing->err);
        if (listing->good)
                listing->journal->segments.items[listing->journal->segments.count++] =
                        (struct segment_place){.first_sequence = first_sequence};
}

static bool measure_segments(struct journal *journal, struct err *err)
{
        each (place, &journal->segments) {
                char path[PATH_MAX];
                if (!segment_path(journal, place->first_sequence, path, err))
                        return false;
                struct disk_file *file = disk_open(journal->disk, path, DISK_READ, err);
                if (!file)
                        return false;
                bool good = disk_size(file, &place->bytes, err);
                disk_close(file);
                if (!good)
                        return false;
        }
        return true;
}

/* At an offset without the entry that is wanted: damage, if it is known to have been committed, or if something behind
 * proves that. With skip_damage goes on at the next entry that is there. */
static bool pass_damage(struct journal *journal, struct segment_reader *reader, bool was_committed, uint64_t *sequence,
                        bool *out_more, struct err *err)
{
        uint64_t damaged_at = reader->offset, next;
        if (!segment_find(reader, *sequence + 1, was_committed ? 0 : *sequence, out_more, &next, err))
                return false;
        if (!*out_more)
                return true;
        if (!journal->options.skip_damage)
                return fail(err, ERR_CORRUPT, "journal",
                            "%s is damaged at offset %" PRIu64 ": entry %" PRIu64 " is gone, entry %" PRIu64
                            " behind it is there; " SEGMENT_ADVICE, reader->path, damaged_at, *sequence, next);
        if (!was_committed) { /* now it is known to have been, and so is what stands before the proof */
                reader->offset = damaged_at;
                return pass_damage(journal, reader, true, sequence, out_more, err);
        }
        journal->stats.entries_skipped += next - *sequence;
        *sequence = next;
        return true;
}

/* Writes the bytes from start to end again, as they are. */
static bool rewrite(struct disk_file *file, uint64_t start, uint64_t end, struct err *err)
{
        scoped(buf_done) struct buf buf = {0};
        if (!buf_reserve(&buf, REWRITE_BYTES))
                return fail_memory(err, "journal", REWRITE_BYTES);
        while (start < end) {
                size_t count;
                if (!disk_read(file, buf.bytes, (size_t)min_of((uint64_t)REWRITE_BYTES, end - start), start, &count, err))
                        return false;
                if (count == 0)
                        break;
                if (!disk_write(file, buf.bytes, count, start, err))
                        return false;
                start += count;
        }
        return true;
}

/* Makes the last group stay, whose sync may never have been: when only the process was killed it is in the kernel's
 * memory, and if its sync had failed the kernel even takes it for written. So it is written again, and then synced. */
static bool settle_tail(struct journal *journal, const char *path, uint64_t group_start, uint64_t end, struct err *err)
{
        struct disk_file *file = disk_open(journal->disk, path, DISK_WRITE, err);
        if (!file)
                return false;
        /* What is cut off is void anyway as soon as the next segment is there, so this need not succeed. */
        if (!journal->options.skip_damage && disk_truncate(file, end, NULL))
                journal->segments.items[journal->segments.count - 1].bytes = end;
        bool good = rewrite(file, group_start, end, err) && disk_sync(file, "journal tail", err);
        disk_close(file);
        return good;
}

/* Finds where the last segment ends. */
static bool open_tail(struct journal *journal, struct err *err)
{
        struct segment_place *last = &journal->segments.items[journal->segments.count - 1];
        char path[PATH_MAX];
        if (!segment_path(journal, last->first_sequence, path, err))
                return false;
        scoped(segment_close) struct segment_reader reader = {0};
        if (!segment_open(&reader, journal->disk, path, last->first_sequence, err))
                return false;
        journal->last_time_ns = reader.head.created_ns;
        uint64_t sequence = last->first_sequence, group = UINT64_MAX, group_start = reader.offset;
        struct entry entry;
        for (bool found = true, more = true; found || more;) {
                uint64_t offset = reader.offset;
                if (!segment_next(&reader, sequence, &entry, &found, err))
                        return false;
                if (!found) {
                        if (!pass_damage(journal, &reader, false, &sequence, &more, err))
                                return false;
                        continue;
                }
                journal->last_time_ns = max_of(journal->last_time_ns, entry.time_ns);
                sequence++;
                if (reader.committed != group) { /* the group before was on disk when this one was written */
                        group = reader.committed;
                        group_start = offset;
                }
        }
        journal->next_sequence = sequence;
        uint64_t end = reader.offset;
        return segment_tail(&reader, &journal->stats.tail_bytes_cut, err) &&
               settle_tail(journal, path, group_start, end, err);
}

static bool open_segments(struct journal *journal, struct err *err)
{
        struct listing listing = {journal, true, err};
        if (!disk_make_directory(journal->disk, journal->directory, err) ||
            !disk_list(journal->disk, journal->directory, list_segment, &listing, err) || !listing.good ||
            !measure_segments(journal, err))
                return false;
        journal->next_sequence = 1;
        if (journal->segments.count > 0 && !open_tail(journal, err)) {
                /* A last segment whose head is gone: with the operator's word it is passed over whole. */
                struct segment_place *last = &journal->segments.items[journal->segments.count - 1];
                if (!journal->options.skip_damage || (err && err->code != ERR_CORRUPT))
                        return false;
                journal->next_sequence = last->first_sequence + last->bytes / ENTRY_HEAD_BYTES + 1;
        }
        if (journal->options.skip_damage)
                journal->next_sequence = max_of(journal->next_sequence, journal->options.sequence_min);
        journal->last_time_ns = max_of(journal->last_time_ns, journal->options.time_min_ns);
        journal->stats.last_committed = journal->next_sequence - 1;
        journal->stats.first_sequence = journal->segments.count ? journal->segments.items[0].first_sequence
                                                                : journal->next_sequence;
        return true;
}

static size_t or_default(size_t value, size_t otherwise)
{
        return value ? value : otherwise;
}

bool journal_open(struct disk *disk, const char *directory, struct clock *clock, const struct journal_options *options,
                  struct journal **out_journal, struct err *err)
{
        struct journal *journal = calloc(1, sizeof *journal);
        if (!journal)
                return fail_memory(err, "journal", sizeof *journal);
        struct err own = {0};
        journal->disk = disk;
        journal->clock = clock;
        journal->options = options ? *options : (struct journal_options){0};
        journal->options.segment_bytes = or_default(journal->options.segment_bytes, SEGMENT_BYTES);
        journal->options.queue_bytes_max = or_default(journal->options.queue_bytes_max, QUEUE_BYTES_MAX);
        journal->options.reserve_bytes = or_default(journal->options.reserve_bytes, RESERVE_BYTES);
        journal->waiting_end = &journal->waiting_first;
        lock_init(&journal->lock, LOCK_JOURNAL);
        signal_init(&journal->work);
        journal->group = malloc(sizeof *journal->group);
        if (asprintf(&journal->directory, "%s/journal", directory) < 0)
                journal->directory = NULL;
        if (!journal->group || !journal->directory)
                fail_memory(&own, "journal", sizeof *journal->group);
        else if (open_segments(journal, &own)) {
                *out_journal = journal;
                return true;
        }
        journal_close(journal);
        if (err)
                *err = own;
        return err_within(err, "opening the journal in %s", directory);
}

/* Bytes the reader must hold: entries of the segment from place on, up to but not including the sequence limit. */
static bool replay_segment(struct journal *journal, const struct segment_place *place, uint64_t from, uint64_t limit,
                           bool (*visit)(void *context, const struct entry *entry, struct err *err), void *context,
                           struct err *err)
{
        char path[PATH_MAX];
        if (!segment_path(journal, place->first_sequence, path, err))
                return false;
        scoped(segment_close) struct segment_reader reader = {0};
        uint64_t sequence = place->first_sequence;
        struct err own = {0};
        if (!segment_open(&reader, journal->disk, path, sequence, &own)) {
                journal->stats.entries_skipped += limit - sequence;
                if (journal->options.skip_damage && own.code == ERR_CORRUPT)
                        return true;
                if (err)
                        *err = own;
                return false;
        }
        while (sequence < limit) {
                struct entry entry;
                bool found, more = false;
                if (!segment_next(&reader, sequence, &entry, &found, err))
                        return false;
                if (found) {
                        if (sequence >= from && !visit(context, &entry, err))
                                return false;
                        sequence++;
                        continue;
                }
                if (!pass_damage(journal, &reader, true, &sequence, &more, err))
                        return false;
                if (more)
                        continue;
                if (!journal->options.skip_damage)
                        return fail(err, ERR_CORRUPT, "journal", "%s ends at offset %" PRIu64 " before entry %" PRIu64
                                    ", but entries up to %" PRIu64 " were committed; " SEGMENT_ADVICE, path, reader.offset,
                                    sequence, limit - 1);
                journal->stats.entries_skipped += limit - sequence;
                return true;
        }
        return true;
}

bool journal_replay(struct journal *journal, uint64_t from_sequence,
                    bool (*visit)(void *context, const struct entry *entry, struct err *err), void *context,
                    struct err *err)
{
        const struct journal_stats *stats = &journal->stats;
        if (from_sequence == 0)
                from_sequence = stats->first_sequence;
        if (!journal->options.skip_damage &&
            (from_sequence < stats->first_sequence || from_sequence > journal->next_sequence))
                return fail(err, ERR_CORRUPT, "journal", "%s holds entries %" PRIu64 " to %" PRIu64 ", but those from %" PRIu64
                            " on are needed: a file of it is missing; " SEGMENT_ADVICE, journal->directory,
                            stats->first_sequence, stats->last_committed, from_sequence);
        each (place, &journal->segments) {
                bool is_last = place + 1 == place_end;
                uint64_t limit = is_last ? journal->next_sequence : place[1].first_sequence;
                if (limit > from_sequence && limit > place->first_sequence &&
                    !replay_segment(journal, place, from_sequence, limit, visit, context, err))
                        return err_within(err, "reading the journal back");
        }
        return true;
}

/* ----------------------------------------------------------------------------------------------------- making segments */

static void health_set(struct journal *journal, enum journal_health health, const struct err *why)
{
        with_lock(&journal->lock);
        journal->stats.health = health;
        if (why) {
                journal->why = *why;
                journal->stats.failures++;
        }
}

/* The active segment is over: its tail behind the last committed entry is given back. */
static void active_end(struct journal *journal)
{
        if (!journal->active)
                return;
        if (disk_truncate(journal->active, journal->active_end, NULL)) {
                with_lock(&journal->lock);
                journal->segments.items[journal->segments.count - 1].bytes = journal->active_end;
        }
        disk_close(journal->active);
        journal->active = NULL;
}

/* Asked first, so that trying every second on a full disk does not take what little is left from the databases. */
static bool has_space(struct journal *journal, uint64_t bytes, struct err *err)
{
        uint64_t free_bytes;
        if (!disk_free_bytes(journal->disk, journal->directory, &free_bytes, NULL) || free_bytes >= bytes)
                return true;
        return fail(err, ERR_FULL, "journal",
                    "%s needs %" PRIu64 " MiB for a segment, %" PRIu64 " MiB are free (free some space, it goes on by itself)",
                    journal->directory, bytes >> 20, free_bytes >> 20);
}

/* A file with a synced head, under a name that is no segment's. */
static struct disk_file *segment_prepare(struct journal *journal, const char *path, uint64_t bytes, bool is_reserve,
                                         uint64_t salt, struct err *err)
{
        int64_t now_ns = clock_now_ns(journal->clock);
        struct segment_head head = {journal->next_sequence, max_of(now_ns, journal->last_time_ns), salt};
        char head_bytes[SEGMENT_HEAD_BYTES];
        segment_put_head(head_bytes, &head);
        if (!is_reserve && !has_space(journal, bytes, err))
                return NULL;
        struct disk_file *file = disk_open(journal->disk, path, DISK_CREATE, err);
        if (file && (is_reserve || disk_truncate(file, 0, err)) && disk_allocate(file, bytes, err) &&
            disk_write(file, head_bytes, sizeof head_bytes, 0, err) && disk_sync(file, "journal segment head", err))
                return file;
        disk_close(file);
        if (file && !is_reserve)
                disk_unlink(journal->disk, path, NULL); /* a full disk needs the space */
        return NULL;
}

static bool segment_make(struct journal *journal, const char *from_name, uint64_t bytes, struct err *err)
{
        bool is_reserve = strcmp(from_name, "reserve") == 0;
        char from[PATH_MAX], to[PATH_MAX];
        uint64_t salt;
        if (getrandom(&salt, sizeof salt, 0) != sizeof salt)
                return fail(err, ERR_IO, "journal", "asking the kernel for random bytes");
        if (!path_of(journal, from_name, from, err) || !segment_path(journal, journal->next_sequence, to, err))
                return false;
        {
                with_lock(&journal->lock);
                if (!segments_reserve(journal, err))
                        return false;
        }
        struct disk_file *file = segment_prepare(journal, from, bytes, is_reserve, salt, err);
        if (!file)
                return false;
        /* From here on the old one is over: once the new name can be seen, entries in the old one beyond it are void. */
        active_end(journal);
        journal->has_reserve &= !is_reserve;
        if (!disk_rename(journal->disk, from, to, err) ||
            !disk_sync_directory(journal->disk, journal->directory, "journal segment name", err)) {
                disk_close(file);
                return false;
        }
        disk_bypass_cache(file); /* read again only after a crash: the page cache is for what is asked for */
        journal->active = file;
        journal->active_bytes = bytes;
        journal->active_end = SEGMENT_HEAD_BYTES;
        journal->active_salt = salt;
        journal->on_reserve = is_reserve;

        with_lock(&journal->lock);
        size_t count = journal->segments.count;
        /* An empty one of the same name was replaced. */
        bool replaced = count && journal->segments.items[count - 1].first_sequence == journal->next_sequence;
        journal->segments.items[replaced ? count - 1 : count] = (struct segment_place){journal->next_sequence, bytes};
        journal->segments.count += !replaced;
        return true;
}

/* Without a reserve the journal works too; it is tried again with the next segment. */
static void reserve_make(struct journal *journal)
{
        char path[PATH_MAX];
        if (journal->has_reserve || !path_of(journal, "reserve", path, NULL))
                return;
        struct disk_file *file = disk_open(journal->disk, path, DISK_CREATE, NULL);
        journal->has_reserve = file && disk_allocate(file, journal->options.reserve_bytes, NULL);
        disk_close(file);
}

/* Makes a segment with room for so many bytes of entries, or takes the reserve; sets the health. */
static bool segment_begin(struct journal *journal, uint64_t room, struct err *err)
{
        struct err why = {0};
        uint64_t bytes = max_of((uint64_t)journal->options.segment_bytes, SEGMENT_HEAD_BYTES + room);
        if (segment_make(journal, "next", bytes, &why)) {
                health_set(journal, JOURNAL_GOOD, NULL);
                reserve_make(journal);
                return true;
        }
        journal->retry_ns = clock_monotonic_ns(journal->clock) + RETRY_NS;
        if (why.code == ERR_FULL && journal->has_reserve && !(journal->active && journal->on_reserve))
                segment_make(journal, "reserve", journal->options.reserve_bytes, NULL);
        bool usable = journal->active && journal->on_reserve;
        health_set(journal, usable ? JOURNAL_RESERVE : JOURNAL_FAILING, &why);
        if (err)
                *err = why;
        return usable && journal->active_bytes - journal->active_end >= room;
}

/* ---------------------------------------------------------------------------------------------------------- committing */

static bool kind_may_use_reserve(uint16_t kind)
{
        return kind == ENTRY_COMMAND || kind == ENTRY_CONFIG;
}

static size_t queue_cost(const struct append *append)
{
        return entry_padded(append->payload.length);
}

static void finish(struct journal *journal, struct append *append, const struct entry *entry, const struct err *err,
                   size_t *freed)
{
        *freed += queue_cost(append);
        if (!entry) {
                with_lock(&journal->lock);
                journal->stats.refused++;
        }
        append->done(append, entry, err);
}

static void queue_give_back(struct journal *journal, size_t bytes)
{
        with_lock(&journal->lock);
        journal->queue_bytes -= bytes;
}

static void fail_list(struct journal *journal, struct append *list, const struct err *err)
{
        size_t freed = 0;
        for (struct append *next; list; list = next) {
                next = list->next;
                finish(journal, list, NULL, err, &freed);
        }
        queue_give_back(journal, freed);
}

static void group_part(struct group *group, const void *bytes, size_t count)
{
        group->parts[group->part_count++] = (struct iovec){(void *)bytes, count};
}

/* Room in the staging area, as a part of its own or as the end of the last. */
static char *group_stage(struct group *group, size_t count)
{
        char *at = group->staging + group->staged;
        struct iovec *last = group->part_count ? &group->parts[group->part_count - 1] : NULL;
        if (last && (char *)last->iov_base + last->iov_len == at)
                last->iov_len += count;
        else
                group_part(group, at, count);
        group->staged += count;
        return at;
}

static void group_add(struct group *group, const struct append *append, const struct entry_head *head, uint64_t salt)
{
        struct str payload = append->payload;
        size_t padding = entry_padded(payload.length) - ENTRY_HEAD_BYTES - payload.length;
        entry_put_head(group_stage(group, ENTRY_HEAD_BYTES), head, salt);
        if (payload.length > STAGED_PAYLOAD_MAX)
                group_part(group, payload.bytes, payload.length);
        else if (payload.length)
                memcpy(group_stage(group, payload.length), payload.bytes, payload.length);
        if (padding)
                memset(group_stage(group, padding), 0, padding);
        group->entries++;
        group->bytes += entry_padded(payload.length);
}

static bool group_has_room(const struct group *group, const struct append *append, uint64_t segment_room)
{
        return group->entries < GROUP_ENTRIES_MAX &&
               group->staged + ENTRY_HEAD_BYTES + STAGED_PAYLOAD_MAX + 8 <= STAGING_BYTES &&
               group->bytes + entry_padded(append->payload.length) <= segment_room;
}

/* Journal time of the next group. */
static int64_t group_time(struct journal *journal)
{
        int64_t now_ns = clock_now_ns(journal->clock);
        if (now_ns < journal->last_time_ns) {
                with_lock(&journal->lock);
                journal->stats.clock_held++;
        }
        return max_of(now_ns, journal->last_time_ns);
}

/* Gathers as many of the list as fit; gives the rest. */
static struct append *group_gather(struct journal *journal, struct append *list, int64_t time_ns)
{
        struct group *group = journal->group;
        group->part_count = 0;
        group->entries = group->bytes = group->staged = 0;
        struct entry_head head = {.time_ns = time_ns, .committed = journal->next_sequence - 1};
        uint64_t room = journal->active_bytes - journal->active_end;
        for (; list && group_has_room(group, list, room); list = list->next) {
                head.payload_hash = list->payload_hash;
                head.sequence = journal->next_sequence + group->entries;
                head.payload_bytes = (uint32_t)list->payload.length;
                head.kind = list->kind;
                group_add(group, list, &head, journal->active_salt);
        }
        return list;
}

static bool group_write(struct journal *journal, struct err *err)
{
        struct group *group = journal->group;
        if (!disk_writev(journal->active, group->parts, group->part_count, journal->active_end, err))
                return false;
        int64_t begun_ns = clock_monotonic_ns(&clock_real);
        bool good = disk_sync(journal->active, "journal entries", err);
        int64_t took_ns = clock_monotonic_ns(&clock_real) - begun_ns;

        with_lock(&journal->lock);
        journal->stats.syncs++;
        journal->stats.sync_ns_last = took_ns;
        journal->stats.sync_ns_max = max_of(journal->stats.sync_ns_max, took_ns);
        if (!good)
                return false;
        journal->active_end += group->bytes;
        journal->stats.entries += group->entries;
        journal->stats.bytes_appended += group->bytes;
        journal->stats.last_committed = journal->next_sequence + group->entries - 1;
        return true;
}

/* Tells the appenders from the list up to the rest that they are committed. */
static void group_finish(struct journal *journal, struct append *list, const struct append *rest, int64_t time_ns)
{
        size_t freed = 0;
        journal->last_time_ns = time_ns;
        for (struct append *next; list != rest; list = next) {
                next = list->next; /* done may free it */
                struct entry entry = {journal->next_sequence++, time_ns, list->kind, list->payload};
                finish(journal, list, &entry, NULL, &freed);
        }
        queue_give_back(journal, freed);
}

/* Fails what may not use the reserve and gives what is left of the list. */
static struct append *sift_for_reserve(struct journal *journal, struct append *list)
{
        struct append *kept = NULL, **kept_end = &kept, *refused = NULL, **refused_end = &refused;
        for (; list; list = list->next) {
                struct append ***end = kind_may_use_reserve(list->kind) ? &kept_end : &refused_end;
                **end = list;
                *end = &list->next;
        }
        *kept_end = *refused_end = NULL;
        fail_list(journal, refused, &journal->why);
        return kept;
}

static bool room_for(struct journal *journal, const struct append *append, struct err *err)
{
        uint64_t wanted = entry_padded(append->payload.length);
        if (journal->active && journal->active_bytes - journal->active_end >= wanted)
                return true;
        if (journal->stats.health == JOURNAL_FAILING && clock_monotonic_ns(journal->clock) < journal->retry_ns) {
                if (err)
                        *err = journal->why;
                return false;
        }
        return segment_begin(journal, wanted, err);
}

static void commit_list(struct journal *journal, struct append *list)
{
        struct err err = {0};
        while (list) {
                if (!room_for(journal, list, &err))
                        return fail_list(journal, list, &err);
                if (journal->on_reserve && !(list = sift_for_reserve(journal, list)))
                        return;
                int64_t time_ns = group_time(journal);
                struct append *rest = group_gather(journal, list, time_ns);
                if (rest == list)
                        continue; /* what was sifted out had room, what is first now has none */
                if (!group_write(journal, &err)) {
                        /* fsync may have dropped the pages and would succeed if asked again: never trust it again. */
                        active_end(journal);
                        journal->retry_ns = clock_monotonic_ns(journal->clock) + RETRY_NS;
                        health_set(journal, JOURNAL_FAILING, &err);
                        return fail_list(journal, list, &err);
                }
                group_finish(journal, list, rest, time_ns);
                list = rest;
        }
}

static struct append *take_waiting(struct journal *journal)
{
        struct append *list = journal->waiting_first;
        journal->waiting_first = NULL;
        journal->waiting_end = &journal->waiting_first;
        journal->urgent = false;
        journal->ticks_due_ns = 0;
        return list;
}

static void commit(struct journal *journal, struct append *list)
{
        if (journal->stats.health != JOURNAL_GOOD && clock_monotonic_ns(journal->clock) >= journal->retry_ns)
                segment_begin(journal, 0, NULL);
        commit_list(journal, list);
}

void journal_commit_now(struct journal *journal)
{
        assert(!journal->thread.started);
        struct append *list;
        do {
                {
                        with_lock(&journal->lock);
                        list = take_waiting(journal);
                }
                commit(journal, list);
        } while (list); /* done may have appended */
}

/* How long the thread may sleep: -1 until it is woken. Holding the lock. */
static int64_t sleep_ms(struct journal *journal)
{
        int64_t until_ns = INT64_MAX;
        if (journal->urgent || journal->closing)
                return 0;
        if (journal->ticks_due_ns)
                until_ns = journal->ticks_due_ns - clock_monotonic_ns(&clock_real);
        if (journal->stats.health != JOURNAL_GOOD)
                until_ns = min_of(until_ns, journal->retry_ns - clock_monotonic_ns(journal->clock));
        return until_ns == INT64_MAX ? -1 : max_of((until_ns + NS_PER_MS - 1) / NS_PER_MS, (int64_t)0);
}

static void run(void *context)
{
        struct journal *journal = context;
        for (bool closing = false; !closing;) {
                struct append *list;
                {
                        with_lock(&journal->lock);
                        for (int64_t wait_ms; (wait_ms = sleep_ms(journal)) != 0;) {
                                journal->sleeping = true;
                                if (wait_ms < 0)
                                        signal_wait(&journal->work, &journal->lock);
                                else
                                        signal_wait_ms(&journal->work, &journal->lock, wait_ms);
                                journal->sleeping = false;
                        }
                        list = take_waiting(journal);
                        closing = journal->closing && !list;
                }
                commit(journal, list);
        }
}

bool journal_start(struct journal *journal, struct err *err)
{
        segment_begin(journal, 0, NULL);
        return thread_start(&journal->thread, "journal", run, journal, err);
}

/* Why an append cannot be taken now; holding the lock. */
static bool may_append(const struct journal *journal, const struct append *append, struct err *err)
{
        size_t cost = queue_cost(append);
        if (journal->closing)
                return fail(err, ERR_CANCELLED, "journal", "the program is stopping");
        if (journal->stats.health == JOURNAL_FAILING ||
            (journal->stats.health == JOURNAL_RESERVE && !kind_may_use_reserve(append->kind))) {
                if (err)
                        *err = journal->why;
                return false;
        }
        if (journal->queue_bytes && journal->queue_bytes + cost > journal->options.queue_bytes_max)
                return fail(err, ERR_BUSY, "journal", "%zu bytes wait for the disk already; send it again in a second",
                            journal->queue_bytes);
        return true;
}

/* Holding the lock. */
static void wake(struct journal *journal)
{
        if (!journal->sleeping)
                return;
        journal->sleeping = false;
        signal_one(&journal->work);
}

bool journal_append(struct journal *journal, struct append *append, struct err *err)
{
        if (append->payload.length > JOURNAL_PAYLOAD_BYTES_MAX)
                return fail(err, ERR_TOO_LARGE, "journal", "an entry of %zu bytes is beyond the bound of %zu; send smaller "
                            "parts", append->payload.length, JOURNAL_PAYLOAD_BYTES_MAX);
        append->payload_hash = hash64(append->payload);
        append->next = NULL;
        bool is_tick = append->kind == ENTRY_TICK;

        with_lock(&journal->lock);
        if (!may_append(journal, append, err)) {
                journal->stats.refused++;
                return false;
        }
        bool decides = is_tick && journal->undecided;
        bool first_tick = is_tick && !journal->waiting_first;
        journal->undecided = !is_tick;
        if (first_tick)
                journal->ticks_due_ns = clock_monotonic_ns(&clock_real) + TICK_WAIT_NS;
        *journal->waiting_end = append;
        journal->waiting_end = &append->next;
        journal->queue_bytes += queue_cost(append);
        journal->urgent |= !is_tick || decides;
        if (!append->is_followed && (!is_tick || first_tick))
                wake(journal);
        return true;
}

void journal_go(struct journal *journal)
{
        with_lock(&journal->lock);
        if (journal->waiting_first)
                wake(journal);
}

/* ------------------------------------------------------------------------------------------------- trimming and the end */

/* The oldest segment, if a later one begins at or below the sequence. */
static bool oldest_below(struct journal *journal, uint64_t below_sequence, uint64_t *out_first)
{
        with_lock(&journal->lock);
        if (journal->segments.count < 2 || journal->segments.items[1].first_sequence > below_sequence)
                return false;
        *out_first = journal->segments.items[0].first_sequence;
        return true;
}

bool journal_trim(struct journal *journal, uint64_t below_sequence, struct err *err)
{
        uint64_t first;
        while (oldest_below(journal, below_sequence, &first)) {
                char path[PATH_MAX];
                /* One at a time: if an older one could come back after a crash without its successor, that were a gap. */
                struct err why = {0};
                if (!segment_path(journal, first, path, &why) ||
                    (!disk_unlink(journal->disk, path, &why) && why.code != ERR_NOT_FOUND)) {
                        if (err)
                                *err = why;
                        return err_within(err, "trimming the journal below %" PRIu64, below_sequence);
                }
                /* Not synced: a segment that comes back after a crash lies below the checkpoint, and goes again. */
                with_lock(&journal->lock);
                journal->segments.count--;
                memmove(journal->segments.items, journal->segments.items + 1,
                        journal->segments.count * sizeof *journal->segments.items);
                journal->stats.first_sequence = journal->segments.items[0].first_sequence;
        }
        return true;
}

void journal_read_stats(struct journal *journal, struct journal_stats *out_stats)
{
        with_lock(&journal->lock);
        *out_stats = journal->stats;
        out_stats->bytes_on_disk = 0;
        each (place, &journal->segments)
                out_stats->bytes_on_disk += place->bytes;
}

void journal_close(struct journal *journal)
{
        if (!journal)
                return;
        {
                with_lock(&journal->lock);
                journal->closing = true;
                signal_one(&journal->work);
        }
        if (journal->thread.started)
                thread_join(&journal->thread);
        else if (journal->group)
                journal_commit_now(journal);
        active_end(journal);
        free(journal->segments.items);
        free(journal->group);
        free(journal->directory);
        signal_done(&journal->work);
        lock_done(&journal->lock);
        free(journal);
}
