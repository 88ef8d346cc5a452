/* alert_budget.c - see alert_budget.h. Episodes are few beside samples, so each is a small allocation of its own. */
#include "observe/alert_budget.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "learn/detector.h"
#include "learn/fdr.h"
#include "model/content.h"
#include "model/telemetry.h"
#include "observe/alert_budget_table.h"

#include <math.h>
#include <stdlib.h>

#define NIGHT_NS (12 * 3600 * NS_PER_S)
#define PAGES_PER_NIGHT 2.0
#define FALSE_SHARE 0.1
#define SWEEP_NS (60 * NS_PER_S)
#define BUDGET_VERSION 1

static const struct anomaly_kind_row {
        enum anomaly_kind kind;
        const char *alert;
        bool needs_baseline;
        int64_t lasts_ns;
        double told_at;
} kind_rows[] = {
#define A(kind, alert, needs_baseline, lasts_s, told_at) {kind, alert, needs_baseline, lasts_s * NS_PER_S, told_at},
#include "observe/anomaly_kinds.def"
#undef A
};

struct team { /* a budget, as it is configured and as it stands */
        char name[64];
        struct labels match;            /* of the arena of settings */
        double pages_per_night;
        struct fdr fdr;
        double pages_left;
        int64_t refilled_ns;            /* 0: never yet */
        bool is_dirty;
};

struct episode {
        const struct anomaly_kind_row *kind;
        struct buf packed;              /* labels of the anomaly */
        bool is_held, is_dirty, is_over;
        int64_t since_ns, seen_ns;
};

struct held { /* a row to be written */
        struct held_row row;            /* texts are of held_arena */
};

struct alert_budget {
        struct arena arena;             /* of settings */
        struct team teams[BUDGETS_MAX + 1]; /* the last in use is the one for everything else */
        size_t team_count;
        struct episode **episodes;
        size_t count, capacity;
        struct map index;
        struct arena held_arena;
        struct { struct held *items; size_t count, capacity; } held;
        int64_t swept_ns;
        bool is_dirty;
        struct alert_budget_counts counts;
};

static void free_episode(struct episode *episode)
{
        buf_done(&episode->packed);
        free(episode);
}

static void set_team(struct team *team, const char *name, double pages, double share)
{
        *team = (struct team){.pages_per_night = pages, .pages_left = pages};
        snprintf(team->name, sizeof team->name, "%s", name);
        fdr_init(&team->fdr, share);
}

bool alert_budget_create(struct alert_budget **out_budget, struct err *err)
{
        struct alert_budget *budget = calloc(1, sizeof *budget);
        if (!budget)
                return fail_memory(err, "budget", sizeof *budget);
        arena_init(&budget->arena, 0);
        arena_init(&budget->held_arena, 0);
        set_team(&budget->teams[budget->team_count++], "default", PAGES_PER_NIGHT, FALSE_SHARE);
        *out_budget = budget;
        return true;
}

void alert_budget_destroy(struct alert_budget *budget)
{
        if (!budget)
                return;
        for (size_t i = 0; i < budget->count; i++)
                free_episode(budget->episodes[i]);
        free(budget->episodes);
        map_done(&budget->index);
        arena_done(&budget->arena);
        arena_done(&budget->held_arena);
        free(budget);
}

/* --- configuration ---------------------------------------------------------------------------------------------------------------- */

struct reading {
        struct arena *arena;
        struct team *teams;
        size_t count;
};

static bool read_match(const json_t *match, struct arena *arena, struct labels *out_labels, struct err *err)
{
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)match, name, value) {
                struct label *label = arena_push(arena, out_labels);
                if (!json_is_string(value))
                        return fail(err, ERR_INVALID, "budget", "match: %s must be a text", name);
                if (!label || !text_copy(str_of(name), arena, &label->name) || !text_copy(str_of(json_string_value(value)), arena, &label->value))
                        return fail_memory(err, "budget", sizeof *label);
        }
        return true;
}

