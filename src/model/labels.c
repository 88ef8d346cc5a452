/* labels.c - see labels.h. */
#include "model/labels.h"

#include "base/reader.h"
#include "base/scope.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STEPS_MAX 1000000       /* of PCRE2 on one value: milliseconds; honest patterns need a few for each byte */
#define HEAP_KIB_MAX 4096

/* What a matcher's regex points to. Matchers are const for those who match, many threads at once perhaps. */
struct regex {
        pcre2_code *code;
        _Atomic bool has_given_up;      /* it took too many steps on some value: every answer since is worth nothing */
};

static void sort_by_name(struct label *items, size_t count)
{
        for (size_t i = 1; i < count; i++) { /* insertion: few, and nearly always sorted already */
                struct label moving = items[i];
                size_t to = i;
                for (; to > 0 && str_compare(items[to - 1].name, moving.name) > 0; to--)
                        items[to] = items[to - 1];
                items[to] = moving;
        }
}

bool labels_canonical(struct labels *labels, struct err *err)
{
        size_t kept = 0;
        for (size_t i = 0; i < labels->count; i++) {
                struct label *label = &labels->items[i];
                if (label->name.length > LABEL_BYTES_MAX || label->value.length > LABEL_BYTES_MAX)
                        return fail(err, ERR_INVALID, "labels", "the label %.*s is longer than %d bytes; shorten it",
                                    (int)min_of(label->name.length, (size_t)80), label->name.bytes, LABEL_BYTES_MAX);
                if (label->name.length == 0)
                        return fail(err, ERR_INVALID, "labels", "a label has no name; give it one");
                if (label->value.length)
                        labels->items[kept++] = *label;
        }
        labels->count = kept;
        if (kept > LABELS_MAX)
                return fail(err, ERR_INVALID, "labels", "%zu labels, %d at most; send fewer", kept, LABELS_MAX);
        sort_by_name(labels->items, kept);
        for (size_t i = 1; i < kept; i++)
                if (str_equal(labels->items[i - 1].name, labels->items[i].name))
                        return fail(err, ERR_INVALID, "labels", "the label %.*s stands there twice; send it once",
                                    STR_ARGS(labels->items[i].name));
        return true;
}

struct str labels_value(const struct labels *labels, struct str name)
{
        each (label, labels)
                if (str_equal(label->name, name))
                        return label->value;
        return STR("");
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
        return labels_compare(a, b) == 0;
}

int labels_compare(const struct labels *a, const struct labels *b)
{
        size_t common = min_of(a->count, b->count);
        for (size_t i = 0; i < common; i++) {
                int order = str_compare(a->items[i].name, b->items[i].name);
                if (!order)
                        order = str_compare(a->items[i].value, b->items[i].value);
                if (order)
                        return order;
        }
        return a->count < b->count ? -1 : a->count > b->count;
}

bool labels_pack(const struct labels *labels, struct buf *out)
{
        each (label, labels) {
                buf_varint(out, label->name.length);
                buf_add(out, label->name);
                buf_varint(out, label->value.length);
                buf_add(out, label->value);
        }
        return !out->failed;
}

bool labels_unpack(struct str packed, struct arena *arena, struct labels *out_labels, struct err *err)
{
        struct labels labels = {0};
        struct reader reader = reader_of(packed);
        while (reader_left(&reader)) {
                struct str name = reader_bytes(&reader, reader_varint(&reader));
                struct str value = reader_bytes(&reader, reader_varint(&reader));
                if (reader.failed)
                        return fail(err, ERR_CORRUPT, "labels", "packed labels are cut at byte %zu of %zu",
                                    (size_t)(reader.next - packed.bytes), packed.length);
                struct label *label = arena_push(arena, &labels);
                if (!label)
                        return fail_memory(err, "labels", sizeof *label);
                *label = (struct label){name, value};
        }
        *out_labels = labels;
        return true;
}

struct hash128 labels_id_packed(struct str packed)
{
        return hash128(packed);
}

struct hash128 labels_id(const struct labels *labels)
{
        char room[2048];
        size_t used = 0;
        each (label, labels) { /* nearly always fits the stack; else the slow way */
                if (used + label->name.length + label->value.length + 20 > sizeof room) {
                        scoped(buf_done) struct buf packed = {0};
                        return labels_pack(labels, &packed) ? hash128(buf_str(&packed)) : (struct hash128){0};
                }
                struct str parts[] = {label->name, label->value};
                for (int i = 0; i < 2; i++) {
                        size_t length = parts[i].length;
                        for (; length >= 0x80; length >>= 7)
                                room[used++] = (char)(length | 0x80);
                        room[used++] = (char)length;
                        memcpy(room + used, parts[i].bytes, parts[i].length);
                        used += parts[i].length;
                }
        }
        return hash128((struct str){room, used});
}

static bool print_value(struct buf *out, struct str value)
{
        buf_byte(out, '"');
        for (size_t i = 0; i < value.length; i++) {
                char c = value.bytes[i];
                if (c == '\\' || c == '"')
                        buf_byte(out, '\\');
                if (c == '\n')
                        buf_text(out, "\\n");
                else
                        buf_byte(out, c);
        }
        return buf_byte(out, '"');
}

