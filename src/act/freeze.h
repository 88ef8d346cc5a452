/*
 * freeze - times in which automation may not run: the content key `freezes`.
 *
 *      { name: year end, from: 2026-12-20T00:00:00Z, to: 2027-01-04T00:00:00Z }
 *      { name: nights, daily: {from: "22:00", to: "06:00"}, days: [mon, tue] }        in UTC; of days, the one on which it begins
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

bool freezes_check(const json_t *content, struct err *err);
/* The name of a freeze that holds at that time; false: none does. The text is borrowed from the content. */
bool freezes_hold(const json_t *content, int64_t time_ns, struct str *out_name);
