/*
 * file_watch.c - see file_watch.h. inotify on the files' folders only wakes: what changed is found by reading, so that a lost event, an editor that
 * writes a new file over the old one, and a network file system without events all come to the same.
 */
#include "observe/file_watch.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "observe/checks.h"
#include "observe/source.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN_LINES 3
#define SHOWN_BYTES 100

struct watched {
        char *path;
        struct str text;                /* heap; bytes NULL: it is not there */
        uint64_t hash;
        int64_t mtime_ns;
        off_t size;
        bool is_seen, is_known;
};

struct file_watch {
        struct intake *intake;
        struct watched *files;          /* FILES_WATCHED_MAX */
        size_t count;
        int inotify_fd;
        char hostname[256];
        bool is_over_bound;
        uint64_t plan_number;           /* that was looked through last */
};

static const char settings[] = "{\"change\":{\"kind\":\"$.kind\",\"title\":\"$.title\",\"by\":\"$.by\",\"reference\":\"$.reference\",\"labels\":\"$.labels\"}}";

bool file_watch_create(struct intake *intake, struct file_watch **out_watch, struct err *err)
{
        struct file_watch *watch = calloc(1, sizeof *watch);
        if (watch)
                watch->files = calloc(FILES_WATCHED_MAX, sizeof *watch->files);
        if (!watch || !watch->files) {
                free(watch);
                return fail_memory(err, "watch", FILES_WATCHED_MAX * sizeof *watch->files);
        }
        watch->intake = intake;
        watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (gethostname(watch->hostname, sizeof watch->hostname - 1) < 0)
                snprintf(watch->hostname, sizeof watch->hostname, "localhost");
        *out_watch = watch;
        return true;
}

void file_watch_destroy(struct file_watch *watch)
{
        if (!watch)
                return;
        for (size_t i = 0; i < watch->count; i++) {
                free(watch->files[i].path);
                free((char *)watch->files[i].text.bytes);
        }
        free(watch->files);
        if (watch->inotify_fd >= 0)
                close(watch->inotify_fd);
        free(watch);
}

void file_watch_wait(struct file_watch *watch, int64_t wait_ms)
{
        char events[4096];
        struct pollfd wake = {watch->inotify_fd, POLLIN, 0};
        poll(&wake, 1, (int)wait_ms);
        while (read(watch->inotify_fd, events, sizeof events) > 0) {}
}

/* --- what changed ------------------------------------------------------------------------------------------------------------------ */

/* Cuts the lines that both begin with, then those that both end with; what is left was changed. */
static void cut_equal(struct str *before, struct str *after)
{
        size_t least = min_of(before->length, after->length), head = 0, tail = 0;
        for (size_t i = 0; i < least && before->bytes[i] == after->bytes[i]; i++)
                if (before->bytes[i] == '\n')
                        head = i + 1;
        *before = str_slice(*before, head, before->length);
        *after = str_slice(*after, head, after->length);
        least = min_of(before->length, after->length);
        for (size_t i = 1; i <= least && before->bytes[before->length - i] == after->bytes[after->length - i]; i++)
                if (i == least || before->bytes[before->length - i - 1] == '\n')
                        if (before->length == i || after->length == i ||
                            (before->bytes[before->length - i - 1] == '\n' && after->bytes[after->length - i - 1] == '\n'))
                                tail = i;
        *before = str_slice(*before, 0, before->length - tail);
        *after = str_slice(*after, 0, after->length - tail);
}

static size_t count_lines(struct str text)
{
        size_t count = text.length && text.bytes[text.length - 1] != '\n';
        for (size_t i = 0; i < text.length; i++)
                count += text.bytes[i] == '\n';
        return count;
}

static void show_lines(struct str text, char sign, struct buf *out)
{
        struct str line;
        for (int shown = 0; shown < SHOWN_LINES && text.length && str_cut(&text, '\n', &line);) {
                line = str_trim(line);
                if (!line.length)
                        continue;
                buf_printf(out, " %c %.*s", sign, STR_ARGS(str_slice(line, 0, SHOWN_BYTES)));
                shown++;
        }
}

static void write_title(const char *path, struct str before, struct str after, struct buf *out)
{
        if (!after.bytes || !before.bytes) {
                buf_printf(out, "%s %s", path, after.bytes ? "was made" : "was removed");
                return;
        }
        cut_equal(&before, &after);
        buf_printf(out, "%s changed: %zu lines went, %zu came:", path, count_lines(before), count_lines(after));
        show_lines(before, '-', out);
        show_lines(after, '+', out);
}

static const char *owner_of(const struct stat *status, char *room, size_t bytes)
{
        struct passwd entry, *found = NULL;
        char text[1024];
        if (getpwuid_r(status->st_uid, &entry, text, sizeof text, &found) == 0 && found)
                snprintf(room, bytes, "%s", found->pw_name);
        else
                snprintf(room, bytes, "user %u", (unsigned)status->st_uid);
        return room;
}

static json_t *text_of(struct str text)
{
        scoped(buf_done) struct buf quoted = {0};
        return json_quote(&quoted, text) ? json_loadb(quoted.bytes, quoted.length, JSON_DECODE_ANY, NULL) : NULL;
}

