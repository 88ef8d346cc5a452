/* host_source_test - this machine's metrics come out of /proc as node_exporter would name them. */
#include "observe/intake_fake.c"

#include "base/json.h"
#include "base/scratch.h"
#include "observe/host_collect.h"
#include "observe/host_source.h"

#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *root, const char *path, const char *text)
{
        char full[1024];
        snprintf(full, sizeof full, "%s%s", root, path);
        for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = '\0';
                assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
                *slash = '/';
        }
        FILE *file = fopen(full, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static int make_root(void **state)
{
        static char root[SCRATCH_BYTES];
        *state = root;
        return scratch_make(root, "host");
}

static int drop_root(void **state)
{
        return scratch_remove(*state);
}

static void collect(host_collect_fn *collector, const char *root, struct buf *out, bool expected)
{
        struct host host = {0};
        host.processes.told_max = 10;
        snprintf(host.root, sizeof host.root, "%s", root);
        buf_clear(out);
        assert_int_equal(collector(&host, out), expected);
        buf_byte(out, '\0');
        host_processes_done(&host.processes);
}

static void assert_has(const struct buf *text, const char *line)
{
        if (!strstr(text->bytes, line))
                fail_msg("missing: %s\nin:\n%s", line, text->bytes);
}

static void programs_that_talk_to_each_other_are_told(void **state)
{
        scoped(buf_done) struct buf out = {0};
        char command[600];
        write_file(*state, "/proc/net/tcp",
                   "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
                   "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 111 1\n"
                   "   1: 0100007F:C350 0100007F:1538 01 00000000:00000000 00:00000000 00000000   100        0 222 1\n"
                   "   2: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000   100        0 333 1\n"
                   "   3: 0100007F:C351 0A00000A:1538 01 00000000:00000000 00:00000000 00000000   100        0 444 1\n");
        write_file(*state, "/proc/7/comm", "postgres\n");
        write_file(*state, "/proc/7/cgroup", "0::/system.slice/postgresql.service\n");
        write_file(*state, "/proc/8/comm", "shop\n");
        write_file(*state, "/proc/8/cgroup", "0::/user.slice\n");
        snprintf(command, sizeof command, "cd '%s/proc' && mkdir -p 7/fd 8/fd && ln -s 'socket:[111]' 7/fd/3 && ln -s 'socket:[333]' 7/fd/4 &&"
                                          " ln -s 'socket:[222]' 8/fd/3 && ln -s 'socket:[444]' 8/fd/4", (char *)*state);
        assert_int_equal(system(command), 0);
        collect(host_collect_connections, *state, &out, true);
        assert_has(&out, "evenkeel_connection{client=\"shop\",client_unit=\"\",server=\"postgres\",server_unit=\"postgresql.service\",port=\"5432\"} 1\n");
        const char *first = strstr(out.bytes, "evenkeel_connection{");
        assert_null(strstr(first + 1, "evenkeel_connection{"));
}

static void processor_time_is_in_seconds_per_mode(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/stat", "cpu  10 0 0 0 0 0 0 0 0 0\ncpu0 1234 5 600 70000 80 0 9 1 0 0\n"
                                         "intr 99 1 2\nctxt 77\nbtime 1700000000\nprocesses 42\nprocs_running 3\n");
        collect(host_collect_stat, *state, &out, true);
        assert_has(&out, "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 12.34");
        assert_has(&out, "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 0.01");
        assert_has(&out, "node_boot_time_seconds 1700000000\n");
        assert_has(&out, "node_forks_total 42\n");
        assert_null(strstr(out.bytes, "cpu=\"\""));
}

static void memory_is_in_bytes_and_names_lose_their_parentheses(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/meminfo", "MemTotal:  16 kB\nActive(anon):  2 kB\nHugePages_Total:   7\n");
        collect(host_collect_memory, *state, &out, true);
        assert_has(&out, "node_memory_MemTotal_bytes 16384\n");
        assert_has(&out, "node_memory_Active_anon_bytes 2048\n");
        assert_has(&out, "node_memory_HugePages_Total 7\n");
}

static void pressure_totals_are_seconds(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
                                                "full avg10=0.00 avg60=0.00 avg300=0.00 total=250000\n");
        collect(host_collect_pressure, *state, &out, true);
        assert_has(&out, "node_pressure_io_waiting_seconds_total 1.5\n");
        assert_has(&out, "node_pressure_io_stalled_seconds_total 0.25\n");
}

