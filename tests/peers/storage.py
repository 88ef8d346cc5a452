#!/usr/bin/env python3
"""storage - backup under load, restore, retention, damaged files, a full disk and one that becomes read-only: on real filesystems.

usage: storage.py backup|retention|damage|disk PROGRAM
"""
import datetime
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from daemon import Daemon, expect, expect_all_once, numbers_of, skip

JSON = {"Content-Type": "application/json"}


def records(service, numbers, filler=""):
    now = time.time_ns()
    rows = [{"timeUnixNano": str(now + n), "body": {"stringValue": f"{service} n={n} {filler}"}} for n in numbers]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": rows}]}]}).encode()


def send(daemon, service, numbers, filler=""):
    return daemon.request("/v1/logs", JSON, "POST", records(service, numbers, filler))


class Load(threading.Thread):
    """Sends until it is told to stop; sends again what was not acknowledged."""

    def __init__(self, daemon, service):
        super().__init__(daemon=True)
        self.daemon_under_load, self.service, self.acknowledged, self.running = daemon, service, 0, True

    def run(self):
        while self.running:
            numbers = range(self.acknowledged, self.acknowledged + 50)
            body = records(self.service, numbers)
            while self.daemon_under_load.request("/v1/logs", JSON, "POST", body)[0] != 200:
                if not self.running:
                    return
                time.sleep(0.05)
            self.acknowledged += 50
            time.sleep(0.01)

    def end(self):
        self.running = False
        self.join(30)
        return self.acknowledged


def count(daemon, service):
    return numbers_of(daemon.lines('{service="%s"}' % service), " n=")


