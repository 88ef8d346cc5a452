#!/usr/bin/env python3
"""journald_remote - systemd-journal-remote writes a real journal, and the program reads it over restarts and a kill: each entry once.

usage: journald_remote.py PROGRAM [PEERS]    PEERS: where scripts/peers.sh has unpacked systemd-journal-remote
"""
import os
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect, expect_all_once, fetch, libraries, numbers_of

BOOT, MACHINE = "3c6a0f7e5d2b4b1c9a8e7f6d5c4b3a29", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"


def entries(numbers):
    """The journal's export format; a message with a newline goes by its length."""
    out, now = bytearray(), time.time_ns() // 1000
    for n in numbers:
        fields = [f"__REALTIME_TIMESTAMP={now + n}", f"__MONOTONIC_TIMESTAMP={1000000 + n}", f"_BOOT_ID={BOOT}", f"_MACHINE_ID={MACHINE}",
                  "_HOSTNAME=far-host", f"SYSLOG_IDENTIFIER=ship{n % 3}", f"_SYSTEMD_UNIT=ship{n % 3}.service", f"PRIORITY={n % 8}", "_PID=4711"]
        out += ("\n".join(fields) + "\n").encode()
        message = f"entry n={n} sails" + ("\n  second line" if n % 10 == 0 else "")
        if "\n" in message:
            out += b"MESSAGE\n" + len(message).to_bytes(8, "little") + message.encode() + b"\n\n"
        else:
            out += f"MESSAGE={message}\n\n".encode()
    return bytes(out)


class Journal:
    def __init__(self, peers, folder):
        root = os.path.join(peers, "systemd-journal-remote")
        self.command = [os.path.join(root, "lib/systemd/systemd-journal-remote"), f"--output={folder}/remote.journal", "--split-mode=none", "-"]
        self.environment, self.folder = libraries(root), folder
        self.fed = 0

    def feed(self, count):
        done = subprocess.run(self.command, input=entries(range(self.fed, self.fed + count)), env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        expect(done.returncode == 0, "systemd-journal-remote: " + done.stdout.decode()[-500:])
        self.fed += count


def main():
    program, peers = arguments()
    fetch(peers, "systemd-journal-remote")
    with tempfile.TemporaryDirectory(prefix="evenkeel-journal-") as folder:
        journal = Journal(peers, folder)
        journal.feed(5000)
        with Daemon(program, {"journald": {"directory": folder}}) as daemon:
            read = lambda: numbers_of(daemon.lines('{source="journald"}'), " n=")
            daemon.wait_for(lambda: len(read()) >= journal.fed, "the entries that were there")
            for kill in (False, True, True):
                journal.feed(1000)
                daemon.stop(kill=kill)
                journal.feed(1000)  # while the program is down
                daemon.start()
                journal.feed(1000)
                daemon.wait_for(lambda: len(read()) >= journal.fed, f"all {journal.fed} entries, {len(read())} came")
            expect_all_once(read(), journal.fed, "journal entries over three restarts")
            row = daemon.ask("/api/v1/logs", query='{service="ship1", host="far-host"} |= "n=10 "')["rows"][0]
            expect(row["line"] == "entry n=10 sails\n  second line", f"the message came as {row['line']!r}")
            expect(row["stream"].get("unit") == "ship1.service", f"the stream is {row['stream']}")
            errors = daemon.lines('{service="ship0", severity="error"}')
            expect(errors and all(n % 8 == 3 for n in numbers_of(errors, " n=")), "PRIORITY 3 is not severity error")
    print("journald: fine")


main()
