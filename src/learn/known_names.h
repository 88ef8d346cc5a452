/*
 * known_names - words that turned out to be values: what a program's users, queues and hosts are called.
 *
 *      zeroed -> { known_names_add, known_names_has } -> known_names_done
 *
 * A word is a place in a table and 16 bits there: another word may push it out, and one in 65,536 strangers is taken for it. Both
 * only move the number of words that make a variable, so neither is worth more bytes. No memory: nothing is known. Owned by a miner.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stdint.h>

#define NAMES_MAX 1024

struct known_names {
        uint16_t *marks;        /* by the low bits of a word's hash; 0: none. NULL: no word yet */
};

void known_names_add(struct known_names *names, uint64_t hash);
bool known_names_has(const struct known_names *names, uint64_t hash);
void known_names_done(struct known_names *names);

static inline uint64_t known_names_bytes(const struct known_names *names)
{
        return names->marks ? NAMES_MAX * sizeof *names->marks : 0;
}

void known_names_write(const struct known_names *names, struct buf *out);
bool known_names_read(struct reader *reader, struct known_names *names); /* into a zeroed one; false: damaged, or no memory */
