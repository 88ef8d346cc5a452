/*
 * log_alerts - judges the lines of a log, some of which are labelled as alerts, with the detectors that run live.
 *
 *      log_alerts FILE [--p 0.001]       each line: LABEL EPOCH_S DATE NODE TIME NODE TYPE COMPONENT LEVEL CONTENT; LABEL - : no alert
 *
 * That is how BGL and Thunderbird of Loghub are written. Each line is a record of the program COMPONENT at its own time and level, and
 * goes through log_templates_fold as in the daemon; labels are seen by the counting alone. A line is alarmed when an anomaly with a
 * p-value at or below --p tells of it: of something new or a value at that very line, of a rate or a burst in its minute about its
 * template, or its program's errors; of something fatal every line of that level until the program has been an hour without. A message
 * that stopped is about no line. What is told while the program is younger than a day is left out, as nobody would be woken by it, and
 * so are the lines of that day.
 *
 * An episode is a run of alert lines of one label with less than an hour between them: found if one of its lines is alarmed. An alarm is
 * an anomaly: right if its program has an alert line from an hour before it to an hour after; the table says which kinds are. A page is
 * an alarm that a budget of two a night lets through (observe/alert_budget.h).
 */
#include "base/clock.h"
#include "base/scope.h"
#include "observe/alert_budget.h"
#include "observe/log_templates.h"
#include "store/logs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_S)
#define HEAD_WORDS 9
#define SERIOUS 17 /* OpenTelemetry's numbers for an error and what is critical */
#define LAST_WORDS 18

struct line {
        int64_t time_ns;
        uint64_t template_id;
        uint8_t severity;
        bool is_alert, is_alarmed, is_early;
        char label[24], program[24];
};

struct alarm {
        enum anomaly_kind kind;
        int64_t since_ns, from_ns, to_ns;
        bool is_over, is_paged;
        char program[24];
};

struct run {
        struct log_templates *templates;
        struct noticed noticed;
        struct alert_budget *budget;
        struct { struct line *items; size_t count, capacity; } lines;
        struct { struct alarm *items; size_t count, capacity; } alarms;
        int64_t last_ns[PARTITIONS];
        uint64_t sequence;
        double p_max;
};

static const struct { enum anomaly_kind kind; const char *name; } kinds[] = {
        {ANOMALY_NEW_TEMPLATE, "told of something new"}, {ANOMALY_FATAL, "told of something fatal"}, {ANOMALY_TEMPLATE_RATE, "told of a rate"}, {ANOMALY_SEVERITY_BURST, "told of a burst of errors"},
        {ANOMALY_TEMPLATE_STOPPED, "told of stopped"}, {ANOMALY_ORDER, "told of an order"}, {ANOMALY_VARIABLE, "told of a value"}};

static uint8_t severity_of(const char *level)
{
        static const struct { const char *name; uint8_t number; } levels[] = {{"INFO", 9}, {"WARNING", 13}, {"ERROR", 17}, {"SEVERE", 17}, {"FATAL", 21}, {"FAILURE", 21}};
        for (size_t i = 0; i < countof(levels); i++)
                if (strcmp(level, levels[i].name) == 0)
                        return levels[i].number;
        return 9;
}

static bool tells_of(const struct anomaly *anomaly, const struct line *line)
{
        char id[24];
        struct str about = labels_value(&anomaly->labels, STR("template"));
        snprintf(id, sizeof id, "%016" PRIx64, line->template_id);
        return str_is(labels_value(&anomaly->labels, STR("service")), line->program) && line->time_ns >= anomaly->since_ns && line->time_ns <= anomaly->time_ns &&
               (about.length ? str_is(about, id) : line->severity >= SERIOUS);
}

static bool is_of(const struct alarm *alarm, const struct line *line)
{
        return strcmp(alarm->program, line->program) == 0;
}

/* Something fatal goes on until its end is told: its later lines are told of as well. */
static void prolong(struct run *run, struct line *line)
{
        for (size_t i = run->alarms.count; line->severity >= LAST_WORDS && i-- > 0;) {
                struct alarm *alarm = &run->alarms.items[i];
                if (alarm->kind != ANOMALY_FATAL || !is_of(alarm, line))
                        continue;
                if (!alarm->is_over) {
                        alarm->to_ns = line->time_ns;
                        line->is_alarmed = true;
                }
                return;
        }
}

