#!/usr/bin/env python3
"""alerts - Evenkeel beside Debian's prometheus-alertmanager in one run: alerts taken, memory an alert, from event to webhook; and a storm.

usage: alerts.py PROGRAM [PEERS] [--alerts 20000] [--events 100] [--storm 10000]

Both hear the same bytes at /api/v2/alerts, over the same number of connections, each request waiting for its answer, and tell the same receiver.
Speeds are taken with the program load, built beside PROGRAM: a sender of Python is the slowest of the three.
Turn about: new alerts once, since they are new once; known ones and singles several times. Memory is what is resident with all alerts firing above what was before the first, an alert.
"""
import argparse
import http.client
import http.server
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/peers"))
import daemon as peer_daemon
from daemon import Daemon, free_port

KNOWN_TURNS, SINGLE_TURNS = 7, 5  # each lasts some tenths of a second
PAGED = 7  # teams that are paged in the storm
heard, heard_lock = {}, threading.Lock()  # (whose, name of the alert) -> when it first came in a message


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        now = time.monotonic()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        with heard_lock:
            for one in body["alerts"]:
                heard.setdefault((self.path, one["labels"]["alertname"]), now)

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # a sender that is stopped


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def alert(name, host, service, severity="warning"):
    return {"labels": {"alertname": name, "host": host, "service": service, "severity": severity},
            "annotations": {"summary": f"{name} on {host}", "description": f"{name} has been true on {host} for five minutes"},
            "generatorURL": "http://prometheus.example.org/graph?g0.expr=up"}


def post(connection, body, headers):
    connection.request("POST", "/api/v2/alerts", body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}")


def speed(load, port, headers, bodies, connections=8):
    """Requests a second, all bodies over so many connections; sent by a program that costs little, on both sides the same."""
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    with tempfile.NamedTemporaryFile("w", prefix="evenkeel-bodies-") as file:
        file.write("\n".join(bodies))
        file.flush()
        said = subprocess.run([load, "posts", str(port), "/api/v2/alerts", file.name, str(connections), *([token] if token else [])], stdout=subprocess.PIPE, text=True, check=True).stdout
    return len(bodies) / float(said.split()[0])


def quantile(times, part):
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]


