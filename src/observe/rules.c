/*
 * rules.c - see rules.h. An evaluation asks PromQL once and then compares what came with what the rule had before:
 *
 *      expression holds:      (new) -> pending --for passed--> firing        finding: firing
 *      it no longer holds:    pending -> gone;  firing --keep_firing_for passed--> gone        finding: resolved
 *
 * Changes of this state are rare next to evaluations, so rows are written at changes only.
 */
#include "observe/rules.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "observe/rule_group.h"
#include "observe/rule_table.h"
#include "observe/rule_template.h"
#include "query/promql.h"
#include "wire/exposition_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EVALUATION_BYTES_MAX ((size_t)256 << 20)

/* A row that must go from the table; its texts are its own. */
struct gone_row {
        char *group, *rule;
        struct buf labels;
};

struct rules {
        struct series_store *series;
        rules_record_fn *record;
        void *record_context;
        struct lock lock;               /* guards what rules_json reads: the set and its alerts; the pipeline's thread alone changes them */
        struct rule_set set;
        struct noticed left_over;       /* resolved findings of rules that a new configuration no longer has */
        struct { struct gone_row *items; size_t count, capacity; } gone; /* heap */
        size_t dirty;
        uint64_t evaluation;            /* counts up */
        int64_t tick_ns;                /* journal time of the newest tick; 0: none yet */
};

bool rules_create(struct series_store *series, struct rules **out_rules, struct err *err)
{
        struct rules *rules = calloc(1, sizeof *rules);
        if (!rules)
                return fail_memory(err, "rules", sizeof *rules);
        rules->series = series;
        lock_init(&rules->lock, LOCK_SOURCE);
        noticed_init(&rules->left_over);
        *out_rules = rules;
        return true;
}

static void forget_gone(struct rules *rules)
{
        each (row, &rules->gone) {
                free(row->group);
                free(row->rule);
                buf_done(&row->labels);
        }
        rules->gone.count = 0;
}

void rules_destroy(struct rules *rules)
{
        if (!rules)
                return;
        forget_gone(rules);
        free(rules->gone.items);
        rule_set_done(&rules->set);
        noticed_done(&rules->left_over);
        lock_done(&rules->lock);
        free(rules);
}

void rules_on_record(struct rules *rules, rules_record_fn *record, void *context)
{
        rules->record = record;
        rules->record_context = context;
}

/* --- findings ------------------------------------------------------------------------------------------------------- */

static bool add_expanded(struct arena *arena, struct labels *to, const struct labels *templates, const struct labels *labels, double value)
{
        each (template, templates) {
                scoped(buf_done) struct buf text = {0};
                struct label *label = arena_push(arena, to);
                rule_template_write(template->value, labels, value, &text);
                if (!label || text.failed || !text_copy(buf_str(&text), arena, &label->value))
                        return false;
                label->name = template->name;
        }
        return true;
}

/* The labels of a result become those of the alert: without the metric's name, with the rule's own over them. */
static bool alert_labels(const struct rule *rule, const struct series_data *series, struct arena *arena, struct labels *out_labels)
{
        struct labels labels = {0}, own = {0};
        if (!add_expanded(arena, &own, &rule->labels, &series->labels, series->count ? series->values[0] : NAN))
                return false;
        each (label, &series->labels) {
                bool hidden = str_equal(label->name, LABEL_METRIC_NAME) || str_is(label->name, "alertname") || labels_value(&own, label->name).length;
                struct label *kept = hidden ? NULL : arena_push(arena, &labels);
                if (!hidden && !kept)
                        return false;
                if (kept)
                        *kept = *label;
        }
        each (label, &own) {
                struct label *kept = arena_push(arena, &labels);
                if (!kept)
                        return false;
                *kept = *label;
        }
        struct label *name = arena_push(arena, &labels);
        if (!name)
                return false;
        *name = (struct label){rule->is_recording ? LABEL_METRIC_NAME : STR("alertname"), rule->name};
        *out_labels = labels;
        return labels_canonical(out_labels, NULL);
}

static bool tell(const struct rule_group *group, const struct rule *rule, const struct rule_alert *alert, bool is_firing, int64_t time_ns,
                 struct noticed *noticed, struct err *err)
{
        struct arena arena;
        struct finding finding = {
                .origin = FINDING_RULE, .labels = alert->labels, .is_firing = is_firing, .starts_ns = alert->active_ns,
                .ends_ns = is_firing ? 0 : time_ns, .value = alert->value, .evidence = rule->expression, .source = group->name,
        };
        arena_init(&arena, 1 << 20);
        bool good = (add_expanded(&arena, &finding.annotations, &rule->annotations, &alert->labels, alert->value) &&
                     labels_canonical(&finding.annotations, NULL)) || fail_memory(err, "rules", sizeof finding);
        good = good && noticed_add_finding(noticed, &finding, err);
        arena_done(&arena);
        return good;
}

