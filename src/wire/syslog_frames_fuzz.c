/* syslog_frames_fuzz - any bytes in any reads: nothing is read or written outside, and all is consumed in the end. */
#include "wire/syslog_frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void feed(const uint8_t *bytes, size_t count, size_t step)
{
        struct syslog_frames frames = {0};
        char *buffer = malloc(count + 1);
        size_t held = 0;
        for (size_t at = 0; at < count; at += step) {
                size_t part = count - at < step ? count - at : step;
                char *exact = malloc(held + part); /* so that the sanitizers see a step past the end */
                memcpy(exact, buffer, held);
                memcpy(exact + held, bytes + at, part);
                held += part;
                if (!syslog_frames_take(&frames, exact, held, at + step >= count, NULL))
                        abort();
                if (frames.consumed > held || frames.messages.length > held)
                        abort();
                held -= frames.consumed;
                memcpy(buffer, exact + frames.consumed, held);
                free(exact);
        }
        if (held)
                abort();
        free(buffer);
        syslog_frames_done(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        feed(bytes, count, count ? count : 1);
        feed(bytes, count, 7);
        return 0;
}
