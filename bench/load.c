/*
 * load - makes and sends the telemetry that the comparisons use, faster than any receiver takes it.
 *
 *      load mix FILE.log... -- LINES OUT [HOSTS]   a file of syslog lines: bodies walked in turn, digits mutated, 64 hosts, 32 programs; a file's
 *                                             bodies are those of four programs (of as many as there are for each, with other counts of files)
 *      load hard FILE.log... -- LINES OUT     the same, but in three lines of ten words with digits become random letters
 *      load snappy SERIES SAMPLES             packs the samples of remote-write, prints what unpacking them costs the processor
 *      load syslog PORT FILE                  the file over one TCP connection to 127.0.0.1
 *      load remote-write PORT PATH SERIES SAMPLES [TOKEN [STEP_MS]]   10,000 samples a request, one connection;
 *                                                             a token may be "-" for none; samples 15 s apart or STEP_MS
 *      load steady       the same                             as time goes: a sample of each series every STEP_MS
 *      load posts PORT PATH FILE CONNECTIONS [TOKEN]          each line of the file is a JSON body, dealt out over kept-open connections, each
 *                                                             request waiting for its answer, and sent again while that is 429
 *
 * Samples: 40 % integer counters, 30 % two-decimal random walks, 20 % constants, 10 % random doubles, ending now;
 * six labels of about 144 bytes. The same numbers every time. Prints seconds and how much went out.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_A_REQUEST 10000
#define STEP_MS 15000

static _Noreturn void stop(const char *why)
{
        perror(why);
        exit(1);
}

static int connect_to(const char *port)
{
        uint64_t number = 0;
        str_to_u64(str_of(port), &number);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int socket_number = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        if (connect(socket_number, (struct sockaddr *)&address, sizeof address) != 0)
                stop("connecting");
        setsockopt(socket_number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return socket_number;
}

static void send_all(int to, const char *bytes, size_t count)
{
        while (count) {
                ssize_t sent = send(to, bytes, count < 131072 ? count : 131072, MSG_NOSIGNAL);
                if (sent <= 0)
                        stop("sending");
                bytes += sent;
                count -= (size_t)sent;
        }
}

static void read_file(const char *path, struct buf *out)
{
        FILE *file = fopen(path, "rb");
        if (!file)
                stop(path);
        char piece[65536];
        for (size_t count; (count = fread(piece, 1, sizeof piece, file));)
                if (!buf_append(out, piece, count))
                        stop("memory");
        fclose(file);
}

/* --- lines ---------------------------------------------------------------------------------------------------------------- */

#define PROGRAMS 32

static void header(struct buf *out, struct rng *rng, uint64_t line, uint64_t which, uint64_t count, uint64_t hosts)
{
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        time_t now = time(NULL) - 3600 + (time_t)(line / 2000);
        struct tm tm;
        gmtime_r(&now, &tm);
        unsigned host = (unsigned)rng_below(rng, hosts), pid = 1000 + (unsigned)rng_below(rng, 9000);
        uint64_t share = count < PROGRAMS ? PROGRAMS / count : 1;
        unsigned app = (unsigned)((which * share + rng_below(rng, share)) % PROGRAMS);
        if (line % 2)
                buf_printf(out, "<%u>1 %04d-%02d-%02dT%02d:%02d:%02d.%03uZ node%02u.example.net app%02u %u - - ", 8 + (unsigned)rng_below(rng, 180),
                           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)rng_below(rng, 1000), host, app, pid);
        else
                buf_printf(out, "<%u>%s %2d %02d:%02d:%02d node%02u app%02u[%u]: ", 8 + (unsigned)rng_below(rng, 180), months[tm.tm_mon], tm.tm_mday,
                           tm.tm_hour, tm.tm_min, tm.tm_sec, host, app, pid);
}

static void body(struct buf *out, struct rng *rng, struct str line, bool mutate)
{
        buf_add(out, line);
        if (mutate)
                for (size_t i = out->length - line.length; i < out->length; i++)
                        if (out->bytes[i] >= '0' && out->bytes[i] <= '9' && rng_u64(rng) % 2)
                                out->bytes[i] = (char)('0' + rng_below(rng, 10));
        buf_byte(out, '\n');
}

/* Every word with a digit in it, which is to say every variable, becomes three to twelve letters. */
static void scramble(struct buf *out, struct rng *rng, struct str line)
{
        struct str word;
        while (str_cut(&line, ' ', &word)) {
                bool variable = false;
                for (size_t i = 0; i < word.length; i++)
                        variable |= word.bytes[i] >= '0' && word.bytes[i] <= '9';
                if (variable)
                        for (uint64_t left = 3 + rng_below(rng, 10); left; left--)
                                buf_byte(out, (char)('a' + rng_below(rng, 26)));
                else
                        buf_add(out, word);
                buf_byte(out, line.bytes ? ' ' : '\n');
        }
}

