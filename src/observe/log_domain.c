/*
 * log_domain.c - see log_domain.h. Values of the first lines are all kept, later one in SAMPLE_EVERY: quantiles do not gain from
 * more, and the hot path loses.
 */
#include "observe/log_domain.h"

#include "base/reader.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_ALL 64
#define SAMPLE_EVERY 16
#define MINER_BYTES_MAX ((uint64_t)1 << 20)
#define REFINE_STEPS 4
#define NAME_BYTES_MAX 256

enum log_level log_level_of(uint8_t severity)
{
        if (severity == 0 || (severity >= 9 && severity < 13))
                return LOG_LEVELS_INFO;
        return severity < 9 ? LOG_LEVELS_DEBUG : severity < 17 ? LOG_LEVELS_WARN : LOG_LEVELS_ERROR;
}

static void watch_end(struct log_domain *domain, struct template_stat *stat)
{
        domain->watched -= stat->watch != NULL;
        split_destroy(stat->watch);
        stat->watch = NULL;
}

/* Its watch has ended. */
static void stat_clear(struct template_stat *stat)
{
        free(stat->values);
        *stat = (struct template_stat){.variable_told_minute = INT64_MIN};
        rate_init(&stat->rate);
}

static bool stats_reserve(struct log_domain *domain, uint32_t count)
{
        if (count <= domain->stat_count)
                return true;
        uint32_t wanted = max_of(count, domain->stat_count ? domain->stat_count * 2 : 8);
        struct template_stat *stats = realloc(domain->stats, wanted * sizeof *stats);
        if (!stats)
                return false;
        domain->stats = stats;
        for (; domain->stat_count < wanted; domain->stat_count++) {
                stats[domain->stat_count].values = NULL;
                stats[domain->stat_count].watch = NULL;
                stat_clear(&stats[domain->stat_count]);
        }
        return true;
}

static void merged(void *context, uint32_t from, uint32_t to)
{
        struct log_domain *domain = context;
        if (from >= domain->stat_count)
                return;
        struct template_stat *gone = &domain->stats[from], *stays = to < domain->stat_count ? &domain->stats[to] : NULL;
        watch_end(domain, gone);
        if (stays)
                watch_end(domain, stays); /* its places may be others now: it is looked at anew */
        if (!stays) {
                stat_clear(gone);
                return;
        }
        for (int level = 0; level < LOG_LEVELS; level++)
                stays->lines_by_level[level] += gone->lines_by_level[level];
        if (gone->first_record && (!stays->first_record || gone->first_record < stays->first_record))
                stays->first_record = gone->first_record;
        stays->newest_record = max_of(stays->newest_record, gone->newest_record);
        rate_join(&stays->rate, &gone->rate);
        stat_clear(gone);
}

static struct log_domain *domain_of(struct miner *miner, struct str name, struct err *err)
{
        struct log_domain *domain = calloc(1, sizeof *domain);
        char *copy = domain ? strndup(name.bytes ? name.bytes : "", min_of(name.length, (size_t)NAME_BYTES_MAX)) : NULL;
        if (!miner || !copy) {
                free(domain);
                miner_destroy(miner);
                return fail_memory(err, "templates", sizeof *domain), NULL;
        }
        domain->name = copy;
        domain->miner = miner;
        rate_init(&domain->births);
        rate_init(&domain->errors);
        miner_on_merge(miner, merged, domain);
        return domain;
}

static const struct miner_bounds bounds = {.templates_max = LOG_TEMPLATES_MAX, .bytes_max = MINER_BYTES_MAX};

struct log_domain *log_domain_create(struct str name, struct err *err)
{
        struct miner *miner = miner_create(name, bounds, err);
        return miner ? domain_of(miner, name, err) : NULL;
}

void log_domain_destroy(struct log_domain *domain)
{
        if (!domain)
                return;
        for (uint32_t i = 0; i < domain->stat_count; i++) {
                free(domain->stats[i].values);
                split_destroy(domain->stats[i].watch);
        }
        free(domain->stats);
        sequences_destroy(domain->sequences);
        miner_destroy(domain->miner);
        free(domain->name);
        free(domain);
}