static void end_alarm(struct run *run, const struct anomaly *anomaly)
{
        for (size_t i = run->alarms.count; i-- > 0;)
                if (run->alarms.items[i].kind == anomaly->kind && str_is(labels_value(&anomaly->labels, STR("service")), run->alarms.items[i].program)) {
                        run->alarms.items[i].is_over = true;
                        return;
                }
}

static bool keep_alarm(struct run *run, const struct anomaly *anomaly)
{
        if (run->alarms.count == run->alarms.capacity) {
                size_t capacity = run->alarms.capacity ? 2 * run->alarms.capacity : 256;
                struct alarm *items = realloc(run->alarms.items, capacity * sizeof *items);
                if (!items)
                        return false;
                run->alarms.items = items;
                run->alarms.capacity = capacity;
        }
        struct alarm *alarm = &run->alarms.items[run->alarms.count++];
        *alarm = (struct alarm){.kind = anomaly->kind, .since_ns = anomaly->since_ns, .from_ns = anomaly->kind == ANOMALY_TEMPLATE_STOPPED ? anomaly->time_ns : anomaly->since_ns, .to_ns = anomaly->time_ns};
        snprintf(alarm->program, sizeof alarm->program, "%.*s", STR_ARGS(labels_value(&anomaly->labels, STR("service"))));
        return true;
}

/* The budget is asked after each line; those who page are among the alarms it brought. */
static bool take_pages(struct run *run, size_t from, int64_t time_ns)
{
        if (!alert_budget_tick(run->budget, run->sequence, time_ns, &run->noticed, NULL))
                return false;
        each (finding, &run->noticed.findings)
                for (size_t i = run->alarms.count; finding->is_firing && !finding->is_held && i-- > from;)
                        if (!run->alarms.items[i].is_paged && finding->starts_ns == run->alarms.items[i].since_ns &&
                            str_is(labels_value(&finding->labels, STR("service")), run->alarms.items[i].program)) {
                                run->alarms.items[i].is_paged = true;
                                break;
                        }
        return true;
}

static bool take_anomalies(struct run *run, int64_t time_ns)
{
        size_t from = run->alarms.count;
        each (anomaly, &run->noticed.anomalies) {
                if (anomaly->is_over && anomaly->kind == ANOMALY_FATAL)
                        end_alarm(run, anomaly);
                if (anomaly->is_over || anomaly->is_learning || anomaly->p_value > run->p_max)
                        continue;
                if (!keep_alarm(run, anomaly))
                        return false;
                for (size_t i = run->lines.count; anomaly->kind != ANOMALY_TEMPLATE_STOPPED && i-- > 0 && run->lines.items[i].time_ns >= anomaly->since_ns;)
                        run->lines.items[i].is_alarmed |= tells_of(anomaly, &run->lines.items[i]);
        }
        bool good = take_pages(run, from, time_ns);
        noticed_clear(&run->noticed);
        return good;
}

struct finding_newest {
        uint64_t record, id;
};

static bool note_newest(void *context, const struct template_view *view)
{
        struct finding_newest *finding = context;
        finding->id = view->newest_record == finding->record ? view->id : finding->id;
        return !finding->id;
}

static bool fold_one(struct run *run, const char *program, uint8_t severity, struct str content, uint32_t partition, int64_t time_ns, uint64_t sequence)
{
        struct label label = {STR("service"), str_of(program)};
        struct labels stream = {.items = &label, .count = 1};
        struct log_record record = {.severity = severity, .line = content};
        uint32_t pick = 0;
        struct batch batch = {.received_ns = time_ns};
        batch.telemetry.streams.items = &stream;
        batch.telemetry.records.items = &record;
        batch.telemetry.streams.count = batch.telemetry.records.count = 1;
        struct fold fold = {.partition = partition, .batch = &batch, .sequence = sequence, .time_ns = time_ns, .records = &pick, .record_count = 1};
        return log_templates_fold(run->templates, &fold, &run->noticed, NULL);
}

