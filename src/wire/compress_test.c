/* compress_test - honest bodies become plain, bombs are refused before they cost memory. */
#include "wire/compress.h"

#include "wire/decode_try.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* window_bits: 15 zlib, -15 bare, 31 gzip. */
static struct str deflated(struct arena *arena, struct str plain, int window_bits)
{
        z_stream stream = {0};
        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
        size_t room = deflateBound(&stream, plain.length) + 64;
        char *out = arena_alloc(arena, room);
        stream.next_in = (Bytef *)plain.bytes;
        stream.avail_in = (uInt)plain.length;
        stream.next_out = (Bytef *)out;
        stream.avail_out = (uInt)room;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        size_t length = stream.total_out;
        deflateEnd(&stream);
        return (struct str){out, length};
}

static struct str zstd(struct arena *arena, struct str plain)
{
        size_t room = ZSTD_compressBound(plain.length);
        char *out = arena_alloc(arena, room);
        size_t length = ZSTD_compress(out, room, plain.bytes, plain.length, 3);
        assert_false(ZSTD_isError(length));
        return (struct str){out, length};
}

static void every_encoding_comes_back_plain(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        scoped(buf_done) struct buf text = {0};
        for (int i = 0; i < 20000; i++)
                buf_printf(&text, "line %d of %d\n", i, i * 7919);
        struct str plain = buf_str(&text), out;
        const struct {
                struct str encoding, body;
        } cases[] = {{STR("gzip"), deflated(&arena, plain, 31)},    {STR("X-GZIP "), deflated(&arena, plain, 31)},
                     {STR("deflate"), deflated(&arena, plain, 15)}, {STR("deflate"), deflated(&arena, plain, -15)},
                     {STR("zstd"), zstd(&arena, plain)},            {STR("identity"), plain},
                     {STR(""), plain}};
        for (size_t i = 0; i < countof(cases); i++) {
                struct err err = {0};
                if (!decompress(cases[i].encoding, cases[i].body, plain.length, &arena, &out, &err))
                        fail_msg("%zu: %s", i, err.message);
                assert_true(str_equal(out, plain));
                assert_false(decompress(cases[i].encoding, cases[i].body, plain.length - 1, &arena, &out, &err));
                assert_int_equal(err.code, ERR_TOO_LARGE);
                if (i >= 5)
                        continue;
                assert_false(decompress(cases[i].encoding, str_slice(cases[i].body, 0, cases[i].body.length / 2), plain.length, &arena, &out, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
}

static void bombs_are_refused_by_their_ratio(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct str zeros = {calloc(1, 32 << 20), 32 << 20}, out;
        struct err err;
        assert_false(decompress(STR("zstd"), zstd(&arena, zeros), 1 << 30, &arena, &out, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_false(decompress(STR("gzip"), deflated(&arena, zeros, 31), 1 << 20, &arena, &out, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        free((char *)zeros.bytes);
}

static void unknown_encodings_and_nonsense_are_named(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct str out;
        struct err err;
        assert_false(decompress(STR("br"), STR("x"), 100, &arena, &out, &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        static const char *const encodings[] = {"gzip", "deflate", "zstd"};
        for (size_t i = 0; i < countof(encodings); i++) {
                assert_false(decompress(str_of(encodings[i]), STR("not compressed"), 100, &arena, &out, &err));
                assert_int_equal(err.code, ERR_INVALID);
                assert_false(decompress(str_of(encodings[i]), STR(""), 100, &arena, &out, &err));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_encoding_comes_back_plain),
                cmocka_unit_test(bombs_are_refused_by_their_ratio),
                cmocka_unit_test(unknown_encodings_and_nonsense_are_named),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
