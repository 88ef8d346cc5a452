/* err.c - see err.h. Messages are cut, never grown: this must work when nothing else does. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
        const char *name;
        int http_status;
        const char *type;
        const char *meaning;
};

static const struct err_row rows[] = {
#define X(name, http_status, error_type, meaning) {#name, http_status, error_type, meaning},
#include "base/err.def"
#undef X
};

static void fill(struct err *err, enum err_code code, const char *source, const char *format, va_list args)
{
        err->code = code;
        err->source = source;
        vsnprintf(err->message, sizeof err->message, format, args);
}

bool fail(struct err *err, enum err_code code, const char *source, const char *format, ...)
{
        if (!err)
                return false;
        va_list args;
        va_start(args, format);
        fill(err, code, source, format, args);
        va_end(args);
        return false;
}

static enum err_code code_of_errno(int error_number)
{
        switch (error_number) {
        case ENOSPC:
        case EDQUOT:
                return ERR_FULL;
        case ENOENT:
                return ERR_NOT_FOUND;
        case EACCES:
        case EPERM:
                return ERR_FORBIDDEN;
        case ENOMEM:
                return ERR_MEMORY;
        case ETIMEDOUT:
                return ERR_TIMEOUT;
        default:
                return ERR_IO;
        }
}

bool fail_errno(struct err *err, int error_number, const char *source, const char *format, ...)
{
        if (!err)
                return false;
        va_list args;
        va_start(args, format);
        fill(err, code_of_errno(error_number), source, format, args);
        va_end(args);
        size_t used = strlen(err->message);
        char text[96];
        snprintf(err->message + used, sizeof err->message - used, ": %s", strerror_r(error_number, text, sizeof text));
        return false;
}

bool err_within(struct err *err, const char *format, ...)
{
        if (!err)
                return false;
        char inner[sizeof err->message];
        memcpy(inner, err->message, sizeof inner);
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        size_t used = strlen(err->message);
        snprintf(err->message + used, sizeof err->message - used, ": %s", inner);
        return false;
}

bool fail_memory(struct err *err, const char *source, size_t wanted_bytes)
{
        return fail(err, ERR_MEMORY, source,
                    "no memory for %zu bytes; give the program more, or lower the bounds in the configuration",
                    wanted_bytes);
}

int err_http_status(enum err_code code)
{
        return rows[code].http_status;
}

const char *err_type(enum err_code code)
{
        return rows[code].type;
}

const char *err_name(enum err_code code)
{
        return rows[code].name;
}

const char *err_meaning(enum err_code code)
{
        return rows[code].meaning;
}
