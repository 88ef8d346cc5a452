/*
 * disk_forgetful.c - see disk_forgetful.h. For tests; it favours being obviously right over speed: files are plain
 * arrays, names a plain list. Running out of memory ends the test, since there is nobody to tell.
 */
#include "store/disk_forgetful.h"

#include "base/rng.h"
#include "base/scope.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512

struct bytes {
        char *bytes;
        uint64_t size, capacity;
};

/* A change of a file that no sync has covered. */
struct change {
        bool is_write; /* else a new size */
        uint64_t offset, count;
        char *bytes;
};

struct node {
        struct bytes seen, platter;
        struct {
                struct change *items;
                size_t count, capacity;
        } changes;
        unsigned handles;
        struct node *next;
};

struct name {
        char *path;
        struct node *seen, *platter; /* NULL: no such file */
        bool is_directory;
        bool directory_lasts; /* survives a crash */
};

/* A change of names that no sync has covered: path is set to node (NULL: removed), from is removed. */
struct renaming {
        char *path, *from;
        struct node *node;
};

struct site {
        char *name;
        uint64_t syncs;
};

struct forgetful {
        struct disk base;
        struct lock lock;
        struct {
                struct name *items;
                size_t count, capacity;
        } names;
        struct {
                struct renaming *items;
                size_t count, capacity;
        } renamings;
        struct {
                struct site *items;
                size_t count, capacity;
        } sites;
        struct node *nodes;
        char *forgotten_site;
        uint64_t bytes_max, operations, fail_at, fail_count, stop_at, stop_after_new;
        const char *new_ending;
        unsigned generation; /* files opened before the last crash belong to an older one */
        bool read_only, stopped;
};

struct forgetful_file {
        struct disk_file base;
        struct node *node;
        unsigned generation;
        char path[];
};

static void *must(void *memory)
{
        if (!memory) {
                fputs("disk_forgetful: no memory\n", stderr);
                abort();
        }
        return memory;
}

#define push(vector)                                                                                                   \
        ({                                                                                                             \
                if ((vector)->count == (vector)->capacity) {                                                           \
                        (vector)->capacity = (vector)->capacity ? 2 * (vector)->capacity : 8;                          \
                        (vector)->items = must(realloc((vector)->items, (vector)->capacity * sizeof *(vector)->items)); \
                }                                                                                                      \
                memset(&(vector)->items[(vector)->count], 0, sizeof *(vector)->items);                                 \
                &(vector)->items[(vector)->count++];                                                                   \
        })

static struct forgetful *forgetful_of(struct disk *disk)
{
        return (struct forgetful *)disk;
}

/* ----------------------------------------------------------------------------------------------- files and their bytes */

static void bytes_resize(struct bytes *bytes, uint64_t size)
{
        if (size > bytes->capacity) {
                bytes->capacity = max_of(size, bytes->capacity * 2);
                bytes->bytes = must(realloc(bytes->bytes, bytes->capacity));
        }
        if (size > bytes->size)
                memset(bytes->bytes + bytes->size, 0, size - bytes->size);
        bytes->size = size;
}

static void bytes_write(struct bytes *bytes, uint64_t offset, const char *from, uint64_t count)
{
        if (offset + count > bytes->size)
                bytes_resize(bytes, offset + count);
        if (count)
                memcpy(bytes->bytes + offset, from, count);
}

static void changes_clear(struct node *node)
{
        each (change, &node->changes)
                free(change->bytes);
        node->changes.count = 0;
}

static void change_apply(struct bytes *to, const struct change *change)
{
        if (change->is_write)
                bytes_write(to, change->offset, change->bytes, change->count);
        else
                bytes_resize(to, change->offset);
}

/* Any of the sectors that the change touches. */
static void change_apply_torn(struct bytes *to, const struct change *change, struct rng *rng)
{
        if (!change->is_write) {
                if (rng_below(rng, 2))
                        bytes_resize(to, change->offset);
                return;
        }
        for (uint64_t done = 0; done < change->count;) {
                uint64_t in_sector = SECTOR_BYTES - (change->offset + done) % SECTOR_BYTES;
                uint64_t count = min_of(in_sector, change->count - done);
                if (rng_below(rng, 2))
                        bytes_write(to, change->offset + done, change->bytes + done, count);
                done += count;
        }
}

