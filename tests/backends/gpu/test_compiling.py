"""The kernels become machine code for an H100, with no GPU here: nothing of them spills."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import torch
import triton
import triton_compiled

from neurossm_converters.backends.gpu import launch
from neurossm_converters.backends.gpu.nodes.diagonal_ssm import lanes_of

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
WORDS, COUNT = torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int64)
END = 2**23 - 1
SHAPE = {"steps": 784, "channels": 64, "lanes": 640, "limit": END}


def machine_code(kernel: str, given: dict[str, object], warps: int, folder: Path) -> str:
    """Compile a kernel; return what its code takes, as the compiler's own tool says it."""
    function = getattr(launch.kernels(False), kernel)
    given = {"u": WORDS, "y": WORDS, "saturations": COUNT, **SHAPE, **given}
    given["ends"] = WORDS if given["ENDS"] else None
    made = triton_compiled.cubin_of(function, given, warps, str(folder / "cache")).asm
    assert ".target sm_90" in made["ptx"]
    path = folder / "kernel.cubin"
    path.write_bytes(made["cubin"])
    said = subprocess.run([CUOBJDUMP, "--dump-resource-usage", path],
                          capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
    assert f"Function {kernel}:" in said.stdout
    return said.stdout


def spilled(said: str) -> int:
    """Return the bytes of a thread that found no register."""
    (stack,), (local,) = (re.findall(rf"{what}:(\d+)", said) for what in ("STACK", "LOCAL"))
    return int(stack) + int(local)


# a few states, those of published networks, and more than any has
@pytest.mark.parametrize(
    ("modes", "real", "left", "wide", "ends"),
    [(1, True, False, False, False), (3, False, True, False, True), (16, False, True, True, True),
     (32, False, True, True, True), (64, False, True, True, True)],
)  # fmt: skip
def test_state_space_models(modes, real, left, wide, ends, tmp_path):
    filled = launch.power_of_two(modes)
    given = {
        "states": WORDS, "modes": WORDS, "table": WORDS, "state_limit": END, "N": modes,
        "MODES": filled, "REAL": real, "LEFT": left, "WIDE": wide, "ENDS": ends,
        "LANES": lanes_of(filled),
    }  # fmt: skip
    assert spilled(machine_code("diagonal_ssm", given, 1, tmp_path)) == 0


@pytest.mark.parametrize(
    ("reset", "trace", "moves", "ends"),
    [(0, False, False, False), (1, True, True, True), (2, True, False, True)],
)
def test_neurons(reset, trace, moves, ends, tmp_path):
    given = {
        "membranes": WORDS, "traces": WORDS if trace else None, "table": WORDS, "RESET": reset,
        "TRACE": trace, "SHIFTED": moves, "ENDS": ends, "LANES": 128,
    }  # fmt: skip
    assert spilled(machine_code("lif", given, 4, tmp_path)) == 0


@pytest.mark.parametrize("ends", [False, True])
def test_running_sums(ends, tmp_path):
    given = {"sums": WORDS, "right": 3, "below": 7, "most": 2**28, "left": 0,
             "term_limit": 2**17, "ENDS": ends, "LANES": 128}  # fmt: skip
    assert spilled(machine_code("accumulate", given, 4, tmp_path)) == 0


# a few taps, and the most that there may be
@pytest.mark.parametrize(("taps", "ends"), [(1, False), (5, True), (16, True)])
def test_thresholds_that_candidates_raise(taps, ends, tmp_path):
    given = {"candidates": WORDS, "thresholds": WORDS, "taps": WORDS, "K": taps,
             "TAPS": launch.power_of_two(taps), "ENDS": ends, "LANES": 128}  # fmt: skip
    assert spilled(machine_code("adaptive_threshold", given, 4, tmp_path)) == 0


@pytest.mark.parametrize(
    ("kernel", "states", "constants"),
    [("adaptive_lif", ("membranes", "adaptations"), {"RESET": 1, "BEFORE": True, "most": END}),
     ("resonate_and_fire", ("real", "imaginary"), {"SOFT": True, "BOTH": True}),
     ("complex_diagonal", ("real", "imaginary"), {"GATED": True, "state_limit": END})],
)  # fmt: skip
def test_neurons_of_two_states(kernel, states, constants, tmp_path):
    given = {**dict.fromkeys((*states, "table"), WORDS), **constants, "ENDS": True, "LANES": 128}
    assert spilled(machine_code(kernel, given, 4, tmp_path)) == 0


def test_spilling_is_seen(tmp_path):
    # 32 states, all in one thread
    given = {
        "states": WORDS, "modes": WORDS, "table": WORDS, "state_limit": END, "N": 32,
        "MODES": 32, "REAL": False, "LEFT": True, "WIDE": True, "ENDS": True, "LANES": 32,
    }  # fmt: skip
    assert spilled(machine_code("diagonal_ssm", given, 1, tmp_path)) > 0
