"""workers - each story, told with one worker and with four, must store the same blocks and decide the same, byte for byte."""
import glob
import subprocess
import sys


def told(scenario, story, workers):
    run = subprocess.run([scenario, "--workers", str(workers), "--dump", story], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{story} with {workers} workers: {run.stdout}{run.stderr}")
    return [line for line in run.stdout.splitlines() if line.startswith(("block ", "row "))]


stories = sorted(glob.glob("tests/scenarios/*.loop"))
compared = 0
for story in stories:
    one, four = told(sys.argv[1], story, 1), told(sys.argv[1], story, 4)
    if one != four or not one:
        sys.exit(f"{story}: {len(one)} blocks and rows with one worker, {len(four)} with four, and they differ")
    compared += len(one)
print(f"{len(stories)} stories, {compared} blocks and rows, equal")