enum memory { KEEP_NONE, KEEP_ALL, KEEP_PREFIX, KEEP_ANY, MEMORIES };

static void node_crash(struct node *node, struct rng *rng)
{
        enum memory memory = (enum memory)rng_below(rng, MEMORIES);
        size_t whole = memory == KEEP_ALL ? node->changes.count
                     : memory == KEEP_PREFIX ? rng_below(rng, node->changes.count + 1) : 0;
        for (size_t i = 0; i < node->changes.count; i++)
                if (i < whole)
                        change_apply(&node->platter, &node->changes.items[i]);
                else if (memory == KEEP_ANY || (memory == KEEP_PREFIX && i == whole))
                        change_apply_torn(&node->platter, &node->changes.items[i], rng);
        changes_clear(node);
        node->handles = 0;
        bytes_resize(&node->seen, 0);
        bytes_write(&node->seen, 0, node->platter.bytes, node->platter.size);
}

static void node_sync(struct node *node)
{
        each (change, &node->changes)
                change_apply(&node->platter, change);
        changes_clear(node);
}

/* --------------------------------------------------------------------------------------------------------------- names */

static struct name *name_find(struct forgetful *disk, const char *path)
{
        each (name, &disk->names)
                if (strcmp(name->path, path) == 0)
                        return name;
        return NULL;
}

static struct name *name_make(struct forgetful *disk, const char *path)
{
        struct name *name = name_find(disk, path);
        if (!name) {
                name = push(&disk->names);
                name->path = must(strdup(path));
        }
        return name;
}

static size_t parent_length(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? (size_t)(slash - path) : 0;
}

static bool is_in(const char *path, const char *directory)
{
        size_t length = strlen(directory);
        return parent_length(path) == length && strncmp(path, directory, length) == 0;
}

static bool parent_exists(struct forgetful *disk, const char *path)
{
        size_t length = parent_length(path);
        if (length == 0)
                return true;
        each (name, &disk->names)
                if (name->is_directory && strlen(name->path) == length && strncmp(name->path, path, length) == 0)
                        return true;
        return false;
}

static void rename_note(struct forgetful *disk, const char *path, const char *from, struct node *node)
{
        *push(&disk->renamings) = (struct renaming){must(strdup(path)), from ? must(strdup(from)) : NULL, node};
}

static void rename_apply(struct forgetful *disk, const struct renaming *renaming)
{
        name_make(disk, renaming->path)->platter = renaming->node;
        if (renaming->from)
                name_make(disk, renaming->from)->platter = NULL;
}

static void renaming_done(struct renaming *renaming)
{
        free(renaming->path);
        free(renaming->from);
}

static void renamings_crash(struct forgetful *disk, struct rng *rng)
{
        enum memory memory = (enum memory)rng_below(rng, MEMORIES);
        size_t whole = memory == KEEP_ALL ? disk->renamings.count
                     : memory == KEEP_PREFIX ? rng_below(rng, disk->renamings.count + 1) : 0;
        for (size_t i = 0; i < disk->renamings.count; i++) {
                if (i < whole || (memory == KEEP_ANY && rng_below(rng, 2)))
                        rename_apply(disk, &disk->renamings.items[i]);
                renaming_done(&disk->renamings.items[i]);
        }
        disk->renamings.count = 0;
}

static void node_free(struct node *node)
{
        changes_clear(node);
        free(node->changes.items);
        free(node->seen.bytes);
        free(node->platter.bytes);
        free(node);
}

static bool node_is_used(struct forgetful *disk, const struct node *node)
{
        if (node->handles)
                return true;
        each (name, &disk->names)
                if (name->seen == node || name->platter == node)
                        return true;
        each (renaming, &disk->renamings)
                if (renaming->node == node)
                        return true;
        return false;
}

