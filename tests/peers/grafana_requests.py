#!/usr/bin/env python3
"""grafana_requests - the requests that Grafana's Prometheus and Loki data sources make, and the shapes they need back.

usage: grafana_requests.py PROGRAM    Grafana is not in Debian; the requests are those of versions 9 to 11.
"""
import http.client
import json
import re
import time
import urllib.parse

from daemon import Daemon, arguments, expect

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Grafana:
    """Asks as the data source proxy does: a token as the password of Basic or as a header, forms by POST."""

    def __init__(self, daemon):
        secret = re.search(r"evk_\S+", daemon.cli("token", "add", "grafana", "--scopes", "read")[1]).group()
        self.daemon, self.headers = daemon, {"Authorization": "Bearer " + secret, "User-Agent": "Grafana/10.4.2", "Accept-Encoding": "identity"}

    def ask(self, method, path, wanted=200, **parameters):
        text = urllib.parse.urlencode([(name.replace("match", "match[]"), value) for name, value in parameters.items()])
        target = path if method == "POST" or not text else path + "?" + text
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        connection.request(method, target, text if method == "POST" else None, {**self.headers, **(FORM if method == "POST" else {})})
        answer = connection.getresponse()
        body = answer.read()
        kind = answer.getheader("Content-Type") or ""
        connection.close()
        expect(answer.status == wanted, f"{method} {target}: {answer.status} {body[:300]!r}")
        expect(kind.startswith("application/json"), f"{method} {target}: content type {kind!r}")
        parsed = json.loads(body)
        expect(parsed.get("status") == ("success" if wanted == 200 else "error"), f"{method} {target}: {body[:200]!r}")
        return parsed if wanted != 200 else parsed["data"]