static int make_mix(bool hard, int argc, char **argv)
{
        struct { struct buf text; struct str rest; } files[32] = {0};
        int count = 0;
        for (; count < argc && count < 32 && strcmp(argv[count], "--") != 0; count++)
                read_file(argv[count], &files[count].text);
        uint64_t lines, hosts = 64;
        if (count + 3 > argc || count + 4 < argc || !str_to_u64(str_of(argv[count + 1]), &lines) ||
            (count + 4 == argc && (!str_to_u64(str_of(argv[count + 3]), &hosts) || !hosts)))
                return 2;
        FILE *out_file = fopen(argv[count + 2], "wb");
        if (!out_file)
                stop(argv[count + 2]);
        struct rng rng = {1};
        struct buf out = {0};
        for (uint64_t i = 0; i < lines; i++) {
                int which = (int)(i % (uint64_t)count);
                struct str line;
                if (!files[which].rest.length)
                        files[which].rest = buf_str(&files[which].text);
                str_cut(&files[which].rest, '\n', &line);
                if (line.length && line.bytes[line.length - 1] == '\r')
                        line.length--;
                header(&out, &rng, i, (uint64_t)which, (uint64_t)count, hosts);
                if (hard && rng_below(&rng, 10) < 3)
                        scramble(&out, &rng, line);
                else
                        body(&out, &rng, line, i >= 2000 * (uint64_t)count);
                if (out.length > 1 << 20) {
                        fwrite(out.bytes, 1, out.length, out_file);
                        buf_clear(&out);
                }
        }
        fwrite(out.bytes, 1, out.length, out_file);
        return fclose(out_file);
}

static int send_file(const char *port, const char *path)
{
        struct buf text = {0};
        read_file(path, &text);
        int to = connect_to(port);
        int64_t start = clock_monotonic_ns(&clock_real);
        send_all(to, text.bytes, text.length);
        shutdown(to, SHUT_WR);
        char byte;
        while (read(to, &byte, 1) > 0)
                ;
        printf("%.3f s, %zu bytes\n", (double)(clock_monotonic_ns(&clock_real) - start) / 1e9, text.length);
        return 0;
}

/* --- samples -------------------------------------------------------------------------------------------------------------- */

struct walk {
        double value;
        int kind;
};

static double next_value(struct walk *walk, struct rng *rng)
{
        switch (walk->kind) {
        case 0:
                return walk->value += (double)rng_below(rng, 1000);
        case 1:
                return walk->value = (double)(int64_t)(walk->value * 100 + (double)rng_below(rng, 201) - 100) / 100;
        case 2:
                return walk->value;
        default:
                return rng_unit(rng) * 1e6;
        }
}

static void put_field(struct buf *out, unsigned number, struct str bytes)
{
        buf_varint(out, number << 3 | 2);
        buf_varint(out, bytes.length);
        buf_add(out, bytes);
}

static void put_label(struct buf *out, const char *name, const char *value)
{
        struct buf label = {0};
        put_field(&label, 1, str_of(name));
        put_field(&label, 2, str_of(value));
        put_field(out, 1, buf_str(&label));
        buf_done(&label);
}

static void put_labels(struct buf *out, uint64_t series)
{
        char name[64], instance[64], path[64];
        snprintf(name, sizeof name, "bench_metric_%03u_total", (unsigned)(series % 200));
        snprintf(instance, sizeof instance, "node%04u.example.net:9100", (unsigned)(series / 200));
        snprintf(path, sizeof path, "/srv/volume%02u/data", (unsigned)(series % 17));
        put_label(out, "__name__", name);
        put_label(out, "datacenter", "frankfurt-1");
        put_label(out, "environment", "production");
        put_label(out, "instance", instance);
        put_label(out, "job", "bench-node");
        put_label(out, "path", path);
}

static void put_sample(struct buf *out, double value, int64_t time_ms)
{
        char sample[32];
        struct buf at = {.bytes = sample, .capacity = sizeof sample};
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        buf_u8(&at, 0x09);
        buf_u64(&at, bits);
        buf_u8(&at, 0x10);
        buf_varint(&at, (uint64_t)time_ms);
        put_field(out, 2, buf_str(&at));
}

static double unpacking_s; /* of the processor, by unpack_again */