/* --- an alert's life -------------------------------------------------------------------------------------------------- */

static void mark(struct rules *rules, struct rule_alert *alert)
{
        rules->dirty += !alert->is_dirty;
        alert->is_dirty = true;
}

static bool note_gone(struct rules *rules, const struct rule_group *group, const struct rule *rule, struct str packed, struct err *err)
{
        if (rules->gone.count == rules->gone.capacity) {
                size_t capacity = max_of(rules->gone.capacity * 2, (size_t)16);
                struct gone_row *items = realloc(rules->gone.items, capacity * sizeof *items);
                if (!items)
                        return fail_memory(err, "rules", capacity * sizeof *items);
                rules->gone.items = items;
                rules->gone.capacity = capacity;
        }
        struct gone_row row = {.group = strndup(group->key.bytes, group->key.length), .rule = strndup(rule->key.bytes, rule->key.length)};
        if (!row.group || !row.rule || !buf_add(&row.labels, packed)) {
                free(row.group);
                free(row.rule);
                buf_done(&row.labels);
                return fail_memory(err, "rules", packed.length);
        }
        rules->gone.items[rules->gone.count++] = row;
        return true;
}

static bool drop_alert(struct rules *rules, const struct rule_group *group, struct rule *rule, size_t place, struct err *err)
{
        struct rule_alert *alert = rule->alerts.items[place];
        if (!note_gone(rules, group, rule, alert->packed, err))
                return false;
        rules->dirty -= alert->is_dirty;
        rule_remove_alert(rule, place);
        return true;
}

/* The expression holds for these labels, at this value. */
static bool see(struct rules *rules, const struct rule_group *group, struct rule *rule, struct str packed, double value, int64_t time_ns,
                struct noticed *noticed, struct err *err)
{
        struct rule_alert *alert = rule_find_alert(rule, packed);
        if (!alert) {
                alert = rule_add_alert(rule, packed);
                if (!alert)
                        return fail_memory(err, "rules", packed.length);
                alert->active_ns = time_ns;
                mark(rules, alert);
        }
        if (alert->gone_ns)
                mark(rules, alert);
        if (memcmp(&alert->value, &value, sizeof value) != 0)
                mark(rules, alert); /* the end of an alert tells the newest value, also after a restart */
        alert->gone_ns = 0;
        alert->seen = rules->evaluation;
        alert->value = value;
        if (alert->fired_ns || time_ns - alert->active_ns < rule->for_ns)
                return true;
        alert->fired_ns = time_ns;
        mark(rules, alert);
        return tell(group, rule, alert, true, time_ns, noticed, err);
}

/* The expression no longer holds for the alerts that this evaluation did not see. */
static bool end_unseen(struct rules *rules, const struct rule_group *group, struct rule *rule, int64_t time_ns, struct noticed *noticed,
                       struct err *err)
{
        for (size_t i = rule->alerts.count; i-- > 0;) {
                struct rule_alert *alert = rule->alerts.items[i];
                if (alert->seen == rules->evaluation)
                        continue;
                if (alert->fired_ns && rule->keep_ns && (!alert->gone_ns || time_ns - alert->gone_ns < rule->keep_ns)) {
                        if (!alert->gone_ns)
                                mark(rules, alert);
                        alert->gone_ns = alert->gone_ns ? alert->gone_ns : time_ns;
                        continue;
                }
                if ((alert->fired_ns && !tell(group, rule, alert, false, time_ns, noticed, err)) || !drop_alert(rules, group, rule, i, err))
                        return false;
        }
        return true;
}

/* --- evaluation -------------------------------------------------------------------------------------------------------- */

static bool ask(struct rules *rules, const struct rule *rule, int64_t time_ns, struct arena *arena, struct series_set *out_set, struct err *err)
{
        struct promql_source source = promql_store_source(rules->series);
        struct promql_options options = {.start_ns = time_ns, .end_ns = time_ns, .bytes_max = EVALUATION_BYTES_MAX};
        struct promql_result result;
        if (!promql_query(rule->expression, &source, &options, arena, &result, err))
                return false;
        if (result.type == PROMQL_SCALAR) {
                struct series_set set = {0};
                struct series_data *one = arena_push(arena, &set);
                double *value = arena_new(arena, double);
                if (!one || !value)
                        return fail_memory(err, "rules", sizeof *one);
                *value = result.scalar;
                one->values = value;
                one->count = 1;
                result.set = set;
        }
        *out_set = result.set;
        return true;
}