class Alertmanager:
    """group_wait_s: 0 for the way of one event; long where speed is measured, so that it sends no message meanwhile."""

    def __init__(self, peers, folder, receiver, group_wait_s):
        folder = os.path.join(folder, str(group_wait_s))
        os.mkdir(folder)
        self.port, self.headers = free_port(), {"Content-Type": "application/json"}
        config = os.path.join(folder, "alertmanager.yml")
        with open(config, "w") as file:
            json.dump({"route": {"receiver": "hook", "group_by": ["alertname", "host"], "group_wait": f"{group_wait_s}s", "group_interval": f"{group_wait_s or 1}s", "repeat_interval": "4h"},
                       "receivers": [{"name": "hook", "webhook_configs": [{"url": receiver + "/alertmanager", "send_resolved": False}]}]}, file)
        # Debian's Alertmanager reads its templates from /usr/share: given to it alone, in a mount namespace of its own, which needs root
        share = peers + "/prometheus-alertmanager/usr/share/prometheus"
        inside = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /usr/share && cp -r {share} /usr/share/ && exec \"$@\"", "sh"]
        self.process = subprocess.Popen([*inside, peers + "/prometheus-alertmanager/usr/bin/prometheus-alertmanager", "--config.file=" + config, "--storage.path=" + folder + "/am",
                                         f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/-/ready")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("Alertmanager does not start")


def events(rivals, count):
    """One alert after the other, each of a kind and thing of its own, to each in turn; seconds to the first message that has it."""
    found = {name: [] for name, *_ in rivals}
    links = {name: http.client.HTTPConnection("127.0.0.1", port, timeout=60) for name, port, *_ in rivals}
    for i in range(count):
        for name, _, headers, _ in rivals:
            key = (f"/{name}", f"Event{i}x{random.randrange(1 << 30)}")
            began = time.monotonic()
            post(links[name], json.dumps([alert(key[1], f"lone{i}", f"alone{i}", "critical")]), headers)
            while key not in heard and time.monotonic() - began < 20:
                time.sleep(0.0005)
            found[name].append(heard.get(key, began + 20) - began)
    return found


def storm(port, headers, name, count, seconds=60, pages=PAGED):
    """So many alerts in a minute, and amid them one critical alert for each of a few other teams: how late each page is, beyond the group wait."""
    began, sent, link = time.monotonic(), {}, http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    every = count // pages
    for i in range(count):
        wait = began + i * seconds / count - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if i % every == every // 2:
            key = f"Page{i}x{random.randrange(1 << 30)}"
            sent[key] = time.monotonic()
            paged = alert(key, f"pager{i}", f"paged{i}", "critical")
            paged["labels"]["paged"] = f"team{i // every}"
            post(link, json.dumps([paged]), headers)
        post(link, json.dumps([alert(f"Storm{i % 7}", f"node{i % 1500}", f"service{i % 200}")]), headers)
    took = time.monotonic() - began
    until = time.monotonic() + 30
    while time.monotonic() < until and any((f"/{name}", key) not in heard for key in sent):
        time.sleep(0.05)
    late = [heard.get((f"/{name}", key), time.monotonic()) - since for key, since in sent.items()]
    return took, late


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("peers", nargs="?", default="build/peers")
    parser.add_argument("--alerts", type=int, default=20000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--storm", type=int, default=10000)
    options = parser.parse_args()
    peers, load = os.path.abspath(options.peers), os.path.join(os.path.dirname(os.path.abspath(options.program)), "load")
    peer_daemon.fetch(peers, "prometheus-alertmanager")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory(prefix="evenkeel-alerts-") as folder:
        content = os.path.join(folder, "teams.yaml")
        with open(content, "w") as file:
            json.dump({"receivers": [{"name": "hook", "webhook": {"url": receiver + "/evenkeel"}}], "teams": [{"name": name, "receivers": ["hook"]} for name in ("ops", *(f"team{i}" for i in range(PAGED)))],
                       "routes": [*({"match": [f"paged=team{i}"], "team": f"team{i}", "group_wait": "0s"} for i in range(PAGED)), {"team": "ops", "group_wait": "0s", "group_interval": "1s"}]}, file)
        prompt, manager = Alertmanager(peers, folder, receiver, 0), Alertmanager(peers, folder, receiver, 3600)
        try:
            with Daemon(options.program, more={"content": [content]}) as daemon:
                ours = {**daemon.token(), "Content-Type": "application/json"}
                links = [("evenkeel", daemon.port, ours, 0), ("alertmanager", prompt.port, prompt.headers, 0)]
                rivals = [("evenkeel", daemon.port, ours, daemon.process.pid), ("alertmanager", manager.port, manager.headers, manager.process.pid)]
                print(f"load {os.getloadavg()[0]:.1f}", flush=True)
                found = events(links, options.events)
                for name, times in found.items():
                    print(f"event to webhook, {name}: p50 {quantile(times, .5) * 1000:.1f} ms, p99 {quantile(times, .99) * 1000:.1f} ms, never {sum(t >= 20 for t in times)}", flush=True)
                alerts = [alert(f"Kind{i % 40}", f"host{i // 40}", f"service{i // 400}") for i in range(options.alerts)]
                batches = [json.dumps(alerts[i:i + 100]) for i in range(0, len(alerts), 100)]
                singles = [json.dumps([one]) for one in alerts[:4000]]
                batched = {}
                before = {name: resident(pid) for name, _, _, pid in rivals}
                for turn in ("new", *["known"] * KNOWN_TURNS):
                    for name, port, headers, _ in rivals:
                        batched.setdefault((turn, name), []).append(speed(load, port, headers, batches) * 100)
                for (turn, name), speeds in batched.items():
                    print(f"batches of 100, {turn}, {name}: {quantile(speeds, .5):.0f} alerts/s [{min(speeds):.0f}, {max(speeds):.0f}]", flush=True)
                for name, port, headers, pid in rivals:
                    time.sleep(2)
                    print(f"memory, {name}: {(resident(pid) - before[name]) / len(alerts):.0f} bytes an alert", flush=True)
                one_by_one = {name: [] for name, *_ in rivals}
                for _ in range(SINGLE_TURNS):
                    for name, port, headers, _ in rivals:
                        one_by_one[name].append(speed(load, port, headers, singles))
                for name, speeds in one_by_one.items():
                    print(f"singles, {name}: {quantile(speeds, .5):.0f} alerts/s [{min(speeds):.0f}, {max(speeds):.0f}]", flush=True)
                if options.storm:
                    took, late = storm(daemon.port, ours, "evenkeel", options.storm)
                    print(f"storm of {options.storm} in {took:.0f} s, evenkeel: {len(late)} pages, p50 {quantile(late, .5) * 1000:.0f} ms, latest {max(late) * 1000:.0f} ms", flush=True)
                print(f"load {os.getloadavg()[0]:.1f}")
        finally:
            for one in (prompt, manager):
                one.process.terminate()
                one.process.wait(20)


if __name__ == "__main__":
    main()