/* Into pages that were touched before: the limit of whoever must unpack it. */
static void unpack_again(const struct buf *packed, size_t length, size_t room)
{
        static struct buf out;
        size_t whole = room;
        struct timespec begun, ended;
        if (!buf_reserve(&out, room))
                stop("memory");
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
        if (snappy_uncompress(packed->bytes, length, out.bytes, &whole) != SNAPPY_OK)
                stop("unpacking");
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
        unpacking_s += (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
}

/* Without a path nothing is sent: only unpacking is timed. */
static void post(int to, const char *path, const char *token, struct buf *request, struct buf *packed)
{
        size_t length = snappy_max_compressed_length(request->length);
        buf_clear(packed);
        if (!buf_reserve(packed, length) || snappy_compress(request->bytes, request->length, packed->bytes, &length) != SNAPPY_OK)
                stop("packing");
        if (!path) {
                unpack_again(packed, length, request->length);
                return;
        }
        char head[512];
        int head_length = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
                                   "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n%s%s%sContent-Length: %zu\r\n\r\n",
                                   path, token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "", length);
        for (;;) {
                send_all(to, head, (size_t)head_length);
                send_all(to, packed->bytes, length);
                char answer[4096];
                ssize_t got = recv(to, answer, sizeof answer - 1, 0);
                if (got <= 0)
                        stop("answer");
                answer[got] = 0;
                if (strncmp(answer, "HTTP/1.1 2", 10) == 0)
                        return;
                if (strncmp(answer, "HTTP/1.1 429", 12) != 0 && strncmp(answer, "HTTP/1.1 503", 12) != 0) {
                        fprintf(stderr, "%s\n", answer);
                        exit(1);
                }
                usleep(20000);
        }
}

/* Each step at its time, as an agent sends. */
static void keep_pace(uint64_t step, int64_t step_ms, int64_t start_ns)
{
        int64_t wait_ns = start_ns + (int64_t)step * step_ms * (int64_t)NS_PER_MS - clock_monotonic_ns(&clock_real);
        if (wait_ns > 0)
                usleep((useconds_t)(wait_ns / 1000));
}

static int send_samples(const char *port, const char *path, const char *token, uint64_t series, uint64_t samples, int64_t step_ms, bool paced)
{
        struct walk *walks = calloc(series, sizeof *walks);
        struct rng rng = {7};
        for (uint64_t i = 0; i < series; i++)
                walks[i] = (struct walk){(double)rng_below(&rng, 100000) / (i % 10 == 4 ? 100 : 1), i % 10 < 4 ? 0 : i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 3};
        int to = port ? connect_to(port) : -1;
        struct buf request = {0}, packed = {0}, *labels = calloc(series, sizeof *labels);
        for (uint64_t i = 0; i < series; i++)
                put_labels(&labels[i], i);
        int64_t first_ms = clock_now_ns(&clock_real) / NS_PER_MS - (paced ? 0 : (int64_t)samples * step_ms), start = clock_monotonic_ns(&clock_real);
        uint64_t in_request = 0;
        for (uint64_t step = 0; step < samples; step++) {
                if (paced)
                        keep_pace(step, step_ms, start);
                for (uint64_t i = 0; i < series; i++) {
                        struct buf one = {0};
                        buf_add(&one, buf_str(&labels[i]));
                        put_sample(&one, next_value(&walks[i], &rng), first_ms + (int64_t)step * step_ms);
                        put_field(&request, 1, buf_str(&one));
                        buf_done(&one);
                        if (++in_request == SAMPLES_A_REQUEST) {
                                post(to, path, token, &request, &packed);
                                buf_clear(&request);
                                in_request = 0;
                        }
                }
        }
        if (in_request)
                post(to, path, token, &request, &packed);
        printf("%.3f s, %llu samples\n", path ? (double)(clock_monotonic_ns(&clock_real) - start) / 1e9 : unpacking_s,
               (unsigned long long)(series * samples));
        return 0;
}

/* --- bodies over several connections ------------------------------------------------------------------------------------------ */

struct poster {
        int to;
        const struct buf *requests; /* ready to be sent, all of them: only the first is mine, and each step-th after it */
        size_t count, step;
        pthread_t thread;
};

