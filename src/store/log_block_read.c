/*
 * log_block_read.c - gives back what log_block.c packed; see log_block.h and log_block_format.h.
 *
 * Searching pays only for what it needs: the dictionary is unpacked first; when no entry of it holds a fragment of the
 * needle, the walk ends there. Then the rows; and the variables of a template only when one of its rows is wanted.
 * The bytes may be damaged or hostile in spite of their checksum (the fuzz target sets it right), so every count is
 * held against a bound before memory is asked for, and no line can be longer than the block says all lines are.
 */
#include "store/log_block_format.h"

#include "base/hash.h"
#include "base/reader.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "store/log_column.h"

#include <stdlib.h>
#include <zstd.h>

struct entry { /* a template or literal of the dictionary */
        struct str text;
        uint64_t fragments;     /* a bit each that it holds */
        /* Templates only: */
        uint32_t variables, count, cursor;
        struct str packed;      /* its columns */
        uint64_t *values;       /* decoded: place * count + occurrence; NULL: not yet */
        const uint8_t *widths;
};

struct log_decoder {
        ZSTD_DCtx *zstd;
        struct buf frames[LOG_FRAMES], streams, line;
        struct str *stream_texts;
        size_t stream_capacity;
        struct entry *entries;  /* templates, then literals */
        size_t entry_capacity;
        struct arena arena;     /* of one walk */
};

struct log_decoder *log_decoder_create(struct err *err)
{
        struct log_decoder *decoder = calloc(1, sizeof *decoder);
        if (decoder && !(decoder->zstd = ZSTD_createDCtx())) {
                free(decoder);
                decoder = NULL;
        }
        if (decoder)
                arena_init(&decoder->arena, 0);
        else
                fail_memory(err, "log_block", sizeof *decoder);
        return decoder;
}

void log_decoder_destroy(struct log_decoder *decoder)
{
        if (!decoder)
                return;
        ZSTD_freeDCtx(decoder->zstd);
        for (int i = 0; i < LOG_FRAMES; i++)
                buf_done(&decoder->frames[i]);
        buf_done(&decoder->streams);
        buf_done(&decoder->line);
        free(decoder->stream_texts);
        free(decoder->entries);
        arena_done(&decoder->arena);
        free(decoder);
}

static bool damaged(struct err *err, const char *what)
{
        return fail(err, ERR_CORRUPT, "log_block", "the block's %s; its rows are lost, restore it from a backup", what);
}

static bool decompress(struct log_decoder *decoder, struct str stored, size_t raw_length, struct buf *out,
                       struct err *err)
{
        buf_clear(out);
        if (raw_length > LOG_FRAME_BYTES_BOUND || ZSTD_getFrameContentSize(stored.bytes, stored.length) != raw_length)
                return damaged(err, "frame has another size than it says");
        if (!buf_reserve(out, raw_length + SKELETON_SLACK))
                return fail_memory(err, "log_block", raw_length);
        size_t got = ZSTD_decompressDCtx(decoder->zstd, out->bytes, raw_length, stored.bytes, stored.length);
        if (ZSTD_isError(got) || got != raw_length)
                return damaged(err, "frame does not unpack");
        out->length = raw_length;
        return true;
}

