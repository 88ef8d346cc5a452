/*
 * replay.c - see replay.h. The journal's closed segments are linked, or copied where that cannot be; the newest is always copied, since the
 * program that writes it goes on while this one may cut a tail.
 */
#include "loop/replay.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/outcome_table.h"
#include "loop/kept.h"
#include "loop/loop.h"
#include "loop/rehearse.h"
#include "loop/replay_diff.h"
#include "loop/state_table.h"
#include "store/database.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_MAX 4096
#define PATH_BYTES 4096

SCOPED_PTR(database_close, struct database)

struct telling {
        const struct replay_options *options;
        const char *name;               /* "recorded", "other" */
        struct kept_state from;
        int64_t since_ns, until_ns;
        struct rehearsal rehearsal;
        struct database *recorded;      /* the state of the run as recorded, when this is the other */
        uint64_t sequence_last;
        json_t *outcome;
};

/* --- a folder of its own ------------------------------------------------------------------------------------------------------ */

struct segments {
        uint64_t first[SEGMENTS_MAX];
        size_t count;
};

static void take_segment(void *context, const char *name)
{
        struct segments *segments = context;
        uint64_t first;
        int length = 0;
        if (sscanf(name, "%16" SCNx64 ".seg%n", &first, &length) == 1 && length == (int)strlen(name) && segments->count < SEGMENTS_MAX)
                segments->first[segments->count++] = first;
}

static void close_descriptor(int *descriptor)
{
        if (*descriptor >= 0)
                close(*descriptor);
}

static bool copy_file(const char *from, const char *to, struct err *err)
{
        scoped(close_descriptor) int in = open(from, O_RDONLY | O_CLOEXEC);
        scoped(close_descriptor) int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        char piece[1 << 16];
        ssize_t count;
        if (in < 0 || out < 0)
                return fail_errno(err, errno, "replay", "copying %s to %s", from, to);
        while ((count = read(in, piece, sizeof piece)) > 0)
                if (write(out, piece, (size_t)count) != count)
                        return fail_errno(err, errno, "replay", "writing %s", to);
        return count == 0 || fail_errno(err, errno, "replay", "reading %s", from);
}

static bool bring_segment(const struct telling *telling, const char *directory, uint64_t first, bool is_newest, struct err *err)
{
        char from[PATH_BYTES], to[PATH_BYTES];
        snprintf(from, sizeof from, "%s/journal/%016" PRIx64 ".seg", telling->options->data, first);
        snprintf(to, sizeof to, "%s/journal/%016" PRIx64 ".seg", directory, first);
        return (!is_newest && link(from, to) == 0) || copy_file(from, to, err) ||
               err_within(err, "the journal may have been trimmed meanwhile; try again");
}

static bool bring_journal(const struct telling *telling, const char *directory, struct err *err)
{
        char path[PATH_BYTES];
        struct segments *segments = calloc(1, sizeof *segments);
        if (!segments)
                return fail_memory(err, "replay", sizeof *segments);
        snprintf(path, sizeof path, "%s/journal", telling->options->data);
        bool good = disk_list(disk_real(), path, take_segment, segments, err);
        snprintf(path, sizeof path, "%s/journal", directory);
        good = good && disk_make_directory(disk_real(), path, err);
        for (size_t i = 0; good && i < segments->count; i++)
                if (i + 1 == segments->count || segments->first[i + 1] > telling->from.sequence + 1)
                        good = bring_segment(telling, directory, segments->first[i], i + 1 == segments->count, err);
        free(segments);
        return good;
}

/* The configuration in force when it begins; later ones come from the journal, each in place of a recorded one. */
static bool bring_state(const struct telling *telling, const char *directory, struct err *err)
{
        char from[PATH_BYTES], to[PATH_BYTES];
        scoped_ptr(database_close) struct database *state = NULL;
        scoped_ptr(json_decref) json_t *content = NULL;
        if (!telling->from.sequence)
                return true;
        kept_path(telling->options->data, &telling->from, from, sizeof from);
        snprintf(to, sizeof to, "%s/state.db", directory);
        if (!copy_file(from, to, err) || !state_open(to, NULL, &state, err) || !state_read_content(state, &content, err))
                return false;
        if (!content || !telling->rehearsal.content)
                return true;
        return database_begin(state, err) && state_write_content(state, telling->rehearsal.content, err) && database_commit(state, err);
}