static void sweep(struct forgetful *disk)
{
        for (struct node **at = &disk->nodes; *at;) {
                struct node *node = *at;
                if (node_is_used(disk, node)) {
                        at = &node->next;
                        continue;
                }
                *at = node->next;
                node_free(node);
        }
}

static uint64_t bytes_used(struct forgetful *disk)
{
        uint64_t used = 0;
        for (struct node *node = disk->nodes; node; node = node->next) {
                bool named = node->handles > 0;
                each (name, &disk->names)
                        named |= name->seen == node;
                used += named ? node->seen.size : 0;
        }
        return used;
}

/* ------------------------------------------------------------------------------------------------------- what may fail */

/* Before each change or sync. */
static bool may_change(struct forgetful *disk, const char *path, struct err *err)
{
        disk->operations++;
        if (disk->stop_at && disk->operations >= disk->stop_at)
                disk->stopped = true;
        if (disk->stopped)
                return fail(err, ERR_IO, "disk", "changing %s: the machine has stopped", path);
        if (disk->fail_at && disk->operations >= disk->fail_at && disk->operations - disk->fail_at < disk->fail_count)
                return fail_errno(err, EIO, "disk", "changing %s", path);
        if (disk->read_only)
                return fail_errno(err, EROFS, "disk", "changing %s (mount it writable, it goes on by itself)", path);
        return true;
}

static bool has_room(struct forgetful *disk, const struct node *node, uint64_t size, const char *path, struct err *err)
{
        if (disk->bytes_max == 0 || size <= node->seen.size || bytes_used(disk) - node->seen.size + size <= disk->bytes_max)
                return true;
        return fail_errno(err, ENOSPC, "disk", "writing %s (free some space, it goes on by itself)", path);
}

static bool is_alive(struct forgetful *disk, struct forgetful_file *file, struct err *err)
{
        if (file->generation == disk->generation && !disk->stopped)
                return true;
        return fail(err, ERR_IO, "disk", "using %s: the machine has stopped", file->path);
}

/* False: the sync is left out. */
static bool site_counts(struct forgetful *disk, const char *site)
{
        struct site *known = NULL;
        each (item, &disk->sites)
                if (strcmp(item->name, site) == 0)
                        known = item;
        if (!known) {
                known = push(&disk->sites);
                known->name = must(strdup(site));
        }
        known->syncs++;
        return !disk->forgotten_site || strcmp(disk->forgotten_site, site) != 0;
}

/* ------------------------------------------------------------------------------------------------------------- the ops */

static struct disk_file *forgetful_open(struct disk *base, const char *path, enum disk_mode mode, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        struct name *name = name_find(disk, path);
        if (disk->stopped)
                return fail(err, ERR_IO, "disk", "opening %s: the machine has stopped", path), NULL;
        if (mode != DISK_READ && disk->read_only)
                return fail_errno(err, EROFS, "disk", "opening %s (mount it writable, it goes on by itself)", path), NULL;
        if (!name || !name->seen) {
                if (mode != DISK_CREATE || !parent_exists(disk, path))
                        return fail_errno(err, ENOENT, "disk", "opening %s", path), NULL;
                if (!may_change(disk, path, err))
                        return NULL;
                struct node *node = must(calloc(1, sizeof *node));
                node->next = disk->nodes;
                disk->nodes = node;
                name = name_make(disk, path);
                name->seen = node;
                rename_note(disk, path, NULL, node);
                if (disk->stop_after_new && str_ends_with(str_of(path), str_of(disk->new_ending))) {
                        disk->stop_at = disk->operations + disk->stop_after_new;
                        disk->stop_after_new = 0;
                }
        }
        struct forgetful_file *file = must(calloc(1, sizeof *file + strlen(path) + 1));
        *file = (struct forgetful_file){{base}, name->seen, disk->generation};
        memcpy(file->path, path, strlen(path) + 1);
        file->node->handles++;
        return &file->base;
}

