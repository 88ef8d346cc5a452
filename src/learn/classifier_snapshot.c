/*
 * classifier_snapshot.c - a classifier as bytes: for checkpoints. See classifier.h.
 *
 * Of the lanes past the labels only the first is written: they all stand for labels not seen yet and are alike. Rows are
 * written by hash, so that the bytes do not depend on which were free before; the order of an example's terms stays, so
 * sums come out the same to the last bit.
 */
#include "learn/classifier_state.h"

#include "base/reader.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_MAGIC 0x31534C43U

/* A value that is no finite number fails the reader: nothing computed with it would mean anything. */
static float take_float(struct reader *reader)
{
        float value = reader_float(reader);
        reader->failed |= !isfinite(value);
        return reader->failed ? 0 : value;
}

static double take_double(struct reader *reader)
{
        double value = reader_double(reader);
        reader->failed |= !isfinite(value);
        return reader->failed ? 0 : value;
}

static void put_lanes(const struct classifier *c, const float *matrix, uint32_t row, struct buf *out)
{
        for (uint32_t lane = 0; lane <= c->label_count; lane++)
                buf_float(out, matrix[(size_t)row * c->stride + lane]);
}

static void take_lanes(const struct classifier *c, float *matrix, uint32_t row, struct reader *reader)
{
        float *lanes = matrix + (size_t)row * c->stride;
        for (uint32_t lane = 0; lane <= c->label_count; lane++)
                lanes[lane] = take_float(reader);
        for (uint32_t lane = c->label_count + 1; lane < c->stride; lane++)
                lanes[lane] = lanes[c->label_count];
}

static void put_calibration(const struct calibration *calibration, struct buf *out)
{
        buf_u64(out, calibration->total);
        buf_u64(out, calibration->right);
        buf_varint(out, calibration->next);
        buf_varint(out, calibration->count);
        for (int i = 0; i < CALIBRATION_TERMS; i++)
                buf_double(out, calibration->curve[i]);
        for (uint32_t i = 0; i < calibration->count; i++) {
                buf_float(out, calibration->trials[i].score);
                buf_float(out, calibration->trials[i].lead);
                buf_u8(out, calibration->trials[i].was_right);
        }
}

static void take_calibration(struct calibration *calibration, struct reader *reader)
{
        calibration->total = reader_u64(reader);
        calibration->right = reader_u64(reader);
        uint64_t next = reader_varint(reader), count = reader_varint(reader);
        if (count > CALIBRATION_TRIALS || next >= CALIBRATION_TRIALS || (count < CALIBRATION_TRIALS && next != count)) {
                reader->failed = true;
                return;
        }
        calibration->next = (uint32_t)next;
        calibration->count = (uint32_t)count;
        for (int i = 0; i < CALIBRATION_TERMS; i++)
                calibration->curve[i] = take_double(reader);
        for (uint32_t i = 0; i < count; i++) {
                float trial_score = take_float(reader), lead = take_float(reader);
                uint8_t right = reader_u8(reader);
                reader->failed |= right > 1;
                calibration->trials[i] = (struct calibration_trial){trial_score, lead, right == 1};
        }
}

static void put_example(const struct classifier *c, uint32_t number, const uint32_t *renumbered, struct buf *out)
{
        const struct classifier_example *example = &c->examples[number];
        buf_u64(out, example->set);
        buf_varint(out, example->label);
        buf_varint(out, example->count);
        for (uint32_t i = 0; i < example->count; i++) {
                buf_varint(out, renumbered[example->rows[i]]);
                buf_u8(out, example->counts[i]);
        }
        put_lanes(c, c->pulls, number, out);
}

struct place {
        uint64_t hash;
        uint32_t row;
};

static int by_hash(const void *a, const void *b)
{
        const struct place *x = a, *y = b;
        return (x->hash > y->hash) - (x->hash < y->hash);
}

static void free_places(struct place **places)
{
        free(*places);
}

static void free_numbers(uint32_t **numbers)
{
        free(*numbers);
}

static uint32_t place_rows(const struct classifier *c, struct place *places, uint32_t *renumbered)
{
        uint32_t used = 0;
        for (uint32_t row = 0; row < c->rows.count; row++)
                if (c->rows.examples[row])
                        places[used++] = (struct place){c->rows.hashes[row], row};
        qsort(places, used, sizeof *places, by_hash);
        for (uint32_t i = 0; i < used; i++)
                renumbered[places[i].row] = i;
        return used;
}

bool classifier_snapshot(const struct classifier *c, struct buf *out, struct err *err)
{
        scoped(free_places) struct place *places = malloc(c->rows.count * sizeof *places);
        scoped(free_numbers) uint32_t *renumbered = malloc(c->rows.count * sizeof *renumbered);
        if (!places || !renumbered)
                return fail_memory(err, "classifier", c->rows.count * sizeof *places);
        uint32_t used = place_rows(c, places, renumbered);
        buf_u32(out, SNAPSHOT_MAGIC);
        buf_float(out, c->cost);
        buf_u64(out, c->rng.state);
        buf_u64(out, c->learnt);
        buf_u64(out, c->forgotten);
        put_calibration(&c->calibration, out);
        buf_varint(out, c->label_count);
        for (uint32_t i = 0; i < c->label_count; i++) {
                buf_varint(out, strlen(c->labels[i]));
                buf_text(out, c->labels[i]);
        }
        buf_varint(out, used);
        for (uint32_t i = 0; i < used; i++) {
                uint32_t row = places[i].row;
                buf_u64(out, c->rows.hashes[row]);
                buf_float(out, c->rows.rarity[row]);
                buf_u8(out, c->rows.kinds[row]);
                put_lanes(c, c->rows.weights, row, out);
        }
        buf_varint(out, c->example_count);
        for (uint32_t i = 0; i < c->example_count; i++)
                put_example(c, i, renumbered, out);
        return out->failed ? fail_memory(err, "classifier", out->length) : true;
}

