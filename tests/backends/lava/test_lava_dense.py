"""The numbers of Lava's Dense that the executor relies on: should they change, Lava changed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.lava
TOP = 2**23 - 1


@pytest.fixture(scope="module")
def answers():
    every = np.arange(-128, 128).tolist()
    cases = {
        "rounded": dict(
            weights=[[w] for w in (3, -3, 255, -255, 300, -300, 1, -1)],
            messages=[[1]], message_bits=24, weight_exp=0,
        ),
        "doubled": dict(
            weights=[[2 * m] for m in every],
            messages=[[1], [-1], [TOP], [-TOP]], message_bits=24, weight_exp=-1,
        ),
        "binary": dict(
            weights=[[10, 20, 40, 80]], messages=[[1, 0, -1, 5]], message_bits=0, weight_exp=-1
        ),
        "wrapped": dict(
            weights=[[254] * 4], messages=[[TOP] * 4], message_bits=24, weight_exp=0
        ),
        "floored": dict(weights=[[-6]], messages=[[1]], message_bits=24, weight_exp=-2),
    }  # fmt: skip
    script = Path(__file__).with_name("dense_golden.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps(cases), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_odd_weights_lose_a_bit(answers):
    # measured; the reason for giving 2m
    assert answers["rounded"] == [[0] * 8, [2, -4, 254, -256, 254, -256, 0, -2]]


def test_doubled_mantissas_are_exact_and_one_step_late(answers):
    every = range(-128, 128)
    assert answers["doubled"][0] == [0] * 256
    for late, message in enumerate((1, -1, TOP, -TOP), start=1):
        assert answers["doubled"][late] == [m * message for m in every]


def test_zero_message_bits_make_every_message_a_one(answers):
    # 5 + 20 + 40: the reason for 24 bits on ternary messages
    assert answers["binary"] == [[0], [65]]


def test_the_accumulator_wraps_in_silence(answers):
    # 4 * 254 * (2**23 - 1) = 8522824712; less 2 * 2**32: the reason for the static bound
    assert answers["wrapped"] == [[0], [8522824712 - 2 * 2**32]] == [[0], [-67109880]]


def test_a_negative_exponent_floors(answers):
    # -6 / 4 = -1.5; exact only where the sum is a multiple
    assert answers["floored"] == [[0], [-2]]
