#!/usr/bin/env python3
"""crash - kills the program with kill -9 at random moments under load and checks what is read back.

usage: crash.py PROGRAM [--rounds N] [--seed S] [--keep]

Clients send log records (OTLP/HTTP JSON) and samples (remote write), each with a number of its own, and note which
batches were acknowledged. After each kill the program is started again; then every acknowledged record and sample must
be there, and no record twice. A batch that was not acknowledged is sent again, as real senders do. Prints the counts; exit status 1 on any loss, repeat, or a start that takes over 30 s.
"""
import argparse
import http.client
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

READY_S_MAX = 30
CLIENTS = 3
BATCH = 50


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.process, self.port = None, 0

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen([self.path, "run", "--data", self.folder, "--http", "127.0.0.1:0", "--no-sources"],
                                        stdout=subprocess.PIPE, stderr=open(self.folder + ".log", "a"), text=True)
        for line in self.process.stdout:
            if "Console:" in line:
                self.port = urllib.parse.urlparse(line.split("Console:")[1].strip()).port
                break
        else:
            sys.exit(f"the program did not start; its log is {self.folder}.log")
        while True:
            try:
                if self.request("GET", "/-/ready")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            if time.monotonic() - began > READY_S_MAX:
                sys.exit(f"not ready within {READY_S_MAX} s")
            time.sleep(0.005)

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def read(self, path):
        token = open(os.path.join(self.folder, "cli.token")).read().strip()
        status, body = self.request("GET", path, headers={"Authorization": "Bearer " + token})
        if status != 200:
            sys.exit(f"GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(data):
    """The whole as literals: valid, if not small."""
    out = varint(len(data))
    for at in range(0, len(data), 60):
        piece = data[at:at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def remote_write(client, numbers, base_ms):
    labels = b"".join(field(1, field(1, n) + field(2, v)) for n, v in
                      ((b"__name__", b"crash_sample"), (b"client", str(client).encode())))
    samples = b"".join(field(2, b"\x09" + struct.pack("<d", float(n)) + b"\x10" + varint(base_ms + n)) for n in numbers)
    return snappy(field(1, labels + samples))


def otlp(client, numbers, base_ns):
    records = [{"timeUnixNano": str(base_ns + n * 1000), "body": {"stringValue": f"crash client={client} n={n} " + "x" * 40}} for n in numbers]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": f"crash{client}"}}]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}).encode()


class Client(threading.Thread):
    """Sends batches one after the other; one that was not acknowledged is sent again."""

    def __init__(self, number, program, base_s):
        super().__init__(daemon=True)
        self.number, self.program, self.base_s = number, program, base_s
        self.acknowledged, self.repeats, self.next = 0, 0, 0
        self.running, self.paused = True, threading.Event()

    def run(self):
        while self.running:
            numbers = range(self.next, self.next + BATCH)
            logs = otlp(self.number, numbers, self.base_s * 10**9)
            metrics = remote_write(self.number, numbers, self.base_s * 1000)
            self.send("/v1/logs", logs, {"Content-Type": "application/json"}, (200,))
            self.send("/api/v1/write", metrics, {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}, (204, 200))
            if self.running:
                self.next += BATCH
                self.acknowledged += BATCH

    def send(self, path, body, headers, good):
        first = True
        while self.running:
            try:
                status, answer = self.program.request("POST", path, body, headers, timeout=10)
                if status in good:
                    return
                if status not in (429, 503):
                    sys.exit(f"POST {path}: {status} {answer[:300]!r}")
            except (OSError, http.client.HTTPException):
                pass
            self.repeats += first
            first = False
            time.sleep(0.01)


def read_back(program, client):
    """All numbers of a client's records, in order of time, and how many samples there are."""
    found, start = [], client.base_s * 10**9
    end = start + (client.next + 10 * BATCH) * 1000
    while start < end:
        query = urllib.parse.urlencode({"query": '{service="crash%d"}' % client.number, "start": start, "end": min(start + 1000 * 1000, end),
                                        "limit": 4000, "direction": "forward"})
        rows = program.read("/api/v1/logs?" + query)["rows"]
        found += [int(row["line"].split("n=")[1].split()[0]) for row in rows]
        start += 1000 * 1000
    last_ms = client.base_s * 1000 + client.next + 10 * BATCH
    expression = 'count_over_time(crash_sample{client="%d"}[%dms])' % (client.number, client.next + 20 * BATCH)
    result = program.read("/api/v1/query?" + urllib.parse.urlencode({"query": expression, "time": last_ms / 1000}))["data"]["result"]
    return found, int(result[0]["value"][1]) if result else 0


def check(program, clients):
    lost = twice = records = samples_lost = samples = 0
    for client in clients:
        found, sample_count = read_back(program, client)
        records += len(found)
        samples += sample_count
        twice += len(found) - len(set(found))
        lost += len(set(range(client.acknowledged)) - set(found))
        samples_lost += max(0, client.acknowledged - sample_count)
    return records, lost, twice, samples, samples_lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="crash-")
    program = Program(options.program, os.path.join(folder, "data"))
    os.mkdir(program.folder, 0o700)
    slowest = program.start()
    clients = [Client(number, program, int(time.time()) - 3600) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for round_number in range(options.rounds):
        time.sleep(chance.uniform(0.05, 1.5))
        program.kill()
        slowest = max(slowest, program.start())
    time.sleep(0.3)
    for client in clients:
        client.running = False
    for client in clients:
        client.join(timeout=15)
    program.kill()
    slowest = max(slowest, program.start())
    acknowledged = sum(client.acknowledged for client in clients)
    records, lost, twice, samples, samples_lost = check(program, clients)
    program.kill()
    print(f"{options.rounds + 1} kills, {acknowledged} records acknowledged, {records} read back, {lost} lost, {twice} twice; "
          f"{samples} samples read back, {samples_lost} lost; {sum(c.repeats for c in clients)} batches sent again; "
          f"slowest start {slowest:.2f} s")
    bad = lost or twice or samples_lost or acknowledged == 0
    if bad or options.keep:
        print("kept: " + folder)
    else:
        shutil.rmtree(folder)
    sys.exit(1 if bad else 0)


main()
