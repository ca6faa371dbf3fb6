"""The benchmark of GPUs in Triton's interpreter: its parts, and those that fail or last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = list((ROOT / "hw_tests" / "golden").glob("*.nssm"))
CHECKPOINT = ROOT / "models" / "neurossm_models" / "checkpoints" / "binary-s4d-digits"


def benchmark(folder, *options):
    file = folder / "gpu.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--device", "interpreter"]
    command += ["--json", str(file), "--data", "digits", "--samples", "2", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done, json.loads(file.read_text())


def test_integers_are_those_of_the_other_engines(tmp_path):
    done, parts = benchmark(
        tmp_path, "--parts", "card", "integers", "--checkpoint", str(CHECKPOINT)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = parts["integers"]["rows"]
    assert len(rows) == len(GOLDEN) + 1 and all(
        row["right"] and row["values"] > 500 for row in rows
    )
    assert "no card: Triton's interpreter" in done.stdout and "mismatches" in done.stdout


def test_a_part_that_fails_costs_its_own_rows(tmp_path):
    done, parts = benchmark(
        tmp_path, "--parts", "integers", "training", "--checkpoint", str(tmp_path / "none")
    )
    assert done.returncode == 1
    assert "InputError" in parts["integers"]["problem"] and len(parts["integers"]["rows"]) == len(
        GOLDEN
    )
    assert parts["training"]["problem"] == "" and parts["training"]["rows"]


def test_a_part_ends_when_its_time_is_over(tmp_path):
    done, parts = benchmark(tmp_path, "--parts", "checks", "--minutes", "0.1")
    assert parts["checks"]["seconds"] < 10
    assert done.returncode == (1 if parts["checks"]["problem"] else 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [(("--json", "none/gpu.json"), "--json none/gpu.json: no folder none"),
     (("--json", "."), "--json .: a folder"),
     (("--samples", "0"), "--samples: expected at least 1, got 0"),
     (("--minutes", "nan"), "--minutes: expected more than 0, got nan")],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_measured(tmp_path, given, says):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--parts", "card", *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and says in done.stderr, done
    assert not done.stdout and not list(tmp_path.iterdir())


def test_without_a_gpu_one_line_says_so(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    says = "gpu.py: PyTorch finds no GPU here; --device interpreter checks without one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", says)
    assert not list(tmp_path.iterdir())
