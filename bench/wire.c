/*
 * wire - how fast the hot decoders and the masking pass are, on one thread, from memory.
 *
 *      build/bench_wire [LOG FILE]
 *
 * Prints ns a line (syslog: RFC 5424 and RFC 3164 mixed, 64 hosts, 32 programs), samples a second (remote write, requests of 10,000
 * samples, snappy included) and GB a second of masking. Each figure is the best of its rounds: what the code costs, without
 * what else the machine did.
 */
#include "wire/redact.h"
#include "wire/remote_write.h"
#include "wire/syslog.h"
#include "wire/syslog_frames.h"

#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "wire/protobuf.h"

#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 15
#define LINES 20000
#define SAMPLES 10000

static int64_t now(void)
{
        return clock_monotonic_ns(&clock_real);
}

static void put_line(struct buf *out, struct rng *rng, int i)
{
        unsigned host = (unsigned)rng_below(rng, 64), app = (unsigned)rng_below(rng, 32), n = (unsigned)rng_below(rng, 100000);
        if (i % 2)
                buf_printf(out, "<%u>1 2026-01-01T00:%02d:%02d.%06uZ host-%u app%u %u - - Received block blk_%u of size %u from /10.250.19.%u\n",
                           (unsigned)rng_below(rng, 191), i / 400 % 60, i / 7 % 60, n, host, app, n, n * 7919u, n, n % 256);
        else
                buf_printf(out, "<%u>Jan  1 00:%02d:%02d host-%u app%u[%u]: session opened for user root by (uid=%u), connection from 10.0.%u.%u\n",
                           (unsigned)rng_below(rng, 191), i / 400 % 60, i / 7 % 60, host, app, n, n, n % 256, n / 256);
}

static void bench_syslog(void)
{
        scoped(buf_done) struct buf text = {0};
        struct rng rng = {1};
        for (int i = 0; i < LINES; i++)
                put_line(&text, &rng, i);
        int64_t best = INT64_MAX, best_frames = INT64_MAX;
        for (int round = 0; round < ROUNDS; round++) {
                struct batch *batch = batch_create(1, STR("bench"), NULL);
                batch->bytes = buf_str(&text);
                batch->received_ns = INT64_C(1767225600) * NS_PER_S;
                struct syslog_frames frames = {0};
                int64_t start = now();
                syslog_frames_take(&frames, text.bytes, text.length, false, NULL);
                int64_t framed = now();
                if (!syslog_decode(batch, NULL) || batch->telemetry.records.count != LINES)
                        exit(1);
                int64_t end = now();
                best_frames = min_of(best_frames, framed - start);
                best = min_of(best, end - framed);
                syslog_frames_done(&frames);
                batch_destroy(batch);
        }
        printf("syslog_decode        %6.1f ns/line (%zu bytes a line)\n", (double)best / LINES, text.length / LINES);
        printf("syslog_frames_take   %6.1f ns/line\n", (double)best_frames / LINES);
}

static void put_series(struct buf *request, int i)
{
        static const char *const names[] = {"__name__", "datacenter", "device", "instance", "job", "mode"};
        scoped(buf_done) struct buf series = {0}, sample = {0};
        for (int l = 0; l < 6; l++) {
                scoped(buf_done) struct buf label = {0};
                char value[64];
                snprintf(value, sizeof value, l == 0 ? "node_disk_read_bytes_total_%d" : "value-of-label-%d", i % (l * 97 + 11));
                protobuf_put_bytes(&label, 1, str_of(names[l]));
                protobuf_put_bytes(&label, 2, str_of(value));
                protobuf_put_bytes(&series, 1, buf_str(&label));
        }
        double value = i * 1.37;
        uint64_t bits;
        memcpy(&bits, &value, 8);
        protobuf_put_fixed64(&sample, 1, bits);
        protobuf_put_scalar(&sample, 2, 1767225600000u + (uint64_t)i % 15000);
        protobuf_put_bytes(&series, 2, buf_str(&sample));
        protobuf_put_bytes(request, 1, buf_str(&series));
}

static void bench_remote_write(void)
{
        scoped(buf_done) struct buf request = {0};
        for (int i = 0; i < SAMPLES; i++)
                put_series(&request, i);
        size_t length = snappy_max_compressed_length(request.length);
        char *packed = malloc(length);
        snappy_compress(request.bytes, request.length, packed, &length);
        char *plain = malloc(request.length);
        int64_t best = INT64_MAX, best_snappy = INT64_MAX;
        for (int round = 0; round < ROUNDS * 4; round++) {
                struct batch *batch = batch_create(1, STR("bench"), NULL);
                batch->bytes = (struct str){packed, length};
                size_t room = request.length;
                int64_t start = now();
                snappy_uncompress(packed, length, plain, &room);
                int64_t alone = now();
                if (!remote_write_decode(batch, NULL) || batch->telemetry.series.count != SAMPLES)
                        exit(1);
                best = min_of(best, now() - alone);
                best_snappy = min_of(best_snappy, alone - start);
                batch_destroy(batch);
        }
        printf("remote_write_decode  %6.2f M samples/s (%zu bytes a sample plain, %zu sent; snappy alone %.2f M)\n", SAMPLES * 1e3 / (double)best,
               request.length / SAMPLES, length / SAMPLES, SAMPLES * 1e3 / (double)best_snappy);
        free(plain);
        free(packed);
}

static void bench_redact(const char *path)
{
        scoped(buf_done) struct buf text = {0};
        struct rng rng = {2};
        FILE *file = path ? fopen(path, "rb") : NULL;
        if (file && buf_reserve(&text, 8 << 20))
                text.length = fread(text.bytes, 1, 8 << 20, file);
        else
                for (int i = 0; i < LINES; i++)
                        put_line(&text, &rng, i);
        if (file)
                fclose(file);
        struct redactor *redactor = NULL;
        if (!redactor_create(NULL, NULL, &redactor, NULL))
                exit(1);
        uint64_t masked = redact_text(redactor, text.bytes, text.length);
        int64_t best = INT64_MAX;
        for (int round = 0; round < ROUNDS; round++) {
                int64_t start = now();
                redact_text(redactor, text.bytes, text.length);
                best = min_of(best, now() - start);
        }
        printf("redact_text          %6.2f GB/s (%zu bytes, %llu secrets in the first pass)\n", (double)text.length / (double)best, text.length,
               (unsigned long long)masked);
        redactor_destroy(redactor);
}

int main(int argc, char **argv)
{
        bench_syslog();
        bench_remote_write();
        bench_redact(argc > 1 ? argv[1] : NULL);
        return 0;
}
