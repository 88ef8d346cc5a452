/*
 * syslog.c - see syslog.h. The hottest path of all: a line costs one search for its end, one walk over its header and
 * one look into a small table of the streams of this batch, keyed by the bytes of host and service, so that
 * labels are only built for a pair not met before. Nothing is copied but structured data.
 */
#include "wire/syslog.h"

#include "base/reader.h"
#include "base/scope.h"
#include "wire/stream.h"
#include "wire/timestamp.h"

#define NAME_BYTES_MAX 255 /* of a host or tag; longer: it is no header */
#define CACHE_MIN 16
#define CACHE_MAX 8192
#define LINE_BYTES_EXPECTED 80
#define CACHE_PROBES 8     /* then the entry there is given up */

struct header {
        int64_t time_ns;
        struct str host, service;
        struct str data; /* structured data, empty when there are none */
};

struct cached_stream {
        struct str host, service;
        uint32_t stream; /* + 1; 0: free */
};

struct decoding {
        struct batch *batch;
        struct cached_stream *cache; /* by the hash of host and service */
        size_t cache_mask;
        int64_t utc_offset_s;
        struct reader inner;         /* newlines that end no message, each from the last */
        size_t next_inner;           /* place of the next of them; SIZE_MAX: none */
        struct timestamp_minute iso_minute, bsd_minute;
};

static const uint8_t severity_of_priority[8] = {SEVERITY_FATAL, SEVERITY_ALERT,  SEVERITY_CRITICAL, SEVERITY_ERROR,
                                                SEVERITY_WARN,  SEVERITY_NOTICE, SEVERITY_INFO,     SEVERITY_DEBUG};

/* "<34>" at p: gives what follows it, or p itself when there is none. */
static inline const char *read_priority(const char *p, const char *end, uint8_t *out_severity)
{
        if (end - p < 3 || *p != '<')
                return p;
        unsigned value = 0;
        const char *digit = p + 1;
        for (; digit < end && digit < p + 4 && (unsigned char)(*digit - '0') <= 9; digit++)
                value = value * 10 + (unsigned)(*digit - '0');
        if (digit == p + 1 || digit == end || *digit != '>' || value > 191)
                return p;
        *out_severity = severity_of_priority[value & 7];
        return digit + 1;
}

/* The word at p, up to a space or the end; short words are quicker by hand than by a call. */
static inline struct str read_word(const char *p, const char *end)
{
        const char *start = p;
        while (p < end && *p != ' ')
                p++;
        return (struct str){start, (size_t)(p - start)};
}

static inline struct str nil_is_empty(struct str word)
{
        return word.length == 1 && word.bytes[0] == '-' ? (struct str){0} : word;
}

/* Length of the structured data at p ("[id a="b"][...]" or "-"); 0 when they are wrong. A ] in a value is escaped. */
static size_t data_length(const char *p, const char *end)
{
        const char *start = p;
        if (p < end && *p == '-')
                return 1;
        while (p < end && *p == '[') {
                bool quoted = false;
                for (p++; p < end && (quoted || *p != ']'); p++) {
                        if (quoted && *p == '\\' && p + 1 < end)
                                p++;
                        else if (*p == '"')
                                quoted = !quoted;
                }
                if (p >= end)
                        return 0;
                p++;
        }
        return (size_t)(p - start);
}

/* RFC 5424 behind "<34>1 ": TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]. */
static bool read_5424(struct decoding *decoding, const char *p, const char *end, struct header *header)
{
        struct str words[5];
        for (int i = 0; i < 5; i++) {
                words[i] = read_word(p, end);
                p = words[i].bytes + words[i].length;
                if (p == end || words[i].length == 0)
                        return false;
                p++;
        }
        if (words[1].length > NAME_BYTES_MAX || words[2].length > NAME_BYTES_MAX)
                return false;
        if (words[0].bytes[0] != '-' &&
            timestamp_iso(words[0], decoding->utc_offset_s, &decoding->iso_minute, &header->time_ns) != words[0].length)
                return false;
        header->host = nil_is_empty(words[1]);
        header->service = nil_is_empty(words[2]);
        if (p < end && *p == '[')
                header->data = (struct str){p, data_length(p, end)};
        return true;
}

/* The time of an RFC 3164 header and of what devices make of it: a leading * or . (clock not in step), a colon after. */
static const char *read_3164_time(struct decoding *decoding, const char *p, const char *end, int64_t *out_ns)
{
        const char *start = p;
        if (p < end && (*p == '*' || *p == '.'))
                p++;
        struct str text = {p, (size_t)(end - p)};
        size_t length = timestamp_bsd(text, decoding->utc_offset_s, decoding->batch->received_ns, &decoding->bsd_minute, out_ns);
        if (!length)
                length = timestamp_iso(text, decoding->utc_offset_s, &decoding->iso_minute, out_ns);
        if (!length)
                return start;
        p += length;
        if (p < end && *p == ':')
                p++;
        return p;
}