/* --- people's commands ---------------------------------------------------------------------------------------------------------- */

/* The number that the incident has in the other run, by its alerts; 0: it has none. */
static bool number_there(struct telling *telling, struct database *state, uint32_t number, uint32_t *out_number, struct err *err)
{
        scoped_ptr(json_decref) json_t *sorts = outcome_sorts_of(telling->recorded, number, err);
        size_t at;
        json_t *sort;
        *out_number = 0;
        if (!sorts)
                return false;
        json_array_foreach (sorts, at, sort)
                if (!*out_number && !outcome_incident_of(state, str_of(json_string_value(sort)), out_number, err))
                        return false;
        return true;
}

static bool rewrite(void *context, struct database *state, const char *verb, json_t *arguments, bool *out_is_left_out, struct err *err)
{
        struct telling *telling = context;
        static const char *const keys[] = {"incident", "into"};
        if (!telling->recorded || !str_starts_with(str_of(verb), STR("incident_")))
                return true;
        for (size_t i = 0; i < countof(keys); i++) {
                json_int_t number = json_i64(arguments, keys[i], 0);
                uint32_t there = 0;
                if (number <= 0 || number > UINT32_MAX)
                        continue;
                if (!number_there(telling, state, (uint32_t)number, &there, err))
                        return false;
                *out_is_left_out |= !there;
                if (json_object_set_new(arguments, keys[i], json_integer(there)) != 0)
                        return fail_memory(err, "replay", sizeof number);
        }
        return true;
}

/* --- telling ---------------------------------------------------------------------------------------------------------------------- */

static void look(void *context, uint64_t sequence, int64_t time_ns)
{
        struct telling *telling = context;
        (void)time_ns;
        uint64_t all = telling->sequence_last > telling->from.sequence ? telling->sequence_last - telling->from.sequence : 1;
        double share = (double)(sequence - telling->from.sequence) / (double)all;
        telling->options->look(telling->options->context, telling->name, min_of(share, 1.0));
}

static bool tell(struct telling *telling, struct err *err)
{
        char directory[PATH_BYTES - 100];
        struct loop *loop;
        snprintf(directory, sizeof directory, "%s/%s", telling->options->work, telling->name);
        telling->rehearsal.until_ns = telling->until_ns;
        telling->rehearsal.rewrite = rewrite;
        telling->rehearsal.context = telling;
        telling->rehearsal.look = telling->options->look ? look : NULL;
        struct loop_options options = {.directory = directory, .workers = telling->options->workers, .keep_journal = true, .skip_damage = true,
                                       .rehearsal = &telling->rehearsal, .steps_in_turn = true,
                                       .delivery = {.fake = rehearsal_hear, .fake_context = &telling->rehearsal}};
        if (!disk_make_directory(disk_real(), directory, err) || !bring_journal(telling, directory, err) || !bring_state(telling, directory, err) ||
            !loop_open(&options, &loop, err))
                return err_within(err, "telling the %s run", telling->name);
        scoped_ptr(database_close) struct database *reader = NULL;
        bool good = loop_open_state(loop, &reader, err);
        telling->outcome = good ? outcome_read(reader, telling->since_ns, telling->until_ns ? telling->until_ns : INT64_MAX, err) : NULL;
        loop_close(loop);
        return telling->outcome;
}

/* --- what is held ------------------------------------------------------------------------------------------------------------------ */

static bool begins_with_first(const char *data)
{
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/journal/%016" PRIx64 ".seg", data, UINT64_C(1));
        return access(path, R_OK) == 0;
}

static bool choose_start(const struct replay_options *options, struct telling *telling, int64_t *out_held_ns, struct err *err)
{
        struct kept_state states[KEPT_STATES_MAX];
        size_t count = 0, from = 0;
        struct err none = {0};
        if (!kept_list(disk_real(), options->data, states, countof(states), &count, &none))
                count = 0;
        if (!count && begins_with_first(options->data))
                states[count++] = (struct kept_state){0};       /* it is young: no checkpoint yet, the whole journal is there */
        if (!count)
                return fail(err, ERR_NOT_FOUND, "replay", "%s holds nothing to begin at; journal.keep says how much is held from the next checkpoint on%s%s", options->data,
                            none.code ? ": " : "", none.code ? none.message : "");
        while (options->since_ns && from + 1 < count && states[from + 1].time_ns <= options->since_ns)
                from++;
        telling->from = states[from];
        *out_held_ns = states[0].time_ns;
        telling->since_ns = max_of(options->since_ns, states[from].time_ns);
        telling->until_ns = options->until_ns;
        return true;
}

