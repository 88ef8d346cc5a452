/* rule_group.c - see rule_group.h. Every field of a rule file is a row here; what is not is refused by name. */
#include "observe/rule_group.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/content.h"
#include "observe/rule_template.h"
#include "query/promql.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL_NS (60 * NS_PER_S)

static bool nothing(void *context, const struct series_select *select, struct arena *arena, struct series_set *out_set, struct err *err)
{
        (void)context;
        (void)select;
        (void)arena;
        (void)err;
        *out_set = (struct series_set){0};
        return true;
}

/* Parses and checks by evaluating over no series at all. */
static bool check_expression(struct str text, struct err *err)
{
        struct promql_source source = {.select = nothing};
        struct promql_options options = {0};
        struct promql_result result;
        struct arena arena;
        arena_init(&arena, 64 << 20);
        bool good = promql_query(text, &source, &options, &arena, &result, err);
        arena_done(&arena);
        if (good && result.type != PROMQL_VECTOR && result.type != PROMQL_SCALAR)
                return fail(err, ERR_INVALID, "rule", "the expression gives a range of samples or a text; a rule needs an instant vector or a scalar");
        return good;
}

static bool check_keys(const json_t *object, const char *const known[], struct err *err)
{
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)object, key, value) {
                size_t i = 0;
                while (known[i] && strcmp(known[i], key) != 0)
                        i++;
                if (!known[i])
                        return fail(err, ERR_INVALID, "rule", "the field %s is not known", key);
        }
        return true;
}

static bool read_duration(const json_t *object, const char *key, int64_t otherwise, int64_t *out_ns, struct err *err)
{
        const json_t *value = json_object_get(object, key);
        *out_ns = otherwise;
        if (!value)
                return true;
        if (json_is_integer(value)) {
                *out_ns = json_integer_value(value) * NS_PER_S;
                return true;
        }
        return promql_duration(json_str(object, key), out_ns, err) || err_within(err, "%s", key);
}

static bool read_texts(const json_t *object, const char *key, struct arena *arena, struct labels *out_labels, struct err *err)
{
        struct labels labels = {0};
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(object, key), name, value) {
                struct label *label = arena_push(arena, &labels);
                if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
                        return fail(err, ERR_INVALID, "rule", "%s: %s must be a text", key, name);
                scoped(buf_done) struct buf text = {0};
                if (json_is_string(value))
                        buf_text(&text, json_string_value(value));
                else
                        json_write(value, &text);
                if (!label || !text_copy(str_of(name), arena, &label->name) || !text_copy(buf_str(&text), arena, &label->value))
                        return fail_memory(err, "rule", sizeof *label);
                if (!rule_template_check(label->value, err))
                        return err_within(err, "%s: %s", key, name);
        }
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

/* Two alerts of one name with other labels (a warning and a critical limit) are usual. */
static bool make_key(struct arena *arena, struct rule *rule, struct err *err)
{
        scoped(buf_done) struct buf key = {0};
        return (buf_add(&key, rule->name) && labels_print(&rule->labels, &key) && text_copy(buf_str(&key), arena, &rule->key)) ||
               fail_memory(err, "rule", key.length);
}

static bool parse_rule(const json_t *tree, struct arena *arena, struct rule *rule, struct err *err)
{
        static const char *const known[] = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations", NULL};
        struct str alert = json_str(tree, "alert"), record = json_str(tree, "record"), expression = json_str(tree, "expr");
        char number[32];
        if (json_is_integer(json_object_get(tree, "expr"))) {
                snprintf(number, sizeof number, "%lld", (long long)json_i64(tree, "expr", 0));
                expression = str_of(number);
        }
        if (!alert.length == !record.length)
                return fail(err, ERR_INVALID, "rule", "a rule has one of alert and record");
        rule->is_recording = record.length != 0;
        if (!text_copy(alert.length ? alert : record, arena, &rule->name) || !text_copy(expression, arena, &rule->expression))
                return fail_memory(err, "rule", expression.length);
        bool good = check_keys(tree, known, err) && check_expression(rule->expression, err) &&
                    read_duration(tree, "for", 0, &rule->for_ns, err) && read_duration(tree, "keep_firing_for", 0, &rule->keep_ns, err) &&
                    read_texts(tree, "labels", arena, &rule->labels, err) && read_texts(tree, "annotations", arena, &rule->annotations, err) &&
                    make_key(arena, rule, err);
        return good || err_within(err, "rule %.*s", STR_ARGS(rule->name));
}

static bool parse_rules(const json_t *list, struct arena *arena, struct rule_group *group, struct err *err)
{
        size_t i;
        json_t *tree;
        group->rules = arena_array(arena, json_array_size(list) + 1, sizeof *group->rules);
        if (!group->rules)
                return fail_memory(err, "rule", json_array_size(list));
        json_array_foreach((json_t *)list, i, tree) {
                if (!parse_rule(tree, arena, &group->rules[group->rule_count++], err))
                        return false;
                struct rule *rule = &group->rules[group->rule_count - 1];
                for (size_t k = 0; k + 1 < group->rule_count; k++)
                        if (str_equal(group->rules[k].key, rule->key))
                                return fail(err, ERR_INVALID, "rule", "the rule %.*s stands twice in the group with the same labels", STR_ARGS(rule->name));
        }
        return true;
}

