"""demo - a game day: an estate is broken again and again, Evenkeel watches it, and a table says what came of it.

    demo.py PROGRAM PEERS [--seeds N] [--first SEED | --draw] [--faults killed,slow] [--quiet SECONDS] [--json FILE]

What is watched is declared as an operator would: which logs, which addresses, who is told. What is found, why, and what is done about it comes
from the packs alone. Somebody is on call: he is paged, reads, and approves what is proposed for what is said to be the cause, by the API; what no runbook
heals he heals by hand. Nothing in the table is reckoned: incidents, causes and runs are asked from the API, messages are counted where they arrive,
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
from estate import HERE, JOB, SERVICE, Estate, wait_until
from daemon import Daemon

PAGED_WITHIN_S = 60
GIVEN_UP_AFTER_S = 90           # without a page: then the estate is healed for the sake of the next fault
READING_S = (6, 12)             # how long whoever was paged reads before he decides
HELPED_WITHIN_S = 25            # what he approved must have helped by then, else he does it by hand
RESOLVED_WITHIN_S = 75
SETTLED_AFTER_S = 25            # rates over a minute still know the fault when it is healed: the next one waits for them
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
                {"path": estate.path("log/database.log"), "service": "postgres"}, {"path": estate.path("log/cache.log"), "service": "redis-server"},
                {"path": estate.path("log", JOB + ".log"), "service": JOB}]
        jobs = [{"job": SERVICE, "targets": [f"127.0.0.1:{estate.ports['application']}"], "every": "10s"}]
        self.daemon = Daemon(program, {"file": {"files": logs}, "scrape": {"jobs": jobs}, "host": {"every": 10}},
                             more={"content": [os.path.join(self.folder, "content.yaml")], **self.launcher(estate)})
        self.daemon.start()
        status, body = self.daemon.request("/openapi.json", self.daemon.token())
        self.paths = list(json.loads(body)["paths"]) if status == 200 else []
        self.starts = set()
        self.hook()

    @staticmethod
    def launcher(estate):
        """What runbooks may run: nothing, where the estate could not put its programs."""
        return {"launcher": {"allow": estate.manager.allowed}} if estate.manager.allowed else {}

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

    def order(self, path, body):
        """(good, what it says)"""
        status, answer = self.daemon.request(path, {**self.daemon.token(), "Content-Type": "application/json"}, "POST", json.dumps(body).encode())
        return status == 200, answer.decode(errors="replace")[:300]

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


class Operator:
    """Whoever is on call: reads for some seconds, approves what is proposed for the likeliest cause, one after another, and says so in the API."""

    def __init__(self, watch, chance):
        self.watch, self.reading_s, self.decided, self.refused, self.waited = watch, chance.uniform(*READING_S), {}, set(), []
        self.has_more = False

    def choose(self, runs, incidents):
        """A proposal for the first of the causes that has one."""
        names = [cause["name"] for one in incidents for cause in one["causes"] or []]
        def place(run):
            target = run["facts"].get("target_name", "?")
            return next((i for i, name in enumerate(names) if target and target in name), len(names))
        return min(runs, key=lambda run: (place(run), "/usr/bin/ssh" in json.dumps(run["facts"].get("plan"))), default=None)    # here, rather than by ssh

    def look(self, now, paged_at, runs, incidents):
        live = [run for run in runs if run["state"] in ("approved", "running", "verifying")]
        proposed = [run for run in runs if run["state"] == "proposed" and run["number"] not in self.refused]
        self.has_more = bool(proposed)
        if paged_at is None or now - paged_at < self.reading_s or any(run["state"] in ("approved", "running") for run in live):
            return
        if self.decided and now - max(self.decided.values()) < HELPED_WITHIN_S:
            return
        run = self.choose(proposed, incidents)
        if run:
            good, said = self.watch.order(f"/api/v1/runs/{run['number']}/approve", {"why": "it is the likeliest cause"})
            if good:
                self.decided[run["number"]] = now
                self.waited.append(now - paged_at)
            else:
                self.refused.add(run["number"])
                print(f"not started: {said}", flush=True)


class Play:
    """One fault from its beginning to the estate's health: the row of the table."""

    def __init__(self, watch, mailbox, fault, chance):
        self.watch, self.mailbox, self.fault = watch, mailbox, fault
        self.operator = Operator(watch, chance)
        self.detected = self.paged = self.resolved = self.healthy = self.healed_by = None
        self.rank, self.first_cause, self.causes, self.incidents, self.notices, self.pages = None, "", "", [], 0, 0

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
        """1 is first; None: not among them. A change is known by what a cause says of it, a part by its name."""
        changes = {change["id"]: change for change in self.watch.changes()}
        for incident in self.incidents:
            self.causes = "; ".join(cause["name"] for cause in incident["causes"] or [])
            for place, cause in enumerate(incident["causes"] or [], 1):
                change = changes.get(cause.get("entity"), {})
                text = " ".join(str(word) for word in (cause["name"], cause.get("reason", ""), change.get("reference", ""), change.get("title", "")))
                self.first_cause = self.first_cause or cause["name"]
                if any(word.lower() in text.lower() for word in self.fault.causes):
                    return place
        return None

    def runs_now(self):
        """What was proposed for, or done about, its incidents."""
        return [run for one in self.incidents for run in self.watch.ask(f"/api/v1/runs?incident={one['number']}&limit=100")["runs"]
                if run["proposed_ns"] >= int(self.began * 1e9)]

    def is_healthy(self):
        return not self.fault.is_broken() and not self.watch.estate.ill()

    def until_healthy(self):
        """Who healed it: a runbook, or a hand when none did in time."""
        watch, paged_at = self.watch, None
        while True:
            time.sleep(0.5)
            self.look()
            now = time.time()
            paged_at = paged_at or (now if self.paged is not None else None)
            if not self.operator.decided:
                self.rank = self.rank_cause() or self.rank
            self.operator.look(now, paged_at, self.runs_now(), self.incidents)
            decided = max(self.operator.decided.values(), default=None)
            if decided and self.is_healthy():
                return "runbook"
            patience = decided + HELPED_WITHIN_S + (10 if self.operator.has_more else 0) if decided else paged_at + READING_S[1] + HELPED_WITHIN_S / 2 if paged_at else self.began + GIVEN_UP_AFTER_S
            if now > patience:
                return "hand"

    def play(self):
        watch, fault, starts = self.watch, self.fault, len(self.watch.starts)
        self.began = time.time()
        self.load = os.getloadavg()[0]
        fault.start()
        self.healed_by = "nobody"
        try:
            self.began = fault.began or self.began
            wait_until(fault.is_broken, f"{fault.title}: the estate to be broken", 60)
            self.healed_by = self.until_healthy()
        finally:
            fault.heal()
        wait_until(self.is_healthy, f"{fault.title}: the estate to heal")
        self.healthy = time.time() - self.began
        healed = time.time()
        while time.time() < healed + SETTLED_AFTER_S or time.time() < healed + RESOLVED_WITHIN_S and any(one["state"] not in ("resolved", "closed") for one in self.incidents):
            time.sleep(1)
            self.look()
        self.plain, self.began_with_it = len(watch.starts) - starts, self.own()

    def own(self):
        """Incidents that began with the fault: nobody was told of them before. The others were open, and were joined."""
        before = {alert["incident"] for alert in self.watch.alerts() if nanoseconds(alert["starts_ns"]) < int(self.began * 1e9)}
        return [one for one in self.incidents if one["id"] not in before]

    def incident_text(self):
        joined = ", ".join(f"#{one['number']}" for one in self.incidents if one not in self.began_with_it)
        return f"{len(self.began_with_it)}" + (f", joined {joined}" if joined else "")

    def run_text(self):
        """Asked at the end of the game: a verification takes its time."""
        self.runs = [self.watch.ask(f"/api/v1/runs/{number}") for number in self.operator.decided]
        self.offered = sorted({run["facts"].get("runbook", "?") for run in self.runs_now()})
        done = [f"{run['facts'].get('runbook', '?')} {run['state']}, approved {waited:.0f} s after the page" for run, waited in zip(self.runs, self.operator.waited)]
        return "; ".join(done) or ("proposed: " + " ".join(self.offered) if self.offered else "nothing")

    def row(self):
        def seconds(value):
            return "-" if value is None else f"{value:.0f} s"
        open_still = [one["number"] for one in self.incidents if one["state"] not in ("resolved", "closed")]
        return [self.fault.title, seconds(self.detected), self.incident_text(), str(self.notices), str(self.pages), seconds(self.paged), str(self.rank or "-"),
                self.run_text(), f"{seconds(self.healthy)}, by {self.healed_by}", "no" if open_still else "yes", str(self.plain), f"{self.load:.1f}",
                " ".join(self.alert_names)]


