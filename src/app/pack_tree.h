/*
 * pack_tree - what is in force of the packs that are built in.
 *
 *      packs.disable: [web, linux/SwapAlmostGone] -> pack_trees_each -> the tree of each file, less what is not wanted
 *
 * A name is that of a pack (its folder under packs/), or of one rule, limit or runbook of it, after a slash. A name that nothing has is an error: misspelt, it
 * would leave in force what somebody believes to be off.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Told of each file: its path in the source tree, and what is left of it. The tree is lent. */
typedef bool pack_tree_fn(void *into, const char *name, json_t *tree, struct err *err);

/* `disabled` is a list of texts; borrowed. Files are told in order of name. ERR_NOT_FOUND: a name of nothing. */
bool pack_trees_each(const json_t *disabled, pack_tree_fn *tell, void *into, struct err *err);
