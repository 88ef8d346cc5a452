/*
 * host_process.c - the busiest processes, by processor and by memory, added up by command and user.
 *
 * A series per process id would make a new series at every restart, so processes are grouped. Processor time is a
 * counter per group that only grows: each round adds what every living process used since the last round. A group that
 * was among the busiest stays listed for five minutes. Groups and processes that are gone are forgotten.
 */
#include "observe/host_collect.h"

#include "base/hash.h"
#include "base/scope.h"

#include <ctype.h>
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESSES_MAX 32768
#define GROUPS_MAX 4096
#define LISTED_ROUNDS 30

struct process {
        char command[32], user[40];
        uint64_t id;
        double cpu_seconds;
        uint64_t resident_bytes;
};

/* "123 (command with ) and blanks) S 1 ...": the command ends at the last parenthesis. */
static bool parse_stat(struct str text, struct process *out)
{
        const char *open = memchr(text.bytes, '(', text.length);
        const char *close = memrchr(text.bytes, ')', text.length);
        if (!open || !close || close < open)
                return false;
        snprintf(out->command, sizeof out->command, "%.*s", (int)(close - open - 1), open + 1);
        struct str rest = str_slice(text, (size_t)(close + 1 - text.bytes), text.length), fields[22];
        for (size_t i = 0; i < countof(fields); i++)
                fields[i] = host_word(&rest); /* fields[0] is the state, the third of proc(5) */
        if (!fields[21].length)
                return false;
        out->cpu_seconds = (double)(host_u64(fields[11]) + host_u64(fields[12])) / 100;
        out->resident_bytes = host_u64(fields[21]) * (uint64_t)sysconf(_SC_PAGESIZE);
        out->id = hash64_seeded(fields[19], hash64(str_slice(text, 0, (size_t)(open - text.bytes))));
        return true;
}

static void name_user(uid_t uid, char out_user[40])
{
        struct passwd found, *result = NULL;
        char memory[1024];
        static _Thread_local struct {
                uid_t uid;
                char name[40];
                bool known;
        } last[64]; /* direct-mapped; names change rarely */
        size_t slot = uid % countof(last);
        if (!last[slot].known || last[slot].uid != uid) {
                last[slot].known = true;
                last[slot].uid = uid;
                if (getpwuid_r(uid, &found, memory, sizeof memory, &result) == 0 && result)
                        snprintf(last[slot].name, sizeof last[slot].name, "%s", found.pw_name);
                else
                        snprintf(last[slot].name, sizeof last[slot].name, "%u", uid);
        }
        memcpy(out_user, last[slot].name, 40);
}

static bool read_process(const struct host *host, const char *pid, struct buf *file, struct process *out)
{
        char path[64], full[2048];
        snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
        struct stat owner;
        snprintf(full, sizeof full, "%s%s", host->root, path);
        if (stat(full, &owner) < 0 || !host_read(host, path, file) || !parse_stat(buf_str(file), out))
                return false;
        name_user(owner.st_uid, out->user);
        return true;
}

static struct process_group *group_of(struct processes *all, const struct process *process)
{
        uint64_t id = hash64_seeded(str_of(process->command), hash64(str_of(process->user)));
        for (size_t i = 0; i < all->groups_count; i++)
                if (all->groups[i].id == id)
                        return &all->groups[i];
        if (all->groups_count == GROUPS_MAX)
                return NULL;
        if (all->groups_count == all->groups_capacity) {
                size_t capacity = all->groups_capacity ? all->groups_capacity * 2 : 64;
                struct process_group *moved = realloc(all->groups, capacity * sizeof *moved);
                if (!moved)
                        return NULL;
                all->groups = moved;
                all->groups_capacity = capacity;
        }
        struct process_group *added = &all->groups[all->groups_count++];
        *added = (struct process_group){.id = id};
        memcpy(added->command, process->command, sizeof added->command);
        memcpy(added->user, process->user, sizeof added->user);
        return added;
}

/* What it used since the last round; all it ever used when it started in between. */
static double used_since(struct processes *all, const struct process *process)
{
        size_t at;
        for (uint32_t i = map_first(&all->seen_by_id, process->id, &at); i != MAP_NONE;
             i = map_next(&all->seen_by_id, process->id, &at)) {
                double used = process->cpu_seconds - all->seen[i].cpu_seconds;
                all->seen[i].cpu_seconds = process->cpu_seconds;
                all->seen[i].seen_round = all->round;
                return used > 0 ? used : 0;
        }
        if (all->seen_count < PROCESSES_MAX && all->seen_count == all->seen_capacity) {
                size_t capacity = all->seen_capacity ? all->seen_capacity * 2 : 256;
                struct process_seen *moved = realloc(all->seen, capacity * sizeof *moved);
                if (!moved)
                        return 0;
                all->seen = moved;
                all->seen_capacity = capacity;
        }
        if (all->seen_count == all->seen_capacity || !map_put(&all->seen_by_id, process->id, (uint32_t)all->seen_count))
                return 0;
        all->seen[all->seen_count++] = (struct process_seen){process->id, process->cpu_seconds, all->round};
        return process->cpu_seconds;
}

