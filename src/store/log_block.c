/*
 * log_block.c - packs records into a block; see log_block.h and log_block_format.h. log_block_read.c is the way back.
 *
 * Machines write their lines from few templates. Cutting each line into skeleton and variables (skeleton.h) leaves a
 * small dictionary and columns of numbers, which zstd's fastest level then packs to about half of what it makes of the
 * text, in less time, because most bytes never reach it. Lines whose skeleton stands alone go into the dictionary as
 * they are ("literals"); when nearly all are such, the rest of the block is not even cut and the block becomes plain zstd.
 *
 *      pass 1  scan, cut, look up the skeleton, append its variables in row order
 *      pass 2  number templates by how often they stand there, gather each one's variables column by column, compress
 */
#include "store/log_block_format.h"

#include "base/hash.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "store/log_column.h"

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 1
#define NO_TEMPLATE UINT32_MAX
#define PLACES 16 /* columns gathered at a time */
#define AHEAD 12  /* rows fetched before they are turned */

struct template {
        const char *text;       /* in encoder.texts */
        uint32_t length, variables;
        uint32_t hash;
        uint32_t count;         /* parts that have it */
        uint32_t number;        /* 0: its only part is a literal */
        uint32_t first;         /* of its parts in encoder.variables_at */
};

/* A head or a tail. */
struct part {
        const char *bytes;
        uint32_t length, template, variables_at;
};

/* A part as it looks with its digits masked; parts that look the same need not be cut again. */
struct shape {
        uint64_t hash;
        uint32_t template, block;       /* of which block it is: the encoder's count */
        uint16_t length;
        struct skeleton_layout layout;
        char masked[SKELETON_LAYOUT_BYTES];
};

#define SHAPES 1024

struct log_encoder {
        struct shape *shapes;
        uint32_t block;
        struct part *parts;             /* two a row */
        size_t part_capacity;
        uint64_t *values;               /* all variables in row order */
        uint8_t *widths;
        size_t variable_count, variable_capacity;
        char *texts;                    /* skeletons, one after the other */
        size_t text_length, text_capacity;
        struct template *templates;
        size_t template_count, template_capacity;
        uint32_t *slots;                /* hash table of templates; NO_TEMPLATE: empty */
        size_t slot_count;
        uint32_t *order, *variables_at; /* of templates' parts, template by template */
        uint64_t *column, *column2;
        size_t column_capacity;
        uint64_t *turned;               /* up to PLACES columns of one template */
        struct buf frames[LOG_FRAMES], streams, columns, stored;
        uint8_t words[LOG_WORDS_BYTES_MAX];
        ZSTD_CCtx *zstd;
};

struct log_encoder *log_encoder_create(struct err *err)
{
        struct log_encoder *encoder = calloc(1, sizeof *encoder);
        if (encoder) {
                encoder->zstd = ZSTD_createCCtx();
                encoder->shapes = calloc(SHAPES, sizeof *encoder->shapes);
        }
        if (encoder && encoder->zstd && encoder->shapes)
                return encoder;
        log_encoder_destroy(encoder);
        fail_memory(err, "log_block", SHAPES * sizeof *encoder->shapes);
        return NULL;
}

void log_encoder_destroy(struct log_encoder *encoder)
{
        if (!encoder)
                return;
        free(encoder->shapes);
        free(encoder->parts);
        free(encoder->values);
        free(encoder->widths);
        free(encoder->texts);
        free(encoder->templates);
        free(encoder->slots);
        free(encoder->order);
        free(encoder->variables_at);
        free(encoder->column);
        free(encoder->column2);
        free(encoder->turned);
        for (int i = 0; i < LOG_FRAMES; i++)
                buf_done(&encoder->frames[i]);
        buf_done(&encoder->streams);
        buf_done(&encoder->columns);
        buf_done(&encoder->stored);
        ZSTD_freeCCtx(encoder->zstd);
        free(encoder);
}

static bool grow(void *items, size_t item_bytes, size_t capacity)
{
        void **place = items;
        void *grown = realloc(*place, item_bytes * capacity);
        if (grown)
                *place = grown;
        return grown != NULL;
}

/* Room for a block of this many rows and bytes: every table at its largest, so that pass 1 need not ask. A line's
 * variables and its skeleton are never longer than the line. */
