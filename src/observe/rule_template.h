/*
 * rule_template - the texts of rules and notifications that name labels and values, in the part of Prometheus' template language that
 * alerts use: {{ $labels.NAME }}, {{ .Labels.NAME }}, {{ $value }}, {{ .Value }}, {{ $labels.NAME | toUpper }},
 * {{ $value | humanize }}, {{ printf "%.2f" $value }} and chains of these.
 *
 * Functions: humanize, humanize1024, humanizePercentage, humanizeDuration, printf (one %f, %g, %e, %d, %s or %v with width and precision), title,
 * toUpper, toLower. Conditions, loops, query and everything else are refused by name when the rule is loaded.
 * Source: Prometheus 2.42, documentation of template examples and functions.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

/* Names what is not understood. */
bool rule_template_check(struct str text, struct err *err);
/* Appends the text with its places filled; a template that passed the check cannot fail but for memory (out->failed). */
void rule_template_write(struct str text, const struct labels *labels, double value, struct buf *out);
