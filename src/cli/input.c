/* input.c - see input.h. Pipes have no size, so it reads until the end, in pieces that grow with what is there. */
#include "cli/input.h"

#include "base/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES ((size_t)64 << 10)

static void close_input(FILE **file)
{
        if (*file && *file != stdin)
                fclose(*file);
}

bool input_read(const char *path, struct buf *out, struct err *err)
{
        scoped(close_input) FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
        if (!file)
                return fail_errno(err, errno, "input", "opening %s", path);
        for (size_t count = 1; count;) {
                size_t room = max_of(PIECE_BYTES, out->length / 2);
                if (out->length > INPUT_BYTES_MAX)
                        return fail(err, ERR_TOO_LARGE, "input", "reading %s: it is larger than %zu bytes; split it", path, INPUT_BYTES_MAX);
                if (!buf_reserve(out, room))
                        return fail_memory(err, "input", room);
                count = fread(out->bytes + out->length, 1, room, file);
                out->length += count;
        }
        return ferror(file) ? fail_errno(err, errno, "input", "reading %s", path) : true;
}
