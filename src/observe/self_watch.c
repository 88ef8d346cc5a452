/* self_watch.c - see self_watch.h. */
#include "observe/self_watch.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/labels.h"
#include "observe/check_batch.h"
#include "observe/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define DAYS_MAX 16 /* damaged ones told by name */
#define TROUBLES_MAX (SOURCES_MAX + DAYS_MAX + 8)
#define ENDS_S 86400
#define JUMP_TOLD_NS (600 * NS_PER_S) /* a jump is a moment; it is told for as long */

struct trouble {
        char alert[48], subject[128];
        int64_t since_ns;               /* wall clock */
        bool is_seen, is_told, is_critical;
};

struct self_watch {
        struct intake *intake;
        const char *data_directory;
        struct self_store store;
        struct trouble *troubles;       /* TROUBLES_MAX */
        size_t count;
        struct source_counters *sources; /* SOURCES_MAX: room to list them */
        int64_t wall_ns, monotonic_ns, jumped_ns, jump_by_ns;
        json_t *results;                /* of this look */
};

bool self_watch_create(struct intake *intake, const char *data_directory, const struct self_store *store, struct self_watch **out_watch, struct err *err)
{
        struct self_watch *watch = calloc(1, sizeof *watch);
        if (watch) {
                watch->troubles = calloc(TROUBLES_MAX, sizeof *watch->troubles);
                watch->sources = calloc(SOURCES_MAX, sizeof *watch->sources);
        }
        if (!watch || !watch->troubles || !watch->sources) {
                self_watch_destroy(watch);
                return fail_memory(err, "self", TROUBLES_MAX * sizeof *watch->troubles);
        }
        watch->intake = intake;
        watch->data_directory = data_directory;
        watch->store = store ? *store : (struct self_store){0};
        *out_watch = watch;
        return true;
}

void self_watch_destroy(struct self_watch *watch)
{
        if (!watch)
                return;
        free(watch->troubles);
        free(watch->sources);
        free(watch);
}

/* --- telling ------------------------------------------------------------------------------------------------------------------- */

static json_t *labels_of(const struct trouble *trouble)
{
        json_t *labels = json_pack("{s:s, s:s}", "check", trouble->alert, "service", "evenkeel");
        if (labels && trouble->subject[0])
                json_object_set_new(labels, "source", json_string(trouble->subject));
        return labels;
}

static bool tell(struct self_watch *watch, const struct trouble *trouble, const char *state, const char *text, struct err *err)
{
        json_t *result = json_pack("{s:s, s:s, s:o, s:s, s:b, s:b, s:I, s:s, s:s, s:I}", "check", trouble->alert, "alert", trouble->alert, "labels", labels_of(trouble),
                                   "state", state, "hard", true, "new", true, "since_ns", (json_int_t)trouble->since_ns, "text", text, "origin", "self", "ends_s",
                                   (json_int_t)ENDS_S);
        return json_array_append_new(watch->results, result) == 0 || fail_memory(err, "self", sizeof *trouble);
}

static struct trouble *trouble_of(struct self_watch *watch, const char *alert, const char *subject, int64_t wall_ns)
{
        for (size_t i = 0; i < watch->count; i++)
                if (strcmp(watch->troubles[i].alert, alert) == 0 && strcmp(watch->troubles[i].subject, subject) == 0)
                        return &watch->troubles[i];
        if (watch->count == TROUBLES_MAX)
                return NULL; /* more than there can be sources */
        struct trouble *trouble = &watch->troubles[watch->count++];
        *trouble = (struct trouble){.since_ns = wall_ns};
        snprintf(trouble->alert, sizeof trouble->alert, "%s", alert);
        snprintf(trouble->subject, sizeof trouble->subject, "%s", subject);
        return trouble;
}

/* The trouble is there now. It is told when it has lasted for after_ns, and again when it becomes critical. */
static bool see(struct self_watch *watch, const char *alert, const char *subject, bool is_critical, int64_t after_ns, int64_t wall_ns, const char *text,
                struct err *err)
{
        struct trouble *trouble = trouble_of(watch, alert, subject, wall_ns);
        if (!trouble)
                return true;
        trouble->is_seen = true;
        if (wall_ns - trouble->since_ns < after_ns || (trouble->is_told && trouble->is_critical == is_critical))
                return true;
        trouble->is_told = true;
        trouble->is_critical = is_critical;
        return tell(watch, trouble, is_critical ? "critical" : "warning", text, err);
}

static bool end_unseen(struct self_watch *watch, struct err *err)
{
        for (size_t i = watch->count; i-- > 0;) {
                struct trouble *trouble = &watch->troubles[i];
                bool is_over = !trouble->is_seen;
                trouble->is_seen = false;
                if (!is_over)
                        continue;
                if (trouble->is_told && !tell(watch, trouble, "ok", "it is well again", err))
                        return false;
                *trouble = watch->troubles[--watch->count];
        }
        return true;
}

