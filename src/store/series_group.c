/* series_group.c - see series_group.h. One pass each way; a frame that claims to be larger than any group can be is refused unread. */
#include "store/series_group.h"

#include "base/hash.h"
#include "base/reader.h"
#include "base/scope.h"

#include <stdlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 3
#define PLAIN_BYTES_BOUND ((size_t)64 << 20)

void series_group_done(struct series_group *group)
{
        buf_done(&group->names);
        buf_done(&group->labels);
        buf_done(&group->plain);
}

uint16_t series_group_name(struct str name)
{
        return (uint16_t)((uint32_t)hash64(name) >> 16); /* the high bits of what series are sorted by */
}

static void free_packer(ZSTD_CCtx **zstd)
{
        ZSTD_freeCCtx(*zstd);
}

static bool compress_plain(struct series_group *group)
{
        scoped(free_packer) ZSTD_CCtx *zstd = ZSTD_createCCtx();
        size_t bound = ZSTD_compressBound(group->plain.length);
        buf_clear(&group->labels);
        if (!zstd || !buf_reserve(&group->labels, bound) || ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)))
                return false;
        size_t stored = ZSTD_compress2(zstd, group->labels.bytes, bound, group->plain.bytes, group->plain.length);
        group->labels.length = ZSTD_isError(stored) ? 0 : stored;
        return !ZSTD_isError(stored);
}

bool series_group_pack(const struct new_series *series, size_t count, struct series_group *out, struct err *err)
{
        buf_clear(&out->names);
        buf_clear(&out->plain);
        out->count = 0;
        out->first_id = series->id;
        out->name_min = UINT16_MAX;
        out->name_max = 0;
        for (size_t i = 0; i < count && i < SERIES_GROUP_MAX && series[i].id == series->id + i; i++) {
                if (i && out->plain.length + series[i].packed_labels.length > SERIES_GROUP_BYTES)
                        break;
                uint16_t name = series_group_name(series[i].name);
                out->name_min = min_of(out->name_min, name);
                out->name_max = max_of(out->name_max, name);
                buf_u16(&out->names, name);
                buf_varint(&out->plain, series[i].packed_labels.length);
                buf_add(&out->plain, series[i].packed_labels);
                out->count++;
        }
        return (!out->names.failed && !out->plain.failed && compress_plain(out)) || fail_memory(err, "series_group", out->plain.length);
}

static bool corrupt(struct err *err, uint32_t first_id, const char *why)
{
        return fail(err, ERR_CORRUPT, "series_group", "reading the labels of series %u and those behind it: %s; the day's file is damaged, restore it from a backup",
                    (unsigned)first_id, why);
}

static bool expand(uint32_t first_id, struct str labels, struct buf *plain, struct err *err)
{
        unsigned long long length = ZSTD_getFrameContentSize(labels.bytes, labels.length);
        if (length > PLAIN_BYTES_BOUND) /* errors too */
                return corrupt(err, first_id, "the size of a frame is wrong");
        if (!buf_reserve(plain, (size_t)length + 1))
                return fail_memory(err, "series_group", (size_t)length);
        size_t got = ZSTD_decompress(plain->bytes, (size_t)length, labels.bytes, labels.length);
        if (ZSTD_isError(got) || got != length)
                return corrupt(err, first_id, "a frame does not decompress to its size");
        plain->length = got;
        return true;
}

static uint16_t name_at(struct str names, size_t i)
{
        return (uint16_t)((uint8_t)names.bytes[2 * i] | (uint8_t)names.bytes[2 * i + 1] << 8);
}

static bool has_name(struct str names, uint16_t name)
{
        for (size_t i = 0; i < names.length / 2; i++)
                if (name_at(names, i) == name)
                        return true;
        return false;
}

bool series_group_visit(uint32_t first_id, struct str names, struct str labels, const uint16_t *name,
                        bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err), void *context, struct err *err)
{
        scoped(buf_done) struct buf plain = {0};
        size_t count = names.length / 2;
        if (name && !has_name(names, *name))
                return true;
        if (names.length % 2 || count > SERIES_GROUP_MAX)
                return corrupt(err, first_id, "the list of names is wrong");
        if (!expand(first_id, labels, &plain, err))
                return false;
        struct reader reader = reader_of(buf_str(&plain));
        for (size_t i = 0; i < count; i++) {
                struct str packed = reader_bytes(&reader, reader_varint(&reader));
                if (reader.failed)
                        return corrupt(err, first_id, "it ends too early");
                if ((!name || name_at(names, i) == *name) && !visit(context, first_id + (uint32_t)i, packed, err))
                        return false;
        }
        return reader_left(&reader) == 0 || corrupt(err, first_id, "bytes are left over");
}
