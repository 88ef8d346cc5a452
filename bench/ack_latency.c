/*
 * ack_latency - how long an appender waits until the journal has its entry on disk, beside the least that is possible:
 * pwrite + fdatasync of the same size into a preallocated file on the same disk, turn about in one run.
 *
 *      ack_latency DIRECTORY [ROUNDS]
 *
 * Appenders wait for each acknowledgement before they send the next. The plain writers have a file each and one
 * thread each, as many as there are appenders. Then the processor time an entry costs, all threads together, when
 * appenders do not wait.
 */
#include "base/clock.h"
#include "base/scope.h"
#include "base/thread.h"
#include "store/disk.h"
#include "store/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define WRITERS_MAX 8
#define TURN 50 /* writes of one kind before it is the other's turn */
#define FLOOD_WAITING_MAX 4096

struct writer {
        struct append append;
        struct lock lock;
        struct signal told;
        bool is_told, failed;
        struct journal *journal; /* or */
        struct disk_file *plain;
        uint64_t plain_end;
        struct str payload;
        int64_t *waits_ns;
        int count;
        struct thread thread;
};

static char bytes[64 << 10];

static void die(const struct err *err)
{
        fprintf(stderr, "%s\n", err->message);
        exit(1);
}

static void tell(struct append *append, const struct entry *entry, const struct err *err)
{
        struct writer *writer = (struct writer *)append;
        (void)err;
        with_lock(&writer->lock);
        writer->is_told = true;
        writer->failed |= !entry;
        signal_one(&writer->told);
}

static void write_journal(struct writer *writer)
{
        struct err err = {0};
        writer->is_told = false;
        writer->append = (struct append){.kind = ENTRY_BATCH, .payload = writer->payload, .done = tell};
        if (!journal_append(writer->journal, &writer->append, &err))
                die(&err);
        with_lock(&writer->lock);
        while (!writer->is_told)
                signal_wait(&writer->told, &writer->lock);
}

static void write_plain(struct writer *writer)
{
        struct err err = {0};
        if (!disk_write(writer->plain, writer->payload.bytes, writer->payload.length, writer->plain_end, &err) ||
            !disk_sync(writer->plain, "plain", &err))
                die(&err);
        writer->plain_end += writer->payload.length;
}

static void run_journal(void *context)
{
        struct writer *writer = context;
        for (int i = 0; i < TURN; i++) {
                int64_t begun_ns = clock_monotonic_ns(&clock_real);
                write_journal(writer);
                writer->waits_ns[writer->count++] = clock_monotonic_ns(&clock_real) - begun_ns;
        }
}

static void run_plain(void *context)
{
        struct writer *writer = context;
        for (int i = 0; i < TURN; i++) {
                int64_t begun_ns = clock_monotonic_ns(&clock_real);
                write_plain(writer);
                writer->waits_ns[writer->count++] = clock_monotonic_ns(&clock_real) - begun_ns;
        }
}

static int compare_ns(const void *a, const void *b)
{
        int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
        return (left > right) - (left < right);
}

struct figures {
        double p50_us, p99_us;
};

static struct figures figures_of(struct writer *writers, int count)
{
        int total = 0;
        int64_t *all = malloc(sizeof *all * (size_t)(writers[0].count * count));
        for (int i = 0; i < count; i++)
                for (int k = 0; k < writers[i].count; k++)
                        all[total++] = writers[i].waits_ns[k];
        qsort(all, (size_t)total, sizeof *all, compare_ns);
        struct figures figures = {(double)all[total / 2] / 1000, (double)all[total * 99 / 100] / 1000};
        free(all);
        return figures;
}

static void take_turn(struct writer *writers, int count, void (*run)(void *context))
{
        for (int i = 0; i < count; i++)
                thread_start(&writers[i].thread, "writer", run, &writers[i], NULL);
        for (int i = 0; i < count; i++)
                thread_join(&writers[i].thread);
}

static void prepare(struct writer *writer, const char *directory, int number, struct journal *journal, size_t size, int rounds)
{
        char path[512];
        struct err err = {0};
        *writer = (struct writer){.journal = journal, .payload = {bytes, size}};
        lock_init(&writer->lock, LOCK_QUEUE);
        signal_init(&writer->told);
        writer->waits_ns = calloc((size_t)rounds * TURN, sizeof *writer->waits_ns);
        if (journal)
                return;
        snprintf(path, sizeof path, "%s/plain-%d", directory, number);
        writer->plain = disk_open(disk_real(), path, DISK_CREATE, &err);
        if (!writer->plain || !disk_truncate(writer->plain, 0, &err) ||
            !disk_allocate(writer->plain, (uint64_t)rounds * TURN * size, &err) ||
            !disk_sync(writer->plain, "plain", &err))
                die(&err);
}

static void dispose(struct writer *writer)
{
        disk_close(writer->plain);
        free(writer->waits_ns);
        signal_done(&writer->told);
        lock_done(&writer->lock);
}

