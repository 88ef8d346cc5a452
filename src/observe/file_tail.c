/*
 * file_tail.c - see file_tail.h. pread from an offset we keep, so nothing depends on the descriptor's place, and a failed
 * batch is simply read again.
 */
#include "observe/file_tail.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "wire/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOLD_NS NS_PER_S                 /* how long an unfinished stack trace waits for its next line */
#define HOLD_BYTES ((size_t)64 << 10)    /* and how large it may be meanwhile */

static bool hex_to_u64(struct str text, uint64_t *out)
{
        uint64_t value = 0;
        for (size_t i = 0; i < text.length; i++) {
                unsigned digit = (unsigned char)text.bytes[i];
                digit = digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10;
                if (digit > 15 || i == 16)
                        return false;
                value = value << 4 | digit;
        }
        *out = value;
        return text.length > 0;
}

bool file_place_parse(struct str text, struct file_place *out_place)
{
        if (!text.length)
                return false;
        scoped_ptr(json_decref) json_t *json = json_parse(text, NULL);
        int64_t device = json_i64(json, "dev", -1), inode = json_i64(json, "inode", -1);
        int64_t offset = json_i64(json, "offset", -1), head_bytes = json_i64(json, "head_bytes", -1);
        uint64_t hash;
        if (device < 0 || inode < 0 || offset < 0 || head_bytes < 0 || head_bytes > (int64_t)TAIL_FINGERPRINT_BYTES ||
            !hex_to_u64(json_str(json, "head"), &hash))
                return false;
        *out_place = (struct file_place){(uint64_t)device, (uint64_t)inode, (uint64_t)offset, (uint64_t)head_bytes, hash};
        return true;
}

bool file_place_print(const struct file_place *place, struct buf *out)
{
        return buf_printf(out, "{\"dev\":%llu,\"inode\":%llu,\"offset\":%llu,\"head_bytes\":%llu,\"head\":\"%016llx\"}",
                          (unsigned long long)place->device, (unsigned long long)place->inode,
                          (unsigned long long)place->offset, (unsigned long long)place->head_bytes,
                          (unsigned long long)place->head_hash);
}

static bool read_at(int fd, char *bytes, size_t count, uint64_t offset, size_t *out_count)
{
        size_t length = 0;
        while (length < count) {
                ssize_t got = pread(fd, bytes + length, count - length, (off_t)(offset + length));
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return false;
                if (got == 0)
                        break;
                length += (size_t)got;
        }
        *out_count = length;
        return true;
}

/* The hash of the first count bytes; false when they are not there. */
static bool hash_head(int fd, uint64_t count, uint64_t *out_hash)
{
        char head[TAIL_FINGERPRINT_BYTES];
        size_t got = 0;
        if (!read_at(fd, head, count, 0, &got) || got < count)
                return false;
        *out_hash = hash64((struct str){head, count});
        return true;
}

static void take_fingerprint(struct file_tail *tail)
{
        uint64_t count = min_of(tail->size, (uint64_t)TAIL_FINGERPRINT_BYTES), hash;
        if (count > tail->place.head_bytes && hash_head(tail->fd, count, &hash)) {
                tail->place.head_bytes = count;
                tail->place.head_hash = hash;
        }
}

bool file_tail_open(const char *path, int64_t now_ns, struct file_tail *out_tail, struct err *err)
{
        struct file_tail tail = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), .changed_ns = now_ns};
        struct stat found;
        if (tail.fd < 0)
                return fail_errno(err, errno, "file", "opening %s", path);
        if (fstat(tail.fd, &found) < 0 || !S_ISREG(found.st_mode)) {
                close(tail.fd);
                return fail(err, ERR_UNSUPPORTED, "file", "%s is no regular file; name log files only", path);
        }
        tail.place.device = found.st_dev;
        tail.place.inode = found.st_ino;
        tail.size = (uint64_t)found.st_size;
        tail.modified_ns = found.st_mtim.tv_sec * NS_PER_S + found.st_mtim.tv_nsec;
        tail.place.head_hash = hash64((struct str){"", 0});
        take_fingerprint(&tail);
        *out_tail = tail;
        return true;
}

void file_tail_close(struct file_tail *tail)
{
        if (tail->fd >= 0)
                close(tail->fd);
        tail->fd = -1;
}

bool file_tail_has_head(const struct file_tail *tail, const struct file_place *place)
{
        uint64_t hash;
        return tail->size >= place->offset && hash_head(tail->fd, place->head_bytes, &hash) && hash == place->head_hash;
}

bool file_tail_is_at(const struct file_tail *tail, const struct file_place *place)
{
        return tail->place.device == place->device && tail->place.inode == place->inode && file_tail_has_head(tail, place);
}

bool file_tail_look(struct file_tail *tail, int64_t now_ns, bool *out_truncated, struct err *err)
{
        struct stat found;
        if (fstat(tail->fd, &found) < 0)
                return fail_errno(err, errno, "file", "looking at an open file");
        bool grew = (uint64_t)found.st_size != tail->size;
        if (grew)
                tail->changed_ns = now_ns;
        tail->size = (uint64_t)found.st_size;
        int64_t modified_ns = found.st_mtim.tv_sec * NS_PER_S + found.st_mtim.tv_nsec;
        bool is_written = grew || modified_ns != tail->modified_ns;
        tail->modified_ns = modified_ns;
        *out_truncated = is_written && !file_tail_has_head(tail, &tail->place);
        if (is_written && !*out_truncated)
                take_fingerprint(tail);
        return true;
}

void file_tail_restart(struct file_tail *tail)
{
        tail->place.offset = 0;
        tail->place.head_bytes = 0;
        tail->place.head_hash = hash64((struct str){"", 0});
        take_fingerprint(tail);
}

/* How many of the bytes may go now. */
static size_t cut(const struct file_tail *tail, struct str bytes, bool multiline, bool at_end, int64_t now_ns)
{
        bool has_all = tail->place.offset + bytes.length >= tail->size;
        if (at_end && has_all)
                return bytes.length;
        size_t whole = lines_cut(bytes, multiline);
        if (whole)
                return whole;
        const char *newline = bytes.length ? memrchr(bytes.bytes, '\n', bytes.length) : NULL;
        size_t lines = newline ? (size_t)(newline - bytes.bytes) + 1 : 0;
        if (lines && (bytes.length >= HOLD_BYTES || now_ns - tail->changed_ns >= HOLD_NS))
                return lines;
        return bytes.length == TAIL_READ_BYTES_MAX ? bytes.length : 0; /* one line of a megabyte: cut there */
}

bool file_tail_read(struct file_tail *tail, bool multiline, bool at_end, int64_t now_ns, struct arena *arena,
                    struct str *out_bytes, struct err *err)
{
        *out_bytes = (struct str){0};
        if (tail->size <= tail->place.offset)
                return true;
        size_t count = min_of(tail->size - tail->place.offset, (uint64_t)TAIL_READ_BYTES_MAX), got = 0;
        char *bytes = arena_alloc(arena, count);
        if (!bytes)
                return fail_memory(err, "file", count);
        if (!read_at(tail->fd, bytes, count, tail->place.offset, &got))
                return fail_errno(err, errno, "file", "reading at %llu", (unsigned long long)tail->place.offset);
        *out_bytes = (struct str){bytes, got};
        out_bytes->length = cut(tail, *out_bytes, multiline, at_end, now_ns);
        return true;
}
