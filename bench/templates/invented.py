#!/usr/bin/env python3
"""Writes logs of invented programs with their truth, and measures `evenkeel mine` on them.

    invented.py --evenkeel build/evenkeel [--online] [--seed 1] [--lines 2000] [--show PROGRAM]

The sentences are in programs.txt; how often each is logged falls off as in real logs (Zipf), and so does how often a
value of a kind comes. Measures as Zhu et al. (GA) and Jiang et al. (FGA, PA, FTA) define them. Nothing of the miner
may be tuned to a sentence here: they stand for programs that nobody has looked at.
"""
import argparse
import collections
import pathlib
import random
import re
import subprocess

HERE = pathlib.Path(__file__).parent
WORDS = """alpha bravo cedar delta ember falcon garnet harbor indigo jasper kestrel lumen maple nickel onyx pepper quartz
raven sable topaz umber velvet willow xenon yarrow zephyr amber basalt cobalt dune""".split()
FIRST = "alice bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy rupert sybil trent victor".split()
DOMAINS = "example.com example.org corp.test lan.test".split()


def pick(rng, items):
    """The first are the most frequent."""
    return items[min(int(rng.paretovariate(0.9)) - 1, len(items) - 1)]


def hexes(rng, digits):
    return "".join(rng.choice("0123456789abcdef") for _ in range(digits))


def camel(rng):
    return "".join(pick(rng, WORDS).title() for _ in range(rng.randint(2, 3)))


def path(rng):
    return "/" + "/".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4))) + rng.choice(["", ".log", "-1.db", "/7"])


KINDS = {
    "id": lambda r: r.choice("ABZ") + str(r.randint(10000, 999999)),
    "num": lambda r: str(int(r.lognormvariate(6, 2))),
    "small": lambda r: str(r.randint(0, 16)),
    "float": lambda r: f"{r.lognormvariate(1, 1):.{r.choice([1, 2, 3])}f}",
    "dur": lambda r: r.choice([f"{r.randint(1, 900)}ms", f"{r.uniform(0.1, 30):.2f}s", f"{r.randint(1, 90)}s"]),
    "hex": lambda r: hexes(r, 16),
    "hexaddr": lambda r: "0x" + hexes(r, 8),
    "hexshort": lambda r: hexes(r, 2),
    "uuid": lambda r: "-".join(hexes(r, n) for n in (8, 4, 4, 4, 12)),
    "ip": lambda r: ".".join(str(r.randint(1, 250)) for _ in range(4)),
    "port": lambda r: str(r.choice([80, 443, 5432, 6379, 9092, r.randint(30000, 60000)])),
    "status": lambda r: str(pick(r, [200, 304, 404, 500, 503])),
    "user": lambda r: pick(r, FIRST),
    "mail": lambda r: pick(r, FIRST) + "@" + pick(r, DOMAINS),
    "host": lambda r: r.choice([pick(r, WORDS) + str(r.randint(1, 9)), f"{pick(r, WORDS)}.{pick(r, DOMAINS)}"]),
    "node": lambda r: f"n{r.randint(1, 400):03d}",
    "path": path,
    "file": lambda r: rng_file(r),
    "clock": lambda r: f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}",
    "stamp": lambda r: f"2026-0{r.randint(1, 9)}-{r.randint(10, 28)} {KINDS['clock'](r)}",
    "version": lambda r: f"{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}",
    "word": lambda r: pick(r, WORDS),
    "words": lambda r: " ".join(pick(r, WORDS) for _ in range(r.randint(1, 5))),
    "camel": camel,
    "class": lambda r: "org.acme." + pick(r, WORDS) + "." + camel(r),
    "package": lambda r: "com." + pick(r, WORDS) + "." + pick(r, WORDS),
    "exception": lambda r: camel(r) + "Exception",
    "bool": lambda r: r.choice(["true", "false"]),
    "task": lambda r: f"attempt_{r.randint(10**9, 10**10)}_{r.randint(1, 9999):04d}_m_{r.randint(0, 99999):06d}_0",
    "block": lambda r: f"broadcast_{r.randint(0, 99)}_piece{r.randint(0, 3)}",
    "qid": lambda r: hexes(r, 10).upper(),
    "bool2": lambda r: r.choice(["on", "off"]),
    "smtp": lambda r: f"250 2.0.0 Ok: queued as {hexes(r, 10).upper()}",
    "opts": lambda r: pick(r, ["errors=remount-ro", "(null)", "data=ordered", "discard"]),
}
LISTS = {
    "carrier": "dhl ups fedex hermes tnt", "city": "Berlin Paris Oslo Rome Madrid Vienna Prague Lisbon",
    "bank": "sparbank nordea visa amex citi", "check": "database cache queue disk", "gstate": "up down draining idle busy",
    "sensor": "inlet outlet cpu0 cpu1 psu", "fstate": "full degraded online", "daemon": "crond sshd ntpd nginx cupsd bash dockerd mongod",
    "fs": "home scratch work", "verb": "EHLO RCPT DATA AUTH MAIL", "pool": "main io blocking perip",
    "jstate": "NEW SCHEDULED RUNNING SUCCEEDED FAILED", "prop": "io.sort.mb net.max.retries ui.theme.dark fs.cache.size",
    "rack": "r1 r2 null", "product": "lamp chair desk shelf sofa", "vmstate": "Started Stopped Paused Resumed", "iface": "eth0 eth1 wlan0 br0 docker0",
    "driver": "xhci_hcd ehci-pci e1000e", "dev": "sda sdb dm-0 nvme0n1", "duplex": "full half", "verdict": "DENIED ALLOWED",
}
PHRASES = {
    "reason": ["customer request", "fraud suspected", "out of stock", "worker lost"],
    "neterr": ["Connection refused", "Connection timed out", "No route to host", "Name or service not known"],
    "tlserr": ["certificate expired", "unknown ca", "no shared cipher"],
}
for name, text in LISTS.items():
    KINDS[name] = lambda r, items=text.split(): pick(r, items)
