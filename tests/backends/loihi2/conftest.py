"""Golden graphs as files, the commands in a child process, and the stand-in for lava-loihi."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neurossm.engine import run as run_engine
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, DiagonalSSM, Input, Output, Threshold
from neurossm.store import Golden, save
from neurossm_cli import main

ROOT = Path(__file__).parents[3]
FAKE = Path(__file__).with_name("fake_loihi")
C, T = 2, 40
CHIP = ("answers", "lava_nodes", "nssm", "own", "plan", "refusal")  # need no Lava


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


@pytest.fixture
def chip() -> SimpleNamespace:
    """The modules of the bundle that need no Lava, imported as they lie in it."""
    return SimpleNamespace(**{n: importlib.import_module(f"neurossm_chip.{n}") for n in CHIP})


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that gives a copy of one of the golden graphs, as a user's file."""

    def copy(name: str) -> Path:
        path = tmp_path / f"{name}.int.nssm"
        shutil.copyfile(ROOT / "hw_tests/golden" / f"{name}.nssm", path)
        return path

    return copy


@pytest.fixture
def deploy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Return a function that runs ``neurossm deploy`` here, with the stand-in on the path or not.

    Lava is started by a child process; only what is installed is asked here.
    """

    def run(*arguments: object, fake: bool = False) -> Done:
        if fake:
            monkeypatch.syspath_prepend(str(FAKE))
            monkeypatch.setenv("PYTHONPATH", str(FAKE))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["deploy", *map(str, arguments)])
        said = capsys.readouterr()
        return Done(int(ended.value.code), said.out, said.err)

    return run


def ints(values: Any, frac: Any, bits: int) -> Quantized:
    return Quantized(np.asarray(values, np.int64), frac, bits)


def network(
    thetas: tuple[int, int] = (500, 500), taus: tuple[int, int] = (3000, 3000),
    reset: str = "hard", kappa: int = 0, drive: int = 0, b: int = 64, b_frac: int = 6,
    membranes: tuple[int, int] = (30000, 30000), frac: Any = 8, leak: int = 12,
) -> Graph:  # fmt: skip
    """A layer of synapses that feeds what Lava has neurons for: Threshold, LIF, DiagonalSSM."""
    ssm = DiagonalSSM(
        a_re=ints([[29491, 16384], [-16384, 0]], 15, 16),
        a_im=ints([[8000, 0], [20000, -32000]], 15, 16),
        b_re=ints([[b, 100], [127, 50]], b_frac, 8), b_im=ints([[0, 10], [20, -64]], b_frac, 8),
        c_re=ints([[64, -100], [30, 64]], 6, 8), c_im=ints([[10, 0], [64, 5]], 6, 8),
        d=ints([64, -32], 6, 8), bias=ints([5, -7], 8, 24),
        drive_re=ints([[drive, 0], [0, 0]], [10, 10], 24),
        drive_im=ints([[0, 0], [0, 0]], [10, 10], 24),
        step_size=np.full(C, 0.01), method="zoh", out=Fixed(24, 8),
    )  # fmt: skip
    nodes = {
        "x": Input(channels=C, out=Fixed(10, 4)),
        "mix": Affine(weight=ints([[10, -20], [30, 40]], 4, 8), bias=ints([3, -9], 8, 24),
                      out=Fixed(18, 8)),
        "spike": Threshold(theta=ints(thetas, 8, 24)),
        "lif": LIF(theta=ints(membranes, frac, 24), tau=ints(taus, leak, leak + 1),
                   rho=ints([0, 0], leak, leak + 1), kappa=ints([kappa, kappa], frac, 24),
                   reset=reset),
        "ssm": ssm,
        "spikes": Output(channels=C, out=Fixed.binary()),
        "leaky": Output(channels=C, out=Fixed.binary()),
        "out": Output(channels=C, out=Fixed(24, 8)),
    }  # fmt: skip
    edges = (
        ("x", "mix"), ("mix", "spike"), ("mix", "lif"), ("mix", "ssm"),
        ("spike", "spikes"), ("lif", "leaky"), ("ssm", "out"),
    )  # fmt: skip
    return Graph(nodes, edges)


@pytest.fixture
def own_neurons(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes `network` with a golden vector."""

    def write(**changes: Any) -> Path:
        graph = network(**changes)
        inputs = {"x": np.random.default_rng(0).integers(-500, 501, (1, T, C))}
        golden = Golden.from_trace(inputs, run_engine(graph, inputs, "reference"), 0)
        save(tmp_path / "own.int.nssm", graph, (golden,))
        return tmp_path / "own.int.nssm"

    return write
