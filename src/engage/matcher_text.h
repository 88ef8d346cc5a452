/*
 * matcher_text - conditions on labels as people write them: severity="critical", team=~"web|db", or several in braces.
 *
 * The syntax of Prometheus' and Alertmanager's matchers: a name, one of = != =~ !~, a value with or without quotes; several
 * are parted by commas, with or without { } around all. In quotes, \" \\ and \n are escapes.
 */
#pragma once

#include "model/labels.h"

#include <jansson.h>

#define MATCHERS_MAX 32         /* of one silence, route or inhibition */

/* Appends to matchers (arena-owned texts; matchers_done frees regexes, also after a failure). An empty text adds nothing. */
bool matcher_text_read(struct str text, struct arena *arena, struct matchers *matchers, struct err *err);
/* A text, a list of texts, or a list of Alertmanager's { name, value, isRegex, isEqual }. NULL adds nothing. */
bool matcher_json_read(const json_t *json, struct arena *arena, struct matchers *matchers, struct err *err);
/* severity="critical", host=~"web.*" */
bool matcher_text_write(const struct matchers *matchers, struct buf *out);
/* As Alertmanager's API has them; NULL: no memory. */
json_t *matcher_json_write(const struct matchers *matchers);
