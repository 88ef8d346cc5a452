/* scrape_targets.c - see scrape_targets.h. Files are looked at by name, size, time and inode; read only when those differ. */
#include "observe/scrape_targets.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOBS_MAX 256

/* "15s", "500ms", "1m", "1h", or a number of seconds. */
static bool parse_duration(const json_t *value, int64_t otherwise_ns, int64_t *out_ns)
{
        static const struct {
                const char *unit;
                int64_t ns;
        } units[] = {{"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
        *out_ns = otherwise_ns;
        if (!value)
                return true;
        if (json_is_number(value)) {
                double ns = json_number_value(value) * 1e9;
                if (!(ns >= 1 && ns <= 1e15)) /* a million seconds, as below */
                        return false;
                *out_ns = (int64_t)ns;
                return true;
        }
        struct str text = str_of(json_string_value(value));
        size_t digits = 0;
        while (digits < text.length && text.bytes[digits] >= '0' && text.bytes[digits] <= '9')
                digits++;
        uint64_t count = 0;
        if (!str_to_u64(str_slice(text, 0, digits), &count) || count > 1000000)
                return false;
        for (size_t i = 0; i < countof(units); i++)
                if (str_is(str_slice(text, digits, text.length), units[i].unit))
                        return (*out_ns = (int64_t)count * units[i].ns) > 0;
        return false;
}

static bool parse_job(const json_t *item, struct scrape_job *job, struct err *err)
{
        int64_t timeout_ns;
        *job = (struct scrape_job){
                .name = json_str(item, "job"),
                .path = json_str(item, "path"),
                .scheme = json_str(item, "scheme"),
                .ca_file = json_str(item, "ca_file"),
                .authorization = json_str(item, "authorization"),
                .honor_labels = json_flag(item, "honor_labels", false),
                .honor_timestamps = json_flag(item, "honor_timestamps", true),
                .insecure = json_flag(item, "insecure", false),
                .targets = json_object_get(item, "targets"),
                .files = json_object_get(item, "files"),
                .labels = json_object_get(item, "labels"),
        };
        if (!job->name.length)
                return fail(err, ERR_INVALID, "scrape", "sources.scrape.jobs: an entry has no job (its name)");
        if (!job->path.length)
                job->path = STR("/metrics");
        if (!job->scheme.length)
                job->scheme = STR("http");
        if (!str_is(job->scheme, "http") && !str_is(job->scheme, "https"))
                return fail(err, ERR_INVALID, "scrape", "job %.*s: scheme must be http or https", STR_ARGS(job->name));
        if (!parse_duration(json_object_get(item, "every"), 15 * NS_PER_S, &job->every_ns) || job->every_ns < 10 * NS_PER_MS)
                return fail(err, ERR_INVALID, "scrape", "job %.*s: every must be a time like 15s", STR_ARGS(job->name));
        if (!parse_duration(json_object_get(item, "timeout"), min_of(10 * NS_PER_S, job->every_ns), &timeout_ns) ||
            timeout_ns > job->every_ns)
                return fail(err, ERR_INVALID, "scrape", "job %.*s: timeout must be a time like 10s, not above every",
                            STR_ARGS(job->name));
        job->timeout_ms = max_of(timeout_ns / NS_PER_MS, (int64_t)1);
        return true;
}

bool scrape_jobs_parse(const json_t *config, struct scrape_jobs *out_jobs, struct err *err)
{
        struct scrape_jobs jobs = {.config = json_deep_copy(config)};
        arena_init(&jobs.arena, 1 << 20);
        const json_t *list = json_object_get(jobs.config, "jobs");
        json_t *item;
        size_t index;
        bool fine = !list || (json_is_array(list) && json_array_size(list) <= JOBS_MAX);
        if (!fine)
                fail(err, ERR_INVALID, "scrape", "sources.scrape.jobs must be a list of at most %d jobs", JOBS_MAX);
        json_array_foreach((json_t *)list, index, item) {
                struct scrape_job *job = fine ? arena_push(&jobs.arena, &jobs) : NULL;
                if (fine && !job)
                        fine = fail_memory(err, "scrape", sizeof *job);
                fine = fine && parse_job(item, job, err);
        }
        if (!fine) {
                scrape_jobs_done(&jobs);
                return false;
        }
        *out_jobs = jobs;
        return true;
}

void scrape_jobs_done(struct scrape_jobs *jobs)
{
        json_decref(jobs->config);
        arena_done(&jobs->arena);
}

/* --- discovery files -------------------------------------------------------------------------------------------- */

typedef bool file_fn(void *context, const char *path, struct err *err);

static bool each_file(const struct scrape_job *job, file_fn *visit, void *context, struct err *err)
{
        json_t *pattern;
        size_t index;
        bool fine = true;
        json_array_foreach((json_t *)job->files, index, pattern) {
                glob_t found = {0};
                const char *text = json_string_value(pattern);
                if (text && glob(text, 0, NULL, &found) == 0)
                        for (size_t i = 0; i < found.gl_pathc && fine; i++)
                                fine = visit(context, found.gl_pathv[i], err);
                globfree(&found);
        }
        return fine;
}

static bool add_signature(void *context, const char *path, struct err *err)
{
        (void)err;
        uint64_t *signature = context;
        struct stat file;
        if (stat(path, &file) < 0)
                return true;
        uint64_t facts[] = {file.st_ino, (uint64_t)file.st_size, (uint64_t)file.st_mtim.tv_sec, (uint64_t)file.st_mtim.tv_nsec};
        *signature = hash64_seeded((struct str){(const char *)facts, sizeof facts}, *signature);
        *signature = hash64_seeded(str_of(path), *signature);
        return true;
}

bool scrape_jobs_changed(struct scrape_jobs *jobs)
{
        uint64_t signature = 1;
        each (job, jobs)
                each_file(job, add_signature, &signature, NULL);
        bool changed = signature != jobs->files_signature;
        jobs->files_signature = signature;
        return changed;
}

/* --- targets ---------------------------------------------------------------------------------------------------- */

struct listing {
        const struct scrape_job *job;
        struct arena *arena;
        struct scrape_targets *targets;
};

/* The value a later entry gives to a label counts; those beginning with __ only steer the scrape. */
static bool set_label(struct listing *listing, struct labels *labels, struct str name, struct str value, struct err *err)
{
        struct label *place = NULL;
        if (str_starts_with(name, STR("__")))
                return true;
        each (label, labels)
                if (str_equal(label->name, name))
                        place = label;
        if (!place && labels->count == LABELS_MAX)
                return fail(err, ERR_INVALID, "scrape", "job %.*s: more than %d labels", STR_ARGS(listing->job->name), LABELS_MAX);
        if (!place)
                place = arena_push(listing->arena, labels);
        if (!place)
                return fail_memory(err, "scrape", sizeof *place);
        place->name = arena_str(listing->arena, name);
        place->value = arena_str(listing->arena, value);
        return (place->name.bytes && place->value.bytes) || fail_memory(err, "scrape", value.length);
}

static bool set_labels(struct listing *listing, struct labels *labels, const json_t *object, struct err *err)
{
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)object, name, value) {
                if (!json_is_string(value))
                        return fail(err, ERR_INVALID, "scrape", "job %.*s: the label %s is no text; put it in quotes",
                                    STR_ARGS(listing->job->name), name);
                if (!set_label(listing, labels, str_of(name), str_of(json_string_value(value)), err))
                        return false;
        }
        return true;
}

