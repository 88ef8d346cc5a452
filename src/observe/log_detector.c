/* log_detector.c - see log_detector.h. The models are learn's; here they are asked, and their answers become sentences. */
#include "observe/log_detector.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/scope.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MINUTE_NS (60 * NS_PER_S)
#define DAY_MINUTES 1440
#define BURST_LINES_MIN 5       /* fewer in a minute are no burst, however rare */
#define OVER_P 0.05             /* an anomaly is over when its minute is this ordinary */
#define VARIABLE_LINES_MIN 1000
#define VARIABLE_KEPT_MIN 64
#define VARIABLE_BEYOND 2.0     /* times further out than the furthest so far */
#define SENTENCE_BYTES_MAX 200
#define WORK_ID_BYTES_MIN 6     /* shorter ids are seldom of one piece of work alone */
#define WORK_QUIET_NS (5 * MINUTE_NS)
#define FATAL_QUIET_MINUTES 60  /* one fault has many last words */
#define FATAL_MEMORY_MINUTES (30 * DAY_MINUTES)
#define WORKS_LEARNING 100      /* pieces of work before any is judged */

struct told {
        enum anomaly_kind kind;
        uint32_t number;        /* the template's; 0: of the program as a whole */
        int64_t time_ns, since_ns;
        double p_value, value, expected;
        bool is_over;
        const char *about;      /* what happened, before the sentence */
        const char *level;      /* label severity; NULL: none */
};

static bool is_learning(const struct log_domain *domain)
{
        return domain->births.minutes < DAY_MINUTES;
}

static void write_evidence(const struct log_domain *domain, struct str word, struct buf *out)
{
        buf_text(out, "{service=\"");
        for (const char *c = domain->name; *c; c++) {
                if (*c == '"' || *c == '\\')
                        buf_byte(out, '\\');
                buf_byte(out, *c);
        }
        buf_text(out, "\"}");
        if (word.length)
                buf_printf(out, " |= `%.*s`", STR_ARGS(word));
}

/* The longest stretch of the sentence without a variable: what its lines can be searched by. */
static struct str constant_of(struct str sentence)
{
        struct str best = {0};
        for (size_t at = 0, from = 0; at <= sentence.length; at++) {
                char c = at < sentence.length ? sentence.bytes[at] : '<';
                if (c == '<' || c == '`') {
                        if (at - from > best.length)
                                best = str_slice(sentence, from, at);
                } else if (c != '>') {
                        continue;
                }
                from = at + 1;
        }
        return str_trim(best);
}

static bool tell(const struct log_domain *domain, const struct told *told, struct noticed *noticed, struct err *err)
{
        char id[24] = "";
        struct miner_template shown;
        scoped(buf_done) struct buf sentence = {0}, said = {0}, evidence = {0};
        struct label labels[3];
        struct anomaly anomaly = {.kind = told->kind, .labels = {.items = labels}, .time_ns = told->time_ns, .since_ns = told->since_ns,
                                  .is_over = told->is_over, .score = 1 - told->p_value, .p_value = told->p_value, .value = told->value,
                                  .expected_low = NAN, .expected_high = told->expected, .is_learning = is_learning(domain)};
        labels[anomaly.labels.count++] = (struct label){STR("service"), str_of(domain->name)};
        if (told->level)
                labels[anomaly.labels.count++] = (struct label){STR("severity"), str_of(told->level)};
        if (told->number && miner_template(domain->miner, told->number, &shown) && miner_sentence(domain->miner, told->number, &sentence)) {
                snprintf(id, sizeof id, "%016" PRIx64, shown.id);
                labels[anomaly.labels.count++] = (struct label){STR("template"), str_of(id)};
        }
        struct str words = str_slice(buf_str(&sentence), 0, SENTENCE_BYTES_MAX);
        buf_printf(&said, "%s: %s%s%.*s", domain->name, told->about, words.length ? ": " : "", STR_ARGS(words));
        write_evidence(domain, constant_of(words), &evidence);
        if (said.failed || evidence.failed)
                return fail_memory(err, "templates", SENTENCE_BYTES_MAX);
        anomaly.sentence = buf_str(&said);
        anomaly.evidence = buf_str(&evidence);
        return noticed_add_anomaly(noticed, &anomaly, err);
}

