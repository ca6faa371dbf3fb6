"""What the GPU forms do on this card: right, how fast, how a training goes, how the integers run.

``python benchmarks/gpu.py`` takes at most six minutes on one GPU, prints one table and writes
``gpu.json``. Each part runs in a process of its own with a time limit of its own: one that fails or
does not end costs its own rows only, and what it measured before is kept. README.md beside it says
how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
ROOTS = (".", "models", "converters", "workflows", "cli")  # a checkout needs no installation
# shares of the whole time; a part that ends early leaves the rest to those behind it
SHARES = {"card": 0.06, "checks": 0.2, "speeds": 0.34, "integers": 0.15, "training": 0.25}


@dataclass(frozen=True)
class Ended:
    """How a part ended.

    Attributes
    ----------
    part
        Its name.
    seconds
        How long it took.
    problem
        Empty, or why it did not end well.
    rows
        What it measured, also where it did not end well.
    """

    part: str
    seconds: float
    problem: str
    rows: list[dict[str, Any]]


def main() -> int:
    options = _options()
    start, ended = time.monotonic(), []
    left = dict.fromkeys(options.parts)
    for part in options.parts:
        del left[part]
        shares = SHARES[part] + sum(SHARES[name] for name in left)
        rest = 60 * options.minutes - (time.monotonic() - start)
        done = run_part(part, max(5.0, rest * SHARES[part] / shares), options)
        ended.append(done)
        print(told(done), flush=True)
    if options.json:
        document = {one.part: vars(one) for one in ended}
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print(f"\nall numbers: {options.json}")
    return 1 if any(one.problem or _wrong(one) for one in ended) else 0


def run_part(part: str, seconds: float, options: argparse.Namespace) -> Ended:
    """Run a part in a child process; return its rows, complete or not."""
    with tempfile.TemporaryDirectory(prefix="neurossm-gpu-") as folder:
        rows, errors = Path(folder, "rows.jsonl"), Path(folder, "errors.txt")
        command = [
            sys.executable, str(HERE / "gpu_parts" / "run.py"), part, "--rows", str(rows),
            "--seconds", f"{0.9 * seconds:.0f}", "--device", options.device,
            "--samples", str(options.samples), "--recipe", options.recipe,
            "--checkpoint", str(options.checkpoint), "--data", options.data,
            "--data-dir", options.data_dir,
        ]  # fmt: skip
        begun, problem = time.monotonic(), ""
        with errors.open("w") as said:
            try:
                code = subprocess.run(
                    command, stdout=said, stderr=said, timeout=seconds, env=_environment(options)
                ).returncode
                problem = _last_line(errors) if code else ""
            except subprocess.TimeoutExpired:
                problem = f"ended after its {seconds:.0f} s"
        lines = rows.read_text("utf-8").splitlines() if rows.exists() else []
        return Ended(part, time.monotonic() - begun, problem, [json.loads(one) for one in lines])


def _environment(options: argparse.Namespace) -> dict[str, str]:
    paths = [str(HERE.parent / root) for root in ROOTS]
    old = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, *([old] if old else [])])}
    if options.device == "interpreter":
        environment["TRITON_INTERPRET"] = "1"
    return environment


def _last_line(file: Path) -> str:
    lines = [line for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _wrong(done: Ended) -> bool:
    return any(row.get("right") is False for row in done.rows)


def told(done: Ended) -> str:
    """Return a part's rows as a table, and how it ended."""
    lines = [
        f"\n## {done.part}: {done.seconds:.0f} s",
        *([f"!! {done.problem}"] if done.problem else []),
    ]
    names = list(dict.fromkeys(name for row in done.rows for name in row))
    if names:
        cells = [names, *([_cell(row.get(name)) for name in names] for row in done.rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
        lines += [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="for all parts together")
    parser.add_argument("--parts", nargs="+", choices=list(SHARES), default=list(SHARES))
    parser.add_argument("--json", default="gpu.json", help="file for all numbers; '' for none")
    parser.add_argument(
        "--device", choices=["cuda", "interpreter"], default="cuda",
        help="interpreter: small sizes without a GPU, which says nothing about speed",
    )  # fmt: skip
    parser.add_argument("--samples", type=int, default=10_000, help="of the integers")
    parser.add_argument("--recipe", default="spikingssm-psmnist-published", help="that is trained")
    parser.add_argument(
        "--checkpoint", type=Path,
        default=HERE.parent / "models" / "neurossm_models" / "checkpoints" / "spikingssm-smnist",
        help="whose integers run",
    )  # fmt: skip
    parser.add_argument("--data", default="mnist", help="what the checkpoint was trained on")
    parser.add_argument("--data-dir", default="", help="where the data lie")
    options = parser.parse_args()
    if not 0 < options.minutes < float("inf"):
        parser.error(f"--minutes: expected more than 0, got {options.minutes:g}")
    if options.samples < 1:
        parser.error(f"--samples: expected at least 1, got {options.samples}")
    if options.json and (problem := _unwritable(Path(options.json))):
        parser.error(f"--json {options.json}: {problem}")  # before minutes on a GPU, not after
    if options.device == "cuda" and not torch.cuda.is_available():
        no_gpu = "PyTorch finds no GPU here; --device interpreter checks without one"
        parser.exit(2, f"{parser.prog}: {no_gpu}\n")
    return options


def _unwritable(file: Path) -> str:
    if not file.parent.is_dir():
        return f"no folder {file.parent}"
    if file.is_dir():
        return "a folder"
    there = file if file.exists() else file.parent
    return "" if os.access(there, os.W_OK) else "no permission to write there"


if __name__ == "__main__":
    sys.exit(main())
