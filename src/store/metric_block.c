/*
 * metric_block.c - see metric_block.h. Sealing drives the writer, selects the reader.
 *
 *      index     version u8, varints: series, samples, groups; ids (zigzag differences); the times' section, then for each
 *                group its series and its section; XXH3 of all that
 *      section   varints: lean stored, lean bytes, noise stored, noise bytes; XXH3 of the stored bytes
 *      times     varint columns; for each: samples, bytes; then the columns one after another
 *      group     lean: for each series varints column, lean bytes, noise bytes; then the lean parts. noise: the noise parts
 *
 * "Lean" is what zstd shortens well (differences, high bytes of doubles); "noise" are the low bytes of doubles that have no
 * pattern. Together they would share one Huffman table and spoil it for the lean ones. Stored as it is when zstd gains nothing.
 */
#include "store/metric_block.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"
#include "store/decimal.h"

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>

#define VERSION 1
#define GROUP_BYTES ((size_t)24 << 10) /* before compression; measured, see the decision page */
#define GROUP_SERIES_MAX 256
#define ZSTD_LEVEL 1
#define LEAN_PLANES 2 /* of the eight bytes of a double: sign, exponent and the first four bits after it */
#define EXCEPTION_SHARE 16 /* at most one value in so many may be no decimal, and one more */

enum value_kind { VALUES_CONSTANT = 1, VALUES_STEPS = 2, VALUES_STEADY_STEPS = 3, VALUES_PLANES = 4 };
enum time_kind { TIMES_REGULAR = 1, TIMES_VARYING = 2 };

/* ---- writing ---- */

struct block_writer {
        struct buf *index, *body;
        struct buf columns, column_heads; /* distinct time columns */
        struct map column_map;
        const struct metric_run **column_runs; /* the first run of each column */
        size_t column_count;
        struct buf heads, lean, noise; /* of the group being written */
        struct buf sections;
        size_t group_series, group_count;
        int64_t *mantissas;
        ZSTD_CCtx *zstd;
};

static void writer_done(struct block_writer *writer)
{
        struct buf *bufs[] = {&writer->columns, &writer->column_heads, &writer->heads,
                              &writer->lean,    &writer->noise,        &writer->sections};
        for (size_t i = 0; i < countof(bufs); i++)
                buf_done(bufs[i]);
        map_done(&writer->column_map);
        free(writer->column_runs);
        free(writer->mantissas);
        ZSTD_freeCCtx(writer->zstd);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
        while (b) {
                uint64_t rest = a % b;
                a = b;
                b = rest;
        }
        return a;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
        for (; value >= 0x80; value >>= 7)
                *at++ = (uint8_t)(value | 0x80);
        *at++ = (uint8_t)value;
        return at;
}

static inline unsigned varint_bytes(uint64_t value)
{
        return (unsigned)(70 - __builtin_clzll(value | 1)) / 7;
}

static uint64_t step_at(const int64_t *times_ns, size_t i)
{
        return (uint64_t)times_ns[i] - (uint64_t)times_ns[i - 1];
}

static bool write_column(struct buf *out, const struct metric_run *run)
{
        uint64_t divisor = 0;
        bool regular = true;
        for (size_t i = 1; i < run->count; i++) {
                uint64_t step = step_at(run->times_ns, i);
                assert(run->times_ns[i] > run->times_ns[i - 1]);
                regular = regular && step == step_at(run->times_ns, 1);
                if (divisor != 1 && (!divisor || step % divisor))
                        divisor = gcd(divisor, step);
        }
        buf_varint(out, zigzag(run->times_ns[0]));
        buf_u8(out, regular ? TIMES_REGULAR : TIMES_VARYING);
        if (regular)
                return buf_varint(out, run->count > 1 ? step_at(run->times_ns, 1) : 0);
        buf_varint(out, divisor);
        if (!buf_reserve(out, run->count * 10))
                return false;
        uint8_t *at = (uint8_t *)out->bytes + out->length;
        uint64_t before = 0;
        for (size_t i = 1; i < run->count; i++) {
                uint64_t step = step_at(run->times_ns, i) / divisor;
                at = put_varint(at, zigzag((int64_t)(step - before)));
                before = step;
        }
        out->length = (size_t)((char *)at - out->bytes);
        return true;
}

