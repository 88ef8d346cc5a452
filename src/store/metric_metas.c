/* metric_metas.c - see metric_metas.h. Few change, many repeat: a repeat is found by its name and compared, nothing is allocated. */
#include "store/metric_metas.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "base/thread.h"

#include <stdlib.h>

struct metric_metas {
        struct lock lock;
        struct metric_meta **items; /* each one allocation with its texts */
        size_t count, capacity;
        struct map by_name;
        uint64_t left_out;
};

bool metric_metas_create(struct metric_metas **out_metas, struct err *err)
{
        struct metric_metas *metas = calloc(1, sizeof *metas);
        if (!metas)
                return fail_memory(err, "metric_metas", sizeof *metas);
        lock_init(&metas->lock, LOCK_CACHE);
        *out_metas = metas;
        return true;
}

void metric_metas_destroy(struct metric_metas *metas)
{
        if (!metas)
                return;
        for (size_t i = 0; i < metas->count; i++)
                free(metas->items[i]);
        free(metas->items);
        map_done(&metas->by_name);
        lock_done(&metas->lock);
        free(metas);
}

static struct str put_text(char **to, struct str text)
{
        if (text.length)
                memcpy(*to, text.bytes, text.length);
        struct str kept = {*to, text.length};
        *to += text.length;
        return kept;
}

static struct metric_meta *copy(const struct metric_meta *meta)
{
        struct str help = str_slice(meta->help, 0, METRIC_HELP_BYTES_MAX);
        struct metric_meta *kept = malloc(sizeof *kept + meta->name.length + help.length + meta->unit.length);
        if (!kept)
                return NULL;
        char *to = (char *)(kept + 1);
        kept->type = meta->type;
        kept->name = put_text(&to, meta->name);
        kept->help = put_text(&to, help);
        kept->unit = put_text(&to, meta->unit);
        return kept;
}

static bool same(const struct metric_meta *kept, const struct metric_meta *meta)
{
        return kept->type == meta->type && str_equal(kept->help, str_slice(meta->help, 0, METRIC_HELP_BYTES_MAX)) &&
               str_equal(kept->unit, meta->unit);
}

static struct metric_meta **find(struct metric_metas *metas, struct str name)
{
        size_t at;
        uint64_t hash = hash64(name);
        for (uint32_t i = map_first(&metas->by_name, hash, &at); i != MAP_NONE; i = map_next(&metas->by_name, hash, &at))
                if (str_equal(metas->items[i]->name, name))
                        return &metas->items[i];
        return NULL;
}

static bool has_room(struct metric_metas *metas)
{
        if (metas->count < metas->capacity)
                return true;
        size_t grown = metas->capacity ? metas->capacity * 2 : 64;
        struct metric_meta **moved = metas->count < METRIC_METAS_MAX ? realloc(metas->items, grown * sizeof *moved) : NULL;
        if (!moved)
                return false;
        metas->items = moved;
        metas->capacity = grown;
        return true;
}

void metric_metas_note(struct metric_metas *metas, const struct metric_meta *meta)
{
        with_lock(&metas->lock);
        struct metric_meta **place = find(metas, meta->name);
        if (place && same(*place, meta))
                return;
        struct metric_meta *kept = place || has_room(metas) ? copy(meta) : NULL;
        if (kept && place) {
                free(*place);
                *place = kept;
        } else if (kept && map_put(&metas->by_name, hash64(kept->name), (uint32_t)metas->count)) {
                metas->items[metas->count++] = kept;
        } else {
                free(kept);
                metas->left_out++;
        }
}

static int by_name(const void *left, const void *right)
{
        return str_compare((*(struct metric_meta *const *)left)->name, (*(struct metric_meta *const *)right)->name);
}

void metric_metas_visit(struct metric_metas *metas, struct str name, void (*visit)(void *context, const struct metric_meta *meta),
                        void *context)
{
        with_lock(&metas->lock);
        if (name.bytes) {
                struct metric_meta **one = find(metas, name);
                if (one)
                        visit(context, *one);
                return;
        }
        struct metric_meta **sorted = malloc((metas->count + 1) * sizeof *sorted);
        struct metric_meta **items = sorted ? sorted : metas->items; /* without memory: in order of arrival */
        if (sorted) {
                memcpy(sorted, metas->items, metas->count * sizeof *sorted);
                qsort(sorted, metas->count, sizeof *sorted, by_name);
        }
        for (size_t i = 0; i < metas->count; i++)
                visit(context, items[i]);
        free(sorted);
}

uint64_t metric_metas_left_out(struct metric_metas *metas)
{
        with_lock(&metas->lock);
        return metas->left_out;
}

const char *metric_type_name(enum metric_type type)
{
        static const char *const names[] = {
                [METRIC_UNKNOWN] = "unknown", [METRIC_GAUGE] = "gauge",       [METRIC_COUNTER] = "counter",   [METRIC_HISTOGRAM] = "histogram",
                [METRIC_SUMMARY] = "summary", [METRIC_INFO] = "info",         [METRIC_STATESET] = "stateset", [METRIC_GAUGE_HISTOGRAM] = "gaugehistogram",
        };
        return (size_t)type < countof(names) ? names[type] : names[0];
}