static void partitions_and_loop_devices_are_left_out(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/diskstats",
                   "   7 0 loop0 1 0 1 0 0 0 0 0 0 0 0\n   8 0 sda 10 1 2048 500 20 2 4096 900 3 1200 1400\n"
                   "   8 1 sda1 1 0 1 0 0 0 0 0 0 0 0\n 259 0 nvme0n1 5 0 8 1 0 0 0 0 0 0 0\n"
                   " 259 1 nvme0n1p1 5 0 8 1 0 0 0 0 0 0 0\n");
        collect(host_collect_disks, *state, &out, true);
        assert_has(&out, "node_disk_read_bytes_total{device=\"sda\"} 1048576\n");
        assert_has(&out, "node_disk_io_time_seconds_total{device=\"sda\"} 1.2");
        assert_has(&out, "node_disk_reads_completed_total{device=\"nvme0n1\"} 5\n");
        assert_null(strstr(out.bytes, "sda1"));
        assert_null(strstr(out.bytes, "loop0"));
        assert_null(strstr(out.bytes, "nvme0n1p1"));
}

static void filesystems_tell_size_and_network_ones_are_left_alone(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\nserver:/x /nfs nfs4 rw 0 0\n"
                                           "/dev/sdb /a\\040b xfs ro,noatime 0 0\nproc /proc proc rw 0 0\n");
        collect(host_collect_filesystems, *state, &out, true);
        assert_has(&out, "node_filesystem_size_bytes{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"} ");
        assert_has(&out, "node_filesystem_device_error{device=\"/dev/sdb\",fstype=\"xfs\",mountpoint=\"/a b\"} 1\n");
        assert_has(&out, "node_filesystem_readonly{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"} 0\n");
        assert_null(strstr(out.bytes, "nfs"));
        assert_null(strstr(out.bytes, "proc"));
}

static void interfaces_count_bytes_and_tell_their_state(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/net/dev",
                   "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n"
                   "  eth0: 1000 10 1 2 3 4 5 6 2000 20 7 8 9 10 11 12\n");
        write_file(*state, "/sys/class/net/eth0/operstate", "up\n");
        write_file(*state, "/sys/class/net/eth0/speed", "1000\n");
        collect(host_collect_network, *state, &out, true);
        assert_has(&out, "node_network_receive_bytes_total{device=\"eth0\"} 1000\n");
        assert_has(&out, "node_network_transmit_bytes_total{device=\"eth0\"} 2000\n");
        assert_has(&out, "node_network_transmit_drop_total{device=\"eth0\"} 8\n");
        assert_has(&out, "node_network_up{device=\"eth0\"} 1\n");
        assert_has(&out, "node_network_speed_bytes{device=\"eth0\"} 125000000\n");
}

static void sockets_and_netstat_have_one_series_a_number(void **state)
{
        scoped(buf_done) struct buf out = {0};
        write_file(*state, "/proc/net/sockstat", "sockets: used 20\nTCP: inuse 5 orphan 0\n");
        write_file(*state, "/proc/net/snmp", "Tcp: CurrEstab RetransSegs Other\nTcp: 4 17 1\n");
        collect(host_collect_sockets, *state, &out, true);
        assert_has(&out, "node_sockstat_TCP_inuse 5\n");
        assert_has(&out, "node_netstat_Tcp_RetransSegs 17\n");
        assert_null(strstr(out.bytes, "Other"));
}

static void write_process(const char *root, int pid, const char *command, int ticks, int pages)
{
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        snprintf(text, sizeof text, "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 1 0 555 1000 %d 0 0\n", pid, command,
                 ticks, pages);
        write_file(root, path, text);
}

