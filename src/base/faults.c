/* faults.c - see faults.h. */
#include "base/faults.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

void faults_add(struct faults *faults, const char *place, const struct err *err)
{
        if (faults->count == FAULTS_MAX) {
                faults->more++;
                return;
        }
        struct fault_told *fault = &faults->items[faults->count++];
        snprintf(fault->place, sizeof fault->place, "%s", place ? place : "");
        fault->err = *err;
}

bool faults_note(struct faults *faults, const char *place, enum err_code code, const char *source, const char *format, ...)
{
        struct err err = {.code = code, .source = source};
        va_list args;
        va_start(args, format);
        vsnprintf(err.message, sizeof err.message, format, args);
        va_end(args);
        faults_add(faults, place, &err);
        return false;
}

void faults_keys(struct faults *faults, const char *place, const json_t *object, const char *known)
{
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)object, key, value)
                if (!str_has_word(str_of(known), str_of(key)))
                        faults_note(faults, place, ERR_INVALID, "config", "there is no key %s here; there are: %s", key, known);
}
