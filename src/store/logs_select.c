/*
 * logs_select.c - reading log records back in order of time; see logs.h.
 *
 *      snapshot of the open chunks
 *      pass over the indexes of all blocks in the range: which could hold a matching row?   -> candidates
 *      candidates in order of time, a few at a time: read, filter, keep what matches; then give what no later
 *      candidate can come before
 *
 * Event times are the senders' and come in any order, so rows of blocks that overlap in time must meet in memory before
 * they can be given. That is bounded by the limit, when there is one, and else by what overlaps. Candidates are read in
 * windows of a few megabytes that grow, so that the first page of a newest-first search reads one or two blocks.
 * A block that does not match its checksum is counted and left out; the rest of the answer stands.
 */
#include "store/logs_snapshot.h"

#include "base/clock.h"
#include "base/scope.h"
#include "store/line_filter.h"
#include "store/skeleton.h"

#include <stdlib.h>

/* A chunk or a block that may hold matching rows. */
struct candidate {
        int64_t time_min_ns, time_max_ns;
        uint64_t first_id;
        uint64_t bytes;
        struct logs_piece *piece;       /* NULL: a block */
        uint16_t partition;
};

struct known_stream {
        struct str packed;
        struct labels labels;
        bool matches;
};

/* A matching row, waiting for its turn. */
struct found {
        uint64_t id;
        int64_t time_ns;
        const struct labels *stream;
        uint32_t line_length, attributes_length;
        uint8_t severity;
        char text[];
};

#define KNOWN_STREAMS_MAX 65536
#define WINDOW_BYTES_FIRST ((uint64_t)2 << 20)
#define WINDOW_BYTES_MAX ((uint64_t)32 << 20)
#define WINDOW_COUNT_FIRST 4
#define WINDOW_COUNT_MAX 512
#define CHECK_ROWS 1024

struct selection {
        struct logs *logs;
        const struct log_select *select;
        struct log_select_stats stats;
        struct err *err;
        bool failed;                            /* err says why */
        struct arena arena, scratch;
        struct matchers matchers;               /* of streams alone */
        bool severities[32];
        bool partitions[PARTITIONS];
        struct str fragments[LOG_FRAGMENTS_MAX];
        size_t fragment_count;
        struct logs_snapshot snapshot;
        struct log_decoder *decoder;
        struct { struct candidate *items; size_t count, capacity; } candidates;
        struct { struct known_stream **items; size_t count, capacity; } streams;
        struct map stream_map;
        struct { struct found **items; size_t count, capacity; } found;
        size_t given;
        /* While a block is walked: */
        struct candidate *window, *window_end;
        const struct log_block_summary *summary;
        bool *stream_matches;
        size_t rows_to_check;
};

/* False, and failed: the asker went away or the time is over. */
static bool may_go_on(struct selection *selection)
{
        const struct log_select *select = selection->select;
        if (selection->failed)
                return false;
        if (select->cancelled && atomic_load(select->cancelled))
                selection->failed = !fail(selection->err, ERR_CANCELLED, "logs", "the search was cancelled");
        else if (select->deadline_ns && clock_monotonic_ns(&clock_real) > select->deadline_ns)
                selection->failed = !fail(selection->err, ERR_TIMEOUT, "logs",
                                          "the search took longer than its time limit; ask for less time or fewer streams");
        else
                selection->failed = !matchers_hold_out(&selection->matchers, selection->err);
        return !selection->failed;
}

static bool out_of_memory(struct selection *selection, size_t bytes)
{
        selection->failed = true;
        return fail_memory(selection->err, "logs", bytes);
}

static void take_fragment(void *context, struct str fragment)
{
        struct selection *selection = context;
        if (selection->fragment_count == LOG_FRAGMENTS_MAX)
                return;
        fragment = arena_str(&selection->arena, fragment);
        if (fragment.bytes)
                selection->fragments[selection->fragment_count++] = fragment;
}

static uint8_t severity_slot(uint8_t severity)
{
        return min_of(severity, (uint8_t)31);
}

