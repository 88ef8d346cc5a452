/*
 * day_table.c - see day_table.h. The index on times covers all that day_find needs, so finding blocks never touches the
 * pages that hold their bytes; body stands last in the row, so loading an index does not walk the body's pages.
 */
#include "store/day_table.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "store/series_group.h"

#include <string.h>

static const char *const migrations[] = {
        "CREATE TABLE block (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, partition INTEGER NOT NULL,"
        " first_item INTEGER NOT NULL, last_item INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,"
        " items INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, stored_bytes INTEGER NOT NULL, day INTEGER NOT NULL,"
        " block_index BLOB NOT NULL, body BLOB NOT NULL);"
        "CREATE UNIQUE INDEX block_place ON block (kind, partition, first_item);"
        "CREATE INDEX block_time ON block (kind, time_max, time_min, partition, first_item);"
        "CREATE TABLE series (id INTEGER PRIMARY KEY, name BLOB NOT NULL, labels BLOB NOT NULL, first_item INTEGER NOT NULL);"
        "CREATE INDEX series_name ON series (name);",
        /* The table of series is of days that an earlier version began; it is still read. */
        "CREATE TABLE series_group (first_id INTEGER PRIMARY KEY, first_item INTEGER NOT NULL, name_min INTEGER NOT NULL,"
        " name_max INTEGER NOT NULL, names BLOB NOT NULL, labels BLOB NOT NULL);"
        "CREATE INDEX series_group_name ON series_group (name_max, name_min);",
        NULL,
};

bool day_open(const char *path, const char *vfs, struct database **out_database, struct err *err)
{
        return database_open(path, vfs, migrations, out_database, err);
}

struct group_row {
        int64_t first_id, first_item, name_min, name_max;
        struct str names, labels;
};

static bool insert_group_row(struct database *day, const struct group_row *row, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, day, "INSERT OR REPLACE INTO series_group (first_id, first_item, name_min, name_max, names, labels)"
                                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)", err))
                return false;
        query_bind_i64(&query, 1, row->first_id);
        query_bind_i64(&query, 2, row->first_item);
        query_bind_i64(&query, 3, row->name_min);
        query_bind_i64(&query, 4, row->name_max);
        query_bind_blob(&query, 5, row->names);
        query_bind_blob(&query, 6, row->labels);
        query_step(&query, err);
        return query_good(&query);
}

static bool insert_group(struct database *day, const struct series_group *group, uint64_t first_item, struct err *err)
{
        struct group_row row = {group->first_id, (int64_t)first_item, group->name_min, group->name_max, buf_str(&group->names), buf_str(&group->labels)};
        return insert_group_row(day, &row, err);
}

static bool insert_series(struct database *day, const struct block *block, struct err *err)
{
        scoped(series_group_done) struct series_group group = {0};
        for (size_t i = 0; i < block->series_count; i += group.count)
                if (!series_group_pack(block->series + i, block->series_count - i, &group, err) ||
                    !insert_group(day, &group, block->first_item, err))
                        return false;
        return true;
}

bool day_insert(struct database *day, const struct block *block, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, day,
                         "INSERT OR REPLACE INTO block (kind, partition, first_item, last_item, time_min, time_max, items,"
                         " raw_bytes, stored_bytes, day, block_index, body)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)", err))
                return false;
        query_bind_i64(&query, 1, block->kind);
        query_bind_i64(&query, 2, block->partition);
        query_bind_i64(&query, 3, (int64_t)block->first_item);
        query_bind_i64(&query, 4, (int64_t)block->last_item);
        query_bind_i64(&query, 5, block->time_min_ns);
        query_bind_i64(&query, 6, block->time_max_ns);
        query_bind_i64(&query, 7, (int64_t)block->items);
        query_bind_i64(&query, 8, (int64_t)block->raw_bytes);
        query_bind_i64(&query, 9, (int64_t)(block->index.length + block->body.length));
        query_bind_i64(&query, 10, block->day);
        query_bind_blob(&query, 11, block->index);
        query_bind_blob(&query, 12, block->body);
        query_step(&query, err);
        return query_good(&query) && insert_series(day, block, err);
}

static void bind_item(struct query *query, const void *item)
{
        query_bind_i64(query, 1, (int64_t)*(const uint64_t *)item);
}

bool day_drop_after(struct database *day, uint64_t last_item_kept, struct err *err)
{
        return query_run(day, "DELETE FROM block WHERE last_item > ?1", bind_item, &last_item_kept, err) &&
               query_run(day, "DELETE FROM series WHERE first_item > ?1", bind_item, &last_item_kept, err) &&
               query_run(day, "DELETE FROM series_group WHERE first_item > ?1", bind_item, &last_item_kept, err);
}

