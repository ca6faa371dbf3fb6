"""From PyTorch to a float graph: the same spikes and logits; the unknown is refused by its path."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import BatchNorm, DiagonalSSM, PiecewiseLinear
from neurossm.piecewise import piecewise
from neurossm_converters.from_torch import from_torch
from neurossm_models import BinaryS4D, BinaryS4DConfig
from neurossm_models.network import Block

WIDTH, STATE, STEPS, SAMPLES = 8, 4, 20, 6
SCALE = 1 / 255
INPUTS = np.random.default_rng(0).integers(0, 256, (SAMPLES, STEPS, 2))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads wait for each other at every small operation, longest on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(mixing: str = "linear", **changes: object) -> BinaryS4D:
    """Return a network with random weights whose batch norms have seen data, in float64."""
    return deepcopy(seen_data(mixing, **changes))  # tests may alter it


@cache
def seen_data(mixing: str, **changes: object) -> BinaryS4D:
    torch.manual_seed(5)
    settings = {"in_features": 2, "classes": 3, "width": WIDTH, "state": STATE, "dropout": 0.1}
    settings |= {"mixing": mixing, "threshold": 0.3}
    model = BinaryS4D(BinaryS4DConfig(**(settings | changes))).double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.normal_()  # negative gains among them
                module.bias.normal_()
        for _ in range(5):
            model(torch.randn(16, STEPS, 2, dtype=torch.float64))
    return model.eval()


def in_torch(model: BinaryS4D) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return logits (B, classes) and the spikes of each block (B, T, width)."""
    x = torch.tensor(INPUTS * SCALE, dtype=model.encoder.weight.dtype)
    with torch.no_grad():
        recording = model.record(x)
    return recording.logits.numpy(), [s.numpy().transpose(0, 2, 1) for s in recording.spikes]


def assert_same(model: BinaryS4D, tolerance: float, scale: float = SCALE) -> None:
    graph = from_torch(model, steps=STEPS, scale=scale)
    logits, spikes = in_torch(model)
    trace = run(graph, INPUTS, "float")
    for index, expected in enumerate(spikes):
        assert 0.05 < expected.mean() < 0.95, "the test sees no spikes"
        np.testing.assert_array_equal(trace.values[f"blocks.{index}.spike"], expected)
    got = trace.values["output"][:, -1]
    np.testing.assert_allclose(got, logits, rtol=tolerance, atol=tolerance * np.abs(logits).max())


@pytest.mark.parametrize("discretization", ["zoh", "bilinear"])
def test_linear_mixing_is_exact(discretization):
    assert_same(network(discretization=discretization), 1e-9)


def test_single_precision_agrees_to_single_precision():
    assert_same(network().float(), 1e-5)


def test_glu_is_exact_where_torch_uses_the_same_segments(monkeypatch):
    node = piecewise("sigmoid", 1)
    knots, slopes, offsets = (torch.tensor(p) for p in (node.knots, node.slopes, node.offsets))

    def mixed(self: Block, s: torch.Tensor) -> torch.Tensor:
        value, gate = torch.einsum("oh,bhl->bol", self.mix.weight, s).add(
            self.mix.bias[:, None]).chunk(2, dim=1)  # fmt: skip
        segment = torch.searchsorted(knots, gate.contiguous(), right=True)
        return value * (slopes[segment] * gate + offsets[segment])

    model = network("glu")
    exact, _ = in_torch(model)
    monkeypatch.setattr(Block, "_mixed", mixed)
    assert np.abs(in_torch(model)[0] - exact).max() > 1e-6, "the segments were not used"
    assert_same(model, 1e-9)


def test_glu_differs_from_the_sigmoid_by_no_more_than_is_stated():
    # one block: its spikes are exact; each gate is wrong by max_error at most
    model = network("glu", layers=1)
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    logits, (spikes,) = in_torch(model)
    trace = run(graph, INPUTS, "float")
    np.testing.assert_array_equal(trace.values["blocks.0.spike"], spikes)
    (line,) = (n for n in graph.nodes.values() if isinstance(n, PiecewiseLinear))
    decoder = model.decoder.weight.detach().numpy()
    bound = line.max_error * np.abs(trace.values["blocks.0.mix.value"]).mean(1) @ np.abs(decoder).T
    distance = np.abs(trace.values["output"][:, -1] - logits)
    assert np.all(distance <= bound + 1e-12)
    assert distance.max() > 1e-6