/* Splits the matchers: `severity` is of the record, all others are of the stream. */
static bool plan_matchers(struct selection *selection, const struct matchers *matchers)
{
        for (int i = 0; i < 32; i++)
                selection->severities[i] = true;
        for (int i = 0; i < PARTITIONS; i++)
                selection->partitions[i] = true;
        each (matcher, matchers) {
                if (str_is(matcher->name, "severity")) {
                        for (uint8_t i = 0; i < 32; i++)
                                selection->severities[i] &= matcher_matches(matcher, str_of(severity_name(i)));
                        continue;
                }
                struct matcher *copy = arena_push(&selection->arena, &selection->matchers);
                if (!copy)
                        return out_of_memory(selection, sizeof *copy);
                *copy = *matcher; /* the regex stays the asker's */
                if (str_is(matcher->name, "service") && matcher->op == MATCH_EQUAL) {
                        uint16_t only = hash64(matcher->value) % PARTITIONS;
                        for (int i = 0; i < PARTITIONS; i++)
                                selection->partitions[i] &= i == only;
                }
        }
        return true;
}

static bool selection_init(struct selection *selection, struct logs *logs, const struct log_select *select,
                           struct err *err)
{
        *selection = (struct selection){.logs = logs, .select = select, .err = err, .rows_to_check = CHECK_ROWS};
        arena_init(&selection->arena, 0);
        arena_init(&selection->scratch, 0);
        if (!plan_matchers(selection, &select->matchers))
                return false;
        each (filter, &select->filters)
                line_filter_fragments(filter, take_fragment, selection);
        if (!(selection->decoder = log_decoder_create(err)))
                return false;
        return logs_snapshot_take(logs, selection->partitions, &selection->arena, &selection->snapshot, err);
}

static void selection_done(struct selection *selection)
{
        logs_snapshot_done(&selection->snapshot);
        log_decoder_destroy(selection->decoder);
        map_done(&selection->stream_map);
        for (size_t i = 0; i < selection->found.count; i++)
                free(selection->found.items[i]);
        free(selection->found.items);
        arena_done(&selection->arena);
        arena_done(&selection->scratch);
}

/* Streams are unpacked and matched once; beyond a bound only those that rows are given of are remembered. */
static struct known_stream *know_stream(struct selection *selection, struct str packed, bool keep)
{
        uint64_t hash = hash64(packed);
        size_t at;
        for (uint32_t i = map_first(&selection->stream_map, hash, &at); i != MAP_NONE;
             i = map_next(&selection->stream_map, hash, &at))
                if (str_equal(selection->streams.items[i]->packed, packed))
                        return selection->streams.items[i];
        keep |= selection->streams.count < KNOWN_STREAMS_MAX;
        struct arena *arena = keep ? &selection->arena : &selection->scratch;
        if (!keep)
                arena_reset(arena);
        struct known_stream *stream = arena_new(arena, struct known_stream);
        struct known_stream **place = stream && keep ? arena_push(arena, &selection->streams) : NULL;
        if (!stream || (keep && !place)) {
                out_of_memory(selection, sizeof *stream);
                return NULL;
        }
        stream->packed = arena_str(arena, packed);
        if (keep)
                *place = stream;
        if (!stream->packed.bytes || !labels_unpack(stream->packed, arena, &stream->labels, selection->err) ||
            (keep && !map_put(&selection->stream_map, hash, (uint32_t)selection->streams.count - 1))) {
                out_of_memory(selection, packed.length);
                return NULL;
        }
        stream->matches = matchers_match(&selection->matchers, &stream->labels);
        return stream;
}

static bool wanted_row(const struct selection *selection, uint64_t id, int64_t time_ns, uint8_t severity)
{
        const struct log_select *select = selection->select;
        return time_ns >= select->start_ns && time_ns < select->end_ns && (!select->after_id || id > select->after_id) &&
               (!select->before_id || id < select->before_id) && selection->severities[severity_slot(severity)];
}

