/* protobuf_test - the wire format within its bounds. */
#include "wire/protobuf.h"

#include "wire/decode_try.h"

static void fields_of_every_type_are_read(void **state)
{
        (void)state;
        struct reader reader = reader_of(STR("\x08\x96\x01" "\x11\0\0\0\0\0\0\xF8\x3F" "\x1A\x02hi" "\x25\x07\0\0\0" "\x28\x03"));
        struct protobuf_field field;
        assert_true(protobuf_next(&reader, &field) && field.number == 1 && field.scalar == 150);
        assert_true(protobuf_next(&reader, &field) && protobuf_double(&field) == 1.5);
        assert_true(protobuf_next(&reader, &field) && str_is(field.bytes, "hi"));
        assert_true(protobuf_next(&reader, &field) && field.number == 4 && field.scalar == 7);
        assert_true(protobuf_next(&reader, &field) && protobuf_sint(&field) == -2);
        assert_false(protobuf_next(&reader, &field));
        assert_false(reader.failed);
}

static void cut_and_unknown_fields_fail(void **state)
{
        (void)state;
        static const struct str cases[] = {STR_INIT("\x08"), STR_INIT("\x1A\x05hi"), STR_INIT("\x0B"), STR_INIT("\x02\x01x"), STR_INIT("\x11\0"),
                                           STR_INIT("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), STR_INIT("\x1A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01")};
        for (size_t i = 0; i < countof(cases); i++) {
                struct reader reader = reader_of(cases[i]);
                struct protobuf_field field;
                assert_false(protobuf_next(&reader, &field));
                assert_true(reader.failed);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fields_of_every_type_are_read),
                cmocka_unit_test(cut_and_unknown_fields_fail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