COLUMNS = ["fault", "detected", "incidents", "notices", "pages", "paged", "rank", "runbook", "healthy", "resolved", "plain", "load", "alerts"]


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


def game(program, peers, seed, only, quiet_s):
    """One seed: the rows of its plays, the plays, and what disturbed its quiet time."""
    folder, mailbox, watch, plays, rows = tempfile.mkdtemp(prefix="evenkeel-demo-"), Mailbox(), None, [], []
    try:
        with Estate(peers, folder) as estate:
            watch = Watch(program, estate, mailbox)
            print(f"seed {seed}: console at http://127.0.0.1:{watch.daemon.port}, admin, {watch.daemon.password}", flush=True)
            try:
                disturbed = quiet_time(watch, mailbox, quiet_s, seed)
                for number, fault in enumerate(faults(seed, estate, only)):
                    what = harmless(random.Random(f"{seed} {number}").random(), estate)
                    play = Play(watch, mailbox, fault, random.Random(f"{seed} {number} operator"))
                    play.play()
                    plays.append(play)
                    print(f"{what}; {fault.title}: {play.row()[1:]}; causes: {play.causes}", flush=True)
                until_verified(plays)
                rows = [play.row() for play in plays]
            finally:
                watch.close()
    finally:
        mailbox.close()
        shutil.rmtree(folder, ignore_errors=True)
    return plays, rows, disturbed


