/*
 * log_templates.c - see log_templates.h. A partition's lock is held by its worker for the records of one batch, and by
 * readers while they copy. Within a fold that ran out of memory `done` says how many records were taken, so that the same
 * fold, given again, takes none twice.
 */
#include "observe/log_templates.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "base/thread.h"
#include "observe/log_detector.h"
#include "store/archive.h"
#include "wire/message.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 3               /* 1, without splits, and 2, without fatal times, are read too */
#define MINUTE_NS (60 * NS_PER_S)
#define MINUTES_AT_ONCE 180     /* after a longer pause of the whole partition the past says nothing about the minutes between */

struct log_partition {
        struct lock lock;
        struct { struct log_domain **items; size_t count, capacity; } domains;
        struct map by_name;
        int64_t minute;                 /* the one that is open */
        uint64_t sequence;              /* of the fold under way */
        size_t done;
        uint64_t lines, domains_forgotten, lines_of_others;
};

struct log_templates {
        struct log_partition partitions[PARTITIONS];
};

bool log_templates_create(struct log_templates **out_templates, struct err *err)
{
        struct log_templates *templates = calloc(1, sizeof *templates);
        if (!templates)
                return fail_memory(err, "templates", sizeof *templates);
        for (int p = 0; p < PARTITIONS; p++)
                lock_init(&templates->partitions[p].lock, LOCK_PARTITION);
        *out_templates = templates;
        return true;
}

static void partition_clear(struct log_partition *partition)
{
        each (domain, &partition->domains)
                log_domain_destroy(*domain);
        free(partition->domains.items);
        map_done(&partition->by_name);
        partition->domains.items = NULL;
        partition->domains.count = partition->domains.capacity = 0;
        partition->by_name = (struct map){0};
}

void log_templates_destroy(struct log_templates *templates)
{
        if (!templates)
                return;
        for (int p = 0; p < PARTITIONS; p++) {
                partition_clear(&templates->partitions[p]);
                lock_done(&templates->partitions[p].lock);
        }
        free(templates);
}

/* --- domains --------------------------------------------------------------------------------------------------------- */

static struct log_domain *domain_find(const struct log_partition *partition, struct str name)
{
        size_t at;
        uint64_t hash = hash64(name);
        for (uint32_t i = map_first(&partition->by_name, hash, &at); i != MAP_NONE; i = map_next(&partition->by_name, hash, &at))
                if (str_is(name, partition->domains.items[i]->name))
                        return partition->domains.items[i];
        return NULL;
}

/* Takes the domain. */
static bool domain_add(struct log_partition *partition, struct log_domain *domain, struct err *err)
{
        if (partition->domains.count == partition->domains.capacity) {
                size_t capacity = partition->domains.capacity ? partition->domains.capacity * 2 : 4;
                struct log_domain **items = realloc(partition->domains.items, capacity * sizeof *items);
                if (!items) {
                        log_domain_destroy(domain);
                        return fail_memory(err, "templates", capacity * sizeof *items);
                }
                partition->domains.items = items;
                partition->domains.capacity = capacity;
        }
        if (!map_put(&partition->by_name, hash64(str_of(domain->name)), (uint32_t)partition->domains.count)) {
                log_domain_destroy(domain);
                return fail_memory(err, "templates", sizeof *domain);
        }
        partition->domains.items[partition->domains.count++] = domain;
        return true;
}

static struct log_domain *domain_of(struct log_partition *partition, struct str name, struct err *err)
{
        name = str_slice(name, 0, 256);
        struct log_domain *domain = domain_find(partition, name);
        if (domain)
                return domain;
        if (partition->domains.count >= LOG_DOMAINS_MAX) {
                partition->lines_of_others++;
                if ((domain = domain_find(partition, STR(LOG_OTHER_PROGRAMS))))
                        return domain;
                name = STR(LOG_OTHER_PROGRAMS);
        }
        domain = log_domain_create(name, err);
        return domain && domain_add(partition, domain, err) ? domain : NULL;
}

/* The last one takes the place of the one that goes. */
static void domain_forget(struct log_partition *partition, size_t number)
{
        struct log_domain *domain = partition->domains.items[number];
        uint32_t last = (uint32_t)--partition->domains.count;
        map_remove(&partition->by_name, hash64(str_of(domain->name)), (uint32_t)number);
        if (number != last) {
                struct log_domain *moved = partition->domains.items[last];
                map_remove(&partition->by_name, hash64(str_of(moved->name)), last);
                map_put(&partition->by_name, hash64(str_of(moved->name)), (uint32_t)number); /* two places were just freed */
                partition->domains.items[number] = moved;
        }
        log_domain_destroy(domain);
        partition->domains_forgotten++;
}