/* A thinned log has pauses that the machines had not: without a word from anybody their minutes would not pass. */
static bool pass_time(struct run *run, uint32_t partition, int64_t to_ns)
{
        int64_t *last_ns = &run->last_ns[partition];
        for (; *last_ns && to_ns - *last_ns > HOUR_NS; *last_ns += HOUR_NS)
                if (!fold_one(run, "clock", 9, STR("an hour has passed"), partition, *last_ns + HOUR_NS, ++run->sequence))
                        return false;
        *last_ns = to_ns;
        return true;
}

/* One record; false: no memory. */
static bool say(struct run *run, struct line *line, struct str content)
{
        struct label label = {STR("service"), str_of(line->program)};
        struct labels stream = {.items = &label, .count = 1};
        uint32_t partition = logs_partition(&stream);
        if (!pass_time(run, partition, line->time_ns))
                return false;
        uint64_t sequence = ++run->sequence;
        struct finding_newest newest = {.record = item_id(sequence, 0)};
        if (!fold_one(run, line->program, line->severity, content, partition, line->time_ns, sequence) ||
            !log_templates_visit(run->templates, label.value, 0, note_newest, &newest, NULL))
                return false;
        line->template_id = newest.id;
        return true;
}

/* Cuts the head off; NULL: not such a line. */
static char *cut_head(char *text, struct line *out_line)
{
        char *words[HEAD_WORDS], *rest = text;
        for (int i = 0; i < HEAD_WORDS; i++) {
                words[i] = rest;
                rest = strchr(rest, ' ');
                if (!rest)
                        return NULL;
                *rest++ = '\0';
        }
        *out_line = (struct line){.time_ns = atoll(words[1]) * NS_PER_S, .severity = severity_of(words[8]), .is_alert = strcmp(words[0], "-") != 0};
        snprintf(out_line->label, sizeof out_line->label, "%s", words[0]);
        snprintf(out_line->program, sizeof out_line->program, "%s", words[7]);
        return rest;
}

static bool take_line(struct run *run, char *text)
{
        struct line line;
        char *content = cut_head(text, &line);
        if (!content)
                return true;
        if (run->lines.count == run->lines.capacity) {
                size_t capacity = run->lines.capacity ? 2 * run->lines.capacity : 4096;
                struct line *items = realloc(run->lines.items, capacity * sizeof *items);
                if (!items)
                        return false;
                run->lines.items = items;
                run->lines.capacity = capacity;
        }
        if (run->lines.count) /* clocks of nodes differ; a journal's does not go back */
                line.time_ns = max_of(line.time_ns, run->lines.items[run->lines.count - 1].time_ns);
        line.is_early = true;
        for (size_t i = 0; i < run->lines.count && line.is_early; i++)
                line.is_early = strcmp(run->lines.items[i].program, line.program) != 0 || line.time_ns - run->lines.items[i].time_ns < 24 * HOUR_NS;
        if (!say(run, &line, str_of(content)))
                return false;
        run->lines.items[run->lines.count++] = line;
        if (!take_anomalies(run, line.time_ns))
                return false;
        prolong(run, &run->lines.items[run->lines.count - 1]);
        return true;
}

static bool goes_on(const struct run *run, size_t at)
{
        const struct line *line = &run->lines.items[at];
        for (size_t i = at; i-- > 0 && line->time_ns - run->lines.items[i].time_ns < HOUR_NS;)
                if (strcmp(run->lines.items[i].label, line->label) == 0)
                        return true;
        return false;
}

/* A page that came with this line or goes on at it. */
static bool is_paged(const struct run *run, const struct line *line)
{
        each (alarm, &run->alarms)
                if (alarm->is_paged && is_of(alarm, line) && line->time_ns >= alarm->from_ns && line->time_ns <= alarm->to_ns)
                        return true;
        return false;
}

