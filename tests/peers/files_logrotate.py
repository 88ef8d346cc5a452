#!/usr/bin/env python3
"""files_logrotate - a writer, the real logrotate in both modes, restarts and a kill -9: every line is read back, once.

usage: files_logrotate.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked logrotate
"""
import datetime
import os
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect, expect_all_once, fetch, libraries, numbers_of

TODAY = datetime.date.today().isoformat()
LINES, ROTATE_EVERY = 20000, 2500


class Log:
    def __init__(self, folder, mode):
        self.path, self.mode, self.n = os.path.join(folder, mode + ".log"), mode, 0
        self.file = open(self.path, "a")
        self.config, self.state = os.path.join(folder, mode + ".conf"), os.path.join(folder, mode + ".state")
        how = "copytruncate" if mode == "copytruncate" else "create 0644"
        with open(self.config, "w") as file:
            file.write(f"{self.path} {{\n rotate 50\n {how}\n nocompress\n missingok\n su root root\n}}\n")
        os.chmod(self.config, 0o644)

    def write(self, count):
        for _ in range(count):
            at = f"{self.n // 60000:02}:{self.n // 1000 % 60:02}.{self.n % 1000:03}"  # each its own, for reading page by page
            self.file.write(f"{TODAY}T00:{at}Z INFO {self.mode} n={self.n} says something\n")
            self.n += 1
        self.file.flush()

    def rotate(self, logrotate, environment):
        # The writer is silent meanwhile: what is written between copy and truncation logrotate itself loses.
        subprocess.run([logrotate, "-f", "-s", self.state, self.config], check=True, env=environment)
        if self.mode == "create":
            self.write(3)  # into the renamed file: the writer has not noticed yet
            self.file.close()
            self.file = open(self.path, "a")


TRACES = {
    "java": """{at} ERROR java order 17 failed
java.lang.IllegalStateException: no stock left
\tat com.example.shop.Stock.take(Stock.java:88)
\tat com.example.shop.Order.place(Order.java:41)
Caused by: java.sql.SQLException: connection closed
\tat com.example.db.Pool.get(Pool.java:12)
\t... 14 more""",
    "python": """{at} ERROR python request failed
Traceback (most recent call last):
  File "/srv/app/views.py", line 12, in show
    return find(key)
  File "/srv/app/store.py", line 40, in find
    raise KeyError(key)
KeyError: 'cart'""",
    "go": """{at} panic: go: assignment to entry in nil map

goroutine 7 [running]:
main.(*cache).put(0xc000010240, {0x4b2f11, 0x3})
\t/src/app/cache.go:31 +0x45
main.main()
\t/src/app/main.go:11 +0x1d""",
}


def check_traces(daemon, folder):
    """Each trace is one record, though it is written in pieces; the lines around it stay apart."""
    path = os.path.join(folder, "traces.log")
    with open(path, "w") as file:
        for number, (name, trace) in enumerate(TRACES.items()):
            at = f"{TODAY}T01:00:{number * 3:02}.{{}}Z"
            text = at.format("000") + f" INFO {name} before\n" + trace.replace("{at}", at.format("100")) + "\n" + at.format("200") + f" INFO {name} after\n"
            for start in range(0, len(text), 50):
                file.write(text[start:start + 50])
                file.flush()
                time.sleep(0.01)
    daemon.wait_for(lambda: len(daemon.lines('{service="rotated"} |= "after"')) >= 3, "what follows the traces")
    for name, trace in TRACES.items():
        found = [line for line in daemon.lines('{service="rotated"}') if f" {name} " in line or f" {name}: " in line]
        expect(len(found) == 3, f"{name}: {len(found)} records instead of 3: {found}")
        expect(found[1].split(" ", 1)[1] == trace.split(" ", 1)[1], f"the {name} trace came as {found[1]!r}")
    print(f"stack traces: {', '.join(TRACES)} joined, one record each")


def main():
    program, peers = arguments()
    fetch(peers, "logrotate")
    logrotate = os.path.join(peers, "logrotate/usr/sbin/logrotate")
    environment = libraries(os.path.join(peers, "logrotate"))
    with tempfile.TemporaryDirectory(prefix="evenkeel-logs-") as folder:
        os.chmod(folder, 0o755)
        logs = [Log(folder, "create"), Log(folder, "copytruncate")]
        rules = [{"path": folder + "/*.log", "service": "rotated"}]
        with Daemon(program, {"file": {"files": rules}}) as daemon:
            for turn in range(LINES // ROTATE_EVERY):
                for log in logs:
                    log.write(ROTATE_EVERY)
                    if turn % 4 == 1:
                        daemon.stop(kill=turn == 5)  # rotated while the program is down
                    log.rotate(logrotate, environment)
                    log.write(10)
                    if turn % 4 == 1:
                        daemon.start()
            for log in logs:
                query = '{service="rotated"} |= "%s n="' % log.mode
                try:
                    daemon.wait_for(lambda: len(daemon.lines(query)) >= log.n, f"all lines of {log.mode}", 30)
                except AssertionError as fault:
                    print(fault)  # which ones is said below
                expect_all_once(numbers_of(daemon.lines(query), " n="), log.n, f"logrotate {log.mode}")
            check_traces(daemon, folder)
            lag = [source["lag"] for source in daemon.ask("/api/v1/sources")["sources"] if source["name"].startswith("file:")]
            expect(all(value == 0 for value in lag), f"lag is {lag} at the end")
    print("logrotate: fine")


main()
