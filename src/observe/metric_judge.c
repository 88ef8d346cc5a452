/*
 * metric_judge.c - judges what is pending in a partition, and tells of it. Of each series all its samples come together, so that its
 * detector is fetched once for them, and detectors come in the order of their memory.
 */
#include "observe/metric_detector_partition.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/scope.h"
#include "model/measure.h"
#include "model/noticed.h"
#include "observe/observe.h"
#include "store/series.h"

#include <math.h>
#include <stdlib.h>

#define AHEAD 8                 /* samples */
#define LEARNING_S 86400.0f

struct judging {
        struct detector_partition *partition;
        const struct settle *settle;
        struct noticed *noticed;
};

/* NaN: nothing can be said, as of a counter's first value or one that was set back. */
static double rate_of(const struct detector *detector, struct beside *beside, int64_t time_ns, double value)
{
        double before = beside->raw, seconds = (double)(time_ns - detector->last_ns) / NS_PER_S;
        beside->raw = value;
        return detector->last_ns && value >= before && seconds > 0 ? (value - before) / seconds : NAN;
}

static bool write_sentence(struct buf *out, struct str name, const struct verdict *verdict, double value, bool is_rate)
{
        bool is_move = verdict->view == VIEW_MOVE;
        buf_printf(out, "%.*s%s %s", STR_ARGS(name), is_rate ? " per second" : "", is_move ? "moved to " : verdict->view == VIEW_SHIFT ? "is lastingly " : "is ");
        measure_write(out, name, is_rate, value);
        if (is_move)
                return buf_text(out, " in a way it does not move at this hour");
        buf_text(out, "; usual at this hour is ");
        measure_write(out, name, is_rate, is_rate || measure_is_bytes(name) ? fmax(verdict->low, 0) : (double)verdict->low); /* these are never less */
        buf_text(out, " to ");
        measure_write(out, name, is_rate, verdict->high);
        return !out->failed;
}

static enum anomaly_kind kind_of(const struct verdict *verdict)
{
        return verdict->view == VIEW_SHIFT ? ANOMALY_SHIFT : ANOMALY_LEVEL;
}

static bool note(struct noticed *noticed, const struct labels *labels, const struct beside *beside, int64_t time_ns, double value,
                 const struct verdict *verdict, bool is_over, bool is_learning, bool is_rate, struct err *err)
{
        scoped(buf_done) struct buf sentence = {0};
        scoped(buf_done) struct buf evidence = {0};
        struct str name = labels_value(labels, LABEL_METRIC_NAME);
        if (!(is_over ? buf_printf(&sentence, "%.*s is usual again", STR_ARGS(name)) : write_sentence(&sentence, name, verdict, value, is_rate)) ||
            (is_rate && !buf_text(&evidence, "rate(")) || !labels_print(labels, &evidence) || (is_rate && !buf_text(&evidence, "[5m])")))
                return fail_memory(err, "metric_detector", sentence.length + evidence.length);
        struct anomaly anomaly = {
                .kind = beside->since_ns ? (enum anomaly_kind)beside->kind : kind_of(verdict), .labels = *labels, .time_ns = time_ns,
                .since_ns = beside->since_ns ? beside->since_ns : time_ns, .is_over = is_over, .score = (double)verdict->score,
                .p_value = (double)verdict->p_value, .value = value, .expected_low = (double)verdict->low, .expected_high = (double)verdict->high,
                .is_learning = is_learning, .sentence = buf_str(&sentence), .evidence = buf_str(&evidence),
        };
        return noticed_add_anomaly(noticed, &anomaly, err);
}

/* What a series is called; *out_found false: the store does not have it, as when it is at its bound. */
static bool read_labels(const struct judging *judging, uint32_t at, struct arena *arena, struct labels *out_labels, bool *out_found, struct err *err)
{
        const struct settle *settle = judging->settle;
        *out_found = false;
        return !settle->store ||
               series_labels(settle->store, settle->partition, judging->partition->keys.items[at], judging->partition->pending.since_ns, arena, out_labels,
                             out_found, err);
}