def check_prometheus(grafana):
    now = int(time.time())
    span = {"start": now - 3600, "end": now + 60}
    for method in ("POST", "GET"):
        data = grafana.ask(method, "/api/v1/query", query="1+1", time=f"{now}.123")  # "Save & test"
        expect(data["resultType"] == "scalar" and data["result"][1] == "2", f"1+1 is {data}")
        data = grafana.ask(method, "/api/v1/query_range", query='rate(node_cpu_seconds_total{mode!="idle"}[1m0s])', start=f"{now - 60}.000",
                           end=f"{now}.000", step="15")
        expect(data["resultType"] == "matrix", f"query_range gives {data['resultType']}")
        data = grafana.ask(method, "/api/v1/query_range", query="node_memory_MemTotal_bytes", start=now - 60, end=now, step="5")
        series = data["result"][0]
        expect(series["metric"]["__name__"] == "node_memory_MemTotal_bytes" and isinstance(series["values"][0][0], (int, float))
               and isinstance(series["values"][0][1], str), f"a series is {series}")
        names = grafana.ask(method, "/api/v1/labels", match='{job="host"}', **span)
        expect("__name__" in names and "job" in names and names == sorted(names), f"labels are {names}")
        found = grafana.ask(method, "/api/v1/series", match='node_load1{job="host"}', **span)
        expect(found and found[0]["__name__"] == "node_load1", f"series are {found}")
    values = grafana.ask("GET", "/api/v1/label/__name__/values", match='{job="host"}', **span)
    expect("node_load1" in values and values == sorted(values), "the metric browser's names")
    expect(grafana.ask("GET", "/api/v1/label/job/values", **span) == ["host"], "the values of job")
    meta = grafana.ask("GET", "/api/v1/metadata", limit=40000)
    expect(isinstance(meta, dict) and all(isinstance(rows, list) for rows in meta.values()), f"metadata is {str(meta)[:100]}")
    build = grafana.ask("GET", "/api/v1/status/buildinfo")
    expect(re.match(r"\d+\.\d+\.\d+", build["version"]), f"buildinfo is {build}")
    groups = grafana.ask("GET", "/api/v1/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    expect(rules and all(rule["type"] in ("alerting", "recording") and rule["health"] in ("ok", "unknown") for rule in rules), f"rules are {groups}")
    expect(all(alert["state"] in ("pending", "firing") for alert in grafana.ask("GET", "/api/v1/alerts")["alerts"]), "alerts")
    refused = grafana.ask("POST", "/api/v1/query", wanted=400, query="sum(", time=now)
    expect(refused["errorType"] == "bad_data" and refused["error"], f"a wrong expression: {refused}")
    exemplars = grafana.ask("GET", "/api/v1/query_exemplars", query="node_load1", **span)
    expect(exemplars == [] == grafana.ask("POST", "/api/v1/query_exemplars", query="node_load1", **span), f"exemplars are {exemplars}")
    print("Prometheus data source: health, query, query_range, labels, values, series, metadata, buildinfo, rules, alerts, exemplars")


def check_loki(grafana, lines):
    data = grafana.ask("GET", "/loki/api/v1/query", query="vector(1)+vector(1)", time=4000000000, direction="backward")  # "Save & test"
    expect(data["resultType"] == "vector" and len(data["result"]) == 1 and float(data["result"][0]["value"][1]) == 2, f"the health check: {data}")
    end = time.time_ns() + 10**9
    span = {"start": end - 3600 * 10**9, "end": end}
    names = grafana.ask("GET", "/loki/api/v1/labels", **span)
    expect("service" in names, f"labels are {names}")
    expect("shop" in grafana.ask("GET", "/loki/api/v1/label/service/values", **span), "the values of service")
    expect(grafana.ask("GET", "/loki/api/v1/label/service/values", query='{source="otlp"}', **span) == ["shop"], "values within a selector")
    expect(grafana.ask("GET", "/loki/api/v1/series", match='{service="shop"}', **span)[0]["service"] == "shop", "series")
    for direction in ("backward", "forward"):
        data = grafana.ask("GET", "/loki/api/v1/query_range", query='{service="shop"} |= "order"', direction=direction, limit=1000, step="15s", **span)
        expect(data["resultType"] == "streams", f"resultType {data['resultType']}")
        rows = sorted((value for stream in data["result"] for value in stream["values"]), key=lambda row: int(row[0]))
        expect([row[1] for row in rows] == lines, f"the lines are {rows}")
        expect(all(isinstance(row[0], str) and len(row[0]) == 19 for row in rows), "times are nanoseconds as text")
        times = [int(value[0]) for value in data["result"][0]["values"]]
        expect(times == sorted(times, reverse=direction == "backward"), f"{direction}: the order of a stream")
        expect("stats" in data, "no stats")
    expect({stream["stream"].get("level") for stream in data["result"]} == {"error", "info"}, "levels, by which lines are coloured")
    size = http_stats(grafana, span)
    expect(size["entries"] == len(lines) and size["streams"] >= 1, f"index/stats is {size}")
    wrong = grafana_status(grafana, "/loki/api/v1/query_range", query='sum(count_over_time({service="shop"}[1m]))', **span)
    expect(wrong[0] in (400, 422, 415) and b"count_over_time" in wrong[1] or b"etric quer" in wrong[1], f"a metric query: {wrong}")
    print("Loki data source: health, labels, values, series, query_range, index/stats; metric queries refused by name")


def grafana_status(grafana, path, **parameters):
    return grafana.daemon.request(path + "?" + urllib.parse.urlencode(parameters), grafana.headers)


def http_stats(grafana, span):
    status, body = grafana_status(grafana, "/loki/api/v1/index/stats", query='{service="shop"}', **span)
    expect(status == 200, f"index/stats: {status} {body[:200]}")
    return json.loads(body)


def main():
    program, _ = arguments()
    with Daemon(program, {"host": {"every": 1}}) as daemon:
        lines, now = [f"order {n} paid" for n in range(20)], time.time_ns() - 60 * 10**9
        rows = [{"timeUnixNano": str(now + n * 10**9), "severityNumber": 17 if n % 2 else 9, "body": {"stringValue": line}} for n, line in enumerate(lines)]
        body = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeLogs": [{"logRecords": rows}]}]}
        expect(daemon.request("/v1/logs", {"Content-Type": "application/json"}, "POST", json.dumps(body))[0] == 200, "records are refused")
        daemon.wait_for(lambda: (daemon.value("count_over_time(node_load1[1m])") or 0) > 2, "the host's metrics")
        grafana = Grafana(daemon)
        check_prometheus(grafana)
        check_loki(grafana, lines)
    print("Grafana: fine")


main()
