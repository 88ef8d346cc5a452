/*
 * host_source.c - see host_source.h. One thread wakes every few seconds, runs the table of collectors into one text
 * and offers it as an exposition batch: so a host's own metrics go the way of any scrape, and the names, types and
 * replay are those of any scrape.
 */
#include "observe/host_source.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/thread.h"
#include "observe/host_collect.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)16 << 20)

static const struct collector {
        const char *name;
        host_collect_fn *collect;
} collectors[] = {
        {"stat", host_collect_stat},         {"loadavg", host_collect_load},
        {"pressure", host_collect_pressure}, {"meminfo", host_collect_memory},
        {"vmstat", host_collect_vmstat},     {"uname", host_collect_uname},
        {"filefd", host_collect_files},      {"diskstats", host_collect_disks},
        {"netdev", host_collect_network},    {"sockstat", host_collect_sockets},
        {"processes", host_collect_processes}, {"systemd", host_collect_units},
        {"connections", host_collect_connections}, {"dependencies", host_collect_dependencies},
        {"filesystem", host_collect_filesystems},
};

struct host_source {
        struct intake *intake;
        struct host host;
        struct thread thread;
        int wake_fd;
        int64_t every_ms;
        _Atomic bool stopping;
        char hostname[256];
        struct buf text; /* kept between rounds */
};

