/*
 * series_store - what keeping a metric sample costs: processor time, memory, bytes on disk, and reading it back.
 *
 *      build/bench/series_store [SERIES SAMPLES] [DIRECTORY]
 *
 * The corpus: 40 % integer counters, 30 % two-decimal random walks, 20 % constants, 10 % random doubles; 6 labels, about
 * 144 bytes of them; a sample every 10 s; batches of 10,000 samples, one of each series, as a remote-write sender makes
 * them. Without arguments: 100,000 series of 60 samples, then 10,000 series of 1,440.
 */
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "store/archive.h"
#include "store/series.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define START_NS (INT64_C(1700000000) * NS_PER_S)
#define BATCH_SAMPLES 10000
#define LABEL_COUNT 6

static double processor_s(clockid_t of)
{
        struct timespec time;
        clock_gettime(of, &time);
        return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t resident_bytes(void)
{
        size_t total = 0, resident = 0;
        FILE *file = fopen("/proc/self/statm", "r");
        if (file && fscanf(file, "%zu %zu", &total, &resident) != 2)
                resident = 0;
        if (file)
                fclose(file);
        return resident * 4096;
}

struct corpus {
        struct arena arena;
        size_t series, samples;
        struct labels *labels;
        double *values;         /* the newest of each series */
        struct rng *rngs;
        uint16_t *partitions;
};

static void label(struct corpus *corpus, struct labels *labels, struct str name, struct str value)
{
        *arena_push(&corpus->arena, labels) = (struct label){name, value};
}

static void make_corpus(struct corpus *corpus)
{
        struct arena *arena = &corpus->arena;
        corpus->labels = arena_array(arena, corpus->series, sizeof *corpus->labels);
        corpus->values = arena_array(arena, corpus->series, sizeof *corpus->values);
        corpus->rngs = arena_array(arena, corpus->series, sizeof *corpus->rngs);
        corpus->partitions = arena_array(arena, corpus->series, sizeof *corpus->partitions);
        for (size_t s = 0; s < corpus->series; s++) {
                struct labels *labels = &corpus->labels[s];
                label(corpus, labels, LABEL_METRIC_NAME, arena_printf(arena, "application_metric_%zu_total", s % 100));
                label(corpus, labels, STR("datacenter"), arena_printf(arena, "region-%zu", s % 3));
                label(corpus, labels, STR("environment"), STR("production"));
                label(corpus, labels, STR("instance"), arena_printf(arena, "host-%05zu.example.net:9100", s / 100));
                label(corpus, labels, STR("job"), STR("node-exporter"));
                label(corpus, labels, STR("service"), arena_printf(arena, "service-%02zu", s % 40));
                corpus->rngs[s].state = s * 7919 + 1;
                corpus->values[s] = (double)rng_below(&corpus->rngs[s], 1000000);
                corpus->partitions[s] = series_partition(labels);
        }
}

static double next_value(struct corpus *corpus, size_t s)
{
        struct rng *rng = &corpus->rngs[s];
        double *value = &corpus->values[s];
        size_t kind = s % 10;
        if (kind < 4)
                *value += (double)rng_below(rng, 1000);
        else if (kind < 7)
                *value = (double)(llrint(*value * 100) + (int64_t)rng_below(rng, 201) - 100) / 100;
        else if (kind == 9)
                *value = rng_unit(rng) * 100;
        return *value;
}

struct batch_parts { /* what the pipeline hands over: picks by partition */
        struct telemetry telemetry;
        struct series_points points[BATCH_SAMPLES];
        struct sample samples[BATCH_SAMPLES];
        uint32_t picks[PARTITIONS][BATCH_SAMPLES / 16], ordinals[PARTITIONS][BATCH_SAMPLES / 16];
        size_t counts[PARTITIONS];
        struct label labels[BATCH_SAMPLES][LABEL_COUNT];
        char texts[BATCH_SAMPLES][256];
};

/* A decoder has just written the labels and their texts lie together in the request's body; so do they here. */
static struct labels copy_labels(const struct labels *labels, struct label *items, char *text)
{
        for (size_t i = 0; i < labels->count; i++) {
                const struct str parts[] = {labels->items[i].name, labels->items[i].value};
                struct str *copies[] = {&items[i].name, &items[i].value};
                for (int part = 0; part < 2; part++) {
                        memcpy(text, parts[part].bytes, parts[part].length);
                        *copies[part] = (struct str){text, parts[part].length};
                        text += parts[part].length;
                }
        }
        return (struct labels){items, labels->count, labels->count};
}

static void fill_batch(struct corpus *corpus, struct batch_parts *batch, size_t first, size_t count, int64_t time_ns)
{
        memset(batch->counts, 0, sizeof batch->counts);
        batch->telemetry.series.items = batch->points;
        batch->telemetry.series.count = count;
        for (size_t i = 0; i < count; i++) {
                size_t s = first + i;
                uint16_t p = corpus->partitions[s];
                batch->samples[i] = (struct sample){time_ns, next_value(corpus, s)};
                batch->points[i] = (struct series_points){copy_labels(&corpus->labels[s], batch->labels[i], batch->texts[i]), &batch->samples[i], 1};
                batch->picks[p][batch->counts[p]] = (uint32_t)i;
                batch->ordinals[p][batch->counts[p]++] = (uint32_t)i;
        }
}

static void stop_on(bool good, const struct err *err)
{
        if (good)
                return;
        fprintf(stderr, "series_store: %s\n", err->message);
        exit(1);
}

static double add_all(struct corpus *corpus, struct series_store *store, struct batch_parts *batch, int64_t *io_received_ns,
                      double *out_identify_s)
{
        struct err err = {0};
        scoped(arena_done) struct arena arena = {0};
        double spent = 0;
        uint64_t sequence = 0;
        for (size_t n = 0; n < corpus->samples; n++) {
                int64_t time_ns = START_NS + (int64_t)n * 10 * NS_PER_S;
                for (size_t first = 0; first < corpus->series; first += BATCH_SAMPLES) {
                        fill_batch(corpus, batch, first, min_of((size_t)BATCH_SAMPLES, corpus->series - first), time_ns);
                        sequence++;
                        *io_received_ns += NS_PER_MS;
                        arena_reset(&arena);
                        double start = processor_s(CLOCK_THREAD_CPUTIME_ID);
                        stop_on(series_identify(&batch->telemetry, &arena, &err), &err);
                        double identified = processor_s(CLOCK_THREAD_CPUTIME_ID);
                        *out_identify_s += identified - start;
                        for (unsigned p = 0; p < PARTITIONS; p++)
                                stop_on(series_add(store, (uint16_t)p, sequence, *io_received_ns, &batch->telemetry, batch->picks[p],
                                                   batch->ordinals[p], batch->counts[p], &err), &err);
                        spent += processor_s(CLOCK_THREAD_CPUTIME_ID) - identified;
                }
        }
        return spent;
}

static void select_and_print(struct series_store *store, const char *what, const struct matchers *matchers, int64_t end_ns, bool labels_only)
{
        struct err err = {0};
        scoped(arena_done) struct arena arena = {0};
        struct series_set set = {0};
        size_t samples = 0;
        struct series_select asked = {.matchers = matchers, .start_ns = START_NS, .end_ns = end_ns, .labels_only = labels_only};
        double start = processor_s(CLOCK_THREAD_CPUTIME_ID);
        stop_on(series_select(store, &asked, &arena, &set, &err), &err);
        double spent = processor_s(CLOCK_THREAD_CPUTIME_ID) - start;
        each (data, &set)
                samples += data->count;
        printf("  %-34s %8.1f ms   %zu series, %zu samples\n", what, spent * 1e3, set.count, samples);
}

static void select_some(struct corpus *corpus, struct series_store *store)
{
        scoped(arena_done) struct arena arena = {0};
        scoped(matchers_done) struct matchers name = {0}, host = {0};
        struct err err = {0};
        int64_t end_ns = START_NS + (int64_t)corpus->samples * 10 * NS_PER_S;
        stop_on(matchers_add(&name, &arena, MATCH_REGEX, LABEL_METRIC_NAME, STR("application_metric_1._total"), &err), &err);
        stop_on(matchers_add(&host, &arena, MATCH_EQUAL, LABEL_METRIC_NAME, STR("application_metric_42_total"), &err) &&
                matchers_add(&host, &arena, MATCH_EQUAL, STR("instance"), STR("host-00007.example.net:9100"), &err), &err);
        select_and_print(store, "a tenth of the series, all samples", &name, end_ns, false);
        select_and_print(store, "one series, all samples", &host, end_ns, false);
        select_and_print(store, "labels of a tenth", &name, end_ns, true);
}

static void run(size_t series, size_t samples, const char *directory)
{
        struct err err = {0};
        struct archive *archive;
        struct series_store *store;
        struct series_stats stats;
        struct archive_stats stored;
        struct corpus corpus = {.series = series, .samples = samples};
        struct batch_parts *batch = calloc(1, sizeof *batch);
        int64_t received_ns = START_NS;
        make_corpus(&corpus);
        stop_on(archive_open(disk_real(), directory, NULL, &archive, &err) && series_create(archive, 4 * series, &store, &err), &err);
        size_t before = resident_bytes();
        double identify_s = 0, add_s = add_all(&corpus, store, batch, &received_ns, &identify_s), total = (double)series * (double)samples;
        size_t after = resident_bytes();
        series_read_stats(store, &stats);
        printf("%zu series of %zu samples\n", series, samples);
        printf("  identify                           %8.1f ns a sample\n", identify_s / total * 1e9);
        printf("  add                                %8.1f ns a sample, %.2f M samples a processor-second\n", add_s / total * 1e9, total / add_s / 1e6);
        printf("  memory                             %8.0f bytes a series resident, %.0f counted; %.2f bytes a sample open\n",
               (double)(after - before) / (double)series, (double)stats.resident_bytes / (double)series, (double)stats.open_bytes / total);
        select_some(&corpus, store);
        double start = processor_s(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned p = 0; p < PARTITIONS; p++)
                stop_on(series_seal(store, (uint16_t)p, 0, &err), &err);
        double seal_s = processor_s(CLOCK_THREAD_CPUTIME_ID) - start;
        stop_on(archive_flush(archive, &err), &err);
        archive_read_stats(archive, &stored);
        printf("  seal what is open                  %8.1f ns a sample of all\n", seal_s / total * 1e9);
        printf("  stored                             %8.3f bytes a sample in blocks, %.3f on disk with labels; %lu blocks\n",
               (double)stored.stored_bytes[BLOCK_METRICS] / total, (double)stored.bytes_on_disk / total, stored.blocks[BLOCK_METRICS]);
        select_some(&corpus, store);
        series_destroy(store);
        archive_close(archive);
        arena_done(&corpus.arena);
        free(batch);
}

int main(int argc, char **argv)
{
        char directory[] = "/tmp/series_store.XXXXXX", command[64];
        size_t series = argc > 2 ? strtoull(argv[1], NULL, 10) : 0, samples = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
        size_t plan[2][2] = {{series ? series : 100000, samples ? samples : 60}, {10000, 1440}};
        for (size_t i = 0; i < (series ? 1 : 2); i++) {
                strcpy(directory + sizeof directory - 7, "XXXXXX");
                if (!mkdtemp(directory))
                        return perror(directory), 1;
                run(plan[i][0], plan[i][1], argc > 3 ? argv[3] : directory);
                snprintf(command, sizeof command, "rm -rf %s", directory);
                if (system(command) != 0)
                        return 1;
                malloc_trim(0);
        }
        return 0;
}