static bool tell(struct file_watch *watch, const struct watch_file *pattern, const struct watched *file, struct str after, uint64_t hash, const char *by,
                 struct err *err)
{
        scoped(buf_done) struct buf title = {0}, text = {0};
        char reference[32];
        write_title(file->path, file->text, after, &title);
        snprintf(reference, sizeof reference, "%016llx", (unsigned long long)hash);
        scoped_ptr(json_decref) json_t *change = json_pack("{s:s, s:o, s:s, s:s, s:{s:s, s:o}}", "kind", "configuration", "title", text_of(buf_str(&title)), "by", by,
                                                          "reference", reference, "labels", "host", watch->hostname, "path", text_of(str_of(file->path)));
        if (change && pattern->service.length)
                json_object_set_new(json_object_get(change, "labels"), "service", text_of(pattern->service));
        if (!change || !json_write(change, &text))
                return fail_memory(err, "watch", title.length);
        struct batch *batch = batch_create(SOURCE_CHANGES, STR("watch"), err);
        if (!batch)
                return false;
        batch->received_ns = clock_now_ns(intake_clock(watch->intake));
        if (!text_copy(buf_str(&text), &batch->arena, &batch->bytes) || !text_copy(str_of(settings), &batch->arena, &batch->settings)) {
                batch_destroy(batch);
                return fail_memory(err, "watch", text.length);
        }
        return intake_offer_wait(watch->intake, batch, NULL, err);
}

/* --- looking ------------------------------------------------------------------------------------------------------------------------ */

/* The first bytes of a regular file; NULL: it cannot be read. The caller's. */
static char *read_text(const char *path, struct stat *out_status, size_t *out_length)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char *text = NULL;
        if (fd >= 0 && fstat(fd, out_status) == 0 && S_ISREG(out_status->st_mode) && (text = malloc(FILE_WATCH_BYTES_MAX))) {
                ssize_t got;
                *out_length = 0;
                while (*out_length < FILE_WATCH_BYTES_MAX && (got = read(fd, text + *out_length, FILE_WATCH_BYTES_MAX - *out_length)) > 0)
                        *out_length += (size_t)got;
                char *fitting = realloc(text, *out_length + 1);
                text = fitting ? fitting : text;
        }
        if (fd >= 0)
                close(fd);
        return text;
}

static struct watched *watched_of(struct file_watch *watch, const char *path)
{
        for (size_t i = 0; i < watch->count; i++)
                if (strcmp(watch->files[i].path, path) == 0)
                        return &watch->files[i];
        watch->is_over_bound |= watch->count == FILES_WATCHED_MAX;
        char *copy = watch->count < FILES_WATCHED_MAX ? strdup(path) : NULL;
        if (!copy)
                return NULL;
        watch->files[watch->count] = (struct watched){.path = copy};
        return &watch->files[watch->count++];
}

static void watch_folder(struct file_watch *watch, const char *path)
{
        char folder[4096];
        snprintf(folder, sizeof folder, "%s", path);
        char *slash = strrchr(folder, '/');
        if (!slash)
                return;
        slash[slash == folder] = '\0';
        inotify_add_watch(watch->inotify_fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
}

static bool look_at(struct file_watch *watch, const struct watch_file *pattern, const char *path, bool tells_new, struct err *err)
{
        struct stat status = {0};
        size_t length = 0;
        char by[64];
        struct watched *file = watched_of(watch, path);
        if (!file)
                return true;
        file->is_seen = true;
        if (file->is_known && stat(path, &status) == 0 && file->text.bytes && status.st_size == file->size &&
            status.st_mtim.tv_sec * NS_PER_S + status.st_mtim.tv_nsec == file->mtime_ns)
                return true;
        char *text = read_text(path, &status, &length);
        struct str after = {text, length};
        uint64_t hash = text ? hash64(after) : 0;
        bool differs = file->is_known ? hash != file->hash || !text != !file->text.bytes : tells_new && text;
        bool good = !differs || tell(watch, pattern, file, after, hash, owner_of(&status, by, sizeof by), err);
        if (!good) {
                free(text);
                return false; /* told at the next look */
        }
        if (!file->is_known)
                watch_folder(watch, path);
        free((char *)file->text.bytes);
        file->text = after;
        file->hash = hash;
        file->size = status.st_size;
        file->mtime_ns = status.st_mtim.tv_sec * NS_PER_S + status.st_mtim.tv_nsec;
        file->is_known = true;
        return true;
}

static bool look_for(struct file_watch *watch, const struct watch_file *pattern, bool tells_new, struct err *err)
{
        glob_t found = {0};
        bool good = true;
        if (glob(pattern->path.bytes, 0, NULL, &found) == 0)
                for (size_t i = 0; good && i < found.gl_pathc; i++)
                        good = look_at(watch, pattern, found.gl_pathv[i], tells_new, err);
        globfree(&found);
        for (size_t i = 0; good && i < watch->count; i++) { /* what was there and matches no more is gone */
                struct watched *file = &watch->files[i];
                if (!file->is_seen && file->text.bytes && access(file->path, F_OK) != 0)
                        good = look_at(watch, pattern, file->path, false, err);
        }
        return good;
}

bool file_watch_look(struct file_watch *watch, const struct check_plan *plan, struct err *err)
{
        bool was_over_bound = watch->is_over_bound, good = true, tells_new = plan->number == watch->plan_number;
        for (size_t i = 0; i < watch->count; i++)
                watch->files[i].is_seen = false;
        each (pattern, &plan->files)
                good = good && look_for(watch, pattern, tells_new, err);
        if (good)
                watch->plan_number = plan->number; /* what is new from now on was not there before */
        if (watch->is_over_bound && !was_over_bound)
                source_state(watch->intake, STR("watch"), "changes", true, "there are more than %d files to watch; narrow the patterns", FILES_WATCHED_MAX);
        return good;
}
