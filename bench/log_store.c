/*
 * log_store - what keeping a log line costs: processor time, bytes, reading it back, finding a rare word.
 *
 *      build/bench/log_store FILE [DIRECTORY]                        one line a record
 *      build/bench/log_store --synthetic N BODIES [DIRECTORY]        N lines made of the message texts in BODIES
 *
 * The synthetic corpus walks BODIES in order, over and over: 32 services (each a run of BODIES), 64 hosts, half RFC 5424
 * and half RFC 3164 headers, and every digit run of the body is drawn anew, which no compressor can foresee. Batches of
 * 1,000 lines, in the cache as their decoder leaves them, are split over the partitions as the pipeline does it. Beside it, in the same process and on the same
 * bytes: zstd levels 1 and 3 in one piece; the command `zstd -1`; and for the search, `zstd -dc | grep`.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "store/archive.h"
#include "store/line_filter.h"
#include "store/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define START_NS (INT64_C(1700000000) * NS_PER_S)
#define HOSTS 64
#define SERVICES 32
#define BATCH 1000
#define RARE_WORD "xylophonist"

static double processor_s(clockid_t of)
{
        struct timespec time;
        clock_gettime(of, &time);
        return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double wall_s(void)
{
        return (double)clock_monotonic_ns(&clock_real) * 1e-9;
}

static void die(const char *what)
{
        fprintf(stderr, "log_store: %s\n", what);
        exit(1);
}

struct corpus {
        struct buf text;                /* lines, each ended by a newline */
        struct { struct str line; uint32_t stream; } *lines;
        size_t count;
};

static void read_file(const char *path, struct buf *out)
{
        FILE *file = fopen(path, "rb");
        if (!file)
                die("cannot read the file");
        for (size_t got = 1; got;) {
                if (!buf_reserve(out, 1 << 20))
                        die("no memory");
                got = fread(out->bytes + out->length, 1, 1 << 20, file);
                out->length += got;
        }
        fclose(file);
}

static void put_mutated(struct buf *out, struct str body, struct rng *rng)
{
        for (size_t i = 0; i < body.length; i++) {
                char c = body.bytes[i];
                buf_byte(out, c >= '0' && c <= '9' ? (char)('0' + rng_below(rng, 10)) : c);
        }
}

