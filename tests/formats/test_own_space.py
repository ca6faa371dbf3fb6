"""Convolutions and pooling over space in a network of one's own: the graph computes its forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from own_networks import module as own
from torch import Tensor, nn
from torch.nn import functional as F

import neurossm
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import LIF, Affine, BatchNorm, Conv2d
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import array, from_torch

SAMPLES, STEPS, SPACE = 3, 5, (4, 7, 6)


def frames(seed: int = 1, space: tuple[int, ...] = SPACE) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(SAMPLES, STEPS, *space, generator=random)


def check(function: Callable[..., Any], x: Tensor | None = None, **parts: Any) -> neurossm.Graph:
    """Compare PyTorch and graph on data that the export did not see; return the graph."""
    x = frames() if x is None else x
    torch.manual_seed(0)
    model = own(function, **parts)
    graph = from_torch(model, x)
    other = frames(2, tuple(x.shape[2:])).clamp(-2, 2)
    unit = 2.0 ** graph.nodes["input"].out.frac
    given = np.rint(other.double().numpy() * unit).reshape(SAMPLES, STEPS, -1).astype(np.int64)
    with torch.no_grad():
        exact = torch.from_numpy(given / unit).view_as(other)
        expected = model.double()(exact).numpy()
    values = run(graph, {"input": given}, "float").values["output"]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(values.reshape(expected.shape), expected, rtol=1e-6, atol=1e-8)
    return graph


def each(m: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply to all steps at once, batch and time merged; flat features come back."""
    return function(x.flatten(0, 1)).flatten(1).unflatten(0, x.shape[:2])


CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 3, 3),
    "uneven": nn.Conv2d(4, 3, (2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1)),
    "groups": nn.Conv2d(4, 6, 3, padding="same", groups=2, bias=False),
    "depthwise": nn.Conv2d(4, 8, 2, groups=4, padding="valid"),
    "even, same": nn.Conv2d(4, 2, (2, 4), padding="same"),
    "one filter": nn.Conv2d(4, 1, 1),
}


@pytest.mark.filterwarnings("ignore:Using padding=.same.")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution(name):
    graph = check(lambda m, x: each(m, x, m.c), c=CONVOLUTIONS[name])
    assert [type(node).__name__ for node in graph.nodes.values()] == ["Input", "Conv2d", "Output"]
    node = graph.nodes["c"]
    assert node.windows.in_shape == SPACE and node.groups == CONVOLUTIONS[name].groups


@pytest.mark.filterwarnings("ignore:Using padding=.same.")
@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: F.conv2d(x, w, stride=2),
        lambda x, w: F.avg_pool2d(x, 2),
        lambda x, w: F.avg_pool2d(x, (3, 2), (1, 2), (1, 0)),
        lambda x, w: F.avg_pool2d(x, 2, divisor_override=1),
        lambda x, w: F.lp_pool2d(x.abs(), 1, 2),
        lambda x, w: F.adaptive_avg_pool2d(x, (1, 3)),
        lambda x, w: F.adaptive_avg_pool2d(x, 1),
        lambda x, w: F.conv1d(
            x.flatten(1, 2), w.flatten(1)[:2, :14, None].repeat(1, 1, 3), groups=2, padding=1
        ),
        lambda x, w: F.avg_pool1d(x.flatten(2), 3),
        lambda x, w: F.conv1d(x.flatten(2), w.flatten(2), padding="same"),
    ],
)  # fmt: skip
def test_functions_of_space(function):
    weight = nn.Parameter(torch.randn(3, 4, 2, 2))
    check(lambda m, x: each(m, x, lambda y: function(y, m.w)), w=weight)


@pytest.mark.parametrize("pool", [
    nn.AvgPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d((None, 2)), nn.AvgPool2d(1),
])  # fmt: skip
def test_layers_of_pooling(pool):
    check(lambda m, x: each(m, x, m.p), p=pool)


def test_step_by_step_is_all_at_once():
    parts = {"c": nn.Conv2d(4, 3, 3), "l": nn.Linear(60, 2)}

    def stepping(m: Any, x: Tensor) -> Tensor:
        steps = [m.l(m.c(x[:, t]).flatten(1)) for t in range(x.shape[1])]
        return torch.stack(steps, 1)

    graph = check(stepping, **parts)
    assert sum(isinstance(node, Conv2d) for node in graph.nodes.values()) == 1


def test_signals_over_a_line():
    x = frames(space=(3, 8))
    graph = check(lambda m, x: each(m, x, lambda y: m.p(m.c(y))), x, c=nn.Conv1d(3, 4, 3, stride=2),
                  p=nn.AvgPool1d(3))  # fmt: skip
    assert graph.nodes["c"].windows.in_shape == (3, 1, 8)
    assert graph.nodes["c"].windows.out_shape == (4, 1, 3)


def test_a_convolution_of_size_1_over_time_is_synapses_still():
    graph = check(lambda m, x: m.c(x.flatten(2).mT).mT, c=nn.Conv1d(168, 3, 1))
    assert isinstance(graph.nodes["c"], Affine)


