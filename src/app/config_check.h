/*
 * config_check - `evenkeel run --check`: every fault of a configuration that a start, a reload or the first message would meet.
 *
 * It opens no address, asks no other machine and runs nothing; it reads the files that the configuration names.
 */
#pragma once

#include "app/config.h"
#include "base/faults.h"

#include <jansson.h>

/* All that can be told without anything in force: addresses, files of certificates, log level, patterns, sources, webhooks, secrets, content files.
 * *out_content is the caller's, with what could be read; NULL: no memory. */
void config_check(const struct config *config, struct faults *faults, json_t **out_content);

/* Where the refused item stands in the content, from what the refusal says ("FILE: KEY, item N: ..."), and takes it out, so that what stands
 * beside it can be looked at too. False: it says no such place. */
bool config_check_take_out(json_t *content, const char *message);

/* One line a fault: file and line where they are known, place, what is wrong. */
void config_check_print(const struct faults *faults, const char *path, FILE *out);