@pytest.mark.parametrize("mixing", ["linear", "glu"])
def test_the_graph_has_no_norms_and_keeps_names_and_steps(mixing):
    model = network(mixing)
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    assert not any(isinstance(node, BatchNorm) for node in graph.nodes.values())
    ssm = graph.nodes["blocks.1.ssm"]
    assert isinstance(ssm, DiagonalSSM)
    assert (ssm.in_channels, ssm.modes, ssm.method) == (WIDTH, STATE // 2, "zoh")
    np.testing.assert_allclose(ssm.step_size, model.blocks[1].ssm.log_dt.exp().detach().numpy())
    assert graph.meta["steps"] == STEPS and graph.meta["input_scale"] == SCALE
    assert graph.nodes["readout"].steps == STEPS
    # 8 unsigned bits take 9 signed ones; 1/255 is nearest to 2**-8
    assert (graph.nodes["input"].out.bits, graph.nodes["input"].out.frac) == (9, 8)


def test_the_mean_is_right_at_its_last_step_only_and_the_sum_runs():
    model = network()
    trace = run(from_torch(model, steps=STEPS, scale=SCALE), INPUTS, "float")
    with torch.no_grad():
        running = model.forward_sequence(torch.tensor(INPUTS * SCALE)).numpy()
    part = np.arange(1, STEPS + 1)[:, None] / STEPS
    np.testing.assert_allclose(trace.values["output"], running * part, rtol=1e-9, atol=1e-9)


def test_another_scale_of_the_data_goes_into_the_encoder():
    one = run(from_torch(network(), steps=STEPS, scale=0.01), INPUTS, "float")
    x = torch.tensor(INPUTS * 0.01)
    with torch.no_grad():
        np.testing.assert_allclose(one.values["output"][:, -1], network()(x).numpy(), rtol=1e-8)


# -- refusals ------------------------------------------------------------------


def test_training_mode_is_refused_with_the_remedy():
    with pytest.raises(
        GraphError, match=r"evaluation mode, got training mode; call model.eval\(\)"
    ):
        from_torch(network().train(), steps=STEPS, scale=SCALE)


def test_an_unknown_module_is_refused_by_path_and_type_with_a_remedy():
    model = network()
    model.blocks[0].norm = nn.LayerNorm(WIDTH)
    with pytest.raises(
        GraphError, match=r"module 'blocks\.0\.norm'.*got LayerNorm; train with BatchNorm1d"
    ):
        from_torch(model.eval(), steps=STEPS, scale=SCALE)


def test_a_module_nobody_knows_is_refused_too():
    model = network()
    model.blocks[1].spike = nn.Tanh()
    with pytest.raises(GraphError, match=r"module 'blocks\.1\.spike'.*got Tanh"):
        from_torch(model.eval(), steps=STEPS, scale=SCALE)


def test_a_subclass_is_not_taken_for_its_base():
    class Louder(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    model = network()
    model.blocks[0].mix = Louder(WIDTH, WIDTH).double()
    with pytest.raises(GraphError, match=r"module 'blocks\.0\.mix'.*got Louder"):
        from_torch(model.eval(), steps=STEPS, scale=SCALE)
    other = network()
    other.decoder = Louder(WIDTH, 3).double()
    with pytest.raises(GraphError, match=r"module 'decoder'.*got Louder"):
        from_torch(other.eval(), steps=STEPS, scale=SCALE)


def test_a_norm_without_running_statistics_is_refused():
    model = network()
    model.blocks[0].ssm_norm = nn.BatchNorm1d(WIDTH, track_running_stats=False).double()
    with pytest.raises(GraphError, match=r"'blocks\.0\.ssm_norm'.*running statistics"):
        from_torch(model.eval(), steps=STEPS, scale=SCALE)


def test_another_model_is_refused():
    with pytest.raises(GraphError, match="model: expected BinaryS4D, got Linear"):
        from_torch(nn.Linear(2, 3).eval(), steps=STEPS, scale=SCALE)