static bool read_budget(void *context, const char *file, const json_t *item, struct err *err)
{
        struct reading *reading = context;
        struct str name = json_str(item, "budget");
        const json_t *pages = json_object_get(item, "pages_per_night"), *share = json_object_get(item, "false_share");
        double per_night = pages ? json_number_value(pages) : PAGES_PER_NIGHT, false_share = share ? json_number_value(share) : FALSE_SHARE;
        (void)file;
        if (!json_object_get(item, "budget"))
                return true; /* another thing to watch */
        if (!name.length || name.length >= sizeof reading->teams->name || str_is(name, "default"))
                return fail(err, ERR_INVALID, "budget", "a budget needs a name of less than %zu bytes, other than default", sizeof reading->teams->name);
        if (reading->count == BUDGETS_MAX)
                return fail(err, ERR_TOO_LARGE, "budget", "there are more than %d budgets", BUDGETS_MAX);
        for (size_t i = 0; i < reading->count; i++)
                if (str_is(name, reading->teams[i].name))
                        return fail(err, ERR_INVALID, "budget", "there are two budgets named %.*s", STR_ARGS(name));
        if ((pages && !json_is_number(pages)) || per_night < 0 || per_night > 1000 || (share && !json_is_number(share)) || false_share < 0.001 || false_share > 0.5)
                return fail(err, ERR_INVALID, "budget", "budget %.*s: pages_per_night is 0 to 1000, false_share 0.001 to 0.5", STR_ARGS(name));
        struct team *team = &reading->teams[reading->count++];
        set_team(team, name.bytes, per_night, false_share);
        return read_match(json_object_get(item, "match"), reading->arena, &team->match, err) || err_within(err, "budget %.*s", STR_ARGS(name));
}

static bool read_all(const json_t *content, struct reading *reading, struct err *err)
{
        reading->teams = calloc(BUDGETS_MAX + 1, sizeof *reading->teams);
        if (!reading->teams)
                return fail_memory(err, "budget", BUDGETS_MAX * sizeof *reading->teams);
        if (content_visit(content, "watch", read_budget, reading, err)) {
                set_team(&reading->teams[reading->count++], "default", PAGES_PER_NIGHT, FALSE_SHARE);
                return true;
        }
        free(reading->teams);
        return false;
}

bool alert_budget_check(const json_t *content, struct err *err)
{
        struct arena arena;
        struct reading reading = {.arena = &arena};
        arena_init(&arena, 0);
        bool good = read_all(content, &reading, err);
        if (good)
                free(reading.teams);
        arena_done(&arena);
        return good;
}

/* A budget that keeps its name keeps what it has spent. */
static void carry_over(const struct team *from, struct team *to)
{
        double alpha = to->fdr.alpha;
        to->fdr = from->fdr;
        to->fdr.alpha = alpha;
        to->pages_left = min_of(from->pages_left, to->pages_per_night);
        to->refilled_ns = from->refilled_ns;
}

bool alert_budget_configure(struct alert_budget *budget, const json_t *content, struct err *err)
{
        struct arena arena;
        struct reading reading = {.arena = &arena};
        arena_init(&arena, 0);
        if (!read_all(content, &reading, err)) {
                arena_done(&arena);
                return false;
        }
        for (size_t i = 0; i < reading.count; i++)
                for (size_t k = 0; k < budget->team_count; k++)
                        if (strcmp(reading.teams[i].name, budget->teams[k].name) == 0)
                                carry_over(&budget->teams[k], &reading.teams[i]);
        memcpy(budget->teams, reading.teams, reading.count * sizeof *reading.teams);
        budget->team_count = reading.count;
        free(reading.teams);
        arena_done(&budget->arena);
        budget->arena = arena;
        return true;
}

/* --- deciding --------------------------------------------------------------------------------------------------------------------- */

static struct team *team_of(struct alert_budget *budget, const struct labels *labels)
{
        for (size_t i = 0; i + 1 < budget->team_count; i++) {
                bool matches = true;
                each (label, &budget->teams[i].match)
                        matches = matches && str_equal(labels_value(labels, label->name), label->value);
                if (matches)
                        return &budget->teams[i];
        }
        return &budget->teams[budget->team_count - 1];
}