/* Until the rest fits, the domain that was quiet for longest is forgotten; never the last one. */
static void keep_bound(struct log_partition *partition)
{
        uint64_t bytes = 0;
        each (domain, &partition->domains)
                bytes += log_domain_bytes(*domain);
        while (bytes > LOG_PARTITION_BYTES && partition->domains.count > 1) {
                size_t oldest = 0;
                for (size_t i = 1; i < partition->domains.count; i++)
                        if (partition->domains.items[i]->last_ns < partition->domains.items[oldest]->last_ns)
                                oldest = i;
                bytes -= log_domain_bytes(partition->domains.items[oldest]);
                domain_forget(partition, oldest);
        }
}

/* --- folding --------------------------------------------------------------------------------------------------------- */

static bool close_minutes(struct log_partition *partition, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        int64_t minute = time_ns / MINUTE_NS;
        bool good = true;
        if (partition->minute == 0 || minute - partition->minute > MINUTES_AT_ONCE)
                partition->minute = partition->minute ? max_of(partition->minute, minute - MINUTES_AT_ONCE) : minute;
        for (; partition->minute < minute; partition->minute++) {
                int64_t end_ns = (partition->minute + 1) * MINUTE_NS;
                each (domain, &partition->domains)
                        good = log_detector_close_minute(*domain, end_ns, noticed, err) && good;
                if (partition->minute + 1 == minute)
                        keep_bound(partition);
        }
        return good;
}

/* Records whose lines are split together: enough to wait for memory once, few enough to stay in the nearest cache. */
#define GROUP 8

struct group {
        struct log_domain *domains[GROUP];
        uint32_t picks[GROUP], numbers[GROUP];
        struct miner_line lines[GROUP];
        uint32_t count;
};

/* What the record before was of: most come in rows of one stream. */
struct before {
        struct log_domain *domain;      /* NULL: there was none */
        uint32_t stream;
        struct str source;
};

static bool group_add(struct log_partition *partition, const struct fold *fold, uint32_t pick, struct before *before, struct group *group, struct err *err)
{
        const struct telemetry *telemetry = &fold->batch->telemetry;
        const struct log_record *record = &telemetry->records.items[pick];
        if (!before->domain || before->stream != record->stream) {
                const struct labels *stream = &telemetry->streams.items[record->stream];
                struct str service = labels_value(stream, STR("service"));
                if ((!before->domain || !str_is(service, before->domain->name)) && !(before->domain = domain_of(partition, service, err)))
                        return false;
                before->stream = record->stream;
                before->source = labels_value(stream, STR("source"));
        }
        group->domains[group->count] = before->domain;
        group->picks[group->count] = pick;
        miner_begin(before->domain->miner, message_of_line(before->source, record->line), &group->lines[group->count]);
        group->count++;
        return true;
}

/* Asks for the records of the next group while this one is worked on, and for the lines of this one. */
static void fetch_records(const struct fold *fold, size_t from)
{
        const struct log_record *records = fold->batch->telemetry.records.items;
        for (size_t i = from + GROUP; i < min_of(fold->record_count, from + 2 * (size_t)GROUP); i++)
                __builtin_prefetch(&records[fold->records[i]]);
        for (size_t i = from; i < min_of(fold->record_count, from + (size_t)GROUP); i++) {
                __builtin_prefetch(records[fold->records[i]].line.bytes);
                __builtin_prefetch(records[fold->records[i]].line.bytes + 64);
                __builtin_prefetch(records[fold->records[i]].line.bytes + 128);
        }
}

static void group_fetch(struct group *group)
{
        for (uint32_t i = 0; i < group->count; i++)
                miner_fetch(group->domains[i]->miner, &group->lines[i]);
        for (uint32_t i = 0; i < group->count; i++)
                miner_split(group->domains[i]->miner, &group->lines[i]);
        for (uint32_t i = 0; i < group->count; i++)
                group->numbers[i] = log_domain_fetch(group->domains[i], &group->lines[i]);
        for (uint32_t i = 0; i < group->count; i++)
                miner_fetch_parts(group->domains[i]->miner, group->numbers[i]);
}

static bool fold_record(struct log_partition *partition, const struct fold *fold, struct group *group, uint32_t number,
                        struct noticed *noticed, struct err *err)
{
        const struct log_record *record = &fold->batch->telemetry.records.items[group->picks[number]];
        struct miner_line *line = &group->lines[number];
        struct log_domain *domain = group->domains[number];
        struct miner_match match;
        if (!log_domain_learn(domain, line, record, item_id(fold->sequence, group->picks[number]), fold->time_ns, &match, err))
                return false;
        partition->lines++;
        partition->done++;
        bool good = log_detector_look(domain, line->text, record, &match, fold->time_ns, noticed, err);
        log_domain_keep(domain, line->text, &match);
        return good;
}

