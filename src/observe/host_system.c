/* host_system.c - processor, load, pressure, memory and the kernel's identity: what /proc says in single files. */
#include "observe/host_collect.h"

#include "base/clock.h"
#include "base/scope.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const cpu_modes[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};

/* /proc/stat counts in ticks of 1/USER_HZ s, which Linux has fixed at 100 for everything user space sees. */
static double seconds_of_ticks(uint64_t ticks)
{
        return (double)ticks / 100;
}

static void write_cpu(struct buf *out, const char *cpu, struct str *line)
{
        for (size_t i = 0; i < countof(cpu_modes); i++)
                host_sample(out, "node_cpu_seconds_total", seconds_of_ticks(host_u64(host_word(line))), "cpu", cpu, "mode",
                            cpu_modes[i], NULL);
}

static const struct stat_row {
        const char *key, *name, *type;
} stat_rows[] = {
        {"intr", "node_intr_total", "counter"},
        {"ctxt", "node_context_switches_total", "counter"},
        {"btime", "node_boot_time_seconds", "gauge"},
        {"processes", "node_forks_total", "counter"},
        {"procs_running", "node_procs_running", "gauge"},
        {"procs_blocked", "node_procs_blocked", "gauge"},
};

bool host_collect_stat(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/stat", &file))
                return false;
        host_type(out, "node_cpu_seconds_total", "counter");
        struct str text = buf_str(&file), line;
        while (host_line(&text, &line)) {
                struct str key = host_word(&line);
                if (str_starts_with(key, STR("cpu")) && key.length > 3) {
                        char cpu[16];
                        snprintf(cpu, sizeof cpu, "%.*s", (int)key.length - 3, key.bytes + 3);
                        write_cpu(out, cpu, &line);
                }
                for (size_t i = 0; i < countof(stat_rows); i++) {
                        if (!str_is(key, stat_rows[i].key))
                                continue;
                        host_type(out, stat_rows[i].name, stat_rows[i].type);
                        host_sample(out, stat_rows[i].name, (double)host_u64(host_word(&line)), NULL);
                }
        }
        host_type(out, "node_time_seconds", "gauge");
        host_sample(out, "node_time_seconds", (double)clock_now_ns(&clock_real) / 1e9, NULL);
        return true;
}

bool host_collect_load(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/loadavg", &file))
                return false;
        static const char *const names[] = {"node_load1", "node_load5", "node_load15"};
        struct str line = buf_str(&file);
        for (size_t i = 0; i < countof(names); i++) {
                double load = 0;
                str_to_double(host_word(&line), &load);
                host_type(out, names[i], "gauge");
                host_sample(out, names[i], load, NULL);
        }
        return true;
}

static const struct pressure_row {
        const char *path, *some, *full;
} pressure_rows[] = {
        {"/proc/pressure/cpu", "node_pressure_cpu_waiting_seconds_total", NULL},
        {"/proc/pressure/io", "node_pressure_io_waiting_seconds_total", "node_pressure_io_stalled_seconds_total"},
        {"/proc/pressure/memory", "node_pressure_memory_waiting_seconds_total",
         "node_pressure_memory_stalled_seconds_total"},
};

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345": total is in microseconds. */
static void write_pressure(struct buf *out, const char *name, struct str line)
{
        size_t at;
        if (!str_find(line, STR("total="), &at))
                return;
        host_type(out, name, "counter");
        host_sample(out, name, (double)host_u64(str_trim(str_slice(line, at + 6, line.length))) / 1e6, NULL);
}

bool host_collect_pressure(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        bool any = false;
        for (size_t i = 0; i < countof(pressure_rows); i++) {
                if (!host_read(host, pressure_rows[i].path, &file))
                        continue;
                any = true;
                struct str text = buf_str(&file), line;
                while (host_line(&text, &line)) {
                        struct str which = host_word(&line);
                        if (str_is(which, "some"))
                                write_pressure(out, pressure_rows[i].some, line);
                        if (str_is(which, "full") && pressure_rows[i].full)
                                write_pressure(out, pressure_rows[i].full, line);
                }
        }
        return any;
}

/* "Active(anon):  123 kB" becomes node_memory_Active_anon_bytes; rows without a unit are counts. */
static void write_memory(struct buf *out, struct str key, struct str rest)
{
        char name[128] = "node_memory_";
        size_t length = strlen(name);
        for (size_t i = 0; i < key.length && length < sizeof name - 8; i++) {
                unsigned char byte = (unsigned char)key.bytes[i];
                if (isalnum(byte) || byte == '_')
                        name[length++] = (char)byte;
                else if (byte == '(')
                        name[length++] = '_';
        }
        name[length] = '\0';
        double value = (double)host_u64(host_word(&rest));
        if (str_is(host_word(&rest), "kB")) {
                value *= 1024;
                memcpy(name + length, "_bytes", sizeof "_bytes");
        }
        host_type(out, name, "gauge");
        host_sample(out, name, value, NULL);
}

bool host_collect_memory(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/meminfo", &file))
                return false;
        struct str text = buf_str(&file), line, key;
        while (host_line(&text, &line))
                if (str_cut(&line, ':', &key) && line.bytes)
                        write_memory(out, key, line);
        return true;
}

bool host_collect_vmstat(struct host *host, struct buf *out)
{
        static const char *const wanted[] = {"oom_kill", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault"};
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/vmstat", &file))
                return false;
        struct str text = buf_str(&file), line;
        while (host_line(&text, &line)) {
                struct str key = host_word(&line);
                for (size_t i = 0; i < countof(wanted); i++) {
                        if (!str_is(key, wanted[i]))
                                continue;
                        char name[64];
                        snprintf(name, sizeof name, "node_vmstat_%s", wanted[i]);
                        host_type(out, name, "untyped");
                        host_sample(out, name, (double)host_u64(host_word(&line)), NULL);
                }
        }
        return true;
}

bool host_collect_uname(struct host *host, struct buf *out)
{
        (void)host;
        struct utsname name;
        if (uname(&name) < 0)
                return false;
        host_type(out, "node_uname_info", "gauge");
        host_sample(out, "node_uname_info", 1, "sysname", name.sysname, "release", name.release, "version", name.version,
                    "machine", name.machine, "nodename", name.nodename, "domainname", name.domainname, NULL);
        return true;
}

bool host_collect_files(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/sys/fs/file-nr", &file))
                return false;
        struct str line = str_trim(buf_str(&file));
        host_type(out, "node_filefd_allocated", "gauge");
        host_sample(out, "node_filefd_allocated", (double)host_u64(host_word(&line)), NULL);
        host_word(&line);
        double maximum = 0;
        str_to_double(host_word(&line), &maximum);
        host_type(out, "node_filefd_maximum", "gauge");
        host_sample(out, "node_filefd_maximum", maximum, NULL);
        return true;
}