static bool reserve(struct log_encoder *encoder, size_t rows, size_t bytes)
{
        size_t parts = rows * 2, room = bytes + SKELETON_SLACK;
        if (encoder->part_capacity < parts) {
                if (!grow(&encoder->parts, sizeof *encoder->parts, parts) ||
                    !grow(&encoder->variables_at, sizeof *encoder->variables_at, parts) ||
                    !grow(&encoder->order, sizeof *encoder->order, parts) ||
                    !grow(&encoder->templates, sizeof *encoder->templates, parts + 1) ||
                    !grow(&encoder->column, sizeof *encoder->column, parts) ||
                    !grow(&encoder->column2, sizeof *encoder->column2, parts) ||
                    !grow(&encoder->turned, sizeof *encoder->turned, (parts + 8) * PLACES))
                        return false;
                encoder->part_capacity = parts;
        }
        if (encoder->text_capacity < room) {
                if (!grow(&encoder->texts, 1, room))
                        return false;
                encoder->text_capacity = room;
        }
        if (encoder->variable_capacity < bytes + SKELETON_SLACK) {
                if (!grow(&encoder->values, sizeof *encoder->values, bytes + SKELETON_SLACK) ||
                    !grow(&encoder->widths, 1, bytes + SKELETON_SLACK))
                        return false;
                encoder->variable_capacity = bytes + SKELETON_SLACK;
        }
        return true;
}

static bool set_slots(struct log_encoder *encoder, size_t count)
{
        if (encoder->slot_count < count) {
                if (!grow(&encoder->slots, sizeof *encoder->slots, count))
                        return false;
        }
        encoder->slot_count = count;
        memset(encoder->slots, 0xFF, count * sizeof *encoder->slots);
        for (size_t i = 0; i < encoder->template_count; i++) {
                size_t at = encoder->templates[i].hash & (count - 1);
                while (encoder->slots[at] != NO_TEMPLATE)
                        at = (at + 1) & (count - 1);
                encoder->slots[at] = (uint32_t)i;
        }
        return true;
}

/* The template of the skeleton that stands at the end of texts, added when new; NO_TEMPLATE: no memory. */
static uint32_t find_template(struct log_encoder *encoder, const struct skeleton *skeleton)
{
        uint32_t hash = (uint32_t)hash64((struct str){skeleton->text, skeleton->length});
        size_t mask = encoder->slot_count - 1, at = hash & mask;
        for (; encoder->slots[at] != NO_TEMPLATE; at = (at + 1) & mask) {
                struct template *template = &encoder->templates[encoder->slots[at]];
                if (template->hash == hash && template->length == skeleton->length &&
                    memcmp(template->text, skeleton->text, skeleton->length) == 0) {
                        template->count++;
                        return encoder->slots[at];
                }
        }
        uint32_t index = (uint32_t)encoder->template_count++;
        encoder->templates[index] = (struct template){skeleton->text, (uint32_t)skeleton->length,
                                                      (uint32_t)skeleton->count, hash, 1, 0, 0};
        encoder->text_length += skeleton->length;
        encoder->slots[at] = index;
        if (encoder->template_count * 2 > encoder->slot_count && !set_slots(encoder, encoder->slot_count * 2))
                return NO_TEMPLATE;
        return index;
}

static bool shape_fits(const struct log_encoder *encoder, const struct shape *shape, uint64_t hash, struct str masked)
{
        return shape->block == encoder->block && shape->hash == hash && shape->length == masked.length &&
               memcmp(shape->masked, masked.bytes, masked.length) == 0;
}

static bool cut_part(struct log_encoder *encoder, struct str line, const struct skeleton_scan *scan, size_t from,
                     size_t to, struct part *part)
{
        *part = (struct part){line.bytes + from, (uint32_t)(to - from), 0, (uint32_t)encoder->variable_count};
        if (from == to) {
                encoder->templates[0].count++;
                return true;
        }
        char masked[SKELETON_LAYOUT_BYTES + SKELETON_SLACK];
        struct str text = {part->bytes, part->length};
        bool small = part->length <= SKELETON_LAYOUT_BYTES;
        struct shape *shape = NULL;
        uint64_t hash = 0;
        if (small) {
                skeleton_mask(text, masked);
                hash = hash64((struct str){masked, text.length});
                shape = &encoder->shapes[hash % SHAPES];
                if (shape_fits(encoder, shape, hash, (struct str){masked, text.length}) &&
                    skeleton_read(&shape->layout, text.bytes, encoder->values + encoder->variable_count,
                                  encoder->widths + encoder->variable_count)) {
                        encoder->variable_count += shape->layout.count;
                        encoder->templates[shape->template].count++;
                        part->template = shape->template;
                        return true;
                }
        }
        struct skeleton skeleton = {.text = encoder->texts + encoder->text_length,
                                    .values = encoder->values + encoder->variable_count,
                                    .widths = encoder->widths + encoder->variable_count};
        skeleton_cut(line, scan, from, to, &skeleton);
        encoder->variable_count += skeleton.count;
        part->template = find_template(encoder, &skeleton);
        if (small && part->template != NO_TEMPLATE && skeleton_layout(&skeleton, &shape->layout)) {
                shape->hash = hash;
                shape->template = part->template;
                shape->block = encoder->block;
                shape->length = (uint16_t)text.length;
                memcpy(shape->masked, masked, text.length);
        } else if (small) {
                shape->block = 0; /* its layout may be overwritten */
        }
        return part->template != NO_TEMPLATE;
}