for name, items in PHRASES.items():
    KINDS[name] = lambda r, items=items: pick(r, items)


def rng_file(rng):
    return pick(rng, WORDS) + rng.choice([".csv", ".json", "-2.tar.gz"])


def programs():
    found, name = {}, None
    for line in (HERE / "programs.txt").read_text().splitlines():
        if line.startswith("[") and line.endswith("]") and " " not in line:
            name = line[1:-1]
            found[name] = []
        elif line and not line.startswith("# I") and not line.startswith("# W"):
            found[name].append(line)
    return found


def write_log(sentences, lines, seed):
    rng = random.Random(seed)
    order = sentences[:]
    rng.shuffle(order)
    weights = [1 / (rank + 1) for rank in range(len(order))]
    for _ in range(lines):
        sentence = rng.choices(order, weights)[0]
        yield sentence, re.sub(r"\{(\w+)\}", lambda match: KINDS[match[1]](rng), sentence)


def measure(truth, texts, ids):
    """GA, FGA, PA, FTA, and the sentences whose group is wrong."""
    by_truth, by_id = collections.defaultdict(set), collections.defaultdict(set)
    for number, (sentence, found) in enumerate(zip(truth, ids)):
        by_truth[sentence].add(number)
        by_id[found].add(number)
    right = {sentence for sentence, numbers in by_truth.items() if by_id[ids[min(numbers)]] == numbers}
    wanted = [re.sub(r"\{\w+\}", "<*>", sentence) for sentence in truth]
    same = sum(a == " ".join(b.split()) for a, b in zip(wanted, texts))
    good_texts = {text for text in set(texts) if {" ".join(text.split())} == {w for w, t in zip(wanted, texts) if t == text}}
    lines = sum(len(by_truth[sentence]) for sentence in right)

    def f1(good, a, b):
        return 2 * good / (a + b)
    return (lines / len(truth), f1(len(right), len(by_truth), len(by_id)), same / len(truth),
            f1(len(good_texts), len(set(wanted)), len(set(texts)))), [s for s in by_truth if s not in right], by_truth


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evenkeel", required=True)
    parser.add_argument("--online", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--show")
    options = parser.parse_args()
    rows = []
    for name, sentences in programs().items():
        log = list(write_log(sentences, options.lines, options.seed))
        out = subprocess.run([options.evenkeel, "mine", "--online" if options.online else "--assign", "-"], check=True, text=True,
                             input="".join(line + "\n" for _, line in log), capture_output=True).stdout.splitlines()
        ids, texts = zip(*(line.split("\t", 1) for line in out))
        truth = [sentence for sentence, _ in log]
        figures, wrong, members = measure(truth, texts, ids)
        rows.append(figures)
        print(f"{name:12}", *(f"{figure:.3f}" for figure in figures))
        if options.show in (name, "all"):
            for sentence in sorted(wrong, key=lambda s: -len(members[s])):
                print("   ", len(members[sentence]), sentence)
                for text, count in collections.Counter(texts[n] for n in members[sentence]).most_common(4):
                    print("         ", count, text)
    print(f"{'mean':12}", *(f"{sum(column) / len(rows):.3f}" for column in zip(*rows)), "  GA FGA PA FTA")


if __name__ == "__main__":
    main()
