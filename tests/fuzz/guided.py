"""Coverage-guided fuzzing of one reader: libFuzzer by way of atheris, guided by lines of ours.

    pip install atheris        # optional, not among the tested dependencies
    python tests/fuzz/guided.py nssm --seconds 600 [--corpus DIR] [--seed 1] [--out DIR]

Mutants that reach new branches of our Python code are kept and mutated further; half of the
mutations know the format. A finding is printed and written to --out, and the search goes on. A
crash of a C library ends it, and libFuzzer writes the file. Exit status 1 if there are findings.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from hostile.fuzzing.bench import Bench

Mutate = Callable[[bytes, int], bytes]
PACKAGES = ["neurossm", "neurossm_models", "neurossm_converters"]
# Numba compiles what is in these; it does not know atheris's instructions
COMPILED = ("neurossm/engine", "models/neurossm_models/native")
LONGEST = 2**18


def main() -> None:
    """Fuzz one format; the process ends in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("format")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="kept mutants, to go on with")
    parser.add_argument("--out", type=Path, help="folder for findings")
    options = parser.parse_args()
    if find_spec("atheris") is None:
        sys.exit("atheris is not installed: pip install atheris")
    import atheris

    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests), str(tests / "support")]
    warnings.simplefilter("error")
    folder = Path(tempfile.mkdtemp(prefix="neurossm-fuzz-"))
    corpus = (options.corpus or folder / "corpus").resolve()
    for path in (corpus, folder / "work", *([options.out] if options.out else [])):
        path.mkdir(parents=True, exist_ok=True)
    out = options.out and options.out.resolve()
    os.chdir(folder / "work")
    with atheris.instrument_imports(include=PACKAGES, exclude=compiled()):
        from hostile.fuzzing.bench import Bench
        from hostile.fuzzing.formats import by_name

        bench = Bench(by_name()[options.format], Path.cwd())
        ready = bench.ready()
        ready.__enter__()  # for the life of this process
    for number, seed in enumerate(bench.format.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    search = Search(bench, time.monotonic() + options.seconds, folder, out)
    flags = [f"-seed={options.seed}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=0",
             f"-artifact_prefix={out or corpus}/"]  # fmt: skip
    arguments = [sys.argv[0], *flags, str(corpus)]

    def mutate(content: bytes, longest: int) -> bytes:
        return bytes(atheris.Mutate(content, longest))  # another function once Fuzz runs

    atheris.Setup(arguments, search.read, custom_mutator=mutator(search, mutate))
    atheris.Fuzz()


def compiled() -> list[str]:
    """Return the full names of the modules of `COMPILED`, as atheris wants them."""
    root = Path(__file__).resolve().parents[2]
    return [
        f"{folder.removeprefix('models/').replace('/', '.')}.{file.stem}"
        for folder in COMPILED
        for file in (root / folder).rglob("*.py")
    ]


class Search:
    """Reads what libFuzzer makes, and keeps count.

    Parameters
    ----------
    bench
        What is fuzzed.
    end
        When the search ends, on the monotonic clock.
    folder
        What is removed then.
    out
        Where findings are kept, or None.
    """

    def __init__(self, bench: Bench, end: float, folder: Path, out: Path | None) -> None:
        self.bench, self.end, self.folder, self.out = bench, end, folder, out
        self.counts = {"accepted": 0, "refused": 0, "finding": 0}
        self.found: set[str] = set()
        self.sound: set[int] = set()

    def read(self, content: bytes) -> None:
        """Read one file."""
        if time.monotonic() > self.end:
            self.finish()
        result = self.bench.attempt(content)
        self.counts[result.kind] += 1
        if result.kind == "accepted":
            self.sound.add(hash(content))
        key = result.where or result.what
        if result.kind != "finding" or key in self.found:
            return
        self.found.add(key)
        print(f"FINDING {result.where}: {result.what}", flush=True)
        if self.out:
            name = f"{self.bench.format.name}-guided-{len(self.found)}"
            (self.out / name.replace(" ", "-")).write_bytes(content)

    def finish(self) -> NoReturn:
        """Say what was found and end: libFuzzer would end the process without asking Python."""
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items())
        files, name = sum(self.counts.values()), self.bench.format.name
        print(f"{name}: {files:,} files, {counts} ({len(self.found)} different)", flush=True)
        shutil.rmtree(self.folder)
        os._exit(1 if self.found else 0)


def mutator(search: Search, mutate: Mutate) -> Callable[[bytes, int, int], bytes]:
    """Return a mutator that knows the format half of the time, and is libFuzzer's own otherwise.

    Only what was accepted is edited: on damaged files the HDF5 library of the mutator itself may
    loop for ever.
    """
    format = search.bench.format

    def mutated(content: bytes, longest: int, seed: int) -> bytes:
        rng = Random(seed)
        if not format.edits or rng.random() < 0.5:
            return mutate(content, longest)
        sound = content if hash(content) in search.sound else rng.choice(format.seeds)
        changed = rng.choice(format.edits)(rng, sound, format.seeds)
        return changed if len(changed) <= longest else mutate(content, longest)

    return mutated


if __name__ == "__main__":
    main()
