/*
 * alert_stream.c - see alert_stream.h.
 *
 * Rows are read whole, since their clocks may have to be set, then told one after another to a correlator; between two rows the
 * stream's time is a tick. What the correlator calls a group is here a number, and merges join numbers.
 */
#include "engage/alert_stream.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "engage/cause.h"
#include "engage/correlate.h"
#include "engage/learned.h"
#include "register/graph.h"
#include "wire/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define NS_PER_MS ((int64_t)1000000)
#define QUARTER_NS ((int64_t)900 * 1000000000)
#define QUARTERS_MAX 56                 /* 14 hours either way: all time zones there are */
#define MATCH_NS ((int64_t)120 * 1000000000)

struct row {
        int64_t time_ns;
        struct str source, entity, peer, name, kind, text;
        uint32_t number, group;
};

struct found {                          /* what is left of a group when it is over */
        uint32_t into;                  /* itself, or the one it was merged into */
        int64_t last_ns;
        bool is_told;
        struct str causes[CAUSES_MAX];
        size_t cause_count;
};

struct stream {
        struct arena arena;
        struct { struct row *items; size_t count, capacity; } rows;
        struct { struct found *items; size_t count, capacity; } founds; /* group n is items[n - 1] */
        struct graph *graph;
        struct map nodes;               /* hash: node id; value: 0 */
        struct topology topology;
        struct learned *learned;
        struct correlator *correlator;
        size_t told;                    /* founds before it are told */
};

static void stream_done(struct stream *stream)
{
        correlator_destroy(stream->correlator);
        learned_destroy(stream->learned);
        graph_destroy(stream->graph);
        map_done(&stream->nodes);
        arena_done(&stream->arena);
}

static struct graph *lend_graph(void *context)
{
        return context;
}

/* --- the topology ---------------------------------------------------------------------------------------------------------- */

static uint64_t node_id(struct str name)
{
        return hash64(name) | 1;
}

static bool know_node(struct stream *stream, struct str kind, struct str name, struct err *err)
{
        size_t at;
        uint64_t id = node_id(name);
        if (map_first(&stream->nodes, id, &at) != MAP_NONE)
                return true;
        if (!map_put(&stream->nodes, id, 0))
                return fail_memory(err, "correlate", sizeof id);
        return graph_add(stream->graph, id, kind, name, err);
}

/* Where trouble goes: what a thing runs on, belongs to or calls reaches it; what it hosts or has, it reaches. */
static enum impact impact_of(struct str relation)
{
        static const struct { struct str name; enum impact impact; } known[] = {
                {STR_INIT("hosts"), IMPACT_FROM_TO},       {STR_INIT("has_instance"), IMPACT_FROM_TO}, {STR_INIT("discovers"), IMPACT_FROM_TO},
                {STR_INIT("contains"), IMPACT_FROM_TO},    {STR_INIT("owns"), IMPACT_NONE},
        };
        for (size_t i = 0; i < countof(known); i++)
                if (str_equal(relation, known[i].name))
                        return known[i].impact;
        return IMPACT_TO_FROM;
}

static bool relate(struct stream *stream, struct str from, struct str relation, struct str to, struct err *err)
{
        struct graph_edge edge = {node_id(from), node_id(to), relation, impact_of(relation), EDGE_DECLARED, 0, 0};
        return edge.from == edge.to || graph_relate(stream->graph, &edge, err);
}

static bool read_topology(struct stream *stream, struct str bytes, struct err *err)
{
        scoped(csv_done) struct csv csv = {0};
        size_t source, source_type, relation, target, target_type;
        bool has_row;
        if (!bytes.bytes)
                return true;
        if (!csv_open(&csv, bytes, err) || !csv_column(&csv, STR("source"), &source, err) || !csv_column(&csv, STR("source_type"), &source_type, err) ||
            !csv_column(&csv, STR("relation"), &relation, err) || !csv_column(&csv, STR("target"), &target, err) ||
            !csv_column(&csv, STR("target_type"), &target_type, err))
                return err_within(err, "reading the topology");
        while (csv_next(&csv, &has_row, err) && has_row) {
                const struct str *fields = csv.fields.items;
                if (!fields[source].length || !fields[target].length || !fields[relation].length)
                        return fail(err, ERR_INVALID, "correlate", "line %zu of the topology names no source, relation or target", csv.line);
                if (!know_node(stream, fields[source_type], fields[source], err) || !know_node(stream, fields[target_type], fields[target], err) ||
                    !relate(stream, fields[source], fields[relation], fields[target], err))
                        return err_within(err, "line %zu of the topology", csv.line);
        }
        return csv.rest.length == 0 || err_within(err, "reading the topology");
}