static void print_episodes(const struct run *run)
{
        int episodes = 0, found = 0, paged = 0;
        for (size_t i = 0; i < run->lines.count; i++) {
                const struct line *begin = &run->lines.items[i];
                if (!begin->is_alert || begin->is_early || goes_on(run, i))
                        continue;
                bool is_found = begin->is_alarmed, with_page = is_paged(run, begin);
                int64_t last_ns = begin->time_ns;
                for (size_t k = i + 1; k < run->lines.count && run->lines.items[k].time_ns - last_ns < HOUR_NS; k++)
                        if (strcmp(run->lines.items[k].label, begin->label) == 0) {
                                is_found |= run->lines.items[k].is_alarmed;
                                with_page |= is_paged(run, &run->lines.items[k]);
                                last_ns = run->lines.items[k].time_ns;
                        }
                episodes++;
                found += is_found;
                paged += with_page;
        }
        printf("episodes of alerts: %d of %d found, %d paged\n", found, episodes, paged);
}

static bool is_right(const struct run *run, const struct alarm *alarm)
{
        each (line, &run->lines)
                if (line->is_alert && is_of(alarm, line) && line->time_ns >= alarm->from_ns - HOUR_NS && line->time_ns <= alarm->to_ns + HOUR_NS)
                        return true;
        return false;
}

static void print_count(const char *what, int told, int right, double days)
{
        if (told)
                printf("%-26s %4d times, %4d of them right; %.2f a day for nothing\n", what, told, right, (told - right) / fmax(days, 1));
}

static void print_alarms(const struct run *run)
{
        double days = run->lines.count ? (double)(run->lines.items[run->lines.count - 1].time_ns - run->lines.items[0].time_ns) / (24.0 * HOUR_NS) : 0;
        int pages = 0, pages_right = 0;
        for (size_t k = 0; k < countof(kinds); k++) {
                int told = 0, right = 0;
                each (alarm, &run->alarms) {
                        bool is_good = alarm->kind == kinds[k].kind && is_right(run, alarm);
                        told += alarm->kind == kinds[k].kind;
                        right += is_good;
                        pages += alarm->kind == kinds[k].kind && alarm->is_paged;
                        pages_right += is_good && alarm->is_paged;
                }
                print_count(kinds[k].name, told, right, days);
        }
        print_count("of all these paged", pages, pages_right, days);
}

static void print(const struct run *run)
{
        double hit = 0, missed = 0, alarm = 0, quiet = 0;
        each (line, &run->lines)
                if (!line->is_early)
                        *(line->is_alert ? line->is_alarmed ? &hit : &missed : line->is_alarmed ? &alarm : &quiet) += 1;
        double product = (hit + alarm) * (hit + missed) * (quiet + alarm) * (quiet + missed);
        printf("%.0f lines after the first day, %.0f of them alerts\n", hit + missed + alarm + quiet, hit + missed);
        printf("lines: recall %.4f  false alarms %.4f  F1 %.4f  MCC %.4f\n", hit / fmax(hit + missed, 1), alarm / fmax(alarm + quiet, 1),
               2 * hit / fmax(2 * hit + alarm + missed, 1), product > 0 ? (hit * quiet - alarm * missed) / sqrt(product) : 0);
        print_episodes(run);
        print_alarms(run);
}

int main(int argc, char **argv)
{
        struct run run = {.p_max = 1e-3};
        FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
        char *text = NULL;
        size_t capacity = 0;
        if (argc > 3 && strcmp(argv[2], "--p") == 0)
                run.p_max = atof(argv[3]);
        noticed_init(&run.noticed);
        if (!file || !log_templates_create(&run.templates, NULL) || !alert_budget_create(&run.budget, NULL))
                return fprintf(stderr, "usage: log_alerts FILE [--p 0.001]\n"), 2;
        bool good = true;
        while (good && getline(&text, &capacity, file) > 0) {
                text[strcspn(text, "\r\n")] = '\0';
                good = take_line(&run, text);
        }
        if (good)
                print(&run);
        free(text);
        free(run.lines.items);
        free(run.alarms.items);
        fclose(file);
        noticed_done(&run.noticed);
        alert_budget_destroy(run.budget);
        log_templates_destroy(run.templates);
        return good ? 0 : 1;
}