bool log_templates_fold(struct log_templates *templates, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        struct log_partition *partition = &templates->partitions[fold->partition];
        struct before before = {0};
        if (!fold->record_count)
                return true;
        with_lock(&partition->lock);
        if (partition->sequence != fold->sequence) {
                partition->sequence = fold->sequence;
                partition->done = 0;
        }
        if (!close_minutes(partition, fold->time_ns, noticed, err))
                return false;
        while (partition->done < fold->record_count) {
                struct group group;
                size_t next = partition->done;
                bool good = true;
                fetch_records(fold, next);
                for (group.count = 0; good && group.count < GROUP && next < fold->record_count; next++)
                        good = group_add(partition, fold, fold->records[next], &before, &group, err);
                group_fetch(&group);
                for (uint32_t i = 0; i < group.count; i++)
                        if (!fold_record(partition, fold, &group, i, noticed, err))
                                return false;
                if (!good)
                        return false;
        }
        return true;
}

/* --- saving ---------------------------------------------------------------------------------------------------------- */

static bool partition_save(const struct log_partition *partition, struct buf *out, struct err *err)
{
        buf_u64(out, (uint64_t)partition->minute);
        buf_u64(out, partition->lines);
        buf_u64(out, partition->domains_forgotten);
        buf_u64(out, partition->lines_of_others);
        buf_u32(out, (uint32_t)partition->domains.count);
        for (size_t i = 0; i < partition->domains.count; i++)
                if (!log_domain_save(partition->domains.items[i], out, err))
                        return false;
        return out->failed ? fail_memory(err, "templates", out->length) : true;
}

bool log_templates_save(struct log_templates *templates, struct buf *out, struct err *err)
{
        buf_u32(out, VERSION);
        buf_u32(out, PARTITIONS);
        for (int p = 0; p < PARTITIONS; p++) {
                with_lock(&templates->partitions[p].lock);
                if (!partition_save(&templates->partitions[p], out, err))
                        return false;
        }
        return true;
}

static bool partition_restore(struct log_partition *partition, struct reader *reader, uint32_t version, struct err *err)
{
        partition_clear(partition);
        partition->minute = (int64_t)reader_u64(reader);
        partition->lines = reader_u64(reader);
        partition->domains_forgotten = reader_u64(reader);
        partition->lines_of_others = reader_u64(reader);
        uint32_t count = reader_u32(reader);
        if (reader->failed || count > LOG_DOMAINS_MAX + 1 || partition->minute < 0 || partition->minute > INT64_MAX / MINUTE_NS - 1)
                return fail(err, ERR_CORRUPT, "templates", "the saved templates are damaged");
        for (uint32_t i = 0; i < count; i++) {
                struct log_domain *domain = log_domain_restore(reader, version, err);
                if (!domain)
                        return false;
                if (domain_find(partition, str_of(domain->name))) {
                        log_domain_destroy(domain);
                        return fail(err, ERR_CORRUPT, "templates", "the saved templates name a program twice");
                }
                if (!domain_add(partition, domain, err))
                        return false;
        }
        return true;
}