def offline(program, *words):
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def check_backup(program):
    folder = tempfile.mkdtemp(prefix="evenkeel-backup-")
    copy, restored = folder + "/copy", folder + "/restored"
    with Daemon(program) as daemon:
        load = Load(daemon, "load")
        load.start()
        time.sleep(3)
        before = load.acknowledged
        status, out, err = daemon.cli("backup", copy)
        expect(status == 0, f"backup: {err}")
        expect(daemon.cli("backup", copy)[0] == 1, "a backup into a folder that exists is not refused")
        time.sleep(1)
        all_of_them = load.end()
        expect(before > 500 and all_of_them > before, f"the load stood still: {before}, {all_of_them}")
        expect_all_once(count(daemon, "load"), all_of_them, "records in the program that was backed up")
    status, out = offline(program, "restore", "--verify", copy)
    expect(status == 0, f"restore --verify: {out}")
    print("verify:", " ".join(out.split()))
    status, out = offline(program, "restore", copy, "--to", restored)
    expect(status == 0, f"restore --to: {out}")
    with Daemon(program, data=restored) as daemon:
        found = count(daemon, "load")
        expect(len(found) >= before, f"{before} were acknowledged before the backup, {len(found)} are in it")
        expect_all_once(found, len(found), f"restored records ({before} acknowledged before the call)")
        expect(send(daemon, "later", range(5))[0] == 200, "the restored program takes nothing")
        daemon.wait_for(lambda: len(count(daemon, "later")) == 5, "new records beside restored ones")
    victim = max(glob.glob(copy + "/**/*.db", recursive=True), key=os.path.getsize)
    damage(victim, os.path.getsize(victim) // 2)
    status, out = offline(program, "restore", "--verify", copy)
    expect(status == 1 and os.path.basename(victim) in out, f"a damaged backup is not found out: {status} {out}")
    shutil.rmtree(folder)


def damage(path, at, size=64):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(size)
        file.seek(at)
        file.write(bytes(byte ^ 0x5A for byte in old))


def fill_and_stop(program, data, service, total=2000):
    with Daemon(program, data=data) as daemon:
        for start in range(0, total, 200):
            expect(send(daemon, service, range(start, start + 200))[0] == 200, "a record was refused")


def check_retention(program):
    folder = tempfile.mkdtemp(prefix="evenkeel-retention-")
    data = folder + "/data"
    fill_and_stop(program, data, "kept")
    today = sorted(glob.glob(data + "/telemetry/*.db"))[-1]
    day = datetime.date.fromisoformat(os.path.basename(today)[:10])

    def past(days):
        path = os.path.join(data, "telemetry", (day - datetime.timedelta(days=days)).isoformat() + ".db")
        shutil.copy(today, path)
        return path

    old, young = past(40), past(3)
    with Daemon(program, more={"retention": {"days": 30}}, data=data) as daemon:
        daemon.wait_for(lambda: not os.path.exists(old), "the day of 40 days ago to be removed", 20)
        expect(os.path.exists(young) and os.path.exists(today), "retention by age removed too much")
    middle = past(2)
    with Daemon(program, more={"retention": {"bytes": os.path.getsize(today) + os.path.getsize(middle) + 4096}}, data=data) as daemon:
        daemon.wait_for(lambda: not os.path.exists(young), "the oldest day to be removed for its size", 20)
        expect(os.path.exists(today) and os.path.exists(middle), "retention by size removed more than needed")
    with Daemon(program, more={"retention": {"bytes": 1}}, data=data) as daemon:
        daemon.wait_for(lambda: not os.path.exists(middle), "all past days to be removed", 20)
        expect_all_once(count(daemon, "kept"), 2000, "retention by 30 days, by bytes, and to the last day")
    shutil.rmtree(folder)


def starts(program, data, *options):
    """(whether it starts, what it says)"""
    daemon = Daemon(program, data=data)
    try:
        daemon.start(*options)
    except SystemExit:
        daemon.stop()
        return None, daemon.log_text()
    return daemon, ""


def check_damage(program):
    folder = tempfile.mkdtemp(prefix="evenkeel-damage-")
    data = folder + "/data"
    with Daemon(program, data=data) as daemon:  # killed: the journal holds it all
        for start in range(0, 2000, 200):
            expect(send(daemon, "journaled", range(start, start + 200))[0] == 200, "a record was refused")
        daemon.stop(kill=True)
    segment = sorted(glob.glob(data + "/journal/*.seg"))[0]
    with open(segment, "rb") as file:
        at = file.read().index(b"journaled n=1000 ")
    damage(segment, at)
    daemon, said = starts(program, data)
    expect(daemon is None, "it starts with a damaged journal as if nothing were wrong")
    expect(os.path.basename(segment) in said and "damaged" in said and "--skip-journal-damage" in said, f"a damaged journal: {said}")
    print("damaged journal:", said.strip().splitlines()[-1][:230])
    daemon, said = starts(program, data, "--skip-journal-damage")
    expect(daemon is not None, f"--skip-journal-damage does not help: {said}")
    found = count(daemon, "journaled")
    daemon.stop()
    expect(len(found) == len(set(found)) == 1800, f"{len(found)} of the 1800 undamaged records are there")
    daemon, said = starts(program, data)  # the next start needs no option
    expect(daemon is not None, f"the start after --skip-journal-damage: {said}")
    expect(len(count(daemon, "journaled")) == 1800, "the second start after the damage has other records")
    daemon.stop()
    day = sorted(glob.glob(data + "/telemetry/*.db"))[-1]
    for at in range(0, os.path.getsize(day), 2048):
        damage(day, at, 512)
    daemon, said = starts(program, data)
    if daemon:  # then asking says so
        status, answer = daemon.request("/api/v1/logs?query=%7B%7D&start=0", daemon.token())
        said = answer.decode() + daemon.log_text()
        daemon.stop()
    expect(os.path.basename(day) in said and "move" in said, f"a damaged day: {said}")
    print("damaged day:", [line for line in said.strip().splitlines() if os.path.basename(day) in line][-1][:230])
    for path in glob.glob(day + "*"):
        os.rename(path, os.path.join(folder, os.path.basename(path)))
    daemon, said = starts(program, data)
    expect(daemon is not None, f"moving the damaged day away does not help: {said}")
    expect(send(daemon, "after", range(7))[0] == 200, "nothing is taken after the damage")
    daemon.wait_for(lambda: len(count(daemon, "after")) == 7, "what came after the damage")
    daemon.stop()
    shutil.rmtree(folder)
    print("damage: told, and the advice helps")


def mount(*words):
    return subprocess.run(["mount", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check_disk(program):
    folder = tempfile.mkdtemp(prefix="evenkeel-disk-")
    done = mount("-t", "tmpfs", "-o", "size=320m", "tmpfs", folder) if os.geteuid() == 0 else None
    if not done or done.returncode != 0:
        os.rmdir(folder)
        skip("a small filesystem cannot be mounted here" + (": " + done.stdout.strip() if done else ", only root may"))
    try:
        with Daemon(program, data=folder + "/data") as daemon:
            fill_disk(daemon, folder)
    finally:
        subprocess.run(["umount", "-l", folder])
        os.rmdir(folder)
    make_read_only(program)


def until(daemon, service, numbers, wanted, seconds=30):
    """Sends the same batch until its answer's status is one of those wanted."""
    end = time.monotonic() + seconds
    while True:
        status, answer = send(daemon, service, numbers)
        if status in wanted:
            return status, answer.decode()
        expect(time.monotonic() < end, f"waited {seconds} s for {wanted}, got {status} {answer}")
        time.sleep(0.2)


def fill_disk(daemon, folder):
    ballast, n = folder + "/ballast", 0
    expect(send(daemon, "disk", range(0, 100))[0] == 200, "the first records are refused")
    with open(ballast, "wb") as file:  # all that is free
        try:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        except OSError:
            pass
    n, filler = 100, "x" * 20000
    while True:  # into what the journal had reserved
        status, answer = send(daemon, "disk", range(n, n + 50), filler + str(n))
        if status != 200:
            break
        n += 50
        expect(n < 100000, "a full disk takes everything")
    refused = n
    expect(status in (503, 507) and b"free" in answer, f"a full disk is told as {status} {answer}")
    print(f"full disk after {n} records: {status} {json.loads(answer).get('message') or answer.decode()[:200]}")
    status, out, err = daemon.cli("token", "add", "while-full", "--scopes", "read", "--json")
    expect(status == 0, f"a command on the full disk: {err}")
    expect(len(daemon.lines('{service="disk"}')) >= 1, "nothing can be read on the full disk")
    expect(daemon.cli("tokens")[1].count("while-full") == 1, "the command on the full disk is not there")
    os.remove(ballast)
    until(daemon, "disk", range(refused, refused + 50), (200,))
    n = refused + 50
    daemon.wait_for(lambda: len(count(daemon, "disk")) >= n, "all acknowledged records")
    expect_all_once(count(daemon, "disk"), n, "full disk: refused, commands work, goes on by itself; records")


def make_read_only(program):
    """ext4 makes itself read-only after an error, which its test hook causes; what was committed is there after a repair."""
    folder = tempfile.mkdtemp(prefix="evenkeel-ro-")
    image, inside = folder + "/image", folder + "/mounted"
    os.mkdir(inside)
    with open(image, "wb") as file:
        file.truncate(300 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=False)
    done = mount("-o", "loop,errors=remount-ro", image, inside)
    try:
        device = os.path.basename(subprocess.run(["findmnt", "-no", "SOURCE", inside], stdout=subprocess.PIPE, text=True).stdout.strip())
        hook = f"/sys/fs/ext4/{device}/trigger_fs_error"
        if done.returncode != 0 or not os.path.exists(hook):
            print("read-only: not checked, no ext4 can be mounted from a file here")
            return
        with Daemon(program, data=inside + "/data") as daemon:
            expect(send(daemon, "ro", range(100))[0] == 200, "the first records are refused")
            with open(hook, "w") as file:
                file.write("test")
            status, answer = until(daemon, "ro", range(100, 150), (503, 507))
            expect("ead-only" in answer and "writable" in answer, f"a read-only disk is told as {answer}")
            print(f"read-only disk: {status} {json.loads(answer).get('message') or answer[:200]}")
            status, _, err = daemon.cli("token", "add", "while-ro", "--scopes", "read")
            expect(status == 1 and "ead-only" in err, f"a command on a read-only disk: {status} {err}")
            expect(len(count(daemon, "ro")) == 100, "what is stored cannot be read from a read-only disk")
            daemon.stop(kill=True)
        subprocess.run(["umount", inside], check=True)
        subprocess.run(["fsck.ext4", "-fy", image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expect(mount("-o", "loop", image, inside).returncode == 0, "the repaired filesystem cannot be mounted")
        with Daemon(program, data=inside + "/data") as daemon:
            expect(send(daemon, "ro", range(100, 150))[0] == 200, "nothing is taken after the repair")
            daemon.wait_for(lambda: len(count(daemon, "ro")) == 150, "all records after the repair")
            expect_all_once(count(daemon, "ro"), 150, "read-only disk: refused, read on, and after the repair")
    finally:
        subprocess.run(["umount", "-l", inside], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    checks = {"backup": check_backup, "retention": check_retention, "damage": check_damage, "disk": check_disk}
    if len(sys.argv) < 3 or sys.argv[1] not in checks:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(checks)} PROGRAM")
    checks[sys.argv[1]](os.path.abspath(sys.argv[2]))


main()
