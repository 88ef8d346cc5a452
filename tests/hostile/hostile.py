#!/usr/bin/env python3
"""hostile - sends the running program what nobody should send, and watches its memory.

usage: hostile.py PROGRAM [--slice] [--seed S] [--keep] [CASE...]

After each case the program must be alive, take a normal log record and sample, give both back, and have stayed under
MEMORY_MIB_MAX. Cases also check what the sender is told and that a counter shows what happened. --slice is the short form
that runs with every build.
"""
import argparse
import gzip
import http.client
import json
import os
import random
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from program import Program, free_port
from protobuf import field, series, snappy, varint

# The sum of the bounds that can be full at once: bodies being received 256 MiB, telemetry between senders and store 128,
# being decoded by six threads a few hundred, waiting for the journal 64 and the archive 64, open log chunks 256 * 2, open
# samples 64, and series in memory with this test's limits.series 100; twice over for what an allocator keeps. docs/operators/limits.md.
MEMORY_MIB_MAX = 2048
SLICE_MEMORY_MIB_MAX = 1024
SERIES_MAX = 200000


class Failed(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Failed(" ".join(str(part)[:400] for part in what))


# ---- bytes ----

def otlp_json(service, lines, now_ns, attributes=()):
    resource_attributes = [{"key": "service.name", "value": {"stringValue": service}}, *attributes]
    records = [{"timeUnixNano": str(now_ns + i), "body": {"stringValue": line}} for i, line in enumerate(lines)]
    return json.dumps({"resourceLogs": [{"resource": {"attributes": resource_attributes}, "scopeLogs": [{"logRecords": records}]}]}).encode()


# ---- the program ----

class Victim(Program):
    def __init__(self, path, folder, bound_mib):
        super().__init__(path, os.path.join(folder, "data"), os.path.join(folder, "log"))
        self.folder, self.bound_mib, self.marks = folder, bound_mib, 0
        self.tcp, self.udp = free_port(), free_port(socket.SOCK_DGRAM)
        self.config = os.path.join(folder, "evenkeel.yaml")
        with open(self.config, "w") as file:
            json.dump({"limits": {"series": SERIES_MAX}, "sources": {
                "syslog": {"listen": [{"tcp": f"127.0.0.1:{self.tcp}"}, {"udp": f"127.0.0.1:{self.udp}"}]},
                "journald": {"directory": os.path.join(folder, "none")}, "file": {"files": []}}}, file)
        self.start("--config", self.config, "--http", "127.0.0.1:0")
        self.auth = self.token()
        self.secret = self.auth["Authorization"].split()[1]

    def post(self, path, body, kind="application/json", **headers):
        return self.exchange("POST", path, body, {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}})

    def write(self, payload):
        return self.exchange("POST", "/api/v1/write", snappy(payload), {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})

    def ask(self, path, **parameters):
        status, body = self.exchange("GET", path + ("?" + urllib.parse.urlencode(parameters) if parameters else ""), headers=self.auth)
        return status, (json.loads(body) if body[:1] in b"{[" else body)

    def form(self, path, **parameters):
        return self.exchange("POST", path, urllib.parse.urlencode(parameters), {**self.auth, "Content-Type": "application/x-www-form-urlencoded"})

    def raw(self, data, wait=10, port=None, half_close=False):
        """Sends bytes as they are, gives what comes back until the other side closes or falls silent."""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=wait) as peer:
            try:
                peer.sendall(data)
                if half_close:
                    peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            out = b""
            try:
                while chunk := peer.recv(65536):
                    out += chunk
                    head, _, body = out.partition(b"\r\n\r\n")
                    length = re.search(rb"(?i)content-length: (\d+)", head)
                    if length and len(body) >= int(length[1]):
                        break
            except OSError:
                pass
            return out

    def metric(self, name):
        for line in self.exchange("GET", "/metrics", headers=self.auth)[1].decode().splitlines():
            if line.startswith(name + " ") or (("{" in name) and line.startswith(name)):
                return float(line.rsplit(" ", 1)[1])
        raise Failed("no metric " + name)

    def source(self, name):
        for source in self.ask("/api/v1/sources")[1]["sources"]:
            if source["name"] == name:
                return source
        return {}

    def status_lines(self):
        return dict(line.split(":", 1) for line in open(f"/proc/{self.process.pid}/status") if ":" in line)

    def peak_mib(self):
        return int(self.status_lines()["VmHWM"].split()[0]) / 1024

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def works(self):
        """A normal record and sample go in and come out."""
        self.marks += 1
        now_ns, mark = time.time_ns(), f"mark{self.marks}x{os.getpid()}"
        until = time.monotonic() + 60
        while (answer := self.post("/v1/logs", otlp_json("mark", [mark], now_ns)))[0] == 429 and time.monotonic() < until:
            time.sleep(0.2)
        check(answer[0] == 200, "a normal record:", answer)
        answer = self.write(series({b"__name__": b"hostile_mark"}, (self.marks, now_ns // 1000000)))
        check(answer[0] == 204, "a normal sample:", answer)
        while True:
            status, logs = self.ask("/api/v1/logs", query='{service="mark"} |= "%s"' % mark)
            status2, value = self.ask("/api/v1/query", query="hostile_mark")
            found = status == 200 and mark in json.dumps(logs)
            result = value["data"]["result"] if status2 == 200 else []
            if found and result and float(result[0]["value"][1]) == self.marks:
                return
            check(time.monotonic() < until, "a normal record or sample is not found:", status, logs, status2, value)
            time.sleep(0.1)

    def stop(self):
        code, said = self.end(), self.log_text()
        check(code == 0, "it ended with", code, said[-2000:])
        check("Sanitizer" not in said and "runtime error" not in said, "a sanitizer spoke:", said[-3000:])


class moves:
    """with moves(program, NAME, ...): at least one of these counters must go up meanwhile."""

    def __init__(self, program, *names):
        self.program, self.names = program, names

    def __enter__(self):
        self.before = [self.program.metric(name) for name in self.names]

    def __exit__(self, kind, *_):
        if kind:
            return
        for _ in range(50):
            if any(self.program.metric(name) > old for name, old in zip(self.names, self.before)):
                return
            time.sleep(0.1)
        raise Failed("no counter moved: " + ", ".join(self.names))


def told(answer, status, *words):
    text = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
    wanted = status if isinstance(status, tuple) else (status,)
    check(answer[0] in wanted and all(word.encode() in text for word in words), "wanted", wanted, words, "and got", answer[0], text)


def told_raw(answer, status, *words):
    check(answer.startswith(b"HTTP/1.1 %d" % status) and all(word.encode() in answer for word in words), "wanted", status, words, "and got", answer)


REFUSED_4XX = "evenkeel_http_answers_4xx_total"

# ---- cases: (program, scale, chance) ----


def truncated_bodies(program, scale, chance):
    good = otlp_json("cut", ["a line"] * 20, time.time_ns())
    with moves(program, REFUSED_4XX):
        for _ in range(20):
            told(program.post("/v1/logs", good[:chance.randrange(1, len(good) - 1)]), 400)
        told(program.post("/v1/logs", gzip.compress(good)[:40], Content_Encoding="gzip"), 400, "cut short")
        payload = snappy(series({b"__name__": b"x"}, (1, 1)))
        told(program.exchange("POST", "/api/v1/write", payload[:-3], {"Content-Type": "application/x-protobuf"}), 400)
        told(program.post("/v1/logs", field(1, b"\x0a\xff\xff\x03x"), "application/x-protobuf"), 400)
    # a connection that ends within its body
    program.raw(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", wait=2, half_close=True)


def deep_nesting(program, scale, chance):
    with moves(program, REFUSED_4XX):
        for depth in (100, 3000, 200000):
            body = b'{"resourceLogs":' + b"[" * depth + b"]" * depth + b"}"
            told(program.post("/v1/logs", body), (200, 400))
        told(program.post("/v1/logs", b"[" * 1000000), 400)
        told(program.post("/api/v1/webhook/deep", b'{"a":' * 100000 + b"1" + b"}" * 100000), 400)
        value = b""
        for _ in range(5000):  # AnyValue of arrays in arrays
            value = field(5, field(1, value))
        record = field(5, value)
        told(program.post("/v1/logs", field(1, field(2, field(2, record))), "application/x-protobuf"), (200, 400))
    folder = tempfile.mkdtemp(dir=program.folder)
    for text in ("[" * 100000, "a: &a [*a]\n", "{a: " * 500 + "}" * 500, "- " * 100000):
        path = os.path.join(folder, "deep.yaml")
        open(path, "w").write(text)
        run = subprocess.run([program.path, "run", "--data", folder, "--config", path], capture_output=True, text=True, timeout=60)
        check(run.returncode == 1 and "deep.yaml" in run.stderr + run.stdout, "a YAML file of", text[:20], "gives", run.returncode, run.stderr)


def huge_bodies(program, scale, chance):
    size = 1 << 30
    head = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with moves(program, "evenkeel_http_refused_large_total"):
        told_raw(program.raw(head + b"Content-Length: %d\r\n\r\n" % size + b" " * 65536), 413, "more than")
    told_raw(program.raw(head + b"Content-Length: 99999999999999999999999\r\n\r\n"), 413)
    with moves(program, "evenkeel_http_refused_large_total"):
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with socket.create_connection(("127.0.0.1", program.port), timeout=60) as peer:
            peer.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range((size if scale > 1 else 200 << 20) >> 16):
                peer.sendall(piece)
            peer.sendall(b"0\r\n\r\n")
            told_raw(peer.recv(65536), 413, "more than")


def bombs(program, scale, chance):
    zeros = b"\0" * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(zeros) for _ in range(200 * scale)) + packer.flush()
    with moves(program, REFUSED_4XX):
        told(program.post("/v1/logs", bomb, Content_Encoding="gzip"), (400, 413), "more than")
        told(program.post("/v1/logs", gzip.compress(bomb), Content_Encoding="gzip"), (400, 413))
        told(program.post("/v1/logs", bomb, Content_Encoding="gzip, gzip"), (400, 413, 415))
        claims = varint(1 << 31) + b"\xfe" + b"\0\0" * 3
        told(program.exchange("POST", "/api/v1/write", claims, {"Content-Type": "application/x-protobuf"}), (400, 413))
        copies = varint(60 << 20) + b"\0x" + b"\xfe\x01\0" * 100  # says 60 MiB, holds a few KB
        told(program.exchange("POST", "/api/v1/write", copies, {"Content-Type": "application/x-protobuf"}), (400, 413))
        if shutil.which("zstd"):
            packed = subprocess.run(["zstd", "-19", "-c", "--long=27"], input=zeros * 256, capture_output=True).stdout
            told(program.post("/v1/logs", packed, Content_Encoding="zstd"), (400, 413))
        told(program.post("/v1/logs", b"x", Content_Encoding="br"), 415, "not understood")
    # two bytes a record: decoding must end at its bound, not when memory does
    records = field(1, field(2, b"\x12\0" * (6 << 20)))
    with moves(program, REFUSED_4XX):
        told(program.post("/v1/logs", gzip.compress(records, 1), "application/x-protobuf", Content_Encoding="gzip"), 413, "records")
    empty = field(1, field(2, field(2, b"\x0a\0") * (4 << 20)))
    told(program.post("/v1/metrics", gzip.compress(empty, 1), "application/x-protobuf", Content_Encoding="gzip"), (200, 400, 413))


def invalid_utf8(program, scale, chance):
    bad = b"\xff\xfe\xc0\xaf\xed\xa0\x80"
    with moves(program, REFUSED_4XX, "evenkeel_intake_rejected_total"):
        told(program.post("/v1/logs", b'{"resourceLogs":[{"x":"' + bad + b'"}]}'), 400)
        value = field(1, bad)
        program.post("/v1/logs", field(1, field(1, field(1, field(1, b"service.name") + field(2, value))) + field(2, field(2, field(5, value)))),
                     "application/x-protobuf")
        program.write(series({b"__name__": b"bad", b"host": bad}, (1, time.time_ns() // 1000000)))
        program.exchange("GET", "/api/v1/query?query=" + "%ff%fe", headers=program.auth)
        program.exchange("GET", "/api/v1/logs?query=%7Bhost%3D%22%ff%22%7D", headers=program.auth)
    program.raw(b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\nCookie: \xff=\xfe\r\n\r\n", wait=3)
    with socket.create_connection(("127.0.0.1", program.tcp)) as peer:
        peer.sendall(b"<13>t\xff: " + bad + b"\n")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        status, answer = program.ask("/api/v1/logs", query='{source="syslog"}')
        if status == 200 and answer and "\ufffd" in json.dumps(answer, ensure_ascii=False):
            return
        time.sleep(0.2)
    raise Failed("the syslog line with bad bytes is not shown")


def distinct_labels(program, scale, chance):
    """Each series and each stream new: series beyond the bound are refused and counted, streams cost blocks, not memory."""
    count = 10000000 if scale > 1 else 300000
    step, now_ms = 20000, time.time_ns() // 1000000
    with moves(program, "evenkeel_series_refused_total"):
        for first in range(0, count, step):
            body = b"".join(series({b"__name__": b"many", b"id": b"%d" % n}, (1, now_ms)) for n in range(first, first + step))
            while (answer := program.write(body))[0] == 429:
                time.sleep(0.1)
            told(answer, 204)
    check(program.metric("evenkeel_series") <= SERIES_MAX * 9 / 8 + 256 * 16, "series in memory:", program.metric("evenkeel_series"))
    for first in range(0, count // 10, 2000):
        resources = b"".join(
            field(1, field(1, field(1, field(1, b"service.name") + field(2, field(1, b"many"))) +
                           field(1, field(1, b"service.instance.id") + field(2, field(1, b"%d" % n)))) +
                  field(2, field(2, field(5, field(1, b"line %d" % n))))) for n in range(first, first + 2000))
        while (answer := program.post("/v1/logs", resources, "application/x-protobuf"))[0] == 429:
            time.sleep(0.1)
        told(answer, 200)


def long_labels(program, scale, chance):
    now_ms = time.time_ns() // 1000000
    with moves(program, "evenkeel_intake_rejected_total", REFUSED_4XX):
        program.write(series({b"__name__": b"long", b"v": b"x" * 100000}, (1, now_ms)))
        program.write(series({b"__name__": b"wide", **{b"l%04d" % i: b"x" for i in range(1000)}}, (1, now_ms)))
        program.post("/v1/logs", otlp_json("s" * 100000, ["x"], time.time_ns()))
    # huge but allowed labels, each new: memory must follow bytes, not counts
    for first in range(0, 3000 * scale, 100):
        body = b"".join(series({b"__name__": b"fat", **{b"l%d" % i: b"%d" % (first + n) + b"y" * 8000 for i in range(4)}}, (1, now_ms)) for n in range(100))
        while (answer := program.write(body))[0] == 429:
            time.sleep(0.1)
        told(answer, 204)
        lines = [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"f{n}"}},
                                              {"key": "service.instance.id", "value": {"stringValue": f"{first + n}" + "z" * 8000}}]},
                  "scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]} for n in range(100)]
        while (answer := program.post("/v1/logs", json.dumps({"resourceLogs": lines}).encode()))[0] == 429:
            time.sleep(0.1)
        told(answer, 200)


def slow_senders(program, scale, chance):
    """Headers get 20 s, a body 30 s and 16 KiB/s, an unfinished syslog message 30 s; the slice waits for the first only."""
    peers = []
    for i in range(100):
        peer = socket.create_connection(("127.0.0.1", program.port))
        peer.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                     (b"Content-Length: 100000\r\n\r\n{" if i % 2 else b"X-Slow: "))
        peers.append(peer)
    partial = socket.create_connection(("127.0.0.1", program.tcp))
    partial.sendall(b"<13>half a message")
    with moves(program, "evenkeel_http_slow_closed_total"):
        until = time.monotonic() + (45 if scale > 1 else 24)
        while time.monotonic() < until:
            for peer in peers:
                try:
                    peer.send(b"x")
                except OSError:
                    pass
            program.works()
            time.sleep(1)
    closed = 0
    for peer in peers:
        peer.settimeout(1)
        try:
            closed += peer.recv(1000) == b""
        except socket.timeout:
            pass
        except OSError:
            closed += 1
        peer.close()
    check(closed >= (100 if scale > 1 else 50), closed, "of 100 slow senders were closed")
    if scale > 1:
        partial.settimeout(5)
        check(partial.recv(1) == b"", "the half syslog message still holds its connection")
    partial.close()


def many_connections(program, scale, chance):
    """As many as the bound and more, idle and half-open; a normal sender still comes through."""
    wanted = 10000 if scale > 1 else 1500
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500
    for port, sends in ((program.port, b"GET / HTT"), (program.tcp, b"<13>x")):
        peers = []
        for i in range(min(wanted, room)):
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
            peers.append(peer)
            if i % 500 == 499:
                time.sleep(0.05)
        for peer in peers[::2]:
            try:
                peer.send(sends)
            except OSError:
                pass
        program.works()
        gauge = "evenkeel_http_connections" if port == program.port else "process_open_fds"
        check(program.metric(gauge) > 0.5 * min(wanted, room), gauge, program.metric(gauge))
        for peer in peers:
            peer.close()


def garbage(program, scale, chance):
    for port in (program.port, program.tcp):
        for _ in range(30 * scale):
            program.raw(chance.randbytes(chance.randrange(1, 3000)), wait=0.3, port=port, half_close=True)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(500):
        udp.sendto(chance.randbytes(chance.randrange(0, 1400)), ("127.0.0.1", program.udp))
    program.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512), wait=1)  # a TLS hello


def huge_headers(program, scale, chance):
    answer = program.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * (1 << 20) + b"\r\n\r\n")
    check(answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 413", b"HTTP/1.1 400")), "a header of 1 MiB:", answer)
    answer = program.raw(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(50000)) + b"\r\n")
    check(answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 413", b"HTTP/1.1 400")), "50,000 headers:", answer)
    answer = program.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    check(answer == b"" or answer.startswith((b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 400", b"HTTP/1.1 404")), "a long path:", answer)
    began = time.monotonic()
    told(program.exchange("GET", "/api/v1/query?" + "&".join("a=1" for _ in range(2000)), headers=program.auth), 413, "1000")
    told(program.exchange("GET", "/api/v1/query?" + "&" * 15000, headers=program.auth), (400, 413, 414))
    check(time.monotonic() - began < 5, "the answers took", time.monotonic() - began, "s")


def smuggling(program, scale, chance):
    hidden = b"GET /api/v1/users HTTP/1.1\r\nHost: x\r\n\r\n"
    shapes = [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 0x5\r\n\r\nhello",
        b"Content-Length : 5\r\n\r\nhello",
    ]
    for shape in shapes:
        answer = program.raw(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + shape + hidden, wait=3)
        check(not answer.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 401" not in answer and b'"users"' not in answer,
              "two requests were seen in", shape, answer)


def traversal(program, scale, chance):
    for path in ("/../../../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/assets/../../data/state.db",
                 "/cli.token", "/data/cli.token", "/assets/%00index.html", "/.git/config", "/\\..\\..\\etc\\passwd"):
        answer = program.raw(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n", wait=5)
        check(b"root:" not in answer and program.secret.encode() not in answer and b"SQLite format" not in answer, path, answer)


def syslog_shapes(program, scale, chance):
    def send(data):
        with socket.create_connection(("127.0.0.1", program.tcp)) as peer:
            try:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                peer.settimeout(10)
                peer.recv(1)
            except OSError:
                pass
    before = program.metric("evenkeel_logs_records_total")
    send(b"<13>" + b"x" * (20 << 20) + b"\n<13>after the long line\n")
    send(b"9999999 <13>short\n<13>next\n")
    send(b"5 <13>abcdefgh\n")
    send(b"00000000000000000000000001 x")
    send(b"-5 <13>x\n0 \n1 \n")
    send(b"\n" * (2 << 20))
    send(b"\0" * (1 << 20))
    send(b"<999999999999999999>1 " + b"- " * 100000 + b"\n")
    send(b'<13>1 - - - - - [' + b'a="\\' * 50000 + b"\n")
    program.works()
    check(program.metric("evenkeel_logs_records_total") > before, "no syslog line was taken")


def udp_flood(program, scale, chance):
    """More than the program can take: what the kernel drops is counted, and every datagram is either stored or counted."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line, sent = b"<13>Jan  1 00:00:00 flood app: " + b"f" * 900, 0
    before = program.metric("evenkeel_logs_records_total")
    until = time.monotonic() + (10 if scale > 1 else 2)
    while time.monotonic() < until:
        for _ in range(200):
            udp.sendto(line, ("127.0.0.1", program.udp))
            sent += 1
    dropped = 0
    for _ in range(100):
        time.sleep(0.2)
        dropped = program.source("syslog-udp").get("dropped", 0)
        stored = program.metric("evenkeel_logs_records_total") - before
        if stored + float(dropped) >= sent * 0.98:
            break
    check(stored + float(dropped) >= sent * 0.98, sent, "datagrams sent,", stored, "stored,", dropped, "counted as dropped")


def exploding_regexes(program, scale, chance):
    bad = "(a+)+$"
    program.post("/v1/logs", otlp_json("regex", ["a" * 5000 + "b"], time.time_ns()))
    program.write(series({b"__name__": b"regex", b"v": b"a" * 5000 + b"b"}, (1, time.time_ns() // 1000000)))
    time.sleep(0.5)
    with moves(program, REFUSED_4XX):
        told(program.ask("/api/v1/logs", query='{service="regex"} |~ "(a+)+$"'), (400, 422), "steps")
        told(program.ask("/api/v1/query", query='regex{v=~"(a+)+b\\\\d"}'), (400, 422), "steps")
        told(program.ask("/api/v1/logs", query='{service=~"(m|a|r|k|mark)+x{1000}"}'), (200, 400, 422))
        told(program.ask("/api/v1/query", query='label_replace(regex, "x", "$1", "v", "(a+)+c")'), (200, 400, 422))
        told(program.ask("/api/v1/query", query='x{a=~"((((((((((a{1000}){1000}){1000}){1000}))))))))"}'), (400, 422))
        told(program.form("/api/v1/query", query='x{a=~"' + "(" * 3000 + ")" * 3000 + '"}'), (400, 422))


def queries_over_limits(program, scale, chance):
    now = int(time.time())

    with moves(program, REFUSED_4XX):
        told(program.ask("/api/v1/query_range", query="up", start=0, end=now, step=1), 400, "11")
        told(program.form("/api/v1/query", query="(" * 5000 + "1" + ")" * 5000), 400, "nested")
        told(program.form("/api/v1/query", query="-" * 5000 + "1"), (400, 200))
        told(program.form("/api/v1/query", query="sum(" * 3000 + "1" + ")" * 3000), 400)
        told(program.form("/api/v1/query", query="1+" * 5000 + "1"), (200, 400))
        told(program.ask("/api/v1/logs", query="{" + ",".join('a="%d"' % i for i in range(100)) + "}"), 400, "64")
        told(program.ask("/api/v1/logs", query='{a="b"}' + ' |= "x"' * 100), 400, "64")
        told(program.ask("/api/v1/logs", query="{" * 5000), 400)
        told(program.ask("/api/v1/logs", query="{}", limit=10000000), 400, "limit")
        told(program.ask("/loki/api/v1/query_range", query="rate({a=\"b\"}[1m])"), (400, 422), "metric")
        told(program.ask("/api/v1/query", query="up", time="NaN"), 400)
        told(program.ask("/api/v1/query", query="up", timeout="-5s"), 400)
        told(program.exchange("POST", "/api/v1/query", b"query=" + b"a" * (2 << 20), {**program.auth, "Content-Type": "application/x-www-form-urlencoded"}), 413)


def doors(program, scale, chance):
    """CSRF, wrong, expired and narrow tokens, guessed passwords, names that look like SQL."""
    def as_token(token, method, path, body=None):
        return program.exchange(method, path, body, {"Authorization": "Bearer " + token, "Content-Type": "application/json"})

    def new_token(name, scopes, **more):
        status, body = program.exchange("POST", "/api/v1/tokens", json.dumps({"name": name, "scopes": scopes, **more}), {**program.auth, "Content-Type": "application/json"})
        check(status in (200, 201), "making a token:", status, body)
        answer = json.loads(body)
        return next(v for v in [answer.get("token"), answer.get("secret"), (answer.get("data") or {}).get("token") if isinstance(answer.get("data"), dict) else None] if isinstance(v, str))

    with moves(program, REFUSED_4XX):
        for token in ("", "x", "evk_" + "A" * 43, program.secret[:-1], program.secret + "x", "x" * 5000, "\x7f", "' OR 1=1 --"):
            told(as_token(token, "GET", "/api/v1/users"), 401)
        told(program.exchange("GET", "/api/v1/users"), 401)
        narrow = new_token("narrow", ["ingest"])
        told(as_token(narrow, "GET", "/api/v1/sources"), 403, "scope")
        told(as_token(narrow, "POST", "/v1/logs", otlp_json("mark", ["by token"], time.time_ns())), 200)
        told(as_token(new_token("reader", ["read"]), "POST", "/v1/logs", b"{}"), 403, "scope")
        for name in ("'; DROP TABLE user; --", "../x", "a" * 65, "", "x\0y", "\u202e"):
            told(program.exchange("POST", "/api/v1/users", json.dumps({"name": name, "role": "admin", "password": "long enough 12"}),
                                 {**program.auth, "Content-Type": "application/json"}), 400)
        told(program.exchange("POST", "/api/v1/users/%27%20OR%201%3D1", b'{"role":"admin"}', {**program.auth, "Content-Type": "application/json"}), (400, 404))
        told(program.exchange("DELETE", "/api/v1/tokens/%27%20OR%201%3D1%20--", None, program.auth), (400, 404))
    # a session without its CSRF token may read, not write
    status, answer, cookie = None, None, None
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
    connection.request("POST", "/api/v1/session", json.dumps({"name": "admin", "password": program.password}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    check(answer.status == 200 and cookie, "signing in:", answer.status, answer.read())
    connection.close()
    told(program.exchange("POST", "/api/v1/session/password", json.dumps({"old": program.password, "new": "another long one"}),
                         {"Cookie": cookie, "Content-Type": "application/json"}), 403, "X-CSRF-Token")
    told(program.exchange("DELETE", "/api/v1/session", None, {"Cookie": cookie}), 403, "X-CSRF-Token")
    told(program.exchange("POST", "/v1/logs", b"{}", {"Origin": "http://evil.example", "Content-Type": "application/json"}), (401, 403))
    codes = [program.exchange("POST", "/api/v1/session", json.dumps({"name": "admin", "password": "wrong%d" % i}), {"Content-Type": "application/json"})[0] for i in range(10)]
    check(set(codes) <= {401, 429} and 429 in codes, "guessing passwords:", codes)


CASES = [truncated_bodies, deep_nesting, huge_bodies, bombs, invalid_utf8, exploding_regexes, long_labels, distinct_labels, slow_senders, many_connections, garbage,
         huge_headers, smuggling, traversal, syslog_shapes, udp_flood, queries_over_limits, doors]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--slice", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_intermixed_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = tempfile.mkdtemp(prefix="hostile-")
    bound = SLICE_MEMORY_MIB_MAX if options.slice else MEMORY_MIB_MAX
    program = Victim(options.program, folder, bound)
    bad = 0
    for case in CASES:
        if options.cases and case.__name__ not in options.cases:
            continue
        began, why = time.monotonic(), ""
        try:
            program.forget_peak()
            case(program, 1 if options.slice else 4, random.Random(f"{options.seed} {case.__name__}"))
            check(program.process.poll() is None, "the program has ended with", program.process.poll())
            program.works()
            check(program.peak_mib() <= bound, "memory reached", int(program.peak_mib()), "MiB,", bound, "at most")
        except (Failed, OSError, http.client.HTTPException, ValueError, KeyError, StopIteration, subprocess.TimeoutExpired) as fault:
            bad, why = bad + 1, f"   {type(fault).__name__}: {fault}"
        ended = program.process.poll() is not None
        print(f"{'FAILED' if why else 'ok':7}{case.__name__:22}{0 if ended else program.peak_mib():7.0f} MiB peak {time.monotonic() - began:7.1f} s{why}", flush=True)
        if ended:
            print(program.log_text()[-3000:])
            sys.exit(1)
    try:
        program.stop()
    except Failed as fault:
        bad += 1
        print(fault)
    print(f"{len(options.cases) or len(CASES)} cases, {bad} failed; memory bound {bound} MiB")
    if bad or options.keep:
        print("kept: " + folder)
    else:
        shutil.rmtree(folder)
    sys.exit(1 if bad else 0)


main()
