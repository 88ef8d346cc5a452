/* setting - reads what operators declared, and refuses what is not known, the same way for teams, routes, on-call and receivers. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct setting_list { struct str *items; size_t count, capacity; };

/* item must be a mapping with these keys alone (ended by NULL); what says of what, for the error. */
bool setting_keys(const json_t *item, const char *what, const char *const *keys, struct err *err);
/* Copied into the arena; missing: left as it was, or refused when it is needed. */
bool setting_text(const json_t *item, const char *key, bool is_needed, struct arena *arena, struct str *out_text, struct err *err);
bool setting_duration(const json_t *item, const char *key, int64_t *out_ns, struct err *err);
bool setting_names(const json_t *item, const char *key, struct arena *arena, struct setting_list *out_list, struct err *err);
/* For lists that have their own unnamed type. A single text counts as a list of one. */
#define setting_texts(item, key, arena, out_list, err)                                                                 \
        ({                                                                                                             \
                struct setting_list list_ = {0};                                                                       \
                bool good_ = setting_names(item, key, arena, &list_, err);                                             \
                (out_list)->items = list_.items;                                                                       \
                (out_list)->count = list_.count;                                                                       \
                (out_list)->capacity = list_.capacity;                                                                 \
                good_;                                                                                                 \
        })