uint64_t log_domain_bytes(const struct log_domain *domain)
{
        uint64_t bytes = sizeof *domain + miner_bytes(domain->miner) + domain->stat_count * sizeof *domain->stats +
                         domain->watched * sizeof(struct split) + (domain->sequences ? sequences_bytes(domain->sequences) : 0);
        for (uint32_t i = 0; i < domain->stat_count; i++)
                bytes += domain->stats[i].value_count * sizeof(struct kept_values);
        return bytes;
}

/* Room for another variable; NULL when there are enough or memory is short: values are a luxury. */
static struct value_sketch *values_of(struct template_stat *stat, uint16_t place)
{
        for (uint32_t i = 0; i < stat->value_count; i++)
                if (stat->values[i].place == place)
                        return &stat->values[i].sketch;
        struct kept_values *values = stat->value_count < LOG_VARIABLES_MAX ? realloc(stat->values, (stat->value_count + 1) * sizeof *values) : NULL;
        if (!values)
                return NULL;
        stat->values = values;
        values[stat->value_count] = (struct kept_values){.place = place};
        return &values[stat->value_count++].sketch;
}

static uint64_t lines_of(const struct template_stat *stat)
{
        uint64_t lines = 0;
        for (int level = 0; level < LOG_LEVELS; level++)
                lines += stat->lines_by_level[level];
        return lines;
}

void log_domain_keep(struct log_domain *domain, struct str sentence, const struct miner_match *match)
{
        struct template_stat *stat = &domain->stats[match->number];
        uint64_t lines = lines_of(stat);
        if (lines > SAMPLE_ALL && lines % SAMPLE_EVERY)
                return;
        for (uint32_t i = 0; i < match->variable_count; i++) {
                const struct miner_variable *variable = &match->variables[i];
                struct value_sketch *values = values_of(stat, variable->place);
                if (values)
                        value_sketch_add(values, str_slice(sentence, variable->start, variable->start + variable->length), variable->type);
        }
}

uint32_t log_domain_fetch(const struct log_domain *domain, const struct miner_line *line)
{
        uint32_t number = miner_expect(domain->miner, line);
        if (number < domain->stat_count)
                for (size_t at = 0; at < sizeof *domain->stats; at += 64)
                        __builtin_prefetch((const char *)&domain->stats[number] + at);
        return number;
}

/* --- one template, several sentences ---------------------------------------------------------------------------------- */

/* When a level comes for the first time, and then at each doubling: a template whose lines have one level is never looked at. */
static bool is_to_be_watched(const struct log_domain *domain, const struct template_stat *stat, enum log_level level, uint64_t lines)
{
        uint64_t same = stat->lines_by_level[level];
        return same < lines && (same == 0 || (lines & (lines - 1)) == 0) && !stat->is_one && domain->watched < WATCHED_MAX;
}

static void watch_begin(struct log_domain *domain, struct template_stat *stat, const struct miner_match *match)
{
        for (uint32_t i = 0; i < match->variable_count && !stat->watch; i++)
                if (miner_divides(domain->miner, match->number, match->variables[i].place))
                        domain->watched += (stat->watch = split_create()) != NULL;
}

/* The whole begins anew to learn how often it comes: what it said before is said by its halves. */
static void divide(struct log_domain *domain, uint32_t number, const struct split_place *place)
{
        struct template_stat *stat = &domain->stats[number];
        struct str words[MINER_HALVES_MAX];
        uint32_t halves[MINER_HALVES_MAX], count = stat->rate.count;
        for (uint32_t i = 0; i < place->count; i++)
                words[i] = (struct str){place->words[i].bytes, place->words[i].length};
        if (!miner_divide(domain->miner, number, place->place, words, place->count, halves))
                return;
        for (uint32_t i = 0; i < place->count; i++)
                if (halves[i] < domain->stat_count)
                        stat_clear(&domain->stats[halves[i]]);
        rate_init(&stat->rate);
        stat->rate.count = count;
}

