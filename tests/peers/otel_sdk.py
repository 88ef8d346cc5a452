#!/usr/bin/env python3
"""otel_sdk - the OpenTelemetry SDK sends logs and metrics by protobuf and JSON, gzipped, to a program that is often busy.

usage: otel_sdk.py PROGRAM [PEERS]    the SDK is installed by npm into PEERS/otel, as tests/peers/otel/package-lock.json says
"""
import fcntl
import filecmp
import json
import os
import shutil
import subprocess

from daemon import Daemon, arguments, expect, expect_all_once, numbers_of, skip

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "otel")
SENDERS, RECORDS = 3, 3000


def install(peers):
    """Once; again when the lock file changes."""
    folder = os.path.join(peers, "otel")
    os.makedirs(folder, exist_ok=True)
    if not shutil.which("npm"):
        skip("there is no npm to install the OpenTelemetry SDK with")
    with open(os.path.join(peers, ".lock-otel"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = os.path.join(folder, "installed.json")
        wanted = os.path.join(HERE, "package-lock.json")
        if not os.path.exists(done) or not filecmp.cmp(done, wanted, shallow=False):
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(os.path.join(HERE, name), folder)
            npm = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
            if npm.returncode != 0:
                skip("npm cannot install the OpenTelemetry SDK: " + npm.stdout[-300:])
            shutil.copy(wanted, done)
    return folder


def send(folder, daemon, encoding, senders, records):
    shutil.copy(os.path.join(HERE, "send.js"), folder)
    done = subprocess.run(["node", "send.js", f"http://127.0.0.1:{daemon.port}", encoding, str(senders), str(records)], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
    expect(done.returncode == 0, "the SDK failed: " + done.stderr[-1000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def check_logs(daemon, encoding):
    for sender in range(SENDERS):
        query = '{service="%s-%d", source="otlp", host="sdk-host"}' % (encoding, sender)
        expect_all_once(numbers_of(daemon.lines(query), " n="), RECORDS, f"logs by {encoding}, sender {sender}")
    row = daemon.ask("/api/v1/logs", query='{service="%s-0"} |= "n=17 "' % encoding)["rows"][0]
    expect(row["line"] == 'record n=17 grüßt "quoted" \t tab', f"the body came as {row['line']!r}")
    expect(row["severity"] == "warn", f"severity {row['severity']}")
    kept = row["attributes"]
    wanted = {"order": "17", "paid": "false", "where": "shop", "price": "4.25", "deployment.environment": "test"}
    expect(all(str(kept.get(name)).lower() == value for name, value in wanted.items()), f"attributes came as {kept}")


def check_metrics(daemon, encoding):
    for sender in range(SENDERS):
        of = '{job="%s-%d"' % (encoding, sender)
        for expression, value in {
                f'shop_orders_total{of},code="200"}}': 75, f'shop_orders_total{of},code="500"}}': 25,
                f"shop_sent_bytes_total{of}}}": 7575.0, f'shop_temperature{of},room="cold \\"one\\""}}': 21.375,
                f"shop_stock{of}}}": 67 * 2 - 33, f"shop_latency_seconds_count{of}}}": 100,
                f'shop_latency_seconds_bucket{of},le="0.5"}}': 25, f'shop_latency_seconds_bucket{of},le="+Inf"}}': 100}.items():
            expect(daemon.value(expression) == value, f"{expression} is {daemon.value(expression)}, sent was {value}")
        total = daemon.value(f"shop_latency_seconds_sum{of}}}")
        expect(abs(total - 101) < 1e-9, f"the histogram's sum is {total}")


def main():
    program, peers = arguments()
    folder = install(peers)
    with Daemon(program, more={"limits": {"intake": "10MiB"}}) as daemon:  # a fifth for who can send again: two at once are one too many, 429, and they come again
        for encoding in ("proto", "json"):
            heard = send(folder, daemon, encoding, SENDERS, RECORDS)
            expect(not heard["errors"], f"the SDK met errors: {heard['errors'][:3]}")
            expect(heard["logs"] == SENDERS * RECORDS / 500 and heard["metrics"] >= SENDERS, f"exports: {heard}")
            expect(any("artial" in text and "delta" in text for text in heard["partial"]), f"no partial success was told: {heard['partial']}")
            expect(daemon.value('delta_kept{job="%s-delta"}' % encoding) == 7, "what came beside the refused point is not there")
            expect(daemon.value('delta_orders_total{job="%s-delta"}' % encoding) is None, "a delta sum was kept")
            check_logs(daemon, encoding)
            check_metrics(daemon, encoding)
        busy = [line for line in daemon.request("/metrics")[1].decode().splitlines() if line.startswith("evenkeel_") and "busy" in line]
        expect(sum(float(line.split()[-1]) for line in busy) > 0, f"the program was never busy, so nothing was tried again: {busy}")
        print("told to come again: " + ", ".join(busy))
    print("OpenTelemetry SDK: fine")


main()
