"""The commands in this process, and the files that they make from a tiny training on digits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neurossm_cli import main

TINY = (
    "train.epochs=1", "data.limit=96", "data.valid=48", "train.batch=16",
    "model.width=8", "model.state=8",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON on stdout; fails if anything else is there."""
        return json.loads(self.out)


Invoke = Callable[..., Outcome]


@dataclass(frozen=True)
class Files:
    """Made by the commands themselves: GLU and linear mixing, float and integer."""

    run: Path
    linear_run: Path
    floating: Path
    integer: Path


def invoke(*arguments: object) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return Outcome(ended.value.code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def neurossm() -> Invoke:
    return invoke


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("digits")
    made = Files(folder / "glu", folder / "linear", folder / "m.nssm", folder / "m.int.nssm")
    for run, mixing in ((made.run, "glu"), (made.linear_run, "linear")):
        sets = [f"--set={item}" for item in (*TINY, f"model.mixing={mixing}")]
        assert invoke("train", "binary-s4d-digits", *sets, "--out", run).status == 0
    assert invoke("export", made.run, "-o", made.floating).status == 0
    calibrated = invoke(
        "quantize", made.floating, "-o", made.integer, "--calibrate", "digits:train:16"
    )
    assert calibrated.status == 0
    return made
