/* host_network.c - interfaces from /proc/net/dev and /sys/class/net, sockets from /proc/net/sockstat and snmp. */
#include "observe/host_collect.h"

#include "base/scope.h"

#include <stdio.h>

static const char *const device_columns[] = {
        "node_network_receive_bytes_total",    "node_network_receive_packets_total",
        "node_network_receive_errs_total",     "node_network_receive_drop_total",
        "node_network_receive_fifo_total",     "node_network_receive_frame_total",
        "node_network_receive_compressed_total", "node_network_receive_multicast_total",
        "node_network_transmit_bytes_total",   "node_network_transmit_packets_total",
        "node_network_transmit_errs_total",    "node_network_transmit_drop_total",
        "node_network_transmit_fifo_total",    "node_network_transmit_colls_total",
        "node_network_transmit_carrier_total", "node_network_transmit_compressed_total",
};

#define DEVICES_MAX 1024

/* "  eth0: 1 2 3 ...": the first two lines are headings without a colon behind a name. */
static bool device_of(struct str *line, char out_name[64])
{
        struct str name;
        if (!str_cut(line, ':', &name) || !line->bytes)
                return false;
        snprintf(out_name, 64, "%.*s", STR_ARGS(str_trim(name)));
        return true;
}

static void write_device_column(struct buf *out, struct str text, size_t column)
{
        host_type(out, device_columns[column], "counter");
        struct str line;
        for (size_t devices = 0; devices < DEVICES_MAX && host_line(&text, &line);) {
                char name[64];
                if (!device_of(&line, name))
                        continue;
                devices++;
                struct str value = host_word(&line);
                for (size_t i = 0; i < column; i++)
                        value = host_word(&line);
                host_sample(out, device_columns[column], (double)host_u64(value), "device", name, NULL);
        }
}

static const struct state_row {
        const char *file, *name;
        double unit;
} state_rows[] = {
        {"operstate", "node_network_up", 0}, /* text: 1 when "up" */
        {"carrier", "node_network_carrier", 1},
        {"mtu", "node_network_mtu_bytes", 1},
        {"speed", "node_network_speed_bytes", 125000}, /* Mbit/s */
};

static void write_state(const struct host *host, struct buf *out, struct str text, const struct state_row *row)
{
        scoped(buf_done) struct buf file = {0};
        host_type(out, row->name, "gauge");
        struct str line;
        for (size_t devices = 0; devices < DEVICES_MAX && host_line(&text, &line);) {
                char name[64], path[256];
                if (!device_of(&line, name))
                        continue;
                devices++;
                snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, row->file);
                if (!host_read(host, path, &file))
                        continue; /* speed of a link that is down, for one */
                struct str value = str_trim(buf_str(&file));
                int64_t number = -1;
                if (row->unit == 0)
                        host_sample(out, row->name, str_is(value, "up"), "device", name, NULL);
                else if (str_to_i64(value, &number) && number >= 0)
                        host_sample(out, row->name, (double)number * row->unit, "device", name, NULL);
        }
}

bool host_collect_network(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/net/dev", &file))
                return false;
        for (size_t column = 0; column < countof(device_columns); column++)
                write_device_column(out, buf_str(&file), column);
        for (size_t i = 0; i < countof(state_rows); i++)
                write_state(host, out, buf_str(&file), &state_rows[i]);
        return true;
}

/* "TCP: inuse 5 orphan 0 tw 1 alloc 7 mem 2": one gauge a pair, as node_exporter. */
static void write_sockets(struct buf *out, struct str line)
{
        struct str protocol;
        if (!str_cut(&line, ':', &protocol) || !line.bytes)
                return;
        for (struct str key; (key = host_word(&line)).length;) {
                char name[96];
                snprintf(name, sizeof name, "node_sockstat_%.*s_%.*s", STR_ARGS(protocol), STR_ARGS(key));
                host_type(out, name, "gauge");
                host_sample(out, name, (double)host_u64(host_word(&line)), NULL);
        }
}

/* /proc/net/snmp: a line of names, then a line of values, for each protocol. */
static void write_counters(struct buf *out, struct str names, struct str values)
{
        static const char *const wanted[] = {"Tcp_ActiveOpens", "Tcp_PassiveOpens", "Tcp_CurrEstab", "Tcp_InSegs",
                                             "Tcp_OutSegs", "Tcp_RetransSegs", "Tcp_InErrs", "Tcp_OutRsts",
                                             "Udp_InDatagrams", "Udp_OutDatagrams", "Udp_InErrors", "Udp_NoPorts",
                                             "Udp_RcvbufErrors", "Udp_SndbufErrors", "Ip_Forwarding", "Icmp_InMsgs",
                                             "Icmp_OutMsgs", "Icmp_InErrors"};
        struct str protocol, other;
        if (!str_cut(&names, ':', &protocol) || !str_cut(&values, ':', &other) || !str_equal(protocol, other))
                return;
        for (struct str key; (key = host_word(&names)).length;) {
                struct str value = host_word(&values);
                char name[96];
                snprintf(name, sizeof name, "node_netstat_%.*s_%.*s", STR_ARGS(protocol), STR_ARGS(key));
                for (size_t i = 0; i < countof(wanted); i++) {
                        if (strcmp(name + strlen("node_netstat_"), wanted[i]) != 0)
                                continue;
                        host_type(out, name, "untyped");
                        host_sample(out, name, (double)host_u64(value), NULL);
                }
        }
}

bool host_collect_sockets(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf file = {0};
        if (!host_read(host, "/proc/net/sockstat", &file))
                return false;
        struct str text = buf_str(&file), line, values;
        while (host_line(&text, &line))
                write_sockets(out, line);
        if (!host_read(host, "/proc/net/snmp", &file))
                return false;
        text = buf_str(&file);
        while (host_line(&text, &line) && host_line(&text, &values))
                write_counters(out, line, values);
        return true;
}