/* The number of the column with the run's times, written when it is new. */
static bool find_column(struct block_writer *writer, const struct metric_run *run, size_t *out_column)
{
        size_t bytes = run->count * sizeof *run->times_ns, slot = 0;
        uint64_t hash = hash64((struct str){(const char *)run->times_ns, bytes});
        for (uint32_t i = map_first(&writer->column_map, hash, &slot); i != MAP_NONE;
             i = map_next(&writer->column_map, hash, &slot)) {
                const struct metric_run *other = writer->column_runs[i];
                if (other->count == run->count && memcmp(other->times_ns, run->times_ns, bytes) == 0) {
                        *out_column = i;
                        return true;
                }
        }
        size_t before = writer->columns.length;
        if (!write_column(&writer->columns, run) || !map_put(&writer->column_map, hash, (uint32_t)writer->column_count))
                return false;
        writer->column_runs[writer->column_count] = run;
        *out_column = writer->column_count++;
        return buf_varint(&writer->column_heads, run->count) &&
               buf_varint(&writer->column_heads, writer->columns.length - before);
}

static bool write_constant(struct buf *lean, const struct metric_run *run)
{
        for (size_t i = 1; i < run->count; i++)
                if (double_bits(run->values[i]) != double_bits(run->values[0]))
                        return false;
        buf_u8(lean, VALUES_CONSTANT);
        buf_u64(lean, double_bits(run->values[0]));
        return true;
}

/* The least scale at which all values but a few exceptions are exact. A value exact at one scale is at the larger ones
 * too, unless it is too large for them, so one walk upwards finds it and a second one fills in the mantissas. */
static bool find_scale(const struct metric_run *run, unsigned *out_scale)
{
        size_t exceptions = 0, exceptions_max = run->count / EXCEPTION_SHARE + 1;
        unsigned scale = 0;
        int64_t mantissa;
        for (size_t i = 0; i < run->count; i++) {
                unsigned needed = scale;
                while (needed <= DECIMAL_SCALE_MAX && !decimal_of(run->values[i], needed, &mantissa))
                        needed++;
                if (needed <= DECIMAL_SCALE_MAX)
                        scale = needed;
                else if (++exceptions > exceptions_max)
                        return false;
        }
        *out_scale = scale;
        return true;
}

/* Fills in mantissas; an exception repeats the mantissa before it. */
static bool fill_mantissas(const struct metric_run *run, unsigned scale, int64_t *mantissas, struct buf *exceptions,
                           size_t *out_exception_count)
{
        size_t count = 0, last = 0, exceptions_max = run->count / EXCEPTION_SHARE + 1;
        for (size_t i = 0; i < run->count; i++) {
                if (decimal_of(run->values[i], scale, &mantissas[i]))
                        continue;
                mantissas[i] = i ? mantissas[i - 1] : 0;
                if (++count > exceptions_max)
                        return false;
                buf_varint(exceptions, i - last);
                buf_u64(exceptions, double_bits(run->values[i]));
                last = i;
        }
        *out_exception_count = count;
        return true;
}

struct step_shape {
        uint64_t divisor;
        bool steady; /* differences of differences are shorter */
};

static struct step_shape find_shape(const int64_t *mantissas, size_t count)
{
        uint64_t divisor = 0, plain_bytes = 0, steady_bytes = 0;
        int64_t before = 0;
        for (size_t i = 1; i < count; i++) {
                int64_t step = mantissas[i] - mantissas[i - 1];
                uint64_t size = (uint64_t)(step < 0 ? -step : step);
                if (divisor != 1 && (!divisor || size % divisor))
                        divisor = gcd(divisor, size);
                plain_bytes += varint_bytes(zigzag(step));
                steady_bytes += varint_bytes(zigzag(step - before));
                before = step;
        }
        return (struct step_shape){divisor ? divisor : 1, steady_bytes < plain_bytes};
}