static void refill(struct team *team, int64_t time_ns)
{
        if (team->refilled_ns)
                team->pages_left += team->pages_per_night * (double)max_of(time_ns - team->refilled_ns, (int64_t)0) / (double)NIGHT_NS;
        team->pages_left = min_of(team->pages_left, team->pages_per_night);
        team->refilled_ns = time_ns;
}

/* Whether it may page; else out_why is the reason, a sentence. */
static bool may_page(struct alert_budget *budget, const struct anomaly_kind_row *kind, const struct anomaly *anomaly, int64_t time_ns, char *out_why, size_t bytes)
{
        struct team *team = team_of(budget, &anomaly->labels);
        if (kind->needs_baseline && anomaly->is_learning) {
                snprintf(out_why, bytes, "the detector is still learning what is usual here");
                return false;
        }
        team->is_dirty = budget->is_dirty = true;
        refill(team, time_ns);
        if (!fdr_test(&team->fdr, anomaly->p_value * fmax(team->fdr.tau / kind->told_at, 1))) {
                snprintf(out_why, bytes, "not remarkable enough among all that is watched: more than %.0f percent of such pages would be for nothing",
                         team->fdr.alpha * 100);
                return false;
        }
        if (team->pages_left < 1) {
                if (team->pages_per_night > 0)
                        snprintf(out_why, bytes, "the budget \"%s\" of %g pages a night is used up", team->name, team->pages_per_night);
                else
                        snprintf(out_why, bytes, "the budget \"%s\" lets no anomaly page", team->name);
                return false;
        }
        team->pages_left--;
        return true;
}

/* --- findings --------------------------------------------------------------------------------------------------------------------- */

/* The name of the metric is part of what is unusual, as a label that may stand in an alert. */
static bool finding_labels(const struct anomaly_kind_row *kind, const struct labels *labels, bool is_held, struct arena *arena, struct labels *out_labels)
{
        struct labels made = {0};
        each (label, labels) {
                if (str_is(label->name, "alertname") || str_is(label->name, "severity") || str_is(label->name, "metric"))
                        continue;
                struct label *kept = arena_push(arena, &made);
                if (!kept)
                        return false;
                *kept = str_equal(label->name, LABEL_METRIC_NAME) ? (struct label){STR("metric"), label->value} : *label;
        }
        struct label *name = arena_push(arena, &made);
        if (name)
                *name = (struct label){STR("alertname"), str_of(kind->alert)};
        struct label *severity = name ? arena_push(arena, &made) : NULL;
        if (!severity)
                return false;
        *severity = (struct label){STR("severity"), is_held ? STR("warning") : STR("critical")};
        *out_labels = made;
        return labels_canonical(out_labels, NULL);
}

static bool tell(const struct episode *episode, const struct anomaly *anomaly, bool is_firing, const char *why, int64_t time_ns, struct noticed *noticed,
                 struct err *err)
{
        struct arena arena;
        struct labels labels;
        struct label annotation = {STR("summary"), anomaly ? anomaly->sentence : STR("")};
        struct finding finding = {.origin = FINDING_ANOMALY, .is_firing = is_firing, .starts_ns = episode->since_ns, .ends_ns = is_firing ? 0 : time_ns,
                                  .value = anomaly ? anomaly->value : NAN, .p_value = anomaly ? anomaly->p_value : 0, .is_held = episode->is_held,
                                  .held_why = str_of(why), .evidence = anomaly ? anomaly->evidence : STR(""), .source = str_of(episode->kind->alert)};
        arena_init(&arena, 0);
        if (annotation.value.length)
                finding.annotations = (struct labels){&annotation, 1, 1};
        bool good = labels_unpack(buf_str(&episode->packed), &arena, &labels, err) &&
                    (finding_labels(episode->kind, &labels, episode->is_held, &arena, &finding.labels) || fail_memory(err, "budget", sizeof finding)) &&
                    noticed_add_finding(noticed, &finding, err);
        arena_done(&arena);
        return good;
}

