/* launch_allow.c - see launch_allow.h. */
#include "reach/launch_allow.h"

#include "base/buf.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALLOW_BYTES_MAX (1 << 20)

static bool take_word(struct str *line, struct str *out_word)
{
        *line = str_trim(*line);
        size_t length = 0;
        while (length < line->length && line->bytes[length] != ' ' && line->bytes[length] != '\t')
                length++;
        *out_word = str_slice(*line, 0, length);
        *line = str_slice(*line, length, line->length);
        return length > 0;
}

static bool word_matches(struct str pattern, struct str word)
{
        char pattern_text[PATH_MAX], word_text[PATH_MAX];
        if (pattern.length >= sizeof pattern_text || word.length >= sizeof word_text || memchr(word.bytes, 0, word.length))
                return false;
        memcpy(pattern_text, pattern.bytes, pattern.length);
        pattern_text[pattern.length] = 0;
        memcpy(word_text, word.bytes, word.length);
        word_text[word.length] = 0;
        return fnmatch(pattern_text, word_text, 0) == 0;
}

/* The program's own pattern may not reach over a slash: check_* is no other folder's. */
static bool program_matches(struct str pattern, struct str word)
{
        size_t slashes[2] = {0};
        for (size_t i = 0; i < pattern.length; i++)
                slashes[0] += pattern.bytes[i] == '/';
        for (size_t i = 0; i < word.length; i++)
                slashes[1] += word.bytes[i] == '/';
        return slashes[0] == slashes[1] && word_matches(pattern, word);
}

static bool line_matches(struct str line, const struct str *words, size_t word_count)
{
        struct str pattern;
        if (!take_word(&line, &pattern) || !program_matches(pattern, words[0]))
                return false;
        for (size_t i = 1;; i++) {
                bool more = take_word(&line, &pattern);
                if (more && str_is(pattern, "..."))
                        return true;
                if (!more || i == word_count)
                        return !more && i == word_count;
                if (!word_matches(pattern, words[i]))
                        return false;
        }
}

bool launch_allow_match(struct str text, const struct str *words, size_t word_count, struct err *err)
{
        struct str line;
        if (!word_count || !words[0].length || words[0].bytes[0] != '/')
                return fail(err, ERR_INVALID, "launcher", "a command begins with the absolute path of a program");
        while (text.length) {
                struct str rest;
                size_t end = 0;
                while (end < text.length && text.bytes[end] != '\n')
                        end++;
                line = str_trim(str_slice(text, 0, end));
                rest = str_slice(text, end + (end < text.length), text.length);
                if (line.length && line.bytes[0] != '#' && line_matches(line, words, word_count))
                        return true;
                text = rest;
        }
        return fail(err, ERR_FORBIDDEN, "launcher", "%.*s with these arguments is not in the allow-list; if it may be run, add a line for it", STR_ARGS(words[0]));
}

/* Root's, or the launcher's own; nobody else may write it. */
static bool is_guarded(const struct stat *status)
{
        return (status->st_uid == 0 || status->st_uid == geteuid()) && !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static bool check_program(struct str program, struct err *err)
{
        char path[PATH_MAX], folder[PATH_MAX];
        struct stat status;
        if (program.length >= sizeof path)
                return fail(err, ERR_INVALID, "launcher", "the program's path is too long");
        memcpy(path, program.bytes, program.length);
        path[program.length] = 0;
        if (!realpath(path, folder) || stat(folder, &status) != 0)
                return fail_errno(err, errno, "launcher", "looking for %s", path);
        if (!S_ISREG(status.st_mode) || !(status.st_mode & 0111))
                return fail(err, ERR_INVALID, "launcher", "%s is no program", path);
        if (!is_guarded(&status))
                return fail(err, ERR_FORBIDDEN, "launcher", "%s may be changed by others than root; it is not run", path);
        *strrchr(folder, '/') = 0;
        if (stat(*folder ? folder : "/", &status) != 0 || !is_guarded(&status))
                return fail(err, ERR_FORBIDDEN, "launcher", "the folder of %s may be changed by others than root; it is not run", path);
        return true;
}

static bool read_list(const char *path, struct buf *out, struct err *err)
{
        struct stat status;
        int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (file < 0)
                return fail_errno(err, errno, "launcher", "reading the allow-list %s; without it nothing is executed", path);
        bool good = (fstat(file, &status) == 0 && is_guarded(&status) && S_ISREG(status.st_mode)) ||
                    fail(err, ERR_FORBIDDEN, "launcher", "the allow-list %s must be a file of root's that nobody else may write", path);
        char bytes[4096];
        ssize_t count = 0;
        out->bytes_max = ALLOW_BYTES_MAX;
        while (good && (count = read(file, bytes, sizeof bytes)) > 0)
                good = buf_append(out, bytes, (size_t)count) || fail(err, ERR_TOO_LARGE, "launcher", "the allow-list %s is larger than 1 MiB", path);
        if (good && count < 0)
                good = fail_errno(err, errno, "launcher", "reading the allow-list %s", path);
        close(file);
        return good;
}

bool launch_allow_check(const char *path, const struct str *words, size_t word_count, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (!path || !*path)
                return fail(err, ERR_FORBIDDEN, "launcher", "nothing may be executed: launcher.allow names no allow-list");
        return read_list(path, &text, err) && launch_allow_match(buf_str(&text), words, word_count, err) && check_program(words[0], err);
}
