"""Reading data of one's own that do not fit in memory: peak memory and samples a second.

Makes files of 250 steps x 140 channels in float32, goes once through each in batches of 256 as
training and calibration do, and removes them. Each row is a process of its own.

    python benchmarks/reading.py reading --samples 1000 10000 100000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

STEPS, CHANNELS, BATCH = 250, 140, 256
FORMS = (".npy", ".h5")


def main() -> None:
    """Write a file at a time, read it in another process, print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--read", type=Path, help="go through this file and print what it took")
    args = parser.parse_args()
    if args.read:
        print(json.dumps(went_through(args.read)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    print("| file | samples | size, GB | peak memory, MB | learn, samples/s | load, samples/s |")
    print("|---|---|---|---|---|---|")
    for form in FORMS:
        for samples in args.samples:
            path = args.folder / f"{samples}{form}"
            try:
                write(path, samples)
                found = measured(path)
                size = path.stat().st_size / 1e9
            finally:
                for made in args.folder.glob(f"{samples}*"):
                    made.unlink()
            print(f"| {form} | {samples:,} | {size:.2f} | {found['peak'] / 1e6:.0f} |"
                  f" {found['learn']:,.0f} | {found['load']:,.0f} |", flush=True)  # fmt: skip


def write(path: Path, samples: int) -> None:
    """Write a file of random values, block by block."""
    import h5py

    generator = np.random.default_rng(0)
    block = generator.standard_normal((500, STEPS, CHANNELS), dtype=np.float32)
    labels = np.arange(samples) % 10
    shape = (samples, STEPS, CHANNELS)
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["labels"] = labels
            inputs = file.create_dataset("inputs", shape, np.float32)
            for first in range(0, samples, len(block)):
                inputs[first : first + len(block)] = block[: samples - first]
        return
    np.save(path.with_name(f"{path.stem}_labels.npy"), labels)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, samples, len(block)):
            file.write(block[: samples - first].tobytes())


def measured(path: Path) -> dict[str, float]:
    """Return what another process measures on a file."""
    command = [sys.executable, __file__, str(path.parent), "--read", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def went_through(path: Path) -> dict[str, float]:
    """Learn the scale and load every sample, a batch at a time."""
    from neurossm_models.data import learn, load

    begin = time.perf_counter()
    facts = learn(path, valid=0.0, test=0.0)
    learned = time.perf_counter()
    data = load(path, facts=facts)
    total = 0
    for first in range(0, len(data), BATCH):
        batch = data.take(slice(first, first + BATCH))
        total += int(batch.inputs[:, -1, 0].sum()) + batch.clipped
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux gives KiB
    return {
        "peak": float(peak),
        "learn": len(data) / (learned - begin),
        "load": len(data) / (ended - learned),
    }


if __name__ == "__main__":
    main()