/* In the order rows are given in. */
static int order(const struct selection *selection, const struct found *a, const struct found *b)
{
        int ahead = a->time_ns != b->time_ns ? (a->time_ns < b->time_ns ? -1 : 1) : a->id < b->id ? -1 : a->id > b->id;
        return selection->select->newest_first ? -ahead : ahead;
}

static int order_found(const void *a, const void *b, void *context)
{
        return order(context, *(struct found *const *)a, *(struct found *const *)b);
}

static void sort_found(struct selection *selection)
{
        if (selection->found.count)
                qsort_r(selection->found.items, selection->found.count, sizeof *selection->found.items, order_found,
                        selection);
}

/* Drops what the limit leaves no room for. */
static void cut_to_limit(struct selection *selection)
{
        size_t limit = selection->select->limit;
        if (!limit || !selection->found.count)
                return;
        sort_found(selection);
        while (selection->found.count > limit - selection->given)
                free(selection->found.items[--selection->found.count]);
}

static bool keep_row(struct selection *selection, const struct log_block_row *row, const struct labels *stream)
{
        size_t text = row->line.length + row->attributes.length;
        struct found *found = malloc(sizeof *found + text);
        if (selection->found.count == selection->found.capacity) {
                size_t limit = selection->select->limit;
                if (limit && selection->found.count > 2 * limit)
                        cut_to_limit(selection);
        }
        if (selection->found.count == selection->found.capacity) {
                size_t capacity = max_of(selection->found.capacity * 2, (size_t)256);
                void *grown = realloc(selection->found.items, capacity * sizeof *selection->found.items);
                if (grown) {
                        selection->found.items = grown;
                        selection->found.capacity = capacity;
                }
        }
        if (!found || selection->found.count == selection->found.capacity) {
                free(found);
                return out_of_memory(selection, sizeof *found + text);
        }
        *found = (struct found){row->id, row->time_ns, stream, (uint32_t)row->line.length,
                                (uint32_t)row->attributes.length, row->severity};
        if (row->line.length)
                memcpy(found->text, row->line.bytes, row->line.length);
        if (row->attributes.length)
                memcpy(found->text + row->line.length, row->attributes.bytes, row->attributes.length);
        selection->found.items[selection->found.count++] = found;
        return true;
}

/* Puts a row through the line filters. False ends the walk. */
static bool filter_row(struct selection *selection, const struct log_block_row *row, struct str packed_stream)
{
        bool hold;
        selection->stats.rows_scanned++;
        selection->stats.bytes_scanned += row->line.length;
        if (--selection->rows_to_check == 0) {
                selection->rows_to_check = CHECK_ROWS;
                if (!may_go_on(selection))
                        return false;
        }
        if (!line_filters_hold(selection->select->filters.items, selection->select->filters.count, row->line, &hold,
                               selection->err)) {
                selection->failed = true;
                return false;
        }
        if (!hold)
                return true;
        struct known_stream *stream = know_stream(selection, packed_stream, true);
        return stream && keep_row(selection, row, &stream->labels);
}

static bool scan_chunk(struct selection *selection, const struct logs_piece *piece)
{
        size_t count = log_chunk_segments(piece->chunk, piece->rows);
        struct log_span *spans = arena_array(&selection->arena, count, sizeof *spans);
        if (!spans)
                return out_of_memory(selection, count * sizeof *spans);
        log_chunk_spans(piece->chunk, piece->rows, spans);
        const struct log_stream *last = NULL;
        bool last_matches = false;
        for (size_t s = 0; s < count; s++) {
                for (size_t i = 0; i < spans[s].count; i++) {
                        const struct log_entry *entry = &spans[s].entries[i];
                        if (!wanted_row(selection, entry->id, entry->time_ns, entry->severity))
                                continue;
                        if (entry->stream != last) {
                                last = entry->stream;
                                last_matches = matchers_match(&selection->matchers, &last->labels);
                        }
                        struct log_block_row row = {
                                entry->id, entry->time_ns, entry->stream->number, entry->severity,
                                {entry->text, entry->line_length},
                                {entry->text + entry->line_length, entry->attributes_length}};
                        if (last_matches && !filter_row(selection, &row, last->packed))
                                return false;
                }
        }
        return true;
}

