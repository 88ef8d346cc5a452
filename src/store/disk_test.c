/* disk_test - what is written past the page cache is in the file, byte for byte, wherever the writes begin and end. */
#include "store/disk.h"

#include "base/rng.h"
#include "base/scope.h"
#include "base/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FILE_BYTES ((size_t)12 << 20)

static char folder[SCRATCH_BYTES];

static int make_folder(void **state)
{
        (void)state;
        return scratch_make(folder, "disk");
}

static int remove_folder(void **state)
{
        (void)state;
        return scratch_remove(folder);
}

/* Sizes as of ticks, batches and more than the room between. */
static size_t random_size(struct rng *rng)
{
        static const size_t most[] = {64, 5000, 200000, (size_t)3 << 20};
        return 1 + (size_t)rng_below(rng, most[rng_below(rng, 4)]);
}

static void write_at(struct disk_file *file, const char *mirror, size_t from, size_t count)
{
        struct err err;
        size_t half = count / 3;
        struct iovec parts[] = {{(void *)(mirror + from), half}, {NULL, 0}, {(void *)(mirror + from + half), count - half}};
        if (!disk_writev(file, parts, 3, from, &err) || !disk_sync(file, "test", &err))
                fail_msg("%s", err.message);
}

static void assert_holds(const char *path, const char *mirror, size_t count)
{
        size_t got = 0;
        char *bytes = malloc(count);
        struct disk_file *file = disk_open(disk_real(), path, DISK_READ, NULL);
        assert_true(bytes && file && disk_read(file, bytes, count, 0, &got, NULL));
        assert_int_equal(got, count);
        assert_memory_equal(bytes, mirror, count);
        disk_close(file);
        free(bytes);
}

static void what_goes_past_the_page_cache_is_read_back(void **state)
{
        (void)state;
        char path[SCRATCH_BYTES + 16];
        struct rng rng = {.state = 7};
        char *mirror = malloc(FILE_BYTES);
        snprintf(path, sizeof path, "%s/file", folder);
        struct disk_file *file = disk_open(disk_real(), path, DISK_CREATE, NULL);
        assert_true(mirror && file && disk_allocate(file, FILE_BYTES, NULL));
        for (size_t i = 0; i < FILE_BYTES; i++)
                mirror[i] = (char)rng_u64(&rng);
        write_at(file, mirror, 0, 64); /* a head, through the cache */
        disk_bypass_cache(file);
        size_t end = 64;
        for (size_t count; (count = random_size(&rng)) <= FILE_BYTES - end; end += count)
                write_at(file, mirror, end, count);
        assert_holds(path, mirror, end);
        for (int i = 0; i < 20; i++) { /* a write that failed is tried again from where it began */
                size_t from = 64 + (size_t)rng_below(&rng, end - 64);
                for (size_t at = from; at < end; at++)
                        mirror[at] = (char)rng_u64(&rng);
                write_at(file, mirror, from, end - from);
                assert_holds(path, mirror, end);
        }
        disk_close(file);
        free(mirror);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_goes_past_the_page_cache_is_read_back),
        };
        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