static json_t *counts_of(const json_t *outcome)
{
        size_t at, pages = 0;
        const json_t *told;
        json_array_foreach (json_object_get(outcome, "told"), at, told)
                pages += json_flag(told, "is_page", false);
        return json_pack("{s:i, s:i, s:i}", "incidents", (int)json_array_size(json_object_get(outcome, "incidents")), "messages",
                         (int)json_array_size(json_object_get(outcome, "told")), "pages", (int)pages);
}

static json_t *sums_of(const json_t *differences)
{
        json_t *sums = json_object();
        size_t at;
        const json_t *difference;
        json_array_foreach (differences, at, difference) {
                scoped(buf_done) struct buf key = {0};
                buf_printf(&key, "%s %s", json_string_value(json_object_get(difference, "what")), json_string_value(json_object_get(difference, "kind")));
                buf_byte(&key, 0);
                if (!key.failed)
                        json_object_set_new(sums, key.bytes, json_integer(json_i64(sums, key.bytes, 0) + 1));
        }
        return sums;
}

static json_t *time_json(int64_t time_ns)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, time_ns);
        return time_ns ? json_string(text) : json_null();
}

static bool report(const struct replay_options *options, const struct telling *recorded, const struct telling *other, int64_t held_ns, json_t **out_report, struct err *err)
{
        const struct rehearsal *told = &other->rehearsal;
        json_t *differences = replay_diff(recorded->outcome, other->outcome, err);
        if (!differences)
                return false;
        *out_report = json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:o, s:o, s:o, s:o}", "asked_since_ns", time_json(options->since_ns), "held_since_ns",
                                time_json(held_ns), "since_ns", time_json(recorded->since_ns), "until_ns", time_json(options->until_ns ? options->until_ns : told->last_ns),
                                "is_held", !options->since_ns || options->since_ns >= held_ns, "entries", (json_int_t)told->entries, "commands_left_out",
                                (json_int_t)(told->commands_left_out - recorded->rehearsal.commands_left_out), "recorded", counts_of(recorded->outcome), "other",
                                counts_of(other->outcome), "sums", sums_of(differences), "differences", differences);
        return *out_report || fail_memory(err, "replay", 4096);
}

static void telling_done(struct telling **telling)
{
        if (*telling) {
                database_close((*telling)->recorded);
                json_decref((*telling)->outcome);
        }
        free(*telling);
}

static bool compare(const struct replay_options *options, struct telling *recorded, struct telling *other, json_t **out_report, struct err *err)
{
        char path[PATH_BYTES];
        int64_t held_ns = 0;
        recorded->options = other->options = options;
        recorded->name = "recorded";
        other->name = "other";
        if (!choose_start(options, recorded, &held_ns, err) || !tell(recorded, err))
                return false;
        held_ns = held_ns ? held_ns : recorded->rehearsal.first_ns;
        recorded->since_ns = max_of(recorded->since_ns, held_ns);
        if (!recorded->rehearsal.entries)
                return fail(err, ERR_NOT_FOUND, "replay", "%s holds no entries of that time", options->data);
        other->from = recorded->from;
        other->since_ns = recorded->since_ns;
        other->until_ns = recorded->until_ns ? recorded->until_ns : recorded->rehearsal.last_ns; /* the journal may have grown meanwhile */
        other->rehearsal.content = options->content;
        other->sequence_last = recorded->from.sequence + recorded->rehearsal.entries;
        snprintf(path, sizeof path, "%s/recorded/state.db", options->work);
        return database_open_reader(path, NULL, &other->recorded, err) && tell(other, err) && report(options, recorded, other, held_ns, out_report, err);
}

bool replay_run(const struct replay_options *options, json_t **out_report, struct err *err)
{
        scoped(telling_done) struct telling *recorded = calloc(1, sizeof *recorded);
        scoped(telling_done) struct telling *other = calloc(1, sizeof *other);
        if (!recorded || !other)
                return fail_memory(err, "replay", sizeof *recorded);
        return compare(options, recorded, other, out_report, err);
}