static void compare(const char *directory, struct journal *journal, size_t size, int appenders, int rounds)
{
        static struct writer senders[WRITERS_MAX], plains[WRITERS_MAX];
        for (int i = 0; i < appenders; i++) {
                prepare(&senders[i], directory, i, journal, size, rounds);
                prepare(&plains[i], directory, i, NULL, size, rounds);
        }
        for (int round = 0; round < rounds; round++) {
                take_turn(senders, appenders, run_journal);
                take_turn(plains, appenders, run_plain);
        }
        struct figures acknowledged = figures_of(senders, appenders), plain = figures_of(plains, appenders);
        printf("%7zu B %2d   %8.0f %8.0f   %8.0f %8.0f   %5.2f %5.2f\n", size, appenders, acknowledged.p50_us,
               acknowledged.p99_us, plain.p50_us, plain.p99_us, acknowledged.p50_us / plain.p50_us,
               acknowledged.p99_us / plain.p99_us);
        for (int i = 0; i < appenders; i++) {
                dispose(&senders[i]);
                dispose(&plains[i]);
        }
        journal_trim(journal, UINT64_MAX, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- processor */

static _Atomic int flood_waiting;

static void flood_tell(struct append *append, const struct entry *entry, const struct err *err)
{
        (void)append, (void)entry, (void)err;
        flood_waiting--;
}

static double processor_ns(clockid_t clock)
{
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The program's own part, without the kernel. */
static double user_ns(void)
{
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        return (double)usage.ru_utime.tv_sec * 1e9 + (double)usage.ru_utime.tv_usec * 1e3;
}

static void flood(struct journal *journal, size_t size, int count)
{
        struct append *appends = calloc(FLOOD_WAITING_MAX, sizeof *appends);
        struct err err = {0};
        double begun = processor_ns(CLOCK_PROCESS_CPUTIME_ID), begun_wall = processor_ns(CLOCK_MONOTONIC);
        double begun_user = user_ns();
        for (int i = 0; i < count; i++) {
                while (flood_waiting >= FLOOD_WAITING_MAX / 2) /* far enough apart that none is still in use */
                        nanosleep(&(struct timespec){0, 50000}, NULL);
                struct append *append = &appends[i % FLOOD_WAITING_MAX];
                *append = (struct append){.kind = ENTRY_BATCH, .payload = {bytes, size}, .done = flood_tell};
                flood_waiting++;
                if (!journal_append(journal, append, &err)) {
                        flood_waiting--;
                        if (err.code != ERR_BUSY)
                                die(&err);
                        nanosleep(&(struct timespec){0, 50000}, NULL);
                        i--;
                }
        }
        while (flood_waiting > 0)
                nanosleep(&(struct timespec){0, 50000}, NULL);
        double spent = processor_ns(CLOCK_PROCESS_CPUTIME_ID) - begun, wall = processor_ns(CLOCK_MONOTONIC) - begun_wall;
        printf("%7zu B      %8.0f ns of processor an entry, %.0f of them not the kernel's; %.2f M entries/s, %.0f MB/s\n", size,
               spent / count, (user_ns() - begun_user) / count, count / wall * 1e3, count * (double)size / wall * 1e3);
        free(appends);
        journal_trim(journal, UINT64_MAX, NULL);
}

/* The same bytes, written by the megabyte without a journal: what the kernel takes of the above. */
static void flood_plain(const char *directory)
{
        static char megabyte[1 << 20];
        struct writer writer;
        prepare(&writer, directory, 0, NULL, sizeof megabyte, 500 / TURN);
        double begun = processor_ns(CLOCK_PROCESS_CPUTIME_ID), begun_wall = processor_ns(CLOCK_MONOTONIC);
        writer.payload = (struct str){megabyte, sizeof megabyte};
        for (int i = 0; i < 500; i++)
                write_plain(&writer);
        double spent = processor_ns(CLOCK_PROCESS_CPUTIME_ID) - begun, wall = processor_ns(CLOCK_MONOTONIC) - begun_wall;
        printf("  plain 1 MiB  %8.0f ns of processor each 64 KiB, %.0f MB/s\n", spent / 500 / 16, 500.0 * (1 << 20) / wall * 1e3);
        dispose(&writer);
}

int main(int argc, char **argv)
{
        if (argc < 2)
                return fprintf(stderr, "usage: %s DIRECTORY [ROUNDS]\n", argv[0]), 2;
        int rounds = argc > 2 ? atoi(argv[2]) : 10;
        struct journal *journal;
        struct err err = {0};
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (char)(i * 2654435761u >> 13);
        if (!journal_open(disk_real(), argv[1], &clock_real, NULL, &journal, &err) || !journal_start(journal, &err))
                die(&err);
        printf("acknowledgement in microseconds, %d writes each    journal        pwrite+fdatasync        ratio\n",
               rounds * TURN);
        printf("   size  writers   p50      p99        p50      p99     p50   p99\n");
        static const size_t sizes[] = {4 << 10, 64 << 10};
        static const int appenders[] = {1, WRITERS_MAX};
        for (size_t i = 0; i < countof(sizes); i++)
                for (size_t k = 0; k < countof(appenders); k++)
                        compare(argv[1], journal, sizes[i], appenders[k], rounds);
        flood(journal, 100, 2000000);
        flood(journal, sizeof bytes, 8000);
        flood_plain(argv[1]);
        journal_close(journal);
        return 0;
}
