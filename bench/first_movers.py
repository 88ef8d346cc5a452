#!/usr/bin/env python3
"""first_movers - how often a labelled culprit is among the first to move, beside the largest z-score on the same rows.

usage: first_movers.py PROGRAM petshop|sockshop|smd|asd FOLDER

PROGRAM is build/bench/first_movers: the method that answers `evenkeel moved`. FOLDER holds the set as its authors give it:
petshop   issues.csv, <scenario>/noissue.csv and the rows of each issue; a culprit is a series of the root cause's node
sockshop  cases.csv, <case>_normal.csv and _anomalous.csv; a culprit is a series of the service (its database counts as it)
smd, asd  interpretation.csv and <entity>_test.csv.gz; a culprit is a column that is named for the segment

What is asked for begins half an hour before the trouble (sockshop: a minute) and ends with it, as `evenkeel moved` would ask for an incident;
what is usual is learnt from the rows before. top-1, top-3: one of the first one, three, of the order told is a culprit. group: one of those that moved
together first is; it says little where a group is large, so its mean size stands beside it. z: the largest distance from the mean of
the rows before, in their standard deviations. strength: the same answer ordered by strength alone. chance: a random column first.
"""
import csv
import gzip
import math
import os
import re
import subprocess
import sys
import tempfile

LEAD_S = {1: 60, 60: 1800, 300: 1800}   # by step: what is asked for begins so long before the trouble
BEFORE_S = 3600         # before what is asked for, at least, and at least four times as long as that
DAY_ROWS = 288          # of petshop, five minutes apart


def read(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path, newline="")
    with opened as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def dicts(path):
    header, rows = read(path)
    return [dict(zip(header, row)) for row in rows]


def petshop(folder):
    for issue in dicts(os.path.join(folder, "issues.csv")):
        header, rows = read(os.path.join(folder, issue["file"]))
        normal = os.path.join(folder, issue["scenario"], "noissue.csv")
        own, history = read(normal if os.path.exists(normal) else os.path.join(folder, "high_traffic", "noissue.csv"))
        places = [own.index(name) if name in own else None for name in header]
        history = [[row[p] if p is not None else "" for p in places] for row in history[-DAY_ROWS:]]
        culprits = {name for name in header[1:] if name.split("|")[0] == issue["root_cause_node"]}
        yield header, history + rows, len(history) - LEAD_S[300] // 300, 300, culprits


def sockshop(folder):
    for case in dicts(os.path.join(folder, "cases.csv")):
        header, rows = read(os.path.join(folder, case["case"] + "_anomalous.csv"))
        own, history = read(os.path.join(folder, case["case"] + "_normal.csv"))
        history = [[row[own.index(name)] if name in own else "" for name in header] for row in history]
        service = case["root_cause_service"]
        culprits = {name for name in header[1:]
                    if re.sub(r"_(cpu|mem|lod|lat_\d+)$", "", name).removesuffix("-db") == service}
        yield header, history + rows, len(history) - LEAD_S[1], 1, culprits


def segments(folder, step):
    tables = {}
    for segment in dicts(os.path.join(folder, "interpretation.csv")):
        entity, start, end = segment["entity"], int(segment["start"]), int(segment["end"])
        if entity not in tables:
            tables = {entity: read(os.path.join(folder, entity + "_test.csv.gz"))}
        header, rows = tables[entity]
        columns = [i for i, name in enumerate(header) if name != "label"]
        first = max(start - LEAD_S[step] // step, 0)
        before = max(first - max(BEFORE_S // step, 4 * (end - first + 1)), 0)
        culprits = {f"m{dim}" for dim in segment["culprit_dims"].split()}
        yield ([header[i] for i in columns], [[row[i] for i in columns] for row in rows[before:end + 1]], first - before, step,
               culprits & set(header))


SETS = {"petshop": petshop, "sockshop": sockshop, "smd": lambda folder: segments(folder, 60), "asd": lambda folder: segments(folder, 300)}


def movers(program, header, rows, split, step):
    """(group, column, strength) in the order told."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", *header[1:]])
        for place, row in enumerate(rows):
            writer.writerow([1700000000 + step * place, *row[1:]])
        file.flush()
        answer = subprocess.run([program, file.name, str(1700000000 + step * split), str(1700000000 + step * len(rows))], check=True,
                                capture_output=True, text=True).stdout.splitlines()
    lines = list(csv.reader(answer[1:]))
    return [(line[0], line[1], float(line[-1])) for line in lines]


def by_z(header, rows, split):
    scores = []
    for column in range(1, len(header)):
        before = [float(row[column]) for row in rows[:split] if row[column]]
        after = [float(row[column]) for row in rows[split:] if row[column]]
        if len(before) < 2 or not after:
            continue
        mean = sum(before) / len(before)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in before) / len(before)) or 1e-9
        scores.append((max(abs(x - mean) for x in after) / deviation, header[column]))
    return [name for _, name in sorted(scores, key=lambda s: -s[0])]


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in SETS:
        sys.exit(__doc__)
    counts = {name: [0, 0] for name in ("first movers", "by strength", "largest z")}
    cases = groups = sizes = silent = 0
    chance = 0.0
    for header, rows, split, step, culprits in SETS[sys.argv[2]](sys.argv[3]):
        if split < 12 or not culprits:
            continue        # nothing says what is usual, or nobody is named
        cases += 1
        chance += len(culprits) / (len(header) - 1)
        moved = movers(sys.argv[1], header, rows, split, step)
        first = [name for group, name, _ in moved if group == "0"]
        groups += bool(culprits & set(first))
        sizes += len(first)
        silent += not moved
        orders = {"first movers": [name for _, name, _ in moved],
                  "by strength": [name for _, name, _ in sorted(moved, key=lambda m: -m[2])],
                  "largest z": by_z(header, rows, split)}
        for name, order in orders.items():
            counts[name][0] += bool(culprits & set(order[:1]))
            counts[name][1] += bool(culprits & set(order[:3]))
    print(f"{sys.argv[2]}: {cases} cases; in {silent} nothing moved; chance {chance / cases:.3f}")
    for name, (one, three) in counts.items():
        print(f"{name:14} top-1 {one / cases:.3f}  top-3 {three / cases:.3f}")
    print(f"{'first group':14} {groups / cases:.3f}, of {sizes / max(cases - silent, 1):.1f} series on average")


if __name__ == "__main__":
    main()
