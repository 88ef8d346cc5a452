#!/usr/bin/env python3
"""syslog_peers - logger, rsyslog and syslog-ng's loggen send to the program; every line is read back, once.

usage: syslog_peers.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked rsyslog and syslog-ng-core
"""
import os
import socket
import subprocess
import tempfile

from daemon import Daemon, arguments, expect, expect_all_once, fetch, free_port, libraries, numbers_of


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **options)
    expect(done.returncode == 0, f"{command[0]} failed: {done.stdout[-500:]}")
    return done.stdout


def check_logger(daemon, udp, tcp):
    for name, options in {
            "udp-5424": ["--udp", "--port", str(udp), "--rfc5424"],
            "udp-3164": ["--udp", "--port", str(udp), "--rfc3164"],
            "tcp-5424": ["--tcp", "--port", str(tcp), "--rfc5424"],
            "tcp-counted": ["--tcp", "--port", str(tcp), "--rfc5424", "--octet-count"],
    }.items():
        run(["logger", "--server", "127.0.0.1", *options, "-t", "logger-" + name, "-p", "user.err"],
            input="\n".join(f"{name} n={n} says hello" for n in range(50)))
        query = '{service="logger-%s"}' % name
        daemon.wait_for(lambda: len(daemon.lines(query)) >= 50, f"logger's {name} lines")
        expect_all_once(numbers_of(daemon.lines(query), " n="), 50, f"logger {name}")


RSYSLOG = """
module(load="{root}/usr/lib/x86_64-linux-gnu/rsyslog/imfile")
global(workDirectory="{work}" maxMessageSize="64k")
input(type="imfile" File="{work}/input" Tag="rsyslog-{framing}" readMode="0")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}" template="RSYSLOG_SyslogProtocol23Format"
       queue.type="Direct" action.resumeRetryCount="-1")
"""


def check_rsyslog(daemon, tcp, peers, framing, count):
    root = os.path.join(peers, "rsyslog")
    environment = libraries(root)
    with tempfile.TemporaryDirectory(prefix="evenkeel-rsyslog-") as work:
        with open(work + "/input", "w") as file:
            file.writelines(f"rsyslog n={n} {'x' * (n % 300)}\n" for n in range(count))
        with open(work + "/conf", "w") as file:
            file.write(RSYSLOG.format(root=root, work=work, framing=framing, port=tcp))
        modules = os.path.join(root, "usr/lib/x86_64-linux-gnu/rsyslog")
        process = subprocess.Popen([root + "/usr/sbin/rsyslogd", "-n", "-f", work + "/conf", "-i", work + "/pid", "-M", modules],
                                   env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            query = '{service="rsyslog-%s"}' % framing
            daemon.wait_for(lambda: len(daemon.lines(query)) >= count, f"rsyslog's {framing} lines", 60)
            expect_all_once(numbers_of(daemon.lines(query), " n="), count, f"rsyslog {framing}")
        finally:
            process.terminate()
            process.wait(30)


def check_loggen(daemon, tcp, udp, peers):
    root = os.path.join(peers, "syslog-ng-core")
    environment = {**libraries(root), "SYSLOGNG_PREFIX": root + "/usr"}
    for name, options, port in (("stream", ["--stream"], tcp), ("framed", ["--stream", "--syslog-proto"], tcp),
                                ("dgram", ["--dgram"], udp)):
        before = records_of(daemon)
        said = run([root + "/usr/bin/loggen", "--inet", *options, "--rate", "20000", "--interval", "1", "--size", "200",
                    "127.0.0.1", str(port)], env=environment)
        sent = int(said.split("count=")[1].split(",")[0].split()[0])
        daemon.wait_for(lambda: records_of(daemon) - before >= sent, f"loggen's {sent} {name} lines ({records_of(daemon) - before} came)")
        expect(records_of(daemon) - before == sent, f"loggen {name}: {sent} sent, {records_of(daemon) - before} came")
        print(f"loggen {name}: {sent} sent, all came")


def check_exact_lines(daemon, udp, tcp):
    """What logger sends comes back byte for byte, header, structured data and all; its fields can be asked for."""
    data = ["--sd-id", "shop@32473", "--sd-param", 'order="17"', "--sd-param", 'state="pa\\]id"']
    for port, how in ((udp, ["--udp"]), (tcp, ["--tcp", "--octet-count"])):
        name = "exact" + how[0]
        sent = run(["logger", "--server", "127.0.0.1", *how, "--port", str(port), "--rfc5424", *data, "--msgid", "PAID", "--id=4711",
                    "-t", name, "-p", "daemon.warning", "--stderr", "--no-act", "order 17 is päid"]).rstrip("\n")
        run(["logger", "--server", "127.0.0.1", *how, "--port", str(port), "--rfc5424", *data, "--msgid", "PAID", "--id=4711",
             "-t", name, "-p", "daemon.warning", "order 17 is päid"])
        query = '{service="%s"}' % name
        daemon.wait_for(lambda: daemon.lines(query), f"logger's line by {how[0]}")
        row = daemon.ask("/api/v1/logs", query=query)["rows"][0]
        tail = sent[sent.index(name):] if name in sent else sent
        expect(row["line"].startswith("<28>1 ") and row["line"].endswith(tail), f"sent {sent!r}, kept {row['line']!r}")
        expect(row["severity"] == "warn", f"severity is {row['severity']}")
        expect('state="pa\\]id"' in row["line"] and "PAID" in row["line"], f"structured data: {row['line']!r}")
    print("logger: structured data and the whole line kept as sent")


def records_of(daemon):
    answer = daemon.ask("/api/v1/sources")
    return sum(source["records"] for source in answer["sources"] if source["name"].startswith("syslog-"))


def main():
    program, peers = arguments()
    fetch(peers, "rsyslog", "rsyslog-gnutls", "syslog-ng-core")
    udp, tcp = free_port(socket.SOCK_DGRAM), free_port()
    with Daemon(program, {"syslog": {"listen": [{"udp": f"127.0.0.1:{udp}"}, {"tcp": f"127.0.0.1:{tcp}"}]}}) as daemon:
        check_logger(daemon, udp, tcp)
        check_exact_lines(daemon, udp, tcp)
        check_rsyslog(daemon, tcp, peers, "octet-counted", 20000)
        check_rsyslog(daemon, tcp, peers, "traditional", 20000)
        check_loggen(daemon, tcp, udp, peers)
    print("syslog peers: fine")


main()
