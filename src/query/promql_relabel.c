/* promql_relabel.c - label_replace and label_join. Labels are rewritten once a row; the texts they make are kept in the
 * arena. */
#include "query/promql_function.h"

#include "base/scope.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

static void code_done(pcre2_code **code)
{
        pcre2_code_free(*code);
}

static void match_done(pcre2_match_data **match)
{
        pcre2_match_data_free(*match);
}

static struct str text_argument(const struct node *call, size_t i)
{
        return node_unwrap(call->children.items[i])->text;
}

/* $1, ${1}, $name, ${name}; $$ is a dollar sign. What is no reference stands as it is. */
static bool is_reference(struct str rest, struct str *out_name, size_t *out_length)
{
        size_t start = rest.length > 1 && rest.bytes[1] == '{' ? 2 : 1, end = start;
        while (end < rest.length && (promql_is_label_name(str_slice(rest, end, end + 1)) ||
                                     (rest.bytes[end] >= '0' && rest.bytes[end] <= '9')))
                end++;
        if (end == start || (start == 2 && (end >= rest.length || rest.bytes[end] != '}')))
                return false;
        *out_name = str_slice(rest, start, end);
        *out_length = end + (start == 2);
        return true;
}

static void put_group(const pcre2_code *code, pcre2_match_data *match, struct str subject, struct str name, struct buf *out)
{
        uint64_t number = UINT64_MAX;
        if (!str_to_u64(name, &number)) {
                char text[130];
                snprintf(text, sizeof text, "%.*s", (int)min_of(name.length, (size_t)128), name.bytes);
                int found = pcre2_substring_number_from_name(code, (PCRE2_SPTR)text);
                number = found > 0 ? (uint64_t)found : UINT64_MAX;
        }
        PCRE2_SIZE *places = pcre2_get_ovector_pointer(match);
        if (number < pcre2_get_ovector_count(match) && places[2 * number] != PCRE2_UNSET)
                buf_add(out, str_slice(subject, places[2 * number], places[2 * number + 1]));
}

static void expand(const pcre2_code *code, pcre2_match_data *match, struct str subject, struct str replacement, struct buf *out)
{
        for (size_t i = 0; i < replacement.length;) {
                struct str rest = str_slice(replacement, i, replacement.length), name;
                size_t length = 1;
                if (rest.bytes[0] != '$') {
                        buf_byte(out, rest.bytes[0]);
                } else if (rest.length > 1 && rest.bytes[1] == '$') {
                        buf_byte(out, '$');
                        length = 2;
                } else if (is_reference(rest, &name, &length)) {
                        put_group(code, match, subject, name, out);
                } else {
                        buf_byte(out, '$');
                }
                i += length;
        }
}

static bool set_label(struct row *row, struct str name, struct str value, struct arena *arena, struct err *err)
{
        bool good = true;
        struct str kept = arena_str(arena, value);
        row->labels = labels_with(&row->labels, name, kept, arena, &good);
        return (good && kept.bytes) || fail_memory(err, "promql", value.length);
}

static bool replace(struct evaluation *evaluation, const struct node *call, const pcre2_code *code, struct rows *rows,
                    struct err *err)
{
        scoped(match_done) pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
        scoped(buf_done) struct buf value = {.bytes_max = LABEL_BYTES_MAX};
        if (!match)
                return fail_memory(err, "promql", 256);
        each (row, rows) {
                struct str subject = labels_value(&row->labels, text_argument(call, 3));
                if (pcre2_match(code, (PCRE2_SPTR)(subject.bytes ? subject.bytes : ""), subject.length, 0, 0, match, NULL) < 0)
                        continue;
                buf_clear(&value);
                expand(code, match, subject, text_argument(call, 2), &value);
                if (value.failed)
                        return fail(err, ERR_REFUSED, "promql", "label_replace() makes a value longer than %d bytes", LABEL_BYTES_MAX);
                if (!set_label(row, text_argument(call, 1), buf_str(&value), evaluation->arena, err))
                        return false;
        }
        return true;
}

bool function_label_replace(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                            struct rows *out_rows, struct err *err)
{
        struct str pattern = text_argument(call, 4), target = text_argument(call, 1);
        int number;
        PCRE2_SIZE place;
        scoped(code_done) pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.bytes, pattern.length,
                                                           PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &number, &place, NULL);
        if (!evaluate(evaluation, call->children.items[0], steps, out_rows, err))
                return false;
        if (!code)
                return fail(err, ERR_REFUSED, "promql", "invalid regular expression in label_replace(): %.*s",
                            (int)min_of(pattern.length, (size_t)200), pattern.bytes);
        if (!promql_is_label_name(target))
                return fail(err, ERR_REFUSED, "promql", "invalid destination label name in label_replace(): %.*s",
                            (int)min_of(target.length, (size_t)200), target.bytes);
        return replace(evaluation, call, code, out_rows, err) && rows_join_equal(out_rows, steps, evaluation->arena, err);
}

static bool join_labels(const struct node *call, struct row *row, struct arena *arena, struct err *err)
{
        scoped(buf_done) struct buf value = {.bytes_max = LABEL_BYTES_MAX};
        for (size_t i = 3; i < call->children.count; i++) {
                if (i > 3)
                        buf_add(&value, text_argument(call, 2));
                buf_add(&value, labels_value(&row->labels, text_argument(call, i)));
        }
        if (value.failed)
                return fail(err, ERR_REFUSED, "promql", "label_join() makes a value longer than %d bytes", LABEL_BYTES_MAX);
        return set_label(row, text_argument(call, 1), buf_str(&value), arena, err);
}

bool function_label_join(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                         struct rows *out_rows, struct err *err)
{
        if (!evaluate(evaluation, call->children.items[0], steps, out_rows, err))
                return false;
        for (size_t i = 1; i < call->children.count; i++) {
                struct str name = text_argument(call, i);
                if (i != 2 && !promql_is_label_name(name))
                        return fail(err, ERR_REFUSED, "promql", "invalid %s label name in label_join(): %.*s",
                                    i == 1 ? "destination" : "source", (int)min_of(name.length, (size_t)200), name.bytes);
        }
        each (row, out_rows)
                if (!join_labels(call, row, evaluation->arena, err))
                        return false;
        return rows_join_equal(out_rows, steps, evaluation->arena, err);
}