static struct str steering(const json_t *labels, const char *name, struct str otherwise)
{
        struct str given = json_str(labels, name);
        return given.length ? given : otherwise;
}

static bool add_target(struct listing *listing, const char *address, const json_t *labels, struct err *err)
{
        const struct scrape_job *job = listing->job;
        if (!address || !*address || strpbrk(address, "/@ \t\r\n"))
                return fail(err, ERR_INVALID, "scrape", "job %.*s: \"%s\" is no target; write host:port", STR_ARGS(job->name),
                            address ? address : "");
        if (listing->targets->count == SCRAPE_TARGETS_MAX)
                return fail(err, ERR_FULL, "scrape", "more than %d targets; split them over several machines", SCRAPE_TARGETS_MAX);
        struct scrape_target target = {.job = job};
        if (!set_label(listing, &target.labels, STR("job"), job->name, err) ||
            !set_label(listing, &target.labels, STR("instance"), str_of(address), err) ||
            !set_labels(listing, &target.labels, job->labels, err) || !set_labels(listing, &target.labels, labels, err) ||
            !labels_canonical(&target.labels, err))
                return false;
        struct str scheme = steering(labels, "__scheme__", job->scheme), path = steering(labels, "__metrics_path__", job->path);
        target.url = arena_printf(listing->arena, "%.*s://%s%s%.*s", STR_ARGS(scheme), address,
                                  path.bytes[0] == '/' ? "" : "/", STR_ARGS(path));
        target.instance = labels_value(&target.labels, STR("instance"));
        if (!target.url.bytes)
                return fail_memory(err, "scrape", path.length);
        struct hash128 id = labels_id(&target.labels);
        target.id = hash64_seeded(target.url, id.low ^ hash64(job->name));
        each (other, listing->targets)
                if (other->id == target.id)
                        return true;
        struct scrape_target *added = arena_push(listing->arena, listing->targets);
        if (!added)
                return fail_memory(err, "scrape", sizeof *added);
        *added = target;
        return true;
}