static bool take_alerts(struct rules *rules, const struct rule_group *group, struct rule *rule, const struct series_set *set, struct arena *arena,
                        int64_t time_ns, struct noticed *noticed, struct err *err)
{
        scoped(buf_done) struct buf packed = {0};
        with_lock(&rules->lock);
        rules->evaluation++;
        each (series, set) {
                struct labels labels;
                buf_clear(&packed);
                if (!alert_labels(rule, series, arena, &labels) || !labels_pack(&labels, &packed))
                        return fail_memory(err, "rules", packed.length);
                if (!see(rules, group, rule, buf_str(&packed), series->count ? series->values[0] : NAN, time_ns, noticed, err))
                        return false;
        }
        return end_unseen(rules, group, rule, time_ns, noticed, err);
}

static bool take_record(const struct rule *rule, const struct series_set *set, struct arena *arena, int64_t time_ns, struct buf *out, struct err *err)
{
        each (series, set) {
                struct labels labels;
                if (!alert_labels(rule, series, arena, &labels))
                        return fail_memory(err, "rules", sizeof labels);
                labels_print(&labels, out);
                buf_byte(out, ' ');
                exposition_number(out, series->count ? series->values[0] : NAN);
                buf_printf(out, " %lld\n", (long long)(time_ns / NS_PER_MS));
        }
        return !out->failed || fail_memory(err, "rules", out->length);
}

static void note_evaluation(struct rules *rules, struct rule *rule, const char *fault, int64_t time_ns, int64_t start_ns)
{
        with_lock(&rules->lock);
        snprintf(rule->fault, sizeof rule->fault, "%.199s", fault);
        rule->evaluated_ns = time_ns;
        rule->duration_ns = clock_monotonic_ns(&clock_real) - start_ns; /* for people; nothing is decided by it */
}

/* A fault of the expression's is the rule's own and told there; false is for want of memory. */
static bool evaluate_rule(struct rules *rules, const struct rule_group *group, struct rule *rule, int64_t time_ns, struct noticed *noticed,
                          struct buf *recorded, struct err *err)
{
        struct arena arena;
        struct series_set set = {0};
        struct err fault = {0};
        int64_t start_ns = clock_monotonic_ns(&clock_real);
        size_t limit = group->limit ? min_of(group->limit, (size_t)RULE_ALERTS_MAX) : RULE_ALERTS_MAX;
        arena_init(&arena, 0);
        bool asked = ask(rules, rule, time_ns, &arena, &set, &fault) &&
                     (set.count <= limit || fail(&fault, ERR_TOO_LARGE, "rules", "the expression gives %zu results, and at most %zu are followed; "
                                                 "narrow it, or aggregate", set.count, limit));
        bool good = !asked || (rule->is_recording ? take_record(rule, &set, &arena, time_ns, recorded, err) :
                                                    take_alerts(rules, group, rule, &set, &arena, time_ns, noticed, err));
        note_evaluation(rules, rule, asked ? "" : fault.message, time_ns, start_ns);
        if (!asked)
                log_debug("rules", "rule %.*s: %s", STR_ARGS(rule->name), fault.message);
        arena_done(&arena);
        return good;
}

static bool evaluate_group(struct rules *rules, struct rule_group *group, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        scoped(buf_done) struct buf recorded = {0};
        for (size_t i = 0; i < group->rule_count; i++)
                if (!evaluate_rule(rules, group, &group->rules[i], time_ns, noticed, &recorded, err))
                        return false;
        if (recorded.length && rules->record)
                rules->record(rules->record_context, buf_str(&recorded));
        return true;
}

/* Groups of one interval are spread over it by the hash of their name, so that they do not all come at once. */
static int64_t slot_at(const struct rule_group *group, int64_t time_ns)
{
        int64_t shift_ns = (int64_t)(hash64(group->key) % (uint64_t)group->interval_ns);
        return (time_ns + shift_ns) / group->interval_ns;
}

bool rules_tick(struct rules *rules, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        if (!noticed_move(&rules->left_over, noticed, err))
                return false;
        rules->tick_ns = time_ns;
        each (group, &rules->set.groups) {
                int64_t slot = slot_at(group, time_ns);
                if (slot == group->slot)
                        continue;
                group->slot = slot;
                if (!evaluate_group(rules, group, time_ns, noticed, err))
                        return err_within(err, "evaluating group %.*s", STR_ARGS(group->name));
        }
        return true;
}

