#!/usr/bin/env python3
"""files_logrotate - a writer, the real logrotate in both modes, restarts and a kill -9: every line is read back, once.

usage: files_logrotate.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked logrotate
"""
import datetime
import os
import shutil
import subprocess
import sys
import tempfile

from daemon import Daemon, expect, expect_all_once, libraries, numbers_of

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


def main():
    program, peers = sys.argv[1], os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else "build/peers")
    logrotate = shutil.which("logrotate") or os.path.join(peers, "logrotate/usr/sbin/logrotate")
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
            lag = [source["lag"] for source in daemon.ask("/api/v1/sources")["sources"] if source["name"].startswith("file:")]
            expect(all(value == 0 for value in lag), f"lag is {lag} at the end")
    print("logrotate: fine")


main()
