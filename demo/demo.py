"""demo - a game day: an estate is broken again and again, Evenkeel watches it, and a table says what came of it.

    demo.py PROGRAM PEERS [--seeds N] [--first SEED] [--faults N] [--quiet SECONDS]

What is watched is declared as an operator would: which logs, which addresses, who is told. What is found, why, and what is done about it comes
from the packs alone. Nothing in the table is reckoned: incidents and causes are asked from the API, messages are counted where they arrive,
health is what the estate itself says. Ends with 1 when a fault was not detected, or a quiet time was disturbed.
"""
import argparse
import glob
import http.server
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

from breaks import faults, harmless
from estate import HERE, SERVICE, Estate, wait_until
from daemon import Daemon

PAGED_WITHIN_S = 60
RESOLVED_WITHIN_S = 60
JOINED_WITHIN_S = 45            # nobody heals sooner: what is caused by the fault has the time to show
NOT_BUILT = "not built"


class Mailbox(http.server.ThreadingHTTPServer):
    """Where notifications arrive: (time, body) of each."""
    daemon_threads = True

    def __init__(self):
        self.messages = []
        super().__init__(("127.0.0.1", 0), Post)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def since(self, time_s):
        return [body for when, body in list(self.messages) if when >= time_s]


class Post(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.messages.append((time.time(), json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def nanoseconds(text):
    """Times of the API are texts, since JavaScript's numbers are too short for them; none is 0."""
    return int(text or 0)


def is_about_trouble(message):
    return message.get("status") == "firing"


class Watch:
    """Evenkeel with an operator's configuration of the estate, and what it says."""

    def __init__(self, program, estate, mailbox):
        self.estate, self.folder = estate, estate.path("watch")
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "content.yaml"), "w") as file:
            json.dump(self.content(mailbox), file, indent=1)  # JSON is YAML
        logs = [{"path": estate.path("log/front.*.log"), "service": "nginx"}, {"path": estate.path("log", SERVICE + ".log"), "service": SERVICE},
                {"path": estate.path("log/database.log"), "service": "postgres"}, {"path": estate.path("log/cache.log"), "service": "redis-server"}]
        jobs = [{"job": SERVICE, "targets": [f"127.0.0.1:{estate.ports['application']}"], "every": "10s"}]
        self.daemon = Daemon(program, {"file": {"files": logs}, "scrape": {"jobs": jobs}, "host": {"every": 10}},
                             more={"content": [os.path.join(self.folder, "content.yaml")]})
        self.daemon.start()
        status, body = self.daemon.request("/openapi.json", self.daemon.token())
        self.paths = list(json.loads(body)["paths"]) if status == 200 else []
        self.starts = set()
        self.hook()

    def has(self, *words):
        return any(word in path for path in self.paths for word in words)

    def content(self, mailbox):
        ports, host = self.estate.ports, socket.gethostname()
        return {
            "checks": [
                {"name": "parcels", "kind": "http", "url": f"http://127.0.0.1:{ports['front']}/", "every": "10s", "attempts": 2, "retry": "5s", "warning": "1s",
                 "critical": "2s", "host": host, "service": "nginx"},
                {"name": "cache", "kind": "tcp", "host": "127.0.0.1", "port": ports["cache"], "every": "10s", "attempts": 2, "retry": "5s",
                 "service": "redis-server"},
                {"name": "database", "kind": "tcp", "host": "127.0.0.1", "port": ports["database"], "every": "10s", "attempts": 2, "retry": "5s",
                 "service": "postgres"},
                {"name": "front-certificate", "kind": "certificate", "host": "127.0.0.1", "port": ports["front_tls"], "server_name": "localhost",
                 "every": "30s", "attempts": 1, "ca_file": self.estate.path("tls/front.pem"), "service": "nginx"},
            ],
            "receivers": [{"name": "mailbox", "webhook": {"url": f"http://127.0.0.1:{mailbox.server_address[1]}/"}}],
            "teams": [{"name": "crew", "receivers": ["mailbox"]}],
            "routes": [{"team": "crew", "page": "always"}],
        }

    def hook(self):
        """Deployments are told by the git hook that Evenkeel ships."""
        hook = self.estate.path("deploy.git/hooks/post-receive")
        shutil.copy(os.path.join(HERE, "../scripts/post-receive"), hook)
        os.chmod(hook, 0o755)
        for name, value in {"url": f"http://127.0.0.1:{self.daemon.port}", "token": self.daemon.token()["Authorization"].split()[1], "service": SERVICE}.items():
            self.estate.git("config", f"evenkeel.{name}", value, at="deploy.git")

    def ask(self, path):
        status, body = self.daemon.request(path, self.daemon.token())
        if status != 200:
            raise RuntimeError(f"{path} gives {status}: {body[:200]}")
        return json.loads(body)

    def alerts(self):
        """Alerts that fire or did, but for those held back, and notes each start of one: what a plain set-up would have sent a message for."""
        alerts = [alert for alert in self.ask("/api/v1/alerts/known?limit=1000")["alerts"] if not alert["is_held"]]
        self.starts |= {(alert["id"], alert["starts_ns"]) for alert in alerts}
        return alerts

    def incidents(self):
        return self.ask("/api/v1/incidents?limit=1000")["incidents"]

    def changes(self):
        return self.ask("/api/v1/changes?limit=1000")["changes"]

    def close(self):
        self.daemon.clean_up()


class Play:
    """One fault from its beginning to the estate's health: the row of the table."""

    def __init__(self, watch, mailbox, fault):
        self.watch, self.mailbox, self.fault = watch, mailbox, fault
        self.detected = self.paged = self.resolved = None
        self.rank, self.first_cause, self.incidents, self.notices, self.pages = None, "", [], 0, 0

    def look(self):
        """Notes what can be seen now."""
        now, began_ns = time.time(), int(self.began * 1e9)
        alerts = [alert for alert in self.watch.alerts() if nanoseconds(alert["starts_ns"]) >= began_ns]
        self.alert_names = sorted({alert["name"] for alert in alerts})
        self.incidents = [one for one in self.watch.incidents() if one["number"] in self.concerned(one, alerts)]
        told = [body for body in self.mailbox.since(self.began) if is_about_trouble(body)]
        self.notices = len(told)
        self.pages = sum(1 for body in told if body.get("evenkeel", {}).get("is_page") and body["evenkeel"].get("occasion") != "update")
        if alerts and self.detected is None:
            self.detected = now - self.began
        if self.pages and self.paged is None:
            self.paged = now - self.began

    def concerned(self, incident, alerts):
        ids = {alert["incident"] for alert in alerts}
        is_new = nanoseconds(incident["opened_ns"]) >= int(self.began * 1e9) and incident["state"] != "merged" and not incident["is_held"]
        return {incident["number"]} if incident["id"] in ids or is_new else set()

    def rank_cause(self):
        """1 is first; None: not among them. A change is known by its commit or title, a part by its name."""
        changes = {change["id"]: change for change in self.watch.changes()}
        for incident in self.incidents:
            for place, cause in enumerate(incident["causes"] or [], 1):
                change = changes.get(cause.get("entity"), {})
                text = " ".join(str(word) for word in (cause["name"], change.get("reference", ""), change.get("title", "")))
                self.first_cause = self.first_cause or cause["name"]
                if any(word.lower() in text.lower() for word in self.fault.causes):
                    return place
        return None

    def runbooks(self):
        """What was proposed for, or done about, its incidents."""
        runs = [run for one in self.incidents for run in self.watch.ask(f"/api/v1/runs?incident={one['number']}&limit=100")["runs"]
                if run["proposed_ns"] >= int(self.began * 1e9)]
        return ", ".join(sorted({f"{run['facts'].get('runbook', '?')} {run['state']}" for run in runs})) or "nothing"

    def until(self, test, seconds):
        end = time.time() + seconds
        while time.time() < end:
            self.look()
            if test():
                return True
            time.sleep(0.5)
        return False

    def play(self):
        watch, fault, starts = self.watch, self.fault, len(self.watch.starts)
        self.began = time.time()
        fault.start()
        try:
            wait_until(fault.is_broken, f"{fault.title}: the estate to be broken", 60)
            pages = watch.has("/notifications")
            self.until(lambda: self.detected is not None and (self.paged is not None or not pages), PAGED_WITHIN_S + 30)
            self.until(lambda: time.time() - self.began > JOINED_WITHIN_S, JOINED_WITHIN_S)
            self.rank = self.rank_cause()
            self.runs = self.runbooks() if watch.has("/runs") else NOT_BUILT
        finally:
            fault.heal()
        wait_until(lambda: not fault.is_broken() and not watch.estate.ill(), f"{fault.title}: the estate to heal")
        self.healthy = time.time() - self.began
        self.until(lambda: all(one["state"] in ("resolved", "closed") for one in self.incidents), RESOLVED_WITHIN_S)
        self.plain = len(watch.starts) - starts

    def own(self):
        """Incidents that began with the fault; the others were open before, and were joined."""
        return [one for one in self.incidents if nanoseconds(one["opened_ns"]) >= int(self.began * 1e9)]

    def incident_text(self):
        joined = ", ".join(f"#{one['number']}" for one in self.incidents if one not in self.own())
        return f"{len(self.own())}" + (f", joined {joined}" if joined else "")

    def row(self):
        def seconds(value):
            return "-" if value is None else f"{value:.0f} s"
        pages = self.watch.has("/notifications")
        open_still = [one["number"] for one in self.incidents if one["state"] not in ("resolved", "closed")]
        return [self.fault.title, seconds(self.detected), self.incident_text(), str(self.notices) if pages else NOT_BUILT,
                seconds(self.paged) if pages else NOT_BUILT, str(self.rank or "-"), self.runs,
                f"{self.healthy:.0f} s, by hand", "no" if open_still else "yes", str(self.plain), " ".join(self.alert_names)]


COLUMNS = ["fault", "detected", "incidents", "notices", "paged", "rank", "runbook", "healthy", "resolved", "plain", "alerts"]


def print_table(rows):
    widths = [max(len(row[i]) for row in [COLUMNS, *rows]) for i in range(len(COLUMNS))]
    for row in [COLUMNS, *rows]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    sys.stdout.flush()


def quiet_time(watch, mailbox, seconds, seed):
    """Nothing is broken, harmless things are done. Gives what disturbed it: messages and alerts."""
    began, number = time.time(), 0
    while time.time() - began < seconds:
        number += 1
        print(f"quiet: {harmless(random.Random(f'{seed} quiet {number}').random(), watch.estate)}", flush=True)
        time.sleep(min(20, max(1, began + seconds - time.time())))
    assert not watch.estate.ill(), f"the quiet estate is ill: {watch.estate.ill()}"
    alerts = [alert for alert in watch.alerts() if nanoseconds(alert["starts_ns"]) >= int(began * 1e9)]
    return len(mailbox.since(began)), sorted({alert["name"] for alert in alerts})


def game(program, peers, seed, count, quiet_s):
    """One seed: its plays, and what disturbed its quiet time."""
    folder, mailbox, watch, plays = tempfile.mkdtemp(prefix="evenkeel-demo-"), Mailbox(), None, []
    try:
        with Estate(peers, folder) as estate:
            watch = Watch(program, estate, mailbox)
            print(f"seed {seed}: console at http://127.0.0.1:{watch.daemon.port}, admin, {watch.daemon.password}", flush=True)
            try:
                disturbed = quiet_time(watch, mailbox, quiet_s, seed)
                for number, fault in enumerate(faults(seed, estate, count)):
                    harmless(random.Random(f"{seed} {number}").random(), estate)
                    play = Play(watch, mailbox, fault)
                    play.play()
                    plays.append(play)
                    print(f"{fault.title}: {play.row()[1:]}; first cause: {play.first_cause}", flush=True)
            finally:
                watch.close()
    finally:
        mailbox.close()
        shutil.rmtree(folder, ignore_errors=True)
    return plays, disturbed


def strangers():
    """What breaks shares no name with what ships: else the game would be won beforehand."""
    shipped = {name: open(name).read() for name in glob.glob(os.path.join(HERE, "../packs/**/*.yaml"), recursive=True)}
    with open(os.path.join(HERE, "breaks.py")) as file:
        breaking = file.read()
    if not shipped:
        sys.exit("no packs are found beside the demo")
    for path, text in shipped.items():
        known = [name for name in (SERVICE, "reckoner", "outbox", "parcel", "Robin") if name.lower() in text.lower()]
        own = [name for name in re.findall(r"(?:alert|runbook|- name): *([\w-]+)", text) if re.search(rf"\b{re.escape(name)}\b", breaking)]
        if known or own:
            sys.exit(f"{os.path.relpath(path)} and the game know each other by {known + own}; one of them must say it otherwise")


def apart():
    """As root: in a namespace of processes and mounts of its own, so that only the estate is observed and nothing outlives the game."""
    if os.geteuid() == 0 and "EVENKEEL_DEMO_APART" not in os.environ and shutil.which("unshare"):
        os.environ["EVENKEEL_DEMO_APART"] = "1"
        words = ["unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]
        if os.spawnvp(os.P_WAIT, words[0], [*words, "true"]) == 0:
            os.execvp(words[0], [*words, sys.executable, *sys.argv])


def main():
    apart()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("peers")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--faults", type=int, default=8)
    parser.add_argument("--quiet", type=int, default=60)
    options = parser.parse_args()
    strangers()
    plays, quiet = [], []
    for seed in range(options.first, options.first + options.seeds):
        played, disturbed = game(options.program, os.path.abspath(options.peers), seed, options.faults, options.quiet)
        plays, quiet = plays + played, quiet + [disturbed]
    print_table([play.row() for play in plays])
    missed = [play.fault.title for play in plays if play.detected is None]
    ranks = [play.rank for play in plays if play.detected is not None]
    print(f"\n{len(plays)} faults: {len(plays) - len(missed)} detected, {sum(len(play.own()) == len(play.incidents) == 1 for play in plays)} with one incident of its own, "
          f"cause first in {sum(rank == 1 for rank in ranks)}, in first three in {sum(rank is not None and rank <= 3 for rank in ranks)}")
    print(f"quiet times of {options.quiet} s: {sum(messages for messages, _ in quiet)} messages, alerts {sorted({name for _, names in quiet for name in names})}")
    if missed:
        print("not detected: " + ", ".join(missed))
    sys.exit(1 if missed or any(messages for messages, _ in quiet) else 0)


if __name__ == "__main__":
    main()