static void forgetful_close(struct disk_file *base)
{
        struct forgetful_file *file = (struct forgetful_file *)base;
        struct forgetful *disk = forgetful_of(base->disk);
        with_lock(&disk->lock);
        if (file->generation == disk->generation)
                file->node->handles--;
        free(file);
}

static bool forgetful_read(struct disk_file *base, void *bytes, size_t count, uint64_t offset, size_t *out_count,
                           struct err *err)
{
        struct forgetful_file *file = (struct forgetful_file *)base;
        struct forgetful *disk = forgetful_of(base->disk);
        with_lock(&disk->lock);
        if (!is_alive(disk, file, err))
                return false;
        const struct bytes *seen = &file->node->seen;
        size_t got = offset >= seen->size ? 0 : (size_t)min_of((uint64_t)count, seen->size - offset);
        if (got)
                memcpy(bytes, seen->bytes + offset, got);
        *out_count = got;
        return true;
}

static void node_change(struct node *node, struct change change)
{
        change_apply(&node->seen, &change);
        *push(&node->changes) = change;
}

static bool forgetful_write(struct disk_file *base, const struct iovec *parts, int part_count, uint64_t offset,
                            struct err *err)
{
        struct forgetful_file *file = (struct forgetful_file *)base;
        struct forgetful *disk = forgetful_of(base->disk);
        size_t count = 0;
        for (int i = 0; i < part_count; i++)
                count += parts[i].iov_len;
        with_lock(&disk->lock);
        if (!is_alive(disk, file, err) || !may_change(disk, file->path, err) ||
            !has_room(disk, file->node, offset + count, file->path, err))
                return false;
        struct change change = {true, offset, count, must(malloc(count + 1))};
        for (size_t done = 0; part_count > 0; done += parts->iov_len, parts++, part_count--)
                if (parts->iov_len)
                        memcpy(change.bytes + done, parts->iov_base, parts->iov_len);
        node_change(file->node, change);
        return true;
}

static bool forgetful_size(struct disk_file *base, uint64_t *out_bytes, struct err *err)
{
        struct forgetful_file *file = (struct forgetful_file *)base;
        struct forgetful *disk = forgetful_of(base->disk);
        with_lock(&disk->lock);
        if (!is_alive(disk, file, err))
                return false;
        *out_bytes = file->node->seen.size;
        return true;
}

static bool resize(struct forgetful_file *file, uint64_t bytes, bool only_grow, struct err *err)
{
        struct forgetful *disk = forgetful_of(file->base.disk);
        with_lock(&disk->lock);
        if (!is_alive(disk, file, err) || !may_change(disk, file->path, err) ||
            !has_room(disk, file->node, bytes, file->path, err))
                return false;
        if (!only_grow || bytes > file->node->seen.size)
                node_change(file->node, (struct change){false, bytes});
        return true;
}

static bool forgetful_truncate(struct disk_file *base, uint64_t bytes, struct err *err)
{
        return resize((struct forgetful_file *)base, bytes, false, err);
}

static bool forgetful_allocate(struct disk_file *base, uint64_t bytes, struct err *err)
{
        return resize((struct forgetful_file *)base, bytes, true, err);
}

static bool forgetful_sync(struct disk_file *base, const char *site, struct err *err)
{
        struct forgetful_file *file = (struct forgetful_file *)base;
        struct forgetful *disk = forgetful_of(base->disk);
        with_lock(&disk->lock);
        bool counts = site_counts(disk, site);
        if (!is_alive(disk, file, err))
                return false;
        if (!may_change(disk, file->path, err)) {
                if (!disk->stopped)
                        changes_clear(file->node); /* as Linux: clean in memory, never written */
                return false;
        }
        if (counts)
                node_sync(file->node);
        return true;
}

