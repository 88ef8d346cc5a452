"""estate_test - the estate itself: healthy when it starts, really broken by each fault, healthy again after it, and gone at the end."""
import os
import random
import shutil
import sys
import tempfile

from breaks import faults, harmless
from estate import Estate, wait_until


def main():
    peers, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    folder = tempfile.mkdtemp(prefix="evenkeel-estate-")
    try:
        with Estate(peers, folder) as estate:
            wait_until(lambda: not estate.ill(), "the estate to be healthy")
            for number, fault in enumerate(faults(seed, estate)):
                what = harmless(random.Random(f"{seed} {number}").random(), estate)
                wait_until(lambda: not estate.ill(), f"the estate to be healthy after {what}")
                fault.start()
                try:
                    wait_until(fault.is_broken, f"{fault.title}: the estate to be broken", 40)
                finally:
                    fault.heal()
                wait_until(lambda: not fault.is_broken() and not estate.ill(), f"{fault.title}: the estate to heal")
                print(f"{what}; {fault.title}: broken, healed", flush=True)
            pids = [process.pid for process in estate.processes.values()]
        left = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
        assert not left, f"still there: {left}"
        assert not os.path.ismount(os.path.join(folder, "outbox")), "the small filesystem is still mounted"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
