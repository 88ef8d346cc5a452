/*
 * observe.c - see observe.h. Joins the detectors: those that fold are rows of detectors.def; of those that decide, the order
 * stands here.
 *
 * A partition's list is written by the worker that owns the partition and emptied by the pipeline's thread between rounds, so
 * it needs no lock.
 */
#include "observe/observe.h"

#include "base/clock.h"
#include "base/scope.h"
#include "model/content.h"
#include "observe/alert_budget.h"
#include "observe/checks.h"
#include "observe/forecasts.h"
#include "observe/intake.h"
#include "observe/log_templates.h"
#include "observe/metric_detector.h"
#include "observe/resources.h"
#include "observe/rules.h"
#include "observe/source.h"
#include "store/logs.h"

#include <stdlib.h>

enum detector_number {
#define D(name) AT_##name,
#include "observe/detectors.def"
#undef D
        DETECTORS
};

struct observe {
        struct observe_options options;
        struct rules *rules;
        struct checks *checks;
        struct forecasts *forecasts;
        struct alert_budget *alert_budget;
        void *detectors[DETECTORS];     /* as detectors.def has them */
        struct intake *intake;          /* NULL: recovering */
        struct noticed partitions[PARTITIONS];
        struct noticed carried;
};

/* --- folding detectors ------------------------------------------------------------------------------------------------ */

struct detector_kind {
        bool (*create)(void **out_detector, struct err *err);
        void (*destroy)(void *detector);
        bool (*fold)(void *detector, const struct fold *fold, struct noticed *noticed, struct err *err);
};

