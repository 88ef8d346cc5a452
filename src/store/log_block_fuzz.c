/* log_block_fuzz - any bytes as an index and a body (their checksums set right, so that the decoder is reached) end in rows
 * or ERR_CORRUPT; and any bytes as lines come back as they were. Input: u16 length of the index, index, body. */
#include "store/log_block.h"

#include "base/hash.h"
#include "base/scope.h"
#include "store/log_block_format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

struct lines {
        struct str items[256];
        size_t count, next;
};

static bool look(void *context, const struct log_block_row *row)
{
        uint64_t *sum = context;
        for (size_t i = 0; i < row->line.length; i++)
                *sum += (uint8_t)row->line.bytes[i];
        return row->stream < 1000;
}

static void put_right(char *at, struct str bytes)
{
        uint64_t hash = htole64(hash64(bytes));
        memcpy(at, &hash, sizeof hash);
}

static void decode_hostile(char *bytes, size_t count)
{
        if (count < 2)
                return;
        size_t index_length = min_of((size_t)(uint8_t)bytes[0] | (size_t)(uint8_t)bytes[1] << 8, count - 2);
        struct str index = {bytes + 2, index_length}, body = {bytes + 2 + index_length, count - 2 - index_length};
        if (index.length >= 8)
                put_right(bytes + 2 + index_length - 8, str_slice(index, 0, index_length - 8));
        if (body.length >= 9)
                put_right(bytes + 2 + index_length + 1, str_slice(body, 9, body.length));
        struct err err = {0};
        struct log_decoder *decoder = log_decoder_create(&err);
        struct log_block_summary summary = {.stream_count = 3};
        uint64_t sum = 0;
        struct log_block_search search = {.visit = look, .context = &sum};
        if (!log_block_summary(decoder, index, &summary, &err)) {
                if (err.code != ERR_CORRUPT && err.code != ERR_MEMORY)
                        abort();
                summary.stream_count = 3;
        } else {
                log_block_may_hold(&summary, body);
        }
        if (!log_block_walk(decoder, body, summary.stream_count, &search, &err) && err.code != ERR_CORRUPT &&
            err.code != ERR_MEMORY)
                abort();
        log_decoder_destroy(decoder);
}

static bool same(void *context, const struct log_block_row *row)
{
        struct lines *lines = context;
        if (lines->next >= lines->count || !str_equal(row->line, lines->items[lines->next++]))
                abort();
        return true;
}

static void round_trip(const char *bytes, size_t count)
{
        struct err err;
        struct lines lines = {0};
        static struct log_stream stream = {.packed = STR_INIT("x")};
        const struct log_stream *streams[] = {&stream};
        struct log_entry entries[256] = {0};
        char *copy = calloc(1, count + SKELETON_SLACK);
        memcpy(copy, bytes, count);
        struct str rest = {copy, count}, line;
        while (lines.count < 256 && str_cut(&rest, '\n', &line)) {
                entries[lines.count] = (struct log_entry){.id = lines.count, .stream = &stream, .text = line.bytes,
                                                          .line_length = (uint32_t)line.length};
                lines.items[lines.count++] = line;
        }
        struct log_span span = {entries, lines.count};
        scoped(buf_done) struct buf index = {0}, body = {0};
        struct log_encoder *encoder = log_encoder_create(&err);
        struct log_decoder *decoder = log_decoder_create(&err);
        struct log_block_search search = {.visit = same, .context = &lines};
        if (!log_block_encode(encoder, &span, 1, streams, 1, &index, &body, &err) ||
            !log_block_walk(decoder, buf_str(&body), 1, &search, &err) || lines.next != lines.count)
                abort();
        log_encoder_destroy(encoder);
        log_decoder_destroy(decoder);
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        char *copy = malloc(count + 1);
        memcpy(copy, bytes, count);
        decode_hostile(copy, count);
        free(copy);
        round_trip((const char *)bytes, count);
        return 0;
}