/* With the lock held. */
static void directory_sync(struct forgetful *disk, const char *path)
{
        size_t kept = 0;
        for (size_t i = 0; i < disk->renamings.count; i++) {
                struct renaming renaming = disk->renamings.items[i];
                if (!is_in(renaming.path, path)) {
                        disk->renamings.items[kept++] = renaming;
                        continue;
                }
                rename_apply(disk, &renaming);
                renaming_done(&renaming);
        }
        disk->renamings.count = kept;
        each (name, &disk->names)
                if (name->is_directory && is_in(name->path, path))
                        name->directory_lasts = true;
        sweep(disk);
}

static bool forgetful_sync_directory(struct disk *base, const char *path, const char *site, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        bool counts = site_counts(disk, site);
        if (!may_change(disk, path, err))
                return false;
        if (counts)
                directory_sync(disk, path);
        return true;
}

static bool forgetful_rename(struct disk *base, const char *from, const char *to, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        struct name *old = name_find(disk, from);
        if (!may_change(disk, from, err))
                return false;
        if (!old || !old->seen || !parent_exists(disk, to))
                return fail_errno(err, ENOENT, "disk", "renaming %s to %s", from, to);
        struct node *node = old->seen;
        old->seen = NULL;
        name_make(disk, to)->seen = node;
        rename_note(disk, to, from, node);
        return true;
}

static bool forgetful_unlink(struct disk *base, const char *path, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        struct name *name = name_find(disk, path);
        if (!may_change(disk, path, err))
                return false;
        if (!name || !name->seen)
                return fail_errno(err, ENOENT, "disk", "removing %s", path);
        name->seen = NULL;
        rename_note(disk, path, NULL, NULL);
        return true;
}

static bool make_one(struct forgetful *disk, const char *path, struct err *err)
{
        with_lock(&disk->lock);
        struct name *name = name_find(disk, path);
        if (name && name->is_directory)
                return true;
        if (!may_change(disk, path, err))
                return false;
        name_make(disk, path)->is_directory = true;
        char parent[512];
        snprintf(parent, sizeof parent, "%.*s", (int)parent_length(path), path);
        if (site_counts(disk, DISK_SITE_NEW_DIRECTORY))
                directory_sync(disk, parent);
        return true;
}

static bool forgetful_make_directory(struct disk *base, const char *path, struct err *err)
{
        char part[512];
        if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
                return fail_errno(err, ENAMETOOLONG, "disk", "making the directory %s", path);
        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (!make_one(forgetful_of(base), part, err))
                        return false;
                *slash = '/';
        }
        return make_one(forgetful_of(base), part, err);
}

