/*
 * day_table - the SQL of one day's telemetry database: blocks and the series they hold.
 *
 * All of SQL about blocks stands in day_table.c; archive.c decides which day, when and by whom. Writers belong to the
 * archive's thread, readers to whoever opened them.
 */
#pragma once

#include "store/archive.h"
#include "store/database.h"

bool day_open(const char *path, const char *vfs, struct database **out_database, struct err *err);

/* Inside a transaction of the caller's. A block that is there already (same kind, partition, first item) is replaced. */
bool day_insert(struct database *day, const struct block *block, struct err *err);
bool day_drop_after(struct database *day, uint64_t last_item_kept, struct err *err);

/* What was stored since the last checkpoint: how many, and sums by which all of it is known again, in whatever order it is met. */
struct day_news {
        uint64_t blocks, blocks_sum, series, series_sum;
};
void day_news_add(struct day_news *news, const struct block *block);
void day_news_join(struct day_news *news, const struct day_news *more);

/* From a damaged day into a new one, inside a transaction of the caller's: what is news, and the labels of all series of the day, since blocks to come name
 * only their ids. False: not all of it is there, and what was copied is to be rolled back. */
bool day_take_over(struct database *damaged, struct database *fresh, const struct day_news *news, struct err *err);

struct day_summary {
        int64_t time_min_ns, time_max_ns; /* over all blocks; min > max when there are none */
        uint64_t blocks[3], items[3], raw_bytes[3], stored_bytes[3];
};
bool day_summary(struct database *day, struct day_summary *out_summary, struct err *err);

/* A block's place and times, without index and body. */
struct day_row {
        int64_t row;
        uint16_t partition;
        uint64_t first_item;
        int64_t time_min_ns, time_max_ns;
};
bool day_find(struct database *day, enum block_kind kind, int64_t start_ns, int64_t end_ns,
              bool (*visit)(void *context, const struct day_row *row, struct err *err), void *context, struct err *err);

/* Loads one block by its row into the query, which keeps the memory until query_done; with_body false leaves body empty.
 * False without err->code: the row is gone (retention). */
bool day_load(struct database *day, int64_t row, bool with_body, struct query *query, struct block *out_block,
              struct err *err);

/* Series of a name (bytes NULL: all); with them may come a few of other names. */
bool day_series(struct database *day, struct str name,
                bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err), void *context,
                struct err *err);