bool host_read(const struct host *host, const char *path, struct buf *out)
{
        char full[2048];
        snprintf(full, sizeof full, "%s%s", host->root, path);
        buf_clear(out);
        int fd = open(full, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        ssize_t got = -1;
        while (out->length < FILE_BYTES_MAX && buf_reserve(out, 16384)) {
                got = read(fd, out->bytes + out->length, out->capacity - out->length - 1);
                if (got <= 0)
                        break;
                out->length += (size_t)got;
        }
        close(fd);
        if (got != 0)
                return false;
        out->bytes[out->length] = '\0';
        return true;
}

bool host_line(struct str *text, struct str *out_line)
{
        return text->length && str_cut(text, '\n', out_line);
}

struct str host_word(struct str *line)
{
        size_t start = 0;
        while (start < line->length && (line->bytes[start] == ' ' || line->bytes[start] == '\t'))
                start++;
        size_t end = start;
        while (end < line->length && line->bytes[end] != ' ' && line->bytes[end] != '\t')
                end++;
        struct str word = str_slice(*line, start, end);
        *line = str_slice(*line, end, line->length);
        return word;
}

uint64_t host_u64(struct str word)
{
        uint64_t value = 0;
        str_to_u64(word, &value);
        return value;
}

void host_type(struct buf *out, const char *name, const char *type)
{
        buf_printf(out, "# TYPE %s %s\n", name, type);
}

static void write_label_value(struct buf *out, const char *value)
{
        for (; *value; value++) {
                if (*value == '\n')
                        buf_text(out, "\\n");
                else if (*value == '"' || *value == '\\')
                        buf_byte(out, '\\'), buf_byte(out, *value);
                else
                        buf_byte(out, *value);
        }
}

/* Label values that are not UTF-8 (a mount point may be anything) would make the whole text invalid. */
static const char *valid_text(const char *value)
{
        return str_is_utf8(str_of(value)) ? value : "(not UTF-8)";
}

void host_sample(struct buf *out, const char *name, double value, ...)
{
        buf_text(out, name);
        va_list labels;
        va_start(labels, value);
        char before = '{';
        for (const char *label; (label = va_arg(labels, const char *)); before = ',') {
                buf_byte(out, before);
                buf_text(out, label);
                buf_text(out, "=\"");
                write_label_value(out, valid_text(va_arg(labels, const char *)));
                buf_byte(out, '"');
        }
        va_end(labels);
        if (before == ',')
                buf_byte(out, '}');
        if (value == floor(value) && fabs(value) < 1e15)
                buf_printf(out, " %.0f\n", value);
        else
                buf_printf(out, " %.17g\n", value);
}

static void collect_all(struct host *host, struct buf *out)
{
        bool fine[countof(collectors)];
        for (size_t i = 0; i < countof(collectors); i++)
                fine[i] = collectors[i].collect(host, out);
        host_type(out, "node_scrape_collector_success", "gauge");
        for (size_t i = 0; i < countof(collectors); i++)
                host_sample(out, "node_scrape_collector_success", fine[i], "collector", collectors[i].name, NULL);
}

static bool fill_batch(struct host_source *source, struct batch *batch, struct err *err)
{
        struct label *labels = arena_array(&batch->arena, 2, sizeof *labels);
        if (!labels)
                return fail_memory(err, "host", 2 * sizeof *labels);
        labels[0] = (struct label){STR("instance"), arena_str(&batch->arena, str_of(source->hostname))};
        labels[1] = (struct label){STR("job"), STR("host")};
        batch->labels = (struct labels){labels, 2, 2};
        batch->received_ns = clock_now_ns(intake_clock(source->intake));
        batch->bytes = arena_str(&batch->arena, buf_str(&source->text));
        if (!batch->bytes.bytes || !labels[0].value.bytes)
                return fail_memory(err, "host", source->text.length);
        return true;
}

static bool send_round(struct host_source *source, struct err *err)
{
        buf_clear(&source->text);
        collect_all(&source->host, &source->text);
        if (source->text.failed)
                return fail_memory(err, "host", source->text.capacity);
        struct batch *batch = batch_create(SOURCE_HOST, STR("host"), err);
        if (!batch)
                return false;
        if (!fill_batch(source, batch, err)) {
                batch_destroy(batch);
                return false;
        }
        return intake_offer_wait(source->intake, batch, NULL, err);
}

static void run(void *context)
{
        struct host_source *source = context;
        bool failed_before = false;
        while (!source->stopping) {
                int64_t start_ns = clock_monotonic_ns(&clock_real);
                struct err err;
                bool sent = send_round(source, &err);
                if (!sent && source->stopping)
                        return;
                if (!sent)
                        source_state(source->intake, STR("host"), "host", true, "%s", err.message);
                else if (failed_before)
                        source_state(source->intake, STR("host"), "host", false, "%s", "");
                failed_before = !sent;
                int64_t spent_ms = (clock_monotonic_ns(&clock_real) - start_ns) / NS_PER_MS;
                struct pollfd wake = {source->wake_fd, POLLIN, 0};
                poll(&wake, 1, (int)max_of(source->every_ms - spent_ms, (int64_t)10));
        }
}

static bool read_every(const json_t *config, double *out_seconds, struct err *err)
{
        json_t *every = json_object_get(config, "every");
        double seconds = json_is_number(every) ? json_number_value(every) : 10;
        if (seconds < 0.01 || seconds > 3600)
                return fail(err, ERR_INVALID, "host", "sources.host.every is %g seconds; give 1 to 3600", seconds);
        *out_seconds = seconds;
        return true;
}

void host_source_check(const json_t *config, struct faults *faults)
{
        struct err err = {0};
        double every_s;
        const json_t *every = json_object_get(config, "every");
        faults_keys(faults, "sources.host", config, "every processes root");
        if (!read_every(config, &every_s, &err))
                faults_add(faults, "sources.host.every", &err);
        if (every && !json_is_number(every))
                faults_note(faults, "sources.host.every", ERR_INVALID, "host", "it must be a number of seconds, such as 10");
}

bool host_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err)
{
        double every_s;
        if (!read_every(config, &every_s, err))
                return false;
        struct host_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "host", sizeof *source);
        source->intake = intake;
        source->every_ms = (int64_t)(every_s * 1000);
        int64_t told_max = json_i64(config, "processes", 10);
        source->host.processes.told_max = told_max < 0 ? 0 : min_of((size_t)told_max, (size_t)100);
        struct str root = json_str(config, "root");
        if (root.length && !str_is(root, "/"))
                snprintf(source->host.root, sizeof source->host.root, "%.*s", STR_ARGS(root));
        if (gethostname(source->hostname, sizeof source->hostname - 1) < 0)
                snprintf(source->hostname, sizeof source->hostname, "localhost");
        source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (source->wake_fd < 0) {
                int why = errno;
                free(source);
                return fail_errno(err, why, "host", "making an eventfd for the host source");
        }
        if (!thread_start(&source->thread, "host", run, source, err)) {
                host_source_stop(source);
                return false;
        }
        *out_source = source;
        return true;
}

void host_source_stop(void *stopped)
{
        struct host_source *source = stopped;
        if (!source)
                return;
        source->stopping = true;
        eventfd_write(source->wake_fd, 1);
        thread_join(&source->thread);
        close(source->wake_fd);
        host_processes_done(&source->host.processes);
        host_units_done(&source->host);
        buf_done(&source->text);
        free(source);
}
