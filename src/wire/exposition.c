/*
 * exposition.c - see exposition.h. A small scanner by hand: one cursor over one line at a time, texts left where they
 * are unless they have escapes. Scrapes come from a few hundred targets every few seconds, so it need not be the fastest, but
 * numbers in plain decimal, which nearly all are, skip strtod.
 */
#include "wire/exposition.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"

#include <math.h>

#define PIECE_LABELS 2048

struct scrape {
        struct batch *batch;
        bool honor_labels, honor_timestamps, openmetrics, stale;
        struct label *labels, *labels_end; /* free part of the newest piece */
        size_t line_number;
        bool ended; /* "# EOF" was seen */
};

struct cursor {
        const char *p, *end;
};

static bool bad(struct err *err, const char *why, const struct cursor *at)
{
        struct str near = {at->p, min_of((size_t)(at->end - at->p), (size_t)40)};
        return fail(err, ERR_INVALID, "exposition", "%s near \"%.*s\"", why, STR_ARGS(near));
}

static void skip_blanks(struct cursor *at)
{
        while (at->p < at->end && (*at->p == ' ' || *at->p == '\t'))
                at->p++;
}

static bool take_byte(struct cursor *at, char byte)
{
        if (at->p == at->end || *at->p != byte)
                return false;
        at->p++;
        return true;
}

static bool is_name_byte(char c, bool first)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static struct str take_name(struct cursor *at, bool with_colon)
{
        const char *start = at->p;
        while (at->p < at->end && (is_name_byte(*at->p, at->p == start) || (with_colon && *at->p == ':')))
                at->p++;
        return (struct str){start, (size_t)(at->p - start)};
}

static struct str take_word(struct cursor *at)
{
        skip_blanks(at);
        const char *start = at->p;
        while (at->p < at->end && *at->p != ' ' && *at->p != '\t')
                at->p++;
        return (struct str){start, (size_t)(at->p - start)};
}

/* \\ \" \n resolved; an unknown escape stays as it is, as in Prometheus. */
static struct str unescape(struct arena *arena, struct str text)
{
        if (!text.length || !memchr(text.bytes, '\\', text.length))
                return text;
        char *plain = arena_alloc(arena, text.length);
        size_t used = 0;
        for (size_t i = 0; plain && i < text.length; i++) {
                char c = text.bytes[i], next = c == '\\' && i + 1 < text.length ? text.bytes[i + 1] : 0;
                if (next == 'n' || next == '"' || next == '\\') {
                        c = next == 'n' ? '\n' : next;
                        i++;
                }
                plain[used++] = c;
        }
        return (struct str){plain, used};
}

static bool take_quoted(struct scrape *scrape, struct cursor *at, struct str *out_text, struct err *err)
{
        if (!take_byte(at, '"'))
                return bad(err, "a label value must begin with a quote", at);
        const char *start = at->p;
        while (at->p < at->end && *at->p != '"')
                at->p += *at->p == '\\' && at->p + 1 < at->end ? 2 : 1;
        if (at->p >= at->end) {
                at->p = start;
                return bad(err, "a label value has no closing quote", at);
        }
        *out_text = unescape(&scrape->batch->arena, (struct str){start, (size_t)(at->p++ - start)});
        return out_text->bytes ? true : fail_memory(err, "exposition", (size_t)(at->p - start));
}

static bool add_label(struct labels *labels, struct str name, struct str value, const struct cursor *at, struct err *err)
{
        if (labels->count == labels->capacity)
                return bad(err, "too many labels", at);
        labels->items[labels->count++] = (struct label){name, value};
        return true;
}

/* {a="b",c="d",} behind a metric name. */
static bool take_labels(struct scrape *scrape, struct cursor *at, struct labels *labels, struct err *err)
{
        if (!take_byte(at, '{'))
                return true;
        for (;;) {
                skip_blanks(at);
                if (take_byte(at, '}'))
                        return true;
                struct str name = take_name(at, false), value;
                if (!name.length)
                        return bad(err, "a label name was expected", at);
                skip_blanks(at);
                if (!take_byte(at, '='))
                        return bad(err, "a = was expected after a label's name", at);
                skip_blanks(at);
                if (!take_quoted(scrape, at, &value, err) || !add_label(labels, name, value, at, err))
                        return false;
                skip_blanks(at);
                if (!take_byte(at, ',') && (at->p == at->end || *at->p != '}'))
                        return bad(err, "a comma or } was expected after a label", at);
        }
}

/* Up to 15 digits and a power of ten up to 22 are exact in doubles, so that one division gives the nearest one
 * (Clinger, "How to read floating point numbers accurately", 1990). False: use strtod. */
