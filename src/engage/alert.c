/*
 * alert.c - see alert.h.
 *
 * Slots in chunks, so that an alert never moves; a map from fingerprint to slot and one from id to slot. Texts are compared
 * as packed bytes, and rewritten only when they differ: a repeated alert costs a hash, a look-up and a memcmp.
 */
#include "engage/alert.h"

#include "base/buf.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 1024

/* Packed labels, packed annotations, source, evidence, generator_url, held_why, one after another. */
enum { PART_LABELS, PART_ANNOTATIONS, PART_SOURCE, PART_EVIDENCE, PART_GENERATOR, PART_HELD, PARTS };
struct alert_text {
        uint32_t ends[PARTS];
        char bytes[];
};

struct alerts {
        struct alert **chunks;
        size_t chunk_count, used_end, alerts_max; /* slots below used_end were used at some time */
        struct { uint32_t *items; size_t count; } free_slots, dirty_slots; /* room for every slot of every chunk */
        struct map by_fingerprint, by_id;
        struct buf volatile_names;      /* packed: length byte, name ... */
        int64_t next_end_ns, next_forget_ns; /* nothing ends, nothing is forgotten before */
        struct alert_counts counts;
        struct buf labels, annotations; /* scratch */
};

static struct alert *slot_at(const struct alerts *alerts, size_t slot)
{
        return &alerts->chunks[slot / CHUNK][slot % CHUNK];
}

bool alerts_create(size_t alerts_max, struct alerts **out_alerts, struct err *err)
{
        struct alerts *alerts = calloc(1, sizeof *alerts);
        if (!alerts)
                return fail_memory(err, "engage", sizeof *alerts);
        alerts->alerts_max = alerts_max ? alerts_max : ALERTS_MAX;
        alerts->next_end_ns = alerts->next_forget_ns = INT64_MAX;
        *out_alerts = alerts;
        return true;
}

void alerts_destroy(struct alerts *alerts)
{
        if (!alerts)
                return;
        for (size_t i = 0; i < alerts->used_end; i++)
                free(slot_at(alerts, i)->text);
        for (size_t i = 0; i < alerts->chunk_count; i++)
                free(alerts->chunks[i]);
        free(alerts->chunks);
        free(alerts->free_slots.items);
        free(alerts->dirty_slots.items);
        map_done(&alerts->by_fingerprint);
        map_done(&alerts->by_id);
        buf_done(&alerts->volatile_names);
        buf_done(&alerts->labels);
        buf_done(&alerts->annotations);
        free(alerts);
}

bool alerts_set_volatile(struct alerts *alerts, const struct str *names, size_t count, struct err *err)
{
        struct buf packed = {0};
        for (size_t i = 0; i < count; i++) {
                buf_u16(&packed, (uint16_t)names[i].length);
                buf_add(&packed, names[i]);
        }
        if (packed.failed) {
                buf_done(&packed);
                return fail_memory(err, "engage", count);
        }
        buf_done(&alerts->volatile_names);
        alerts->volatile_names = packed;
        return true;
}

static bool is_volatile(const struct alerts *alerts, struct str name)
{
        const struct buf *names = &alerts->volatile_names;
        for (size_t at = 0; at < names->length;) {
                size_t length = (uint8_t)names->bytes[at] | (size_t)(uint8_t)names->bytes[at + 1] << 8;
                if (str_equal(name, (struct str){names->bytes + at + 2, length}))
                        return true;
                at += 2 + length;
        }
        return false;
}

/* The id of the labels that count. Volatile ones are rare: without any, the packed form is hashed as it is. */
static bool fingerprint(struct alerts *alerts, const struct labels *labels, struct hash128 *out_fingerprint, struct err *err)
{
        struct label kept[LABELS_MAX];
        struct labels counting = {kept, 0, LABELS_MAX};
        buf_clear(&alerts->labels);
        if (!labels_pack(labels, &alerts->labels))
                return fail_memory(err, "engage", alerts->labels.length);
        *out_fingerprint = labels_id_packed(buf_str(&alerts->labels));
        if (!alerts->volatile_names.length)
                return true;
        each (label, labels)
                if (counting.count < LABELS_MAX && !is_volatile(alerts, label->name))
                        kept[counting.count++] = *label;
        if (counting.count && counting.count < labels->count)
                *out_fingerprint = labels_id(&counting);
        return true;
}

