/* message.c - see message.h. It trusts no header: what does not look like one is part of the sentence. */
#include "wire/message.h"

#include "base/scope.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TAG_BYTES_MAX 64

static bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static struct str from(struct str s, size_t at)
{
        while (at < s.length && s.bytes[at] == ' ')
                at++;
        return str_slice(s, at, s.length);
}

static size_t word_end(struct str s, size_t at)
{
        const char *blank = at < s.length ? memchr(s.bytes + at, ' ', s.length - at) : NULL;
        return blank ? (size_t)(blank - s.bytes) : s.length;
}

/* Behind the nth blank from here on; the line's end when there are fewer. */
static size_t behind_blanks(struct str line, size_t at, uint32_t blanks)
{
#if defined(__SSE2__)
        for (; at + 16 <= line.length; at += 16) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(line.bytes + at));
                uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
                for (; found; found &= found - 1)
                        if (--blanks == 0)
                                return at + (size_t)__builtin_ctz(found) + 1;
        }
#endif
        for (; at < line.length; at++)
                if (line.bytes[at] == ' ' && --blanks == 0)
                        return at + 1;
        return line.length;
}

/* "<34>": at most three digits. */
static size_t priority_end(struct str line)
{
        size_t at = 1;
        if (!line.length || line.bytes[0] != '<')
                return 0;
        while (at < line.length && at < 4 && is_digit(line.bytes[at]))
                at++;
        return at > 1 && at < line.length && line.bytes[at] == '>' ? at + 1 : 0;
}

/* Structured data end at the bracket that no other follows; a bracket within quotes is none. */
static size_t data_end(struct str line, size_t at)
{
        while (at < line.length && line.bytes[at] == '[') {
                bool quoted = false;
                for (at++; at < line.length && (quoted || line.bytes[at] != ']'); at++) {
                        if (quoted && line.bytes[at] == '\\')
                                at++;
                        else if (line.bytes[at] == '"')
                                quoted = !quoted;
                }
                at++;
        }
        return min_of(at, line.length);
}

/* RFC 5424 behind "<34>1 ". */
static struct str behind_5424(struct str line, size_t at)
{
        at = behind_blanks(line, at, 5);
        at = at < line.length && line.bytes[at] == '[' ? data_end(line, at) : word_end(line, at);
        struct str message = from(line, at);
        return str_starts_with(message, STR("\xEF\xBB\xBF")) ? str_slice(message, 3, message.length) : message;
}

/* "Nov 22 18:00:00", or a word that holds a date and a time. */
static size_t syslog_time_end(struct str line, size_t at)
{
        struct str rest = str_slice(line, at, line.length);
        if (rest.length > 15 && rest.bytes[3] == ' ' && rest.bytes[9] == ':' && rest.bytes[12] == ':')
                return at + 15;
        size_t end = word_end(line, at), colons = 0;
        for (size_t i = at; i < end; i++)
                colons += line.bytes[i] == ':';
        return end > at && is_digit(line.bytes[at]) && colons >= 2 ? end : at;
}

/* "tag:" or "tag[pid]:" at the beginning. */
static size_t tag_end(struct str line, size_t at)
{
        size_t end = at;
        while (end < line.length && end < at + TAG_BYTES_MAX && line.bytes[end] != ' ' && line.bytes[end] != ':' && line.bytes[end] != '[')
                end++;
        if (end < line.length && line.bytes[end] == '[') {
                const char *close = memchr(line.bytes + end, ']', min_of(line.length - end, (size_t)TAG_BYTES_MAX));
                end = close ? (size_t)(close - line.bytes) + 1 : at;
        }
        return end > at && end < line.length && line.bytes[end] == ':' && (end + 1 == line.length || line.bytes[end + 1] == ' ') ? end + 1 : at;
}

static struct str behind_syslog(struct str line)
{
        size_t at = priority_end(line);
        if (at && at + 2 < line.length && line.bytes[at] == '1' && line.bytes[at + 1] == ' ')
                return behind_5424(line, at + 2);
        size_t time = syslog_time_end(line, at);
        struct str rest = from(line, time);
        size_t tag = tag_end(rest, 0);
        if (tag || time == at)
                return from(rest, tag);
        rest = from(rest, word_end(rest, 0)); /* the host */
        return from(rest, tag_end(rest, 0));
}

/* "2026-11-22 18:00:00,123", "[22/Nov/2026:18:00:00 +0000]", "18:00:00": digits and what stands between them. */
static struct str behind_time(struct str line)
{
        size_t at = line.length && line.bytes[0] == '[', colons = 0, digits = 0;
        for (; at < line.length && (is_digit(line.bytes[at]) || strchr("-:/.,TZ+ ", line.bytes[at])); at++) {
                colons += line.bytes[at] == ':';
                digits += is_digit(line.bytes[at]);
        }
        if (colons < 2 || digits < 6 || at >= line.length)
                return line;
        at += line.bytes[0] == '[' && line.bytes[at] == ']';
        return line.bytes[at - 1] == ' ' || line.bytes[at - 1] == ']' || line.bytes[at - 1] == ',' ? from(line, at) : line;
}

struct str message_of_line(struct str source, struct str line)
{
        const char *newline = line.length ? memchr(line.bytes, '\n', line.length) : NULL;
        if (newline)
                line.length = (size_t)(newline - line.bytes);
        if (str_equal(source, STR("syslog")))
                return behind_syslog(line);
        return str_equal(source, STR("file")) ? behind_time(line) : line;
}
