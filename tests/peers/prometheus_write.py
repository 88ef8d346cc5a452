#!/usr/bin/env python3
"""prometheus_write - a real Prometheus 2.42 scrapes itself and node_exporter and writes all to the program, which is often
busy, stopped once and killed once meanwhile: the same samples are here and there, none failed, none dropped.

usage: prometheus_write.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked prometheus and prometheus-node-exporter
"""
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from daemon import Daemon, arguments, expect, fetch, free_port

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}
  - {{job_name: prometheus, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
remote_write:
  - url: http://127.0.0.1:{ours}/api/v1/write
    queue_config: {{min_shards: 4, max_shards: 4, max_samples_per_send: 200, min_backoff: 30ms, max_backoff: 500ms}}
"""


def ask(port, path, **parameters):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        return json.loads(answer.read())


def remote(port, name):
    result = ask(port, "/api/v1/query", query=f"sum(prometheus_remote_storage_{name})")["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def samples(result):
    """{labels: {time: value as text}}"""
    return {tuple(sorted(series["metric"].items())): dict(map(tuple, series["values"])) for series in result}


def same_text(a, b):
    return a == b or float(a) == float(b) or (a == "NaN" and b == "NaN")


def compare(daemon, port, at, seconds):
    there = here = unequal = missing = more = 0
    for job in ("node", "prometheus"):
        query = '{job="%s"}[%ds]' % (job, seconds)
        theirs = samples(ask(port, "/api/v1/query", query=query, time=at)["data"]["result"])
        ours = samples(daemon.ask("/api/v1/query", query=query, time=at)["data"]["result"])
        for labels, values in theirs.items():
            mine = ours.pop(labels, {})
            there += len(values)
            here += len(mine)
            missing += len(values.keys() - mine.keys())
            more += len(mine.keys() - values.keys())
            unequal += sum(not same_text(values[t], mine[t]) for t in values.keys() & mine.keys())
        more += sum(map(len, ours.values()))
    print(f"{there} samples there, {here} here: {missing} missing, {more} too many, {unequal} unequal")
    expect(there > 10000, f"Prometheus itself has only {there} samples")
    expect(not missing and not more and not unequal, "the samples differ")


def check_statuses(daemon):
    """What its queue manager takes for final (4xx) and for worth another try (5xx)."""
    def post(body, **headers):
        """Prometheus goes on sending beside these, and a full intake says 503 to whoever comes: asked again, as a sender would."""
        status = 503
        for _ in range(50):
            status = daemon.request("/api/v1/write", {name.replace("_", "-"): value for name, value in headers.items()}, "POST", body)[0]
            if status != 503:
                break
            time.sleep(0.1)
        return status

    def answers(status, body, what, **headers):
        found = post(body, **headers)
        expect(found in status, f"{what}: answered {found}, wanted {' or '.join(map(str, status))}")

    good = {"Content_Type": "application/x-protobuf", "Content_Encoding": "snappy"}
    answers((200, 204), b"\x00", "an empty request", **good)
    answers((400,), b"no snappy at all", "bytes that are no snappy", **good)
    answers((415,), b"\x00", "JSON", Content_Type="application/json", Content_Encoding="snappy")
    answers((415,), b"\x00", "gzip", Content_Type="application/x-protobuf", Content_Encoding="gzip")
    answers((415,), b"\x00", "version 2", Content_Type="application/x-protobuf;proto=io.prometheus.write.v2.Request", Content_Encoding="snappy")
    print("statuses: 204, 400, 415 as it expects them")


def main():
    program, peers = arguments()
    fetch(peers, "prometheus", "prometheus-node-exporter")
    exporter_port, port = free_port(), free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory(prefix="evenkeel-prometheus-") as folder, \
            Daemon(program, more={"limits": {"intake": "1KiB"}}) as daemon:  # of two requests at once, one is refused
        with open(folder + "/prometheus.yml", "w") as file:
            file.write(CONFIG.format(exporter=exporter_port, port=port, ours=daemon.port))
        exporter = subprocess.Popen([peers + "/prometheus-node-exporter/usr/bin/prometheus-node-exporter",
                                     f"--web.listen-address=127.0.0.1:{exporter_port}"], **quiet)
        prometheus = subprocess.Popen([peers + "/prometheus/usr/bin/prometheus", "--config.file=" + folder + "/prometheus.yml",
                                       "--storage.tsdb.path=" + folder + "/data", f"--web.listen-address=127.0.0.1:{port}"], **quiet)
        try:
            began = time.time()
            daemon.wait_for(lambda: daemon.value('count({job="node"})'), "the first samples")
            time.sleep(5)
            daemon.stop(kill=True)
            time.sleep(3)
            daemon.start()
            time.sleep(5)
            daemon.stop()
            time.sleep(3)
            daemon.start()
            time.sleep(6)
            at = time.time()
            daemon.wait_for(lambda: (daemon.value('timestamp(up{job="node"})') or 0) > at + 1, "the queue to be empty")
            time.sleep(2)
            compare(daemon, port, at, int(at - began) + 10)
            failed, dropped, retried = (remote(port, f"samples_{what}_total") for what in ("failed", "dropped", "retried"))
            sent = remote(port, "samples_total")
            print(f"Prometheus: {sent:.0f} samples sent, {retried:.0f} sent again, {failed:.0f} failed, {dropped:.0f} dropped")
            busy = [float(line.split()[-1]) for line in daemon.request("/metrics")[1].decode().splitlines() if line.startswith("evenkeel_intake_busy_total")]
            expect(failed == 0 and dropped == 0, "Prometheus gave samples up")
            expect(retried > 0 and sum(busy) > 0, f"nothing was sent again ({retried}), or the program was never busy ({busy})")
            check_statuses(daemon)
        finally:
            for process in (prometheus, exporter):
                process.terminate()
                process.wait(60)
    print("Prometheus remote write: fine")


main()