static bool write_steps(struct block_writer *writer, const struct metric_run *run, unsigned scale)
{
        struct buf *lean = &writer->lean;
        const int64_t *mantissas = writer->mantissas;
        scoped(buf_done) struct buf exceptions = {0};
        size_t exception_count;
        if (!fill_mantissas(run, scale, writer->mantissas, &exceptions, &exception_count))
                return false;
        struct step_shape shape = find_shape(mantissas, run->count);
        buf_u8(lean, shape.steady ? VALUES_STEADY_STEPS : VALUES_STEPS);
        buf_u8(lean, (uint8_t)scale);
        buf_varint(lean, exception_count);
        buf_add(lean, buf_str(&exceptions));
        buf_varint(lean, shape.divisor);
        buf_varint(lean, zigzag(mantissas[0]));
        lean->failed = lean->failed || exceptions.failed;
        if (!buf_reserve(lean, run->count * 10))
                return true; /* the failure shows in the buffer */
        uint8_t *at = (uint8_t *)lean->bytes + lean->length;
        int64_t before = 0, divisor = (int64_t)shape.divisor;
        for (size_t i = 1; i < run->count; i++) {
                int64_t step = mantissas[i] - mantissas[i - 1];
                if (divisor != 1)
                        step /= divisor;
                at = put_varint(at, zigzag(step - (shape.steady ? before : 0)));
                before = step;
        }
        lean->length = (size_t)((char *)at - lean->bytes);
        return true;
}

/* The n-th bytes of all values together, highest first: signs and exponents are alike, the rest seldom is. */
static void write_planes(struct block_writer *writer, const struct metric_run *run)
{
        buf_u8(&writer->lean, VALUES_PLANES);
        for (unsigned plane = 0; plane < 8; plane++) {
                struct buf *out = plane < LEAN_PLANES ? &writer->lean : &writer->noise;
                if (!buf_reserve(out, run->count))
                        return;
                for (size_t i = 0; i < run->count; i++)
                        out->bytes[out->length + i] = (char)(double_bits(run->values[i]) >> (56 - 8 * plane));
                out->length += run->count;
        }
}

/* Appends the bytes to the body, compressed when that makes them fewer; tells in the sections how many they became. */
static bool write_compressed(struct block_writer *writer, struct str bytes)
{
        size_t bound = ZSTD_compressBound(bytes.length), stored = bytes.length;
        if (!buf_reserve(writer->body, bound))
                return false;
        char *at = writer->body->bytes + writer->body->length;
        if (bytes.length) {
                stored = ZSTD_compressCCtx(writer->zstd, at, bound, bytes.bytes, bytes.length, ZSTD_LEVEL);
                if (ZSTD_isError(stored))
                        return false;
                if (stored + stored / 64 >= bytes.length) { /* not worth decompressing */
                        memcpy(at, bytes.bytes, bytes.length);
                        stored = bytes.length;
                }
        }
        writer->body->length += stored;
        buf_varint(&writer->sections, stored);
        return buf_varint(&writer->sections, bytes.length);
}

static bool write_section(struct block_writer *writer, struct buf *heads, struct buf *lean, struct buf *noise)
{
        size_t start = writer->body->length;
        buf_add(heads, buf_str(lean));
        if (heads->failed || lean->failed || (noise && noise->failed) || !write_compressed(writer, buf_str(heads)) ||
            !write_compressed(writer, noise ? buf_str(noise) : STR("")))
                return false;
        return buf_u64(&writer->sections, hash64((struct str){writer->body->bytes + start, writer->body->length - start}));
}

static bool end_group(struct block_writer *writer)
{
        if (!writer->group_series)
                return true;
        buf_varint(&writer->sections, writer->group_series);
        if (!write_section(writer, &writer->heads, &writer->lean, &writer->noise))
                return false;
        buf_clear(&writer->heads);
        buf_clear(&writer->lean);
        buf_clear(&writer->noise);
        writer->group_series = 0;
        writer->group_count++;
        return true;
}

static bool write_run(struct block_writer *writer, const struct metric_run *run)
{
        size_t lean_before = writer->lean.length, noise_before = writer->noise.length, column;
        unsigned scale;
        assert(run->count);
        if (!find_column(writer, run, &column))
                return false;
        if (!write_constant(&writer->lean, run) && !(find_scale(run, &scale) && write_steps(writer, run, scale)))
                write_planes(writer, run);
        buf_varint(&writer->heads, column);
        buf_varint(&writer->heads, writer->lean.length - lean_before);
        buf_varint(&writer->heads, writer->noise.length - noise_before);
        writer->group_series++;
        bool full = writer->group_series == GROUP_SERIES_MAX || writer->lean.length + writer->noise.length >= GROUP_BYTES;
        return !writer->lean.failed && !writer->noise.failed && (!full || end_group(writer));
}