static bool plain_decimal(struct str s, double *out_value)
{
        static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
        size_t i = s.length && s.bytes[0] == '-', digits = 0, decimals = 0;
        bool negative = i, point = false;
        uint64_t value = 0;
        for (; i < s.length; i++) {
                unsigned digit = (unsigned char)s.bytes[i] - (unsigned)'0';
                if (s.bytes[i] == '.' && !point) {
                        point = true;
                        continue;
                }
                if (digit > 9 || ++digits > 15)
                        return false;
                value = value * 10 + digit;
                decimals += point;
        }
        if (!digits)
                return false;
        *out_value = (negative ? -(double)value : (double)value) / powers[decimals];
        return true;
}

static bool read_number(struct str word, double *out_value)
{
        return plain_decimal(word, out_value) || (!memchr(word.bytes, '(', word.length) && str_to_double(word, out_value));
}

/* Milliseconds in Prometheus' text, seconds with a fraction in OpenMetrics. */
static bool read_time(const struct scrape *scrape, struct str word, int64_t *out_ns)
{
        int64_t ms;
        double seconds;
        if (!scrape->openmetrics)
                return str_to_i64(word, &ms) && !__builtin_mul_overflow(ms, NS_PER_MS, out_ns);
        if (!str_to_double(word, &seconds) || !(fabs(seconds) < 9e9))
                return false;
        *out_ns = llround(seconds * 1e3) * NS_PER_MS; /* to the ms, as Prometheus keeps it */
        return true;
}

/* The target's labels go in; a scraped one of the same name gives way as exported_NAME, or wins with honor_labels. */
static bool add_target_labels(struct scrape *scrape, struct labels *labels, const struct cursor *at, struct err *err)
{
        size_t scraped = labels->count;
        each (target, &scrape->batch->labels) {
                struct labels own = {labels->items, scraped, scraped};
                struct label *same = labels_find(&own, target->name);
                if (same && scrape->honor_labels)
                        continue;
                struct str renamed = target->name;
                while (same && labels_find(&own, renamed)) {
                        renamed = arena_printf(&scrape->batch->arena, "exported_%.*s", STR_ARGS(renamed));
                        if (!renamed.bytes)
                                return fail_memory(err, "exposition", 64);
                }
                if (same)
                        same->name = renamed;
                if (!add_label(labels, target->name, target->value, at, err))
                        return false;
        }
        return labels_canonical(labels, err);
}

static bool keep_sample(struct scrape *scrape, struct labels labels, struct sample sample, struct err *err)
{
        struct arena *arena = &scrape->batch->arena;
        struct sample *samples = arena_alloc(arena, sizeof *samples);
        struct series_points *series = samples ? arena_push(arena, &scrape->batch->telemetry.series) : NULL;
        if (!series)
                return fail_memory(err, "exposition", sizeof *series);
        *samples = sample;
        *series = (struct series_points){labels, samples, 1};
        return true;
}

static bool room_for_labels(struct scrape *scrape, struct err *err)
{
        if (scrape->labels_end - scrape->labels >= LABELS_MAX)
                return true;
        scrape->labels = arena_alloc(&scrape->batch->arena, PIECE_LABELS * sizeof *scrape->labels);
        if (!scrape->labels)
                return fail_memory(err, "exposition", PIECE_LABELS * sizeof *scrape->labels);
        scrape->labels_end = scrape->labels + PIECE_LABELS;
        return true;
}

/* name{labels} value [timestamp] [# exemplar] */
static bool take_sample(struct scrape *scrape, struct cursor *at, struct err *err)
{
        if (!room_for_labels(scrape, err))
                return false;
        struct labels labels = {scrape->labels, 0, LABELS_MAX};
        struct str name = take_name(at, true);
        if (!name.length)
                return bad(err, "a metric name was expected", at);
        if (!add_label(&labels, LABEL_METRIC_NAME, name, at, err))
                return false;
        skip_blanks(at);
        if (!take_labels(scrape, at, &labels, err))
                return false;
        struct cursor value_at = *at;
        struct sample sample = {0};
        struct str value = take_word(at);
        if (!value.length || !read_number(value, &sample.value))
                return bad(err, "a number was expected", &value_at);
        struct cursor time_at = *at;
        struct str time = take_word(at);
        if (time.length && !(scrape->openmetrics && time.bytes[0] == '#')) {
                if (!read_time(scrape, time, &sample.time_ns))
                        return bad(err, "a timestamp was expected", &time_at);
                struct str more = take_word(at);
                if (more.length && !(scrape->openmetrics && more.bytes[0] == '#'))
                        return bad(err, "something stands behind the timestamp", &time_at);
        }
        if (!scrape->honor_timestamps)
                sample.time_ns = 0;
        if (scrape->stale)
                memcpy(&sample.value, &(uint64_t){STALE_NAN_BITS}, sizeof sample.value);
        if (!add_target_labels(scrape, &labels, at, err))
                return false;
        scrape->labels += labels.count;
        return keep_sample(scrape, labels, sample, err);
}

