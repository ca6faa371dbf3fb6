"""Batches of fine-tuning by the kernels of GPUs: what the fast engine gives, or one clear line."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import family_networks
import numpy as np
import pytest
import torch
from engine import test_without_kernel as unknown
from family_networks import PIXELS, SCALE, STEPS

from neurossm.errors import TargetError
from neurossm.quantization import Quantize
from neurossm_converters import batches, qat
from neurossm_converters.backends.gpu.device import device_of
from neurossm_converters.backends.gpu.program import Program
from neurossm_converters.qat import QATModel
from neurossm_workflows.quantize import calibrate as ranges_on_data

HERE = device_of("interpreter")
CUDA = torch.device("cuda", 0)
ENDS = np.array([STEPS, 3, 11, 1, 7, STEPS])
# so narrow that some saturate
NARROW = Quantize(pole_bits=8, weight_bits=5, state_bits=10, activation_bits=12)
KINDS = [
    ("binary-s4d", {"mixing": "linear", "delays": (2,), "readout": "sum"}, None),
    ("gsu", {}, ENDS), ("spikingssm", {"delays": (1, 3)}, ENDS),
    ("spike-ssm", {"readout": "last"}, ENDS),
]  # fmt: skip


def qat_models(pixels, settings=NARROW):
    """Return a QAT model on the CPU and one on the kernels, with ranges that are too small."""
    ranges = partial(ranges_on_data, data=pixels // 16)
    export = {"steps": STEPS, "scale": SCALE, "bits": 8}
    return [QATModel(settings, ranges, **export, device=device) for device in (None, HERE)]


@pytest.mark.parametrize(("family", "changes", "ends"), KINDS)
def test_a_batch_is_the_one_of_the_fast_engine(family, changes, ends, monkeypatch):
    model = family_networks.network(family, **changes).float()
    pixels = PIXELS if ends is None else PIXELS * (np.arange(STEPS) < ends[:, None])[:, :, None]
    runs, counts = [], []

    def counted(*arguments):
        sent = batches.run_batch(*arguments)
        counts.append(dict(sent.counts))
        return sent

    monkeypatch.setattr(qat, "run_batch", counted)
    for qat_model in qat_models(pixels):
        qat_model.calibrate(model)
        runs.append(qat_model.run(model, pixels, ends, record=True))
    cpu, here = runs
    for name in ("logits", "values", "parameters"):
        one, two = (getattr(run, name) for run in runs)
        one, two = ({"": one}, {"": two}) if name == "logits" else (one, two)
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            assert tensor.dtype == two[key].dtype and torch.equal(tensor, two[key]), key
    assert (cpu.rates, cpu.saturations, cpu.steps) == (here.rates, here.saturations, here.steps)
    assert counts[0] == counts[1]
    assert all(cpu.rates.values()), "agreement about silence says nothing"
    assert cpu.saturations or changes.get("mixing") == "linear"


def float_graph():
    qat_model = qat_models(PIXELS)[0]
    return qat_model.export(family_networks.network("gsu").float())


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as far as one asks what it is."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Turing")
    return monkeypatch


def test_networks_of_ours_run_on_a_cpu_and_on_a_gpu(gpu):
    for place in (torch.device("cpu"), CUDA):
        batches.check_runs_on(float_graph(), place)


def refusal(graph, place=CUDA):
    with pytest.raises(TargetError) as error:
        batches.check_runs_on(graph, place)
    said = str(error.value)
    assert "\n" not in said and said.endswith("--set train.device=cpu")
    return said


def test_what_does_not_run_on_a_gpu_is_said_before_the_training_starts(gpu):
    assert (
        "quantization-aware training on cuda:0: expected nodes that run there, got 'first', a"
        in refusal(unknown.GRAPH)
    )
    assert "expected an NVIDIA GPU with compute capability 8.0 or more, got mps" in refusal(
        float_graph(), torch.device("mps")
    )
    gpu.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert "8.0 or more, got Turing" in refusal(float_graph())
    gpu.setattr("neurossm.extras.find_spec", lambda name: None)
    assert "expected Triton, got no triton is installed; pip install" in refusal(float_graph())


def test_a_batch_that_does_not_fit(gpu):
    model, qat_model = family_networks.network("gsu").float(), qat_models(PIXELS)[1]
    qat_model.calibrate(model)
    full = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    with (
        patch.object(Program, "run", side_effect=full),
        pytest.raises(TargetError, match=r"a batch of 6, got CUDA out of memory; a smaller"),
    ):
        qat_model.run(model, PIXELS)