/* --- looking ------------------------------------------------------------------------------------------------------------------- */

/* A check that finds something bad is not a bad source; and what a rule or a check says of its own is told there. */
static bool look_at_sources(struct self_watch *watch, int64_t wall_ns, struct err *err)
{
        size_t count = min_of(intake_list_sources(watch->intake, watch->sources, SOURCES_MAX), (size_t)SOURCES_MAX);
        char text[400];
        for (size_t i = 0; i < count; i++) {
                const struct source_counters *source = &watch->sources[i];
                if (str_starts_with(str_of(source->name), STR("self")))
                        continue;
                snprintf(text, sizeof text, source->failing ? "the source %s fails: %s" : "the source %s is silent: nothing came for three times its usual gap",
                         source->name, source->state_text);
                bool is_missed = source->silent && source->last_seen_ns - source->steady_since_ns >= SELF_STEADY_NS;
                if ((source->failing || is_missed) &&
                    !see(watch, source->failing ? "SourceFailing" : "SourceSilent", source->name, false, SELF_SOURCE_NS, wall_ns, text, err))
                        return false;
        }
        return true;
}

static bool look_at_disk(struct self_watch *watch, int64_t wall_ns, struct err *err)
{
        struct statvfs disk;
        char text[300];
        if (!watch->data_directory || statvfs(watch->data_directory, &disk) != 0 || !disk.f_blocks)
                return true;
        double left = (double)disk.f_bavail / (double)disk.f_blocks;
        if (left >= SELF_DISK_WARNING)
                return true;
        snprintf(text, sizeof text, "the disk that holds Evenkeel's data has %.1f percent left; when it is full, telemetry is refused", left * 100);
        return see(watch, "OwnDiskAlmostFull", "", left < SELF_DISK_CRITICAL, 0, wall_ns, text, err);
}

/* The wall clock against the monotonic one, which no one sets. */
static bool look_at_clock(struct self_watch *watch, int64_t wall_ns, int64_t monotonic_ns, struct err *err)
{
        char text[200];
        int64_t by_ns = watch->monotonic_ns ? wall_ns - watch->wall_ns - (monotonic_ns - watch->monotonic_ns) : 0;
        watch->wall_ns = wall_ns;
        watch->monotonic_ns = monotonic_ns;
        if (by_ns > SELF_JUMP_NS || by_ns < -SELF_JUMP_NS) {
                watch->jumped_ns = monotonic_ns;
                watch->jump_by_ns = by_ns;
        }
        if (!watch->jumped_ns || monotonic_ns - watch->jumped_ns > JUMP_TOLD_NS)
                return true;
        snprintf(text, sizeof text, "this machine's clock was set %s by %lld seconds", watch->jump_by_ns < 0 ? "back" : "forward",
                 (long long)llabs(watch->jump_by_ns / NS_PER_S));
        return see(watch, "ClockJumped", "", false, 0, wall_ns, text, err);
}

/* A day's file that cannot be read: answers about it miss something until it is mended or its age takes it away. */
static bool look_at_days(struct self_watch *watch, int64_t wall_ns, struct err *err)
{
        int64_t days[DAYS_MAX];
        char name[40], text[300];
        size_t count = watch->store.damaged_days ? min_of(watch->store.damaged_days(watch->store.context, days, DAYS_MAX), (size_t)DAYS_MAX) : 0;
        for (size_t i = 0; i < count; i++) {
                int64_t year;
                unsigned month, day;
                clock_date_of_days(days[i], &year, &month, &day);
                snprintf(name, sizeof name, "%04lld-%02u-%02u", (long long)year, month, day);
                snprintf(text, sizeof text, "the stored day %s is damaged; answers about it miss something. docs/operators/damage.md says what to do", name);
                if (!see(watch, "StoredDayDamaged", name, false, 0, wall_ns, text, err))
                        return false;
        }
        return true;
}

bool self_watch_look(struct self_watch *watch, int64_t wall_ns, int64_t monotonic_ns, struct err *err)
{
        watch->results = json_array();
        bool good = watch->results && look_at_sources(watch, wall_ns, err) && look_at_disk(watch, wall_ns, err) &&
                    look_at_clock(watch, wall_ns, monotonic_ns, err) && look_at_days(watch, wall_ns, err) && end_unseen(watch, err);
        if (good && json_array_size(watch->results))
                return check_batch_offer(watch->intake, STR("self"), watch->results, err);
        json_decref(watch->results);
        return good || fail_memory(err, "self", sizeof *watch);
}
