/*
 * host_disk.c - block devices from /proc/diskstats and filesystems by statvfs.
 *
 * statvfs on a network filesystem whose server is gone hangs where no signal reaches, so those are left out: one dead
 * server must not end the metrics of a machine.
 */
#include "observe/host_collect.h"

#include "base/clock.h"
#include "base/scope.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/statvfs.h>

/* Columns of /proc/diskstats after the name (Documentation/admin-guide/iostats.rst) and node_exporter's names. */
static const struct disk_column {
        const char *name, *type;
        double unit;
} disk_columns[] = {
        {"node_disk_reads_completed_total", "counter", 1},
        {"node_disk_reads_merged_total", "counter", 1},
        {"node_disk_read_bytes_total", "counter", 512},
        {"node_disk_read_time_seconds_total", "counter", 1e-3},
        {"node_disk_writes_completed_total", "counter", 1},
        {"node_disk_writes_merged_total", "counter", 1},
        {"node_disk_written_bytes_total", "counter", 512},
        {"node_disk_write_time_seconds_total", "counter", 1e-3},
        {"node_disk_io_now", "gauge", 1},
        {"node_disk_io_time_seconds_total", "counter", 1e-3},
        {"node_disk_io_time_weighted_seconds_total", "counter", 1e-3},
        {"node_disk_discards_completed_total", "counter", 1},
        {"node_disk_discards_merged_total", "counter", 1},
        {"node_disk_discarded_sectors_total", "counter", 1},
        {"node_disk_discard_time_seconds_total", "counter", 1e-3},
        {"node_disk_flush_requests_total", "counter", 1},
        {"node_disk_flush_requests_time_seconds_total", "counter", 1e-3},
};

/* Memory disks, loop devices, floppies and partitions: node_exporter's default exclusion. */
static bool is_counted_disk(struct str name)
{
        static const char *const left_out[] = {"ram", "loop", "fd"};
        for (size_t i = 0; i < countof(left_out); i++)
                if (str_starts_with(name, str_of(left_out[i])))
                        return false;
        bool ends_in_digit = name.length && isdigit((unsigned char)name.bytes[name.length - 1]);
        if (str_starts_with(name, STR("nvme"))) {
                size_t at = name.length;
                while (at && isdigit((unsigned char)name.bytes[at - 1]))
                        at--;
                return !(ends_in_digit && at && name.bytes[at - 1] == 'p');
        }
        bool is_lettered = str_starts_with(name, STR("sd")) || str_starts_with(name, STR("vd")) ||
                           str_starts_with(name, STR("hd")) || str_starts_with(name, STR("xvd"));
        return !(is_lettered && ends_in_digit);
}

static void write_column(struct buf *out, struct str text, size_t column)
{
        const struct disk_column *row = &disk_columns[column];
        host_type(out, row->name, row->type);
        struct str line;
        while (host_line(&text, &line)) {
                host_word(&line);
                host_word(&line);
                struct str device = host_word(&line);
                if (!device.length || !is_counted_disk(device))
                        continue;
                struct str value = host_word(&line);
                for (size_t i = 0; i < column; i++)
                        value = host_word(&line);
                if (!value.length)
                        continue; /* an older kernel with fewer columns */
                char name[64];
                snprintf(name, sizeof name, "%.*s", STR_ARGS(device));
                host_sample(out, row->name, (double)host_u64(value) * row->unit, "device", name, NULL);
        }
}

bool host_collect_disks(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/diskstats", &file))
                return false;
        for (size_t column = 0; column < countof(disk_columns); column++)
                write_column(out, buf_str(&file), column);
        return true;
}

static bool is_counted_type(struct str type)
{
        static const char *const left_out[] = {
                "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl",
                "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "procfs", "pstore", "rpc_pipefs", "securityfs",
                "selinuxfs", "squashfs", "sysfs", "tracefs", "efivarfs",
                "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "afs", "lustre", "ncpfs",
        };
        for (size_t i = 0; i < countof(left_out); i++)
                if (str_is(type, left_out[i]))
                        return false;
        return !str_starts_with(type, STR("fuse."));
}

static bool is_counted_place(const char *mountpoint)
{
        static const char *const left_out[] = {"/dev", "/proc", "/sys", "/var/lib/docker", "/var/lib/containers/storage",
                                               "/run/credentials"};
        for (size_t i = 0; i < countof(left_out); i++) {
                size_t length = strlen(left_out[i]);
                if (strncmp(mountpoint, left_out[i], length) == 0 && (!mountpoint[length] || mountpoint[length] == '/'))
                        return false;
        }
        return true;
}