static const char *level_name(enum log_level level)
{
        static const char *const names[] = {"debug", "info", "warn", "error"};
        return names[level];
}

/* Births of this minute so far, this one among them, against how often this program says something new; 1: it is not known. */
static double birth_p(const struct log_domain *domain, const struct miner_match *match)
{
        const struct rate *births = &domain->births;
        if (!match->is_new || births->minutes < RATE_LEARNING_MINUTES)
                return 1;
        return fmax(rate_tail(fmax(births->level, 0.5 / (births->minutes + 1)), births->spread, births->count), 0.1 / (births->minutes + 1));
}

static bool look_at_birth(struct log_domain *domain, const struct log_record *record, const struct miner_match *match, int64_t time_ns,
                          struct noticed *noticed, struct err *err)
{
        double p = birth_p(domain, match);
        if (p > LOG_P_MAX)
                return true;
        struct told told = {.kind = ANOMALY_NEW_TEMPLATE, .number = match->number, .time_ns = time_ns, .since_ns = time_ns, .p_value = p,
                            .value = 1, .expected = domain->births.level, .about = "says something new", .level = level_name(log_level_of(record->severity))};
        return tell(domain, &told, noticed, err);
}

/* Errors are every program's daily bread, last words are not: whoever writes them means to be heard, and the first is enough. A program that has
 * them by habit is not believed. */
static bool look_at_fatal(struct log_domain *domain, const struct log_record *record, const struct miner_match *match, int64_t time_ns,
                          bool *out_told, struct noticed *noticed, struct err *err)
{
        struct log_fatal *fatal = &domain->fatal;
        if (record->severity < SEVERITY_CRITICAL)
                return true;
        bool begins = !fatal->template_id;
        fatal->quiet = 0;
        if (!begins)
                return true;
        uint32_t minutes = min_of(domain->births.minutes + 1, (uint32_t)FATAL_MEMORY_MINUTES);
        double p = fmin(fmax(fatal->level, 0.5 / minutes), birth_p(domain, match));
        struct told told = {.kind = ANOMALY_FATAL, .number = match->number, .time_ns = time_ns, .since_ns = time_ns, .p_value = p, .value = 1,
                            .expected = fatal->level, .about = "says something fatal", .level = "fatal"};
        fatal->template_id = miner_id(domain->miner, match->number);
        fatal->level += (1 - fatal->level) / (float)minutes;
        *out_told = p <= LOG_P_MAX;
        return !*out_told || tell(domain, &told, noticed, err);
}

static struct value_sketch *sketch_of(const struct template_stat *stat, uint16_t place)
{
        for (uint32_t i = 0; i < stat->value_count; i++)
                if (stat->values[i].place == place)
                        return &stat->values[i].sketch;
        return NULL;
}

/* Is it a number far beyond all before? Every number moves the bound, so that each is compared with all before it. */
static bool lies_beyond(struct value_sketch *sketch, double number)
{
        bool beyond = number >= VARIABLE_BEYOND * sketch->number.most && number >= 2 * VARIABLE_BEYOND * value_sketch_quantile(sketch, 0.99);
        value_sketch_stretch(sketch, number);
        return beyond;
}

