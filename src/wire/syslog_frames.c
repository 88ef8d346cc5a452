/*
 * syslog_frames.c - see syslog_frames.h.
 *
 * The common case is a buffer of newline-framed messages: one pass, sixteen bytes at a time, makes sure that no line begins with
 * a digit (it may be counted) and that there is no NUL, and the buffer is handed on as it is. Everything else is taken message by
 * message and moved towards the buffer's front.
 */
#include "wire/syslog_frames.h"

#include "base/scope.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define COUNT_DIGITS_MAX 7 /* of a message's announced length: under 10 MB; more is no count */

static inline bool is_count_digit(char c)
{
        return (unsigned char)(c - '1') <= 8;
}

/* Whether there is a line beginning with a digit, or a NUL: then a closer look is needed. */
static bool needs_closer_look(const char *bytes, size_t count)
{
        size_t i = 0;
        if (count && is_count_digit(bytes[0]))
                return true;
#ifdef __SSE2__
        const __m128i newline = _mm_set1_epi8('\n'), below = _mm_set1_epi8('1' - 1), above = _mm_set1_epi8('9' + 1);
        for (; i + 17 <= count; i += 16) {
                __m128i here = _mm_loadu_si128((const __m128i *)(bytes + i));
                __m128i next = _mm_loadu_si128((const __m128i *)(bytes + i + 1));
                __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(next, below), _mm_cmplt_epi8(next, above));
                __m128i starts = _mm_and_si128(_mm_cmpeq_epi8(here, newline), digit);
                if (_mm_movemask_epi8(_mm_or_si128(starts, _mm_cmpeq_epi8(here, _mm_setzero_si128()))))
                        return true;
        }
#endif
        for (; i < count; i++)
                if (bytes[i] == 0 || (bytes[i] == '\n' && i + 1 < count && is_count_digit(bytes[i + 1])))
                        return true;
        return false;
}

/* Whether every line of bytes (ended by a newline) is within the bound; looks only at some of the bytes. */
static bool lines_fit(const char *bytes, size_t count)
{
        size_t at = 0;
        while (count - at > SYSLOG_MESSAGE_BYTES_MAX + 1) {
                const char *newline = memrchr(bytes + at, '\n', SYSLOG_MESSAGE_BYTES_MAX + 1);
                if (!newline)
                        return false;
                at = (size_t)(newline - bytes) + 1;
        }
        return true;
}

enum count_found { COUNT_NONE, COUNT_FOUND, COUNT_UNSURE };

/* "123 <" at p: a message of 123 bytes. Unsure: the buffer ends before that can be told. */
static enum count_found read_count(const char *p, const char *end, size_t *out_bytes, const char **out_message)
{
        size_t value = 0;
        const char *digit = p;
        for (; digit < end && (unsigned char)(*digit - '0') <= 9; digit++) {
                if (digit - p >= COUNT_DIGITS_MAX)
                        return COUNT_NONE;
                value = value * 10 + (size_t)(*digit - '0');
        }
        if (digit == p || *p == '0')
                return COUNT_NONE;
        if (digit == end || digit + 1 == end)
                return digit == end || *digit == ' ' ? COUNT_UNSURE : COUNT_NONE;
        if (digit[0] != ' ' || digit[1] != '<')
                return COUNT_NONE;
        *out_bytes = value;
        *out_message = digit + 1;
        return COUNT_FOUND;
}

/* The byte that ends the line at p: newline or NUL; NULL when it is not there yet. */
static const char *line_end(const char *p, const char *end)
{
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *nul = memchr(p, 0, (size_t)((newline ? newline : end) - p));
        return nul ? nul : newline;
}

struct taking {
        struct syslog_frames *frames;
        char *bytes, *in, *end, *out;
        bool at_end;
};

/* Notes the newlines in message, which stands at place `at` of the messages. */
static bool list_inner(struct syslog_frames *frames, struct str message, size_t at, struct err *err)
{
        const char *end = message.bytes + message.length, *newline = message.bytes;
        while ((newline = memchr(newline, '\n', (size_t)(end - newline)))) {
                size_t place = at + (size_t)(newline - message.bytes);
                if (!buf_varint(&frames->inner_newlines, place - frames->last_inner))
                        return fail_memory(err, "syslog", frames->inner_newlines.length);
                frames->last_inner = place;
                newline++;
        }
        return true;
}

static struct str without_line_end(struct str message)
{
        while (message.length && (message.bytes[message.length - 1] == '\n' || message.bytes[message.length - 1] == '\r' ||
                                  message.bytes[message.length - 1] == '\0'))
                message.length--;
        return message;
}

/* Puts a message behind those taken before, its inner newlines listed when it was counted. */
static bool put_message(struct taking *taking, const char *bytes, size_t count, bool counted, struct err *err)
{
        struct str message = {bytes, count};
        if (count > SYSLOG_MESSAGE_BYTES_MAX) {
                message.length = SYSLOG_MESSAGE_BYTES_MAX;
                taking->frames->cut++;
        }
        message = without_line_end(message);
        if (!message.length)
                return true;
        memmove(taking->out, message.bytes, message.length);
        message.bytes = taking->out;
        if (counted && !list_inner(taking->frames, message, (size_t)(taking->out - taking->bytes), err))
                return false;
        taking->out += message.length;
        if (taking->out < taking->end)
                *taking->out++ = '\n'; /* the last message of a connection may stay without one */
        return true;
}

