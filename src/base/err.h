/*
 * err - what went wrong in the world, in fixed space, so that running out of memory can be told too.
 *
 * Every function that can fail returns bool (or NULL) and fills a struct err; whoever decides, logs, once.
 * Fill it where the fault is known with fail(); callers add what they were doing with err_within(). A NULL err
 * is accepted everywhere: the caller then only wants to know whether it worked.
 * Our own faults are asserts, never errs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum err_code {
#define X(name, http_status, error_type, meaning) name,
#include "base/err.def"
#undef X
        ERR_CODES
};

struct err {
        enum err_code code;
        const char *source; /* the room or module that saw the fault; a string literal */
        char message[488];  /* what was tried, on what, why it failed, what to do next */
};

/* Fills err (if not NULL) and returns false, so that `return fail(err, ...)` reads as a sentence. */
bool fail(struct err *err, enum err_code code, const char *source, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* As fail, with ": <text of errno>" appended and the code chosen from errno (ENOSPC, EDQUOT: ERR_FULL; ENOENT:
 * ERR_NOT_FOUND; EACCES, EPERM: ERR_FORBIDDEN; ENOMEM: ERR_MEMORY; else ERR_IO). */
bool fail_errno(struct err *err, int error_number, const char *source, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Puts what the caller was doing before the message ("doing: message"), keeps code and source, returns false. */
bool err_within(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Running out of memory, said the same way everywhere. */
bool fail_memory(struct err *err, const char *source, size_t wanted_bytes);

int err_http_status(enum err_code code);         /* a row of err.def */
const char *err_type(enum err_code code);        /* Prometheus' errorType */
const char *err_name(enum err_code code);        /* "ERR_FULL" */
const char *err_meaning(enum err_code code);     /* one sentence for the manual */
