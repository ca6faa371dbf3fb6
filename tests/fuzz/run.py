"""Reads many mutated files in a child process, which may crash or hang, and says what came of them.

    python tests/fuzz/run.py --files 20000 [--format nssm --format nir] [--seed 0] [--keep DIR]

Each file has 5 s of processor time and 512 MiB of memory beyond what the process has before it. A
file that ends the child (a signal, a hang inside a C library) is a finding, and the next child goes
on behind it. Exit status 1 if there are findings. A finding can be read again by itself:

    python tests/fuzz/run.py --format nir --seed 0 --only 1234
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("child.py")
# Without an answer, however busy the machine is: it waits for something.
WALL_SECONDS = 120.0
START_SECONDS = 900.0  # imports, and compilers
SHOWN = 12


@dataclass
class Tally:
    """What came of the files of one format."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    memory: int = 0
    seconds: float = 0.0

    def add(self, number: int, kind: str, what: str, where: str) -> None:
        """Count one file."""
        self.counts[kind] += 1
        if kind == "finding":
            known = next((key for key in self.findings if key[0] == where and where), None)
            self.findings.setdefault(known or (where, what), []).append(number)


def campaign(name: str, seed: int, numbers: range, keep: Path | None) -> Tally:
    """Return what came of the mutants of these numbers."""
    tally, start = Tally(name), time.monotonic()
    while numbers:
        done = _child(tally, seed, numbers, keep)
        numbers = range(done, numbers.stop)
    tally.seconds = time.monotonic() - start
    return tally


def _child(tally: Tally, seed: int, numbers: range, keep: Path | None) -> int:
    """Run a child over these numbers; return the first one that is left to do."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), tally.name, str(seed), str(numbers.start),
             str(numbers.stop), *([str(keep.resolve())] if keep else [])],
            stdout=subprocess.PIPE, stderr=said, cwd=folder,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            at = _listen(child, tally, numbers)
        finally:
            child.kill()
            child.wait()
        said.seek(0)
        last = said.read()[-4000:].decode("utf-8", "replace")
    if at is None:
        return numbers.stop
    if at < numbers.start:
        raise SystemExit(f"{tally.name}: the child did not start\n{last}")
    how = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
    tally.add(at, "finding", f"the process ended or hung ({how})", _frame(last))
    return at + 1


def _listen(child: subprocess.Popen[bytes], tally: Tally, numbers: range) -> int | None:
    """Take in what the child says; return the number at which it ended, None if it finished."""
    assert child.stdout is not None
    at = numbers.start - 1
    while True:
        patience = START_SECONDS if at < numbers.start else WALL_SECONDS
        ready, _, _ = select.select([child.stdout], [], [], patience)
        line = child.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            return at
        said = json.loads(line)
        if said == "end":
            return None
        if isinstance(said, int):
            at = said
        else:
            tally.add(at, said["kind"], said["what"], said["where"])
            tally.memory = max(tally.memory, said["memory"])


def _frame(trace: str) -> str:
    """Return the innermost line of ours in what faulthandler printed."""
    for line in trace.splitlines():
        if 'File "' in line and "/neurossm" in line:
            file, _, rest = line.partition('File "')[2].partition('", line ')
            return f"{'/'.join(file.split('/')[-3:])}:{rest.partition(' ')[0]}"
    return ""


def table(tallies: list[Tally]) -> str:
    """Return the table of a campaign, and its findings."""
    lines = [f"{'format':18} {'files':>7} {'accepted':>9} {'refused':>8} {'findings':>9}"
             f" {'memory':>9} {'time':>7}"]  # fmt: skip
    total: Counter[str] = Counter()
    for one in tallies:
        total += one.counts
        lines.append(_row(one.name, one.counts, one.memory, one.seconds))
    lines.append(
        _row("all", total, max(t.memory for t in tallies), sum(t.seconds for t in tallies))
    )
    for one in tallies:
        for (where, what), numbers in list(one.findings.items())[:SHOWN]:
            lines.append(
                f"{one.name}: {len(numbers)} x {where or '?'}: {what} (first {numbers[0]})"
            )
    return "\n".join(lines)


def _row(name: str, counts: Counter[str], memory: int, seconds: float) -> str:
    kinds = (counts.total(), counts["accepted"], counts["refused"], counts["finding"])
    files, accepted, refused, findings = (f"{count:,}" for count in kinds)
    return (f"{name:18} {files:>7} {accepted:>9} {refused:>8} {findings:>9}"
            f" {memory / 2**20:>5.0f} MiB {seconds:>5.0f} s")  # fmt: skip


def main() -> int:
    """Run a campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000, help="in all, shared by the formats")
    parser.add_argument("--format", action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read only the mutant of this number")
    parser.add_argument("--keep", type=Path, help="folder for the files that are findings")
    options = parser.parse_args()
    sys.path[:0] = [str(TESTS), str(TESTS / "support")]
    from hostile.fuzzing.formats import by_name

    known = list(by_name())
    names = options.format or known
    for name in set(names) - set(known):
        parser.error(f"no format {name!r}; there are {', '.join(known)}")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-options.files // len(names)))
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    tallies = []
    for name in names:
        tallies.append(campaign(name, options.seed, numbers, options.keep))
        print(_row(name, tallies[-1].counts, tallies[-1].memory, tallies[-1].seconds),
              file=sys.stderr, flush=True)  # fmt: skip
    print(table(tallies))
    return 1 if any(tally.findings for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