static bool parse_group(void *context, const char *file, const json_t *tree, struct err *err)
{
        static const char *const known[] = {"name", "interval", "limit", "rules", NULL};
        struct rule_set *set = context;
        struct rule_group *group = arena_push(&set->arena, &set->groups);
        struct str name = json_str(tree, "name");
        if (!group)
                return fail_memory(err, "rule", sizeof *group);
        if (!name.length)
                return fail(err, ERR_INVALID, "rule", "the group has no name");
        group->limit = (size_t)max_of(json_i64(tree, "limit", 0), (int64_t)0);
        group->key = arena_printf(&set->arena, "%s;%.*s", file, STR_ARGS(name));
        if (!group->key.bytes || !text_copy(name, &set->arena, &group->name) || !text_copy(str_of(file), &set->arena, &group->file))
                return fail_memory(err, "rule", name.length);
        each (other, &set->groups)
                if (other != group && str_equal(other->key, group->key))
                        return fail(err, ERR_INVALID, "rule", "the group %.*s stands twice in the file", STR_ARGS(name));
        bool good = check_keys(tree, known, err) && read_duration(tree, "interval", INTERVAL_NS, &group->interval_ns, err) &&
                    (group->interval_ns >= NS_PER_S || fail(err, ERR_INVALID, "rule", "the interval must be at least 1s")) &&
                    parse_rules(json_object_get(tree, "rules"), &set->arena, group, err);
        return good || err_within(err, "group %.*s", STR_ARGS(name));
}

bool rule_set_parse(const json_t *content, struct rule_set *out_set, struct err *err)
{
        struct rule_set set = {0};
        arena_init(&set.arena, 0);
        if (!content_visit(content, "groups", parse_group, &set, err)) {
                rule_set_done(&set);
                return false;
        }
        *out_set = set;
        return true;
}

static void free_alert(struct rule_alert *alert)
{
        arena_done(&alert->arena);
        free(alert);
}

void rule_set_done(struct rule_set *set)
{
        each (group, &set->groups)
                for (size_t i = 0; i < group->rule_count; i++) {
                        struct rule *rule = &group->rules[i];
                        for (size_t k = 0; k < rule->alerts.count; k++)
                                free_alert(rule->alerts.items[k]);
                        free(rule->alerts.items);
                        map_done(&rule->index);
                }
        arena_done(&set->arena);
        *set = (struct rule_set){0};
}

struct rule *rule_set_find(struct rule_set *set, struct str group_key, struct str rule_key)
{
        each (group, &set->groups)
                for (size_t i = 0; str_equal(group->key, group_key) && i < group->rule_count; i++)
                        if (str_equal(group->rules[i].key, rule_key))
                                return &group->rules[i];
        return NULL;
}

struct rule_alert *rule_find_alert(const struct rule *rule, struct str packed)
{
        size_t at;
        uint64_t hash = hash64(packed);
        for (uint32_t i = map_first(&rule->index, hash, &at); i != MAP_NONE; i = map_next(&rule->index, hash, &at))
                if (str_equal(rule->alerts.items[i]->packed, packed))
                        return rule->alerts.items[i];
        return NULL;
}

static bool make_room(struct rule *rule)
{
        if (rule->alerts.count < rule->alerts.capacity)
                return true;
        size_t capacity = max_of(rule->alerts.capacity * 2, (size_t)8);
        struct rule_alert **items = realloc(rule->alerts.items, capacity * sizeof(struct rule_alert *));
        if (!items)
                return false;
        rule->alerts.items = items;
        rule->alerts.capacity = capacity;
        return true;
}

struct rule_alert *rule_add_alert(struct rule *rule, struct str packed)
{
        struct rule_alert *alert = calloc(1, sizeof *alert);
        if (!alert)
                return NULL;
        arena_init(&alert->arena, 0);
        if (!make_room(rule) || !text_copy(packed, &alert->arena, &alert->packed) ||
            !labels_unpack(alert->packed, &alert->arena, &alert->labels, NULL) ||
            !map_put(&rule->index, hash64(packed), (uint32_t)rule->alerts.count)) {
                free_alert(alert);
                return NULL;
        }
        rule->alerts.items[rule->alerts.count++] = alert;
        return alert;
}

void rule_remove_alert(struct rule *rule, size_t place)
{
        struct rule_alert *alert = rule->alerts.items[place], *last = rule->alerts.items[rule->alerts.count - 1];
        map_remove(&rule->index, hash64(alert->packed), (uint32_t)place);
        if (alert != last) {
                map_remove(&rule->index, hash64(last->packed), (uint32_t)(rule->alerts.count - 1));
                map_put(&rule->index, hash64(last->packed), (uint32_t)place); /* in the slot just freed: takes no memory */
                rule->alerts.items[place] = last;
        }
        rule->alerts.count--;
        free_alert(alert);
}