static bool keep_held(struct alert_budget *budget, const struct episode *episode, const struct anomaly *anomaly, const char *why, uint64_t sequence, int64_t time_ns,
                      struct err *err)
{
        scoped(buf_done) struct buf packed = {0};
        struct labels labels;
        struct arena *arena = &budget->held_arena;
        if (budget->held.count >= HELD_TICK_MAX)
                return true;
        struct held_row row = {.id = item_id(sequence, (uint32_t)budget->held.count), .time_ns = time_ns, .alert = str_of(episode->kind->alert),
                               .p_value = anomaly->p_value};
        struct held *held = arena_push(arena, &budget->held);
        if (!held || !finding_labels(episode->kind, &anomaly->labels, true, arena, &labels) || !labels_pack(&labels, &packed) ||
            !text_copy(buf_str(&packed), arena, &row.labels) || !text_copy(str_of(why), arena, &row.why) || !text_copy(anomaly->sentence, arena, &row.sentence) ||
            !text_copy(anomaly->evidence, arena, &row.evidence))
                return fail_memory(err, "budget", sizeof *held);
        held->row = row;
        budget->is_dirty = true;
        return true;
}

/* --- episodes --------------------------------------------------------------------------------------------------------------------- */

static const struct anomaly_kind_row *row_of(enum anomaly_kind kind)
{
        for (size_t i = 0; i < countof(kind_rows); i++)
                if (kind_rows[i].kind == kind)
                        return &kind_rows[i];
        return NULL;
}

static uint64_t hash_of(const struct anomaly_kind_row *kind, struct str packed)
{
        return hash64_seeded(packed, (uint64_t)kind->kind);
}

static struct episode *find(const struct alert_budget *budget, const struct anomaly_kind_row *kind, struct str packed)
{
        size_t at;
        uint64_t hash = hash_of(kind, packed);
        for (uint32_t i = map_first(&budget->index, hash, &at); i != MAP_NONE; i = map_next(&budget->index, hash, &at))
                if (budget->episodes[i]->kind == kind && str_equal(buf_str(&budget->episodes[i]->packed), packed))
                        return budget->episodes[i];
        return NULL;
}

static bool add(struct alert_budget *budget, const struct anomaly_kind_row *kind, struct str packed, struct episode **out_episode, struct err *err)
{
        if (budget->count == budget->capacity) {
                size_t capacity = max_of(budget->capacity * 2, (size_t)64);
                struct episode **items = realloc(budget->episodes, capacity * sizeof(struct episode *));
                if (!items)
                        return fail_memory(err, "budget", capacity * sizeof *items);
                budget->episodes = items;
                budget->capacity = capacity;
        }
        struct episode *episode = calloc(1, sizeof *episode);
        if (!episode || !buf_add(&episode->packed, packed) || !map_put(&budget->index, hash_of(kind, packed), (uint32_t)budget->count)) {
                if (episode)
                        free_episode(episode);
                return fail_memory(err, "budget", sizeof *episode);
        }
        episode->kind = kind;
        budget->episodes[budget->count++] = episode;
        *out_episode = episode;
        return true;
}

static void mark(struct alert_budget *budget, struct episode *episode)
{
        episode->is_dirty = true;
        budget->is_dirty = true;
}

static bool end(struct alert_budget *budget, struct episode *episode, const struct anomaly *anomaly, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        if (!tell(episode, anomaly, false, "", time_ns, noticed, err))
                return false;
        episode->is_over = true;
        mark(budget, episode);
        return true;
}

/* Begins an episode, or an ended one whose row is not gone yet anew. */
static bool begin(struct alert_budget *budget, struct episode *episode, const struct anomaly *anomaly, uint64_t sequence, int64_t time_ns, struct noticed *noticed,
                  struct err *err)
{
        char why[200] = "";
        episode->is_over = false;
        episode->since_ns = anomaly->since_ns ? anomaly->since_ns : anomaly->time_ns;
        episode->seen_ns = time_ns;
        episode->is_held = !may_page(budget, episode->kind, anomaly, time_ns, why, sizeof why);
        mark(budget, episode);
        budget->counts.held += episode->is_held;
        budget->counts.passed += !episode->is_held;
        return tell(episode, anomaly, true, why, time_ns, noticed, err) &&
               (!episode->is_held || keep_held(budget, episode, anomaly, why, sequence, time_ns, err));
}

