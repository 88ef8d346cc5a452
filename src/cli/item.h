/*
 * item - a JSON object of an answer, as people read it: members that may be missing, times that travel as text, and text of
 * telemetry, which must not order the terminal about.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct cli;

/* A member that is text, borrowed from the item; "-" when it is missing, empty or no text. */
const char *item_text(const json_t *item, const char *key);
/* A time, which answers carry as decimal text of nanoseconds; 0 when it is missing. */
int64_t item_time_ns(const json_t *item, const char *key);
/* The same for people, to the second; "-" when it is missing. */
void item_time(const json_t *item, const char *key, char out_text[static CLOCK_RFC3339_BYTES]);

/* The whole answer as --json shows it. False: standard output does not take it. */
bool item_print(const json_t *item);
/* Asks the daemon. With --json the answer is printed here and *out_answer is NULL, else it is the caller's. */
bool item_ask(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **out_answer, struct err *err);

/* Text from anywhere: control bytes become \xNN, tabs stay, a line's end becomes line_end (NULL: it is a control byte too).
 * The first ends `out` with a zero byte; the second prints. */
void item_safe(struct str text, const char *line_end, struct buf *out);
void item_say(struct str text, const char *line_end);