/* Pays cutting off? Asked once, when enough rows were seen. */
#define TRIAL_ROWS 1024

static bool cut_rows(struct log_encoder *encoder, const struct log_span *spans, size_t span_count)
{
        encoder->variable_count = encoder->text_length = 0;
        if (++encoder->block == 0) { /* numbers ran out: forget all shapes */
                memset(encoder->shapes, 0, SHAPES * sizeof *encoder->shapes);
                encoder->block = 1;
        }
        encoder->templates[0] = (struct template){.text = encoder->texts, .hash = (uint32_t)hash64(STR(""))};
        encoder->template_count = 1;
        if (!set_slots(encoder, 1024))
                return false;
        size_t row = 0;
        bool cutting = true;
        for (size_t s = 0; s < span_count; s++) {
                for (size_t i = 0; i < spans[s].count; i++, row++) {
                        const struct log_entry *entry = &spans[s].entries[i];
                        struct str line = {entry->text, entry->line_length};
                        struct part *part = &encoder->parts[row * 2];
                        struct skeleton_scan scan;
                        if (cutting && skeleton_scan(line, &scan)) {
                                if (!cut_part(encoder, line, &scan, 0, scan.cut, part) ||
                                    !cut_part(encoder, line, &scan, scan.cut, line.length, part + 1))
                                        return false;
                        } else {
                                part[0] = (struct part){line.bytes, 0, 0, 0};
                                part[1] = (struct part){line.bytes, entry->line_length, NO_TEMPLATE, 0};
                                encoder->templates[0].count++;
                        }
                        if (row + 1 == TRIAL_ROWS)
                                cutting = encoder->template_count < TRIAL_ROWS * 3 / 4;
                }
        }
        return true;
}

static int by_count(const void *a, const void *b, void *context)
{
        const struct template *templates = context;
        const struct template *left = &templates[*(const uint32_t *)a], *right = &templates[*(const uint32_t *)b];
        if (left->count != right->count)
                return left->count < right->count ? 1 : -1;
        return left < right ? -1 : left > right;
}

/* Numbers templates, most frequent first; gives how many there are. Those with one part only become literals. */
static size_t number_templates(struct log_encoder *encoder, size_t rows)
{
        size_t kept = 0;
        for (uint32_t i = 0; i < encoder->template_count; i++)
                if (encoder->templates[i].count > 1)
                        encoder->order[kept++] = i;
        qsort_r(encoder->order, kept, sizeof *encoder->order, by_count, encoder->templates);
        uint32_t first = 0;
        for (size_t i = 0; i < kept; i++) {
                struct template *template = &encoder->templates[encoder->order[i]];
                template->number = (uint32_t)i + 1;
                template->first = first;
                first += template->count;
                template->count = 0;
        }
        for (size_t i = 0; i < rows * 2; i++) {
                uint32_t index = encoder->parts[i].template;
                struct template *template = index == NO_TEMPLATE ? NULL : &encoder->templates[index];
                if (template && template->number)
                        encoder->variables_at[template->first + template->count++] = encoder->parts[i].variables_at;
        }
        return kept;
}

static inline uint32_t part_number(const struct log_encoder *encoder, const struct part *part)
{
        return part->template == NO_TEMPLATE ? 0 : encoder->templates[part->template].number;
}

