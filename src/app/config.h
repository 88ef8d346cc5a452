/*
 * config - evenkeel.yaml, checked whole before any of it is used.
 *
 * Every key is a row of config.def; an unknown one is an error that names the nearest known. Without a file all defaults
 * hold. The tree is the caller's and read-only after loading.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/faults.h"
#include "base/log.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct config {
        json_t *tree; /* as the file says; defaults are filled in by the readers below */
};

/* path NULL: no file, defaults only. With faults, each wrong key is told there and left out, in place of failing at the first. */
bool config_load(const char *path, struct config *out_config, struct faults *faults, struct err *err);
void config_done(struct config *config);

/* Puts a list of texts in place of first.second, as if the file said so. */
bool config_set_list(struct config *config, const char *first, const char *second, const char *const *texts, int count);

const char *config_text(const struct config *config, const char *path);
uint64_t config_count(const struct config *config, const char *path);   /* COUNT and BYTES */
/* The key log as base/log.h has it. */
bool config_log_level(const struct config *config, enum log_level *out_level, struct err *err);
int64_t config_duration_ns(const struct config *config, const char *path);
const json_t *config_tree(const struct config *config, const char *path); /* LIST and OBJECT; NULL when the default holds */

/* Appends a whole file (a certificate, the configuration itself), bounded by out->bytes_max. */
bool config_read_file(const char *path, struct buf *out, struct err *err);

/* docs/reference/configuration.md. */
bool config_manual(struct buf *out);