bool labels_print(const struct labels *labels, struct buf *out)
{
        struct str name = labels_value(labels, LABEL_METRIC_NAME);
        buf_add(out, name);
        if (name.length && labels->count == 1)
                return !out->failed;
        buf_byte(out, '{');
        const char *comma = "";
        each (label, labels) {
                if (str_equal(label->name, LABEL_METRIC_NAME))
                        continue;
                buf_text(out, comma);
                buf_add(out, label->name);
                buf_byte(out, '=');
                print_value(out, label->value);
                comma = ", ";
        }
        return buf_byte(out, '}');
}

static struct regex *compile(struct str pattern, struct err *err)
{
        int code;
        PCRE2_SIZE at;
        struct regex *regex = calloc(1, sizeof *regex);
        if (!regex) {
                fail_memory(err, "labels", sizeof *regex);
                return NULL;
        }
        regex->code = pcre2_compile((PCRE2_SPTR)pattern.bytes, pattern.length,
                                          PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL, &code, &at, NULL);
        if (!regex->code) {
                char why[128];
                pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
                fail(err, ERR_INVALID, "labels", "the regular expression \"%.*s\" is wrong at character %zu: %s",
                     (int)min_of(pattern.length, (size_t)120), pattern.bytes, (size_t)at + 1, why);
                free(regex);
                return NULL;
        }
        pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
        return regex;
}

static void regex_destroy(struct regex *regex)
{
        if (regex)
                pcre2_code_free(regex->code);
        free(regex);
}

bool matchers_add(struct matchers *matchers, struct arena *arena, enum match_op op, struct str name, struct str value,
                  struct err *err)
{
        struct matcher made = {.op = op, .name = arena_str(arena, name), .value = arena_str(arena, value)};
        if (!made.name.bytes || !made.value.bytes)
                return fail_memory(err, "labels", name.length + value.length);
        if ((op == MATCH_REGEX || op == MATCH_NOT_REGEX) && !(made.regex = compile(made.value, err)))
                return false;
        struct matcher *matcher = arena_push(arena, matchers);
        if (!matcher) {
                regex_destroy(made.regex);
                return fail_memory(err, "labels", sizeof made);
        }
        *matcher = made;
        return true;
}

void matchers_done(struct matchers *matchers)
{
        each (matcher, matchers) {
                regex_destroy(matcher->regex);
                matcher->regex = NULL;
        }
}

/* What a match needs beside the code: one a thread, freed with it. */
struct match_room {
        pcre2_match_data *data;
        pcre2_match_context *context;
};

static pthread_key_t room_key;
static pthread_once_t room_once = PTHREAD_ONCE_INIT;

static void room_free(void *freed)
{
        struct match_room *room = freed;
        pcre2_match_data_free(room->data);
        pcre2_match_context_free(room->context);
        free(room);
}

static void make_room_key(void)
{
        pthread_key_create(&room_key, room_free);
}

static struct match_room *make_room(void)
{
        struct match_room *room = calloc(1, sizeof *room);
        if (!room)
                return NULL;
        room->data = pcre2_match_data_create(1, NULL);
        room->context = pcre2_match_context_create(NULL);
        if (!room->data || !room->context || pthread_setspecific(room_key, room)) {
                room_free(room);
                return NULL;
        }
        pcre2_set_match_limit(room->context, STEPS_MAX);
        pcre2_set_heap_limit(room->context, HEAP_KIB_MAX);
        return room;
}

static struct match_room *thread_room(void)
{
        static _Thread_local struct match_room *room;
        pthread_once(&room_once, make_room_key);
        return room ? room : (room = make_room());
}

static bool regex_matches(struct regex *regex, struct str value)
{
        struct match_room *room = thread_room();
        if (!room || atomic_load_explicit(&regex->has_given_up, memory_order_relaxed))
                return false;
        int result = pcre2_match(regex->code, (PCRE2_SPTR)(value.bytes ? value.bytes : ""), value.length, 0, 0, room->data,
                                 room->context);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH && !(result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21))
                atomic_store_explicit(&regex->has_given_up, true, memory_order_relaxed);
        return result >= 0;
}

bool matchers_hold_out(const struct matchers *matchers, struct err *err)
{
        each (matcher, matchers) {
                const struct regex *regex = matcher->regex;
                if (regex && atomic_load_explicit(&regex->has_given_up, memory_order_relaxed))
                        return fail(err, ERR_REFUSED, "labels",
                                    "the regular expression \"%.*s\" takes too many steps on a label's value; make it simpler",
                                    (int)min_of(matcher->value.length, (size_t)120), matcher->value.bytes);
        }
        return true;
}

bool matcher_matches(const struct matcher *matcher, struct str value)
{
        switch (matcher->op) {
        case MATCH_EQUAL:
                return str_equal(value, matcher->value);
        case MATCH_NOT_EQUAL:
                return !str_equal(value, matcher->value);
        case MATCH_REGEX:
                return regex_matches(matcher->regex, value);
        default:
                return !regex_matches(matcher->regex, value);
        }
}

bool matchers_match(const struct matchers *matchers, const struct labels *labels)
{
        each (matcher, matchers)
                if (!matcher_matches(matcher, labels_value(labels, matcher->name)))
                        return false;
        return true;
}