static const bool tag_byte[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['_'] = true, ['-'] = true, ['.'] = true,
        ['/'] = true,         ['@'] = true,         ['%'] = true,         ['('] = true, [')'] = true, ['+'] = true,
        ['$'] = true,         ['#'] = true,         ['~'] = true,
};

/* "tag:", "tag[pid]:" or "tag[pid] " at p: the tag without its pid; empty when there is none. spaced: a colon only counts
 * before a space, since an IPv6 address or an URL may stand there too. */
static inline struct str read_tag(const char *p, const char *end, bool spaced)
{
        const char *start = p;
        while (p < end && tag_byte[(unsigned char)*p])
                p++;
        struct str tag = {start, (size_t)(p - start)};
        if (p == start || p == end || tag.length > NAME_BYTES_MAX)
                return (struct str){0};
        if (*p == ':')
                return !spaced || p + 1 == end || p[1] == ' ' ? tag : (struct str){0};
        if (*p != '[')
                return (struct str){0};
        const char *close = memchr(p, ']', min_of((size_t)(end - p), (size_t)128));
        return close && (close + 1 == end || close[1] == ':' || close[1] == ' ') ? tag : (struct str){0};
}

/* RFC 3164 and its kin: [time] [host] [tag[pid]:] message. A host is only looked for behind a time. */
static void read_3164(struct decoding *decoding, const char *p, const char *end, struct header *header)
{
        const char *after = read_3164_time(decoding, p, end, &header->time_ns);
        bool timed = after != p;
        for (p = after; p < end && *p == ' ';)
                p++;
        header->service = read_tag(p, end, true);
        if (header->service.length || !timed)
                return; /* "su: message": no host, as local programs write it */
        struct str host = read_word(p, end);
        p = host.bytes + host.length;
        if (host.length == 0 || host.length > NAME_BYTES_MAX || host.bytes[host.length - 1] == ':' || p == end)
                return; /* one word alone is a message */
        header->host = host;
        while (p < end && *p == ' ')
                p++;
        header->service = read_tag(p, end, false);
}

