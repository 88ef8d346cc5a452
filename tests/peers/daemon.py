"""daemon - one Evenkeel for a test: its own folder, a free port, and questions asked over its API; and its peers."""
import atexit
import fcntl
import glob
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from program import Program, free_port  # free_port: for those who start peers


def libraries(root):
    """The environment in which an unpacked program finds its own libraries."""
    found = {os.path.dirname(path) for path in glob.glob(root + "/**/*.so*", recursive=True)}
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(found))}


def arguments():
    """(program, folder of the unpacked packages) as Meson gives them."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM [PEERS]")
    return os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else "build/peers")


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def fetch(peers, *packages):
    """Unpacks Debian packages into peers/<package>, one test at a time; skips the test when they cannot be had."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/peers.sh")
    os.makedirs(peers, exist_ok=True)
    with open(os.path.join(peers, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(os.path.exists(os.path.join(peers, package, ".unpacked")) for package in packages):
            return
        done = subprocess.run(["sh", script, peers, *packages], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        skip("Debian's packages " + " ".join(packages) + " cannot be fetched: " + done.stdout.strip()[-300:])


class Daemon(Program):
    """with Daemon(program, {"syslog": {...}}) as daemon: ...    sources that are not named do nothing. more: other keys
    of the configuration; data: a folder that exists already."""

    def __init__(self, program, sources=None, more=None, data=None, http="127.0.0.1:0"):
        self.folder, self.http = tempfile.mkdtemp(prefix="evenkeel-peers-"), http
        super().__init__(program, data or os.path.join(self.folder, "data"), os.path.join(self.folder, "log"))
        atexit.register(self.clean_up)
        quiet = {"syslog": {"listen": []}, "file": {"files": []}, "scrape": {"jobs": []},
                 "journald": {"directory": os.path.join(self.folder, "no-journal")}, "host": {"every": 3600}}
        self.config = os.path.join(self.folder, "evenkeel.yaml")
        with open(self.config, "w") as file:
            json.dump({**(more or {}), "sources": {**quiet, **(sources or {})}}, file)  # JSON is YAML

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.clean_up()

    def clean_up(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *options):
        """On the same port as before, if there was one: senders wait for it there."""
        listen = ["--http", self.http if not self.port else self.http.rsplit(":", 1)[0] + f":{self.port}"] if self.http else []
        super().start("--config", self.config, *listen, *options)

    def stop(self, kill=False):
        if self.process:
            self.end(signal.SIGKILL if kill else signal.SIGTERM, 60)

    def request(self, path, headers=None, method="GET", body=None):
        """(0, why) when it does not answer."""
        try:
            return self.exchange(method, path, body, headers, timeout=30)
        except (OSError, http.client.HTTPException) as fault:
            return 0, str(fault).encode()

    def cli(self, *words, text=None):
        """(exit status, standard output, standard error) of a verb."""
        done = subprocess.run([self.path, *words, "--data", self.data], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, stdin=None if text is not None else subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def ask(self, path, **parameters):
        for _ in range(50):  # while sources and addresses change, it says 503, or nothing
            status, body = self.request(path + "?" + urllib.parse.urlencode(parameters, doseq=True), self.token())
            if status not in (0, 503):
                break
            time.sleep(0.1)
        if status != 200:
            raise RuntimeError(f"GET {path} {parameters}: {status} {body[:300]!r}")
        return json.loads(body)

    def lines(self, query, start_s=0):
        """All lines that match, oldest first, page after page; fewer than a page may share one time."""
        found, start_ns, seen = [], int(start_s * 1e9), set()
        while True:
            rows = self.ask("/api/v1/logs", query=query, start=start_ns, end=int((time.time() + 86400) * 1e9), limit=5000,
                            direction="forward")["rows"]
            fresh = [row for row in rows if row["id"] not in seen]
            found += [row["line"] for row in fresh]
            seen.update(row["id"] for row in fresh)
            if not fresh:
                return found
            start_ns = int(rows[-1]["time_ns"])

    def value(self, expression):
        """The first value of an instant query, or None."""
        result = self.ask("/api/v1/query", query=expression)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def names(self, selector):
        return {series["__name__"] for series in self.ask("/api/v1/series", **{"match[]": selector})["data"]}

    def wait_for(self, check, what, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process and self.process.poll() is not None:
                sys.exit("the program ended:\n" + self.log_text()[-2000:])
            if check():
                return
            time.sleep(0.05)
        raise AssertionError(f"waited {seconds} s for {what}")


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def numbers_of(lines, mark):
    """The numbers behind a mark, in order of the lines."""
    return [int(line.split(mark)[1].split()[0]) for line in lines if mark in line]


def expect_all_once(found, count, what):
    lost, twice = sorted(set(range(count)) - set(found)), len(found) - len(set(found))
    expect(not lost and not twice, f"{what}: {len(lost)} lost (first {lost[:5]}), {twice} twice")
    print(f"{what}: {count} lines, 0 lost, 0 twice")
