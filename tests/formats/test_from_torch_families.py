"""Every family: the float graph is the PyTorch network, step by step, in double precision."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from family_networks import (
    PIXELS,
    SCALE,
    SPIKES,
    STATE,
    STEPS,
    WIDTH,
    in_parallel,
    network,
    pixels,
    some_input,
    step_by_step,
    use_segments,
)
from torch import nn

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.nodes import LIF, Affine, BatchNorm, Embedding, PiecewiseLinear
from neurossm_converters.formats.torch import from_torch
from neurossm_models import Network

TOLERANCE = 1e-9  # of the largest readout


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads wait for each other at every small operation, longest on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def assert_same(model: Network) -> None:
    """Compare spikes and readout at every step: graph, parallel form and recurrent form."""
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    trace = run(graph, PIXELS, "float")
    running, spikes = in_parallel(model, pixels(model))
    for index, expected in enumerate(spikes):
        rate = np.abs(expected).mean()
        assert 0.05 < rate < 0.95, f"the test sees no spikes: {rate}"
        name = f"blocks.{index}.{SPIKES[model.config.family]}"
        np.testing.assert_array_equal(trace.values[name], expected)
    close = {"rtol": 0, "atol": TOLERANCE * np.abs(running).max()}
    np.testing.assert_allclose(step_by_step(model, pixels(model)), running, **close)
    # the graph divides by L at once: its readout after t steps is t / L of the mean so far
    part = np.arange(1, STEPS + 1)[:, None] / STEPS
    np.testing.assert_allclose(trace.values["output"], running * part, **close)


CHANGES = {
    "binary-s4d": [{}, {"mixing": "linear"}, {"discretization": "bilinear"}, {"delays": (2, 1)}],
    "gsu": [{}, {"discretization": "bilinear", "init": "legs"}],
    "spikingssm": [{}, {"mixing": "linear"}, {"train_threshold": False}, {"delays": (3,)}],
    "spike-ssm": [{}, {"mixing": "linear", "init": "inv"}],
    "prf": [{}, {"train_threshold": True, "amplitude": 2.0}],
    "d-rf": [{}, {"taps": 1, "dendrites": 1}, {"taps": 16}],
    "delrec": [{}, {"reset": "hard"}],
}
FEED_FORWARD = {
    "silif": [{}, {"delays": (2, 1)}], "c-silif": [{}, {"layers": 3}],
    "s5-rf": [{}, {"layers": 4}, {"skip": False, "delays": (1,)}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "changes"),
    [(f, c) for f in CHANGES for c in (*CHANGES[f], {"norm": "none"})]
    + [(f, c) for f in FEED_FORWARD for c in FEED_FORWARD[f]],
)
def test_the_graph_is_the_network_step_by_step(monkeypatch, family, changes):
    use_segments(monkeypatch)
    assert_same(network(family, **changes))


@pytest.mark.parametrize("family", SPIKES)
def test_single_precision_agrees_to_single_precision(family):
    """The native kernels, too: they compute in float32."""
    model = network(family, layers=1).float()
    trace = run(from_torch(model, steps=STEPS, scale=SCALE), PIXELS, "float")
    logits = in_parallel(model, pixels(model))[0][:, -1]
    largest = np.abs(logits).max()
    # of the readout: rounding, or what the eight segments of sigmoid and gelu differ
    assert np.abs(trace.values["output"][:, -1] - logits).max() < 0.02 * largest


@pytest.mark.parametrize(("family", "gate"), [("spikingssm", "mix.value"), ("gsu", None)])
def test_the_segments_differ_by_no_more_than_is_stated(family, gate):
    # one block: its spikes are exact, and each gate, or each gelu, is wrong by max_error at most
    model = network(family, layers=1)
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    running, (spikes,) = in_parallel(model, pixels(model))
    trace = run(graph, PIXELS, "float")
    np.testing.assert_array_equal(trace.values[f"blocks.0.{SPIKES[family]}"], spikes)
    (line,) = (node for node in graph.nodes.values() if isinstance(node, PiecewiseLinear))
    carried = np.abs(trace.values[f"blocks.0.{gate}"]).mean(1) if gate else np.ones((1, WIDTH))
    decoder = np.abs(model.decoder.weight.detach().numpy())
    distance = np.abs(trace.values["output"][:, -1] - running[:, -1])
    assert np.all(distance <= line.max_error * carried @ decoder.T + 1e-12)
    assert distance.max() > 1e-6


# -- the membrane's threshold --------------------------------------------------


@pytest.mark.parametrize("family", ["spikingssm", "spike-ssm"])
def test_the_threshold_goes_into_the_state_space_layer(family):
    model = network(family)
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    block = model.blocks[1]
    theta = np.exp(block.neuron.log_theta.detach().numpy())
    assert np.ptp(theta) > 0.1, "the test sees one threshold only"
    node, ssm = graph.nodes["blocks.1.neuron"], graph.nodes["blocks.1.ssm"]
    _, bbar, c, d = block.ssm.discretized()
    norm = block.norm
    gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
    offset = norm.bias.detach().numpy() - norm.running_mean.numpy() * gain
    exact = {"rtol": 1e-14, "atol": 0}
    np.testing.assert_array_equal(node.theta, np.ones(WIDTH))
    np.testing.assert_allclose(ssm.c_re, c.real / theta[:, None], **exact)
    np.testing.assert_allclose(ssm.c_im, c.imag / theta[:, None], **exact)
    np.testing.assert_allclose(ssm.d, d * gain / theta, **exact)
    np.testing.assert_allclose(ssm.bias, d * offset / theta, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(ssm.b_re, bbar.real * gain[:, None], **exact)


def test_leak_trace_and_reset_are_those_of_the_neuron():
    model = network("spike-ssm")
    neuron = model.blocks[0].neuron
    node = from_torch(model, steps=STEPS, scale=SCALE).nodes["blocks.0.neuron"]
    np.testing.assert_array_equal(node.tau, neuron.tau.numpy())
    np.testing.assert_array_equal(node.rho, neuron.rho.numpy())
    # in units of the threshold, as trained
    np.testing.assert_allclose(node.kappa, np.exp(neuron.log_kappa.detach().numpy()), rtol=1e-14)
    assert node.reset == "soft" and node.has_trace
    hard = from_torch(network("spikingssm"), steps=STEPS, scale=SCALE).nodes["blocks.0.neuron"]
    assert isinstance(hard, LIF) and hard.reset == "hard" and not hard.has_trace


# -- the Gated Spiking Unit ----------------------------------------------------


def test_the_ternary_branch_has_pure_ternary_weights():
    model = network("gsu")
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    unit = model.blocks[0].unit
    weight = unit.weight.detach().numpy()
    n, m = graph.nodes["blocks.0.unit.n"], graph.nodes["blocks.0.unit.m"]
    least = model.config.fraction * np.abs(weight).max()
    np.testing.assert_array_equal(n.weight, np.sign(weight) * (np.abs(weight) >= least))
    assert set(np.unique(n.weight)) == {-1.0, 0.0, 1.0}
    scale = unit.scale.detach().numpy()
    np.testing.assert_allclose(n.bias, unit.bias_n.detach().numpy() / scale, rtol=1e-14)
    np.testing.assert_allclose(m.weight, weight * scale[:, None], rtol=1e-14)
    assert isinstance(n, Affine)
    assert graph.sources["blocks.0.unit.n"] == ("blocks.0.ssm",)
    assert graph.sources["blocks.0.unit.m"] == ("blocks.0.ternary",)


def test_scales_of_zero_and_below_it_move_exactly(monkeypatch):
    use_segments(monkeypatch)
    model = network("gsu")
    with torch.no_grad():
        model.blocks[0].unit.scale[:3] = torch.tensor([0.0, -0.5, 1e-6])
        model.blocks[1].unit.scale[0] = 0.0
        model.blocks[1].unit.bias_n[0] = 0.0  # then the product is 0 at all times
    assert_same(model)
    n = from_torch(model, steps=STEPS, scale=SCALE).nodes["blocks.0.unit.n"]
    assert not np.any(n.weight[0]) and n.bias[0] == 1


# -- tokens, names, structure --------------------------------------------------


@pytest.mark.parametrize(("vocabulary", "bits"), [(1, 2), (2, 2), (3, 3), (7, 4), (9, 5)])
def test_tokens_are_looked_up(vocabulary, bits):
    model = network("spikingssm", vocabulary=vocabulary, mixing="linear")
    graph = from_torch(model, steps=STEPS, scale=1)
    assert graph.nodes["input"].out == Fixed(bits, 0)
    assert isinstance(graph.nodes["encoder"], Embedding)
    tokens = some_input(model)
    trace = run(graph, tokens.numpy()[..., None], "float")
    logits = in_parallel(model, tokens)[0][:, -1]
    np.testing.assert_allclose(trace.values["output"][:, -1], logits, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("family", SPIKES)
def test_the_graph_has_no_norms_and_keeps_names(family):
    graph = from_torch(network(family), steps=STEPS, scale=SCALE)
    assert not any(isinstance(node, BatchNorm) for node in graph.nodes.values())
    assert graph.meta["family"] == family
    if family in FEED_FORWARD:
        assert list(graph.nodes) == ["input", "encoder", "blocks.0.neuron", "blocks.1.linear",
                                     "blocks.1.neuron", "decoder", "readout", "output"]  # fmt: skip
        return
    if "blocks.1.ssm" in graph.nodes:
        modes = {"prf": 1, "d-rf": 3}.get(family, STATE // 2)
        assert graph.nodes["blocks.1.ssm"].modes == modes
    expected = {
        "binary-s4d": "ssm spike mix.value mix.gate mix.sigmoid mix.product add",
        "gsu": "ssm ternary unit.n unit.m unit.product unit.gelu add",
        "spikingssm": "ssm neuron mix.value mix.gate mix.sigmoid mix.product add",
        "spike-ssm": "ssm neuron mix.value mix.gate mix.sigmoid mix.product add",
        "prf": "ssm spike mix middle spatial spatial_mix add",
        "d-rf": "ssm spike mix middle spatial spatial_mix add",
        "delrec": "linear neuron.delay neuron.recurrent neuron.drive neuron",
    }[family]
    names = [f"blocks.{i}.{name}" for i in (0, 1) for name in expected.split()]
    if names[0] == "blocks.0.linear":  # the encoder
        del names[0]
    assert list(graph.nodes) == ["input", "encoder", *names, "decoder", "readout", "output"]


def test_a_gelu_of_its_own_becomes_segments():
    model = network("binary-s4d", layers=1, norm="none")
    model.blocks[0].ssm_norm = nn.GELU()
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    trace = run(graph, PIXELS, "float")
    node = graph.nodes["blocks.0.ssm_norm"]
    assert isinstance(node, PiecewiseLinear) and node.function == "gelu"
    exact = nn.functional.gelu(torch.tensor(trace.values["blocks.0.ssm"])).numpy()
    distance = np.abs(trace.values["blocks.0.ssm_norm"] - exact)
    assert 1e-4 < distance.max() <= node.max_error + 1e-12