static bool write_index(struct block_writer *writer, const struct metric_run *runs, size_t count, struct str times_section)
{
        struct buf *index = writer->index;
        size_t start = index->length, samples = 0;
        for (size_t i = 0; i < count; i++)
                samples += runs[i].count;
        buf_u8(index, VERSION);
        buf_varint(index, count);
        buf_varint(index, samples);
        buf_varint(index, writer->group_count);
        for (size_t i = 0; i < count; i++)
                buf_varint(index, zigzag((int64_t)runs[i].id - (i ? (int64_t)runs[i - 1].id : 0)));
        buf_add(index, times_section);
        buf_add(index, buf_str(&writer->sections));
        return !index->failed && buf_u64(index, hash64((struct str){index->bytes + start, index->length - start}));
}

/* The times come first in the body although they are known last, so groups are written behind and both are joined. */
static bool write_all(struct block_writer *writer, const struct metric_run *runs, size_t count)
{
        scoped(buf_done) struct buf groups = {0}, group_sections = {0}, heads = {0};
        struct buf *body = writer->body;
        writer->body = &groups;
        for (size_t i = 0; i < count; i++)
                if (!write_run(writer, &runs[i]))
                        return false;
        if (!end_group(writer))
                return false;
        group_sections = writer->sections;
        writer->sections = (struct buf){0};
        writer->body = body;
        buf_varint(&heads, writer->column_count);
        buf_add(&heads, buf_str(&writer->column_heads));
        if (!write_section(writer, &heads, &writer->columns, NULL) || !buf_add(body, buf_str(&groups)))
                return false;
        scoped(buf_done) struct buf times_section = writer->sections;
        writer->sections = group_sections;
        group_sections = (struct buf){0};
        return write_index(writer, runs, count, buf_str(&times_section));
}

bool metric_block_encode(const struct metric_run *runs, size_t count, struct buf *out_index, struct buf *out_body,
                         struct err *err)
{
        size_t longest = 0, samples = 0;
        for (size_t i = 0; i < count; i++) {
                longest = max_of(longest, runs[i].count);
                samples += runs[i].count;
        }
        if (samples > METRIC_BLOCK_SAMPLES_MAX || count > METRIC_BLOCK_SERIES_MAX)
                return fail(err, ERR_TOO_LARGE, "metric block", "%zu samples of %zu series are too many for one block", samples, count);
        scoped(writer_done) struct block_writer writer = {.index = out_index, .body = out_body};
        writer.zstd = ZSTD_createCCtx();
        writer.mantissas = malloc((longest + 1) * sizeof *writer.mantissas);
        writer.column_runs = malloc((count + 1) * sizeof *writer.column_runs);
        if (!writer.zstd || !writer.mantissas || !writer.column_runs || !write_all(&writer, runs, count))
                return fail_memory(err, "metric block", samples * sizeof(double));
        return true;
}

/* ---- reading ---- */

static bool corrupt(struct err *err, const char *what)
{
        return fail(err, ERR_CORRUPT, "metric block", "the stored bytes are damaged: %s", what);
}

static bool checksum_holds(struct str bytes, uint64_t checksum)
{
#ifdef METRIC_BLOCK_TRUSTS_CHECKSUMS /* the fuzz target, which wants to get behind them */
        (void)bytes, (void)checksum;
        return true;
#else
        return hash64(bytes) == checksum;
#endif
}

static bool read_section(struct reader *reader, size_t *bytes_left, size_t *offset, struct metric_section *section)
{
        section->offset = *offset;
        section->lean_stored = reader_varint(reader);
        section->lean_bytes = reader_varint(reader);
        section->noise_stored = reader_varint(reader);
        section->noise_bytes = reader_varint(reader);
        section->checksum = reader_u64(reader);
        if (section->lean_bytes > *bytes_left || section->noise_bytes > *bytes_left - section->lean_bytes ||
            section->lean_stored > section->lean_bytes || section->noise_stored > section->noise_bytes)
                return false;
        *bytes_left -= section->lean_bytes + section->noise_bytes;
        *offset += section->lean_stored + section->noise_stored;
        return !reader->failed;
}

static bool read_ids(struct reader *reader, struct arena *arena, struct metric_index *index)
{
        uint32_t *ids = arena_alloc(arena, (index->series_count + 1) * sizeof *ids);
        if (!ids)
                return false;
        uint64_t id = 0;
        for (size_t i = 0; i < index->series_count; i++) {
                id += (uint64_t)zigzag_back(reader_varint(reader));
                ids[i] = (uint32_t)id;
                reader->failed = reader->failed || id > UINT32_MAX;
        }
        index->ids = ids;
        return true;
}

