"""The registration point, and a neuro-core model that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurossm.errors import TargetError
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import Settings, run

FAKE = Path(__file__).with_name("fake_loihi")
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(not status().usable, reason="no Lava"),
    pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here"),
]

REGISTER = """
import json
from neurossm_chip import runtime
runtime.ensure()
import fake_models
from lava.proc.lif.process import LIF
from neurossm_chip import register
from neurossm_chip.processes import neurons
from neurossm_chip.refusal import Refusal
from neurossm_chip.registry import registered

class Other(fake_models.NcSumModel):
    pass

register(neurons.Sum, fake_models.NcSumModel)  # again the same: nothing to complain of
refused = []
for process, model in (
    (LIF, fake_models.NcLIFModel), (neurons.Source, neurons.SourceModel),
    (neurons.Sum, fake_models.NcProductModel), (neurons.Sum, Other),
):
    try:
        register(process, model)
    except Refusal as refusal:
        refused.append(str(refusal))
kept = {process.__name__: model.__name__ for process, model in registered().items()}
print(json.dumps([refused, kept]))
"""


def test_what_is_registered_and_what_is_refused():
    path = str(FAKE)
    done = subprocess.run(
        [sys.executable, "-c", REGISTER],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    refused, kept = json.loads(done.stdout)
    assert [text.split(": ", 1)[1].split(" (")[0] for text in refused] == [
        "expected a process of neurossm_chip",
        "expected a process of neurossm_chip",
        "the process has the model NcSumModel already",
        "the process has the model NcSumModel already",
    ]
    assert refused[0].startswith("register(LIF, NcLIFModel)")
    # every process of the graph's node types but those of the host, and the readout of an S4d
    assert kept == {name: f"Nc{name}Model" for name in (
        "Affine", "DiagonalSSM", "Threshold", "TernaryThreshold", "LIF", "Embedding", "Sum",
        "Product", "PiecewiseLinear", "Accumulate", "Readout", "Conv2d", "AdaptiveLIF",
        "AdaptiveThreshold", "ComplexDiagonal", "ResonateAndFire",
    )}  # fmt: skip


def test_a_model_that_fails_ends_the_run_with_its_reason(golden, monkeypatch, tmp_path):
    (tmp_path / "failing_models.py").write_text(
        "import fake_models\n"
        "def run_spk(self):\n"
        "    raise ArithmeticError('no such microcode')\n"
        "fake_models.NcThresholdModel.run_spk = run_spk\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE), str(tmp_path)]))
    with pytest.raises(TargetError, match=r"process .* died: ArithmeticError: no such microcode"):
        run(golden("ssm"), Settings("loihi2", models=("failing_models",), time_limit=60))
    assert started_with(str(tmp_path)) == []


def started_with(text: str) -> list[str]:
    """Return the ids of the living processes that have a text in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text in environment.read_text(errors="replace"):
                found.append(environment.parent.name)
        except OSError:
            continue  # it ended while we read, or is not ours
    return found