static void put_line(struct buf *out, size_t i, size_t service, struct str body, struct rng *rng)
{
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        size_t host = rng_below(rng, HOSTS);
        time_t seconds = START_NS / NS_PER_S + (time_t)(i / 2000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        if (host % 2) {
                char time[32];
                strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
                buf_printf(out, "<%d>1 %s.%03dZ host%02zu app%02zu %d - - ", (int)(service % 24 * 8 + 6), time,
                           (int)(i % 2000 / 2), host, service, (int)(1000 + host * service));
        } else {
                buf_printf(out, "<%d>%s %2d %02d:%02d:%02d host%02zu app%02zu[%d]: ", (int)(service % 24 * 8 + 6),
                           months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, host, service,
                           (int)(1000 + host * service));
        }
        put_mutated(out, body, rng);
}

/* Walks each service's bodies in order, services taking turns at random. */
static void make_corpus(struct corpus *corpus, size_t count, const char *path)
{
        struct rng rng = {1};
        struct buf text = {0};
        read_file(path, &text);
        struct str rest = buf_str(&text), line;
        struct str *bodies = malloc((text.length + 1) * sizeof *bodies);
        size_t body_count = 0, next[SERVICES] = {0};
        while (str_cut(&rest, '\n', &line))
                if (line.length)
                        bodies[body_count++] = line;
        if (body_count < SERVICES)
                die("too few bodies");
        for (size_t i = 0; i < count; i++) {
                size_t service = rng_below(&rng, SERVICES), share = body_count / SERVICES;
                put_line(&corpus->text, i, service, bodies[service * share + next[service]++ % share], &rng);
                if (i == count / 2)
                        buf_text(&corpus->text, " " RARE_WORD);
                buf_byte(&corpus->text, '\n');
        }
        free(bodies);
        buf_done(&text);
        if (corpus->text.failed)
                die("no memory");
}

/* Which stream a line is of: from the synthetic header, else all of one. */
static uint32_t stream_of(struct str line, bool synthetic)
{
        size_t host, service;
        if (!synthetic || !str_find(line, STR(" host"), &host) || !str_find(line, STR(" app"), &service))
                return 0;
        return (uint32_t)(((line.bytes[host + 5] - '0') * 10 + line.bytes[host + 6] - '0') * SERVICES +
                          (line.bytes[service + 4] - '0') * 10 + line.bytes[service + 5] - '0');
}

static void cut_lines(struct corpus *corpus, bool synthetic)
{
        struct str rest = buf_str(&corpus->text), line;
        size_t capacity = 0;
        while (str_cut(&rest, '\n', &line)) {
                if (corpus->count == capacity) {
                        capacity = max_of(capacity * 2, (size_t)1024);
                        if (!(corpus->lines = realloc(corpus->lines, capacity * sizeof *corpus->lines)))
                                die("no memory");
                }
                if (rest.bytes || line.length) {
                        corpus->lines[corpus->count].line = line;
                        corpus->lines[corpus->count++].stream = stream_of(line, synthetic);
                }
        }
}

struct batch_room {
        struct arena arena;
        struct labels streams[HOSTS * SERVICES];
        uint16_t partitions[HOSTS * SERVICES];
        struct buf text;                /* the batch's bytes, fresh as a decoder leaves them */
        double used;                    /* processor time of the calls that are measured */
        struct log_record records[BATCH];
        uint32_t picks[PARTITIONS][BATCH];
        size_t pick_counts[PARTITIONS];
};

static void make_streams(struct batch_room *room)
{
        arena_init(&room->arena, 0);
        for (size_t i = 0; i < countof(room->streams); i++) {
                *arena_push(&room->arena, &room->streams[i]) =
                        (struct label){STR("host"), arena_printf(&room->arena, "host%02zu", i / SERVICES)};
                *arena_push(&room->arena, &room->streams[i]) =
                        (struct label){STR("service"), arena_printf(&room->arena, "app%02zu", i % SERVICES)};
                *arena_push(&room->arena, &room->streams[i]) = (struct label){STR("source"), STR("syslog")};
                room->partitions[i] = logs_partition(&room->streams[i]);
        }
}

static void add_batch(struct logs *logs, struct batch_room *room, const struct corpus *corpus, size_t from, size_t count)
{
        struct err err;
        struct telemetry telemetry = {.streams = {room->streams, countof(room->streams), countof(room->streams)},
                                      .records = {room->records, count, count}};
        struct str first = corpus->lines[from].line, last = corpus->lines[from + count - 1].line;
        buf_clear(&room->text);
        buf_append(&room->text, first.bytes, (size_t)(last.bytes + last.length - first.bytes));
        memset(room->pick_counts, 0, sizeof room->pick_counts);
        for (uint32_t i = 0; i < count; i++) {
                uint32_t stream = corpus->lines[from + i].stream;
                room->records[i] = (struct log_record){START_NS + (int64_t)((from + i) / 2) * NS_PER_MS, stream, 9,
                                                       {room->text.bytes + (corpus->lines[from + i].line.bytes - first.bytes),
                                                        corpus->lines[from + i].line.length}, {0}};
                uint16_t partition = room->partitions[stream];
                room->picks[partition][room->pick_counts[partition]++] = i;
        }
        double used = processor_s(CLOCK_THREAD_CPUTIME_ID);
        for (uint16_t p = 0; p < PARTITIONS; p++)
                if (room->pick_counts[p] && !logs_add(logs, p, 1 + from / BATCH, START_NS, &telemetry, room->picks[p],
                                                      room->pick_counts[p], &err))
                        die(err.message);
        room->used += processor_s(CLOCK_THREAD_CPUTIME_ID) - used;
}

static bool count_row(void *context, const struct log_row *row)
{
        uint64_t *rows_and_bytes = context;
        rows_and_bytes[0]++;
        rows_and_bytes[1] += row->line.length + 1;
        return true;
}

static void search(struct logs *logs, const char *word, size_t limit, uint64_t lines)
{
        struct err err;
        struct line_filter filter = {LINE_CONTAINS, str_of(word), NULL};
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .filters = {&filter, 1, 1}, .limit = limit};
        struct log_select_stats stats;
        uint64_t found[2] = {0};
        double wall = wall_s();
        if (!logs_select(logs, &select, count_row, found, &stats, &err))
                die(err.message);
        wall = wall_s() - wall;
        printf("search  \"%s\": %lu found in %.1f ms over %.1f M lines (%.1f s for 100 M); opened %lu of %lu blocks\n", word,
               found[0], wall * 1e3, (double)lines * 1e-6, wall * 1e8 / (double)lines, stats.blocks_opened, stats.blocks_seen);
}

/* zstd -dc file | grep -c word, the file in the page cache. */
static void search_peer(const char *directory, const struct corpus *corpus, const char *word)
{
        char path[300], command[700];
        snprintf(path, sizeof path, "%s/peer.zst", directory);
        size_t bound = ZSTD_compressBound(corpus->text.length);
        void *packed = malloc(bound);
        size_t stored = ZSTD_compress(packed, bound, corpus->text.bytes, corpus->text.length, 1);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(packed, 1, stored, file) != stored || fclose(file))
                die("cannot write the peer's file");
        free(packed);
        snprintf(command, sizeof command, "zstd -dc '%s' | LC_ALL=C grep -c '%s' >/dev/null", path, word);
        double wall = wall_s();
        if (system(command) < 0)
                die("cannot run zstd and grep");
        printf("        zstd -dc | grep: %.1f ms\n", (wall_s() - wall) * 1e3);
        unlink(path);
}

static double peer(const struct corpus *corpus, int level, size_t *out_bytes)
{
        size_t bound = ZSTD_compressBound(corpus->text.length);
        void *packed = malloc(bound);
        memset(packed, 1, bound); /* page faults are not what is compared */
        double used = processor_s(CLOCK_THREAD_CPUTIME_ID);
        *out_bytes = ZSTD_compress(packed, bound, corpus->text.bytes, corpus->text.length, level);
        used = processor_s(CLOCK_THREAD_CPUTIME_ID) - used;
        free(packed);
        return used;
}

