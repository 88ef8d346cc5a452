#!/usr/bin/env python3
"""listen_tls - `evenkeel listen` opens HTTP and syslog beyond loopback: curl and rsyslog come in by TLS, nothing comes in plain.

usage: listen_tls.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked rsyslog and rsyslog-gnutls
"""
import json
import os
import socket
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect, expect_all_once, fetch, free_port, libraries, numbers_of

NAME = "logs.example.org"
LINES = 5000


def own_address():
    """An address of this machine that others reach, or None. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def curl(url, *options, body=None):
    """(exit status of curl, HTTP status, answer)"""
    done = subprocess.run(["curl", "-s", "--max-time", "10", "-w", "\n%{http_code}", *options, url], input=body, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)
    answer, _, status = done.stdout.decode().rpartition("\n")
    return done.returncode, int(status or 0), answer


def opened(daemon, *words):
    status, out, err = daemon.cli("listen", *words, "--name", NAME)
    expect(status == 0, f"listen {words}: {status} {err}")
    expect("from the next start" not in out, f"the running program was not told: {out}")
    return out


def is_open(address, port):
    try:
        socket.create_connection((address, port), timeout=2).close()
        return True
    except OSError:
        return False


def check_http(daemon, address):
    port = free_port()
    said = opened(daemon, "http", f"{address}:{port}")
    pem = os.path.join(daemon.data, "tls/server.pem")
    expect(pem in said and f"https://{NAME}:{port}" in said, f"listen http said {said}")
    safe = ["--cacert", pem, "--resolve", f"{NAME}:{port}:{address}"]
    url = f"https://{NAME}:{port}"
    daemon.wait_for(lambda: curl(url + "/-/ready", *safe)[1] == 200, "HTTPS beyond loopback")
    expect(daemon.request("/-/ready")[0] == 200, "the address on loopback is gone")
    expect(curl(url + "/-/ready", "--resolve", f"{NAME}:{port}:{address}")[0] == 60, "curl trusts a certificate that it was not given")
    expect(curl(f"http://{address}:{port}/-/ready")[1] == 0, "plain HTTP is answered beyond loopback")
    record = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "far"}}]}, "scopeLogs": [
        {"logRecords": [{"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "from afar"}}]}]}]}
    post = ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    body = json.dumps(record).encode()
    code, status, answer = curl(url + "/v1/logs", *safe, *post, body=body)
    expect(status == 401, f"telemetry without a token beyond loopback: {status} {answer}")
    expect(curl(url + "/metrics", *safe)[1] == 401, "/metrics without a token beyond loopback")
    expect(curl(url + "/api/v1/query?query=1", *safe)[1] == 401, "a query without a token beyond loopback")
    cli_token = daemon.token()["Authorization"]
    expect(curl(url + "/api/v1/status", *safe, "-H", "Authorization: " + cli_token)[1] == 401, "the token of cli.token works beyond loopback")
    made = [line for line in said.splitlines() if "evenkeel token add" in line][0].split("evenkeel ")[1].split()
    status, out, err = daemon.cli(*made, "--json")  # as it was printed
    expect(status == 0, f"what listen advises fails: {made}: {err}")
    secret = json.loads(out)["token"]
    bearer = ["-H", "Authorization: Bearer " + secret]
    expect(curl(url + "/v1/logs", *safe, *post, *bearer, body=body)[1] == 200, "a token with ingest is refused")
    expect(curl(url + "/api/v1/status", *safe, *bearer)[1] == 403, "a token with ingest alone may read")
    expect(curl(url + "/v1/logs", *safe, *post, "-u", "any:" + secret, body=body)[1] == 200, "a token as Basic's password is refused")
    daemon.wait_for(lambda: len(daemon.lines('{service="far"}')) == 1, "the record, once (the second is a repeat)")
    print(f"https on {address}: certificate checked, plain text refused, token needed")
    return url, safe


RSYSLOG = """
module(load="{root}/usr/lib/x86_64-linux-gnu/rsyslog/imfile")
global(workDirectory="{work}" maxMessageSize="64k")
{advice}
input(type="imfile" File="{work}/input" Tag="rsyslog-tls" readMode="0")
"""


def check_syslog(daemon, address, peers):
    port = free_port()
    said = opened(daemon, "syslog", f"{address}:{port}")
    daemon.wait_for(lambda: is_open(address, port), "the TLS port to be open")
    advice = said.split("(package rsyslog-gnutls):")[1].split("syslog-ng:")[0]
    advice = advice.replace("/etc/ssl/evenkeel.pem", os.path.join(daemon.data, "tls/server.pem"))
    advice = advice.replace(f'target="{NAME}"', f'target="{address}"')  # there is no name server here
    root = os.path.join(peers, "rsyslog")
    modules = [os.path.join(peers, package, "usr/lib/x86_64-linux-gnu/rsyslog") for package in ("rsyslog", "rsyslog-gnutls")]
    environment = libraries(root)
    environment["LD_LIBRARY_PATH"] += ":" + libraries(os.path.join(peers, "rsyslog-gnutls"))["LD_LIBRARY_PATH"]
    with tempfile.TemporaryDirectory(prefix="evenkeel-rsyslog-") as work:
        with open(work + "/input", "w") as file:
            file.writelines(f"tls n={n} {'y' * (n % 100)}\n" for n in range(LINES))
        with open(work + "/conf", "w") as file:
            file.write(RSYSLOG.format(root=root, work=work, advice=advice))
        process = subprocess.Popen([root + "/usr/sbin/rsyslogd", "-n", "-f", work + "/conf", "-i", work + "/pid", "-M", ":".join(modules)],
                                   env=environment, stdout=open(work + "/log", "w"), stderr=subprocess.STDOUT)
        try:
            daemon.wait_for(lambda: len(daemon.lines('{service="rsyslog-tls"}')) >= LINES, "rsyslog's lines by TLS", 40)
            expect_all_once(numbers_of(daemon.lines('{service="rsyslog-tls"}'), " n="), LINES, "rsyslog by TLS, as `listen` prints it")
        except AssertionError:
            print(open(work + "/log").read()[-1500:], len(daemon.lines('{service="rsyslog-tls"}')), daemon.log_text()[-1500:], sep="\n")
            print([s for s in daemon.ask("/api/v1/sources")["sources"] if "syslog" in s["name"]])
            raise
        finally:
            process.terminate()
            process.wait(30)
    before = sum(source["records"] for source in daemon.ask("/api/v1/sources")["sources"])
    with socket.create_connection((address, port), timeout=5) as plain:
        plain.sendall(b"<13>plain text\n" * 10)
        plain.settimeout(10)
        try:
            while plain.recv(4096):
                pass
        except ConnectionError:
            pass
    expect(sum(source["records"] for source in daemon.ask("/api/v1/sources")["sources"]) == before, "plain syslog was taken on the TLS port")


def check_list(daemon, url, safe):
    status, out, _ = daemon.cli("listen")
    rows = [line.split() for line in out.splitlines()]
    expect(status == 0 and sorted(row[0] for row in rows) == ["http", "syslog"], f"listen shows {out}")
    for row in rows:
        status, out, err = daemon.cli("listen", "close", row[1])
        expect(status == 0, f"listen close: {err}")
    daemon.wait_for(lambda: curl(url + "/-/ready", *safe)[1] == 0, "the address to be closed")
    daemon.wait_for(lambda: daemon.request("/-/ready")[0] == 200, "loopback to go on")


def check_plain_is_refused(program, address):
    port = free_port()
    folder = tempfile.mkdtemp(prefix="evenkeel-plain-")
    done = subprocess.run([program, "run", "--data", folder, "--http", f"{address}:{port}", "--no-sources"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=30)
    expect(done.returncode != 0 and "needs TLS" in done.stdout and "evenkeel listen http" in done.stdout, f"plain HTTP beyond loopback: {done.stdout}")
    udp = free_port(socket.SOCK_DGRAM)
    with Daemon(program, {"syslog": {"listen": [{"udp": f"{address}:{udp}"}, {"tcp": f"{address}:{port}"}]}}) as daemon:
        daemon.wait_for(lambda: any("TLS" in source["state_text"] for source in daemon.ask("/api/v1/sources")["sources"]),
                        "the sources page to say that plain syslog is refused", 5)
        expect(not is_open(address, port), "plain TCP syslog is open beyond loopback")


def main():
    program, peers = arguments()
    fetch(peers, "rsyslog", "rsyslog-gnutls")
    address = own_address()
    if not address:
        print("this machine has no address beyond loopback; 127.0.0.1 stands in, and what differs beyond is not checked")
        return 77
    with Daemon(program, http=f"127.0.0.1:{free_port()}") as daemon:
        url, safe = check_http(daemon, address)
        check_syslog(daemon, address, peers)
        check_list(daemon, url, safe)
    check_plain_is_refused(program, address)
    print("listen: fine")
    return 0


raise SystemExit(main())