/* --- the alerts ------------------------------------------------------------------------------------------------------------ */

static bool keep(struct stream *stream, struct str text, struct str *out_copy, struct err *err)
{
        return text_copy(text, &stream->arena, out_copy) || fail_memory(err, "correlate", text.length);
}

static bool read_alerts(struct stream *stream, struct str bytes, struct err *err)
{
        static const char *const names[] = {"ts_ms", "source", "entity", "peer", "name", "kind", "text"};
        scoped(csv_done) struct csv csv = {0};
        size_t columns[countof(names)];
        bool has_row = false, good;
        if (!csv_open(&csv, bytes, err))
                return err_within(err, "reading the alerts");
        for (size_t i = 0; i < countof(names); i++)
                if (!csv_column(&csv, str_of(names[i]), &columns[i], err))
                        return err_within(err, "reading the alerts");
        while ((good = csv_next(&csv, &has_row, err)) && has_row) {
                const struct str *fields = csv.fields.items;
                int64_t ms;
                if (!str_to_i64(fields[columns[0]], &ms) || ms > INT64_MAX / NS_PER_MS / 2 || ms < 0)
                        return fail(err, ERR_INVALID, "correlate", "line %zu of the alerts: \"%.*s\" are no milliseconds since 1970", csv.line,
                                    STR_ARGS(fields[columns[0]]));
                if (stream->rows.count == ALERT_STREAM_ROWS_MAX)
                        return fail(err, ERR_TOO_LARGE, "correlate", "there are more than %zu alerts", ALERT_STREAM_ROWS_MAX);
                struct row row = {.time_ns = ms * NS_PER_MS, .number = (uint32_t)stream->rows.count}, *kept;
                if (!keep(stream, fields[columns[1]], &row.source, err) || !keep(stream, fields[columns[2]], &row.entity, err) ||
                    !keep(stream, fields[columns[3]], &row.peer, err) || !keep(stream, fields[columns[4]], &row.name, err) ||
                    !keep(stream, fields[columns[5]], &row.kind, err) || !keep(stream, fields[columns[6]], &row.text, err))
                        return false;
                if (!(kept = arena_push(&stream->arena, &stream->rows)))
                        return fail_memory(err, "correlate", sizeof row);
                *kept = row;
        }
        return good || err_within(err, "reading the alerts");
}

/* --- clocks ---------------------------------------------------------------------------------------------------------------- */

struct sighting {                       /* an entity named by an alert of another source */
        uint64_t entity;
        int64_t time_ns;
};

