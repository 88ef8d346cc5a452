/* log.c - see log.h. One write a line, so that lines of several threads do not mix. */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic int least_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level least)
{
        least_level = (int)least;
}

static int prefix(enum log_level level, char *line, size_t line_bytes)
{
        static const char *const names[] = {"debug", "info", "warning", "error"};
        static const int priorities[] = {7, 6, 4, 3};
        if (getenv("JOURNAL_STREAM"))
                return snprintf(line, line_bytes, "<%d>", priorities[level]);
        char time[CLOCK_RFC3339_BYTES];
        clock_rfc3339(clock_now_ns(&clock_real), 3, time);
        return snprintf(line, line_bytes, "%s %-7s ", time, names[level]);
}

void log_line(enum log_level level, const char *source, const char *format, ...)
{
        if ((int)level < least_level)
                return;
        char line[1024];
        int length = prefix(level, line, sizeof line);
        length += snprintf(line + length, sizeof line - (size_t)length, "%s: ", source);
        va_list args;
        va_start(args, format);
        int more = vsnprintf(line + length, sizeof line - (size_t)length - 1, format, args);
        va_end(args);
        length += more < 0 ? 0 : more;
        if (length > (int)sizeof line - 2)
                length = (int)sizeof line - 2;
        line[length++] = '\n';
        if (write(STDERR_FILENO, line, (size_t)length) < 0)
                return; /* nowhere left to say it */
}

void log_err(enum log_level level, const struct err *err)
{
        log_line(level, err->source ? err->source : "evenkeel", "%s", err->message);
}