/* It became worse: what was held may pass now. The held finding is another alert (a warning) and ends. */
static bool worsen(struct alert_budget *budget, struct episode *episode, const struct anomaly *anomaly, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        char why[200];
        episode->seen_ns = time_ns;
        mark(budget, episode);
        if (!episode->is_held || !may_page(budget, episode->kind, anomaly, time_ns, why, sizeof why))
                return true;
        if (!tell(episode, anomaly, false, "", time_ns, noticed, err))
                return false;
        episode->is_held = false;
        budget->counts.passed++;
        return tell(episode, anomaly, true, "", time_ns, noticed, err);
}

static bool take(struct alert_budget *budget, const struct anomaly *anomaly, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        scoped(buf_done) struct buf packed = {0};
        const struct anomaly_kind_row *kind = row_of(anomaly->kind);
        if (!kind)
                return true;
        if (!labels_pack(&anomaly->labels, &packed))
                return fail_memory(err, "budget", packed.length);
        struct episode *episode = find(budget, kind, buf_str(&packed));
        if (anomaly->is_over)
                return !episode || episode->is_over || end(budget, episode, anomaly, time_ns, noticed, err);
        if (episode && !episode->is_over)
                return worsen(budget, episode, anomaly, time_ns, noticed, err);
        if (!episode && budget->count >= EPISODES_MAX) {
                budget->counts.passed_by++;
                return true;
        }
        return (episode || add(budget, kind, buf_str(&packed), &episode, err)) && begin(budget, episode, anomaly, sequence, time_ns, noticed, err);
}

static bool sweep(struct alert_budget *budget, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        if (time_ns - budget->swept_ns < SWEEP_NS)
                return true;
        for (size_t i = 0; i < budget->count; i++) {
                struct episode *episode = budget->episodes[i];
                if (!episode->is_over && time_ns - episode->seen_ns > episode->kind->lasts_ns && !end(budget, episode, NULL, time_ns, noticed, err))
                        return false;
        }
        budget->swept_ns = time_ns;
        return true;
}

bool alert_budget_tick(struct alert_budget *budget, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        size_t count = noticed->anomalies.count;
        for (size_t i = 0; i < count; i++)
                if (!take(budget, &noticed->anomalies.items[i], sequence, time_ns, noticed, err))
                        return false;
        return sweep(budget, time_ns, noticed, err);
}

struct alert_budget_counts alert_budget_counts(const struct alert_budget *budget)
{
        return budget->counts;
}

/* --- the state database ------------------------------------------------------------------------------------------------------------ */

static void put_double(struct buf *out, double value)
{
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        buf_u64(out, bits);
}

static bool save_team(const struct team *team, struct buf *out)
{
        buf_u8(out, BUDGET_VERSION);
        put_double(out, team->pages_left);
        buf_u64(out, (uint64_t)team->refilled_ns);
        buf_u64(out, team->fdr.tested);
        buf_u64(out, team->fdr.candidates);
        buf_u64(out, team->fdr.discovered);
        for (size_t i = 0; i < FDR_DISCOVERIES_MAX; i++) {
                buf_u64(out, team->fdr.discoveries[i].tested);
                buf_u64(out, team->fdr.discoveries[i].candidates);
        }
        return !out->failed;
}

static uint64_t take_u64(struct str *bytes)
{
        uint64_t value = 0;
        for (size_t i = 0; i < 8; i++)
                value |= (uint64_t)(unsigned char)bytes->bytes[i] << (8 * i);
        *bytes = str_slice(*bytes, 8, bytes->length);
        return value;
}

