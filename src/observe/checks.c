/* checks.c - see checks.h. */
#include "observe/checks.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/thread.h"
#include "model/content.h"

#include <stdlib.h>

#define EVERY_NS (60 * NS_PER_S)
#define TIMEOUT_NS (10 * NS_PER_S)
#define RETRY_NS (10 * NS_PER_S)
#define TIMEOUT_NS_MAX (600 * NS_PER_S)

struct checks {
        struct lock lock; /* guards plan */
        struct check_plan *plan;
        uint64_t plans;
};

SCOPED_PTR(check_plan_unref, struct check_plan)

bool checks_create(struct checks **out_checks, struct err *err)
{
        struct checks *checks = calloc(1, sizeof *checks);
        if (!checks)
                return fail_memory(err, "checks", sizeof *checks);
        lock_init(&checks->lock, LOCK_SOURCE);
        *out_checks = checks;
        return true;
}

void checks_destroy(struct checks *checks)
{
        if (!checks)
                return;
        check_plan_unref(checks->plan);
        lock_done(&checks->lock);
        free(checks);
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

static const struct check_kind *kind_named(struct str name)
{
        for (const struct check_kind *kind = check_kinds; kind->name; kind++)
                if (str_is(name, kind->name))
                        return kind;
        return NULL;
}

static bool add_label(struct arena *arena, struct labels *labels, struct str name, struct str value)
{
        struct label *label = arena_push(arena, labels);
        return label && text_copy(name, arena, &label->name) && text_copy(value, arena, &label->value);
}

static bool add_own(struct arena *arena, const json_t *object, struct labels *labels, struct err *err)
{
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)object, name, value) {
                if (!json_is_string(value))
                        return fail(err, ERR_INVALID, "check", "the label %s must be a text", name);
                if (!add_label(arena, labels, str_of(name), str_of(json_string_value(value))))
                        return fail_memory(err, "check", sizeof *labels);
        }
        return true;
}

/* "https://shop.example.org:8443/pay": shop.example.org. What is no address of a page: empty. */
static struct str host_of_address(struct str address)
{
        struct str host = address, before;
        size_t at;
        if (!str_find(address, STR("://"), &at))
                return STR("");
        host = str_slice(address, at + 3, address.length);
        for (size_t i = 0; i < host.length; i++)
                if (memchr("/?#", host.bytes[i], 3))
                        host = str_slice(host, 0, i);
        if (str_find(host, STR("@"), &at))
                host = str_slice(host, at + 1, host.length);
        if (str_starts_with(host, STR("[")) && str_find(host, STR("]"), &at))
                return str_slice(host, 1, at);
        str_cut(&host, ':', &before);
        return before;
}

/* The machine asked is the label host, so that the register finds it (and takes no page's address for one); a check of this machine
 * itself has none and then stands for none. */
static bool make_labels(struct check *check, struct arena *arena, struct err *err)
{
        struct str host, service = json_str(check->settings, "service");
        if (!check_text(check->settings, "host", arena, &host, err))
                return false;
        host = host.length ? host : host_of_address(check->instance);
        if (!add_label(arena, &check->labels, STR("check"), check->name) || !add_label(arena, &check->labels, STR("kind"), str_of(check->kind->name)) ||
            !add_label(arena, &check->labels, STR("instance"), check->instance) || !add_label(arena, &check->labels, STR("host"), host) ||
            !add_label(arena, &check->labels, STR("service"), service))
                return fail_memory(err, "check", sizeof check->labels);
        return add_own(arena, json_object_get(check->settings, "labels"), &check->labels, err) && labels_canonical(&check->labels, err) &&
               add_own(arena, json_object_get(check->settings, "annotations"), &check->annotations, err) && labels_canonical(&check->annotations, err);
}

static bool read_timing(struct check *check, struct err *err)
{
        const json_t *settings = check->settings;
        if (!check_duration(settings, "every", EVERY_NS, &check->every_ns, err) ||
            !check_duration(settings, "timeout", min_of(TIMEOUT_NS, check->every_ns), &check->timeout_ns, err) ||
            !check_duration(settings, "retry", min_of(RETRY_NS, check->every_ns), &check->retry_ns, err))
                return false;
        if (check->every_ns < CHECK_EVERY_NS_MIN || check->retry_ns < CHECK_EVERY_NS_MIN)
                return fail(err, ERR_INVALID, "check", "every and retry must be at least 1s");
        if (check->timeout_ns < NS_PER_MS || check->timeout_ns > TIMEOUT_NS_MAX)
                return fail(err, ERR_INVALID, "check", "timeout must be between 1ms and 10m");
        int64_t attempts = json_i64(settings, "attempts", 3);
        check->attempts = (int)attempts;
        return (attempts >= 1 && attempts <= 100) || fail(err, ERR_INVALID, "check", "attempts must be between 1 and 100");
}

