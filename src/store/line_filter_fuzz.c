/* line_filter_fuzz - any pattern over any line matches, does not, or is refused; and a line that matches holds every
 * fragment that the pattern is said to need, else a search would pass over its block. Input: pattern, newline, line. */
#include "store/line_filter.h"

#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void must_hold(void *context, struct str fragment)
{
        size_t at;
        if (!str_find(*(struct str *)context, fragment, &at))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str line = {(const char *)bytes, count}, pattern;
        str_cut(&line, '\n', &pattern);
        if (pattern.length > 512 || line.length > 4096)
                return 0;
        for (enum line_filter_op op = LINE_CONTAINS; op <= LINE_NOT_MATCHES; op++) {
                struct err err = {0};
                struct line_filter filter = {.op = op, .text = pattern};
                bool hold = false;
                if (!line_filter_compile(&filter, &err) || !line_filters_hold(&filter, 1, line, &hold, &err)) {
                        if (!err.message[0])
                                abort();
                } else if (hold) {
                        line_filter_fragments(&filter, must_hold, &line);
                }
                line_filter_done(&filter);
        }
        return 0;
}