bool log_block_summary(struct log_decoder *decoder, struct str index, struct log_block_summary *out_summary,
                       struct err *err)
{
        uint64_t checksum;
        if (index.length < 9)
                return damaged(err, "index is cut");
        memcpy(&checksum, index.bytes + index.length - 8, 8);
        index.length -= 8;
        if (index.bytes[0] != LOG_BLOCK_VERSION)
                return damaged(err, "index has a version that this program does not know");
        if (le64toh(checksum) != hash64(index))
                return damaged(err, "index does not match its checksum");
        struct reader reader = reader_of(str_slice(index, 1, index.length));
        struct log_block_summary summary = {.rows = reader_varint(&reader)};
        summary.severities = (uint32_t)reader_varint(&reader);
        summary.stream_count = reader_varint(&reader);
        size_t raw = reader_varint(&reader);
        struct str stored = reader_bytes(&reader, reader_varint(&reader));
        unsigned log2_words = reader_u8(&reader);
        if (reader.failed || log2_words < 3 || log2_words > 20 || summary.stream_count > LOG_BLOCK_ROWS_BOUND)
                return damaged(err, "index makes no sense");
        summary.words = reader_bytes(&reader, (size_t)1 << log2_words);
        if (reader.failed)
                return damaged(err, "index is cut");
        if (!decompress(decoder, stored, raw, &decoder->streams, err))
                return false;
        if (decoder->stream_capacity < summary.stream_count) {
                struct str *grown = realloc(decoder->stream_texts, summary.stream_count * sizeof *grown);
                if (!grown)
                        return fail_memory(err, "log_block", summary.stream_count * sizeof *grown);
                decoder->stream_texts = grown;
                decoder->stream_capacity = summary.stream_count;
        }
        struct reader streams = reader_of(buf_str(&decoder->streams));
        for (size_t i = 0; i < summary.stream_count; i++)
                decoder->stream_texts[i] = reader_bytes(&streams, reader_varint(&streams));
        if (streams.failed)
                return damaged(err, "streams are cut");
        summary.streams = decoder->stream_texts;
        *out_summary = summary;
        return true;
}

bool log_block_may_hold(const struct log_block_summary *summary, struct str fragment)
{
        size_t run = 0;
        for (size_t i = 0; i < fragment.length; i++) {
                run = log_words_counts((unsigned char)fragment.bytes[i]) ? run + 1 : 0;
                if (run < 4)
                        continue;
                uint32_t bit = log_words_bit(fragment.bytes + i - 3, summary->words.length);
                if (!((uint8_t)summary->words.bytes[bit / 8] >> bit % 8 & 1))
                        return false;
        }
        return true;
}

/* A body being walked. */
struct walk {
        struct log_decoder *decoder;
        const struct log_block_search *search;
        size_t rows, bytes, stream_count;
        struct { struct str stored; size_t raw; } frames[LOG_FRAMES];
        size_t template_count, literal_count, next_literal;
        struct entry *templates, *literals;
        uint64_t *heads, *tails, *streams, *severities, *sequences, *ordinals, *times, *attribute_lengths;
        uint64_t time_unit;
        struct str attributes;
        bool variables_found;           /* templates' packed columns are known */
};

static bool read_header(struct walk *walk, struct str body, struct err *err)
{
        struct reader reader = reader_of(body);
        if (reader_u8(&reader) != LOG_BLOCK_VERSION)
                return damaged(err, "body has a version that this program does not know");
        uint64_t checksum = reader_u64(&reader);
        if (reader.failed || checksum != hash64((struct str){reader.next, reader_left(&reader)}))
                return damaged(err, "body does not match its checksum");
        walk->rows = reader_varint(&reader);
        walk->bytes = reader_varint(&reader);
        for (int i = 0; i < LOG_FRAMES; i++) {
                walk->frames[i].raw = reader_varint(&reader);
                walk->frames[i].stored.length = reader_varint(&reader);
        }
        for (int i = 0; i < LOG_FRAMES; i++)
                walk->frames[i].stored = reader_bytes(&reader, walk->frames[i].stored.length);
        if (reader.failed || walk->rows > LOG_BLOCK_ROWS_BOUND || walk->bytes > LOG_BLOCK_BYTES_BOUND)
                return damaged(err, "body makes no sense");
        return true;
}

static bool open_frame(struct walk *walk, int frame, struct reader *out_reader, struct err *err)
{
        struct buf *raw = &walk->decoder->frames[frame];
        if (!decompress(walk->decoder, walk->frames[frame].stored, walk->frames[frame].raw, raw, err))
                return false;
        *out_reader = reader_of(buf_str(raw));
        return true;
}