static bool load_team(void *context, const struct budget_row *row, struct err *err)
{
        struct alert_budget *budget = context;
        struct str bytes = row->bytes;
        (void)err;
        if (bytes.length != 1 + 8 * (5 + 2 * FDR_DISCOVERIES_MAX) || bytes.bytes[0] != BUDGET_VERSION)
                return true; /* of another version: it begins anew */
        for (size_t i = 0; i < budget->team_count; i++) {
                struct team *team = &budget->teams[i];
                if (!str_is(row->name, team->name))
                        continue;
                bytes = str_slice(bytes, 1, bytes.length);
                uint64_t bits = take_u64(&bytes);
                memcpy(&team->pages_left, &bits, sizeof bits);
                team->refilled_ns = (int64_t)take_u64(&bytes);
                team->fdr.tested = take_u64(&bytes);
                team->fdr.candidates = take_u64(&bytes);
                team->fdr.discovered = take_u64(&bytes);
                for (size_t k = 0; k < FDR_DISCOVERIES_MAX; k++) {
                        team->fdr.discoveries[k].tested = take_u64(&bytes);
                        team->fdr.discoveries[k].candidates = take_u64(&bytes);
                }
                return true;
        }
        return true;
}

static bool load_episode(void *context, const struct episode_row *row, struct err *err)
{
        struct alert_budget *budget = context;
        const struct anomaly_kind_row *kind = row_of((enum anomaly_kind)row->kind);
        struct episode *episode;
        if (!kind)
                return true;
        if (!add(budget, kind, row->labels, &episode, err))
                return false;
        episode->is_held = row->is_held;
        episode->since_ns = row->since_ns;
        episode->seen_ns = row->seen_ns;
        return true;
}

bool alert_budget_load(struct alert_budget *budget, struct database *state, struct err *err)
{
        return budget_rows_visit(state, load_team, budget, err) && episode_rows_visit(state, load_episode, budget, err);
}

bool alert_budget_is_dirty(const struct alert_budget *budget)
{
        return budget->is_dirty;
}

bool alert_budget_write(struct alert_budget *budget, struct database *state, struct err *err)
{
        for (size_t i = 0; i < budget->count; i++) {
                const struct episode *episode = budget->episodes[i];
                struct episode_row row = {(int)episode->kind->kind, buf_str(&episode->packed), episode->is_held, episode->since_ns, episode->seen_ns};
                if (episode->is_dirty && !(episode->is_over ? episode_row_delete(state, &row, err) : episode_row_write(state, &row, err)))
                        return false;
        }
        for (size_t i = 0; i < budget->team_count; i++) {
                scoped(buf_done) struct buf bytes = {0};
                if (!budget->teams[i].is_dirty)
                        continue;
                if (!save_team(&budget->teams[i], &bytes))
                        return fail_memory(err, "budget", bytes.length);
                struct budget_row row = {str_of(budget->teams[i].name), buf_str(&bytes)};
                if (!budget_row_write(state, &row, err))
                        return false;
        }
        each (held, &budget->held)
                if (!held_row_write(state, &held->row, err))
                        return false;
        return !budget->held.count || held_rows_trim(state, HELD_MAX, err);
}

static void remove_at(struct alert_budget *budget, size_t place)
{
        struct episode *episode = budget->episodes[place], *last = budget->episodes[budget->count - 1];
        map_remove(&budget->index, hash_of(episode->kind, buf_str(&episode->packed)), (uint32_t)place);
        if (episode != last) {
                map_remove(&budget->index, hash_of(last->kind, buf_str(&last->packed)), (uint32_t)(budget->count - 1));
                map_put(&budget->index, hash_of(last->kind, buf_str(&last->packed)), (uint32_t)place); /* in a slot just freed */
                budget->episodes[place] = last;
        }
        budget->count--;
        free_episode(episode);
}

void alert_budget_written(struct alert_budget *budget)
{
        for (size_t i = budget->count; i-- > 0;) {
                budget->episodes[i]->is_dirty = false;
                if (budget->episodes[i]->is_over)
                        remove_at(budget, i);
        }
        for (size_t i = 0; i < budget->team_count; i++)
                budget->teams[i].is_dirty = false;
        arena_reset(&budget->held_arena);
        memset(&budget->held, 0, sizeof budget->held);
        budget->is_dirty = false;
}
