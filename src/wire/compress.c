/*
 * compress.c - see compress.h. Output grows by doubling as it comes, so that a header that lies about its size costs
 * nothing, and both bounds are looked at before each growth.
 */
#include "wire/compress.h"

#include "base/buf.h"
#include "base/scope.h"

#include <zlib.h>
#include <zstd.h>

#define FREE_BYTES ((size_t)1 << 20) /* the ratio only counts beyond this */
#define STEP_BYTES_MIN ((size_t)16 << 10)

/* How much may come out of a body of this size. */
static size_t bytes_allowed(size_t body, size_t bytes_max)
{
        size_t by_ratio = body > SIZE_MAX / COMPRESS_RATIO_MAX ? SIZE_MAX : body * COMPRESS_RATIO_MAX;
        by_ratio = max_of(by_ratio, FREE_BYTES);
        return min_of(by_ratio, bytes_max);
}

static bool too_large(size_t body, size_t allowed, struct err *err)
{
        return fail(err, ERR_TOO_LARGE, "compress", "a compressed body of %zu bytes is more than %zu bytes when made plain; send "
                    "smaller batches", body, allowed);
}

/* Room for the next piece: as much again, one byte beyond the bound at most, so that reaching it is noticed. */
static bool grow(struct buf *out, size_t allowed, struct err *err)
{
        size_t wanted = max_of(out->length, STEP_BYTES_MIN), piece = min_of(wanted, allowed - out->length + 1);
        return buf_reserve(out, piece) ? true : fail_memory(err, "compress", out->length + piece);
}

static void inflate_done(z_stream *stream)
{
        inflateEnd(stream);
}

/* window_bits chooses the wrapping: 15 + 32 zlib or gzip by its header, -15 none. */
static bool inflate_all(struct str body, int window_bits, size_t allowed, struct buf *out, struct err *err)
{
        scoped(inflate_done) z_stream stream = {0};
        if (inflateInit2(&stream, window_bits) != Z_OK)
                return fail_memory(err, "compress", sizeof stream);
        stream.next_in = (Bytef *)body.bytes;
        stream.avail_in = (uInt)min_of(body.length, (size_t)UINT32_MAX);
        for (;;) {
                if (!grow(out, allowed, err))
                        return false;
                size_t room = min_of(out->capacity - out->length, allowed - out->length + 1);
                stream.next_out = (Bytef *)out->bytes + out->length;
                stream.avail_out = (uInt)min_of(room, (size_t)UINT32_MAX);
                uInt before = stream.avail_out;
                int status = inflate(&stream, Z_NO_FLUSH);
                out->length += before - stream.avail_out;
                if (out->length > allowed)
                        return too_large(body.length, allowed, err);
                if (status == Z_STREAM_END && stream.avail_in && window_bits > 0) /* gzip members may follow one another */
                        status = inflateReset(&stream) == Z_OK ? Z_OK : Z_DATA_ERROR;
                else if (status == Z_STREAM_END)
                        return true;
                if (status != Z_OK || (stream.avail_in == 0 && stream.avail_out))
                        return fail(err, ERR_INVALID, "compress", "the compressed body of %zu bytes is damaged or cut short at byte "
                                    "%zu: %s", body.length, (size_t)stream.total_in, stream.msg ? stream.msg : "no end");
        }
}

static bool plain_gzip(struct str body, size_t allowed, struct buf *out, struct err *err)
{
        return inflate_all(body, 15 + 32, allowed, out, err);
}

/* RFC 9110 means zlib by deflate; some senders send it bare. A zlib header is a multiple of 31. */
static bool plain_deflate(struct str body, size_t allowed, struct buf *out, struct err *err)
{
        const unsigned char *p = (const unsigned char *)body.bytes;
        bool wrapped = body.length >= 2 && (p[0] & 0x0F) == 8 && (p[0] * 256 + p[1]) % 31 == 0;
        return inflate_all(body, wrapped ? 15 : -15, allowed, out, err);
}

static void zstd_done(ZSTD_DCtx **context)
{
        ZSTD_freeDCtx(*context);
}

static bool plain_zstd(struct str body, size_t allowed, struct buf *out, struct err *err)
{
        scoped(zstd_done) ZSTD_DCtx *context = ZSTD_createDCtx();
        if (!context)
                return fail_memory(err, "compress", 0);
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 26); /* 64 MiB: the window is memory a sender chooses */
        ZSTD_inBuffer in = {body.bytes, body.length, 0};
        for (;;) {
                if (!grow(out, allowed, err))
                        return false;
                ZSTD_outBuffer piece = {out->bytes + out->length, min_of(out->capacity - out->length, allowed - out->length + 1), 0};
                size_t status = ZSTD_decompressStream(context, &piece, &in);
                out->length += piece.pos;
                if (ZSTD_isError(status))
                        return fail(err, ERR_INVALID, "compress", "the zstd body of %zu bytes is damaged at byte %zu: %s", body.length,
                                    in.pos, ZSTD_getErrorName(status));
                if (out->length > allowed)
                        return too_large(body.length, allowed, err);
                if (in.pos == in.size && status == 0)
                        return true;
                if (in.pos == in.size && piece.pos < piece.size)
                        return fail(err, ERR_INVALID, "compress", "the zstd body of %zu bytes is cut short", body.length);
        }
}

static bool is_identity(struct str encoding)
{
        return !encoding.length || str_equal_nocase(encoding, STR("identity"));
}

bool decompress(struct str encoding, struct str body, size_t bytes_max, struct arena *arena, struct str *out_plain,
                struct err *err)
{
        static const struct {
                const char *encoding;
                bool (*plain)(struct str body, size_t allowed, struct buf *out, struct err *err);
        } ways[] = {{"gzip", plain_gzip}, {"x-gzip", plain_gzip}, {"deflate", plain_deflate}, {"zstd", plain_zstd}};
        encoding = str_trim(encoding);
        if (is_identity(encoding)) {
                if (body.length > bytes_max)
                        return fail(err, ERR_TOO_LARGE, "compress", "a body of %zu bytes, %zu at most; send smaller batches", body.length,
                                    bytes_max);
                *out_plain = body;
                return true;
        }
        for (size_t i = 0; i < countof(ways); i++) {
                if (!str_equal_nocase(encoding, str_of(ways[i].encoding)))
                        continue;
                scoped(buf_done) struct buf out = {0};
                if (!ways[i].plain(body, bytes_allowed(body.length, bytes_max), &out, err))
                        return false;
                struct str plain = arena_str(arena, buf_str(&out));
                if (!plain.bytes)
                        return fail_memory(err, "compress", out.length);
                *out_plain = plain;
                return true;
        }
        return fail(err, ERR_UNSUPPORTED, "compress", "Content-Encoding: %.*s is not understood; send gzip, deflate, zstd or none",
                    (int)min_of(encoding.length, (size_t)60), encoding.bytes);
}