static bool corrupt(struct err *err, const char *what)
{
        return fail(err, ERR_CORRUPT, "classifier", "reading a snapshot: %s; fit it again from its examples", what);
}

static bool take_labels(struct classifier *c, struct reader *reader, struct err *err)
{
        uint64_t count = reader_varint(reader);
        if (count > CLASSIFIER_LABELS_MAX)
                return corrupt(err, "too many labels");
        for (uint64_t i = 0; i < count; i++) {
                struct str label = reader_bytes(reader, (size_t)min_of(reader_varint(reader), (uint64_t)CLASSIFIER_LABEL_BYTES_MAX + 1));
                if (reader->failed || label.length > CLASSIFIER_LABEL_BYTES_MAX || (label.length && memchr(label.bytes, 0, label.length)))
                        return corrupt(err, "a label is cut or too long");
                for (uint32_t other = 0; other < c->label_count; other++)
                        if (str_is(label, c->labels[other]))
                                return corrupt(err, "a label is there twice");
                if (!classifier_add_label(c, label))
                        return fail_memory(err, "classifier", label.length);
        }
        return true;
}

static bool take_rows(struct classifier *c, struct reader *reader, struct err *err)
{
        struct classifier_rows *rows = &c->rows;
        uint64_t count = reader_varint(reader);
        if (count == 0 || count > reader_left(reader) / (8 + 4 + 1 + 4))
                return corrupt(err, "its rows are cut");
        if (!classifier_reserve_rows(c, (uint32_t)count))
                return fail_memory(err, "classifier", (size_t)count * c->stride * sizeof(float));
        for (uint32_t row = 0; row < count; row++) {
                size_t at;
                rows->hashes[row] = reader_u64(reader);
                rows->rarity[row] = take_float(reader);
                rows->kinds[row] = reader_u8(reader);
                take_lanes(c, rows->weights, row, reader);
                rows->examples[row] = row == 0;
                if (reader->failed || rows->kinds[row] >= TEXT_KINDS || rows->rarity[row] < 0 || (row == 0) != (rows->hashes[row] == 0) ||
                    (row && map_first(&c->by_hash, rows->hashes[row], &at) != MAP_NONE))
                        return corrupt(err, "a row is cut, or there twice");
                if (row && !map_put(&c->by_hash, rows->hashes[row], row))
                        return fail_memory(err, "classifier", (size_t)count * 12);
        }
        rows->count = (uint32_t)count;
        return true;
}

static bool take_example(struct classifier *c, struct reader *reader, struct err *err)
{
        struct classifier_example example = {.set = reader_u64(reader)};
        uint64_t label = reader_varint(reader), count = reader_varint(reader);
        if (reader->failed || label >= c->label_count || count > TEXT_FEATURES_MAX || count * 2 > reader_left(reader))
                return corrupt(err, "an example is cut");
        if (!classifier_reserve_examples(c) || !(example.rows = malloc(count * (sizeof *example.rows + 1) + 1)))
                return fail_memory(err, "classifier", (size_t)count * 5);
        example.label = (uint32_t)label;
        example.count = (uint32_t)count;
        example.counts = (uint8_t *)(example.rows + count);
        memset(c->pulls + (size_t)c->example_count * c->stride, 0, c->stride * sizeof(float));
        c->examples[c->example_count++] = example; /* the classifier frees it from now on */
        for (uint32_t i = 0; i < count; i++) {
                uint64_t row = reader_varint(reader);
                example.counts[i] = reader_u8(reader);
                if (reader->failed || row == 0 || row >= c->rows.count || example.counts[i] == 0)
                        return corrupt(err, "an example names a row that is not there");
                example.rows[i] = (uint32_t)row;
                c->rows.examples[row]++;
        }
        take_lanes(c, c->pulls, c->example_count - 1, reader);
        classifier_weigh(c, &c->examples[c->example_count - 1]);
        c->example_terms += count;
        c->label_examples[label]++;
        return reader->failed ? corrupt(err, "an example is cut") : true;
}

static bool take_all(struct classifier *c, struct reader *reader, struct err *err)
{
        if (reader_u32(reader) != SNAPSHOT_MAGIC)
                return corrupt(err, "it is no classifier of version 1");
        c->cost = take_float(reader);
        c->rng.state = reader_u64(reader);
        c->learnt = reader_u64(reader);
        c->forgotten = reader_u64(reader);
        take_calibration(&c->calibration, reader);
        if (reader->failed || c->cost <= 0)
                return corrupt(err, "its head is cut");
        if (!take_labels(c, reader, err) || !take_rows(c, reader, err))
                return false;
        uint64_t examples = reader_varint(reader);
        for (uint64_t i = 0; i < examples; i++)
                if (!take_example(c, reader, err))
                        return false;
        for (uint32_t row = 0; row < c->rows.count; row++)
                if (!c->rows.examples[row])
                        return corrupt(err, "a row is in no example");
        return reader->failed || reader_left(reader) ? corrupt(err, "it is cut, or something follows it") : true;
}

SCOPED_PTR(classifier_destroy, struct classifier)

struct classifier *classifier_restore(struct str bytes, struct classifier_bounds bounds, struct err *err)
{
        scoped_ptr(classifier_destroy) struct classifier *c = classifier_create(bounds, err);
        struct reader reader = reader_of(bytes);
        return c && take_all(c, &reader, err) ? give(c) : NULL;
}