static void processes_are_added_up_by_command_and_only_grow(void **state)
{
        scoped(buf_done) struct buf out = {0};
        struct host host = {.processes.told_max = 10};
        snprintf(host.root, sizeof host.root, "%s", (char *)*state);
        write_process(*state, 100, "web) (1", 1000, 10);
        write_process(*state, 101, "web) (1", 500, 5);
        assert_true(host_collect_processes(&host, &out));
        buf_byte(&out, '\0');
        assert_has(&out, "evenkeel_process_cpu_seconds_total{command=\"web) (1\",user=\"root\"} 15\n");
        char path[128];
        snprintf(path, sizeof path, "%s/proc/101/stat", (char *)*state);
        unlink(path);
        write_process(*state, 100, "web) (1", 1100, 10);
        buf_clear(&out);
        assert_true(host_collect_processes(&host, &out));
        buf_byte(&out, '\0');
        assert_has(&out, "evenkeel_process_cpu_seconds_total{command=\"web) (1\",user=\"root\"} 16\n");
        assert_has(&out, "node_processes_pids 1\n");
        host_processes_done(&host.processes);
}

static void what_is_not_there_is_said_by_the_collector(void **state)
{
        scoped(buf_done) struct buf out = {0};
        collect(host_collect_memory, *state, &out, false);
        collect(host_collect_stat, *state, &out, false);
        assert_string_equal(out.bytes, "");
}

static void label_values_are_escaped(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        host_sample(&out, "m", 0.5, "a", "x\"y\\z\n", "b", "\xff", NULL);
        buf_byte(&out, '\0');
        assert_string_equal(out.bytes, "m{a=\"x\\\"y\\\\z\\n\",b=\"(not UTF-8)\"} 0.5\n");
}

static void the_source_offers_this_machine_again_and_again(void **state)
{
        (void)state;
        struct intake intake;
        fake_init(&intake);
        struct err err;
        void *source = NULL;
        scoped_ptr(json_decref) json_t *config = json_pack("{s:f}", "every", 0.02);
        assert_true(host_source_start(&intake, config, &source, &err));
        assert_true(fake_wait_batches(&intake, 3));
        host_source_stop(source);
        const struct batch *batch = intake.batches[0];
        assert_int_equal(batch->format, SOURCE_HOST);
        assert_true(str_is(labels_value(&batch->labels, STR("job")), "host"));
        assert_true(labels_value(&batch->labels, STR("instance")).length > 0);
        size_t at;
        assert_true(str_find(batch->bytes, STR("\nnode_memory_MemTotal_bytes "), &at));
        assert_true(str_find(batch->bytes, STR("\nnode_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} "), &at));
        assert_true(str_find(batch->bytes, STR("\nevenkeel_process_resident_bytes{"), &at));
        assert_true(batch->received_ns > 0);
        fake_done(&intake);
}

static void a_disk_that_fails_is_told_and_a_good_one_again(void **state)
{
        (void)state;
        struct intake intake;
        fake_init(&intake);
        intake.disk_fails = true;
        struct err err;
        void *source = NULL;
        scoped_ptr(json_decref) json_t *config = json_pack("{s:f}", "every", 0.02);
        assert_true(host_source_start(&intake, config, &source, &err));
        while (!fake_source(&intake, "host").failing)
                usleep(1000);
        fake_set(&intake, &intake.disk_fails, false);
        assert_true(fake_wait_batches(&intake, 2));
        assert_false(fake_source(&intake, "host").failing);
        host_source_stop(source);
        fake_done(&intake);
}

static void a_senseless_interval_is_refused(void **state)
{
        (void)state;
        struct err err;
        void *source = NULL;
        scoped_ptr(json_decref) json_t *config = json_pack("{s:i}", "every", 0);
        assert_false(host_source_start(NULL, config, &source, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, drop_root)
                WITH_ROOT(programs_that_talk_to_each_other_are_told),
                WITH_ROOT(processor_time_is_in_seconds_per_mode),
                WITH_ROOT(memory_is_in_bytes_and_names_lose_their_parentheses),
                WITH_ROOT(pressure_totals_are_seconds),
                WITH_ROOT(partitions_and_loop_devices_are_left_out),
                WITH_ROOT(filesystems_tell_size_and_network_ones_are_left_alone),
                WITH_ROOT(interfaces_count_bytes_and_tell_their_state),
                WITH_ROOT(sockets_and_netstat_have_one_series_a_number),
                WITH_ROOT(processes_are_added_up_by_command_and_only_grow),
                WITH_ROOT(what_is_not_there_is_said_by_the_collector),
                cmocka_unit_test(label_values_are_escaped),
                cmocka_unit_test(the_source_offers_this_machine_again_and_again),
                cmocka_unit_test(a_disk_that_fails_is_told_and_a_good_one_again),
                cmocka_unit_test(a_senseless_interval_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
