/*
 * checks - the checks that are in force: read from content, handed to the threads that run them.
 *
 *      checks_create -> checks_configure (pipeline) | checks_plan (any thread) ... -> checks_destroy
 *
 * A plan never changes; a new configuration is a new plan. Who holds one unrefs it.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "observe/check.h"

#include <jansson.h>

struct checks;

struct watch_file { /* files whose changes are told: file_watch.h */
        struct str path, service;       /* path is a pattern, as in glob */
};

struct check_plan {
        struct arena arena;
        json_t *items;                  /* a copy of its own: the settings of all checks */
        struct { struct check *items; size_t count, capacity; } checks;
        struct { struct watch_file *items; size_t count, capacity; } files;
        _Atomic int users;
        uint64_t number;                /* another one is another configuration */
};

bool checks_create(struct checks **out_checks, struct err *err);
void checks_destroy(struct checks *checks);
bool checks_check(const json_t *content, struct err *err);
bool checks_configure(struct checks *checks, const json_t *content, struct err *err);
struct check_plan *checks_plan(struct checks *checks);  /* a reference; NULL: nothing was configured yet */
struct check_plan *check_plan_ref(struct check_plan *plan);
void check_plan_unref(struct check_plan *plan);         /* NULL is fine */