/* Of n + 1 numbers in any order the last is the largest once in n + 1 times. */
static bool look_at_variables(struct log_domain *domain, struct str sentence, const struct miner_match *match, int64_t time_ns,
                              struct noticed *noticed, struct err *err)
{
        struct template_stat *stat = &domain->stats[match->number];
        uint64_t lines = 0;
        for (int level = 0; level < LOG_LEVELS; level++)
                lines += stat->lines_by_level[level];
        for (uint32_t i = 0; i < match->variable_count && lines >= VARIABLE_LINES_MIN; i++) {
                const struct miner_variable *variable = &match->variables[i];
                struct value_sketch *sketch = sketch_of(stat, variable->place);
                double number;
                if (!sketch || !sketch->is_number || sketch->count < VARIABLE_KEPT_MIN ||
                    !value_number(str_slice(sentence, variable->start, variable->start + variable->length), variable->type, &number))
                        continue;
                double most = sketch->number.most;
                if (number <= most || !lies_beyond(sketch, number) || stat->variable_told_minute == time_ns / MINUTE_NS)
                        continue;
                struct told told = {.kind = ANOMALY_VARIABLE, .number = match->number, .time_ns = time_ns, .since_ns = time_ns, .value = number,
                                    .p_value = 1.0 / (double)(lines + 1), .expected = most, .about = "a value beyond all before"};
                stat->variable_told_minute = time_ns / MINUTE_NS;
                if (!tell(domain, &told, noticed, err))
                        return false;
        }
        return true;
}

static uint32_t number_of(const struct log_domain *domain, uint64_t id)
{
        for (uint32_t i = 1; i < miner_count(domain->miner); i++)
                if (miner_id(domain->miner, i) == id)
                        return i;
        return 0;
}

/* Tells of pieces of work that have ended. */
struct ending {
        struct log_domain *domain;
        struct noticed *noticed;
        bool failed;
        struct err err;
};

static void ended(void *context, const struct sequence_look *look)
{
        struct ending *ending = context;
        struct log_domain *domain = ending->domain;
        if (look->p_value > LOG_P_MAX || sequences_seen(domain->sequences) < WORKS_LEARNING)
                return;
        uint32_t number = 0;
        for (uint32_t i = 1; i < miner_count(domain->miner) && !number; i++)
                if ((uint32_t)miner_id(domain->miner, i) == look->last_event)
                        number = miner_alias(domain->miner, i);
        struct told told = {.kind = ANOMALY_ORDER, .number = number, .time_ns = look->last_ns, .since_ns = look->first_ns, .value = look->distance,
                            .p_value = look->p_value, .about = "a piece of work took a course never seen; it ended with"};
        ending->failed |= !tell(domain, &told, ending->noticed, &ending->err);
}

/* The first id in the line says which piece of work it belongs to. */
static bool look_at_order(struct log_domain *domain, struct str sentence, const struct miner_match *match, int64_t time_ns,
                          struct noticed *noticed, struct err *err)
{
        for (uint32_t i = 0; i < match->variable_count; i++) {
                const struct miner_variable *variable = &match->variables[i];
                if ((variable->type != VALUE_ID && variable->type != VALUE_HEX) || variable->length < WORK_ID_BYTES_MIN)
                        continue;
                struct ending ending; /* its err is half a kilobyte: not cleared for every line */
                ending.domain = domain;
                ending.noticed = noticed;
                ending.failed = false;
                uint64_t work = hash64(str_slice(sentence, variable->start, variable->start + variable->length));
                if (!domain->sequences && !(domain->sequences = sequences_create(err)))
                        return false;
                return sequences_step(domain->sequences, work, (uint32_t)miner_id(domain->miner, miner_origin(domain->miner, match->number)), time_ns, ended, &ending, err) &&
                       (!ending.failed || (err && (*err = ending.err, false)));
        }
        return true;
}

bool log_detector_look(struct log_domain *domain, struct str sentence, const struct log_record *record, const struct miner_match *match, int64_t time_ns,
                       struct noticed *noticed, struct err *err)
{
        bool is_told = false; /* one line is told once: that it is new as well is no second thing that happened */
        return look_at_fatal(domain, record, match, time_ns, &is_told, noticed, err) &&
               (is_told || look_at_birth(domain, record, match, time_ns, noticed, err)) &&
               look_at_variables(domain, sentence, match, time_ns, noticed, err) && look_at_order(domain, sentence, match, time_ns, noticed, err);
}