/* Throws away the rest of a message that was cut before. */
static void skip_rest(struct taking *taking)
{
        struct syslog_frames *frames = taking->frames;
        size_t here = min_of(frames->skip_bytes, (size_t)(taking->end - taking->in));
        taking->in += here;
        frames->skip_bytes -= here;
        if (!frames->skip_line)
                return;
        const char *newline = line_end(taking->in, taking->end);
        taking->in = newline ? (char *)newline + 1 : taking->end;
        frames->skip_line = !newline;
}

enum took { TOOK_ONE, TOOK_NONE, TOOK_FAILED };

static enum took take_counted(struct taking *taking, const char *message, size_t count, struct err *err)
{
        size_t here = min_of(count, (size_t)(taking->end - message));
        if (here < count && !taking->at_end && here <= SYSLOG_MESSAGE_BYTES_MAX)
                return TOOK_NONE;
        taking->frames->skip_bytes = taking->at_end ? 0 : count - here;
        if (!put_message(taking, message, here, true, err))
                return TOOK_FAILED;
        taking->in = (char *)message + here;
        return TOOK_ONE;
}

static enum took take_line(struct taking *taking, struct err *err)
{
        const char *newline = line_end(taking->in, taking->end);
        size_t count = (size_t)((newline ? newline : taking->end) - taking->in);
        if (!newline && !taking->at_end && count <= SYSLOG_MESSAGE_BYTES_MAX)
                return TOOK_NONE;
        char *next = newline ? (char *)newline + 1 : taking->end;
        taking->frames->skip_line = !newline && !taking->at_end;
        if (!put_message(taking, taking->in, count, false, err))
                return TOOK_FAILED;
        taking->in = next;
        return TOOK_ONE;
}

static enum took take_one(struct taking *taking, struct err *err)
{
        const char *message = NULL;
        size_t count = 0;
        switch (read_count(taking->in, taking->end, &count, &message)) {
        case COUNT_FOUND:
                return take_counted(taking, message, count, err);
        case COUNT_UNSURE:
                return taking->at_end ? take_line(taking, err) : TOOK_NONE;
        default:
                return take_line(taking, err);
        }
}

static bool take_each(struct syslog_frames *frames, char *bytes, size_t count, bool at_end, struct err *err)
{
        struct taking taking = {frames, bytes, bytes, bytes + count, bytes, at_end};
        skip_rest(&taking);
        enum took took = TOOK_ONE;
        while (took == TOOK_ONE && taking.in < taking.end)
                took = take_one(&taking, err);
        frames->messages = (struct str){bytes, (size_t)(taking.out - bytes)};
        frames->consumed = (size_t)(taking.in - bytes);
        return took != TOOK_FAILED;
}

bool syslog_frames_take(struct syslog_frames *frames, char *bytes, size_t count, bool at_end, struct err *err)
{
        buf_clear(&frames->inner_newlines);
        frames->last_inner = 0;
        frames->messages = (struct str){bytes, 0};
        frames->consumed = 0;
        const char *last = count ? memrchr(bytes, '\n', count) : NULL;
        size_t whole = last ? (size_t)(last - bytes) + 1 : 0;
        bool tail_fits = count - whole <= SYSLOG_MESSAGE_BYTES_MAX;
        if (frames->skip_bytes || frames->skip_line || !tail_fits || !lines_fit(bytes, whole) ||
            needs_closer_look(bytes, count))
                return take_each(frames, bytes, count, at_end, err);
        frames->consumed = at_end ? count : whole;
        frames->messages.length = frames->consumed;
        return true;
}

bool syslog_frames_datagram(struct syslog_frames *frames, struct str datagram, struct buf *messages, struct err *err)
{
        if (!messages->length) {
                buf_clear(&frames->inner_newlines);
                frames->last_inner = 0;
        }
        if (datagram.length > SYSLOG_MESSAGE_BYTES_MAX) {
                datagram.length = SYSLOG_MESSAGE_BYTES_MAX;
                frames->cut++;
        }
        struct str message = without_line_end(datagram);
        if (!message.length)
                return true;
        if (!buf_reserve(messages, message.length + 1) || !list_inner(frames, message, messages->length, err))
                return fail_memory(err, "syslog", message.length);
        return buf_add(messages, message) && buf_byte(messages, '\n');
}

void syslog_frames_done(struct syslog_frames *frames)
{
        buf_done(&frames->inner_newlines);
}

bool syslog_settings(struct buf *out, int utc_offset_s, struct str inner_newlines)
{
        if (!utc_offset_s && !inner_newlines.length)
                return true;
        uint64_t zigzag = (uint64_t)(int64_t)utc_offset_s << 1 ^ (uint64_t)((int64_t)utc_offset_s >> 63);
        return buf_varint(out, zigzag) && buf_add(out, inner_newlines);
}
