/* kind_test - what a kind's YAML may say, and what is told when it is wrong. */
#include "register/kind.h"

#include "base/json.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

SCOPED_PTR(kinds_unref, struct kinds)

#define RACK                                                                                                           \
        "kind: rack\ntitle: Rack\nplural: Racks\ndisplay: name\nstates: [active]\ninitial: active\n"                   \
        "permissions:\n  viewer: [read]\nfields:\n  name: {title: Name, type: text, write: [admin]}\n"

static struct kinds *parse(const char *text, struct err *err)
{
        struct embedded_file files[8];
        struct kinds *kinds = NULL;
        for (size_t i = 0; i < kinds_built_in_count; i++)
                files[i] = kinds_built_in[i];
        files[kinds_built_in_count] = (struct embedded_file){STR("rack.yaml"), str_of(text)};
        *err = (struct err){0};
        return kinds_parse(files, kinds_built_in_count + (text != NULL), &kinds, err) ? kinds : NULL;
}

static void the_built_in_kinds_are_those_of_the_issue(void **unused)
{
        (void)unused;
        struct err err;
        scoped_ptr(kinds_unref) struct kinds *kinds = parse(NULL, &err);
        assert_non_null(kinds);
        assert_int_equal(kinds->list.count, 5);
        static const char *const wanted[] = {"host", "service", "filesystem", "team", "person"};
        for (size_t i = 0; i < countof(wanted); i++)
                assert_non_null(kinds_find(kinds, str_of(wanted[i])));
        const struct kind *service = kinds_find(kinds, STR("service"));
        assert_true(kinds_find(kinds, STR("host")) < service); /* a service stands within a host */
        const struct kind_relation *calls = kind_relation_find(service, STR("calls"));
        assert_int_equal(calls->impact, IMPACT_TO_FROM);
        assert_int_equal(calls->forget_ns, (int64_t)7 * 86400 * 1000000000);
        assert_true(kind_allows(service, ROLE_OPERATOR, MAY_CREATE));
        assert_false(kind_allows(service, ROLE_VIEWER, MAY_CREATE));
        assert_false(kind_allows(kinds_find(kinds, STR("person")), ROLE_OPERATOR, MAY_CREATE));
        const struct kind_field *memory = kind_field_find(kinds_find(kinds, STR("host")), STR("memory"));
        assert_int_equal(memory->type, FIELD_NUMBER);
        assert_true(str_is(memory->unit, "GiB"));
        assert_true(names_hold(&kinds->labels, STR("mountpoint")));
        assert_true(names_hold(&kinds->metric_names, STR("node_uname_info")));
}

static void an_operators_file_adds_a_kind_and_another_extends_one(void **unused)
{
        (void)unused;
        struct err err;
        scoped_ptr(kinds_unref) struct kinds *with_rack = parse(RACK, &err);
        assert_non_null(with_rack);
        assert_non_null(kinds_find(with_rack, STR("rack")));
        scoped_ptr(kinds_unref) struct kinds *kinds = parse("extend: host\nfields:\n  slot: {title: Slot, type: number, unit: U, write: [operator]}\n", &err);
        assert_non_null(kinds);
        assert_non_null(kind_field_find(kinds_find(kinds, STR("host")), STR("slot")));
        assert_non_null(kind_field_find(kinds_find(kinds, STR("host")), STR("name")));
}

static void what_is_wrong_is_told_with_its_line_and_what_to_write(void **unused)
{
        (void)unused;
        static const struct { const char *text, *told; } cases[] = {
                {RACK "  size: {title: Size, type: numbr, write: [admin]}\n", "rack.yaml:11: this is no type; write text, number"},
                {RACK "  size:\n    title: Size\n    type: text\n    wirte: [admin]\n", "rack.yaml:14: nothing is called \"wirte\" here"},
                {RACK "  size: {title: Size, type: text, write: [boss]}\n", "rack.yaml:11: roles are viewer, operator and admin"},
                {RACK "  size: {title: Size, type: text}\n", "rack.yaml:11: nobody may write this field"},
                {RACK "  Size: {title: Size, type: text, write: [admin]}\n", "rack.yaml:11: \"Size\" is no id"},
                {RACK "  size: {title: Size, type: enum, write: [admin]}\n", "rack.yaml:11: an enum needs its options"},
                {RACK "identity:\n  - {key: a, from: [x]}\n  - {key: b, from: [y], clean: magic}\n", "rack.yaml:13: \"magic\" is no way to clean a value"},
                {RACK "relations:\n  holds: {title: a, inverse: b, inverse_title: c, to: [host], impact: sideways}\n", "rack.yaml:12: write which way trouble travels"},
                {RACK "relations:\n  holds: {title: a, inverse: b, inverse_title: c, to: [plane], impact: none}\n", "a kind \"plane\", which no file declares"},
                {RACK "within: nothing\n", "rack.yaml:11: this is none of the kind's relations"},
                {RACK "fields: {}\n", "rack.yaml, line 11, column 1: this key stands here twice"},
                {"extend: plane\n", "rack.yaml:1: there is no such kind to extend"},
                {"kind: host\ntitle: H\n", "rack.yaml:1: this kind is declared in another file already"},
                {"a: b\n", "rack.yaml:1: a file declares a kind"},
                {"- a\n", "rack.yaml:1: a file declares a kind"},
                {"kind: rack\ntitle: R\nplural: R\ndisplay: name\npermissions: {boss: [read]}\n", "rack.yaml:5: nothing is called \"boss\" here"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct err err;
                scoped_ptr(kinds_unref) struct kinds *kinds = parse(cases[i].text, &err);
                assert_null(kinds);
                if (!strstr(err.message, cases[i].told))
                        print_error("wanted \"%s\", was told \"%s\"\n", cases[i].told, err.message), assert_true(false);
        }
}

static void a_change_of_kinds_is_told_before_it_is_made(void **unused)
{
        (void)unused;
        struct err err;
        scoped_ptr(kinds_unref) struct kinds *before = parse(RACK "  size: {title: Size, type: text, write: [admin]}\n", &err);
        scoped_ptr(kinds_unref) struct kinds *after = parse(RACK "  height: {title: Height, type: number, write: [admin]}\n", &err);
        scoped_ptr(kinds_unref) struct kinds *without = parse(NULL, &err);
        scoped_ptr(json_decref) json_t *told = kinds_compare(before, after);
        assert_int_equal(json_array_size(told), 2);
        assert_string_equal(json_string_value(json_array_get(told, 0)), "rack loses the field size; its values stay in the history");
        assert_string_equal(json_string_value(json_array_get(told, 1)), "rack gains the field height");
        scoped_ptr(json_decref) json_t *gone = kinds_compare(before, without);
        assert_string_equal(json_string_value(json_array_get(gone, 0)), "the kind rack goes; its entities are kept, but not shown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_built_in_kinds_are_those_of_the_issue),
                cmocka_unit_test(an_operators_file_adds_a_kind_and_another_extends_one),
                cmocka_unit_test(what_is_wrong_is_told_with_its_line_and_what_to_write),
                cmocka_unit_test(a_change_of_kinds_is_told_before_it_is_made),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