/* Mount tables write blanks and backslashes as \ooo. */
static void unescape(struct str escaped, char *out, size_t size)
{
        size_t length = 0;
        for (size_t i = 0; i < escaped.length && length + 1 < size; i++) {
                const char *at = escaped.bytes + i;
                if (*at == '\\' && i + 3 < escaped.length && at[1] >= '0' && at[1] <= '3') {
                        out[length++] = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
                        i += 3;
                } else {
                        out[length++] = *at;
                }
        }
        out[length] = '\0';
}

struct mounted {
        char device[256], mountpoint[512], type[64];
        bool read_only, failed;
        struct statvfs stat;
};

#define MOUNTS_MAX 512

static const struct filesystem_row {
        const char *name;
        double (*value)(const struct mounted *mounted);
} filesystem_rows[];

static size_t read_mounts(const struct host *host, struct str text, struct mounted *mounts)
{
        size_t count = 0;
        struct str line;
        while (count < MOUNTS_MAX && host_line(&text, &line)) {
                struct mounted *mounted = &mounts[count];
                unescape(host_word(&line), mounted->device, sizeof mounted->device);
                unescape(host_word(&line), mounted->mountpoint, sizeof mounted->mountpoint);
                struct str type = host_word(&line), options = host_word(&line);
                if (!is_counted_type(type) || !is_counted_place(mounted->mountpoint))
                        continue;
                bool is_again = false; /* mounted over: the last one is what is seen, but statvfs gives the same */
                for (size_t i = 0; i < count; i++)
                        is_again |= strcmp(mounts[i].mountpoint, mounted->mountpoint) == 0;
                if (is_again)
                        continue;
                snprintf(mounted->type, sizeof mounted->type, "%.*s", STR_ARGS(type));
                mounted->read_only = str_is(options, "ro") || str_starts_with(options, STR("ro,"));
                char path[2048];
                snprintf(path, sizeof path, "%s%s", host->root, mounted->mountpoint);
                mounted->failed = statvfs(path, &mounted->stat) < 0;
                count++;
        }
        return count;
}

static double value_size(const struct mounted *m)
{
        return (double)m->stat.f_blocks * (double)m->stat.f_frsize;
}
static double value_free(const struct mounted *m)
{
        return (double)m->stat.f_bfree * (double)m->stat.f_frsize;
}
static double value_avail(const struct mounted *m)
{
        return (double)m->stat.f_bavail * (double)m->stat.f_frsize;
}
static double value_files(const struct mounted *m)
{
        return (double)m->stat.f_files;
}
static double value_files_free(const struct mounted *m)
{
        return (double)m->stat.f_ffree;
}
static double value_read_only(const struct mounted *m)
{
        return m->read_only;
}
static double value_error(const struct mounted *m)
{
        return m->failed;
}

static const struct filesystem_row filesystem_rows[] = {
        {"node_filesystem_size_bytes", value_size},   {"node_filesystem_free_bytes", value_free},
        {"node_filesystem_avail_bytes", value_avail}, {"node_filesystem_files", value_files},
        {"node_filesystem_files_free", value_files_free}, {"node_filesystem_readonly", value_read_only},
        {"node_filesystem_device_error", value_error},
};

bool host_collect_filesystems(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0}, memory = {0};
        if (!host_read(host, host->root[0] ? "/proc/mounts" : "/proc/self/mounts", &file))
                return false;
        if (!buf_reserve(&memory, MOUNTS_MAX * sizeof(struct mounted)))
                return false;
        struct mounted *mounts = (struct mounted *)(void *)memory.bytes;
        size_t count = read_mounts(host, buf_str(&file), mounts);
        for (size_t row = 0; row < countof(filesystem_rows); row++) {
                host_type(out, filesystem_rows[row].name, "gauge");
                for (size_t i = 0; i < count; i++) {
                        const struct mounted *m = &mounts[i];
                        if (m->failed && filesystem_rows[row].value != value_error)
                                continue;
                        host_sample(out, filesystem_rows[row].name, filesystem_rows[row].value(m), "device", m->device,
                                    "fstype", m->type, "mountpoint", m->mountpoint, NULL);
                }
        }
        return true;
}
