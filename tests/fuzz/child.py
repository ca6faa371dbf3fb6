"""The process that reads: says the number of each file before it, and what came of it after.

It is ended by its own timer where a C library does not come back, and says where on stderr.
Arguments: format, seed, first number, number behind the last, and a folder for findings or nothing.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import warnings
from pathlib import Path

LAST_SECONDS = 10.0  # of processor time a file; the reader itself is interrupted after 5


def main(name: str, seed: int, first: int, stop: int, keep: Path | None) -> None:
    """Read the mutants of a format."""
    from hostile.fuzzing.bench import Bench
    from hostile.fuzzing.formats import by_name

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    format = by_name()[name]
    bench = Bench(format, Path.cwd())
    with bench.ready():
        for number in range(first, stop):
            content = format.mutant(seed, number)
            print(number, file=answers)
            base = restart_peak()
            signal.setitimer(signal.ITIMER_VIRTUAL, LAST_SECONDS)
            found = bench.attempt(content)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            memory = max(0, resident("VmHWM:") - base)
            print(json.dumps({"kind": found.kind, "what": found.what, "where": found.where,
                              "memory": memory}), file=answers)  # fmt: skip
            if keep and found.kind == "finding":
                (keep / f"{name}-{seed}-{number}".replace(" ", "-")).write_bytes(content)
    print(json.dumps("end"), file=answers)


def restart_peak() -> int:
    """Let the peak of the memory begin at what there is now, and return that, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS:")


def resident(what: str) -> int:
    """Return a line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))


if __name__ == "__main__":
    warnings.simplefilter("error")
    faulthandler.enable()
    # the default action of SIGVTALRM ends the process; the place is printed before
    faulthandler.register(signal.SIGVTALRM, all_threads=False, chain=True)
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests), str(tests / "support")]
    chosen, *numbers = sys.argv[1:5]
    main(chosen, *map(int, numbers), Path(sys.argv[5]) if sys.argv[5:] else None)
