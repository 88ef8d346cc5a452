/* file_rotation.c - see file_rotation.h. Looks at one directory, only when a rotation was seen or at a start. */
#include "observe/file_rotation.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

bool file_is_rotation_of(const char *name, const char *path)
{
        size_t length = strlen(path);
        if (strncmp(name, path, length) != 0)
                return false;
        const char *ending = name + length;
        if ((ending[0] != '.' && ending[0] != '-') || !isdigit((unsigned char)ending[1]))
                return false;
        return ending[1 + strspn(ending + 1, "0123456789-._")] == '\0';
}

typedef bool found_fn(void *context, struct file_tail *tail); /* false: enough; keeps the tail when it clears tail->fd */

static void walk(const char *path, int64_t now_ns, found_fn *found, void *context)
{
        char directory[4096];
        const char *base = base_name(path);
        snprintf(directory, sizeof directory, "%.*s", (int)(base - path), path);
        DIR *open_directory = opendir(directory[0] ? directory : ".");
        if (!open_directory)
                return;
        bool goes_on = true;
        for (struct dirent *entry; goes_on && (entry = readdir(open_directory));) {
                char full[4096 + 256];
                struct file_tail tail;
                if (!file_is_rotation_of(entry->d_name, base))
                        continue;
                snprintf(full, sizeof full, "%s%s", directory, entry->d_name);
                if (!file_tail_open(full, now_ns, &tail, NULL))
                        continue;
                tail.is_rotated = true;
                tail.rotated_ns = now_ns;
                goes_on = found(context, &tail);
                file_tail_close(&tail);
        }
        closedir(open_directory);
}

struct finding {
        const struct file_place *place;
        uint64_t other_than;
        struct file_tail best;
        bool has_best;
};

/* The very inode is certain; a copy will do. */
static bool compare_head(void *context, struct file_tail *tail)
{
        struct finding *finding = context;
        bool is_same = tail->place.inode == finding->place->inode && tail->place.device == finding->place->device;
        if (tail->place.inode == finding->other_than || !file_tail_has_head(tail, finding->place) ||
            (finding->has_best && !is_same))
                return true;
        if (finding->has_best)
                file_tail_close(&finding->best);
        finding->best = *tail;
        finding->has_best = true;
        tail->fd = -1;
        return !is_same;
}

bool file_rotation_find(const char *path, const struct file_place *place, uint64_t other_than, int64_t now_ns,
                        struct file_tail *out_tail)
{
        struct finding finding = {.place = place, .other_than = other_than};
        if (!place->head_bytes)
                return false; /* it was empty: any file would do, and none is missed */
        walk(path, now_ns, compare_head, &finding);
        if (!finding.has_best)
                return false;
        finding.best.is_complete = finding.best.place.inode != place->inode;
        finding.best.place.offset = place->offset;
        *out_tail = finding.best;
        return true;
}

struct gathering_since {
        int64_t modified_ns;
        bool (*is_known)(void *context, uint64_t inode);
        void *context;
        struct file_tail *tails;
        size_t count;
};

static bool keep_newer(void *context, struct file_tail *tail)
{
        struct gathering_since *since = context;
        if (tail->modified_ns <= since->modified_ns || since->is_known(since->context, tail->place.inode))
                return true;
        tail->is_complete = true;
        since->tails[since->count++] = *tail;
        tail->fd = -1;
        return since->count < ROTATED_MAX;
}

static int by_time(const void *left, const void *right)
{
        const struct file_tail *a = left, *b = right;
        return (a->modified_ns > b->modified_ns) - (a->modified_ns < b->modified_ns);
}

size_t file_rotation_since(const char *path, int64_t modified_ns, bool (*is_known)(void *context, uint64_t inode),
                           void *context, int64_t now_ns, struct file_tail out_tails[static ROTATED_MAX])
{
        struct gathering_since since = {modified_ns, is_known, context, out_tails, 0};
        walk(path, now_ns, keep_newer, &since);
        qsort(out_tails, since.count, sizeof *out_tails, by_time);
        return since.count;
}
