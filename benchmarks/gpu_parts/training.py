"""A training of a published size for as long as there is time: accuracy against time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def rows(options: Namespace) -> Iterator[dict[str, Any]]:
    """Yield each epoch as it ends; the run is stopped when the time is over."""
    if options.device != "cuda":
        yield {"epoch": 0, "note": "not in the interpreter: an epoch would take days"}
        return
    with tempfile.TemporaryDirectory(prefix="neurossm-gpu-run-") as folder:
        run = Path(folder, "run")
        command = [sys.executable, "-m", "neurossm", "train", options.recipe, "--out", str(run),
                   "--set", "train.device=cuda"]  # fmt: skip
        begun, seen = time.monotonic(), 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                while process.poll() is None and time.monotonic() < options.until:
                    time.sleep(0.5)
                    for line in _lines(run)[seen:]:
                        seen += 1
                        yield _row(json.loads(line), time.monotonic() - begun)
            finally:
                process.terminate()
        if process.returncode and time.monotonic() < options.until:
            raise SystemExit(f"neurossm train ended with {process.returncode}")
        if not seen:
            yield {"epoch": 0, "note": "no epoch ended in time"}


def _lines(run: Path) -> list[str]:
    log = run / "log.jsonl"
    text = log.read_text("utf-8") if log.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def _row(epoch: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "epoch": epoch["epoch"],
        "seconds since the start": seconds,
        "seconds": epoch["seconds"],
        "steps a second": epoch["step"] / epoch["epoch"] / epoch["seconds"],
        "train accuracy": epoch["train_accuracy"],
        "validation accuracy": epoch["valid_accuracy"],
    }
