/*
 * log - what the program says about itself, on standard error: one line a happening, with key=value pairs in the text.
 *
 * Library rooms do not log: they fill a struct err, and whoever decides logs it once. Lines carry the priority prefix
 * of sd-daemon(3) when standard error is the journal, else time and level.
 */
#pragma once

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

void log_set_level(enum log_level least);
void log_line(enum log_level level, const char *source, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

/* Logs an err whose way ends here. */
void log_err(enum log_level level, const struct err *err);