static bool add_targets(struct listing *listing, const json_t *addresses, const json_t *labels, struct err *err)
{
        json_t *address;
        size_t index;
        json_array_foreach((json_t *)addresses, index, address)
                if (!add_target(listing, json_string_value(address), labels, err))
                        return false;
        return true;
}

static bool read_file(const char *path, struct buf *out, struct err *err)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = 0;
        out->bytes_max = YAML_BYTES_MAX;
        if (fd < 0)
                return fail_errno(err, errno, "scrape", "opening %s", path);
        while (buf_reserve(out, 4096) && (got = read(fd, out->bytes + out->length, out->capacity - out->length)) > 0)
                out->length += (size_t)got;
        int why = errno;
        close(fd);
        if (out->failed)
                return fail(err, ERR_TOO_LARGE, "scrape", "%s is larger than %zu bytes", path, YAML_BYTES_MAX);
        return got == 0 || fail_errno(err, why, "scrape", "reading %s", path);
}

static bool add_groups(struct listing *listing, struct str text, const char *path, struct err *err)
{
        size_t length = strlen(path);
        bool is_json = length > 5 && strcmp(path + length - 5, ".json") == 0;
        scoped_ptr(json_decref) json_t *groups = is_json ? json_parse(text, err) : yaml_parse(text, path, err);
        if (!groups)
                return err_within(err, "reading targets from %s", path);
        json_t *group;
        size_t index;
        json_array_foreach(groups, index, group)
                if (!add_targets(listing, json_object_get(group, "targets"), json_object_get(group, "labels"), err))
                        return err_within(err, "reading targets from %s", path);
        return true;
}

static bool add_file(void *context, const char *path, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        return read_file(path, &text, err) && add_groups(context, buf_str(&text), path, err);
}

bool scrape_targets_list(const struct scrape_jobs *jobs, struct arena *arena, struct scrape_targets *out_targets,
                         struct err *err)
{
        *out_targets = (struct scrape_targets){0};
        each (job, jobs) {
                struct listing listing = {job, arena, out_targets};
                if (!add_targets(&listing, job->targets, NULL, err) || !each_file(job, add_file, &listing, err))
                        return false;
        }
        return true;
}
