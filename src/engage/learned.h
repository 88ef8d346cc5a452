/*
 * learned - which sorts of alerts people and the past have put together, or apart: a count a pair of sorts.
 *
 *      learned_create -> learned_add (feedback), learned_weight (correlation) ... -> learned_destroy
 *
 * A sort is an alert's name on a kind of entity. The weight is the log odds of "together" with a prior of one half observation each
 * way (Krichevsky and Trofimov, 1981), so one word of a person already moves it and ten are nearly certain. Bounded: at
 * LEARNED_PAIRS_MAX new pairs are not learned, and counted.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEARNED_PAIRS_MAX ((size_t)1 << 16)
#define LEARNED_WEIGHT_MAX 3.0

struct learned;
bool learned_create(struct learned **out_learned, struct err *err);
void learned_destroy(struct learned *learned);

uint64_t learned_sort(struct str name, struct str kind);
uint64_t learned_cause(void); /* stands in place of a sort: people said that the other one was the cause */
uint64_t learned_pair(uint64_t one, uint64_t other); /* the same both ways round */
/* Log odds that two such alerts, near in time, are one problem; 0: nothing is known. */
double learned_weight(const struct learned *learned, uint64_t pair);

struct learned_pair {
        uint64_t pair;
        char *one, *other;      /* "DiskFull on host" */
        double together, apart;
        int64_t changed_ns;
        bool is_dirty;
};
/* Adds to the counts of a pair; negative to take back, never below 0. NULL without err: at the bound. */
bool learned_add(struct learned *learned, uint64_t pair, struct str one, struct str other, double together, double apart, int64_t time_ns, struct err *err);
struct learned_pair *learned_next(struct learned *learned, size_t *at); /* all pairs, oldest first; NULL at the end */
bool learned_is_dirty(const struct learned *learned);
void learned_clean(struct learned *learned);
uint64_t learned_refused(const struct learned *learned);
