/*
 * exposition_write - writes metrics as Prometheus text: for our own /metrics and the host source.
 *
 *      exposition_family(&out, "evenkeel_lines_total", "counter", "Log lines taken in.");
 *      exposition_sample(&out, "evenkeel_lines_total", 12, "source", STR("syslog"), NULL);
 *
 * The buf remembers a failed append, so ask out.failed once at the end.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "model/labels.h"

void exposition_family(struct buf *out, const char *name, const char *type, const char *help);
/* Label names and values in turns (const char *, struct str), ended by a NULL name. Values are escaped. */
void exposition_sample(struct buf *out, const char *name, double value, ... /* name, struct str, ..., (char *)NULL */);
void exposition_sample_labels(struct buf *out, const char *name, const struct labels *labels, double value);
/* The shortest decimal that reads back as the same double; NaN, +Inf, -Inf as Prometheus writes them. */
void exposition_number(struct buf *out, double value);
