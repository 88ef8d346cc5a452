/*
 * moment.c - see moment.h. A few alerts are looked at one by one: sixteen of them are a busy moment.
 */
#include "engage/moment.h"

#include "base/reader.h"
#include "base/scope.h"
#include "engage/correlate.h"

#include <stdlib.h>
#include <string.h>

static bool shares_entity(const struct moment_alert *alert, const struct clue *clue)
{
        for (size_t e = 0; e < clue->entity_count; e++)
                for (size_t k = 0; k < alert->entity_count; k++)
                        if (clue->entities[e].id == alert->entities[k])
                                return true;
        return false;
}

static bool came_with(const struct moment_alert *alert, const struct clue *clue)
{
        return llabs((long long)(clue->time_ns - alert->time_ns)) <= MOMENT_NS && shares_entity(alert, clue);
}

size_t moments_find(const struct moments *moments, const struct clue *clue, const struct moment_alert **out_alerts, size_t max)
{
        bool is_of_it[MOMENTS_MAX] = {0};
        size_t count = 0;
        for (size_t i = 0; i < moments->count; i++)
                if (came_with(&moments->items[i], clue))
                        for (size_t k = 0; k < moments->count; k++)
                                is_of_it[k] |= moments->items[k].event == moments->items[i].event;
        for (size_t i = moments->count; i-- > 0 && count < max;) /* the newest first */
                if (is_of_it[i])
                        out_alerts[count++] = &moments->items[i];
        return count;
}

struct moment_alert *moments_alert(struct moments *moments, uint64_t alert)
{
        for (size_t i = 0; i < moments->count; i++)
                if (moments->items[i].alert == alert)
                        return &moments->items[i];
        return NULL;
}

void moments_note(struct moments *moments, const struct moment_alert *alert)
{
        size_t kept = 0;
        for (size_t i = moments->count == MOMENTS_MAX; i < moments->count; i++)
                if (alert->time_ns - moments->items[i].time_ns <= MOMENT_KEPT_NS)
                        moments->items[kept++] = moments->items[i];
        moments->items[kept++] = *alert;
        moments->count = kept;
}

void moments_join(struct moments *moments, uint64_t event, uint64_t into)
{
        for (size_t i = 0; i < moments->count; i++)
                if (moments->items[i].event == event)
                        moments->items[i].event = into;
}

void moments_move_group(struct moments *moments, uint64_t from, uint64_t to)
{
        for (size_t i = 0; i < moments->count; i++)
                if (moments->items[i].group == from)
                        moments->items[i].group = to;
}

enum { FLAG_SYMPTOM = 1, FLAG_CALL = 2 };

void moments_write(const struct moments *moments, struct buf *out)
{
        buf_varint(out, moments->count);
        for (size_t i = 0; i < moments->count; i++) {
                const struct moment_alert *alert = &moments->items[i];
                const uint64_t numbers[] = {alert->alert, alert->same, alert->sort, alert->group, alert->event, (uint64_t)alert->time_ns};
                for (size_t k = 0; k < countof(numbers); k++)
                        buf_u64(out, numbers[k]);
                buf_double(out, alert->surprise);
                buf_double(out, alert->told);
                buf_u8(out, (uint8_t)((alert->is_symptom ? FLAG_SYMPTOM : 0) | (alert->is_call ? FLAG_CALL : 0)));
                buf_varint(out, alert->entity_count);
                for (size_t k = 0; k < alert->entity_count; k++)
                        buf_u64(out, alert->entities[k]);
        }
}

void moments_read(struct moments *moments, struct reader *reader)
{
        uint64_t count = reader_varint(reader);
        for (uint64_t i = 0; i < count && i < MOMENTS_MAX && !reader->failed; i++) {
                struct moment_alert *alert = &moments->items[i];
                uint64_t numbers[6];
                for (size_t k = 0; k < countof(numbers); k++)
                        numbers[k] = reader_u64(reader);
                *alert = (struct moment_alert){.alert = numbers[0], .same = numbers[1], .sort = numbers[2], .group = numbers[3], .event = numbers[4],
                                               .time_ns = (int64_t)numbers[5]};
                alert->surprise = reader_double(reader);
                alert->told = reader_double(reader);
                uint8_t flags = reader_u8(reader);
                alert->is_symptom = flags & FLAG_SYMPTOM;
                alert->is_call = flags & FLAG_CALL;
                uint64_t entities = reader_varint(reader);
                reader->failed |= entities > TOPOLOGY_ENTITIES_MAX;
                for (uint64_t k = 0; k < entities && !reader->failed; k++)
                        alert->entities[alert->entity_count++] = reader_u64(reader);
                moments->count = i + 1;
        }
        reader->failed |= count > MOMENTS_MAX;
}