/* Of any kind: that a key is of another one is not told, that it is misspelt is. */
static bool check_keys(const json_t *settings, struct err *err)
{
        static const char *const known[] = {"alert", "annotations", "attempts", "body", "ca_file", "command", "count", "critical", "critical_days", "every", "expect",
                                            "follow", "host", "insecure", "instance", "kind", "labels", "method", "name", "port", "retry", "send", "server", "server_name", "service",
                                            "severity", "status", "timeout", "type", "url", "warning", "warning_days"};
        const char *key;
        json_t *value;
        json_object_foreach ((json_t *)settings, key, value) {
                size_t i = 0;
                while (i < countof(known) && strcmp(known[i], key) != 0)
                        i++;
                if (i == countof(known))
                        return fail(err, ERR_INVALID, "check", "there is no setting \"%s\"; docs/operators/checks.md lists those that there are", key);
        }
        return true;
}

static bool read_check(struct check *check, struct arena *arena, struct err *err)
{
        struct str kind = json_str(check->settings, "kind"), alert = json_str(check->settings, "alert"), severity = json_str(check->settings, "severity");
        check->kind = kind_named(kind);
        if (!check->kind)
                return fail(err, ERR_INVALID, "check", "kind is \"%.*s\"; docs/operators/checks.md lists those that there are", STR_ARGS(kind));
        if (!text_copy(alert.length ? alert : str_of(check->kind->alert), arena, &check->alert) ||
            !text_copy(severity.length ? severity : STR("critical"), arena, &check->severity))
                return fail_memory(err, "check", alert.length);
        return check_keys(check->settings, err) && read_timing(check, err) && check->kind->parse(check, arena, &check->instance, err) && make_labels(check, arena, err);
}

static bool visit(void *context, const char *file, const json_t *item, struct err *err)
{
        struct check_plan *plan = context;
        struct str name = json_str(item, "name");
        (void)file;
        if (!name.length || name.length > 100)
                return fail(err, ERR_INVALID, "check", "a check needs a name of at most 100 bytes");
        each (other, &plan->checks)
                if (str_equal(other->name, name))
                        return fail(err, ERR_INVALID, "check", "there are two checks named %.*s", STR_ARGS(name));
        if (plan->checks.count == CHECKS_MAX)
                return fail(err, ERR_TOO_LARGE, "check", "there are more than %d checks", CHECKS_MAX);
        struct check *check = arena_push(&plan->arena, &plan->checks);
        json_t *copy = json_deep_copy(item);
        if (!check || !copy || json_array_append_new(plan->items, copy) < 0 || !text_copy(name, &plan->arena, &check->name))
                return fail_memory(err, "check", name.length);
        check->settings = copy;
        return read_check(check, &plan->arena, err) || err_within(err, "check %.*s", STR_ARGS(name));
}

static bool visit_file(void *context, const char *file, const json_t *item, struct err *err)
{
        struct check_plan *plan = context;
        struct str path = json_str(item, "file");
        (void)file;
        if (!json_object_get(item, "file"))
                return true; /* another thing to watch */
        if (!path.length || path.bytes[0] != '/')
                return fail(err, ERR_INVALID, "watch", "a file to watch needs its whole path, or a pattern of it");
        struct watch_file *watched = arena_push(&plan->arena, &plan->files);
        return (watched && text_copy(path, &plan->arena, &watched->path) && text_copy(json_str(item, "service"), &plan->arena, &watched->service)) ||
               fail_memory(err, "watch", path.length);
}

static bool plan_parse(const json_t *content, struct check_plan **out_plan, struct err *err)
{
        scoped_ptr(check_plan_unref) struct check_plan *plan = calloc(1, sizeof *plan);
        if (!plan)
                return fail_memory(err, "check", sizeof *plan);
        plan->users = 1;
        arena_init(&plan->arena, (size_t)256 << 20);
        plan->items = json_array();
        if (!plan->items || !content_visit(content, "checks", visit, plan, err) || !content_visit(content, "watch", visit_file, plan, err))
                return plan->items ? false : fail_memory(err, "check", sizeof *plan);
        *out_plan = give(plan);
        return true;
}

/* --- in force ------------------------------------------------------------------------------------------------------------------ */

bool checks_check(const json_t *content, struct err *err)
{
        struct check_plan *plan;
        if (!plan_parse(content, &plan, err))
                return false;
        check_plan_unref(plan);
        return true;
}

bool checks_configure(struct checks *checks, const json_t *content, struct err *err)
{
        struct check_plan *fresh, *old;
        if (!plan_parse(content, &fresh, err))
                return false;
        {
                with_lock(&checks->lock);
                fresh->number = ++checks->plans;
                old = checks->plan;
                checks->plan = fresh;
        }
        check_plan_unref(old);
        return true;
}

struct check_plan *checks_plan(struct checks *checks)
{
        with_lock(&checks->lock);
        return checks->plan ? check_plan_ref(checks->plan) : NULL;
}

struct check_plan *check_plan_ref(struct check_plan *plan)
{
        plan->users++;
        return plan;
}

void check_plan_unref(struct check_plan *plan)
{
        if (!plan || --plan->users)
                return;
        json_decref(plan->items);
        arena_done(&plan->arena);
        free(plan);
}