bool day_summary(struct database *day, struct day_summary *out_summary, struct err *err)
{
        struct day_summary summary = {.time_min_ns = INT64_MAX, .time_max_ns = INT64_MIN};
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, day, "SELECT kind, count(*), sum(items), sum(raw_bytes), sum(stored_bytes), min(time_min), max(time_max)"
                                      " FROM block GROUP BY kind", err))
                return false;
        while (query_step(&query, err)) {
                int64_t kind = query_i64(&query, 0);
                if (kind < BLOCK_LOGS || kind > BLOCK_METRICS)
                        continue;
                summary.blocks[kind] = (uint64_t)query_i64(&query, 1);
                summary.items[kind] = (uint64_t)query_i64(&query, 2);
                summary.raw_bytes[kind] = (uint64_t)query_i64(&query, 3);
                summary.stored_bytes[kind] = (uint64_t)query_i64(&query, 4);
                summary.time_min_ns = min_of(summary.time_min_ns, query_i64(&query, 5));
                summary.time_max_ns = max_of(summary.time_max_ns, query_i64(&query, 6));
        }
        if (!query_good(&query))
                return false;
        *out_summary = summary;
        return true;
}

bool day_find(struct database *day, enum block_kind kind, int64_t start_ns, int64_t end_ns,
              bool (*visit)(void *context, const struct day_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, day, "SELECT id, partition, first_item, time_min, time_max FROM block"
                                      " WHERE kind = ?1 AND time_max >= ?2 AND time_min <= ?3", err))
                return false;
        query_bind_i64(&query, 1, kind);
        query_bind_i64(&query, 2, start_ns);
        query_bind_i64(&query, 3, end_ns);
        while (query_step(&query, err)) {
                struct day_row row = {query_i64(&query, 0), (uint16_t)query_i64(&query, 1), (uint64_t)query_i64(&query, 2),
                                      query_i64(&query, 3), query_i64(&query, 4)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

bool day_load(struct database *day, int64_t row, bool with_body, struct query *query, struct block *out_block,
              struct err *err)
{
        const char *sql = with_body ? "SELECT kind, partition, first_item, last_item, time_min, time_max, items, raw_bytes, day,"
                                      " block_index, body FROM block WHERE id = ?1"
                                    : "SELECT kind, partition, first_item, last_item, time_min, time_max, items, raw_bytes, day,"
                                      " block_index FROM block WHERE id = ?1";
        if (!query_begin(query, day, sql, err))
                return false;
        query_bind_i64(query, 1, row);
        if (!query_step(query, err)) {
                if (query_good(query))
                        err->code = ERR_NONE;
                return false;
        }
        *out_block = (struct block){
                .kind = (enum block_kind)query_i64(query, 0),
                .partition = (uint16_t)query_i64(query, 1),
                .first_item = (uint64_t)query_i64(query, 2),
                .last_item = (uint64_t)query_i64(query, 3),
                .time_min_ns = query_i64(query, 4),
                .time_max_ns = query_i64(query, 5),
                .items = (uint64_t)query_i64(query, 6),
                .raw_bytes = (uint64_t)query_i64(query, 7),
                .day = query_i64(query, 8),
                .index = query_str(query, 9),
        };
        if (with_body)
                out_block->body = query_str(query, 10);
        return true;
}

static bool visit_groups(struct database *day, struct str name,
                         bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err), void *context,
                         struct err *err)
{
        scoped(query_done) struct query query = {0};
        uint16_t wanted = series_group_name(name);
        if (!query_begin(&query, day, name.bytes ? "SELECT first_id, names, labels FROM series_group WHERE name_max >= ?1 AND name_min <= ?1"
                                                 : "SELECT first_id, names, labels FROM series_group", err))
                return false;
        if (name.bytes)
                query_bind_i64(&query, 1, wanted);
        while (query_step(&query, err))
                if (!series_group_visit((uint32_t)query_i64(&query, 0), query_str(&query, 1), query_str(&query, 2),
                                        name.bytes ? &wanted : NULL, visit, context, err))
                        return false;
        return query_good(&query);
}

bool day_series(struct database *day, struct str name,
                bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err), void *context,
                struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, day, name.bytes ? "SELECT id, labels FROM series WHERE name = ?1" : "SELECT id, labels FROM series", err))
                return false;
        if (name.bytes)
                query_bind_blob(&query, 1, name);
        while (query_step(&query, err))
                if (!visit(context, (uint32_t)query_i64(&query, 0), query_str(&query, 1), err))
                        return false;
        return query_good(&query) && visit_groups(day, name, visit, context, err);
}