static void add_process(struct processes *all, const struct process *process)
{
        double used = used_since(all, process);
        struct process_group *group = group_of(all, process);
        if (!group)
                return;
        group->cpu_seconds += used;
        group->cpu_recent += used;
        group->resident_bytes += process->resident_bytes;
        group->processes++;
        group->seen_round = all->round;
}

static void forget_gone(struct processes *all)
{
        size_t kept = 0;
        map_clear(&all->seen_by_id);
        for (size_t i = 0; i < all->seen_count; i++) {
                if (all->seen[i].seen_round != all->round)
                        continue;
                all->seen[kept] = all->seen[i];
                if (map_put(&all->seen_by_id, all->seen[kept].id, (uint32_t)kept))
                        kept++;
        }
        all->seen_count = kept;
        kept = 0;
        for (size_t i = 0; i < all->groups_count; i++)
                if (all->groups[i].seen_round + LISTED_ROUNDS >= all->round)
                        all->groups[kept++] = all->groups[i];
        all->groups_count = kept;
}

static int by_cpu(const void *left, const void *right)
{
        const struct process_group *a = left, *b = right;
        return (a->cpu_recent < b->cpu_recent) - (a->cpu_recent > b->cpu_recent);
}

static int by_memory(const void *left, const void *right)
{
        const struct process_group *a = left, *b = right;
        return (a->resident_bytes < b->resident_bytes) - (a->resident_bytes > b->resident_bytes);
}

static void list_busiest(struct processes *all, int (*order)(const void *, const void *))
{
        if (all->groups_count)
                qsort(all->groups, all->groups_count, sizeof *all->groups, order);
        for (size_t i = 0; i < all->groups_count && i < all->told_max; i++)
                if (all->groups[i].processes)
                        all->groups[i].told_until = all->round + LISTED_ROUNDS;
}

static void write_groups(const struct processes *all, struct buf *out)
{
        host_type(out, "evenkeel_process_cpu_seconds_total", "counter");
        for (size_t i = 0; i < all->groups_count; i++)
                if (all->groups[i].told_until >= all->round && all->groups[i].processes)
                        host_sample(out, "evenkeel_process_cpu_seconds_total", all->groups[i].cpu_seconds, "command",
                                    all->groups[i].command, "user", all->groups[i].user, NULL);
        host_type(out, "evenkeel_process_resident_bytes", "gauge");
        for (size_t i = 0; i < all->groups_count; i++)
                if (all->groups[i].told_until >= all->round && all->groups[i].processes)
                        host_sample(out, "evenkeel_process_resident_bytes", (double)all->groups[i].resident_bytes,
                                    "command", all->groups[i].command, "user", all->groups[i].user, NULL);
}

static size_t read_all(struct host *host)
{
        scoped(buf_done) struct buf file = {0};
        char path[2048];
        snprintf(path, sizeof path, "%s/proc", host->root);
        DIR *directory = opendir(path);
        if (!directory)
                return 0;
        size_t count = 0;
        for (struct dirent *entry; count < PROCESSES_MAX && (entry = readdir(directory));) {
                struct process process = {0};
                if (!isdigit((unsigned char)entry->d_name[0]) || !read_process(host, entry->d_name, &file, &process))
                        continue;
                add_process(&host->processes, &process);
                count++;
        }
        closedir(directory);
        return count;
}

bool host_collect_processes(struct host *host, struct buf *out)
{
        struct processes *all = &host->processes;
        all->round++;
        for (size_t i = 0; i < all->groups_count; i++) {
                all->groups[i].cpu_recent = 0;
                all->groups[i].resident_bytes = 0;
                all->groups[i].processes = 0;
        }
        size_t count = read_all(host);
        if (!count)
                return false;
        forget_gone(all);
        list_busiest(all, by_memory);
        list_busiest(all, by_cpu);
        write_groups(all, out);
        host_type(out, "node_processes_pids", "gauge");
        host_sample(out, "node_processes_pids", (double)count, NULL);
        return true;
}

void host_processes_done(struct processes *processes)
{
        free(processes->groups);
        free(processes->seen);
        map_done(&processes->seen_by_id);
}