static bool read_groups(struct reader *reader, struct arena *arena, struct metric_index *index)
{
        struct metric_section *groups = arena_alloc(arena, (index->group_count + 1) * sizeof *groups);
        size_t offset = 0, series = 0;
        size_t bytes_left = index->samples * 20 + index->series_count * 96 + 64; /* what the writer can have written */
        if (!groups)
                return false;
        reader->failed = reader->failed || !read_section(reader, &bytes_left, &offset, &index->times);
        for (size_t i = 0; i < index->group_count && !reader->failed; i++) {
                groups[i].series = reader_varint(reader);
                if (!read_section(reader, &bytes_left, &offset, &groups[i]) || groups[i].series > index->series_count - series)
                        reader->failed = true;
                else
                        series += groups[i].series;
        }
        reader->failed = reader->failed || series != index->series_count || reader_left(reader);
        index->groups = groups;
        return true;
}

bool metric_index_read(struct str bytes, struct arena *arena, struct metric_index *out_index, struct err *err)
{
        if (bytes.length < 9)
                return corrupt(err, "the index is cut");
        struct reader last = reader_of(str_slice(bytes, bytes.length - 8, bytes.length));
        bytes.length -= 8;
        if (!checksum_holds(bytes, reader_u64(&last)))
                return corrupt(err, "the checksum of the index does not hold");
        struct reader reader = reader_of(bytes);
        uint8_t version = reader_u8(&reader);
        if (version != VERSION)
                return fail(err, ERR_UNSUPPORTED, "metric block", "the block has format %u, this program reads %d; use a newer program",
                            version, VERSION);
        struct metric_index index = {.series_count = reader_varint(&reader)};
        index.samples = reader_varint(&reader);
        index.group_count = reader_varint(&reader);
        /* Every series and group takes bytes of the index, so these bounds bound the memory by the input. */
        if (index.series_count > reader_left(&reader) || index.group_count > reader_left(&reader) / 13 ||
            index.samples > METRIC_BLOCK_SAMPLES_MAX)
                return corrupt(err, "the index counts more than there is");
        if (!read_ids(&reader, arena, &index) || !read_groups(&reader, arena, &index))
                return fail_memory(err, "metric block", bytes.length);
        if (reader.failed)
                return corrupt(err, "the index does not add up");
        *out_index = index;
        return true;
}

struct column {
        size_t count;
        struct str bytes;
        const int64_t *times_ns; /* once decoded */
};

struct block_reader {
        const struct metric_index *index;
        struct str body;
        struct arena *arena;
        struct column *columns;
        size_t column_count;
        double *values; /* room for the longest column */
        ZSTD_DCtx *zstd;
        struct err *err;
};

static bool memory_ran_out(struct block_reader *block, size_t bytes)
{
        return fail_memory(block->err, "metric block", bytes);
}

static bool expand(struct block_reader *block, struct str stored, size_t bytes, struct str *out_bytes)
{
        if (stored.length == bytes) {
                *out_bytes = stored;
                return true;
        }
        char *to = arena_alloc(block->arena, bytes);
        if (!to)
                return memory_ran_out(block, bytes);
        size_t got = ZSTD_decompressDCtx(block->zstd, to, bytes, stored.bytes, stored.length);
        if (ZSTD_isError(got) || got != bytes)
                return corrupt(block->err, "a group does not decompress to its size");
        *out_bytes = (struct str){to, bytes};
        return true;
}

static bool open_section(struct block_reader *block, const struct metric_section *section, struct str *out_lean,
                         struct str *out_noise)
{
        size_t stored = section->lean_stored + section->noise_stored;
        if (section->offset > block->body.length || stored > block->body.length - section->offset)
                return corrupt(block->err, "the body is cut");
        struct str bytes = {block->body.bytes + section->offset, stored};
        if (!checksum_holds(bytes, section->checksum))
                return corrupt(block->err, "the checksum of a group does not hold");
        return expand(block, str_slice(bytes, 0, section->lean_stored), section->lean_bytes, out_lean) &&
               expand(block, str_slice(bytes, section->lean_stored, stored), section->noise_bytes, out_noise);
}