static void watch_add(struct log_domain *domain, const struct miner_match *match, struct str sentence, enum log_level level)
{
        struct template_stat *stat = &domain->stats[match->number];
        struct split *watch = stat->watch;
        split_add(watch, domain->miner, sentence, match, (uint8_t)level);
        bool is_over = split_is_over(watch);
        const struct split_place *place = (watch->lines & (watch->lines - 1)) == 0 ? split_judge(watch) : NULL;
        if (!place && !is_over)
                return;
        stat->is_one = true;
        if (place)
                divide(domain, match->number, place);
        watch_end(domain, stat);
}

bool log_domain_learn(struct log_domain *domain, struct miner_line *line, const struct log_record *record, uint64_t id, int64_t time_ns,
                      struct miner_match *out_match, struct err *err)
{
        if (!stats_reserve(domain, miner_count(domain->miner) + 1) || !miner_learn_line(domain->miner, line, time_ns, out_match, err))
                return err && err->code == ERR_MEMORY ? false : fail_memory(err, "templates", sizeof(struct template_stat));
        miner_refine(domain->miner, REFINE_STEPS);
        out_match->number = miner_alias(domain->miner, out_match->number);
        struct template_stat *stat = &domain->stats[out_match->number];
        enum log_level level = log_level_of(record->severity);
        if (out_match->is_new) {
                watch_end(domain, stat);
                stat_clear(stat);
        }
        uint64_t lines = lines_of(stat);
        if (!stat->watch && is_to_be_watched(domain, stat, level, lines))
                watch_begin(domain, stat, out_match);
        if (stat->watch)
                watch_add(domain, out_match, line->text, level);
        stat->lines_by_level[level]++;
        stat->first_record = stat->first_record ? stat->first_record : id;
        if ((lines & (lines - 1)) == 0)
                stat->kept_record = id; /* the 1st, 2nd, 4th, 8th ...: from the middle of its life */
        stat->newest_record = id;
        rate_add(&stat->rate);
        domain->lines++;
        domain->last_ns = time_ns;
        if (level == LOG_LEVELS_ERROR)
                rate_add(&domain->errors);
        if (out_match->is_new)
                rate_add(&domain->births);
        return true;
}

/* --- saving ---------------------------------------------------------------------------------------------------------- */

static void stat_write(const struct template_stat *stat, struct buf *out)
{
        for (int level = 0; level < LOG_LEVELS; level++)
                buf_u64(out, stat->lines_by_level[level]);
        buf_u64(out, stat->first_record);
        buf_u64(out, stat->kept_record);
        buf_u64(out, stat->newest_record);
        buf_u8(out, (uint8_t)(stat->is_high | stat->is_silent << 1 | stat->is_one << 2));
        buf_u64(out, (uint64_t)stat->variable_told_minute);
        rate_write(&stat->rate, out);
        buf_u8(out, stat->value_count);
        for (uint32_t i = 0; i < stat->value_count; i++) {
                buf_u16(out, stat->values[i].place);
                value_sketch_write(&stat->values[i].sketch, out);
        }
}

static bool stat_read(struct reader *reader, struct template_stat *stat)
{
        for (int level = 0; level < LOG_LEVELS; level++)
                stat->lines_by_level[level] = reader_u64(reader);
        stat->first_record = reader_u64(reader);
        stat->kept_record = reader_u64(reader);
        stat->newest_record = reader_u64(reader);
        uint8_t bits = reader_u8(reader);
        stat->is_high = bits & 1;
        stat->is_silent = bits >> 1 & 1;
        stat->is_one = bits >> 2 & 1;
        stat->variable_told_minute = (int64_t)reader_u64(reader);
        if (!rate_read(reader, &stat->rate))
                return false;
        uint8_t count = reader_u8(reader);
        if (bits > 7 || count > LOG_VARIABLES_MAX || (count && !(stat->values = malloc(count * sizeof *stat->values))))
                return false;
        for (; stat->value_count < count; stat->value_count++) {
                stat->values[stat->value_count].place = reader_u16(reader);
                if (!value_sketch_read(reader, &stat->values[stat->value_count].sketch))
                        return false;
        }
        return !reader->failed;
}