bool log_templates_restore(struct log_templates *templates, struct str bytes, struct err *err)
{
        struct reader reader = reader_of(bytes);
        uint32_t version = reader_u32(&reader), partitions = reader_u32(&reader);
        if (version < 1 || version > VERSION || partitions != PARTITIONS)
                return fail(err, reader.failed ? ERR_CORRUPT : ERR_UNSUPPORTED, "templates", "the saved templates are of version %u for %u partitions, this program knows versions up to %d for %d", version,
                            partitions, VERSION, PARTITIONS);
        for (int p = 0; p < PARTITIONS; p++) {
                with_lock(&templates->partitions[p].lock);
                if (!partition_restore(&templates->partitions[p], &reader, version, err))
                        return false;
        }
        return reader_left(&reader) == 0 || fail(err, ERR_CORRUPT, "templates", "the saved templates are followed by something else");
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static void view_variables(const struct log_domain *domain, uint32_t number, const struct miner_template *shown, struct template_view *view)
{
        const struct template_stat *stat = number < domain->stat_count ? &domain->stats[number] : NULL;
        view->variable_count = shown->variable_count;
        for (uint32_t i = 0; i < shown->variable_count; i++) {
                view->variables[i] = (struct template_variable){shown->variables[i].place, (enum value_type)shown->variables[i].type, NULL};
                for (uint32_t v = 0; stat && v < stat->value_count; v++)
                        if (stat->values[v].place == shown->variables[i].place)
                                view->variables[i].values = &stat->values[v].sketch;
        }
}

static bool view_one(const struct log_domain *domain, uint32_t number, bool (*visit)(void *context, const struct template_view *view), void *context,
                     bool *out_goes_on, struct err *err)
{
        static const struct template_stat none;
        scoped(buf_done) struct buf sentence = {0};
        struct miner_template shown;
        struct template_view view = {.service = str_of(domain->name)};
        const struct template_stat *stat = number < domain->stat_count ? &domain->stats[number] : &none;
        if (miner_alias(domain->miner, number) != number || !miner_template(domain->miner, number, &shown) || !shown.lines)
                return true;
        if (!miner_sentence(domain->miner, number, &sentence))
                return fail_memory(err, "templates", sentence.length);
        view.id = shown.id;
        view.sentence = buf_str(&sentence);
        view.lines = shown.lines;
        view.split_from = shown.split_from;
        view.half_count = shown.half_count;
        memcpy(view.halves, shown.halves, sizeof view.halves);
        view.first_ns = shown.first_ns;
        view.last_ns = shown.last_ns;
        view.per_minute = stat->rate.level;
        view.first_record = stat->first_record;
        view.kept_record = stat->kept_record;
        view.newest_record = stat->newest_record;
        memcpy(view.lines_by_level, stat->lines_by_level, sizeof view.lines_by_level);
        view_variables(domain, number, &shown, &view);
        *out_goes_on = visit(context, &view);
        return true;
}

static bool visit_domain(const struct log_domain *domain, uint64_t id, bool (*visit)(void *context, const struct template_view *view), void *context,
                         bool *out_goes_on, struct err *err)
{
        uint32_t number;
        if (id)
                return !miner_find(domain->miner, id, &number) || view_one(domain, number, visit, context, out_goes_on, err);
        for (number = 0; number < miner_count(domain->miner) && *out_goes_on; number++)
                if (!view_one(domain, number, visit, context, out_goes_on, err))
                        return false;
        return true;
}

bool log_templates_visit(struct log_templates *templates, struct str service, uint64_t id,
                         bool (*visit)(void *context, const struct template_view *view), void *context, struct err *err)
{
        bool goes_on = true;
        for (int p = 0; p < PARTITIONS && goes_on; p++) {
                struct log_partition *partition = &templates->partitions[p];
                with_lock(&partition->lock);
                for (size_t i = 0; i < partition->domains.count && goes_on; i++) {
                        struct log_domain *domain = partition->domains.items[i];
                        if ((!service.length || str_is(service, domain->name)) && !visit_domain(domain, id, visit, context, &goes_on, err))
                                return false;
                }
        }
        return true;
}

struct line_matcher *log_templates_matcher(struct log_templates *templates, uint64_t id, struct buf *out_service, struct err *err)
{
        for (int p = 0; p < PARTITIONS; p++) {
                struct log_partition *partition = &templates->partitions[p];
                with_lock(&partition->lock);
                each (domain, &partition->domains) {
                        uint32_t number;
                        if (!miner_find((*domain)->miner, id, &number))
                                continue;
                        if (!buf_text(out_service, (*domain)->name))
                                return fail_memory(err, "templates", strlen((*domain)->name)), NULL;
                        return line_matcher_create((*domain)->miner, number, err);
                }
        }
        return fail(err, ERR_NOT_FOUND, "templates", "there is no template with this id (any more)"), NULL;
}

void log_templates_read_stats(struct log_templates *templates, struct log_templates_stats *out_stats)
{
        struct log_templates_stats stats = {0};
        for (int p = 0; p < PARTITIONS; p++) {
                struct log_partition *partition = &templates->partitions[p];
                with_lock(&partition->lock);
                stats.domains += partition->domains.count;
                stats.lines += partition->lines;
                stats.domains_forgotten += partition->domains_forgotten;
                stats.lines_of_others += partition->lines_of_others;
                each (domain, &partition->domains) {
                        struct miner_counts counts = miner_counts((*domain)->miner);
                        stats.templates += counts.templates - 1;
                        stats.templates_forgotten += counts.forgotten;
                        stats.templates_split += counts.splits;
                        stats.splits_refused += counts.splits_refused;
                        stats.lines_crowded += counts.crowded;
                        stats.bytes += log_domain_bytes(*domain);
                }
        }
        *out_stats = stats;
}
