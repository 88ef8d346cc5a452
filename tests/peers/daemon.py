"""daemon - one Evenkeel for a test: its own folder, a free port, and questions asked over its API."""
import glob
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def libraries(root):
    """The environment in which an unpacked program finds its own libraries."""
    found = {os.path.dirname(path) for path in glob.glob(root + "/**/*.so*", recursive=True)}
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(found))}


class Daemon:
    """with Daemon(program, {"syslog": {...}}) as daemon: ...    sources that are not named do nothing."""

    def __init__(self, program, sources, folder=None):
        self.program, self.process, self.port = os.path.abspath(program), None, 0
        self.folder = folder or tempfile.mkdtemp(prefix="evenkeel-peers-")
        quiet = {"syslog": {"listen": []}, "file": {"files": []}, "scrape": {"jobs": []},
                 "journald": {"directory": os.path.join(self.folder, "no-journal")}, "host": {"every": 3600}}
        self.config = os.path.join(self.folder, "evenkeel.yaml")
        with open(self.config, "w") as file:
            json.dump({"sources": {**quiet, **sources}}, file)  # JSON is YAML

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(
            [self.program, "run", "--data", os.path.join(self.folder, "data"), "--config", self.config,
             "--http", "127.0.0.1:0", "--user", "root"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if "Console:" in line:
                self.port = urllib.parse.urlparse(line.split("Console:")[1].strip()).port
                break
        else:
            sys.exit("the program did not start:\n" + open(self.log.name).read())
        self.wait_for(lambda: self.request("/-/ready")[0] == 200, "the program to be ready")

    def stop(self, kill=False):
        if self.process:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(60)
            self.process.stdout.close()
            self.log.close()
            self.process = None

    def request(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError as fault:
            return 0, str(fault).encode()
        finally:
            connection.close()

    def ask(self, path, **parameters):
        with open(os.path.join(self.folder, "data", "cli.token")) as file:
            token = file.read().strip()
        status, body = self.request(path + "?" + urllib.parse.urlencode(parameters), {"Authorization": "Bearer " + token})
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
                sys.exit("the program ended:\n" + open(self.log.name).read()[-2000:])
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