static bool index_matches(struct selection *selection, const struct log_block_summary *summary)
{
        bool severity = false, stream = !selection->matchers.count;
        for (int i = 0; i < 32; i++)
                severity |= summary->severities >> i & 1 && selection->severities[i];
        for (size_t i = 0; i < selection->fragment_count && severity; i++)
                severity = log_block_may_hold(summary, selection->fragments[i]);
        for (size_t i = 0; i < summary->stream_count && severity && !stream; i++) {
                struct known_stream *known = know_stream(selection, summary->streams[i], false);
                stream = known && known->matches;
        }
        return severity && stream;
}

/* First pass: notes the blocks that may hold a matching row; wants no body. */
static bool note_candidate(void *context, const struct block *block)
{
        struct selection *selection = context;
        const struct log_select *select = selection->select;
        struct log_block_summary summary;
        struct err why;
        if (!may_go_on(selection))
                return false;
        selection->stats.blocks_seen++;
        if ((select->after_id && block->last_item <= select->after_id) ||
            (select->before_id && block->first_item >= select->before_id))
                return false;
        if (!log_block_summary(selection->decoder, block->index, &summary, &why)) {
                if (why.code == ERR_MEMORY)
                        return out_of_memory(selection, block->index.length);
                selection->stats.blocks_damaged++;
                archive_tell_damaged(logs_archive(selection->logs), block->day, &why);
                return false;
        }
        if (!index_matches(selection, &summary))
                return false;
        struct candidate *candidate = arena_push(&selection->arena, &selection->candidates);
        if (!candidate)
                return out_of_memory(selection, sizeof *candidate);
        *candidate = (struct candidate){block->time_min_ns, block->time_max_ns, block->first_item, block->raw_bytes, NULL,
                                        block->partition};
        return false;
}

static bool collect_candidates(struct selection *selection)
{
        const struct log_select *select = selection->select;
        each (piece, &selection->snapshot.pieces) {
                if (!piece->rows || piece->time_max_ns < select->start_ns || piece->time_min_ns >= select->end_ns)
                        continue;
                struct candidate *candidate = arena_push(&selection->arena, &selection->candidates);
                if (!candidate)
                        return out_of_memory(selection, sizeof *candidate);
                *candidate = (struct candidate){piece->time_min_ns, piece->time_max_ns, piece->first_id, 0, piece,
                                                piece->partition};
        }
        struct archive_range range = {BLOCK_LOGS, select->start_ns, select->end_ns - 1, selection->partitions,
                                      selection->snapshot.open_first, select->newest_first};
        return archive_visit(logs_archive(selection->logs), &range, note_candidate, NULL, selection, selection->err) &&
               !selection->failed;
}

static int order_candidates(const void *a, const void *b, void *context)
{
        const struct candidate *left = a, *right = b;
        const struct selection *selection = context;
        if (selection->select->newest_first)
                return left->time_max_ns < right->time_max_ns ? 1 : left->time_max_ns > right->time_max_ns ? -1 : 0;
        return left->time_min_ns < right->time_min_ns ? -1 : left->time_min_ns > right->time_min_ns;
}

/* Second pass: of the window's blocks only. */
static bool in_window(void *context, const struct block *block)
{
        struct selection *selection = context;
        if (!may_go_on(selection))
                return false;
        for (struct candidate *it = selection->window; it < selection->window_end; it++)
                if (!it->piece && it->partition == block->partition && it->first_id == block->first_item)
                        return true;
        return false;
}

static bool wants_row(void *context, const struct log_block_row *row)
{
        struct selection *selection = context;
        return selection->stream_matches[row->stream] &&
               wanted_row(selection, row->id, row->time_ns, row->severity);
}

