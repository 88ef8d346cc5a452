/* journald_test - what is packed comes back as records. */
#include "wire/journald.h"

#include "wire/decode_try.h"

static void packed_entries_become_records(void **state)
{
        (void)state;
        scoped(buf_done) struct buf packed = {0};
        struct journald_entry sshd = {1767225600123456, 3, 42, STR("sshd"), STR("ssh.service"), STR("web1"), STR("a\nb\0c")};
        struct journald_entry kernel = {-1, JOURNALD_NO_PRIORITY, 0, STR("kernel"), STR(""), STR(""), STR("")};
        assert_true(journald_pack(&sshd, &packed));
        assert_true(journald_pack(&kernel, &packed));
        assert_true(journald_pack(&sshd, &packed));
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(journald_decode, buf_str(&packed), STR(""));
        assert_int_equal(batch->telemetry.records.count, 3);
        assert_int_equal(batch->telemetry.streams.count, 2);
        const struct log_record *records = batch->telemetry.records.items;
        assert_int_equal(records[0].line.length, 5);
        assert_int_equal(records[0].time_ns, INT64_C(1767225600123456000));
        assert_int_equal(records[0].severity, SEVERITY_ERROR);
        assert_int_equal(records[1].severity, SEVERITY_UNKNOWN);
        assert_int_equal(records[2].stream, records[0].stream);
        assert_str(try_label(batch, 0, "service"), "sshd");
        assert_str(try_label(batch, 0, "unit"), "ssh.service");
        assert_str(try_label(batch, 0, "host"), "web1");
        assert_str(try_label(batch, 1, "host"), "peer");
        assert_str(try_attribute(batch, 0, "pid"), "42");
}

static void damaged_entries_are_refused_with_their_place(void **state)
{
        (void)state;
        struct err err;
        scoped(buf_done) struct buf packed = {0};
        struct journald_entry entry = {1, 6, 0, STR("a"), STR(""), STR(""), STR("m")};
        assert_true(journald_pack(&entry, &packed));
        scoped_ptr(batch_destroy) struct batch *batch = try_batch(str_slice(buf_str(&packed), 0, packed.length - 1), STR(""));
        assert_false(journald_decode(batch, &err));
        assert_string_equal(err.message, "the packed entry at byte 0 of 9 is damaged");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(packed_entries_become_records),
                cmocka_unit_test(damaged_entries_are_refused_with_their_place),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
