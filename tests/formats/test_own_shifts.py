"""Tensors moved to later steps, with zeros in front, become delays."""

import numpy as np
import pytest
import torch
from own_networks import FEATURES, example, module
from torch import nn
from torch.nn import functional as F

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import Delay
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch

SAMPLES, STEPS, WIDTH = 3, 80, 5


def net(function):
    parts = {"a": nn.Linear(FEATURES, WIDTH), "h": nn.Linear(WIDTH, 2)}
    return module(function, **parts, p=nn.ConstantPad1d((2, 0), 0.0), z=nn.ZeroPad1d((1, -1)))


def zeros(n, width=WIDTH):
    return torch.zeros(SAMPLES, n, width)


# name: the forward, and the delays that it has
SHIFTS = {
    "pad and cut": (lambda m, x: m.a(x) + F.pad(m.a(x), (0, 0, 5, 0))[:, :-5], [5]),
    "pad by less than nothing": (lambda m, x: F.pad(m.a(x), (0, 0, 1, -1)), [1]),
    "cat of cut steps": (lambda m, x: torch.cat((zeros(63), m.a(x)[:, :-63]), 1), [63]),
    "cat, then cut": (lambda m, x: torch.cat((x.new_zeros(SAMPLES, 2, FEATURES), x), 1)[:, :STEPS],
                      [2]),
    "zeros like a piece": (lambda m, x: torch.cat((torch.zeros_like(x[:, :3]), x[:, :-3]), 1), [3]),
    "narrow": (lambda m, x: F.pad(m.a(x), (0, 0, 2, 0)).narrow(1, 0, STEPS), [2]),
    "features first": (lambda m, x: m.p(m.a(x).mT)[..., :-2].mT, [2]),
    "a layer that cuts too": (lambda m, x: m.z(m.a(x).mT).mT, [1]),
    "no step": (lambda m, x: F.pad(m.a(x), (0, 0, 0, 0)), []),
    "padded and taken back": (lambda m, x: F.pad(m.a(x), (0, 0, 4, 0))[:, 4:], []),
    "spikes": (lambda m, x: F.pad((m.a(x) >= 0.5).to(x.dtype), (0, 0, 4, 0))[:, :-4], [4]),
    "a filter over time": (
        lambda m, x: sum((k + 1) * F.pad(m.a(x), (0, 0, k, 0))[:, :STEPS] for k in range(3)),
        [1, 2],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_is_a_delay(name):
    function, delays = SHIFTS[name]
    network, x = net(function), example(SAMPLES, STEPS, FEATURES)
    graph = from_torch(network, x)
    nodes = graph.nodes.values()
    assert [int(n.steps[0]) for n in nodes if isinstance(n, Delay)] == delays
    ints = np.rint(x.double().numpy() * 2.0 ** graph.nodes["input"].out.frac).astype(np.int64)
    trace = run(graph, ints, "float", "all")
    with torch.no_grad():
        expected = network.double()(x.double())
    np.testing.assert_allclose(trace.values["output"], expected, rtol=0, atol=1e-9)
    if delays:
        assert not np.allclose(expected[:, delays[0] :], expected[:, : -delays[0]])
    integer = Quantize()(graph, calibrate(graph, trace))
    both = [run(integer, ints, engine, "all").values for engine in ("reference", "fast")]
    for node, values in both[0].items():
        np.testing.assert_array_equal(values, both[1][node])


def test_nothing_arrives_before_the_first_step_not_even_an_offset():
    network = net(lambda m, x: F.pad(m.a(x), (0, 0, 2, 0))[:, :-2])
    with torch.no_grad():
        network.a.bias.fill_(3.0)
    graph = from_torch(network, example(SAMPLES, STEPS, FEATURES))
    found = run(graph, np.zeros((1, 4, FEATURES), np.int64), "float").values["output"]
    assert found[0, :, 0].tolist() == [0, 0, 3, 3]


REFUSED = [
    (r"getitem in model.*one by 64; a shift is by 1 to 63",
     lambda m, x: F.pad(m.a(x), (0, 0, 64, 0))[:, :STEPS]),
    (r"getitem in model.*to earlier steps", lambda m, x: F.pad(m.a(x), (0, 0, 0, 2))[:, 2:]),
    (r"cat in model.*steps between zeros",
     lambda m, x: torch.cat((zeros(2), m.a(x)[:, 2:]), 1)),
    (r"getitem in model.*all steps, or one, got steps 0 to 78",
     lambda m, x: torch.cat((1 + zeros(2), m.a(x)[:, :-2]), 1)),
    (r"getitem in model.*all steps, or one, got steps 1 to 80", lambda m, x: m.h(m.a(x)[:, 1:])),
    (r"getitem in model.*all steps, or one, got steps 1 to 80", lambda m, x: m.a(x)[:, 1:]),
    (r"pad in model.*got padding; a graph sees past",
     lambda m, x: F.pad(m.a(x).mT, (2, 0), mode="reflect")[..., :-2].mT),
    (r"pad in model.*got padding", lambda m, x: F.pad(m.a(x), (0, 0, 2, 0), value=1.0)[:, :-2]),
    (r"pad in model.*got padding", lambda m, x: F.pad(m.a(x), (1, 0))[..., :-1]),
    (r"pad in model.*got padding", lambda m, x: m.h(F.pad(m.a(x), (0, 0, 2, 0)))[:, 2:]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "function"), REFUSED)
def test_what_is_no_shift_to_later_steps_is_refused(message, function):
    with pytest.raises(GraphError, match=message):
        from_torch(net(function), example(SAMPLES, STEPS, FEATURES))


def test_tokens_have_no_zero_to_be_shifted():
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (SAMPLES, STEPS)))
    network = module(lambda m, x: m.e(F.pad(x, (1, -1))), e=nn.Embedding(5, 3))
    with pytest.raises(GraphError, match="pad in model"):
        from_torch(network, tokens)