static bool open_columns(struct block_reader *block)
{
        struct str lean, noise;
        if (!open_section(block, &block->index->times, &lean, &noise))
                return false;
        struct reader reader = reader_of(lean);
        size_t count = reader_varint(&reader), longest = 0, samples_left = block->index->samples;
        if (count > reader_left(&reader) / 2)
                return corrupt(block->err, "more time columns than bytes");
        struct column *columns = arena_array(block->arena, count + 1, sizeof *columns);
        if (!columns)
                return memory_ran_out(block, count * sizeof *columns);
        for (size_t i = 0; i < count; i++) {
                columns[i].count = reader_varint(&reader);
                columns[i].bytes.length = reader_varint(&reader);
                if (columns[i].count == 0 || columns[i].count > samples_left)
                        return corrupt(block->err, "the time columns count more samples than the block");
                samples_left -= columns[i].count;
                longest = max_of(longest, columns[i].count);
        }
        for (size_t i = 0; i < count; i++)
                columns[i].bytes = reader_bytes(&reader, columns[i].bytes.length);
        if (reader.failed)
                return corrupt(block->err, "the time columns are cut");
        block->columns = columns;
        block->column_count = count;
        block->values = arena_alloc(block->arena, (longest + 1) * sizeof *block->values);
        return block->values || memory_ran_out(block, longest * sizeof *block->values);
}

/* As reader_varint, but quick for the single bytes that most are. */
static inline uint64_t next_varint(struct reader *reader)
{
        if (reader->next < reader->end && !(*reader->next & 0x80))
                return (uint8_t)*reader->next++;
        return reader_varint(reader);
}

static bool decode_times(const struct column *column, int64_t *times_ns)
{
        struct reader reader = reader_of(column->bytes);
        uint64_t time = (uint64_t)zigzag_back(reader_varint(&reader)), step = 0;
        uint8_t kind = reader_u8(&reader);
        uint64_t by = reader_varint(&reader); /* the step itself, or what steps are multiples of */
        times_ns[0] = (int64_t)time;
        for (size_t i = 1; i < column->count && !reader.failed; i++) {
                if (kind == TIMES_VARYING)
                        step += (uint64_t)zigzag_back(next_varint(&reader));
                time += kind == TIMES_VARYING ? step * by : by;
                times_ns[i] = (int64_t)time;
                reader.failed = reader.failed || times_ns[i] <= times_ns[i - 1];
        }
        return !reader.failed && !reader_left(&reader) && (kind == TIMES_REGULAR || kind == TIMES_VARYING);
}

static bool column_times(struct block_reader *block, struct column *column, const int64_t **out_times_ns)
{
        if (!column->times_ns) {
                int64_t *times_ns = arena_alloc(block->arena, column->count * sizeof *times_ns);
                if (!times_ns)
                        return memory_ran_out(block, column->count * sizeof *times_ns);
                if (!decode_times(column, times_ns))
                        return corrupt(block->err, "a time column does not add up");
                column->times_ns = times_ns;
        }
        *out_times_ns = column->times_ns;
        return true;
}

static bool decode_steps(struct reader *lean, bool steady, size_t count, double *values)
{
        uint8_t scale = reader_u8(lean);
        uint64_t exception_count = reader_varint(lean);
        struct reader exceptions = *lean;
        if (lean->failed || scale > DECIMAL_SCALE_MAX || exception_count > count)
                return false;
        for (uint64_t i = 0; i < exception_count; i++) {
                reader_varint(lean);
                reader_u64(lean);
        }
        uint64_t divisor = reader_varint(lean), mantissa = (uint64_t)zigzag_back(reader_varint(lean)), step = 0;
        values[0] = decimal_value((int64_t)mantissa, scale);
        for (size_t i = 1; i < count; i++) {
                uint64_t change = (uint64_t)zigzag_back(next_varint(lean));
                step = steady ? step + change : change;
                mantissa += step * divisor;
                values[i] = decimal_value((int64_t)mantissa, scale);
        }
        size_t at = 0;
        for (uint64_t i = 0; i < exception_count; i++) {
                uint64_t by = reader_varint(&exceptions), bits = reader_u64(&exceptions);
                if (exceptions.failed || by >= count - at)
                        return false;
                values[at += by] = double_of_bits(bits);
        }
        return !lean->failed && !reader_left(lean);
}