static bool write_dictionary(struct log_encoder *encoder, size_t template_count, size_t rows)
{
        struct buf *out = &encoder->frames[0];
        size_t literals = 0;
        for (size_t i = 0; i < template_count; i++)
                encoder->column[i] = encoder->templates[encoder->order[i]].length;
        for (size_t i = 0; i < rows * 2; i++)
                if (!part_number(encoder, &encoder->parts[i]))
                        encoder->column2[literals++] = encoder->parts[i].length;
        buf_varint(out, template_count);
        buf_varint(out, literals);
        log_column_put(out, encoder->column, template_count);
        log_column_put(out, encoder->column2, literals);
        for (size_t i = 0; i < template_count; i++) {
                struct template *template = &encoder->templates[encoder->order[i]];
                buf_append(out, template->text, template->length);
        }
        for (size_t i = 0; i < rows * 2; i++)
                if (!part_number(encoder, &encoder->parts[i]))
                        buf_append(out, encoder->parts[i].bytes, encoder->parts[i].length);
        return !out->failed;
}

/* Fills encoder.column with what `of` makes of each row, and writes it. */
#define WRITE_COLUMN(of)                                                                                               \
        do {                                                                                                           \
                size_t row = 0;                                                                                        \
                for (size_t s = 0; s < span_count; s++)                                                                \
                        for (const struct log_entry *entry = spans[s].entries, *end = entry + spans[s].count;          \
                             entry < end; entry++, row++)                                                              \
                                encoder->column[row] = (of);                                                           \
                log_column_put(out, encoder->column, row);                                                             \
        } while (0)

/* The symbol for a number where the last one under the same key is the most likely: 0 for it, else the number + 1. */
static inline uint64_t repeated(uint64_t *last, uint64_t number)
{
        bool again = *last == number;
        *last = number;
        return again ? 0 : number + 1;
}

/* The largest of these that divides all times. */
static uint64_t time_unit(const struct log_span *spans, size_t span_count)
{
        static const int64_t units[] = {1000000000, 1000000, 1000};
        size_t at = 0;
        for (size_t s = 0; s < span_count; s++)
                for (size_t i = 0; i < spans[s].count; i++)
                        while (at < countof(units) && spans[s].entries[i].time_ns % units[at])
                                at++;
        return at < countof(units) ? (uint64_t)units[at] : 1;
}

static bool write_rows(struct log_encoder *encoder, const struct log_span *spans, size_t span_count,
                       size_t stream_count, size_t template_count)
{
        struct buf *out = &encoder->frames[1];
        uint64_t *last_head = encoder->column2, *last_severity = calloc(template_count + 1, sizeof *last_severity);
        if (!last_severity)
                return false;
        assert(stream_count <= encoder->part_capacity);
        memset(last_head, 0, stream_count * sizeof *last_head);
        const struct part *parts = encoder->parts;
        WRITE_COLUMN(repeated(&last_head[entry->stream->number], part_number(encoder, &parts[row * 2])));
        WRITE_COLUMN(part_number(encoder, &parts[row * 2 + 1]));
        WRITE_COLUMN(entry->stream->number);
        WRITE_COLUMN(repeated(&last_severity[part_number(encoder, &parts[row * 2 + 1])], entry->severity));
        WRITE_COLUMN(entry->id >> ITEM_ORDINAL_BITS);
        WRITE_COLUMN(entry->id & ((1u << ITEM_ORDINAL_BITS) - 1));
        int64_t unit = (int64_t)time_unit(spans, span_count);
        buf_varint(out, (uint64_t)unit);
        WRITE_COLUMN((uint64_t)(entry->time_ns / unit));
        WRITE_COLUMN(entry->attributes_length);
        for (size_t s = 0; s < span_count; s++)
                for (size_t i = 0; i < spans[s].count; i++)
                        if (spans[s].entries[i].attributes_length)
                                buf_append(out, spans[s].entries[i].text + spans[s].entries[i].line_length,
                                           spans[s].entries[i].attributes_length);
        free(last_severity);
        return !out->failed;
}

/* One place of a template: what its column needs to know of its values. */
struct place {
        uint64_t least, most;
        uint8_t all_widths, first_width, differ;
};

/* Turns the rows of a template's variables into columns, `stride` apart, and notes their bounds: one walk over memory
 * that is read row by row. */
