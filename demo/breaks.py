"""breaks - breaks an estate for real, one fault at a time, by seed; and does what harms nothing, in between.

    for fault in faults(seed, estate): fault.start(); ...; fault.is_broken(); ...; fault.heal()

It knows the estate and nothing else: neither what observes it nor what that ships. Each fault says what a person who looked would name as its
cause: words, one of which names the guilty part.
"""
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from application import Database
from estate import JOB, MIB, SERVICE


class Fault:
    """start() breaks, is_broken() looks at the estate itself, heal() is what a person would do; heal may come after something else healed it."""
    title, causes, began = "", (), None    # began: when its start had to wait

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
    """Somebody follows the parcels, and never asks for what is kept for him."""
    title, causes = "memory leak", (SERVICE,)

    def start(self):
        self.at_first = self.estate.application_bytes()
        self.estate.hand_in(b'{"label_bytes": %d}' % (1024 * self.chance.randrange(1000, 1600)), path="/follow")

    def is_broken(self):
        return not self.estate.runs("application") or self.estate.application_bytes() > self.at_first + 30 * MIB

    def heal(self):
        self.estate.end("application")
        self.estate.start("application")


class Slow(Fault):
    """Somebody's transaction holds the table most of the time."""
    title, causes = "slow dependency", ("postgres", SERVICE)

    def hold(self):
        try:
            while not self.over.is_set():
                database = Database(self.estate.ports["database"], 30)
                database.ask("BEGIN; LOCK TABLE parcel")
                self.over.wait(self.seconds)
                database.ask("COMMIT")
                database.close()
                time.sleep(0.05)
        except OSError:
            pass    # the database let go of it: a report that failed is not begun again

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
    """The batch job gets something that it is never done with. Games beside one another on a machine take turns."""
    title, causes = "runaway process", (JOB,)

    def start(self):
        self.turn = open(os.path.join(tempfile.gettempdir(), "processors.turn"), "w")
        fcntl.flock(self.turn, fcntl.LOCK_EX)
        self.began = time.time()
        with open(self.estate.path("state/today"), "w") as file:
            file.write(f"[{self.chance.randrange(10, 1000)}, 0]")
        os.rename(self.estate.path("state/today"), self.estate.path("inbox/today"))

    def seconds(self):
        group, ticks = self.estate.processes["job"].pid, 0
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{int(name)}/stat") as file:
                    words = file.read().rsplit(") ", 1)[1].split()
                ticks += int(words[2]) == group and sum(int(word) for word in words[11:13])
            except (ValueError, OSError):
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def is_broken(self):
        if not os.path.exists(self.estate.path("inbox/today")) or not self.estate.runs("job"):
            return False
        before = self.seconds()
        time.sleep(0.5)
        return self.seconds() > before + 0.02

    def heal(self):
        if self.is_broken():
            self.estate.end("job", signal.SIGKILL)
            self.estate.start("job")
        self.turn.close()


KINDS = (Killed, Filled, Deployed, Leaking, Slow, Burst, Expiring, Runaway)


def faults(seed, estate, only=()):
    """The faults of a seed, in its order; of these names alone, when some are given. Without a small filesystem nothing can fill it."""
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS if kind is not Filled or estate.small]
    chance.shuffle(kinds)
    return [kind(estate, random.Random(f"{seed} {kind.title}")) for kind in kinds if not only or kind.__name__.lower() in only]


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
