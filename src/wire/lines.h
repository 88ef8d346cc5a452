/*
 * lines - what a followed file holds: one record a line, stack traces joined with the line they belong to.
 *
 * batch->bytes: whole lines (the last may lack its newline). settings: JSON {"service": name, "multiline": true|false
 * (default true), "utc_offset_s": of times without a zone, default 0}. batch->labels: host, path ... The record's line keeps
 * the inner newlines. A time at the line's start is read (RFC 3339, with space or comma too; syslog; Apache and nginx;
 * epoch s, ms, us, ns), else 0; a severity from usual words near the start, else unknown.
 *
 * The source should cut batches where lines_cut() says, so that a trace is not torn.
 */
#pragma once

#include "wire/decode.h"

#include <stddef.h>

#define LINES_RECORD_LINES_MAX 4096 /* lines joined into one record; a longer trace goes on in a new one */

decode_fn lines_decode;

/* How many of the first bytes are records that are certainly whole: up to the last line that begins a record, or, without
 * multiline, up to the last newline. 0: none yet. The rest waits for more, or for a little time to pass. */
size_t lines_cut(struct str bytes, bool multiline);
