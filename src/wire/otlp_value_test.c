/* otlp_value_test - attribute values as text: exactly, as JSON, in base64; and what is damaged or nested too deep. */
#include "wire/otlp_value.h"

#include "wire/decode_try.h"

static struct str text_of(struct arena *arena, struct str value)
{
        struct err err = {0};
        struct str text = otlp_value_text(arena, value, &err);
        if (!text.bytes)
                fail_msg("%s", err.message);
        return text;
}

/* { key, value } as a KeyValue in field 1 of the message. */
static void put_pair(struct buf *out, uint32_t number, struct str key, struct str value)
{
        scoped(buf_done) struct buf pair = {0};
        protobuf_put_bytes(&pair, 1, key);
        protobuf_put_bytes(&pair, 2, value);
        protobuf_put_bytes(out, number, buf_str(&pair));
}

#define as_text(literal) STR("\x0a" literal) /* field 1; the literal begins with its length */

static void scalars_are_written_as_json_writes_them(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf value = {0};
        assert_str(text_of(&arena, as_text("\x05" "a \"b\"")), "a \"b\"");
        assert_str(text_of(&arena, STR("")), "");
        assert_str(text_of(&arena, STR("\x10\x01")), "true");
        assert_str(text_of(&arena, STR("\x10\x00")), "false");
        protobuf_put_scalar(&value, 3, (uint64_t)INT64_MIN);
        assert_str(text_of(&arena, buf_str(&value)), "-9223372036854775808");
        buf_clear(&value);
        protobuf_put_fixed64(&value, 4, UINT64_C(0x3FE0000000000000));
        assert_str(text_of(&arena, buf_str(&value)), "0.5");
        buf_clear(&value);
        protobuf_put_bytes(&value, 7, STR("hi!?"));
        assert_str(text_of(&arena, buf_str(&value)), "aGkhPw==");
        buf_clear(&value);
        protobuf_put_scalar(&value, 3, 1); /* of one-of fields the last one counts */
        protobuf_put_bytes(&value, 1, STR("last"));
        assert_str(text_of(&arena, buf_str(&value)), "last");
}

static void lists_and_maps_are_compact_json(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf list = {0}, map = {0}, value = {0};
        protobuf_put_bytes(&list, 1, as_text("\x03" "a\"b"));
        protobuf_put_bytes(&list, 1, STR("\x10\x01"));
        protobuf_put_bytes(&list, 1, STR(""));
        protobuf_put_bytes(&value, 5, buf_str(&list));
        put_pair(&map, 1, STR("k\n"), buf_str(&value));
        put_pair(&map, 1, STR("b"), STR("\x3a\x02hi"));
        buf_clear(&value);
        protobuf_put_bytes(&value, 6, buf_str(&map));
        assert_str(text_of(&arena, buf_str(&value)), "{\"k\\n\":[\"a\\\"b\",true,null],\"b\":\"aGk=\"}");
        buf_clear(&value);
        protobuf_put_fixed64(&value, 4, UINT64_C(0x7FF0000000000000)); /* JSON knows no infinity */
        buf_clear(&list);
        protobuf_put_bytes(&list, 1, buf_str(&value));
        buf_clear(&map);
        protobuf_put_bytes(&map, 5, buf_str(&list));
        assert_str(text_of(&arena, buf_str(&map)), "[null]");
}

static void nesting_is_bounded_and_damage_told(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf value = {0};
        struct err err = {0};
        protobuf_put_scalar(&value, 2, 1);
        for (int depth = 0; depth < 40; depth++) {
                scoped(buf_done) struct buf list = {0};
                protobuf_put_bytes(&list, 1, buf_str(&value));
                buf_clear(&value);
                protobuf_put_bytes(&value, 5, buf_str(&list));
                bool good = otlp_value_text(&arena, buf_str(&value), &err).bytes;
                assert_int_equal(good, depth < 32);
        }
        assert_int_equal(err.code, ERR_INVALID);
        err.code = ERR_NONE;
        assert_null(otlp_value_text(&arena, STR("\x0a\x09" "cut"), &err).bytes);
        assert_int_equal(err.code, ERR_INVALID);
}

static void attributes_beyond_the_bound_and_without_a_name_are_left_out(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        struct labels attributes = {0};
        struct err err = {0};
        assert_true(otlp_attribute(&arena, STR("\x12\x03\x0a\x01x"), &attributes, &err));
        assert_int_equal(attributes.count, 0);
        for (int i = 0; i < 4 * LABELS_MAX + 10; i++)
                assert_true(otlp_attribute(&arena, STR("\x0a\x01k\x12\x03\x0a\x01v"), &attributes, &err));
        assert_int_equal(attributes.count, 4 * LABELS_MAX);
        assert_str(attributes.items[0].name, "k");
        assert_str(attributes.items[0].value, "v");
        assert_false(otlp_attribute(&arena, STR("\x0a\x7fk"), &attributes, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

static void a_resource_names_service_instance_and_host(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf message = {0};
        struct otlp_resource resource;
        struct err err = {0};
        put_pair(&message, 1, STR("service.name"), as_text("\x04shop"));
        put_pair(&message, 1, STR("service.namespace"), as_text("\x02" "eu"));
        put_pair(&message, 1, STR("service.instance.id"), as_text("\x02i1"));
        put_pair(&message, 1, STR("host.name"), as_text("\x04web1"));
        put_pair(&message, 1, STR("pod"), as_text("\x01p"));
        assert_true(otlp_resource_read(&arena, buf_str(&message), &resource, &err));
        assert_str(resource.service, "shop");
        assert_str(resource.service_namespace, "eu");
        assert_str(resource.instance, "i1");
        assert_str(resource.host, "web1");
        assert_int_equal(resource.attributes.count, 5);
        assert_true(otlp_resource_names(STR("host.name")));
        assert_false(otlp_resource_names(STR("pod")));
        assert_false(otlp_resource_read(&arena, str_slice(buf_str(&message), 0, message.length - 1), &resource, &err));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scalars_are_written_as_json_writes_them),
                cmocka_unit_test(lists_and_maps_are_compact_json),
                cmocka_unit_test(nesting_is_bounded_and_damage_told),
                cmocka_unit_test(attributes_beyond_the_bound_and_without_a_name_are_left_out),
                cmocka_unit_test(a_resource_names_service_instance_and_host),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