static size_t text_bytes(const struct alert_text *text)
{
        return text ? sizeof *text + text->ends[PARTS - 1] : 0;
}

static bool text_is(const struct alert_text *text, const struct str parts[PARTS])
{
        uint32_t start = 0;
        for (int i = 0; i < PARTS; i++) {
                if (!str_equal(parts[i], (struct str){text->bytes + start, text->ends[i] - start}))
                        return false;
                start = text->ends[i];
        }
        return true;
}

static bool text_set(struct alerts *alerts, struct alert *alert, const struct str parts[PARTS], struct err *err)
{
        size_t length = 0;
        for (int i = 0; i < PARTS; i++)
                length += parts[i].length;
        struct alert_text *text = malloc(sizeof *text + length);
        if (!text)
                return fail_memory(err, "engage", sizeof *text + length);
        uint32_t at = 0;
        for (int i = 0; i < PARTS; i++) {
                if (parts[i].length)
                        memcpy(text->bytes + at, parts[i].bytes, parts[i].length);
                text->ends[i] = at += (uint32_t)parts[i].length;
        }
        alerts->counts.bytes += text_bytes(text) - text_bytes(alert->text);
        free(alert->text);
        alert->text = text;
        return true;
}

static struct str part_of(const struct alert *alert, int part)
{
        if (!alert->text)
                return STR("");
        uint32_t start = part ? alert->text->ends[part - 1] : 0;
        return (struct str){alert->text->bytes + start, alert->text->ends[part] - start};
}

struct alert_told alert_told(const struct alert *alert)
{
        return (struct alert_told){part_of(alert, PART_LABELS), part_of(alert, PART_ANNOTATIONS), part_of(alert, PART_SOURCE),
                                   part_of(alert, PART_EVIDENCE), part_of(alert, PART_GENERATOR), part_of(alert, PART_HELD)};
}