/* --- configuration ------------------------------------------------------------------------------------------------------ */

bool rules_check(const json_t *content, struct err *err)
{
        struct rule_set set;
        if (!rule_set_parse(content, &set, err))
                return false;
        rule_set_done(&set);
        return true;
}

/* Alerts move over with what belongs to them; heap pointers only, so it cannot fail half way. */
static void move_alerts(struct rule *from, struct rule *to)
{
        to->alerts = from->alerts;
        to->index = from->index;
        memset(&from->alerts, 0, sizeof from->alerts);
        memset(&from->index, 0, sizeof from->index);
}

static bool end_alerts(struct rules *rules, const struct rule_group *group, struct rule *rule, struct err *err)
{
        while (rule->alerts.count) {
                struct rule_alert *alert = rule->alerts.items[rule->alerts.count - 1];
                if ((alert->fired_ns && !tell(group, rule, alert, false, 0, &rules->left_over, err)) ||
                    !drop_alert(rules, group, rule, rule->alerts.count - 1, err))
                        return false;
        }
        return true;
}

/* Which interval of a group was evaluated last is a function of the newest tick alone, so that a restart knows it too. */
static void begin_slots(struct rules *rules)
{
        each (group, &rules->set.groups)
                group->slot = rules->tick_ns ? slot_at(group, rules->tick_ns) : 0;
}

bool rules_configure(struct rules *rules, const json_t *content, struct err *err)
{
        struct rule_set fresh;
        if (!rule_set_parse(content, &fresh, err))
                return false;
        with_lock(&rules->lock);
        each (group, &rules->set.groups)
                for (size_t i = 0; i < group->rule_count; i++) {
                        struct rule *rule = &group->rules[i], *same = rule_set_find(&fresh, group->key, rule->key);
                        if (same && !same->is_recording)
                                move_alerts(rule, same);
                        else if (!end_alerts(rules, group, rule, err)) {
                                rule_set_done(&fresh);
                                return false;
                        }
                }
        rule_set_done(&rules->set);
        rules->set = fresh;
        begin_slots(rules);
        return true;
}

/* --- the state database ---------------------------------------------------------------------------------------------------- */

static bool load_row(void *context, const struct rule_row *row, struct err *err)
{
        struct rules *rules = context;
        struct rule *rule = rule_set_find(&rules->set, row->group, row->rule);
        if (!rule)
                return true; /* a rule that this version could not read; its alert ended with it */
        struct rule_alert *alert = rule_add_alert(rule, row->labels);
        if (!alert)
                return fail_memory(err, "rules", row->labels.length);
        alert->active_ns = row->active_ns;
        alert->fired_ns = row->fired_ns;
        alert->gone_ns = row->gone_ns;
        alert->value = row->value;
        return true;
}

bool rules_load(struct rules *rules, struct database *state, int64_t time_ns, struct err *err)
{
        with_lock(&rules->lock);
        if (!rule_tick_read(state, &rules->tick_ns, err))
                return false;
        rules->tick_ns = rules->tick_ns ? rules->tick_ns : time_ns;
        begin_slots(rules);
        return rule_rows_visit(state, load_row, rules, err);
}

bool rules_is_dirty(const struct rules *rules)
{
        return rules->dirty || rules->gone.count;
}

static bool write_rule(struct database *state, const struct rule_group *group, const struct rule *rule, struct err *err)
{
        for (size_t i = 0; i < rule->alerts.count; i++) {
                const struct rule_alert *alert = rule->alerts.items[i];
                struct rule_row row = {group->key, rule->key, alert->packed, alert->active_ns, alert->fired_ns, alert->gone_ns, alert->value};
                if (alert->is_dirty && !rule_row_write(state, &row, err))
                        return false;
        }
        return true;
}

/* A command moves the watermark too, without a tick: so the time of the newest tick is a row of its own. */
bool rules_write(struct rules *rules, struct database *state, struct err *err)
{
        if (!rule_tick_write(state, rules->tick_ns, err))
                return false;
        each (row, &rules->gone) {
                struct rule_row key = {.group = str_of(row->group), .rule = str_of(row->rule), .labels = buf_str(&row->labels)};
                if (!rule_row_delete(state, &key, err))
                        return false;
        }
        if (rules->dirty)
                each (group, &rules->set.groups)
                        for (size_t i = 0; i < group->rule_count; i++)
                                if (!write_rule(state, group, &group->rules[i], err))
                                        return false;
        return true;
}