def until_verified(plays):
    """The last run's verification may still go on."""
    end = time.time() + 120
    while time.time() < end and any(run["state"] in ("approved", "running", "verifying") for play in plays for run in play.runs):
        time.sleep(2)
        for play in plays:
            play.run_text()


def strangers():
    """What breaks shares no name with what ships: else the game would be won beforehand."""
    shipped = {name: open(name).read() for name in glob.glob(os.path.join(HERE, "../packs/**/*.yaml"), recursive=True)}
    with open(os.path.join(HERE, "breaks.py")) as file:
        breaking = file.read()
    if not shipped:
        sys.exit("no packs are found beside the demo")
    for path, text in shipped.items():
        known = [name for name in (SERVICE, JOB, "outbox", "parcel", "Robin") if name.lower() in text.lower()]
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
    parser.add_argument("--draw", action="store_true", help="seeds that nobody chose")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=[])
    parser.add_argument("--quiet", type=int, default=60)
    parser.add_argument("--json", help="the table's figures, one line a fault, are added to this file")
    options = parser.parse_args()
    strangers()
    seeds = [random.SystemRandom().randrange(1, 1 << 20) for _ in range(options.seeds)] if options.draw else range(options.first, options.first + options.seeds)
    plays, rows, quiet = [], [], []
    for seed in seeds:
        played, table, disturbed = game(options.program, os.path.abspath(options.peers), seed, options.faults, options.quiet)
        plays, rows, quiet = plays + played, rows + table, quiet + [disturbed]
        keep(options.json, seed, played, table, disturbed)
    print_table(rows)
    summary(plays, quiet, options.quiet)
    sys.exit(1 if any(play.detected is None for play in plays) or any(messages for messages, _ in quiet) else 0)


def keep(path, seed, plays, rows, disturbed):
    with open(path or os.devnull, "a") as file:
        for play, row in zip(plays, rows):
            file.write(json.dumps({"seed": seed, "detected": play.detected, "paged": play.paged, "pages": play.pages, "own": len(play.began_with_it), "rank": play.rank,
                                   "healed_by": play.healed_by, "incidents_all": len(play.incidents), "quiet": disturbed, "causes": play.causes,
                                   "row": dict(zip(COLUMNS, row))}) + "\n")


def summary(plays, quiet, quiet_s):
    ranks = [play.rank for play in plays]
    alone = sum(len(play.began_with_it) == len(play.incidents) == 1 and play.pages == 1 and play.paged <= PAGED_WITHIN_S for play in plays)
    print(f"\n{len(plays)} faults: {sum(play.detected is not None for play in plays)} detected; {alone} with one incident of their own and one page within {PAGED_WITHIN_S} s; "
          f"true cause first in {sum(rank == 1 for rank in ranks)}, in the first three in {sum(rank is not None and rank <= 3 for rank in ranks)}; "
          f"healed by runbook {sum(play.healed_by == 'runbook' for play in plays)}")
    print(f"quiet times of {quiet_s} s: {sum(messages for messages, _ in quiet)} messages, alerts {sorted({name for _, names in quiet for name in names})}")
    missed = [play.fault.title for play in plays if play.detected is None]
    if missed:
        print("not detected: " + ", ".join(missed))


if __name__ == "__main__":
    main()
