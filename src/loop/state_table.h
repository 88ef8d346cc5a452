/*
 * state_table - the SQL of the loop's own tables in the state database: the checkpoint and the audit log of commands.
 *
 * The audit log is also the memory of which commands were applied: a command and its row are one transaction. Rows are
 * chained by hash (BLAKE2b of the row before and this one), so that a row cannot be changed or removed unseen.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/database.h"

#include <jansson.h>
#include <stdint.h>

bool state_open(const char *path, const char *vfs, struct database **out_state, struct err *err);

/* sequence 0 and *out_saved NULL when there was none. */
bool state_read_checkpoint(struct database *state, uint64_t *out_sequence, int64_t *out_time_ns, json_t **out_saved,
                           struct err *err);
bool state_write_checkpoint(struct database *state, uint64_t sequence, int64_t time_ns, const json_t *saved, struct err *err);

/* The newest entry whose effect on deciding stages is in this database; 0: none. Written in the transaction that holds the effect. */
bool state_read_watermark(struct database *state, uint64_t *out_sequence, int64_t *out_time_ns, struct err *err);
bool state_write_watermark(struct database *state, uint64_t sequence, int64_t time_ns, struct err *err);

/* What folding stages must know after a restart, by part, as it stood at the checkpoint. *out_found false: there is none. */
bool state_write_fold(struct database *state, const char *name, struct str bytes, struct err *err);
bool state_read_fold(struct database *state, const char *name, struct buf *out, bool *out_found, struct err *err);

/* The configuration that the deciding stages go by (rules, routes, runbooks ...); NULL when none was given yet. */
bool state_read_content(struct database *state, json_t **out_content, struct err *err);
bool state_write_content(struct database *state, const json_t *content, struct err *err);

struct audit_row {
        uint64_t sequence;
        int64_t time_ns;
        struct str by, verb, arguments; /* arguments: JSON text */
        struct str outcome;             /* "done", or the error's sentence */
};

bool state_append_audit(struct database *state, const struct audit_row *row, struct err *err);
/* Newest first. */
struct audit_filter {
        uint64_t before;                /* sequences below; 0: all */
        struct str by, verb;            /* empty: any */
        size_t limit;
};
bool state_visit_audit(struct database *state, const struct audit_filter *filter,
                       bool (*visit)(void *context, const struct audit_row *row, struct err *err), void *context,
                       struct err *err);

/* What the chain says. Its last value stands for the whole log: whoever noted it elsewhere sees later whether the log still
 * goes through it, so that an end cut off, or a log written anew, is found too. */
#define AUDIT_HEAD_BYTES 65
struct audit_check {
        bool is_whole, has_noted;       /* has_noted: the log goes through the noted head */
        uint64_t rows, broken;          /* rows that fit, before the first that does not; that one's sequence, 0: none */
        char head[AUDIT_HEAD_BYTES];    /* after the last row that fits, in hexadecimal */
};
bool state_check_audit(struct database *state, struct str noted, struct audit_check *out_check, struct err *err);
/* The same; ERR_CORRUPT names the first row that does not fit. */
bool state_verify_audit(struct database *state, uint64_t *out_rows, struct err *err);
