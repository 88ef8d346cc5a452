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
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from program import Program
from protobuf import series, snappy

READY_S_MAX = 30
CLIENTS = 3
BATCH = 50


def remote_write(client, numbers, base_ms):
    labels = {b"__name__": b"crash_sample", b"client": str(client).encode()}
    return snappy(series(labels, *((float(n), base_ms + n) for n in numbers)))


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
                status, answer = self.program.exchange("POST", path, body, headers, timeout=10)
                if status in good:
                    return
                if status not in (429, 503):
                    sys.exit(f"POST {path}: {status} {answer[:300]!r}")
            except (OSError, http.client.HTTPException):
                pass
            self.repeats += first
            first = False
            time.sleep(0.01)


def read(program, path):
    status, body = program.exchange("GET", path, headers=program.token())
    if status != 200:
        sys.exit(f"GET {path}: {status} {body[:300]!r}")
    return json.loads(body)


def read_back(program, client):
    """All numbers of a client's records, in order of time, and how many samples there are."""
    found, start = [], client.base_s * 10**9
    end = start + (client.next + 10 * BATCH) * 1000
    while start < end:
        query = urllib.parse.urlencode({"query": '{service="crash%d"}' % client.number, "start": start, "end": min(start + 1000 * 1000, end),
                                        "limit": 4000, "direction": "forward"})
        rows = read(program, "/api/v1/logs?" + query)["rows"]
        found += [int(row["line"].split("n=")[1].split()[0]) for row in rows]
        start += 1000 * 1000
    last_ms = client.base_s * 1000 + client.next + 10 * BATCH
    expression = 'count_over_time(crash_sample{client="%d"}[%dms])' % (client.number, client.next + 20 * BATCH)
    result = read(program, "/api/v1/query?" + urllib.parse.urlencode({"query": expression, "time": last_ms / 1000}))["data"]["result"]
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


def start(program):
    return program.start("--http", "127.0.0.1:0", "--no-sources", ready_s_max=READY_S_MAX)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="crash-")
    program = Program(options.program, os.path.join(folder, "data"), os.path.join(folder, "log"))
    os.mkdir(program.data, 0o700)
    slowest = start(program)
    clients = [Client(number, program, int(time.time()) - 3600) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for round_number in range(options.rounds):
        time.sleep(chance.uniform(0.05, 1.5))
        program.end(signal.SIGKILL)
        slowest = max(slowest, start(program))
    time.sleep(0.3)
    for client in clients:
        client.running = False
    for client in clients:
        client.join(timeout=15)
    program.end(signal.SIGKILL)
    slowest = max(slowest, start(program))
    acknowledged = sum(client.acknowledged for client in clients)
    records, lost, twice, samples, samples_lost = check(program, clients)
    program.end(signal.SIGKILL)
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
