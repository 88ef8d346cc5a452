/* alert_stream_fuzz - any bytes as alerts and topology, apart by a line of dashes: an answer or an error, every row in one incident. */
#include "engage/alert_stream.h"

#include "base/scope.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str alerts = {(const char *)data, size}, topology = {0};
        size_t at;
        if (str_find(alerts, STR("\n---\n"), &at)) {
                topology = str_slice(alerts, at + 5, size);
                alerts = str_slice(alerts, 0, at + 1);
        }
        scoped(buf_done) struct buf out = {.bytes_max = (size_t)64 << 20};
        struct err err = {0};
        if (alert_stream_correlate(alerts, topology, &out, &err))
                assert(!out.failed && (out.length == 0 || out.bytes[out.length - 1] == '\n'));
        else
                assert(err.code != ERR_NONE);
        return 0;
}