static inline uint64_t word_hash(struct str word, const char *end)
{
        uint64_t head = 0, tail = 0;
        if (word.length >= 8) {
                memcpy(&head, word.bytes, 8);
                memcpy(&tail, word.bytes + word.length - 8, 8);
        } else if (word.length && end - word.bytes >= 8) {
                memcpy(&head, word.bytes, 8);
                head &= ~UINT64_C(0) >> (64 - 8 * word.length);
        } else {
                memcpy(&head, word.bytes ? word.bytes : "", word.length);
        }
        return (head ^ (tail * 3 + word.length)) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint32_t new_stream(struct decoding *decoding, const struct header *header, struct err *err)
{
        struct label labels[] = {
                {STR("host"), header->host}, {STR("service"), header->service}, {STR("source"), STR("syslog")}};
        return stream_of(decoding->batch, labels, countof(labels), err);
}

static inline uint32_t find_stream(struct decoding *decoding, const struct header *header, const char *end, struct err *err)
{
        uint64_t hash = word_hash(header->host, end) ^ (word_hash(header->service, end) >> 7);
        size_t at = (hash ^ hash >> 32) & decoding->cache_mask;
        struct cached_stream *cached = &decoding->cache[at];
        for (size_t probe = 0; cached->stream && probe < CACHE_PROBES; probe++) {
                if (str_equal(cached->host, header->host) && str_equal(cached->service, header->service))
                        return cached->stream - 1;
                cached = &decoding->cache[(at + probe + 1) & decoding->cache_mask];
        }
        uint32_t stream = new_stream(decoding, header, err);
        if (stream != UINT32_MAX)
                *cached = (struct cached_stream){header->host, header->service, stream + 1};
        return stream;
}

/* A parameter's value with \" \\ \] resolved; as it lies when there is nothing to resolve. */
static struct str plain_value(struct arena *arena, struct str value)
{
        if (!memchr(value.bytes, '\\', value.length))
                return value;
        char *plain = arena_alloc(arena, value.length);
        size_t used = 0;
        for (size_t i = 0; plain && i < value.length; i++) {
                char next = i + 1 < value.length ? value.bytes[i + 1] : 0;
                if (value.bytes[i] == '\\' && (next == '"' || next == '\\' || next == ']'))
                        i++;
                plain[used++] = value.bytes[i];
        }
        return (struct str){plain, used};
}

static bool add_parameter(struct arena *arena, struct labels *attributes, struct str id, struct str name, struct str value,
                          struct err *err)
{
        char *full = arena_alloc(arena, id.length + 1 + name.length);
        struct str plain = plain_value(arena, value);
        struct label *attribute = full && plain.bytes ? arena_push(arena, attributes) : NULL;
        if (!attribute)
                return fail_memory(err, "syslog", value.length);
        memcpy(full, id.bytes, id.length);
        full[id.length] = '.';
        memcpy(full + id.length + 1, name.bytes, name.length);
        *attribute = (struct label){{full, id.length + 1 + name.length}, plain};
        return true;
}

/* data was measured by data_length: brackets and quotes are balanced. Parameters beyond LABELS_MAX stay in the line only. */
static bool read_data(struct arena *arena, struct str data, struct labels *attributes, struct err *err)
{
        const char *p = data.bytes, *end = p + data.length;
        while (p < end && *p == '[') {
                const char *start = ++p;
                while (p < end && *p != ' ' && *p != ']')
                        p++;
                struct str id = {start, (size_t)(p - start)};
                while (p < end && *p == ' ' && attributes->count < LABELS_MAX) {
                        const char *name = ++p;
                        while (p < end && *p != '=' && *p != ']' && *p != ' ')
                                p++;
                        if (end - p < 2 || p[0] != '=' || p[1] != '"')
                                break;
                        struct str parameter = {name, (size_t)(p - name)};
                        const char *value = p += 2;
                        while (p < end && *p != '"')
                                p += *p == '\\' && p + 1 < end ? 2 : 1;
                        if (p >= end)
                                return true;
                        if (!add_parameter(arena, attributes, id, parameter, (struct str){value, (size_t)(p - value)}, err))
                                return false;
                        p++;
                }
                if (p >= end || *p != ']')
                        return true; /* not as the RFC has it: what was read so far is kept */
                p++;
        }
        return true;
}

static inline bool decode_line(struct decoding *decoding, struct str line, const char *end, struct err *err)
{
        struct header header = {0};
        uint8_t severity = SEVERITY_UNKNOWN;
        const char *line_end = line.bytes + line.length;
        const char *p = read_priority(line.bytes, line_end, &severity);
        bool is_5424 = line_end - p > 2 && p[0] == '1' && p[1] == ' ' && p != line.bytes;
        if (!is_5424 || !read_5424(decoding, p + 2, line_end, &header)) {
                header = (struct header){0};
                read_3164(decoding, p, line_end, &header);
        }
        uint32_t stream = find_stream(decoding, &header, end, err);
        struct log_record *record =
                stream != UINT32_MAX ? stream_record(decoding->batch, stream, line, err) : NULL;
        if (!record)
                return false;
        record->time_ns = header.time_ns;
        record->severity = severity;
        return !header.data.length || read_data(&decoding->batch->arena, header.data, &record->attributes, err);
}

static void read_inner(struct decoding *decoding)
{
        if (!reader_left(&decoding->inner)) {
                decoding->next_inner = SIZE_MAX;
                return;
        }
        decoding->next_inner += reader_varint(&decoding->inner);
        if (decoding->inner.failed)
                decoding->next_inner = SIZE_MAX;
}

/* The newline that ends the message at p, or end: newlines listed as inner ones are passed over. */
static inline const char *message_end(struct decoding *decoding, const char *p, const char *end)
{
        const char *start = decoding->batch->bytes.bytes, *newline = p;
        while ((newline = memchr(newline, '\n', (size_t)(end - newline)))) {
                while ((size_t)(newline - start) > decoding->next_inner)
                        read_inner(decoding);
                if ((size_t)(newline - start) != decoding->next_inner)
                        return newline;
                newline++;
        }
        return end;
}

static bool decoding_init(struct decoding *decoding, struct batch *batch, struct err *err)
{
        size_t wanted = CACHE_MIN;
        while (wanted < CACHE_MAX && wanted * 256 < batch->bytes.length)
                wanted *= 2;
        *decoding = (struct decoding){.batch = batch, .cache_mask = wanted - 1, .inner = reader_of(batch->settings)};
        decoding->cache = arena_array(&batch->arena, wanted, sizeof *decoding->cache);
        if (!decoding->cache)
                return fail_memory(err, "syslog", wanted * sizeof *decoding->cache);
        uint64_t zigzag = batch->settings.length ? reader_varint(&decoding->inner) : 0;
        decoding->utc_offset_s = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
        if (decoding->inner.failed || decoding->utc_offset_s > 86400 || decoding->utc_offset_s < -86400)
                return fail(err, ERR_CORRUPT, "syslog", "the settings of a syslog batch are not syslog_settings()'s");
        decoding->next_inner = 0;
        read_inner(decoding);
        return true;
}

bool syslog_decode(struct batch *batch, struct err *err)
{
        struct decoding decoding = {0};
        if (!decoding_init(&decoding, batch, err))
                return false;
        stream_expect(batch, batch->bytes.length / LINE_BYTES_EXPECTED + 1);
        const char *p = batch->bytes.bytes, *end = p + batch->bytes.length;
        while (p < end) {
                const char *newline = message_end(&decoding, p, end);
                struct str line = {p, (size_t)(newline - p)};
                while (line.length && (line.bytes[line.length - 1] == '\r' || line.bytes[line.length - 1] == '\0'))
                        line.length--;
                if (line.length && !decode_line(&decoding, line, end, err))
                        return false;
                p = newline + 1;
        }
        return true;
}
