"""Networks with learned delays as graphs: their nodes, their integers, and their STE networks."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from delayed_networks import KINDS, STEPS, by_hand, network

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.nodes import Delay
from neurossm.quantization import Quantize, calibrate
from neurossm.store import Golden, save
from neurossm_chip import nssm
from neurossm_chip.plan import make_plan
from neurossm_chip.wiring import wire
from neurossm_converters.backends.lava import LavaOptions, run_timed
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.qat import QATModel
from neurossm_models import Network
from neurossm_models.ste import ste_outputs
from neurossm_workflows.quantize import calibrate as ranges_on_data

SCALE = 1 / 255
PIXELS = np.random.default_rng(3).integers(0, 256, (5, STEPS, 2))


@cache
def float_graph(kind: str) -> Graph:
    return from_torch(network(kind), steps=STEPS, scale=SCALE)


@cache
def integer_graph(kind: str) -> Graph:
    graph = float_graph(kind)
    return Quantize()(graph, calibrate(graph, run(graph, PIXELS, "float")))


def with_delays(kind: str, **changes: Any) -> Network:
    model = network(kind, **changes)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("neuron.delay"):
                parameter.copy_(torch.tensor([1.0, 1.5, 2.5, 3.4, 5.0, 1.2, 6.6]))
    return model


def test_recurrent_synapses_are_a_cycle_through_the_rounded_delays():
    graph = from_torch(with_delays("recurrent"), steps=STEPS, scale=SCALE)
    name = "blocks.1.neuron"
    assert graph.loops[1] == tuple(
        f"{name}{part}" for part in (".delay", ".recurrent", ".drive", "")
    )
    # as PyTorch rounds: halves to even
    assert graph.nodes[f"{name}.delay"].steps.tolist() == [1, 2, 2, 3, 5, 1, 7]
    assert set(graph.sources[f"{name}.drive"]) == {"blocks.1.linear", f"{name}.recurrent"}
    assert graph.nodes[name].theta.tolist() == [1.0] * 7


def test_many_synapses_of_spikes_meet_at_the_neurons_those_of_values_in_a_sum():
    graph = float_graph("both")
    name = "blocks.0.neuron"
    assert len(graph.sources[f"{name}.current"]) > 3
    assert graph.sources[f"{name}.drive"] == (f"{name}.current", f"{name}.recurrent")
    assert graph.sources[name] == (f"{name}.drive",)
    assert "blocks.1.neuron.drive" not in graph.nodes
    assert "blocks.1.neuron.recurrent" in graph.sources["blocks.1.neuron"]
    made = integer_graph("both")
    units = {made.nodes[name].out for name in graph.sources["blocks.1.neuron"]}
    assert len(graph.sources["blocks.1.neuron"]) > 3 and len(units) == 1


def test_delayed_synapses_are_a_bank_of_delays_with_each_weight_once():
    model = network("feed-forward")
    graph, linear, norm = float_graph("feed-forward"), model.blocks[1].linear, model.blocks[1].norm
    steps = np.rint(linear.delay.detach().numpy()).astype(int)
    gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().numpy()
    expected = gain[:, None] * linear.weight.detach().numpy()
    total, bias = np.zeros((7, 7)), np.zeros(7)
    for n in np.unique(steps):
        node = graph.nodes[f"blocks.1.linear.{n}"]
        weight = np.asarray(node.weight)
        np.testing.assert_array_equal(weight != 0, steps == n)
        total, bias = total + weight, bias + np.asarray(node.bias)
        (source,) = graph.sources[f"blocks.1.linear.{n}"]
        if n:
            delay = graph.nodes[source]
            assert isinstance(delay, Delay) and delay.steps.tolist() == [n] * 7
            (source,) = graph.sources[source]
        assert source == "blocks.0.neuron"
    np.testing.assert_allclose(total, expected, rtol=1e-12)
    offset = (norm.bias - norm.running_mean * torch.tensor(gain)).detach().numpy()
    np.testing.assert_allclose(bias, offset, rtol=1e-12)
    assert len(graph.sources["blocks.1.neuron"]) == len(np.unique(steps)) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_float_graph_spikes_as_the_equations_do(kind):
    trace = run(float_graph(kind), PIXELS, "float", "all")
    logits, spikes = by_hand(network(kind), PIXELS * SCALE)
    for index, expected in enumerate(spikes):
        np.testing.assert_array_equal(trace.values[f"blocks.{index}.neuron"], expected)
    np.testing.assert_allclose(trace.values["output"][:, -1], logits[:, -1], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_fast_equals_reference_and_both_follow_the_real_numbers(kind):
    graph = integer_graph(kind)
    expected, found = (run(graph, PIXELS, engine, "all") for engine in ("reference", "fast"))
    assert compare(expected, found, graph.order).first is None
    assert dict(found.counts) == dict(expected.counts)
    real = run(float_graph(kind), PIXELS, "float", "all").values["blocks.0.neuron"]
    assert 0.05 < real.mean() < 0.9
    assert (real != found.values["blocks.0.neuron"]).mean() < 0.02


@pytest.mark.lava
@pytest.mark.parametrize("kind", KINDS)
def test_lava_equals_reference(kind):
    graph, inputs = integer_graph(kind), PIXELS[:2, :12]
    options = LavaOptions(protocol="async", batch=2)
    found, expected = (
        run_timed(graph, inputs, "all", options).trace,
        run(graph, inputs, "reference"),
    )
    assert compare(expected, found, graph.order).first is None


def test_synapses_count_once_however_many_delays_there_are():
    """An activation works at as many synapses as its row of weights has, whichever they wait."""
    graph = integer_graph("feed-forward")
    trace = run(graph, PIXELS, "fast", "all")
    spikes = trace.values["blocks.0.neuron"]
    weights = [np.asarray(node.weight.values) for name, node in graph.nodes.items()
               if name.startswith("blocks.1.linear.")]  # fmt: skip
    waits = [int(name.rpartition(".")[2]) for name in graph.nodes
             if name.startswith("blocks.1.linear.")]  # fmt: skip
    expected = 0
    for n, weight in zip(waits, weights, strict=True):
        arrived = spikes[:, : STEPS - n].sum((0, 1))
        expected += int(arrived @ (weight != 0).sum(0))
    counted = sum(trace.counts[f"blocks.1.linear.{n}"].syn_ops for n in waits)
    assert counted == expected > 0
    assert sum((weight != 0).sum() for weight in weights) <= 49


def test_a_delay_of_one_step_fits_into_the_bundle(tmp_path):
    model = with_delays("recurrent")
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    graph = Quantize()(graph, calibrate(graph, run(graph, PIXELS, "float")))
    trace = run(graph, PIXELS[:1], "reference", "all")
    inputs = {"input": PIXELS[0]}
    values = {name: value[0] for name, value in trace.values.items()}
    states = {name: value[0] for name, value in trace.states.items()}
    save(tmp_path / "m.nssm", graph, (Golden(inputs, values, states),))
    file = nssm.read(str(tmp_path / "m.nssm"))
    wiring = wire(file)
    name = "blocks.0.neuron"
    assert wiring.units[name] == (f"{name}.recurrent", f"{name}.drive", name)  # one process
    assert make_plan(file, wiring=wiring).latencies["output"] > 0


def traced(kind: str) -> tuple[Network, torch.Tensor, Any]:
    model = network(kind).float()
    qat = QATModel(
        Quantize(), partial(ranges_on_data, data=PIXELS), steps=STEPS, scale=SCALE, bits=8
    )
    qat.calibrate(model)
    x = torch.tensor(PIXELS * SCALE, dtype=torch.float32)
    return model, x, qat.run(model, PIXELS, None, record=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_ste_network_has_the_values_of_the_integers_and_all_weights_learn(kind):
    model, x, made = traced(kind)
    logits = ste_outputs(model, x, made)
    assert torch.equal(logits, made.logits) and logits.unique().numel() > 6
    logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        learns = parameter.requires_grad and not name.endswith("delay")
        assert (parameter.grad is not None and parameter.grad.abs().max() > 0) == learns, name


@pytest.mark.parametrize("form", ["native", "loop"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_at_weights_that_integers_hold_are_those_of_the_network(kind, form):
    """Where rounding changes nothing the STE network is the network: weights of few bits."""
    leaks = {"tau": 0.0} if kind == "feed-forward" else {}  # halves of halves would be rounded
    model = network(kind, norm="none", **leaks).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith(("delay", "log_theta")):
                parameter.mul_(8).round_().div_(8)
    x = np.random.default_rng(1).integers(0, 2, PIXELS.shape)
    qat = QATModel(Quantize(), partial(ranges_on_data, data=x), steps=32, scale=1.0, bits=1)
    qat.calibrate(model)
    made = qat.run(model, x, None, record=True)
    spikes = model.use(neuron=form).record(torch.tensor(x, dtype=torch.float32)).spikes
    for index, expected in enumerate(spikes):
        assert torch.equal(made.values[f"blocks.{index}.neuron"].transpose(0, 1), expected.float())
    found = []
    for output in (
        ste_outputs(model, torch.tensor(x, dtype=torch.float32), made),
        model(torch.tensor(x, dtype=torch.float32)),
    ):
        model.zero_grad()
        (output * torch.arange(output.numel()).view(output.shape).cos()).sum().backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert len(found[0]) >= 5
    for name, grad in found[0].items():
        torch.testing.assert_close(grad, found[1][name], rtol=1e-3, atol=1e-5)