static int sighting_order(const void *left, const void *right)
{
        const struct sighting *a = left, *b = right;
        if (a->entity != b->entity)
                return a->entity < b->entity ? -1 : 1;
        return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

static bool is_seen_near(const struct sighting *sightings, size_t count, uint64_t entity, int64_t time_ns)
{
        struct sighting wanted = {entity, time_ns - MATCH_NS};
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (sighting_order(&sightings[middle], &wanted) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < count && sightings[low].entity == entity && sightings[low].time_ns <= time_ns + MATCH_NS;
}

static size_t matches(const struct stream *stream, struct str source, const struct sighting *sightings, size_t count, int64_t offset_ns)
{
        size_t found = 0;
        each (row, &stream->rows)
                found += str_equal(row->source, source) && is_seen_near(sightings, count, node_id(row->entity), row->time_ns - offset_ns);
        return found;
}

/* Sets the source's clock when another time zone explains it: most of its alerts then have company, and few without. */
static bool set_clock(struct stream *stream, struct str source, struct err *err)
{
        struct sighting *sightings = malloc(2 * (stream->rows.count + 1) * sizeof *sightings);
        size_t count = 0, own = 0;
        if (!sightings)
                return fail_memory(err, "correlate", stream->rows.count * sizeof *sightings);
        each (row, &stream->rows) {
                own += str_equal(row->source, source);
                if (str_equal(row->source, source))
                        continue;
                sightings[count++] = (struct sighting){node_id(row->entity), row->time_ns};
                if (row->peer.length)
                        sightings[count++] = (struct sighting){node_id(row->peer), row->time_ns};
        }
        qsort(sightings, count, sizeof *sightings, sighting_order);
        size_t as_it_is = matches(stream, source, sightings, count, 0), best = as_it_is;
        int64_t best_ns = 0;
        for (int quarters = -QUARTERS_MAX; own >= 10 && as_it_is * 4 < own && quarters <= QUARTERS_MAX; quarters++) {
                size_t found = matches(stream, source, sightings, count, quarters * QUARTER_NS);
                if (found > best) {
                        best = found;
                        best_ns = quarters * QUARTER_NS;
                }
        }
        free(sightings);
        if (best * 2 < own || best < 3 * as_it_is)
                return true;
        fprintf(stderr, "the clock of source %.*s is %+.2f h off the others'; taken as such\n", STR_ARGS(source), (double)best_ns / 3600e9);
        each (row, &stream->rows)
                if (str_equal(row->source, source))
                        row->time_ns -= best_ns;
        return true;
}

static int row_order(const void *left, const void *right)
{
        const struct row *a = left, *b = right;
        if (a->time_ns != b->time_ns)
                return a->time_ns < b->time_ns ? -1 : 1;
        return a->number < b->number ? -1 : 1;
}

static bool set_clocks(struct stream *stream, struct err *err)
{
        struct str sources[8];
        size_t rows[8] = {0}, count = 0;
        each (row, &stream->rows) {
                size_t i = 0;
                while (i < count && !str_equal(sources[i], row->source))
                        i++;
                if (i == count && count < countof(sources))
                        sources[count++] = row->source;
                if (i < countof(sources))
                        rows[i]++;
        }
        for (size_t i = 1; i < count; i++) /* the smallest first: rather few are wrong than many */
                for (size_t k = i; k && rows[k] < rows[k - 1]; k--) {
                        size_t fewer = rows[k];
                        struct str smaller = sources[k];
                        rows[k] = rows[k - 1], sources[k] = sources[k - 1];
                        rows[k - 1] = fewer, sources[k - 1] = smaller;
                }
        for (size_t i = 0; count > 1 && i < count; i++)
                if (!set_clock(stream, sources[i], err))
                        return false;
        if (stream->rows.count)
                qsort(stream->rows.items, stream->rows.count, sizeof *stream->rows.items, row_order);
        return true;
}

/* --- through the correlator ---------------------------------------------------------------------------------------------------- */

static uint32_t root_of(const struct stream *stream, uint32_t group)
{
        while (stream->founds.items[group - 1].into != group)
                group = stream->founds.items[group - 1].into;
        return group;
}

/* Before the correlator forgets a group: what it says about causes. */
static bool tell_causes(struct stream *stream, uint32_t group, struct err *err)
{
        struct found *found = &stream->founds.items[group - 1];
        struct suspect suspects[CAUSES_MAX];
        found->is_told = true;
        if (found->into != group)
                return true;
        if (!correlator_suspects(stream->correlator, group, suspects, CAUSES_MAX, &found->cause_count, err))
                return false;
        for (size_t i = 0; i < found->cause_count; i++)
                if (!keep(stream, suspects[i].name, &found->causes[i], err))
                        return false;
        return true;
}

static bool tell_old(struct stream *stream, int64_t before_ns, struct err *err)
{
        for (size_t i = stream->told; i < stream->founds.count; i++)
                if (!stream->founds.items[i].is_told && stream->founds.items[i].last_ns < before_ns && !tell_causes(stream, (uint32_t)i + 1, err))
                        return false;
        while (stream->told < stream->founds.count && stream->founds.items[stream->told].is_told)
                stream->told++;
        return true;
}

static bool pass_time(struct stream *stream, int64_t time_ns, struct err *err)
{
        uint64_t group, into;
        while (correlator_settle(stream->correlator, time_ns, &group, &into)) {
                correlator_move_group(stream->correlator, group, into);
                stream->founds.items[group - 1].into = (uint32_t)into;
        }
        if (!tell_old(stream, time_ns - CORRELATE_WINDOW_NS / 2, err))
                return false;
        correlator_forget(stream->correlator, time_ns);
        return true;
}

static uint64_t identity(const struct row *row)
{
        const struct str parts[] = {row->source, row->entity, row->peer, row->name, row->kind};
        uint64_t hash = 1;
        for (size_t i = 0; i < countof(parts); i++)
                hash = hash64_seeded(parts[i], hash);
        return hash | 1;
}

static bool clue_of(struct stream *stream, const struct row *row, struct clue *out_clue, struct err *err)
{
        bool is_call = str_is(row->source, "trace"), on_host = str_is(row->source, "metric");
        *out_clue = (struct clue){.alert = row->number + 1, .same = identity(row), .time_ns = row->time_ns, .name = hash64_seeded(row->name, hash64(row->kind)),
                                  .sort = learned_sort(row->name, row->kind), .name_text = row->name, .text = row->text, .is_call = is_call};
        if (row->entity.length) {
                if (!know_node(stream, STR("entity"), row->entity, err))
                        return false;
                out_clue->entities[out_clue->entity_count++] = (struct topology_entity){node_id(row->entity), STR("entity"), row->entity};
        }
        if (!row->peer.length || str_equal(row->peer, row->entity))
                return true;
        if (!know_node(stream, on_host ? STR("host") : STR("entity"), row->peer, err) ||
            (row->entity.length && is_call && !relate(stream, row->peer, STR("calls"), row->entity, err)) ||
            (row->entity.length && on_host && !relate(stream, row->entity, STR("hosted_on"), row->peer, err)))
                return false;
        out_clue->entities[out_clue->entity_count++] = (struct topology_entity){node_id(row->peer), on_host ? STR("host") : STR("entity"), row->peer};
        return true;
}

/* Back to a row of a moment ago. */
static void move_row(struct stream *stream, struct row *from, uint64_t alert, uint32_t group)
{
        while (from > stream->rows.items && from->number + 1 != alert)
                from--;
        from->group = group;
}

static bool tell_row(struct stream *stream, struct row *row, struct err *err)
{
        struct clue clue;
        struct verdict verdict;
        if (!pass_time(stream, row->time_ns, err) || !clue_of(stream, row, &clue, err) || !correlator_weigh(stream->correlator, &clue, &verdict, err))
                return false;
        uint64_t group = verdict.group;
        if (!group) {
                struct found *found = arena_push(&stream->arena, &stream->founds);
                if (!found)
                        return fail_memory(err, "correlate", sizeof *found);
                group = stream->founds.count;
                found->into = (uint32_t)group;
        }
        row->group = (uint32_t)group;
        stream->founds.items[group - 1].last_ns = row->time_ns;
        if (!correlator_place(stream->correlator, &clue, group, &verdict, err))
                return false;
        for (size_t i = 0; i < verdict.move_count; i++)
                move_row(stream, row, verdict.moves[i].alert, (uint32_t)group);
        for (size_t i = 0; i < verdict.merge_count; i++) {
                correlator_move_group(stream->correlator, verdict.merges[i], group);
                stream->founds.items[verdict.merges[i] - 1].into = (uint32_t)group;
        }
        return true;
}

static int group_order(const void *left, const void *right)
{
        const struct row *a = left, *b = right;
        if (a->group != b->group)
                return a->group < b->group ? -1 : 1;
        return a->number < b->number ? -1 : a->number > b->number;
}

static bool write_answer(struct stream *stream, struct buf *out, struct err *err)
{
        each (row, &stream->rows)
                row->group = root_of(stream, row->group);
        if (stream->rows.count)
                qsort(stream->rows.items, stream->rows.count, sizeof *stream->rows.items, group_order);
        for (size_t i = 0; i < stream->rows.count;) {
                uint32_t group = stream->rows.items[i].group;
                const struct found *found = &stream->founds.items[group - 1];
                buf_printf(out, "{\"incident\": %u, \"alerts\": [", group);
                for (bool is_first = true; i < stream->rows.count && stream->rows.items[i].group == group; i++, is_first = false)
                        buf_printf(out, "%s%u", is_first ? "" : ", ", stream->rows.items[i].number);
                buf_text(out, "], \"causes\": [");
                for (size_t k = 0; k < found->cause_count; k++) {
                        buf_text(out, k ? ", " : "");
                        json_quote(out, found->causes[k]);
                }
                buf_text(out, "]}\n");
        }
        return !out->failed || fail_memory(err, "correlate", out->length);
}

bool alert_stream_correlate(struct str alerts, struct str topology, struct buf *out, struct err *err)
{
        scoped(stream_done) struct stream stream = {0};
        arena_init(&stream.arena, 0);
        if (!graph_create(0, 0, &stream.graph, err))
                return false;
        stream.topology = (struct topology){.context = stream.graph, .graph = lend_graph};
        if (!learned_create(&stream.learned, err) || !correlator_create(&stream.topology, stream.learned, &stream.correlator, err) ||
            !read_topology(&stream, topology, err) || !read_alerts(&stream, alerts, err) || !set_clocks(&stream, err))
                return false;
        each (row, &stream.rows)
                if (!tell_row(&stream, row, err))
                        return false;
        return tell_old(&stream, INT64_MAX, err) && write_answer(&stream, out, err);
}
