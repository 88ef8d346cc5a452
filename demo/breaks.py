"""breaks - breaks an estate for real, one fault at a time, by seed; and does what harms nothing, in between.

    for fault in faults(seed, estate): fault.start(); ...; fault.is_broken(); ...; fault.heal()

It knows the estate and nothing else: neither what observes it nor what that ships. Each fault says what a person who looked would name as its
cause: words, one of which names the guilty part.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

from application import Database
from estate import MIB, SERVICE


class Fault:
    """start() breaks, is_broken() looks at the estate itself, heal() is what a person would do; heal may come after something else healed it."""
    title, causes = "", ()

    def __init__(self, estate, chance):
        self.estate, self.chance = estate, chance


class Killed(Fault):
    title = "service killed"

    def __init__(self, estate, chance):
        super().__init__(estate, chance)
        self.which, self.causes = chance.choice([("cache", ("redis",)), ("application", (SERVICE,))])

    def start(self):
        self.estate.end(self.which, signal.SIGKILL)

    def is_broken(self):
        return not self.estate.runs(self.which) and self.estate.hand_in()[0] != 200

    def heal(self):
        if not self.estate.runs(self.which):
            self.estate.start(self.which)


class Filled(Fault):
    title, causes = "small filesystem filled", ("outbox",)

    def start(self):
        self.left = self.chance.uniform(0.005, 0.02)
        with open(self.estate.path("outbox/parcels.dump"), "wb") as file:
            while self.estate.small_free() > self.left:
                file.write(os.urandom(128 << 10))
                file.flush()
                os.fsync(file.fileno())

    def is_broken(self):
        return self.estate.small_free() < 0.05

    def heal(self):
        if os.path.exists(self.estate.path("outbox/parcels.dump")):
            os.remove(self.estate.path("outbox/parcels.dump"))


class Deployed(Fault):
    title = "bad configuration deployed"

    def start(self):
        self.before = self.estate.deployed("front.conf")
        self.revision = self.estate.deploy("tidy the front", {"front.conf": self.estate.front_conf(self.chance.randrange(1, 1000))})
        self.causes = (self.revision, "tidy the front")

    def is_broken(self):
        return self.estate.hand_in()[0] == 502

    def heal(self):
        self.estate.deploy("the front as it was", {"front.conf": self.before})


class Leaking(Fault):
    title, causes = "memory leak", (SERVICE,)

    def settings(self, text):
        with open(self.estate.path("work/settings.json"), "w") as file:
            file.write(text)

    def start(self):
        self.at_first = self.estate.application_bytes()
        self.before = self.estate.deployed("settings.json")
        self.settings(self.estate.settings(remember_kib=self.chance.randrange(1000, 1600)))
        self.estate.processes["application"].send_signal(signal.SIGHUP)

    def is_broken(self):
        return not self.estate.runs("application") or self.estate.application_bytes() > self.at_first + 30 * MIB

    def heal(self):
        self.settings(self.before)
        self.estate.end("application")
        self.estate.start("application")


class Slow(Fault):
    """Somebody's transaction holds the table most of the time."""
    title, causes = "slow dependency", ("postgres", SERVICE)

    def hold(self):
        while not self.over.is_set():
            database = Database(self.estate.ports["database"], 30)
            database.ask("BEGIN; LOCK TABLE parcel")
            self.over.wait(self.seconds)
            database.ask("COMMIT")
            database.close()
            time.sleep(0.05)

    def start(self):
        self.over, self.seconds = threading.Event(), self.chance.uniform(3, 5)
        self.thread = threading.Thread(target=self.hold)
        self.thread.start()

    def is_broken(self):
        return self.estate.hand_in()[1] > 1

    def heal(self):
        self.over.set()
        self.thread.join()


class Burst(Fault):
    title, causes = "error burst in a log", (SERVICE,)

    def send(self):
        while not self.over.wait(self.pause):
            self.estate.hand_in(self.nonsense)

    def start(self):
        self.over, self.pause = threading.Event(), self.chance.uniform(0.03, 0.08)
        self.nonsense = self.chance.choice([b"{}", b'{"grams": "heavy"}', b"parcel please"])
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def is_broken(self):
        return self.thread.is_alive() and self.estate.hand_in(self.nonsense)[0] == 400

    def heal(self):
        self.over.set()
        self.thread.join()


class Expiring(Fault):
    title = "expiring certificate"
    causes = ("certificate", "front", "nginx")

    def start(self):
        self.estate.make_certificate(self.chance.choice([1, 2]))

    def is_broken(self):
        return self.estate.certificate_days() < 3

    def heal(self):
        self.estate.make_certificate(90)


class Runaway(Fault):
    title, causes = "runaway process", ("reckoner",)

    def start(self):
        tool = self.estate.path("bin/reckoner")
        with open(tool, "w") as file:
            file.write(f"#!{sys.executable}\nwhile True:\n    pass\n")
        os.chmod(tool, 0o755)
        self.processes = [subprocess.Popen([tool]) for _ in range(os.cpu_count() or 1)]

    def is_broken(self):
        def ticks(pid):
            with open(f"/proc/{pid}/stat") as file:
                return sum(int(word) for word in file.read().rsplit(") ", 1)[1].split()[11:13])
        before = sum(ticks(process.pid) for process in self.processes)
        time.sleep(1)
        return sum(ticks(process.pid) for process in self.processes) > before + 20

    def heal(self):
        while self.processes:
            process = self.processes.pop()
            process.kill()
            process.wait()


KINDS = (Killed, Filled, Deployed, Leaking, Slow, Burst, Expiring, Runaway)


def faults(seed, estate, count=len(KINDS)):
    """The faults of a seed, in its order. Without a small filesystem nothing can fill it."""
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS if kind is not Filled or estate.small]
    chance.shuffle(kinds)
    return [kind(estate, random.Random(f"{seed} {kind.title}")) for kind in kinds[:count]]


def harmless(seed, estate):
    """Something that happens every day and breaks nothing. Says what."""
    chance = random.Random(seed)
    what = chance.randrange(4)
    if what == 0:
        estate.deploy(f"say who wrote it, part {chance.randrange(1000)}",
                      {"front.conf": f"# kept by Robin, {chance.randrange(10000)}\n" + estate.front_conf(estate.ports["application"])})
        return "a comment deployed"
    if what == 1:
        estate.deploy("new revision", {"settings.json": estate.settings(revision=chance.randrange(10000))})
        return "settings deployed that change nothing"
    if what == 2:
        subprocess.run([sys.executable, "-c", "sum(range(3000000))"], check=True)
        return "a short job"
    for _ in range(5):
        estate.hand_in(b'{"grams": 20000}')
    return "a few heavy parcels"