static uint64_t fragments_in(const struct log_block_search *search, struct str text)
{
        uint64_t held = 0;
        size_t at;
        for (size_t i = 0; i < search->fragment_count; i++)
                if (str_find(text, search->fragments[i], &at))
                        held |= UINT64_C(1) << i;
        return held;
}

static bool read_entries(struct walk *walk, struct reader *reader, struct entry *entries, size_t count,
                         const uint64_t *lengths, bool literals)
{
        for (size_t i = 0; i < count; i++) {
                entries[i] = (struct entry){.text = reader_bytes(reader, lengths[i])};
                if (reader->failed)
                        return false;
                entries[i].fragments = fragments_in(walk->search, entries[i].text);
                for (size_t at = 0; at < entries[i].text.length && !literals; at++)
                        entries[i].variables += skeleton_is_mark(entries[i].text.bytes[at]);
        }
        return true;
}

/* *out_chance false: no row can hold all fragments. */
static bool read_dictionary(struct walk *walk, bool *out_chance, struct err *err)
{
        struct log_decoder *decoder = walk->decoder;
        struct reader reader;
        if (!open_frame(walk, 0, &reader, err))
                return false;
        size_t templates = reader_varint(&reader), literals = reader_varint(&reader);
        if (reader.failed || templates > walk->rows * 2 || literals > walk->rows * 2)
                return damaged(err, "dictionary makes no sense");
        size_t count = templates + literals;
        uint64_t *lengths = arena_alloc(&decoder->arena, (count + 1) * sizeof *lengths);
        if (!lengths)
                return fail_memory(err, "log_block", count * sizeof *lengths);
        if (decoder->entry_capacity < count) {
                struct entry *grown = realloc(decoder->entries, count * sizeof *grown);
                if (!grown)
                        return fail_memory(err, "log_block", count * sizeof *grown);
                decoder->entries = grown;
                decoder->entry_capacity = count;
        }
        walk->templates = decoder->entries;
        walk->literals = decoder->entries ? decoder->entries + templates : NULL; /* a block of no lines has neither */
        walk->template_count = templates;
        walk->literal_count = literals;
        if (!log_column_get(&reader, templates, lengths) || !log_column_get(&reader, literals, lengths + templates) ||
            !read_entries(walk, &reader, walk->templates, templates, lengths, false) ||
            !read_entries(walk, &reader, walk->literals, literals, lengths + templates, true))
                return damaged(err, "dictionary is cut");
        uint64_t held = 0;
        for (size_t i = 0; i < count; i++)
                held |= decoder->entries[i].fragments;
        *out_chance = __builtin_popcountll(held) == (int)walk->search->fragment_count;
        return true;
}

/* Undoes `repeated` of the encoder. */
static inline uint64_t unrepeat(uint64_t *last, uint64_t symbol)
{
        if (symbol)
                *last = symbol - 1;
        return *last;
}

static bool number_rows(struct walk *walk, struct err *err)
{
        struct arena *arena = &walk->decoder->arena;
        uint64_t *last_head = arena_array(arena, walk->stream_count + 1, sizeof *last_head);
        uint64_t *last_severity = arena_array(arena, walk->template_count + 1, sizeof *last_severity);
        if (!last_head || !last_severity)
                return fail_memory(err, "log_block", walk->rows * sizeof *last_head);
        size_t literals = 0, variables = 0;
        for (size_t i = 0; i < walk->rows; i++) {
                if (walk->streams[i] >= walk->stream_count || walk->tails[i] > walk->template_count)
                        return damaged(err, "rows name what is not there");
                walk->heads[i] = unrepeat(&last_head[walk->streams[i]], walk->heads[i]);
                walk->severities[i] = unrepeat(&last_severity[walk->tails[i]], walk->severities[i]);
                if (walk->heads[i] > walk->template_count || walk->severities[i] > 255)
                        return damaged(err, "rows name what is not there");
                uint64_t parts[] = {walk->heads[i], walk->tails[i]};
                for (int p = 0; p < 2; p++) {
                        struct entry *template = parts[p] ? &walk->templates[parts[p] - 1] : NULL;
                        literals += template == NULL;
                        if (template)
                                template->count++, variables += template->variables;
                }
                if (variables > walk->bytes)
                        return damaged(err, "rows have more variables than bytes");
        }
        if (literals != walk->literal_count)
                return damaged(err, "rows name what is not there");
        return true;
}