static void turn(struct log_encoder *encoder, const struct template *template, size_t from, size_t places, size_t stride,
                 struct place *out_places)
{
        const uint32_t *variables_at = encoder->variables_at + template->first;
        for (size_t p = 0; p < places; p++)
                out_places[p] = (struct place){UINT64_MAX, 0, 0, encoder->widths[variables_at[0] + from + p], 0};
        for (size_t i = 0; i < template->count; i++) {
                size_t at = variables_at[i] + from;
                if (i + AHEAD < template->count) {
                        __builtin_prefetch(encoder->values + variables_at[i + AHEAD] + from);
                        __builtin_prefetch(encoder->widths + variables_at[i + AHEAD] + from);
                }
                const uint64_t *values = encoder->values + at;
                const uint8_t *widths = encoder->widths + at;
                for (size_t p = 0; p < places; p++) {
                        struct place *place = &out_places[p];
                        encoder->turned[p * stride + i] = values[p];
                        place->least = min_of(place->least, values[p]);
                        place->most = max_of(place->most, values[p]);
                        place->all_widths |= widths[p];
                        place->differ |= widths[p] ^ place->first_width;
                }
        }
}

/* Padding of more than one length: the widths are a column of their own. */
static bool write_mixed_widths(struct log_encoder *encoder, const struct template *template, size_t place, struct buf *out)
{
        for (size_t i = 0; i < template->count; i++) {
                size_t at = encoder->variables_at[template->first + i] + place;
                encoder->column2[i] = encoder->widths[at] & ~SKELETON_PADDED;
        }
        return log_column_put(out, encoder->column2, template->count);
}

static bool write_template(struct log_encoder *encoder, const struct template *template, struct buf *out)
{
        size_t stride = template->count + 8; /* not all columns in one set of the cache */
        for (size_t from = 0; from < template->variables; from += PLACES) {
                struct place places[PLACES];
                size_t count = min_of((size_t)template->variables - from, (size_t)PLACES);
                turn(encoder, template, from, count, stride, places);
                for (size_t p = 0; p < count; p++) {
                        bool natural = !(places[p].all_widths & SKELETON_PADDED), same = !(places[p].differ & ~SKELETON_PADDED);
                        buf_u8(out, natural ? LOG_WIDTH_NATURAL
                                    : same  ? places[p].first_width & ~SKELETON_PADDED
                                            : LOG_WIDTH_MIXED);
                        if (!natural && !same)
                                write_mixed_widths(encoder, template, from + p, out);
                        log_column_put_between(out, encoder->turned + p * stride, template->count, places[p].least,
                                               places[p].most);
                }
        }
        return !out->failed;
}

static bool write_variables(struct log_encoder *encoder, size_t template_count)
{
        struct buf *out = &encoder->frames[2], *columns = &encoder->columns;
        for (size_t i = 0; i < template_count; i++) {
                const struct template *template = &encoder->templates[encoder->order[i]];
                if (!template->variables)
                        continue;
                buf_clear(columns);
                if (!write_template(encoder, template, columns))
                        return false;
                buf_varint(out, columns->length);
                buf_add(out, buf_str(columns));
        }
        return !out->failed;
}

static void add_words(uint8_t *words, struct str text)
{
        size_t run = 0;
        for (size_t i = 0; i < text.length; i++) {
                run = log_words_counts((unsigned char)text.bytes[i]) ? run + 1 : 0;
                if (run >= 4) {
                        uint32_t bit = log_words_bit(text.bytes + i - 3, LOG_WORDS_BYTES_MAX);
                        words[bit / 8] |= (uint8_t)(1 << bit % 8);
                }
        }
}

/* Halves the filter as long as at most a quarter of its bits would be set: gives its size. */
static size_t fold_words(uint8_t *words)
{
        size_t size = LOG_WORDS_BYTES_MAX;
        while (size > 64) {
                size_t half = size / 2, set = 0;
                for (size_t i = 0; i < half; i += 8) {
                        uint64_t low, high;
                        memcpy(&low, words + i, 8);
                        memcpy(&high, words + half + i, 8);
                        set += (size_t)__builtin_popcountll(low | high);
                }
                if (set * 4 > half * 8)
                        break;
                for (size_t i = 0; i < half; i++)
                        words[i] |= words[half + i];
                size = half;
        }
        return size;
}

static bool compress(struct log_encoder *encoder, struct str raw, struct buf *out)
{
        size_t bound = ZSTD_compressBound(raw.length);
        if (!buf_reserve(out, bound))
                return false;
        size_t stored = ZSTD_compressCCtx(encoder->zstd, out->bytes + out->length, bound, raw.bytes, raw.length,
                                          ZSTD_LEVEL);
        if (ZSTD_isError(stored))
                return false;
        out->length += stored;
        return true;
}

