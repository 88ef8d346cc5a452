/*
 * quiet_week - what the short blocks of a quiet machine cost: a week of few lines, sealed at every checkpoint, beside the same week in a block a day.
 *
 *      build/bench/quiet_week BODIES [LINES_A_DAY [DIRECTORY]]
 *
 * One host, 20 services, of which each has four fifths of the lines of the one before; message texts in BODIES by turns, every digit run drawn anew.
 * The second form is what the best compaction of finished days could leave. Bytes on disk are the files of the days, with SQLite's pages.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "store/archive.h"
#include "store/logs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define START_NS (INT64_C(19700) * 86400 * NS_PER_S)
#define DAYS 7
#define SERVICES 20
#define RARE_WORD "xylophonist"

static void die(const char *what)
{
        fprintf(stderr, "quiet_week: %s\n", what);
        exit(1);
}

static double processor_s(clockid_t of)
{
        struct timespec time;
        clock_gettime(of, &time);
        return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct bodies {
        struct buf text;
        struct str lines[100000];
        size_t count;
};

static void read_bodies(const char *path, struct bodies *bodies)
{
        FILE *file = fopen(path, "rb");
        if (!file)
                die("cannot read the bodies");
        for (size_t got = 1; got;) {
                if (!buf_reserve(&bodies->text, 1 << 20))
                        die("no memory");
                got = fread(bodies->text.bytes + bodies->text.length, 1, 1 << 20, file);
                bodies->text.length += got;
        }
        fclose(file);
        struct str rest = buf_str(&bodies->text), line;
        while (bodies->count < countof(bodies->lines) && str_cut(&rest, '\n', &line))
                if (line.length)
                        bodies->lines[bodies->count++] = line;
        if (!bodies->count)
                die("there are no bodies");
}

struct week {
        struct archive *archive;
        struct logs *logs;
        struct arena arena;
        struct labels streams[SERVICES];
        double seal_s;
        uint64_t lines, bytes;
};

static void week_open(struct week *week, const char *directory)
{
        struct err err;
        *week = (struct week){0};
        arena_init(&week->arena, 0);
        if (!archive_open(disk_real(), directory, NULL, &week->archive, &err) || !logs_create(week->archive, &week->logs, &err))
                die(err.message);
        for (size_t i = 0; i < SERVICES; i++) {
                *arena_push(&week->arena, &week->streams[i]) = (struct label){STR("host"), STR("quiet1")};
                *arena_push(&week->arena, &week->streams[i]) = (struct label){STR("service"), arena_printf(&week->arena, "service%02zu", i)};
                *arena_push(&week->arena, &week->streams[i]) = (struct label){STR("source"), STR("syslog")};
        }
}

static size_t draw_service(struct rng *rng)
{
        size_t service = 0;
        while (service < SERVICES - 1 && rng_below(rng, 5))
                service++;
        return service;
}

static void add_line(struct week *week, struct str body, size_t service, int64_t time_ns, struct rng *rng)
{
        struct err err;
        scoped(buf_done) struct buf line = {0};
        for (size_t i = 0; i < body.length; i++)
                buf_byte(&line, body.bytes[i] >= '0' && body.bytes[i] <= '9' ? (char)('0' + rng_below(rng, 10)) : body.bytes[i]);
        struct log_record record = {time_ns, (uint32_t)service, 9, buf_str(&line), {0}};
        struct telemetry telemetry = {.streams = {week->streams, SERVICES, SERVICES}, .records = {&record, 1, 1}};
        uint32_t pick = 0;
        if (!logs_add(week->logs, logs_partition(&week->streams[service]), ++week->lines, time_ns, &telemetry, &pick, 1, &err))
                die(err.message);
        week->bytes += line.length + 1;
}

static void seal_all(struct week *week)
{
        struct err err;
        double used = processor_s(CLOCK_THREAD_CPUTIME_ID);
        for (uint16_t p = 0; p < PARTITIONS; p++)
                if (!logs_seal(week->logs, p, &err))
                        die(err.message);
        week->seal_s += processor_s(CLOCK_THREAD_CPUTIME_ID) - used;
        if (!archive_flush(week->archive, &err))
                die(err.message);
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(uint64_t *)context;
        return true;
}

static double ask(struct week *week, const char *word, const char *service, uint64_t *out_rows, struct log_select_stats *out_stats)
{
        struct err err;
        struct arena arena;
        arena_init(&arena, 0);
        struct line_filter filter = {LINE_CONTAINS, str_of(word), NULL};
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .filters = {&filter, *word ? 1 : 0, 1}};
        if (service && !matchers_add(&select.matchers, &arena, MATCH_EQUAL, STR("service"), str_of(service), &err))
                die(err.message);
        double best = INFINITY;
        for (int i = 0; i < 5; i++) {
                double wall = (double)clock_monotonic_ns(&clock_real) * 1e-6;
                *out_rows = 0;
                if (!logs_select(week->logs, &select, count_row, out_rows, out_stats, &err))
                        die(err.message);
                best = fmin(best, (double)clock_monotonic_ns(&clock_real) * 1e-6 - wall);
        }
        matchers_done(&select.matchers);
        arena_done(&arena);
        return best;
}

static void tell(struct week *week, const char *name)
{
        static const struct { const char *what, *word, *service; } asked[] = {
                {"all lines", "", NULL}, {"a rare word", RARE_WORD, NULL}, {"a service", "", "service07"},
        };
        struct archive_stats stats;
        archive_read_stats(week->archive, &stats);
        double lines = (double)week->lines, blocks = (double)stats.blocks[BLOCK_LOGS];
        printf("%-13s %5.0f blocks of %6.1f lines; %6.2f bytes a line in blocks, %6.2f on disk (text %.1f); sealing %.0f ms\n", name, blocks, lines / blocks,
               (double)stats.stored_bytes[BLOCK_LOGS] / lines, (double)stats.bytes_on_disk / lines, (double)week->bytes / lines, week->seal_s * 1e3);
        for (size_t i = 0; i < countof(asked); i++) {
                uint64_t rows;
                struct log_select_stats seen;
                double ms = ask(week, asked[i].word, asked[i].service, &rows, &seen);
                printf("             %-12s %7.2f ms: %lu rows, %lu of %lu blocks opened\n", asked[i].what, ms, rows, seen.blocks_opened, seen.blocks_seen);
        }
}

/* The same lines at the same times, whatever the seals. */
static void run(const char *folder, const char *name, const struct bodies *bodies, uint64_t lines_a_day, int seals_a_day)
{
        char directory[400], remove[500];
        struct week *week = malloc(sizeof *week);
        struct rng rng = {7};
        snprintf(directory, sizeof directory, "%s/quiet_week.XXXXXX", folder);
        if (!week || !mkdtemp(directory))
                die("cannot make a folder");
        week_open(week, directory);
        for (uint64_t i = 0; i < lines_a_day * DAYS; i++) {
                if (i && i * (uint64_t)seals_a_day / lines_a_day != (i - 1) * (uint64_t)seals_a_day / lines_a_day)
                        seal_all(week);
                struct str body = i == lines_a_day * DAYS / 2 ? STR(RARE_WORD) : bodies->lines[rng_below(&rng, bodies->count)];
                add_line(week, body, draw_service(&rng), START_NS + (int64_t)(i * (uint64_t)86400 / lines_a_day) * NS_PER_S, &rng);
        }
        seal_all(week);
        tell(week, name);
        logs_destroy(week->logs);
        archive_close(week->archive);
        arena_done(&week->arena);
        free(week);
        snprintf(remove, sizeof remove, "rm -r '%s'", directory);
        if (system(remove) != 0)
                die("cannot remove the folder");
}

int main(int argc, char **argv)
{
        struct bodies *bodies = calloc(1, sizeof *bodies);
        uint64_t lines_a_day = argc > 2 ? strtoull(argv[2], NULL, 10) : 5000;
        const char *folder = argc > 3 ? argv[3] : "/tmp";
        if (argc < 2 || !bodies || !lines_a_day)
                die("usage: quiet_week BODIES [LINES_A_DAY [DIRECTORY]]");
        read_bodies(argv[1], bodies);
        run(folder, "every hour", bodies, lines_a_day, 24);
        run(folder, "every 6 hours", bodies, lines_a_day, 4);
        run(folder, "every day", bodies, lines_a_day, 1);
        buf_done(&bodies->text);
        free(bodies);
        return 0;
}
