/*
 * cause - where the trouble of a group of alerts is, by what is unusual about them.
 *
 * An alert says more about its entity the more seldom it was in an incident before, the earlier it came, and when it is about the
 * entity itself rather than about a call to it or what its users see. What an entity's alerts say in the mean incident is taken off:
 * one that has something new to tell whatever is wrong tells little. What entities have in common (the host they run on, the service they are
 * instances of) gathers their surprise as Stouffer combines independent tests (1949): the sum over the root of how many there
 * are, so that one bad instance of eight blames the instance, and eight slightly bad ones what they share. A change of an
 * entity shortly before raises it, and what was changed upstream of the trouble a few minutes before is suspected without an alert of its own.
 *
 * Pure arithmetic over a group's evidence and the graph; used by correlate.c alone.
 */
#pragma once

#include "base/err.h"
#include "engage/topology.h"

#include <stdbool.h>
#include <stdint.h>

struct clue;
struct suspect;
struct graph;

#define HELD_SURPRISE 0.1       /* of what was held back: how seldom it is cannot be known while a detector learns */
#define EVIDENCE_SORTS_MAX 16
#define CAUSES_MAX 8

/* What a group's alerts say about one entity. */
struct evidence_item {
        uint64_t entity;
        char *kind, *name;
        double surprise;
        double usual;           /* of it, what its alerts say in any incident */
        double symptoms;        /* of it, what only users saw */
        double held;            /* the most that one alert said which was held back: many oddities of one thing are one */
        uint32_t alerts;
        uint64_t first_alert;           /* about it; 0: none */
        int64_t first_ns;
};

struct evidence {
        struct evidence_item *items;    /* in the order in which they were met */
        size_t count, capacity;
        uint64_t sorts[EVIDENCE_SORTS_MAX]; /* of alerts, for what was learned */
        size_t sort_count;
};

void evidence_done(struct evidence *evidence);
struct evidence_item *evidence_find(const struct evidence *evidence, uint64_t entity);
bool evidence_entity(struct evidence *evidence, const struct topology_entity *entity, int64_t time_ns, struct err *err); /* not there yet */
bool evidence_copy(struct evidence *evidence, const struct evidence_item *item);
/* Adds up for entities that both have; from began later_ns after to, so what it says is that much later. */
void evidence_merge(struct evidence *to, const struct evidence *from, int64_t later_ns);
double evidence_fresh(int64_t after_ns); /* what is left of what an alert says that came so long after the group's first one */
/* after_ns: after the group's first alert. What it said; 0 for what was held back. */
double evidence_add(struct evidence *evidence, const struct clue *clue, double surprise, int64_t after_ns);

/* Takes back what evidence_add said of an alert. */
void evidence_take(struct evidence *evidence, uint64_t entity, uint64_t alert, double told, bool is_symptom);

/* How unusual an alert is that was in `times` of `groups` incidents before. */
double cause_surprise(uint32_t groups, uint32_t times);

/* graph may be NULL. Scores add up to 1 over what is given. */
/* How many of the evidence's other entities in trouble depend on it. */
uint32_t cause_suffering(const struct evidence *evidence, struct graph *graph, uint64_t entity);
bool cause_rank(const struct evidence *evidence, struct graph *graph, int64_t onset_ns, struct suspect *out_suspects, size_t max, size_t *out_count,
                struct err *err);
void cause_consider_change(struct suspect *suspects, size_t count, uint64_t entity, uint64_t change, int64_t before_ns);
/* What was changed is suspected as much as what suffers by it, even without an alert of its own, when the trouble of a suspect may come from there, and less when it
 * stands beside one. graph may be NULL. */
void cause_add_changed(struct suspect *suspects, size_t *count, size_t max, struct graph *graph, uint64_t entity, uint64_t change, int64_t before_ns);
void cause_order(struct suspect *suspects, size_t count);
