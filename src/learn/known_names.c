/* names.c - see known_names.h. Most programs have few sentences and none that merge: the table is made for the first word. */
#include "learn/known_names.h"

#include <stdlib.h>

static uint16_t mark_of(uint64_t hash)
{
        uint16_t mark = (uint16_t)(hash >> 48);
        return mark ? mark : 1;
}

void known_names_add(struct known_names *names, uint64_t hash)
{
        if (names->marks || (names->marks = calloc(NAMES_MAX, sizeof *names->marks)))
                names->marks[hash % NAMES_MAX] = mark_of(hash);
}

bool known_names_has(const struct known_names *names, uint64_t hash)
{
        return names->marks && names->marks[hash % NAMES_MAX] == mark_of(hash);
}

void known_names_done(struct known_names *names)
{
        free(names->marks);
        names->marks = NULL;
}

void known_names_write(const struct known_names *names, struct buf *out)
{
        uint16_t count = 0;
        for (uint32_t i = 0; names->marks && i < NAMES_MAX; i++)
                count += names->marks[i] != 0;
        buf_u16(out, count);
        for (uint32_t i = 0; count && i < NAMES_MAX; i++)
                if (names->marks[i]) {
                        buf_u16(out, (uint16_t)i);
                        buf_u16(out, names->marks[i]);
                }
}

bool known_names_read(struct reader *reader, struct known_names *names)
{
        uint32_t count = reader_u16(reader);
        if (reader->failed || count > NAMES_MAX || (count && !(names->marks = calloc(NAMES_MAX, sizeof *names->marks))))
                return false;
        for (uint32_t i = 0, from = 0; i < count; i++) {
                uint32_t at = reader_u16(reader);
                uint16_t mark = reader_u16(reader);
                if (reader->failed || at < from || at >= NAMES_MAX || !mark)
                        return false;
                names->marks[at] = mark;
                from = at + 1;
        }
        return true;
}