static bool visit_row(void *context, const struct log_block_row *row)
{
        struct selection *selection = context;
        return filter_row(selection, row, selection->summary->streams[row->stream]);
}

static bool walk_block(void *context, const struct block *block, struct err *err)
{
        struct selection *selection = context;
        struct log_block_summary summary;
        struct err why = {0};
        selection->stats.blocks_opened++;
        if (!log_block_summary(selection->decoder, block->index, &summary, &why))
                goto unreadable;
        selection->stream_matches = arena_alloc(&selection->arena, summary.stream_count + 1);
        if (!selection->stream_matches)
                return fail_memory(err, "logs", summary.stream_count);
        for (size_t i = 0; i < summary.stream_count; i++) {
                struct known_stream *known = know_stream(selection, summary.streams[i], false);
                if (!known)
                        return false;
                selection->stream_matches[i] = known->matches;
        }
        selection->summary = &summary;
        struct log_block_search search = {selection->fragments, selection->fragment_count, wants_row, visit_row, selection};
        if (log_block_walk(selection->decoder, block->body, summary.stream_count, &search, &why))
                return !selection->failed;
unreadable:
        if (why.code != ERR_CORRUPT) {
                if (err)
                        *err = why;
                return false;
        }
        selection->stats.blocks_damaged++;
        archive_tell_damaged(logs_archive(selection->logs), block->day, &why);
        return true;
}

static bool read_window(struct selection *selection)
{
        bool partitions[PARTITIONS] = {false}, blocks = false;
        struct archive_range range = {BLOCK_LOGS, INT64_MAX, INT64_MIN, partitions, selection->snapshot.open_first,
                                      selection->select->newest_first};
        for (struct candidate *it = selection->window; it < selection->window_end; it++) {
                if (it->piece) {
                        if (!scan_chunk(selection, it->piece))
                                return false;
                        continue;
                }
                blocks = partitions[it->partition] = true;
                range.start_ns = min_of(range.start_ns, it->time_min_ns);
                range.end_ns = max_of(range.end_ns, it->time_max_ns);
        }
        return !blocks || (archive_visit(logs_archive(selection->logs), &range, in_window, walk_block, selection,
                                         selection->err) &&
                           !selection->failed);
}

/* Gives the rows that come before everything from the next candidate on (NULL: all). *out_ended: no more are wanted. */
static bool give_rows(struct selection *selection, const struct candidate *next,
                      bool (*visit)(void *context, const struct log_row *row), void *context, bool *out_ended)
{
        bool newest_first = selection->select->newest_first;
        cut_to_limit(selection);
        if (!selection->select->limit)
                sort_found(selection);
        size_t ready = 0;
        for (; ready < selection->found.count && !*out_ended; ready++) {
                struct found *found = selection->found.items[ready];
                if (next && (newest_first ? found->time_ns <= next->time_max_ns : found->time_ns >= next->time_min_ns))
                        break;
                struct log_row row = {found->id, found->time_ns, found->severity, found->stream,
                                      {found->text, found->line_length}, {0}};
                arena_reset(&selection->scratch);
                struct str packed = {found->text + found->line_length, found->attributes_length};
                if (!labels_unpack(packed, &selection->scratch, &row.attributes, selection->err))
                        return false;
                if (++selection->given % CHECK_ROWS == 0 && !may_go_on(selection))
                        return false;
                *out_ended = !visit(context, &row) || selection->given == selection->select->limit;
        }
        for (size_t i = 0; i < ready; i++)
                free(selection->found.items[i]);
        selection->found.count -= ready;
        if (ready)
                memmove(selection->found.items, selection->found.items + ready,
                        selection->found.count * sizeof *selection->found.items);
        return true;
}

