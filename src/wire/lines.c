/*
 * lines.c - see lines.h. A line goes on with the record before it by rules about its first bytes, with a little memory
 * of what trace it is in (Python's last line and Go's frames begin in the first column). Wrong joins are worse than missed ones: a
 * line that begins with a time always begins a record.
 */
#include "wire/lines.h"

#include "base/json.h"
#include "base/scope.h"
#include "wire/stream.h"
#include "wire/timestamp.h"

#define SEVERITY_REACH 96    /* bytes behind the time in which a severity is looked for */
#define LEVEL_REACH 512      /* and a key such as level= or "level": */

enum trace { TRACE_NONE, TRACE_PYTHON, TRACE_PYTHON_TOLD /* its exception's name was read */, TRACE_GO };

static bool starts(struct str line, const char *prefix)
{
        return str_starts_with(line, str_of(prefix));
}

static bool is_letter(char c)
{
        return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_alnum(char c)
{
        return is_letter(c) || (unsigned char)(c - '0') < 10 || c == '_';
}

static bool only_closing(struct str line)
{
        for (size_t i = 0; i < line.length; i++)
                if (!memchr("}]);,", line.bytes[i], 5))
                        return false;
        return line.length > 0;
}

/* "java.lang.IllegalStateException: why", "ValueError: why", "requests.exceptions.ConnectionError": a dotted name that
 * ends the line or goes on with a colon. dotted: at least one dot, so that "Note: ..." is none. */
static bool is_exception(struct str line, bool dotted)
{
        size_t i = 0, dots = 0;
        while (i < line.length && (is_alnum(line.bytes[i]) || line.bytes[i] == '.' || line.bytes[i] == '$'))
                dots += line.bytes[i++] == '.';
        if (i == 0 || !is_letter(line.bytes[0]) || (dotted && !dots))
                return false;
        if (i < line.length && line.bytes[i] != ':')
                return false;
        struct str name = str_slice(line, 0, i);
        size_t at;
        return !dotted || str_find(name, STR("Exception"), &at) || str_find(name, STR("Error"), &at) ||
               str_find(name, STR("Throwable"), &at);
}

static bool is_go_frame(struct str line)
{
        const char *open = memchr(line.bytes, '(', line.length);
        return open && line.bytes[line.length - 1] == ')' && memchr(line.bytes, '.', (size_t)(open - line.bytes)) &&
               !memchr(line.bytes, ' ', (size_t)(open - line.bytes));
}

static bool continues_python(struct str line)
{
        return starts(line, "Traceback (most recent call last):") || starts(line, "During handling of the above exception") ||
               starts(line, "The above exception was the direct cause");
}

static bool continues_go(struct str line)
{
        return starts(line, "goroutine ") || starts(line, "created by ") || starts(line, "[signal ") || starts(line, "panic: ") ||
               starts(line, "exit status ") || is_go_frame(line);
}

/* Whether the line belongs to the record before it. Keeps trace; a record of level error takes the trace that follows it. */
static bool continues(struct str line, enum trace *trace, uint8_t severity)
{
        char first = line.bytes[0];
        if (first == ' ' || first == '\t' || starts(line, "Caused by: ") || starts(line, "at ") || starts(line, "...") ||
            starts(line, "Suppressed: ") || only_closing(line))
                return true;
        if (*trace == TRACE_GO && continues_go(line))
                return true;
        if ((*trace == TRACE_PYTHON || *trace == TRACE_PYTHON_TOLD) && continues_python(line)) {
                *trace = TRACE_PYTHON;
                return true;
        }
        if (*trace == TRACE_PYTHON && is_exception(line, false)) {
                *trace = TRACE_PYTHON_TOLD;
                return true;
        }
        if (severity >= SEVERITY_WARN && starts(line, "Traceback (most recent call last):")) {
                *trace = TRACE_PYTHON;
                return true;
        }
        return severity >= SEVERITY_WARN && is_exception(line, true);
}

static enum trace trace_begun(struct str line)
{
        if (starts(line, "Traceback (most recent call last):"))
                return TRACE_PYTHON;
        return starts(line, "panic: ") || starts(line, "fatal error: ") ? TRACE_GO : TRACE_NONE;
}

/* Words as programs write levels: WHOLE CAPITALS, in [brackets] or <angles>, or at the start before a colon. */
static uint8_t severity_word(struct str text)
{
        size_t reach = min_of(text.length, (size_t)SEVERITY_REACH);
        for (size_t i = 0; i < reach;) {
                if (!is_letter(text.bytes[i]) || (i && is_alnum(text.bytes[i - 1]))) {
                        i++;
                        continue;
                }
                size_t end = i;
                bool capitals = true;
                for (; end < text.length && is_alnum(text.bytes[end]); end++)
                        capitals &= text.bytes[end] >= 'A' && text.bytes[end] <= 'Z';
                char before = i ? text.bytes[i - 1] : 0, after = end < text.length ? text.bytes[end] : 0;
                bool framed = (before == '[' && after == ']') || (before == '<' && after == '>') || (i < 2 && after == ':');
                struct str word = str_slice(text, i, end);
                uint8_t severity = (capitals || framed) && word.length >= 3 && word.length <= 13 ? severity_of_name(word) : 0;
                if (severity)
                        return severity;
                i = end;
        }
        return SEVERITY_UNKNOWN;
}

/* level=warn, lvl=error, severity="info", "level":"info", "level": 30 is not a word and stays unknown. */
static uint8_t severity_key(struct str text)
{
        static const struct str keys[] = {STR_INIT("level"), STR_INIT("severity"), STR_INIT("lvl")};
        struct str head = str_slice(text, 0, LEVEL_REACH);
        for (size_t k = 0; k < countof(keys); k++) {
                size_t at, from = 0;
                while (str_find(str_slice(head, from, head.length), keys[k], &at)) {
                        size_t i = from + at + keys[k].length;
                        from = i;
                        if (i < head.length && head.bytes[i] == '"')
                                i++;
                        if (i >= head.length || (head.bytes[i] != '=' && head.bytes[i] != ':'))
                                continue;
                        for (i++; i < head.length && (head.bytes[i] == ' ' || head.bytes[i] == '"');)
                                i++;
                        size_t end = i;
                        while (end < head.length && is_letter(head.bytes[end]))
                                end++;
                        uint8_t severity = severity_of_name(str_slice(head, i, end));
                        if (severity)
                                return severity;
                }
        }
        return SEVERITY_UNKNOWN;
}

/* "E0131 23:59:59.123456" as klog and glog write it. */
static uint8_t severity_klog(struct str text)
{
        if (text.length < 8 || text.bytes[5] != ' ' || text.bytes[8 - 1] == ' ')
                return SEVERITY_UNKNOWN;
        for (int i = 1; i < 5; i++)
                if ((unsigned char)(text.bytes[i] - '0') > 9)
                        return SEVERITY_UNKNOWN;
        switch (text.bytes[0]) {
        case 'I': return SEVERITY_INFO;
        case 'W': return SEVERITY_WARN;
        case 'E': return SEVERITY_ERROR;
        case 'F': return SEVERITY_FATAL;
        default: return SEVERITY_UNKNOWN;
        }
}

static uint8_t find_severity(struct str line)
{
        uint8_t severity = severity_klog(line);
        if (!severity)
                severity = severity_word(line);
        return severity ? severity : severity_key(line);
}

struct decoding {
        struct batch *batch;
        bool multiline;
        int64_t utc_offset_s;
        uint32_t stream;
        struct timestamp_minute minute;
        enum trace trace;
        struct log_record *record; /* the newest; lines may still join it */
        size_t lines;              /* in it */
};

static bool begin_record(struct decoding *decoding, struct str line, size_t time_bytes, int64_t time_ns, struct err *err)
{
        struct log_record *record = stream_record(decoding->batch, decoding->stream, line, err);
        if (!record)
                return false;
        record->time_ns = time_ns;
        struct str behind = str_slice(line, time_bytes, line.length);
        record->severity = find_severity(behind);
        decoding->record = record;
        decoding->lines = 1;
        decoding->trace = trace_begun(str_trim(behind));
        if (decoding->trace != TRACE_NONE && !record->severity)
                record->severity = SEVERITY_ERROR;
        return true;
}

static bool take_line(struct decoding *decoding, struct str line, struct err *err)
{
        int64_t time_ns = 0;
        size_t time_bytes = timestamp_any(line, decoding->utc_offset_s, decoding->batch->received_ns, &decoding->minute, &time_ns);
        struct log_record *record = decoding->record;
        if (decoding->multiline && record && !time_bytes && decoding->lines < LINES_RECORD_LINES_MAX &&
            continues(line, &decoding->trace, record->severity)) {
                record->line.length = (size_t)(line.bytes + line.length - record->line.bytes);
                decoding->lines++;
                return true;
        }
        return begin_record(decoding, line, time_bytes, time_ns, err);
}

static bool decoding_init(struct decoding *decoding, struct batch *batch, struct err *err)
{
        scoped_ptr(json_decref) json_t *settings = batch->settings.length ? json_parse(batch->settings, err) : json_object();
        if (!settings)
                return err_within(err, "reading the settings of a file");
        *decoding = (struct decoding){.batch = batch,
                                      .multiline = json_flag(settings, "multiline", true),
                                      .utc_offset_s = json_i64(settings, "utc_offset_s", 0)};
        if (decoding->utc_offset_s > 86400 || decoding->utc_offset_s < -86400)
                return fail(err, ERR_INVALID, "lines", "utc_offset_s is more than a day; a zone is within 14 hours of UTC");
        struct str service = arena_str(&batch->arena, json_str(settings, "service"));
        struct label labels[] = {{STR("service"), service}, {STR("source"), STR("file")}};
        decoding->stream = stream_of(batch, labels, countof(labels), err);
        return decoding->stream != UINT32_MAX;
}

static struct str without_return(struct str line)
{
        return line.length && line.bytes[line.length - 1] == '\r' ? str_slice(line, 0, line.length - 1) : line;
}

bool lines_decode(struct batch *batch, struct err *err)
{
        struct decoding decoding = {0};
        if (!decoding_init(&decoding, batch, err))
                return false;
        struct str rest = batch->bytes, line;
        while (rest.length && str_cut(&rest, '\n', &line)) {
                line = without_return(line);
                if (line.length && !take_line(&decoding, line, err)) /* empty lines stay only within a trace */
                        return false;
        }
        return true;
}

size_t lines_cut(struct str bytes, bool multiline)
{
        const char *last = bytes.length ? memrchr(bytes.bytes, '\n', bytes.length) : NULL;
        size_t whole = last ? (size_t)(last - bytes.bytes) + 1 : 0;
        if (!multiline || !whole)
                return whole;
        struct str rest = str_slice(bytes, 0, whole), line;
        enum trace trace = TRACE_NONE;
        uint8_t severity = SEVERITY_UNKNOWN;
        size_t begun = 0, lines = 0;
        while (rest.length && str_cut(&rest, '\n', &line)) {
                int64_t time_ns;
                line = without_return(line);
                if (!line.length)
                        continue;
                size_t time_bytes = timestamp_any(line, 0, 0, NULL, &time_ns);
                if (!time_bytes && lines && lines < LINES_RECORD_LINES_MAX && continues(line, &trace, severity)) {
                        lines++;
                        continue;
                }
                struct str behind = str_slice(line, time_bytes, line.length);
                begun = (size_t)(line.bytes - bytes.bytes);
                lines = 1;
                trace = trace_begun(str_trim(behind));
                severity = trace != TRACE_NONE ? SEVERITY_ERROR : find_severity(behind);
        }
        return begun;
}
