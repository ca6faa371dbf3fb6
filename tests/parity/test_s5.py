"""S5 as a graph and as integers: equal to the network, to the reference, on Lava; its QAT model."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.nodes import Affine, ComplexDiagonal
from neurossm.quantization import Quantize, calibrate
from neurossm.trace import units
from neurossm_converters.backends.lava import LavaOptions, run_timed
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.qat import QATModel
from neurossm_models import Network
from neurossm_models.families import FAMILIES
from neurossm_models.ste import ste_outputs
from neurossm_workflows.quantize import calibrate as ranges_on_data

STEPS = 20
PIXELS = np.random.default_rng(0).integers(0, 256, (6, STEPS, 2))
EXPORT = {"steps": STEPS, "scale": 1 / 255, "bits": 8}


@cache
def network() -> Network:
    torch.manual_seed(5)
    config = FAMILIES["s5"].config(
        in_features=2, classes=3, width=6, state=8, dt_min=0.02, dt_max=0.5, dropout=0.1
    )
    model = Network(config).double()
    for _ in range(5):  # batch norms see data
        model(torch.rand(16, STEPS, 2, dtype=torch.float64))
    return model.eval()


@cache
def integer_graph():
    floating = from_torch(network(), **EXPORT)
    return Quantize()(floating, calibrate(floating, run(floating, PIXELS, "float")))


def test_the_graph_is_the_network_but_for_the_segments_of_the_gate():
    model = network()
    graph = from_torch(model, **EXPORT)
    trace = run(graph, PIXELS, "float")
    recording = model.record(torch.tensor(PIXELS / 255))
    states = trace.values["blocks.0.states"][..., :4]
    np.testing.assert_array_equal(states > 0, recording.spikes[0].permute(0, 2, 1).numpy() > 0)
    logits = recording.logits.detach().numpy()
    assert np.abs(trace.values["output"][:, -1] - logits).max() < 0.02 * np.abs(logits).max()
    expected = "encoded into states out past both mix.value mix.gate mix.sigmoid mix.product sum"
    names = [name.removeprefix("blocks.0.") for name in graph.nodes if name.startswith("blocks.0.")]
    assert names == [*expected.split(), "add"]


def test_integers_agree_and_send_no_zeros():
    graph = integer_graph()
    expected = run(graph, PIXELS, "reference")
    found = run(graph, PIXELS, "fast")
    assert compare(expected, found, graph.order).first is None
    assert dict(found.counts) == dict(expected.counts)
    node = graph.nodes["blocks.0.states"]
    assert isinstance(node, ComplexDiagonal) and node.gate == "relu"
    sent = expected.values["blocks.0.states"]
    assert expected.counts["blocks.0.states"].spikes_out == np.count_nonzero(sent)
    assert 0.2 < np.mean(sent == 0) < 0.9


@pytest.mark.lava
def test_lava_equals_the_reference():
    graph, inputs = integer_graph(), PIXELS[:2, :8]
    options = LavaOptions(protocol="async", batch=2)
    found = run_timed(graph, inputs, "all", options).trace
    assert compare(run(graph, inputs, "reference"), found, graph.order).first is None


def test_a_pruned_network_has_sparse_synapses():
    torch.manual_seed(7)
    model = Network(replace(network().config, width=24, state=32, layers=1)).double().eval()
    with torch.no_grad():
        for name in ("into", "out", "gate"):
            weight = getattr(model.blocks[0], name).weight
            weight *= torch.rand_like(weight) < 0.1
    graph = from_torch(model, **EXPORT)
    for name in ("into", "out", "past", "mix.gate"):
        node = graph.nodes[f"blocks.0.{name}"]
        assert isinstance(node, Affine) and node.sparse
    zeros = (graph.nodes["blocks.0.into"].weight == 0).sum()
    assert zeros == (model.blocks[0].into.weight == 0).sum()  # the hold's gain keeps them


# -- quantization-aware training -----------------------------------------------


def traced():
    model = Network(network().config).eval()
    model.load_state_dict(network().state_dict())
    qat_model = QATModel(Quantize(), partial(ranges_on_data, data=PIXELS), **EXPORT)
    qat_model.calibrate(model)
    x = torch.tensor(PIXELS / 255, dtype=torch.float32)
    return model, x, qat_model, qat_model.run(model, PIXELS, None, record=True)


def test_the_logits_of_the_qat_model_are_the_integers():
    model, x, qat_model, found = traced()
    logits = ste_outputs(model, x, found)
    graph = qat_model.quantize(model)
    expected = run(graph, PIXELS, "reference").values["output"][:, -1] * units(graph)["output"]
    np.testing.assert_array_equal(logits.detach().double().numpy(), expected)
    assert list(found.rates) == ["blocks.0.states", "blocks.1.states"]


@pytest.mark.parametrize("form", ["native", "fft"])
def test_gradients_point_where_those_of_the_float_network_do(form):
    model, x, _, found = traced()
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    torch.nn.functional.cross_entropy(ste_outputs(model.use(ssm=form), x, found), labels).backward()
    ours = {name: p.grad for name, p in model.named_parameters()}
    plain = Network(network().config).double().eval()
    plain.load_state_dict(network().state_dict())
    torch.nn.functional.cross_entropy(plain(x.double()), labels).backward()
    for name, parameter in plain.named_parameters():
        a, b = ours[name].double().flatten(), parameter.grad.flatten()
        assert float(a @ b / (a.norm() * b.norm())) > 0.95, name