static bool read_rows(struct walk *walk, struct err *err)
{
        struct reader reader;
        if (!open_frame(walk, 1, &reader, err))
                return false;
        size_t rows = walk->rows;
        uint64_t *room = arena_alloc(&walk->decoder->arena, (rows * 8 + 1) * sizeof *room);
        if (!room)
                return fail_memory(err, "log_block", rows * 8 * sizeof *room);
        uint64_t **before_unit[] = {&walk->heads, &walk->tails, &walk->streams, &walk->severities, &walk->sequences,
                                    &walk->ordinals};
        uint64_t **after_unit[] = {&walk->times, &walk->attribute_lengths};
        bool good = true;
        for (size_t i = 0; i < countof(before_unit); i++, room += rows)
                good = good && log_column_get(&reader, rows, *before_unit[i] = room);
        walk->time_unit = reader_varint(&reader);
        for (size_t i = 0; i < countof(after_unit); i++, room += rows)
                good = good && log_column_get(&reader, rows, *after_unit[i] = room);
        if (!good || reader.failed)
                return damaged(err, "rows are cut");
        walk->attributes = (struct str){reader.next, reader_left(&reader)};
        return number_rows(walk, err);
}

/* Finds each template's columns, without decoding them. */
static bool find_variables(struct walk *walk, struct err *err)
{
        struct reader reader;
        if (!open_frame(walk, 2, &reader, err))
                return false;
        for (size_t i = 0; i < walk->template_count; i++)
                if (walk->templates[i].variables)
                        walk->templates[i].packed = reader_bytes(&reader, reader_varint(&reader));
        if (reader.failed)
                return damaged(err, "variables are cut");
        return walk->variables_found = true;
}

static bool read_widths(struct reader *reader, enum skeleton_mark mark, const uint64_t *values, size_t count,
                        uint8_t kind, const uint64_t *mixed, uint8_t *out_widths)
{
        for (size_t i = 0; i < count; i++) {
                uint64_t width = kind == LOG_WIDTH_NATURAL ? skeleton_width(mark, values[i])
                                 : kind == LOG_WIDTH_MIXED ? mixed[i]
                                                           : kind;
                if (!skeleton_width_fits(mark, width))
                        return false;
                out_widths[i] = (uint8_t)width;
        }
        return !reader->failed;
}

/* Decodes all variables of a template. */
static bool read_template(struct walk *walk, struct entry *template, struct err *err)
{
        if (!walk->variables_found && !find_variables(walk, err))
                return false;
        size_t count = template->count, total = count * template->variables;
        uint64_t *values = arena_alloc(&walk->decoder->arena, (total + count) * sizeof *values);
        uint8_t *widths = arena_alloc(&walk->decoder->arena, total);
        if (!values || !widths)
                return fail_memory(err, "log_block", total * sizeof *values);
        struct reader reader = reader_of(template->packed);
        uint64_t *mixed = values + total;
        size_t place = 0;
        for (size_t at = 0; at < template->text.length; at++) {
                if (!skeleton_is_mark(template->text.bytes[at]))
                        continue;
                uint8_t kind = reader_u8(&reader);
                if ((kind == LOG_WIDTH_MIXED && !log_column_get(&reader, count, mixed)) ||
                    !log_column_get(&reader, count, values + place * count) ||
                    !read_widths(&reader, (enum skeleton_mark)template->text.bytes[at], values + place * count, count,
                                 kind, mixed, widths + place * count))
                        return damaged(err, "variables make no sense");
                place++;
        }
        template->values = values;
        template->widths = widths;
        return true;
}

