/* launch_allow - the allow-list of the launcher: read anew for each launch, so that taking a line away takes effect at once. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the text of an allow-list has a line for the words; ERR_FORBIDDEN says what to add. */
bool launch_allow_match(struct str text, const struct str *words, size_t word_count, struct err *err);
/* Reads the file, checks who may write it, and the program's file too. */
bool launch_allow_check(const char *path, const struct str *words, size_t word_count, struct err *err);