/* Processor time of the command `zstd -1` over a file of the same bytes, which is in the page cache; reading it included. */
static double peer_command(const char *directory, const struct corpus *corpus)
{
        char path[300], command[700];
        snprintf(path, sizeof path, "%s/peer.log", directory);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(corpus->text.bytes, 1, corpus->text.length, file) != corpus->text.length || fclose(file))
                die("cannot write the peer's file");
        snprintf(command, sizeof command, "zstd -q -1 -c '%s' >/dev/null", path);
        struct rusage before, after;
        getrusage(RUSAGE_CHILDREN, &before);
        if (system(command))
                die("cannot run zstd");
        getrusage(RUSAGE_CHILDREN, &after);
        unlink(path);
        return (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
               (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1e-6;
}

int main(int argc, char **argv)
{
        struct err err;
        struct corpus corpus = {0};
        bool synthetic = argc >= 4 && strcmp(argv[1], "--synthetic") == 0;
        if (argc < 2 || (!synthetic && argv[1][0] == '-'))
                die("usage: log_store FILE [DIRECTORY] | --synthetic N BODIES [DIRECTORY]");
        if (synthetic)
                make_corpus(&corpus, strtoul(argv[2], NULL, 10), argv[3]);
        else
                read_file(argv[1], &corpus.text);
        cut_lines(&corpus, synthetic);
        int after = synthetic ? 4 : 2;
        char directory[256];
        snprintf(directory, sizeof directory, "%s/log_store.XXXXXX", argc > after ? argv[after] : "/tmp");
        if (!mkdtemp(directory))
                die("cannot make a directory");
        struct archive *archive;
        struct logs *logs;
        if (!archive_open(disk_real(), directory, NULL, &archive, &err) || !logs_create(archive, &logs, &err))
                die(err.message);
        struct batch_room *room = malloc(sizeof *room);
        memset(room, 0, sizeof *room);
        make_streams(room);

        double all = processor_s(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t at = 0; at < corpus.count; at += BATCH)
                add_batch(logs, room, &corpus, at, min_of((size_t)BATCH, corpus.count - at));
        double used = processor_s(CLOCK_THREAD_CPUTIME_ID);
        for (uint16_t p = 0; p < PARTITIONS; p++)
                if (!logs_seal(logs, p, &err))
                        die(err.message);
        used = processor_s(CLOCK_THREAD_CPUTIME_ID) - used + room->used;
        if (!archive_flush(archive, &err))
                die(err.message);
        all = processor_s(CLOCK_PROCESS_CPUTIME_ID) - all;
        struct archive_stats stats;
        archive_read_stats(archive, &stats);
        size_t bytes1, bytes3;
        double used1 = peer(&corpus, 1, &bytes1), used3 = peer(&corpus, 3, &bytes3), megabytes = (double)corpus.text.length * 1e-6;
        double stored = (double)stats.stored_bytes[BLOCK_LOGS], lines = (double)corpus.count;
        printf("corpus  %.0f lines, %.1f MB, %lu blocks\n", lines, megabytes, stats.blocks[BLOCK_LOGS]);
        printf("encode  %.0f MB, %.2f M lines a processor-second (with the archive's thread %.0f MB)\n", megabytes / used,
               lines / used * 1e-6, megabytes / all);
        printf("        zstd -1 %.0f MB, zstd -3 %.0f MB a processor-second: %.2fx, %.2fx\n", megabytes / used1,
               megabytes / used3, used1 / used, used3 / used);
        double command = peer_command(directory, &corpus);
        printf("        the command zstd -1: %.0f MB a processor-second: %.2fx\n", megabytes / command, command / used);
        printf("stored  %.2f bytes a line, %.2fx smaller than the text; zstd -1 %.2f, zstd -3 %.2f bytes a line: %.2fx, %.2fx\n",
               stored / lines, (double)corpus.text.length / stored, (double)bytes1 / lines, (double)bytes3 / lines,
               stored / (double)bytes1, stored / (double)bytes3);

        uint64_t read[2] = {0};
        struct log_select everything = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        used = processor_s(CLOCK_THREAD_CPUTIME_ID);
        if (!logs_select(logs, &everything, count_row, read, NULL, &err))
                die(err.message);
        used = processor_s(CLOCK_THREAD_CPUTIME_ID) - used;
        if (read[0] != corpus.count || read[1] < corpus.text.length)
                die("what was read back is not what was added");
        printf("read    all in order: %.0f MB a processor-second\n", megabytes / used);
        search(logs, RARE_WORD, 0, corpus.count);
        search_peer(directory, &corpus, RARE_WORD);
        search(logs, "error", 1000, corpus.count);

        logs_destroy(logs);
        archive_close(archive);
        char remove[300];
        snprintf(remove, sizeof remove, "rm -r '%s'", directory);
        return system(remove) != 0;
}