/* Appends the text of a template's occurrence to the line. */
static bool write_part(struct walk *walk, struct entry *template, size_t occurrence, struct err *err)
{
        struct buf *line = &walk->decoder->line;
        if (template->variables && !template->values && !read_template(walk, template, err))
                return false;
        if (!buf_reserve(line, template->text.length + template->variables * 19 + SKELETON_SLACK))
                return fail_memory(err, "log_block", template->text.length);
        char *to = line->bytes + line->length;
        const char *next = template->text.bytes, *end = next + template->text.length;
        size_t at = occurrence;
        while (next < end) {
                if (skeleton_is_mark(*next)) {
                        to = skeleton_write(to, (enum skeleton_mark)*next++, template->values[at], template->widths[at]);
                        at += template->count;
                } else {
                        *to++ = *next++;
                }
        }
        line->length = (size_t)(to - line->bytes);
        return true;
}

/* What one row's head and tail are; cursors go on whether the row is wanted or not. */
struct row_parts {
        struct entry *entries[2];
        size_t occurrences[2];
};

static struct row_parts next_parts(struct walk *walk, size_t row)
{
        struct row_parts parts;
        uint64_t numbers[] = {walk->heads[row], walk->tails[row]};
        for (int p = 0; p < 2; p++) {
                parts.entries[p] = numbers[p] ? &walk->templates[numbers[p] - 1] : &walk->literals[walk->next_literal++];
                parts.occurrences[p] = parts.entries[p]->cursor++;
        }
        return parts;
}

static bool write_line(struct walk *walk, const struct row_parts *parts, struct err *err)
{
        struct buf *line = &walk->decoder->line;
        buf_clear(line);
        for (int p = 0; p < 2; p++) {
                if (parts->entries[p] < walk->literals) {
                        if (!write_part(walk, parts->entries[p], parts->occurrences[p], err))
                                return false;
                } else if (!buf_add(line, parts->entries[p]->text)) {
                        return fail_memory(err, "log_block", parts->entries[p]->text.length);
                }
        }
        if (line->length > walk->bytes)
                return damaged(err, "lines are longer than it says");
        return true;
}

static bool visit_rows(struct walk *walk, struct err *err)
{
        const struct log_block_search *search = walk->search;
        uint64_t all = search->fragment_count < 64 ? (UINT64_C(1) << search->fragment_count) - 1 : ~UINT64_C(0);
        struct reader attributes = reader_of(walk->attributes);
        size_t given = 0;
        for (size_t i = 0; i < walk->rows; i++) {
                struct row_parts parts = next_parts(walk, i);
                struct str packed = reader_bytes(&attributes, walk->attribute_lengths[i]);
                if (attributes.failed)
                        return damaged(err, "attributes are cut");
                struct log_block_row row = {walk->sequences[i] << ITEM_ORDINAL_BITS | walk->ordinals[i],
                                            (int64_t)(walk->times[i] * walk->time_unit), (uint32_t)walk->streams[i],
                                            (uint8_t)walk->severities[i], {0}, {0}};
                if (((parts.entries[0]->fragments | parts.entries[1]->fragments) & all) != all ||
                    (search->wants && !search->wants(search->context, &row)))
                        continue;
                if (!write_line(walk, &parts, err))
                        return false;
                if ((given += walk->decoder->line.length) > walk->bytes)
                        return damaged(err, "lines are longer than it says");
                row.line = buf_str(&walk->decoder->line);
                row.attributes = packed;
                if (!search->visit(search->context, &row))
                        return true;
        }
        return true;
}

bool log_block_walk(struct log_decoder *decoder, struct str body, size_t stream_count,
                    const struct log_block_search *search, struct err *err)
{
        struct walk walk = {.decoder = decoder, .search = search, .stream_count = stream_count};
        bool chance = false;
        arena_reset(&decoder->arena);
        if (!read_header(&walk, body, err) || !read_dictionary(&walk, &chance, err))
                return false;
        return !chance || (read_rows(&walk, err) && visit_rows(&walk, err));
}