/* Until the answer's end; answers are small and say how long they are. False: to be sent again later. */
static bool hear(int from)
{
        char answer[4096];
        size_t got = 0, at, length_at;
        for (;;) {
                ssize_t more = recv(from, answer + got, sizeof answer - got, 0);
                if (more <= 0)
                        stop("answer");
                got += (size_t)more;
                struct str all = {answer, got};
                if (!str_find(all, STR("\r\n\r\n"), &at))
                        continue;
                uint64_t length = 0;
                if (str_find(all, STR("Content-Length: "), &length_at) && length_at < at) {
                        struct str rest = str_slice(all, length_at + 16, got), number = {0};
                        str_cut(&rest, '\r', &number);
                        str_to_u64(number, &length);
                }
                if (got < at + 4 + length)
                        continue;
                if (str_starts_with(all, STR("HTTP/1.1 200")))
                        return true;
                if (str_starts_with(all, STR("HTTP/1.1 429")))
                        return false;
                fprintf(stderr, "%.*s\n", STR_ARGS(all));
                exit(1);
        }
}

static void *post_all(void *context)
{
        const struct poster *poster = context;
        for (size_t i = 0; i < poster->count; i += poster->step) {
                send_all(poster->to, poster->requests[i].bytes, poster->requests[i].length);
                while (!hear(poster->to)) {
                        usleep(20000);
                        send_all(poster->to, poster->requests[i].bytes, poster->requests[i].length);
                }
        }
        return NULL;
}

static size_t read_requests(const char *file, const char *path, const char *token, struct buf **out_requests)
{
        static struct buf bytes;
        read_file(file, &bytes);
        struct str rest = buf_str(&bytes), line;
        size_t count = 0, room = 0;
        struct buf *requests = NULL;
        while (str_cut(&rest, '\n', &line)) {
                if (!line.length)
                        continue;
                if (count == room && !(requests = realloc(requests, (room = room * 2 + 64) * sizeof *requests)))
                        stop("memory");
                struct buf *request = &requests[count++];
                *request = (struct buf){0};
                buf_printf(request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%s%s%sContent-Length: %zu\r\n\r\n", path,
                           token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "", line.length);
                buf_add(request, line);
        }
        *out_requests = requests;
        return count;
}

static int send_posts(const char *port, const char *path, const char *file, uint64_t connections, const char *token)
{
        struct buf *requests;
        struct poster *posters = calloc(connections, sizeof *posters);
        size_t count = read_requests(file, path, token, &requests);
        for (uint64_t i = 0; i < connections && i < count; i++)
                posters[i] = (struct poster){connect_to(port), requests + i, count - i, connections, 0};
        int64_t start = clock_monotonic_ns(&clock_real);
        for (uint64_t i = 0; i < connections && i < count; i++)
                if (pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) != 0)
                        stop("thread");
        for (uint64_t i = 0; i < connections && i < count; i++)
                pthread_join(posters[i].thread, NULL);
        printf("%.6f s, %zu requests\n", (double)(clock_monotonic_ns(&clock_real) - start) / 1e9, count);
        return 0;
}

int main(int argc, char **argv)
{
        uint64_t series, samples, step_ms = STEP_MS;
        if (argc == 8 && !str_to_u64(str_of(argv[7]), &step_ms))
                return 2;
        if (argc > 2 && strcmp(argv[1], "mix") == 0)
                return make_mix(false, argc - 2, argv + 2);
        if (argc > 2 && strcmp(argv[1], "hard") == 0)
                return make_mix(true, argc - 2, argv + 2);
        if (argc == 4 && strcmp(argv[1], "snappy") == 0 && str_to_u64(str_of(argv[2]), &series) && str_to_u64(str_of(argv[3]), &samples))
                return send_samples(NULL, NULL, NULL, series, samples, STEP_MS, false);
        if (argc == 4 && strcmp(argv[1], "syslog") == 0)
                return send_file(argv[2], argv[3]);
        uint64_t connections;
        if ((argc == 6 || argc == 7) && strcmp(argv[1], "posts") == 0 && str_to_u64(str_of(argv[5]), &connections) && connections)
                return send_posts(argv[2], argv[3], argv[4], connections, argc > 6 ? argv[6] : NULL);
        bool paced = strcmp(argc > 1 ? argv[1] : "", "steady") == 0;
        if (argc >= 6 && argc <= 8 && (paced || strcmp(argv[1], "remote-write") == 0) && str_to_u64(str_of(argv[4]), &series) && str_to_u64(str_of(argv[5]), &samples))
                return send_samples(argv[2], argv[3], argc > 6 && strcmp(argv[6], "-") ? argv[6] : NULL, series, samples, (int64_t)step_ms, paced);
        fprintf(stderr, "usage: load mix FILE... -- LINES OUT [HOSTS] | load syslog PORT FILE | load remote-write PORT PATH SERIES SAMPLES [TOKEN [STEP_MS]]\n"
                        "       load posts PORT PATH FILE CONNECTIONS [TOKEN]\n");
        return 2;
}
