"""``pytest hw_tests --target ...`` says last, and loudly, what it did not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurossm_converters.backends.lava import status

ROOT = Path(__file__).parents[2]


FAKE = ROOT / "tests/backends/loihi2/fake_loihi"
GOLDEN = len(list((ROOT / "hw_tests" / "golden").glob("*.nssm")))


def replay(target: str, *more: str, path: str = "") -> list[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "hw_tests", "--target"]
    done = subprocess.run(
        [*command, target, *more], cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


@pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here")
def test_without_the_chip_everything_is_skipped_and_the_last_line_says_why():
    lines = replay("loihi2")
    assert any(line.startswith("hw_tests target: loihi2, not usable: ") for line in lines)
    skipped = f"{5 * GOLDEN + 2} SKIPPED (lava-loihi is missing"
    assert lines[-1].startswith(f"hw_tests --target loihi2: 0 run, {skipped}")
    assert not any("passed" in line for line in lines)


@pytest.mark.lava
@pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here")
@pytest.mark.skipif(not status().usable, reason="no Lava")
def test_with_a_stand_in_the_golden_traces_are_replayed_and_nobody_calls_it_a_chip():
    lines = replay("loihi2:models=fake_models", "-k", "gated", path=str(FAKE))
    assert lines[-1].startswith("hw_tests --target loihi2:models=fake_models: 3 run, 2 SKIPPED (")
    assert "loihi2 has no operation counters that could be compared" in lines[-1]
    assert "power, energy and time were not asked for" in lines[-1]
    assert "; ran on: stand-in for a Loihi 2: neuro-core models that run as Python" in lines[-1]


def test_an_unknown_target_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "hw_tests", "--target", "tpu"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 4 and "--target: expected fast | reference |" in done.stderr


@pytest.mark.lava
@pytest.mark.skipif(not status().usable, reason="no Lava")
def test_the_bundle_replays_every_value_and_says_that_it_counts_nothing():
    lines = replay("bundle", "-k", "gated")
    assert lines[-1].startswith("hw_tests --target bundle: 3 run, 1 SKIPPED (bundle has no operati")
    assert lines[-1].endswith("; ran on: Lava's CPU simulator; NOT a chip")


def test_real_numbers_replay_nothing():
    lines = replay("float")
    assert lines[-1] == (
        f"hw_tests --target float: 0 run, {4 * GOLDEN + 2} SKIPPED (it computes real numbers, and"
        " the golden traces are integers)"
    )