/* What the table cannot call without the type. */
#define D(name)                                                                                                                                                    \
        static bool create_##name(void **out_detector, struct err *err)                                                                                            \
        {                                                                                                                                                          \
                struct name *made;                                                                                                                                 \
                if (!name##_create(&made, err))                                                                                                                    \
                        return false;                                                                                                                              \
                *out_detector = made;                                                                                                                              \
                return true;                                                                                                                                       \
        }                                                                                                                                                          \
        static void destroy_##name(void *detector)                                                                                                                 \
        {                                                                                                                                                          \
                name##_destroy(detector);                                                                                                                          \
        }                                                                                                                                                          \
        static bool fold_##name(void *detector, const struct fold *fold, struct noticed *noticed, struct err *err)                                                 \
        {                                                                                                                                                          \
                return name##_fold(detector, fold, noticed, err);                                                                                                  \
        }                                                                                                                                                          \
        static bool save_##name(struct observe *observe, struct buf *out, struct err *err)                                                                         \
        {                                                                                                                                                          \
                return name##_save(observe->detectors[AT_##name], out, err);                                                                                       \
        }                                                                                                                                                          \
        static bool restore_##name(struct observe *observe, struct str bytes, struct err *err)                                                                     \
        {                                                                                                                                                          \
                return name##_restore(observe->detectors[AT_##name], bytes, err);                                                                                  \
        }
#include "observe/detectors.def"
#undef D

static const struct detector_kind detector_kinds[] = {
#define D(name) {create_##name, destroy_##name, fold_##name},
#include "observe/detectors.def"
#undef D
};

const struct fold_part fold_parts[] = {
#define D(name) {#name, save_##name, restore_##name},
#include "observe/detectors.def"
#undef D
        {0},
};

bool observe_learn_anew(struct observe *observe, const struct fold_part *part, struct err *err)
{
        size_t at = (size_t)(part - fold_parts); /* both tables have the rows of detectors.def */
        void *fresh;
        if (!detector_kinds[at].create(&fresh, err))
                return false;
        detector_kinds[at].destroy(observe->detectors[at]);
        observe->detectors[at] = fresh;
        return true;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void recorded(void *context, const struct batch *batch, const struct err *err)
{
        (void)context;
        (void)batch;
        (void)err; /* the source's counters tell it */
}

/* What recording rules gave enters like telemetry. Refused (full, stopping), a step of the series is missing, as if a scrape had failed. */
static void record(void *context, struct str text)
{
        struct observe *observe = context;
        struct err err = {0};
        struct batch *batch = observe->intake ? batch_create(SOURCE_RULES, STR("rules"), &err) : NULL;
        if (!batch)
                return;
        batch->received_ns = clock_now_ns(intake_clock(observe->intake));
        if (!text_copy(text, &batch->arena, &batch->bytes)) {
                batch_destroy(batch);
                return;
        }
        if (!intake_offer(observe->intake, batch, recorded, NULL, &err))
                source_state(observe->intake, STR("rules"), "rules", true, "%s", err.message);
}

bool observe_create(const struct observe_options *options, struct observe **out_observe, struct err *err)
{
        struct observe *observe = calloc(1, sizeof *observe);
        if (!observe)
                return fail_memory(err, "observe", sizeof *observe);
        observe->options = *options;
        noticed_init(&observe->carried);
        for (int p = 0; p < PARTITIONS; p++)
                noticed_init(&observe->partitions[p]);
        if (!rules_create(options->series, &observe->rules, err) || !checks_create(&observe->checks, err) ||
            !forecasts_create(options->series, &observe->forecasts, err) || !alert_budget_create(&observe->alert_budget, err)) {
                observe_destroy(observe);
                return false;
        }
        for (size_t i = 0; i < DETECTORS; i++)
                if (!detector_kinds[i].create(&observe->detectors[i], err)) {
                        observe_destroy(observe);
                        return false;
                }
        rules_on_record(observe->rules, record, observe);
        *out_observe = observe;
        return true;
}

void observe_destroy(struct observe *observe)
{
        if (!observe)
                return;
        for (size_t i = 0; i < DETECTORS; i++)
                if (observe->detectors[i])
                        detector_kinds[i].destroy(observe->detectors[i]);
        rules_destroy(observe->rules);
        checks_destroy(observe->checks);
        forecasts_destroy(observe->forecasts);
        alert_budget_destroy(observe->alert_budget);
        noticed_done(&observe->carried);
        for (int p = 0; p < PARTITIONS; p++)
                noticed_done(&observe->partitions[p]);
        free(observe);
}

void observe_connect(struct observe *observe, struct intake *intake)
{
        observe->intake = intake;
}

struct rules *observe_rules(struct observe *observe)
{
        return observe->rules;
}

struct checks *observe_checks(struct observe *observe)
{
        return observe->checks;
}

void observe_forget_seen(struct observe *observe)
{
        resources_forget(observe->detectors[AT_resources]);
}

bool observe_watch(struct observe *observe, const struct kinds *kinds, struct err *err)
{
        return resources_watch(observe->detectors[AT_resources], kinds, err);
}

/* --- folding -------------------------------------------------------------------------------------------------------- */

/* Each of these knows how far it came with a fold that is given again. */
bool observe_fold(struct observe *observe, const struct fold *fold, struct err *err)
{
        for (size_t i = 0; i < DETECTORS; i++)
                if (!detector_kinds[i].fold(observe->detectors[i], fold, &observe->partitions[fold->partition], err))
                        return false;
        return true;
}

bool observe_is_due(const struct observe *observe, int64_t time_ns)
{
        return metric_detectors_are_due(observe->detectors[AT_metric_detectors], time_ns);
}

bool observe_settle(struct observe *observe, const struct settle *settle, struct err *err)
{
        return metric_detectors_settle(observe->detectors[AT_metric_detectors], settle, &observe->partitions[settle->partition], err);
}

struct log_templates *observe_log_templates(struct observe *observe)
{
        return observe->detectors[AT_log_templates];
}

bool observe_carry(struct observe *observe, const struct batch *batch, int64_t time_ns, struct err *err)
{
        each (finding, &batch->telemetry.findings) {
                struct finding timed = *finding;
                timed.starts_ns = timed.starts_ns ? timed.starts_ns : time_ns;
                if (!noticed_add_finding(&observe->carried, &timed, err))
                        return false;
        }
        each (change, &batch->telemetry.changes) {
                struct change_event timed = *change;
                timed.time_ns = timed.time_ns ? timed.time_ns : time_ns;
                if (!noticed_add_change(&observe->carried, &timed, err))
                        return false;
        }
        return true;
}

bool observe_gather(struct observe *observe, struct noticed *out_noticed, struct err *err)
{
        if (!noticed_move(&observe->carried, out_noticed, err))
                return false;
        for (int p = 0; p < PARTITIONS; p++)
                if (!noticed_move(&observe->partitions[p], out_noticed, err))
                        return false;
        return true;
}

/* --- deciding ------------------------------------------------------------------------------------------------------- */

/* Each item of `watch` is one thing, named by its first key. */
static bool watch_item(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const known[] = {"limit", "budget", "file"};
        int found = 0;
        (void)context, (void)file;
        for (size_t i = 0; i < countof(known); i++)
                found += json_object_get(item, known[i]) != NULL;
        return found == 1 || fail(err, ERR_INVALID, "watch", "an item to watch has one of limit, budget and file");
}

static bool watch_check(const json_t *content, struct err *err)
{
        return content_visit(content, "watch", watch_item, NULL, err);
}

bool observe_check_configuration(struct observe *observe, const json_t *content, struct err *err)
{
        (void)observe;
        return rules_check(content, err) && checks_check(content, err) && watch_check(content, err) &&
               forecasts_check(content, err) && alert_budget_check(content, err);
}

bool observe_configure(struct observe *observe, const json_t *content, struct err *err)
{
        return rules_configure(observe->rules, content, err) && checks_configure(observe->checks, content, err) &&
               forecasts_configure(observe->forecasts, content, err) && alert_budget_configure(observe->alert_budget, content, err);
}

bool observe_load(struct observe *observe, struct database *state, int64_t time_ns, struct err *err)
{
        return rules_load(observe->rules, state, time_ns, err) && forecasts_load(observe->forecasts, state, time_ns, err) &&
               alert_budget_load(observe->alert_budget, state, err);
}

bool observe_tick(struct observe *observe, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        return alert_budget_tick(observe->alert_budget, sequence, time_ns, noticed, err) && rules_tick(observe->rules, time_ns, noticed, err) &&
               forecasts_tick(observe->forecasts, time_ns, noticed, err);
}

bool observe_drain(struct observe *observe, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        return alert_budget_tick(observe->alert_budget, sequence, time_ns, noticed, err);
}

bool observe_is_dirty(const struct observe *observe)
{
        return rules_is_dirty(observe->rules) || forecasts_is_dirty(observe->forecasts) || alert_budget_is_dirty(observe->alert_budget);
}

bool observe_write(struct observe *observe, struct database *state, struct err *err)
{
        return rules_write(observe->rules, state, err) && forecasts_write(observe->forecasts, state, err) &&
               alert_budget_write(observe->alert_budget, state, err);
}

void observe_written(struct observe *observe)
{
        rules_written(observe->rules);
        forecasts_written(observe->forecasts);
        alert_budget_written(observe->alert_budget);
}