void rules_written(struct rules *rules)
{
        forget_gone(rules);
        if (rules->dirty)
                each (group, &rules->set.groups)
                        for (size_t i = 0; i < group->rule_count; i++)
                                for (size_t k = 0; k < group->rules[i].alerts.count; k++)
                                        group->rules[i].alerts.items[k]->is_dirty = false;
        rules->dirty = 0;
}

/* --- for people ------------------------------------------------------------------------------------------------------------- */

static json_t *time_json(int64_t time_ns)
{
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(time_ns, 9, text);
        return json_string(text);
}

static json_t *labels_json(const struct labels *labels)
{
        json_t *object = json_object();
        each (label, labels)
                json_object_setn_new(object, label->name.bytes, label->name.length, json_stringn(label->value.bytes, label->value.length));
        return object;
}

static json_t *alert_json(const struct rule *rule, const struct rule_alert *alert)
{
        scoped(buf_done) struct buf value = {0};
        struct labels annotations = {0};
        struct arena arena;
        arena_init(&arena, 1 << 20);
        add_expanded(&arena, &annotations, &rule->annotations, &alert->labels, alert->value);
        exposition_number(&value, alert->value);
        json_t *json = json_pack("{s:o, s:o, s:s, s:o, s:s#}", "labels", labels_json(&alert->labels), "annotations", labels_json(&annotations),
                                 "state", alert->fired_ns ? "firing" : "pending", "activeAt", time_json(alert->active_ns), "value", value.bytes,
                                 (int)value.length);
        arena_done(&arena);
        return json;
}

static json_t *alerts_json(const struct rule *rule)
{
        json_t *list = json_array();
        for (size_t i = 0; i < rule->alerts.count; i++)
                json_array_append_new(list, alert_json(rule, rule->alerts.items[i]));
        return list;
}

static const char *state_of(const struct rule *rule)
{
        const char *state = "inactive";
        for (size_t i = 0; i < rule->alerts.count; i++)
                if (rule->alerts.items[i]->fired_ns)
                        return "firing";
                else
                        state = "pending";
        return state;
}

static json_t *rule_json(const struct rule *rule)
{
        json_t *json = json_pack("{s:s#, s:s#, s:o, s:s, s:o, s:f, s:s}", "name", rule->name.bytes, (int)rule->name.length, "query",
                                 rule->expression.bytes, (int)rule->expression.length, "labels", labels_json(&rule->labels), "health",
                                 rule->fault[0] ? "err" : rule->evaluated_ns ? "ok" : "unknown", "lastEvaluation", time_json(rule->evaluated_ns),
                                 "evaluationTime", (double)rule->duration_ns / NS_PER_S, "type", rule->is_recording ? "recording" : "alerting");
        if (rule->fault[0])
                json_object_set_new(json, "lastError", json_string(rule->fault));
        if (rule->is_recording)
                return json;
        json_object_set_new(json, "state", json_string(state_of(rule)));
        json_object_set_new(json, "duration", json_real((double)rule->for_ns / NS_PER_S));
        json_object_set_new(json, "keepFiringFor", json_real((double)rule->keep_ns / NS_PER_S));
        json_object_set_new(json, "annotations", labels_json(&rule->annotations));
        json_object_set_new(json, "alerts", alerts_json(rule));
        return json;
}

json_t *rules_json(struct rules *rules)
{
        json_t *groups = json_array();
        with_lock(&rules->lock);
        each (group, &rules->set.groups) {
                json_t *list = json_array();
                for (size_t i = 0; i < group->rule_count; i++)
                        json_array_append_new(list, rule_json(&group->rules[i]));
                json_array_append_new(groups, json_pack("{s:s#, s:s#, s:f, s:i, s:o}", "name", group->name.bytes, (int)group->name.length, "file",
                                                        group->file.bytes, (int)group->file.length, "interval",
                                                        (double)group->interval_ns / NS_PER_S, "limit", (int)group->limit, "rules", list));
        }
        return json_pack("{s:o}", "groups", groups);
}

json_t *rules_alerts_json(struct rules *rules)
{
        json_t *list = json_array();
        with_lock(&rules->lock);
        each (group, &rules->set.groups)
                for (size_t i = 0; i < group->rule_count; i++)
                        for (size_t k = 0; k < group->rules[i].alerts.count; k++)
                                json_array_append_new(list, alert_json(&group->rules[i], group->rules[i].alerts.items[k]));
        return json_pack("{s:o}", "alerts", list);
}