static int compare_texts(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool forgetful_list(struct disk *base, const char *path, void (*visit)(void *context, const char *name),
                           void *context, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        char **found = NULL;
        size_t count = 0;
        {
                with_lock(&disk->lock);
                struct name *directory = name_find(disk, path);
                if (disk->stopped)
                        return fail(err, ERR_IO, "disk", "listing %s: the machine has stopped", path);
                if (!directory || !directory->is_directory)
                        return fail_errno(err, ENOENT, "disk", "listing %s", path);
                found = must(calloc(disk->names.count + 1, sizeof *found));
                each (name, &disk->names)
                        if ((name->seen || name->is_directory) && is_in(name->path, path))
                                found[count++] = must(strdup(name->path + strlen(path) + 1));
        }
        qsort(found, count, sizeof *found, compare_texts);
        for (size_t i = 0; i < count; i++) {
                visit(context, found[i]);
                free(found[i]);
        }
        free(found);
        return true;
}

static bool forgetful_free_bytes(struct disk *base, const char *path, uint64_t *out_bytes, struct err *err)
{
        struct forgetful *disk = forgetful_of(base);
        (void)path, (void)err;
        with_lock(&disk->lock);
        uint64_t used = bytes_used(disk);
        *out_bytes = !disk->bytes_max ? UINT64_C(1) << 40 : disk->bytes_max > used ? disk->bytes_max - used : 0;
        return true;
}

/* ------------------------------------------------------------------------------------------------------------- its life */

struct disk *disk_forgetful_create(void)
{
        static const struct disk_ops ops = {
                .open = forgetful_open,
                .close = forgetful_close,
                .read = forgetful_read,
                .write = forgetful_write,
                .size = forgetful_size,
                .truncate = forgetful_truncate,
                .allocate = forgetful_allocate,
                .sync = forgetful_sync,
                .sync_directory = forgetful_sync_directory,
                .rename = forgetful_rename,
                .unlink = forgetful_unlink,
                .make_directory = forgetful_make_directory,
                .list = forgetful_list,
                .free_bytes = forgetful_free_bytes,
        };
        struct forgetful *disk = calloc(1, sizeof *disk);
        if (!disk)
                return NULL;
        disk->base.ops = &ops;
        lock_init(&disk->lock, LOCK_DISK);
        return &disk->base;
}

void disk_forgetful_destroy(struct disk *base)
{
        if (!base)
                return;
        struct forgetful *disk = forgetful_of(base);
        while (disk->nodes) {
                struct node *node = disk->nodes;
                disk->nodes = node->next;
                node_free(node);
        }
        each (name, &disk->names)
                free(name->path);
        each (renaming, &disk->renamings)
                renaming_done(renaming);
        each (site, &disk->sites)
                free(site->name);
        free(disk->names.items);
        free(disk->renamings.items);
        free(disk->sites.items);
        free(disk->forgotten_site);
        lock_done(&disk->lock);
        free(disk);
}

static void come_back(struct forgetful *disk)
{
        disk->generation++;
        disk->stopped = false;
        disk->stop_at = disk->fail_at = disk->stop_after_new = 0;
        for (struct node *node = disk->nodes; node; node = node->next)
                node->handles = 0;
        sweep(disk);
}

static bool lost_with_directory(struct forgetful *disk, const char *path)
{
        each (name, &disk->names) {
                size_t length = strlen(name->path);
                if (name->is_directory && !name->directory_lasts && strncmp(name->path, path, length) == 0 &&
                    (path[length] == '/' || path[length] == 0))
                        return true;
        }
        return false;
}

void disk_crash(struct disk *base, uint64_t seed)
{
        struct forgetful *disk = forgetful_of(base);
        struct rng rng = {seed};
        with_lock(&disk->lock);
        renamings_crash(disk, &rng);
        for (struct node *node = disk->nodes; node; node = node->next)
                node_crash(node, &rng);
        each (name, &disk->names) {
                if (lost_with_directory(disk, name->path))
                        name->platter = NULL;
                name->seen = name->platter;
        }
        for (size_t i = disk->names.count; i > 0; i--) /* children stand behind their parents */
                disk->names.items[i - 1].is_directory &= !lost_with_directory(disk, disk->names.items[i - 1].path);
        come_back(disk);
}

void disk_kill(struct disk *base)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        come_back(disk);
}

void disk_set_bytes_max(struct disk *base, uint64_t bytes_max)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        disk->bytes_max = bytes_max;
}

void disk_set_read_only(struct disk *base, bool read_only)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        disk->read_only = read_only;
}

void disk_fail_nth(struct disk *base, uint64_t nth, uint64_t count)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        disk->fail_at = nth ? disk->operations + nth : 0;
        disk->fail_count = count;
}

void disk_stop_nth(struct disk *base, uint64_t nth)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        disk->stop_at = nth ? disk->operations + nth : 0;
}

void disk_stop_after_new(struct disk *base, uint64_t nth, const char *ending)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        disk->stop_after_new = nth;
        disk->new_ending = ending;
}

bool disk_stopped(struct disk *base)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        return disk->stopped;
}

uint64_t disk_operations(struct disk *base)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        return disk->operations;
}

void disk_forget_site(struct disk *base, const char *site)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        free(disk->forgotten_site);
        disk->forgotten_site = site ? must(strdup(site)) : NULL;
}

void disk_sites(struct disk *base, void (*visit)(void *context, const char *site, uint64_t syncs), void *context)
{
        struct forgetful *disk = forgetful_of(base);
        with_lock(&disk->lock);
        each (site, &disk->sites)
                visit(context, site->name, site->syncs);
}