def test_norms_fold_into_convolutions_on_either_side():
    norm, other = nn.BatchNorm2d(3), nn.BatchNorm2d(4)
    for bn in (norm, other):
        bn.running_mean.uniform_(-1, 1)
        bn.running_var.uniform_(0.5, 2)
        nn.init.uniform_(bn.weight, -2, 2)
        nn.init.uniform_(bn.bias, -1, 1)
    graph = check(lambda m, x: each(m, x, lambda y: m.n(m.c(m.o(y)))), c=nn.Conv2d(4, 3, 3),
                  n=norm, o=other)  # fmt: skip
    assert not any(isinstance(node, BatchNorm) for node in graph.nodes.values())
    assert [type(n).__name__ for n in graph.nodes.values()] == ["Input", "Conv2d", "Output"]


def convert_membrane(builder, path, module, source):
    channels = builder.nodes[source].out_channels
    ones, zeros = np.ones(channels), np.zeros(channels)
    tau = np.broadcast_to(array(module.leak).reshape(-1), (channels,))
    return builder.add(path, LIF(theta=ones, tau=tau, rho=zeros, kappa=zeros, reset="hard"), source)


class Membrane(nn.Module):
    """A leaky membrane over space, all steps at once, that resets to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.leak = nn.Parameter(torch.tensor(0.75))

    def forward(self, x: Tensor) -> Tensor:
        v, sent = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            v = self.leak * v + x[:, t]
            spikes = (v >= 1).to(x.dtype)
            v = v * (1 - spikes)
            sent.append(spikes)
        return torch.stack(sent, 1)


class FrontEnd(nn.Module):
    """Frames of events (B, T, C, H, W) to classes: what users write in front of a recurrence."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.one, self.pool = Membrane(), nn.AvgPool2d(3)
        self.second, self.two = nn.Conv2d(6, 8, 2), Membrane()
        self.out = nn.Linear(8 * 2 * 2, 4)

    def forward(self, x: Tensor) -> Tensor:
        merged = x.shape[:2]
        y = self.one(self.norm(self.first(x.flatten(0, 1))).unflatten(0, merged))
        y = self.second(self.pool(y.flatten(0, 1))).unflatten(0, merged)
        return self.out(self.two(y).flatten(2)).mean(1)


def front_end() -> tuple[neurossm.Graph, FrontEnd, Tensor]:
    torch.manual_seed(4)
    model = FrontEnd().eval()
    with torch.no_grad():
        model.norm.running_var.fill_(0.2)
        model.second.weight.mul_(4)
    events = (torch.rand(4, 20, 2, 9, 9) < 0.3).float()
    return from_torch(model, events, converters={Membrane: convert_membrane}), model, events


def test_a_front_end_for_events_becomes_integers_of_equal_rates():
    graph, model, events = front_end()
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    assert kinds == ["Input", "Conv2d", "LIF", "Conv2d", "Conv2d", "LIF", "Affine", "Accumulate",
                     "Output"]  # fmt: skip
    pool = graph.nodes["pool"]
    np.testing.assert_array_equal(pool.weight, 1.0)  # the ninth is in the weights behind
    np.testing.assert_allclose(
        graph.nodes["second"].weight, model.second.weight.detach().double().numpy() / 9
    )
    frac = graph.nodes["input"].out.frac
    given = {"input": (events.numpy() * 2.0**frac).reshape(4, 20, -1).astype(np.int64)}
    real = run(graph, given, "float", ("one", "two", "output"))
    with torch.no_grad():
        expected = model.double()(events.double()).numpy()
    np.testing.assert_allclose(real.values["output"][:, -1], expected, atol=1e-9)
    integers = Quantize()(graph, calibrate(graph, real))
    fast, reference = (run(integers, given, engine) for engine in ("fast", "reference"))
    assert np.array_equal(fast.values["output"], reference.values["output"])
    assert dict(fast.counts) == dict(reference.counts)
    found = run(integers, given, "fast", ("one", "two"))
    for name in ("one", "two"):
        spikes = found.values[name].sum(), real.values[name].sum()
        assert spikes[1] > 200 and abs(spikes[0] - spikes[1]) < 0.05 * spikes[1], name


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (nn.MaxPool2d(2), r"module 'p' \(MaxPool2d\): expected windows that are added up.*AvgPool"),
        (nn.AdaptiveMaxPool2d(2), "AdaptiveMaxPool2d.*AvgPool2d"),
        (nn.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), "count_include_pad"),
        (nn.LPPool2d(2, 2), "sums of windows: norm_type=1, got norm_type=2"),
        (nn.AdaptiveAvgPool2d(4), r"windows of one size, got \(4, 4\) windows over \(7, 6\)"),
        (nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), "zeros.*circular"),
        (nn.Conv2d(4, 2, 2, padding="same", dilation=3), "'same', of an even kernel with dil"),
        (nn.Conv2d(4, 2, 3, padding=4), r"padding.*at most \(2, 2\)"),
    ],
)
def test_what_synapses_cannot_do_is_named(function, message):
    with pytest.raises(GraphError, match=message):
        from_torch(own(lambda m, x: each(m, x, m.p), p=function), frames())


def test_functions_that_compare_are_named_too():
    with pytest.raises(GraphError, match=r"max_pool2d in model at test_own_space.*AvgPool2d"):
        from_torch(own(lambda m, x: each(m, x, lambda y: F.max_pool2d(y, 2))), frames())


def test_time_among_the_axes_of_space_is_named():
    with pytest.raises(GraphError, match=r"got batch and 4 features and time.*x\.flatten\(0, 1\)"):
        from_torch(own(lambda m, x: m.c(x.flatten(3).transpose(1, 2)), c=nn.Conv2d(4, 1, (1, 3))),
                   frames())  # fmt: skip
