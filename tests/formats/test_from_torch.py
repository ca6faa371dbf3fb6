"""From PyTorch to a float graph: scales of data and readout go into the weights, norms fold."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from family_networks import PIXELS, SCALE, STATE, STEPS, WIDTH, in_parallel, network, pixels

from neurossm.engine import run
from neurossm.nodes import DiagonalSSM
from neurossm_converters.formats.torch import from_torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads wait for each other at every small operation, longest on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_graph_keeps_steps_scale_and_step_sizes():
    model = network("binary-s4d", mixing="linear")
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    ssm = graph.nodes["blocks.1.ssm"]
    assert isinstance(ssm, DiagonalSSM)
    assert (ssm.in_channels, ssm.modes, ssm.method) == (WIDTH, STATE // 2, "zoh")
    np.testing.assert_allclose(ssm.step_size, model.blocks[1].ssm.log_dt.exp().detach().numpy())
    assert graph.meta["steps"] == STEPS and graph.meta["input_scale"] == SCALE
    assert graph.nodes["readout"].steps == STEPS
    # 8 unsigned bits take 9 signed ones; 1/255 is nearest to 2**-8
    assert (graph.nodes["input"].out.bits, graph.nodes["input"].out.frac) == (9, 8)


def test_the_mean_is_right_at_its_last_step_only_and_the_sum_runs():
    model = network("binary-s4d", mixing="linear")
    trace = run(from_torch(model, steps=STEPS, scale=SCALE), PIXELS, "float")
    running, _ = in_parallel(model, pixels(model))
    part = np.arange(1, STEPS + 1)[:, None] / STEPS
    np.testing.assert_allclose(trace.values["output"], running * part, rtol=1e-9, atol=1e-9)
    longer = run(from_torch(model, steps=2 * STEPS, scale=SCALE), PIXELS, "float")
    np.testing.assert_allclose(longer.values["output"], trace.values["output"] / 2, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 1 / 16, 2.0])
def test_another_scale_of_the_data_goes_into_the_encoder(scale):
    model = network("binary-s4d", mixing="linear")
    one = run(from_torch(model, steps=STEPS, scale=scale), PIXELS, "float")
    with torch.no_grad():
        logits = model(pixels(model, scale)).numpy()
    np.testing.assert_allclose(one.values["output"][:, -1], logits, rtol=1e-8, atol=1e-9)
