"""``pytest hw_tests --target ...`` says last, and loudly, what it did not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from neurossm_converters.lava_backend import status

ROOT = Path(__file__).parents[2]


def replay(target: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "hw_tests", "--target"]
    done = subprocess.run(
        [*command, target], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


@pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here")
def test_without_the_chip_everything_is_skipped_and_the_last_line_says_why():
    lines = replay("loihi2")
    assert any(line.startswith("hw_tests target: loihi2, not usable: ") for line in lines)
    assert lines[-1].startswith(
        "hw_tests --target loihi2: 0 run, 18 SKIPPED (lava-loihi is missing"
    )
    assert not any("passed" in line for line in lines)


def test_an_unknown_target_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "hw_tests", "--target", "tpu"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 4 and "fast" in done.stderr