static void put_checksum(char *to, struct str bytes)
{
        uint64_t hash = htole64(hash64(bytes));
        memcpy(to, &hash, sizeof hash);
}

static bool write_body(struct log_encoder *encoder, size_t rows, size_t bytes, struct buf *out)
{
        size_t start = out->length;
        struct buf *stored = &encoder->stored;
        size_t ends[LOG_FRAMES];
        buf_clear(stored);
        for (int i = 0; i < LOG_FRAMES; i++) {
                if (!compress(encoder, buf_str(&encoder->frames[i]), stored))
                        return false;
                ends[i] = stored->length;
        }
        buf_u8(out, LOG_BLOCK_VERSION);
        buf_u64(out, 0);
        size_t summed = out->length;
        buf_varint(out, rows);
        buf_varint(out, bytes);
        for (int i = 0; i < LOG_FRAMES; i++) {
                buf_varint(out, encoder->frames[i].length);
                buf_varint(out, ends[i] - (i ? ends[i - 1] : 0));
        }
        if (!buf_add(out, buf_str(stored)))
                return false;
        put_checksum(out->bytes + start + 1, str_slice(buf_str(out), summed, out->length));
        return true;
}

static bool write_index(struct log_encoder *encoder, size_t rows, uint32_t severities,
                        const struct log_stream *const *streams, size_t stream_count, size_t template_count,
                        struct buf *out)
{
        size_t start = out->length;
        scoped(buf_done) struct buf stored = {0};
        buf_clear(&encoder->streams);
        for (size_t i = 0; i < stream_count; i++) {
                buf_varint(&encoder->streams, streams[i]->packed.length);
                buf_add(&encoder->streams, streams[i]->packed);
        }
        if (encoder->streams.failed || !compress(encoder, buf_str(&encoder->streams), &stored))
                return false;
        memset(encoder->words, 0, sizeof encoder->words);
        for (size_t i = 0; i < template_count; i++) {
                const struct template *template = &encoder->templates[encoder->order[i]];
                add_words(encoder->words, (struct str){template->text, template->length});
        }
        for (size_t i = 0; i < rows * 2; i++)
                if (!part_number(encoder, &encoder->parts[i]))
                        add_words(encoder->words, (struct str){encoder->parts[i].bytes, encoder->parts[i].length});
        size_t words = fold_words(encoder->words);
        buf_u8(out, LOG_BLOCK_VERSION);
        buf_varint(out, rows);
        buf_varint(out, severities);
        buf_varint(out, stream_count);
        buf_varint(out, encoder->streams.length);
        buf_varint(out, stored.length);
        buf_add(out, buf_str(&stored));
        buf_u8(out, (uint8_t)__builtin_ctzll(words));
        buf_append(out, encoder->words, words);
        if (!buf_u64(out, 0))
                return false;
        put_checksum(out->bytes + out->length - 8, str_slice(buf_str(out), start, out->length - 8));
        return true;
}

bool log_block_encode(struct log_encoder *encoder, const struct log_span *spans, size_t span_count,
                      const struct log_stream *const *streams, size_t stream_count, struct buf *out_index,
                      struct buf *out_body, struct err *err)
{
        size_t rows = 0, lines = 0, attributes = 0;
        uint32_t severities = 0;
        for (size_t s = 0; s < span_count; s++) {
                rows += spans[s].count;
                for (size_t i = 0; i < spans[s].count; i++) {
                        const struct log_entry *entry = &spans[s].entries[i];
                        lines += entry->line_length;
                        attributes += entry->attributes_length;
                        severities |= UINT32_C(1) << min_of(entry->severity, (uint8_t)31);
                }
        }
        for (int i = 0; i < LOG_FRAMES; i++)
                buf_clear(&encoder->frames[i]);
        if (!reserve(encoder, max_of(rows, stream_count) + 1, lines) || !cut_rows(encoder, spans, span_count))
                return fail_memory(err, "log_block", lines);
        size_t template_count = number_templates(encoder, rows);
        if (!write_dictionary(encoder, template_count, rows) ||
            !write_rows(encoder, spans, span_count, stream_count, template_count) ||
            !write_variables(encoder, template_count) ||
            !write_body(encoder, rows, lines + attributes, out_body) ||
            !write_index(encoder, rows, severities, streams, stream_count, template_count, out_index))
                return fail_memory(err, "log_block", lines + attributes);
        return true;
}
