/*
 * log_alerts - judges the lines of a log, some of which are labelled as alerts, with the detectors that run live.
 *
 *      log_alerts FILE [--p 0.001]       each line: LABEL EPOCH_S DATE NODE TIME NODE TYPE COMPONENT LEVEL CONTENT; LABEL - : no alert
 *
 * That is how BGL and Thunderbird of Loghub are written. Each line is a record of the program COMPONENT at its own time and level, and
 * goes through log_templates_fold as in the daemon; labels are seen by the counting alone. A line is alarmed when an anomaly with a
 * p-value at or below --p tells of it: of something new or a value at that very line, of a rate or a burst in its minute about its
 * template, or its program's errors. A message that stopped is about no line: it is counted beside. What is told while the program is
 * younger than a day is left out, as nobody would be woken by it, and so are the lines of that day.
 *
 * An episode is a run of alert lines of one label with less than an hour between them: found if one of its lines is alarmed.
 */
#include "base/clock.h"
#include "base/scope.h"
#include "observe/log_templates.h"
#include "store/logs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_S)
#define HEAD_WORDS 9
#define SERIOUS 17 /* OpenTelemetry's number for an error */

struct line {
        int64_t time_ns;
        uint64_t template_id;
        uint8_t severity;
        bool is_alert, is_alarmed, is_early;
        char label[24], program[24];
};

struct run {
        struct log_templates *templates;
        struct noticed noticed;
        struct { struct line *items; size_t count, capacity; } lines;
        double p_max;
        uint32_t new_ones, rates, bursts, stopped, others;
};

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

static void count(struct run *run, enum anomaly_kind kind)
{
        uint32_t *counter = kind == ANOMALY_NEW_TEMPLATE ? &run->new_ones : kind == ANOMALY_TEMPLATE_RATE ? &run->rates :
                            kind == ANOMALY_SEVERITY_BURST ? &run->bursts : kind == ANOMALY_TEMPLATE_STOPPED ? &run->stopped : &run->others;
        ++*counter;
}

static void take_anomalies(struct run *run)
{
        each (anomaly, &run->noticed.anomalies) {
                if (anomaly->is_over || anomaly->is_learning || anomaly->p_value > run->p_max)
                        continue;
                count(run, anomaly->kind);
                for (size_t i = run->lines.count; anomaly->kind != ANOMALY_TEMPLATE_STOPPED && i-- > 0 && run->lines.items[i].time_ns >= anomaly->since_ns;)
                        run->lines.items[i].is_alarmed |= tells_of(anomaly, &run->lines.items[i]);
        }
        noticed_clear(&run->noticed);
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

/* One record; false: no memory. */
static bool say(struct run *run, struct line *line, struct str content)
{
        struct label label = {STR("service"), str_of(line->program)};
        struct labels stream = {.items = &label, .count = 1};
        struct log_record record = {.severity = line->severity, .line = content};
        uint32_t pick = 0;
        struct batch batch = {.received_ns = line->time_ns};
        batch.telemetry.streams.items = &stream;
        batch.telemetry.records.items = &record;
        batch.telemetry.streams.count = batch.telemetry.records.count = 1;
        uint64_t sequence = run->lines.count + 1;
        struct fold fold = {.partition = logs_partition(&stream), .batch = &batch, .sequence = sequence, .time_ns = line->time_ns, .records = &pick, .record_count = 1};
        struct finding_newest newest = {.record = item_id(sequence, 0)};
        if (!log_templates_fold(run->templates, &fold, &run->noticed, NULL) || !log_templates_visit(run->templates, label.value, 0, note_newest, &newest, NULL))
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
        take_anomalies(run);
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

static void print_episodes(const struct run *run)
{
        int episodes = 0, found = 0;
        for (size_t i = 0; i < run->lines.count; i++) {
                const struct line *begin = &run->lines.items[i];
                if (!begin->is_alert || begin->is_early || goes_on(run, i))
                        continue;
                bool is_found = begin->is_alarmed;
                int64_t last_ns = begin->time_ns;
                for (size_t k = i + 1; k < run->lines.count && run->lines.items[k].time_ns - last_ns < HOUR_NS; k++)
                        if (strcmp(run->lines.items[k].label, begin->label) == 0) {
                                is_found |= run->lines.items[k].is_alarmed;
                                last_ns = run->lines.items[k].time_ns;
                        }
                episodes++;
                found += is_found;
        }
        printf("episodes of alerts: %d of %d found\n", found, episodes);
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
        printf("told: %u new messages, %u rates, %u bursts of errors, %u that stopped, %u others\n", run->new_ones, run->rates, run->bursts, run->stopped, run->others);
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
        if (!file || !log_templates_create(&run.templates, NULL))
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
        fclose(file);
        noticed_done(&run.noticed);
        log_templates_destroy(run.templates);
        return good ? 0 : 1;
}
