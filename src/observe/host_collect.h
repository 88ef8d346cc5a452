/*
 * host_collect - what each collector of the host source needs, and the list of them.
 *
 * A collector appends exposition text and says whether it could read its files. It runs on the host source's thread.
 */
#pragma once

#include "base/buf.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

/* One command run by one user: all its processes added up, so that restarts do not make a new series each. */
struct process_group {
        uint64_t id;            /* hash of command and user */
        char command[32], user[40];
        double cpu_seconds;     /* since we look; grows only */
        double cpu_recent;      /* in the last round */
        uint64_t resident_bytes;
        uint32_t processes;
        uint32_t told_until;    /* round until which it stays listed, so that series do not flicker */
        uint32_t seen_round;
};

struct process_seen {
        uint64_t id;            /* hash of pid and start time */
        double cpu_seconds;
        uint32_t seen_round;
};

struct processes {
        struct process_group *groups;
        size_t groups_count, groups_capacity;
        struct process_seen *seen;
        size_t seen_count, seen_capacity;
        struct map seen_by_id;
        uint32_t round;
        size_t told_max;
};

struct host {
        char root[1024]; /* "" is this machine */
        struct processes processes;
        void *bus;       /* sd_bus, opened when first needed; units only */
        int64_t bus_try_after_ns;
        int64_t units_after_ns, connections_after_ns; /* when to look at dependencies again */
};

typedef bool host_collect_fn(struct host *host, struct buf *out);

host_collect_fn host_collect_stat, host_collect_load, host_collect_pressure, host_collect_memory, host_collect_vmstat,
        host_collect_uname, host_collect_files;                         /* host_system.c */
host_collect_fn host_collect_disks, host_collect_filesystems;           /* host_disk.c */
host_collect_fn host_collect_network, host_collect_sockets;             /* host_network.c */
host_collect_fn host_collect_processes;                                 /* host_process.c */
host_collect_fn host_collect_connections;                               /* host_connections.c */
host_collect_fn host_collect_dependencies;                              /* host_units.c */
host_collect_fn host_collect_units;                                     /* host_units.c */

void host_processes_done(struct processes *processes);
void host_units_done(struct host *host);

/* All of a file under the root, NUL-ended, in out (cleared before). False: it cannot be read, or is over 16 MiB. */
bool host_read(const struct host *host, const char *path, struct buf *out);
/* The next line of text, without its end; false at the end. */
bool host_line(struct str *text, struct str *out_line);
/* The next word of a line, between blanks; empty at the end. */
struct str host_word(struct str *line);
uint64_t host_u64(struct str word); /* 0 when it is no number */

/* # TYPE line, and one sample; labels are name, value pairs of C strings ended by NULL. */
void host_type(struct buf *out, const char *name, const char *type);
void host_sample(struct buf *out, const char *name, double value, ...) __attribute__((sentinel));
