"""The kernels of Triton, in processes of their own: interpreted in one, compiled in another.

Triton decides when it is first imported whether it interprets or compiles.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def passed(files: list[Path], environment: dict[str, str]) -> str:
    environment = {**os.environ, "TRITON_INTERPRET": "0", **environment}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    return run.stdout


def test_interpreted_they_are_the_plain_forms():
    files = [HERE / f"checks/{part}.py" for part in ("neuron", "layer", "families", "given")]
    said = passed(files, {"TRITON_INTERPRET": "1"})
    assert " passed" in said and "skipped" not in said


def test_they_compile_for_gpus(tmp_path):
    said = passed([HERE / "compiled/kernels.py"], {"TRITON_CACHE_DIR": str(tmp_path)})
    assert " passed" in said and "skipped" not in said
