/* sentences - counts what programs say, for stories; apart from scenario.c, as levels of logs and of our own log share a name. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct log_templates;

/* Sentences with this text in them; only_halves: that were split from another. */
uint64_t sentences_count(struct log_templates *templates, struct str text, bool only_halves);