/* --- from a damaged day ---------------------------------------------------------------------------------------------------- */

static uint64_t block_sum(const struct block *block)
{
        uint64_t place[] = {(uint64_t)block->kind, block->partition, block->first_item, block->last_item};
        return hash64_seeded(block->body, hash64_seeded(block->index, hash64((struct str){(const char *)place, sizeof place})));
}

void day_news_add(struct day_news *news, const struct block *block)
{
        news->blocks++;
        news->blocks_sum += block_sum(block);
        for (size_t i = 0; i < block->series_count; i++, news->series++)
                news->series_sum += hash64_seeded(block->series[i].packed_labels, block->series[i].id);
}

void day_news_join(struct day_news *news, const struct day_news *more)
{
        news->blocks += more->blocks;
        news->blocks_sum += more->blocks_sum;
        news->series += more->series;
        news->series_sum += more->series_sum;
}

struct taking {
        struct database *damaged, *fresh;
        struct day_news found;
        struct map items; /* first items of the blocks that are news: their series are news too */
};

static bool take_block(struct taking *taking, int64_t row, struct err *err)
{
        scoped(query_done) struct query query = {0};
        struct block block;
        if (!day_load(taking->damaged, row, true, &query, &block, err))
                return false;
        taking->found.blocks++;
        taking->found.blocks_sum += block_sum(&block);
        if (!map_put(&taking->items, block.first_item, 0))
                return fail_memory(err, "archive", sizeof block);
        return day_insert(taking->fresh, &block, err);
}

/* Rows count up, so the news are the last rows; the walk from there back touches none of the older pages. */
static bool take_blocks(struct taking *taking, uint64_t count, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, taking->damaged, "SELECT id FROM block ORDER BY id DESC LIMIT ?1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)count);
        while (query_step(&query, err))
                if (!take_block(taking, query_i64(&query, 0), err))
                        return false;
        return query_good(&query);
}

static bool count_news(void *context, uint32_t id, struct str packed_labels, struct err *err)
{
        struct day_news *found = context;
        (void)err;
        found->series++;
        found->series_sum += hash64_seeded(packed_labels, id);
        return true;
}

static bool take_group(struct taking *taking, const struct group_row *row, struct err *err)
{
        size_t at;
        bool is_news = map_first(&taking->items, (uint64_t)row->first_item, &at) != MAP_NONE;
        if (is_news && !series_group_visit((uint32_t)row->first_id, row->names, row->labels, NULL, count_news, &taking->found, err))
                return false;
        return insert_group_row(taking->fresh, row, err);
}

static bool take_groups(struct taking *taking, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, taking->damaged, "SELECT first_id, first_item, name_min, name_max, names, labels FROM series_group", err))
                return false;
        while (query_step(&query, err)) {
                struct group_row row = {query_i64(&query, 0), query_i64(&query, 1), query_i64(&query, 2), query_i64(&query, 3), query_str(&query, 4), query_str(&query, 5)};
                if (!take_group(taking, &row, err))
                        return false;
        }
        return query_good(&query);
}

/* Of days that an earlier version began. */
static bool take_old_series(struct taking *taking, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, taking->damaged, "SELECT id, name, labels, first_item FROM series", err))
                return false;
        while (query_step(&query, err)) {
                scoped(query_done) struct query into = {0};
                if (!query_begin(&into, taking->fresh, "INSERT OR REPLACE INTO series (id, name, labels, first_item) VALUES (?1, ?2, ?3, ?4)", err))
                        return false;
                query_bind_i64(&into, 1, query_i64(&query, 0));
                query_bind_blob(&into, 2, query_str(&query, 1));
                query_bind_blob(&into, 3, query_str(&query, 2));
                query_bind_i64(&into, 4, query_i64(&query, 3));
                query_step(&into, err);
                if (!query_good(&into))
                        return false;
        }
        return query_good(&query);
}

bool day_take_over(struct database *damaged, struct database *fresh, const struct day_news *news, struct err *err)
{
        struct taking taking = {.damaged = damaged, .fresh = fresh};
        bool good = take_blocks(&taking, news->blocks, err) && take_groups(&taking, err) && take_old_series(&taking, err);
        map_done(&taking.items);
        return good && (memcmp(&taking.found, news, sizeof *news) == 0 ||
                        fail(err, ERR_CORRUPT, "archive", "%llu of %llu blocks and %llu of %llu series are there", (unsigned long long)taking.found.blocks,
                             (unsigned long long)news->blocks, (unsigned long long)taking.found.series, (unsigned long long)news->series));
}
