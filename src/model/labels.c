/* labels.c - see labels.h. */
#include "model/labels.h"

#include "base/reader.h"
#include "base/regex.h"
#include "base/scope.h"

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

struct label *labels_find(const struct labels *labels, struct str name)
{
        each (label, labels)
                if (str_equal(label->name, name))
                        return label;
        return NULL;
}

struct str labels_value(const struct labels *labels, struct str name)
{
        const struct label *label = labels_find(labels, name);
        return label ? label->value : STR("");
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

bool text_copy(struct str text, struct arena *arena, struct str *out_copy)
{
        struct str copy = text.length ? arena_str(arena, text) : STR("");
        if (copy.bytes)
                *out_copy = copy;
        return copy.bytes != NULL;
}

bool labels_copy(const struct labels *labels, struct arena *arena, struct labels *out_copy)
{
        struct labels copy = {.items = arena_array(arena, labels->count + 1, sizeof *copy.items), .capacity = labels->count};
        if (!copy.items)
                return false;
        each (label, labels) {
                struct label *kept = &copy.items[copy.count++];
                if (!text_copy(label->name, arena, &kept->name) || !text_copy(label->value, arena, &kept->value))
                        return false;
        }
        *out_copy = copy;
        return true;
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

bool matchers_add(struct matchers *matchers, struct arena *arena, enum match_op op, struct str name, struct str value,
                  struct err *err)
{
        struct matcher made = {.op = op, .name = arena_str(arena, name), .value = arena_str(arena, value)};
        if (!made.name.bytes || !made.value.bytes)
                return fail_memory(err, "labels", name.length + value.length);
        if ((op == MATCH_REGEX || op == MATCH_NOT_REGEX) && !regex_create(made.value, REGEX_WHOLE, "labels", &made.regex, err))
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

bool matchers_hold_out(const struct matchers *matchers, struct err *err)
{
        each (matcher, matchers) {
                const struct regex *regex = matcher->regex;
                if (regex && regex_has_given_up(regex))
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
                return regex_match(matcher->regex, value) == REGEX_YES;
        default:
                return regex_match(matcher->regex, value) != REGEX_YES;
        }
}

bool matchers_match(const struct matchers *matchers, const struct labels *labels)
{
        each (matcher, matchers)
                if (!matcher_matches(matcher, labels_value(labels, matcher->name)))
                        return false;
        return true;
}
