#!/usr/bin/env python3
"""scrape_node_exporter - scrapes the real node_exporter, compares the host source's names with its, and takes it away; and
scrapes OpenMetrics from Prometheus' own client library for Python.

usage: scrape_node_exporter.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked prometheus-node-exporter,
                                                  python3-prometheus-client and what that imports
"""
import json
import os
import subprocess
import sys
import tempfile

from daemon import Daemon, arguments, expect, fetch, free_port

OURS = ("evenkeel_", "node_scrape_collector_success", "node_processes_pids")  # not in node_exporter's default set


LIBRARY = """
import sys, time
import prometheus_client.exposition as exposition
from prometheus_client import Counter, Enum, Gauge, Histogram, Info, start_http_server
orders = Counter("orders", "Orders.", ["code"], unit="items")
orders.labels("200").inc(41)
orders.labels('5"00\\\\').inc(1.5)
Gauge("temperature", "It is\\ncold.").set(-3.25)
latency = Histogram("latency_seconds", "Latency.", buckets=[0.1, 1])
for value in (0.05, 0.5, 0.5, 7):
    latency.observe(value, {"trace_id": "abc"})
Info("build", "Build.").info({"version": "1.2"})
Enum("state", "State.", states=["on", "off"]).state("off")
choose = exposition.choose_encoder

def told(accepted):
    chosen = choose(accepted)
    print(chosen[1], flush=True)
    return chosen

exposition.choose_encoder = told
start_http_server(int(sys.argv[1]), "127.0.0.1")
time.sleep(3600)
"""

LIBRARY_VALUES = {
    'orders_items_total{code="200"}': 41, 'orders_items_total{code="5\\"00\\\\"}': 1.5, "temperature": -3.25, "latency_seconds_count": 4,
    'latency_seconds_bucket{le="0.1"}': 1, 'latency_seconds_bucket{le="1.0"}': 3, 'latency_seconds_bucket{le="+Inf"}': 4, "latency_seconds_sum": 8.05,
    'build_info{version="1.2"}': 1, 'state{state="off"}': 1, 'state{state="on"}': 0,
}


def check_open_metrics(daemon, said):
    daemon.wait_for(lambda: daemon.value('up{job="library"}') == 1, "the client library's target to be up")
    for expression, value in LIBRARY_VALUES.items():
        found = daemon.value(expression)
        expect(found is not None and abs(found - value) < 1e-9, f"{expression} is {found}, exposed was {value}")
    with open(said) as file:
        kinds = file.read()
    expect("application/openmetrics-text" in kinds and "text/plain" not in kinds, f"the library was asked for {kinds!r}")
    meta = daemon.ask("/api/v1/metadata", metric="temperature")["data"]
    expect("temperature" not in meta or meta["temperature"][0]["type"] == "gauge", f"metadata are {meta}")
    print(f"OpenMetrics from Prometheus' client library: {len(LIBRARY_VALUES)} values as exposed")


def main():
    program, peers = arguments()
    modules = ("python3-prometheus-client", "python3-decorator")
    fetch(peers, "prometheus-node-exporter", *modules)
    port, library_port = free_port(), free_port()
    said = tempfile.mktemp(prefix="evenkeel-library-")
    library = subprocess.Popen([sys.executable, "-c", LIBRARY, str(library_port)], stdout=open(said, "w"),
                               env={**os.environ, "PYTHONPATH": ":".join(f"{peers}/{name}/usr/lib/python3/dist-packages" for name in modules)})
    exporter = subprocess.Popen([os.path.join(peers, "prometheus-node-exporter/usr/bin/prometheus-node-exporter"),
                                 f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="evenkeel-sd-") as folder:
        targets = os.path.join(folder, "targets.json")
        with open(targets, "w") as file:
            json.dump([{"targets": [f"127.0.0.1:{port}"], "labels": {"rack": "r1"}}], file)
        jobs = [{"job": "node", "files": [folder + "/*.json"], "every": "1s", "timeout": "1s"},
                {"job": "library", "targets": [f"127.0.0.1:{library_port}"], "every": "1s", "timeout": "1s"}]
        try:
            with Daemon(program, {"scrape": {"jobs": jobs}, "host": {"every": 1}}) as daemon:
                daemon.wait_for(lambda: daemon.value('up{job="node",rack="r1"}') == 1, "the target to be up")
                daemon.wait_for(lambda: daemon.value('count({job="host"})'), "the host's own metrics")
                check_open_metrics(daemon, said)
                theirs, ours = daemon.names('{job="node"}'), daemon.names('{job="host"}')
                expect(len(theirs) > 100, f"node_exporter has only {len(theirs)} names here")
                unknown = {name for name in ours - theirs if not name.startswith(OURS)}
                print(f"host source: {len(ours)} names, {len(ours & theirs)} as node_exporter's, others: {sorted(ours - theirs)}")
                expect(len(unknown) <= 5, f"names node_exporter does not know: {sorted(unknown)}")
                memory = [daemon.value('node_memory_MemTotal_bytes{job="%s"}' % job) for job in ("node", "host")]
                expect(memory[0] == memory[1], f"total memory differs: {memory}")
                exporter.terminate()
                exporter.wait(10)
                daemon.wait_for(lambda: daemon.value('up{job="node"}') == 0, "the target to be down")
                daemon.wait_for(lambda: daemon.value('node_memory_MemTotal_bytes{job="node"}') is None, "its series to end")
                with open(targets, "w") as file:
                    file.write("[]")
                daemon.wait_for(lambda: daemon.value('up{job="node"}') is None, "the removed target's up to end")
        finally:
            for process in (exporter, library):
                process.kill()
                process.wait()
            os.remove(said)
    print("node_exporter: fine")


main()
