/*
 * faults - all that is wrong with what somebody wrote, not only the first: each with the place it stands at.
 *
 * A place is the path of keys from the top, with dots, as in sources.syslog.listen.0.udp; or whatever names it better, such as
 * a file and what in it. Bounded: what comes after FAULTS_MAX is only counted.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define FAULTS_MAX 64

struct faults {
        size_t count, more; /* more: beyond FAULTS_MAX */
        struct fault_told { char place[256]; struct err err; } items[FAULTS_MAX];
};

/* The err is copied. place NULL or "": the whole. */
void faults_add(struct faults *faults, const char *place, const struct err *err);
/* As fail, told at once. Returns false. */
bool faults_note(struct faults *faults, const char *place, enum err_code code, const char *source, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Each key of the object that is not one of `known`, words parted by single blanks. NULL and what is no object have none. */
void faults_keys(struct faults *faults, const char *place, const json_t *object, const char *known);