static bool close_template(struct log_domain *domain, uint32_t number, int64_t end_ns, int hour, struct noticed *noticed, struct err *err)
{
        struct template_stat *stat = &domain->stats[number];
        uint32_t quiet = stat->rate.quiet;
        struct rate_look look = rate_close(&stat->rate, hour);
        bool burst = look.p_many <= LOG_P_MAX && look.count >= BURST_LINES_MIN, stopped = look.p_silent <= LOG_P_MAX && stat->rate.minutes > quiet + DAY_MINUTES;
        struct told told = {.number = number, .time_ns = end_ns, .since_ns = end_ns - MINUTE_NS, .value = look.count, .expected = look.expected};
        bool good = true;
        if (burst != stat->is_high && (burst || look.p_many > OVER_P)) {
                stat->is_high = burst;
                told.kind = ANOMALY_TEMPLATE_RATE;
                told.p_value = burst ? look.p_many : 1;
                told.is_over = !burst;
                told.about = burst ? "says it far more often than usual" : "says it as often as usual again";
                good = tell(domain, &told, noticed, err);
        }
        if (stopped != stat->is_silent && (stopped || look.count)) {
                stat->is_silent = stopped;
                told.kind = ANOMALY_TEMPLATE_STOPPED;
                told.p_value = stopped ? look.p_silent : 1;
                told.is_over = !stopped;
                told.since_ns = end_ns - (int64_t)(quiet + 1) * MINUTE_NS;
                told.about = stopped ? "no longer says" : "says again";
                good = tell(domain, &told, noticed, err) && good;
        }
        return good;
}

static bool close_errors(struct log_domain *domain, int64_t end_ns, int hour, struct noticed *noticed, struct err *err)
{
        struct rate_look look = rate_close(&domain->errors, hour);
        bool burst = look.p_many <= LOG_P_MAX && look.count >= BURST_LINES_MIN;
        if (burst == domain->errors_high || (!burst && look.p_many <= OVER_P))
                return true;
        struct told told = {.kind = ANOMALY_SEVERITY_BURST, .time_ns = end_ns, .since_ns = end_ns - MINUTE_NS, .value = look.count, .expected = look.expected,
                            .p_value = burst ? look.p_many : 1, .is_over = !burst, .level = "error",
                            .about = burst ? "logs far more errors than usual" : "logs as many errors as usual again"};
        domain->errors_high = burst;
        return tell(domain, &told, noticed, err);
}

static bool close_fatal(struct log_domain *domain, int64_t end_ns, struct noticed *noticed, struct err *err)
{
        struct log_fatal *fatal = &domain->fatal;
        fatal->level -= fatal->level / (float)min_of(domain->births.minutes + 1, (uint32_t)FATAL_MEMORY_MINUTES);
        if (!fatal->template_id || fatal->quiet++ < FATAL_QUIET_MINUTES)
                return true;
        struct told told = {.kind = ANOMALY_FATAL, .number = number_of(domain, fatal->template_id), .time_ns = end_ns,
                            .since_ns = end_ns - FATAL_QUIET_MINUTES * MINUTE_NS, .p_value = 1, .is_over = true, .about = "has said nothing fatal for an hour after",
                            .level = "fatal"};
        fatal->template_id = 0;
        return !told.number || tell(domain, &told, noticed, err);
}

bool log_detector_close_minute(struct log_domain *domain, int64_t minute_end_ns, struct noticed *noticed, struct err *err)
{
        int hour = (int)((minute_end_ns - MINUTE_NS) / (3600 * NS_PER_S) % RATE_HOURS);
        bool good = true;
        hour = hour < 0 ? hour + RATE_HOURS : hour;
        for (uint32_t number = 1; number < min_of(domain->stat_count, miner_count(domain->miner)); number++)
                if (domain->stats[number].newest_record && !close_template(domain, number, minute_end_ns, hour, noticed, err))
                        good = false;
        rate_close(&domain->births, hour);
        struct ending ending = {.domain = domain, .noticed = noticed};
        if (domain->sequences)
                sequences_close(domain->sequences, minute_end_ns - WORK_QUIET_NS, ended, &ending);
        if (ending.failed && err)
                *err = ending.err;
        good = good && !ending.failed;
        good = close_fatal(domain, minute_end_ns, noticed, err) && good;
        return close_errors(domain, minute_end_ns, hour, noticed, err) && good;
}
