#!/usr/bin/env python3
"""alertmanager_clients - a real Prometheus 2.42 with a firing rule takes the program for its Alertmanager, unchanged; the page arrives at
a webhook in Alertmanager's body; amtool lists alerts and makes silences.

usage: alertmanager_clients.py PROGRAM [PEERS]
"""
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time

from daemon import Daemon, arguments, expect, fetch, free_port

RULES = """
groups:
  - name: test
    rules: [ { alert: ShopDown, expr: vector(1) and (vector(time()) < UNTIL), for: 8s, labels: { severity: critical, service: web }, annotations: { summary: the shop is down } } ]
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Receiver.got.append((self.headers["Idempotency-Key"], self.headers["Authorization"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    program, peers = arguments()
    fetch(peers, "prometheus", "prometheus-alertmanager")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="evenkeel-alertmanager-") as folder:
        with open(folder + "/teams.yaml", "w") as file:
            json.dump({"receivers": [{"name": "hook", "webhook": {"url": f"http://127.0.0.1:{server.server_port}/", "bearer": "secret:hook"}}],
                       "teams": [{"name": "web", "receivers": ["hook"]}], "routes": [{"match": ["service=web"], "group_wait": "1s"}]}, file)
        with open(folder + "/rules.yml", "w") as file:
            file.write(RULES.replace("UNTIL", str(int(time.time()) + 50)))
        with Daemon(program, more={"content": [folder + "/teams.yaml"], "secrets": {"hook": "opensesame"}}) as daemon:
            with open(folder + "/prometheus.yml", "w") as file:
                json.dump({"global": {"evaluation_interval": "1s"}, "rule_files": [folder + "/rules.yml"],
                           "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{daemon.port}"]}]}]}}, file)
            prometheus = subprocess.Popen([peers + "/prometheus/usr/bin/prometheus", "--config.file=" + folder + "/prometheus.yml", "--storage.tsdb.path=" + folder +
                                           "/data", f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            token = daemon.token()["Authorization"].split()[1]

            def amtool(*words):
                done = subprocess.run([peers + "/prometheus-alertmanager/usr/bin/amtool", f"--alertmanager.url=http://amtool:{token}@127.0.0.1:{daemon.port}", *words],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, env={**os.environ, "HOME": folder})
                expect(done.returncode == 0, f"amtool {words}: {done.stderr} {done.stdout}")
                return done.stdout

            try:
                daemon.wait_for(lambda: Receiver.got, "the page of a rule that fires in Prometheus", 60)
                key, authorization, body = Receiver.got[0]
                expect(authorization == "Bearer opensesame", authorization)
                expect(key and body["version"] == "4" and body["status"] == "firing" and body["receiver"] == "hook", body)
                expect({"receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "version", "groupKey",
                        "truncatedAlerts"} <= body.keys(), body.keys())
                alert = body["alerts"][0]
                expect(alert["status"] == "firing" and alert["labels"]["alertname"] == "ShopDown" and alert["annotations"]["summary"] == "the shop is down", alert)
                expect(set(alert) == {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}, alert.keys())
                print("Prometheus: the page arrived, in Alertmanager's body")
                expect("ShopDown" in amtool("alert", "query"), "amtool lists no alert")
                expect("ShopDown" in amtool("alert", "query", 'service=~"w.b"'), "amtool finds no alert")
                expect("ShopDown" not in amtool("alert", "query", "service=db"), "amtool finds too much")
                silence = amtool("silence", "add", "service=web", "--duration=1h", "--comment=work", "--author=ann").strip()
                expect(silence in amtool("silence", "query"), "amtool does not find its silence")
                daemon.wait_for(lambda: "ShopDown" not in amtool("alert", "query"), "the alert to be silenced")
                expect("ShopDown" in amtool("alert", "query", "--silenced"), "amtool does not show what is silenced")
                amtool("silence", "expire", silence)
                expect(silence not in amtool("silence", "query"), "the silence goes on")
                print("amtool: alerts, silences")
                daemon.wait_for(lambda: any(got[2]["status"] == "resolved" for got in Receiver.got), "the resolution", 90)
                expect(len({got[0] for got in Receiver.got}) == len(Receiver.got), "a message came twice")
                status, out, err = daemon.cli("notifications", "1")
                expect(status == 0 and "resolved" in out and "hook" in out, out + err)
                status, out, err = daemon.cli("route-test", "service=web", "severity=critical")
                expect(status == 0 and "web" in out, out + err)
                for root, _, files in os.walk(daemon.data):
                    for name in files:
                        with open(os.path.join(root, name), "rb") as file:
                            expect(b"opensesame" not in file.read(), f"the secret stands in {name}")
                print("secrets: in no file of the data folder")
            finally:
                prometheus.terminate()
                prometheus.wait(60)
    print("Alertmanager's clients: fine")


main()