bool log_domain_save(const struct log_domain *domain, struct buf *out, struct err *err)
{
        scoped(buf_done) struct buf miner = {0};
        uint32_t count = min_of(domain->stat_count, miner_count(domain->miner));
        if (!miner_snapshot(domain->miner, &miner, err))
                return false;
        buf_u16(out, (uint16_t)strlen(domain->name));
        buf_text(out, domain->name);
        buf_u64(out, domain->lines);
        buf_u64(out, (uint64_t)domain->last_ns);
        buf_u8(out, (uint8_t)(domain->errors_high | (domain->sequences != NULL) << 1));
        rate_write(&domain->births, out);
        rate_write(&domain->errors, out);
        buf_u32(out, (uint32_t)miner.length);
        buf_add(out, buf_str(&miner));
        buf_u32(out, count);
        for (uint32_t i = 0; i < count; i++)
                stat_write(&domain->stats[i], out);
        if (domain->sequences)
                sequences_write(domain->sequences, out);
        buf_u32(out, domain->watched);
        for (uint32_t i = 0; i < domain->stat_count; i++)
                if (domain->stats[i].watch) {
                        buf_u32(out, i);
                        split_write(domain->stats[i].watch, out);
                }
        buf_float(out, domain->fatal.level);
        buf_u32(out, domain->fatal.quiet);
        buf_u64(out, domain->fatal.template_id);
        return out->failed ? fail_memory(err, "templates", out->length) : true;
}

static bool counts_read(struct reader *reader, struct log_domain *domain)
{
        uint32_t count = reader_u32(reader);
        if (reader->failed || count > miner_count(domain->miner) || !stats_reserve(domain, count))
                return false;
        for (uint32_t i = 0; i < count; i++)
                if (!stat_read(reader, &domain->stats[i]))
                        return false;
        return true;
}

static bool watches_read(struct reader *reader, struct log_domain *domain)
{
        uint32_t count = reader_u32(reader);
        if (reader->failed || count > WATCHED_MAX)
                return false;
        for (uint32_t i = 0; i < count; i++) {
                uint32_t number = reader_u32(reader);
                if (reader->failed || number >= domain->stat_count || domain->stats[number].watch || !(domain->stats[number].watch = split_read(reader)))
                        return false;
                domain->watched++;
        }
        return true;
}

static bool fatal_read(struct reader *reader, struct log_domain *domain)
{
        domain->fatal.level = reader_float(reader);
        domain->fatal.quiet = reader_u32(reader);
        domain->fatal.template_id = reader_u64(reader);
        return !reader->failed && domain->fatal.level >= 0 && domain->fatal.level <= 1;
}

struct log_domain *log_domain_restore(struct reader *reader, uint32_t version, struct err *err)
{
        struct rate births, errors;
        struct str name = reader_bytes(reader, reader_u16(reader));
        uint64_t lines = reader_u64(reader);
        int64_t last_ns = (int64_t)reader_u64(reader);
        uint8_t bits = reader_u8(reader);
        bool good = rate_read(reader, &births) && rate_read(reader, &errors);
        struct str bytes = reader_bytes(reader, reader_u32(reader));
        if (reader->failed || !good || bits > 3 || name.length > NAME_BYTES_MAX)
                return fail(err, ERR_CORRUPT, "templates", "restoring the templates of a program: they are damaged"), NULL;
        struct miner *miner = miner_restore(bytes, bounds, err);
        struct log_domain *domain = miner ? domain_of(miner, name, err) : NULL;
        if (!domain)
                return NULL;
        domain->lines = lines;
        domain->last_ns = last_ns;
        domain->births = births;
        domain->errors = errors;
        domain->errors_high = bits & 1;
        if (!counts_read(reader, domain)) {
                log_domain_destroy(domain);
                return fail(err, ERR_CORRUPT, "templates", "restoring the counts of the templates of %.*s: they are damaged", STR_ARGS(name)), NULL;
        }
        if (bits & 2 && !(domain->sequences = sequences_read(reader, err))) {
                log_domain_destroy(domain);
                return NULL;
        }
        if ((version > 1 && !watches_read(reader, domain)) || (version > 2 && !fatal_read(reader, domain))) {
                log_domain_destroy(domain);
                return fail(err, ERR_CORRUPT, "templates", "restoring what is watched of the templates of %.*s: it is damaged", STR_ARGS(name)), NULL;
        }
        return domain;
}