static enum metric_type type_of(struct str word)
{
        static const struct {
                const char *word;
                enum metric_type type;
        } types[] = {{"counter", METRIC_COUNTER}, {"gauge", METRIC_GAUGE},       {"histogram", METRIC_HISTOGRAM},
                     {"summary", METRIC_SUMMARY}, {"info", METRIC_INFO},         {"stateset", METRIC_STATESET},
                     {"gaugehistogram", METRIC_GAUGE_HISTOGRAM}};
        for (size_t i = 0; i < countof(types); i++)
                if (str_is(word, types[i].word))
                        return types[i].type;
        return METRIC_UNKNOWN;
}

/* The meta of a family: TYPE, HELP and UNIT lines of one stand together. NULL: no memory. */
static struct metric_meta *meta_of(struct scrape *scrape, struct str name)
{
        struct telemetry *telemetry = &scrape->batch->telemetry;
        if (telemetry->metas.count && str_equal(telemetry->metas.items[telemetry->metas.count - 1].name, name))
                return &telemetry->metas.items[telemetry->metas.count - 1];
        struct metric_meta *meta = arena_push(&scrape->batch->arena, &telemetry->metas);
        if (meta)
                *meta = (struct metric_meta){.name = name, .help = STR(""), .unit = STR("")};
        return meta;
}

/* "# TYPE name type", "# HELP name text", "# UNIT name unit", "# EOF"; any other comment is passed over. */
static bool take_comment(struct scrape *scrape, struct cursor *at, struct err *err)
{
        at->p++;
        struct str word = take_word(at);
        if (str_is(word, "EOF") && scrape->openmetrics) {
                scrape->ended = true;
                return true;
        }
        bool is_type = str_is(word, "TYPE"), is_help = str_is(word, "HELP"), is_unit = str_is(word, "UNIT");
        if (!is_type && !is_help && !is_unit)
                return true;
        skip_blanks(at);
        struct str name = take_name(at, true);
        if (!name.length)
                return bad(err, "a metric name was expected", at);
        struct metric_meta *meta = meta_of(scrape, name);
        if (!meta)
                return fail_memory(err, "exposition", sizeof *meta);
        skip_blanks(at);
        struct str rest = {at->p, (size_t)(at->end - at->p)};
        if (is_type)
                meta->type = type_of(str_trim(rest));
        else if (is_unit)
                meta->unit = str_trim(rest);
        else
                meta->help = unescape(&scrape->batch->arena, rest);
        return meta->help.bytes ? true : fail_memory(err, "exposition", rest.length);
}

static bool take_line(struct scrape *scrape, struct cursor at, struct err *err)
{
        skip_blanks(&at);
        if (at.p < at.end && at.end[-1] == '\r')
                at.end--;
        if (at.p == at.end)
                return true;
        if (scrape->ended)
                return bad(err, "something stands behind # EOF", &at);
        return *at.p == '#' ? take_comment(scrape, &at, err) : take_sample(scrape, &at, err);
}

static bool scrape_init(struct scrape *scrape, struct batch *batch, struct err *err)
{
        scoped_ptr(json_decref) json_t *settings = batch->settings.length ? json_parse(batch->settings, err) : json_object();
        if (!settings)
                return err_within(err, "reading the settings of a scrape");
        bool eof = str_ends_with(str_trim(batch->bytes), STR("# EOF"));
        *scrape = (struct scrape){
                .batch = batch,
                .honor_labels = json_flag(settings, "honor_labels", false),
                .honor_timestamps = json_flag(settings, "honor_timestamps", true),
                .openmetrics = json_flag(settings, "openmetrics", eof),
                .stale = json_flag(settings, "stale", false),
        };
        if (scrape->openmetrics && !eof)
                return fail(err, ERR_INVALID, "exposition", "the OpenMetrics text does not end with # EOF: it was cut short");
        return true;
}

bool exposition_decode(struct batch *batch, struct err *err)
{
        struct scrape scrape = {0};
        if (!scrape_init(&scrape, batch, err))
                return false;
        bool all_utf8 = str_is_utf8(batch->bytes);
        struct str rest = batch->bytes, line;
        while (rest.length && str_cut(&rest, '\n', &line)) {
                scrape.line_number++;
                if (!all_utf8 && !str_is_utf8(line))
                        return fail(err, ERR_INVALID, "exposition", "line %zu is not UTF-8", scrape.line_number);
                if (!take_line(&scrape, (struct cursor){line.bytes, line.bytes + line.length}, err))
                        return err_within(err, "line %zu", scrape.line_number);
        }
        return true;
}
