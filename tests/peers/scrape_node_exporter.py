#!/usr/bin/env python3
"""scrape_node_exporter - scrapes the real node_exporter, compares the host source's names with its, and takes it away.

usage: scrape_node_exporter.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked prometheus-node-exporter
"""
import json
import os
import subprocess
import tempfile

from daemon import Daemon, arguments, expect, fetch, free_port

OURS = ("evenkeel_", "node_scrape_collector_success", "node_processes_pids")  # not in node_exporter's default set


def main():
    program, peers = arguments()
    fetch(peers, "prometheus-node-exporter")
    port = free_port()
    exporter = subprocess.Popen([os.path.join(peers, "prometheus-node-exporter/usr/bin/prometheus-node-exporter"),
                                 f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="evenkeel-sd-") as folder:
        targets = os.path.join(folder, "targets.json")
        with open(targets, "w") as file:
            json.dump([{"targets": [f"127.0.0.1:{port}"], "labels": {"rack": "r1"}}], file)
        jobs = [{"job": "node", "files": [folder + "/*.json"], "every": "1s", "timeout": "1s"}]
        try:
            with Daemon(program, {"scrape": {"jobs": jobs}, "host": {"every": 1}}) as daemon:
                daemon.wait_for(lambda: daemon.value('up{job="node",rack="r1"}') == 1, "the target to be up")
                daemon.wait_for(lambda: daemon.value('count({job="host"})'), "the host's own metrics")
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
            exporter.kill()
            exporter.wait()
    print("node_exporter: fine")


main()