static bool decode_planes(struct reader *lean, struct reader *noise, size_t count, double *values)
{
        struct str high = reader_bytes(lean, LEAN_PLANES * count), low = reader_bytes(noise, (8 - LEAN_PLANES) * count);
        if (lean->failed || noise->failed)
                return false;
        const uint8_t *planes[8];
        for (size_t plane = 0; plane < 8; plane++)
                planes[plane] = (const uint8_t *)(plane < LEAN_PLANES ? high.bytes + plane * count
                                                                      : low.bytes + (plane - LEAN_PLANES) * count);
        for (size_t i = 0; i < count; i++) {
                uint64_t bits = 0;
                for (size_t plane = 0; plane < 8; plane++)
                        bits = bits << 8 | planes[plane][i];
                values[i] = double_of_bits(bits);
        }
        return !reader_left(lean) && !reader_left(noise);
}

static bool decode_values(struct str lean_bytes, struct str noise_bytes, size_t count, double *values)
{
        struct reader lean = reader_of(lean_bytes), noise = reader_of(noise_bytes);
        uint8_t kind = reader_u8(&lean);
        if (kind == VALUES_PLANES)
                return decode_planes(&lean, &noise, count, values);
        if (reader_left(&noise))
                return false;
        if (kind == VALUES_STEPS || kind == VALUES_STEADY_STEPS)
                return decode_steps(&lean, kind == VALUES_STEADY_STEPS, count, values);
        double value = double_of_bits(reader_u64(&lean));
        for (size_t i = 0; i < count; i++)
                values[i] = value;
        return kind == VALUES_CONSTANT && !lean.failed && !reader_left(&lean);
}

struct group_head {
        size_t column, lean_bytes, noise_bytes;
};

static bool read_group(struct block_reader *block, const struct metric_section *group, size_t first_place,
                       const bool *wanted, metric_visit_fn *visit, void *context)
{
        struct str lean_bytes, noise_bytes;
        if (!open_section(block, group, &lean_bytes, &noise_bytes))
                return false;
        struct reader lean = reader_of(lean_bytes), noise = reader_of(noise_bytes);
        struct group_head *heads = arena_alloc(block->arena, (group->series + 1) * sizeof *heads);
        if (!heads)
                return memory_ran_out(block, group->series * sizeof *heads);
        for (size_t i = 0; i < group->series; i++) {
                heads[i].column = reader_varint(&lean);
                heads[i].lean_bytes = reader_varint(&lean);
                heads[i].noise_bytes = reader_varint(&lean);
        }
        for (size_t i = 0; i < group->series; i++) {
                const int64_t *times_ns = NULL;
                struct str series_lean = reader_bytes(&lean, heads[i].lean_bytes);
                struct str series_noise = reader_bytes(&noise, heads[i].noise_bytes);
                if (lean.failed || noise.failed || heads[i].column >= block->column_count)
                        return corrupt(block->err, "a group is cut");
                if (wanted && !wanted[first_place + i])
                        continue;
                struct column *column = &block->columns[heads[i].column];
                if (!column_times(block, column, &times_ns))
                        return false;
                if (!decode_values(series_lean, series_noise, column->count, block->values))
                        return corrupt(block->err, "the values of a series do not add up");
                if (!visit(context, first_place + i, times_ns, block->values, column->count, block->err))
                        return false;
        }
        return true;
}

static bool any_wanted(const bool *wanted, size_t first, size_t count)
{
        return !wanted || memchr(wanted + first, true, count);
}

static void free_zstd(ZSTD_DCtx **zstd)
{
        ZSTD_freeDCtx(*zstd);
}

bool metric_block_read(const struct metric_index *index, struct str body, const bool *wanted, struct arena *arena,
                       metric_visit_fn *visit, void *context, struct err *err)
{
        if (!any_wanted(wanted, 0, index->series_count))
                return true;
        scoped(free_zstd) ZSTD_DCtx *zstd = ZSTD_createDCtx();
        struct block_reader block = {.index = index, .body = body, .arena = arena, .zstd = zstd, .err = err};
        if (!zstd)
                return memory_ran_out(&block, 1);
        if (!open_columns(&block))
                return false;
        size_t place = 0;
        for (size_t i = 0; i < index->group_count; i++) {
                if (any_wanted(wanted, place, index->groups[i].series) &&
                    !read_group(&block, &index->groups[i], place, wanted, visit, context))
                        return false;
                place += index->groups[i].series;
        }
        return true;
}