/* Of a detector that an older version saved. */
static bool learn_reading(const struct judging *judging, uint32_t at, struct err *err)
{
        scoped(arena_done) struct arena arena = {0};
        struct labels labels;
        bool is_found;
        if (!read_labels(judging, at, &arena, &labels, &is_found, err))
                return false;
        if (is_found)
                beside_at(judging->partition, at)->reading = (uint64_t)measure_reading(labels_value(&labels, LABEL_METRIC_NAME)) + 1;
        return true;
}

/* What is untold. */
static bool tell(const struct judging *judging, const struct pending_sample *sample, struct err *err)
{
        struct detector_partition *partition = judging->partition;
        struct beside *beside = beside_at(partition, sample->series);
        const struct detector *detector = detector_at(partition, sample->series);
        const struct verdict *verdict = &partition->untold.verdict;
        scoped(arena_done) struct arena arena = {0};
        struct labels labels;
        bool is_found;
        if (!read_labels(judging, sample->series, &arena, &labels, &is_found, err))
                return false;
        if (!is_found)
                return true;
        bool is_over = beside->since_ns && !verdict->is_open;
        bool is_learning = verdict->is_learning || (float)detector->seen * detector->step_s < LEARNING_S;
        if (!note(judging->noticed, &labels, beside, sample->time_ns, partition->untold.value, verdict, is_over, is_learning,
                  beside->reading == READ_AS_RATE + 1, err))
                return false;
        beside->kind = beside->since_ns ? beside->kind : (uint64_t)kind_of(verdict);
        beside->since_ns = is_over ? 0 : beside->since_ns ? beside->since_ns : sample->time_ns;
        partition->counts.anomalies++;
        return true;
}

/* Whether there is something to tell of it: partition->untold. */
static bool push(struct detector_partition *partition, const struct pending_sample *sample)
{
        struct detector *detector = detector_at(partition, sample->series);
        struct beside *beside = beside_at(partition, sample->series);
        struct verdict *verdict = &partition->untold.verdict;
        bool is_rate = beside->reading == READ_AS_RATE + 1;
        if (detector->last_ns && sample->time_ns <= detector->last_ns) /* late, or of a fold that came again */
                return false;
        double value = is_rate ? rate_of(detector, beside, sample->time_ns, sample->value) : sample->value;
        partition->untold.value = value;
        partition->counts.samples++;
        detector_push(detector, sample->time_ns, value, verdict);
        if (isfinite(value))
                return verdict->is_flagged || (beside->since_ns && !verdict->is_open);
        if (is_rate) /* no verdict; the time counts, so that the next rate is over the right stretch */
                detector->last_ns = sample->time_ns;
        return false;
}

static bool judge(const struct judging *judging, const struct pending_sample *sample, struct err *err)
{
        struct detector_partition *partition = judging->partition;
        if (!beside_at(partition, sample->series)->reading && !learn_reading(judging, sample->series, err))
                return false;
        if (!partition->untold.is_one)
                partition->untold.is_one = push(partition, sample);
        if (partition->untold.is_one && !tell(judging, sample, err))
                return false;
        partition->untold.is_one = false;
        return true;
}

static void fetch_detector(const struct detector_partition *partition, uint32_t at)
{
        const char *bytes = (const char *)detector_at(partition, at);
        for (size_t byte = 0; byte < sizeof(struct detector); byte += 64)
                __builtin_prefetch(bytes + byte, 1);
        __builtin_prefetch(beside_at(partition, at), 1);
}

bool metric_judge(struct detector_partition *partition, const struct settle *settle, struct noticed *noticed, struct err *err)
{
        const struct judging judging = {partition, settle, noticed};
        uint32_t count = partition->pending.count;
        struct pending_sample *sorted = pending_sorted(&partition->pending, partition->keys.count);
        if (!sorted)
                return fail_memory(err, "metric_judge", count * sizeof *sorted);
        bool good = true;
        for (uint32_t i = partition->judged; good && i < count; i += good) {
                uint32_t ahead = i + AHEAD;
                if (ahead < count && sorted[ahead].series != sorted[ahead - 1].series)
                        fetch_detector(partition, sorted[ahead].series);
                good = judge(&judging, &sorted[i], err);
                partition->judged = i + good;
        }
        free(sorted);
        if (!good)
                return err_within(err, "judging samples of partition %u", (unsigned)settle->partition);
        partition->judged = 0;
        pending_clear(&partition->pending);
        return true;
}