static bool run(struct selection *selection, bool (*visit)(void *context, const struct log_row *row), void *context)
{
        if (!may_go_on(selection) || !collect_candidates(selection))
                return false;
        struct candidate *all = selection->candidates.items, *end = all + selection->candidates.count;
        if (all)
                qsort_r(all, selection->candidates.count, sizeof *all, order_candidates, selection);
        uint64_t budget = WINDOW_BYTES_FIRST, count_max = WINDOW_COUNT_FIRST;
        bool ended = false;
        for (struct candidate *at = all; at < end && !ended;) {
                selection->window = at;
                uint64_t bytes = 0, count = 0;
                for (; at < end && (!count || (bytes + at->bytes <= budget && count < count_max)); at++, count++)
                        bytes += at->bytes;
                selection->window_end = at;
                budget = min_of(budget * 2, WINDOW_BYTES_MAX);
                count_max = min_of(count_max * 2, (uint64_t)WINDOW_COUNT_MAX);
                if (!read_window(selection) || !give_rows(selection, at < end ? at : NULL, visit, context, &ended))
                        return false;
        }
        return matchers_hold_out(&selection->matchers, selection->err);
}

bool logs_select(struct logs *logs, const struct log_select *select,
                 bool (*visit)(void *context, const struct log_row *row), void *context,
                 struct log_select_stats *out_stats, struct err *err)
{
        struct selection selection;
        struct err unheard;
        bool good = selection_init(&selection, logs, select, err ?: &unheard) &&
                    (select->start_ns >= select->end_ns || run(&selection, visit, context));
        if (out_stats)
                *out_stats = selection.stats;
        selection_done(&selection);
        return good;
}

/* Notes the streams of a block that match, by its index alone. */
static bool note_streams(void *context, const struct block *block)
{
        struct selection *selection = context;
        struct log_block_summary summary;
        struct err why;
        if (selection->failed)
                return false;
        if (!log_block_summary(selection->decoder, block->index, &summary, &why))
                return why.code == ERR_MEMORY && out_of_memory(selection, block->index.length);
        for (size_t i = 0; i < summary.stream_count; i++)
                if (!know_stream(selection, summary.streams[i], true))
                        return false;
        return false;
}

static bool note_chunk_streams(struct selection *selection, const struct logs_piece *piece)
{
        size_t count = log_chunk_segments(piece->chunk, piece->rows);
        struct log_span *spans = arena_array(&selection->arena, count, sizeof *spans);
        if (!spans)
                return out_of_memory(selection, count * sizeof *spans);
        log_chunk_spans(piece->chunk, piece->rows, spans);
        const struct log_stream *last = NULL;
        for (size_t s = 0; s < count; s++)
                for (size_t i = 0; i < spans[s].count; i++) {
                        const struct log_entry *entry = &spans[s].entries[i];
                        if (entry->stream == last || entry->time_ns < selection->select->start_ns ||
                            entry->time_ns >= selection->select->end_ns)
                                continue;
                        last = entry->stream;
                        if (!know_stream(selection, last->packed, true))
                                return false;
                }
        return true;
}

bool logs_streams(struct logs *logs, const struct matchers *matchers, int64_t start_ns, int64_t end_ns,
                  bool (*visit)(void *context, const struct labels *stream), void *context, struct err *err)
{
        struct selection selection;
        struct err unheard;
        struct log_select select = {.start_ns = start_ns, .end_ns = end_ns};
        if (matchers)
                select.matchers = *matchers;
        bool good = selection_init(&selection, logs, &select, err ?: &unheard);
        if (good && start_ns < end_ns) {
                each (piece, &selection.snapshot.pieces)
                        good = good && note_chunk_streams(&selection, piece);
                struct archive_range range = {BLOCK_LOGS, start_ns, end_ns - 1, selection.partitions,
                                              selection.snapshot.open_first, false};
                good = good && archive_visit(logs_archive(logs), &range, note_streams, NULL, &selection, selection.err) &&
                       !selection.failed && matchers_hold_out(&selection.matchers, selection.err);
        }
        for (size_t i = 0; i < selection.streams.count && good; i++)
                if (selection.streams.items[i]->matches && !visit(context, &selection.streams.items[i]->labels))
                        break;
        selection_done(&selection);
        return good;
}