/* The next length-prefixed text of a packed list; ours, so it is well formed. */
static struct str packed_next(struct str *packed)
{
        size_t length = 0, at = 0;
        for (int shift = 0; at < packed->length; shift += 7) {
                uint8_t byte = (uint8_t)packed->bytes[at++];
                length |= (size_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        break;
        }
        struct str text = str_slice(*packed, at, at + length);
        *packed = str_slice(*packed, at + length, packed->length);
        return text;
}

static struct str packed_value(struct str packed, struct str name)
{
        while (packed.length) {
                bool is_it = str_equal(packed_next(&packed), name);
                struct str value = packed_next(&packed);
                if (is_it)
                        return value;
        }
        return STR("");
}

struct str alert_label(const struct alert *alert, struct str name)
{
        return packed_value(part_of(alert, PART_LABELS), name);
}

struct str alert_annotation(const struct alert *alert, struct str name)
{
        return packed_value(part_of(alert, PART_ANNOTATIONS), name);
}

/* --- slots --------------------------------------------------------------------------------------------------------------- */

static uint64_t id_hash(uint64_t id)
{
        return hash64((struct str){(const char *)&id, sizeof id});
}

struct alert *alerts_by_fingerprint(struct alerts *alerts, struct hash128 wanted)
{
        size_t at;
        for (uint32_t i = map_first(&alerts->by_fingerprint, wanted.low, &at); i != MAP_NONE;
             i = map_next(&alerts->by_fingerprint, wanted.low, &at))
                if (hash128_equal(slot_at(alerts, i)->fingerprint, wanted))
                        return slot_at(alerts, i);
        return NULL;
}

static uint32_t slot_of(const struct alerts *alerts, uint64_t id)
{
        size_t at;
        uint32_t i = map_first(&alerts->by_id, id_hash(id), &at);
        while (i != MAP_NONE && slot_at(alerts, i)->id != id)
                i = map_next(&alerts->by_id, id_hash(id), &at);
        return i;
}

struct alert *alerts_find(struct alerts *alerts, uint64_t id)
{
        uint32_t slot = id ? slot_of(alerts, id) : MAP_NONE;
        return slot == MAP_NONE ? NULL : slot_at(alerts, slot);
}

struct alert *alerts_next(struct alerts *alerts, size_t *at)
{
        while (*at < alerts->used_end) {
                struct alert *alert = slot_at(alerts, (*at)++);
                if (alert->is_used)
                        return alert;
        }
        return NULL;
}

static void forget(struct alerts *alerts, uint32_t slot)
{
        struct alert *alert = slot_at(alerts, slot);
        map_remove(&alerts->by_fingerprint, alert->fingerprint.low, slot);
        map_remove(&alerts->by_id, id_hash(alert->id), slot);
        alerts->counts.bytes -= text_bytes(alert->text) + sizeof *alert;
        alerts->counts.held--;
        alerts->counts.firing -= alert->is_firing;
        free(alert->text);
        *alert = (struct alert){0};
        alerts->free_slots.items[alerts->free_slots.count++] = slot; /* room was made when the slot was */
}

/* At the bound: the alert that was resolved longest ago goes, unless its row is still to be written. */
static void make_room(struct alerts *alerts)
{
        uint32_t oldest = MAP_NONE;
        for (size_t i = 0; i < alerts->used_end; i++) {
                struct alert *alert = slot_at(alerts, i);
                if (alert->is_used && !alert->is_firing && !alert->is_dirty &&
                    (oldest == MAP_NONE || alert->changed_ns < slot_at(alerts, oldest)->changed_ns ||
                     (alert->changed_ns == slot_at(alerts, oldest)->changed_ns && alert->id < slot_at(alerts, oldest)->id)))
                        oldest = (uint32_t)i;
        }
        if (oldest != MAP_NONE)
                forget(alerts, oldest);
}

static bool add_chunk(struct alerts *alerts, struct err *err)
{
        size_t slots = (alerts->chunk_count + 1) * CHUNK;
        uint32_t *free_slots = realloc(alerts->free_slots.items, slots * sizeof *free_slots);
        if (free_slots)
                alerts->free_slots.items = free_slots;
        uint32_t *dirty_slots = realloc(alerts->dirty_slots.items, slots * sizeof *dirty_slots);
        if (dirty_slots)
                alerts->dirty_slots.items = dirty_slots;
        struct alert **chunks = realloc(alerts->chunks, (alerts->chunk_count + 1) * sizeof(struct alert *));
        if (chunks)
                alerts->chunks = chunks;
        struct alert *chunk = free_slots && dirty_slots && chunks ? calloc(CHUNK, sizeof *chunk) : NULL;
        if (!chunk)
                return fail_memory(err, "engage", CHUNK * sizeof *chunk);
        alerts->chunks[alerts->chunk_count++] = chunk;
        return true;
}

/* A free slot, or MAP_NONE with no err when all are taken by firing alerts. False: no memory. */
static bool slot_take(struct alerts *alerts, uint32_t *out_slot, struct err *err)
{
        if (alerts->counts.held >= alerts->alerts_max)
                make_room(alerts);
        *out_slot = MAP_NONE;
        if (alerts->counts.held >= alerts->alerts_max)
                return true;
        if (alerts->free_slots.count) {
                *out_slot = alerts->free_slots.items[--alerts->free_slots.count];
                return true;
        }
        if (alerts->used_end == alerts->chunk_count * CHUNK && !add_chunk(alerts, err))
                return false;
        *out_slot = (uint32_t)alerts->used_end++;
        return true;
}

/* Both maps or none; the slot goes back on failure. */
static bool slot_enter(struct alerts *alerts, uint32_t slot, const struct alert *alert, const struct str parts[PARTS], struct err *err)
{
        struct alert *kept = slot_at(alerts, slot);
        *kept = *alert;
        kept->text = NULL;
        kept->slot = slot;
        kept->is_used = true;
        bool in_first = map_put(&alerts->by_fingerprint, alert->fingerprint.low, slot);
        bool in_both = in_first && map_put(&alerts->by_id, id_hash(alert->id), slot);
        if (in_both && text_set(alerts, kept, parts, err)) {
                alerts->counts.held++;
                alerts->counts.firing += kept->is_firing;
                alerts->counts.bytes += sizeof *kept;
                return true;
        }
        if (in_first)
                map_remove(&alerts->by_fingerprint, alert->fingerprint.low, slot);
        if (in_both)
                map_remove(&alerts->by_id, id_hash(alert->id), slot);
        *kept = (struct alert){0};
        alerts->free_slots.items[alerts->free_slots.count++] = slot;
        return in_both ? false : fail_memory(err, "engage", sizeof *kept);
}

/* --- life cycle ------------------------------------------------------------------------------------------------------------ */

static void note_due(struct alerts *alerts, const struct alert *alert)
{
        if (!alert->is_firing)
                alerts->next_forget_ns = min_of(alerts->next_forget_ns, alert->changed_ns + ALERT_KEPT_NS);
        else if (alert->quiet_ns)
                alerts->next_end_ns = min_of(alerts->next_end_ns, alert->quiet_ns + ALERT_FLAP_NS);
        else if (alert->ends_ns)
                alerts->next_end_ns = min_of(alerts->next_end_ns, alert->ends_ns);
}

static void touch(struct alerts *alerts, struct alert *alert, bool is_told_alone)
{
        alert->is_told_alone = is_told_alone && (!alert->is_dirty || alert->is_told_alone);
        if (alert->is_dirty)
                return;
        alert->is_dirty = true;
        alerts->dirty_slots.items[alerts->dirty_slots.count++] = alert->slot;
}

void alerts_touch(struct alerts *alerts, struct alert *alert)
{
        touch(alerts, alert, false);
}

struct alert *alerts_dirty(const struct alerts *alerts, size_t at)
{
        return at < alerts->dirty_slots.count ? slot_at(alerts, alerts->dirty_slots.items[at]) : NULL;
}

void alerts_clean(struct alerts *alerts)
{
        for (size_t i = 0; i < alerts->dirty_slots.count; i++)
                slot_at(alerts, alerts->dirty_slots.items[i])->is_dirty = false;
        alerts->dirty_slots.count = 0;
}

static void resolve(struct alerts *alerts, struct alert *alert, int64_t ended_ns, int64_t time_ns, bool is_expired)
{
        alert->is_firing = false;
        alert->is_expired = is_expired;
        alert->ends_ns = ended_ns;
        alert->changed_ns = time_ns;
        alert->quiet_ns = 0;
        alerts_touch(alerts, alert);
        alerts->counts.firing--;
}

static void fire(struct alerts *alerts, struct alert *alert, const struct finding *finding, int64_t time_ns)
{
        bool again_soon = time_ns - alert->changed_ns < ALERT_FLAP_NS;
        alert->flaps = again_soon ? alert->flaps + 1 : 0;
        alert->is_flapping = alert->flaps >= ALERT_FLAPS_MAX;
        alert->is_firing = true;
        alert->is_expired = false;
        alert->starts_ns = finding->starts_ns ? finding->starts_ns : time_ns;
        alert->ends_ns = finding->ends_ns;
        alert->changed_ns = time_ns;
        alerts_touch(alerts, alert);
        alerts->counts.firing++;
}

static enum alert_step step_of(struct alerts *alerts, struct alert *alert, const struct finding *finding, bool fires, bool told_more,
                               int64_t time_ns)
{
        if (fires && !alert->is_firing) {
                fire(alerts, alert, finding, time_ns);
                return ALERT_FIRED;
        }
        if (fires) {
                alerts->counts.flaps_held += alert->quiet_ns != 0;
                alert->held_flaps += alert->quiet_ns != 0;
                alert->quiet_ns = 0;
                alert->ends_ns = finding->ends_ns;
                if (finding->starts_ns && finding->starts_ns < alert->starts_ns)
                        alert->starts_ns = finding->starts_ns;
                return told_more ? ALERT_TOLD_MORE : ALERT_SAME;
        }
        if (!alert->is_firing)
                return ALERT_SAME;
        if (alert->is_flapping) {
                alert->quiet_ns = alert->quiet_ns ? alert->quiet_ns : time_ns;
                return ALERT_SAME;
        }
        resolve(alerts, alert, finding->ends_ns ? finding->ends_ns : time_ns, time_ns, false);
        return ALERT_RESOLVED;
}

static void tell(struct alert *alert, const struct finding *finding, int64_t time_ns)
{
        alert->told_ns = time_ns;
        alert->times++;
        alert->value = finding->value;
        alert->p_value = finding->p_value;
        alert->severity = (uint8_t)alert_severity_of(&finding->labels);
        alert->is_held = finding->is_held;
        alert->origin = (uint8_t)finding->origin;
}

static bool take_new(struct alerts *alerts, const struct finding *finding, struct hash128 print, const struct str parts[PARTS], uint64_t id,
                     int64_t time_ns, struct alert **out_alert, enum alert_step *out_step, struct err *err)
{
        uint32_t slot;
        if (!slot_take(alerts, &slot, err))
                return false;
        if (slot == MAP_NONE) {
                alerts->counts.shed++;
                *out_alert = NULL;
                *out_step = ALERT_SHED;
                return true;
        }
        struct alert alert = {.id = id, .fingerprint = print, .first_ns = time_ns, .changed_ns = time_ns,
                              .is_firing = true, .starts_ns = finding->starts_ns ? finding->starts_ns : time_ns,
                              .ends_ns = finding->ends_ns};
        tell(&alert, finding, time_ns);
        if (!slot_enter(alerts, slot, &alert, parts, err))
                return false;
        *out_alert = slot_at(alerts, slot);
        *out_step = ALERT_FIRED;
        alerts_touch(alerts, *out_alert);
        note_due(alerts, *out_alert);
        return true;
}

/* Of what has no text: severity and is_held are told_more. */
static bool is_told_alone(const struct alert *before, const struct alert *alert)
{
        return before->is_firing == alert->is_firing && before->origin == alert->origin && before->quiet_ns == alert->quiet_ns &&
               before->held_flaps == alert->held_flaps;
}

bool alerts_take(struct alerts *alerts, const struct finding *finding, uint64_t id, int64_t time_ns, struct alert **out_alert,
                 enum alert_step *out_step, struct err *err)
{
        struct hash128 print;
        if (!fingerprint(alerts, &finding->labels, &print, err))
                return false;
        buf_clear(&alerts->annotations);
        if (!labels_pack(&finding->annotations, &alerts->annotations))
                return fail_memory(err, "engage", alerts->annotations.length);
        struct str parts[PARTS] = {buf_str(&alerts->labels), buf_str(&alerts->annotations), finding->source, finding->evidence,
                                   finding->generator_url, finding->is_held ? finding->held_why : STR("")};
        bool fires = finding->is_firing && !(finding->ends_ns && finding->ends_ns <= time_ns);
        struct alert *alert = alerts_by_fingerprint(alerts, print);
        alerts->counts.taken++;
        if (!alert && fires)
                return take_new(alerts, finding, print, parts, id, time_ns, out_alert, out_step, err);
        *out_alert = alert;
        *out_step = ALERT_SAME;
        if (!alert)
                return true; /* the end of something never heard of */
        bool told_more = !text_is(alert->text, parts) || alert->is_held != finding->is_held ||
                         alert->severity != alert_severity_of(&finding->labels);
        if (told_more && !text_set(alerts, alert, parts, err))
                return false;
        const struct alert before = *alert;
        tell(alert, finding, time_ns);
        *out_step = step_of(alerts, alert, finding, fires, told_more, time_ns);
        touch(alerts, alert, !told_more && is_told_alone(&before, alert)); /* until when it fires counts too: lost in a crash, it would end though it was told again */
        note_due(alerts, alert);
        return true;
}

static bool is_over(const struct alert *alert, int64_t time_ns)
{
        return alert->is_firing && ((alert->ends_ns && alert->ends_ns <= time_ns && !alert->is_flapping) ||
                                    (alert->quiet_ns && alert->quiet_ns + ALERT_FLAP_NS <= time_ns));
}

void alerts_forget(struct alerts *alerts, int64_t time_ns)
{
        if (time_ns < alerts->next_forget_ns)
                return;
        alerts->next_forget_ns = INT64_MAX;
        for (size_t i = 0; i < alerts->used_end; i++) {
                struct alert *alert = slot_at(alerts, i);
                if (!alert->is_used || alert->is_firing)
                        continue;
                if (!alert->is_dirty && alert->changed_ns + ALERT_KEPT_NS <= time_ns)
                        forget(alerts, (uint32_t)i);
                else
                        note_due(alerts, alert);
        }
}

static int alert_compare(const void *a, const void *b)
{
        const struct alert *one = *(struct alert *const *)a, *other = *(struct alert *const *)b;
        return (one->id > other->id) - (one->id < other->id);
}

/* Those that are over, oldest first: slots are given out in another order after a restart. */
static size_t find_over(struct alerts *alerts, int64_t time_ns, struct alert **out_over)
{
        size_t count = 0;
        alerts->next_end_ns = INT64_MAX;
        for (size_t i = 0; i < alerts->used_end; i++) {
                struct alert *alert = slot_at(alerts, i);
                if (!alert->is_used || !alert->is_firing)
                        continue;
                if (alert->is_flapping && !alert->quiet_ns && alert->ends_ns && alert->ends_ns <= time_ns) {
                        alert->quiet_ns = alert->ends_ns;
                        alerts_touch(alerts, alert);
                }
                if (is_over(alert, time_ns))
                        out_over[count++] = alert;
                else
                        note_due(alerts, alert);
        }
        qsort(out_over, count, sizeof(struct alert *), alert_compare);
        return count;
}

bool alerts_tick(struct alerts *alerts, int64_t time_ns, void (*step)(void *context, struct alert *alert), void *context, struct err *err)
{
        if (time_ns < alerts->next_end_ns)
                return true;
        struct alert **over = malloc((alerts->counts.firing + 1) * sizeof(struct alert *));
        if (!over)
                return fail_memory(err, "engage", alerts->counts.firing * sizeof(struct alert *));
        size_t count = find_over(alerts, time_ns, over);
        for (size_t i = 0; i < count; i++) {
                struct alert *alert = over[i];
                bool is_expired = !alert->quiet_ns;
                resolve(alerts, alert, alert->quiet_ns ? alert->quiet_ns : alert->ends_ns, time_ns, is_expired);
                alert->is_flapping = false;
                alert->flaps = 0;
                step(context, alert);
                note_due(alerts, alert);
        }
        free(over);
        return true;
}

bool alerts_restore(struct alerts *alerts, const struct alert *alert, const struct alert_told *told, struct err *err)
{
        struct str parts[PARTS] = {told->labels, told->annotations, told->source, told->evidence, told->generator_url, told->held_why};
        uint32_t slot;
        if (!slot_take(alerts, &slot, err))
                return false;
        if (slot == MAP_NONE) {
                alerts->counts.shed++;
                return true;
        }
        if (!slot_enter(alerts, slot, alert, parts, err))
                return false;
        note_due(alerts, slot_at(alerts, slot));
        return true;
}

void alerts_count(const struct alerts *alerts, struct alert_counts *out_counts)
{
        *out_counts = alerts->counts;
        out_counts->bytes += alerts->by_fingerprint.capacity * 12 + alerts->by_id.capacity * 12;
}
