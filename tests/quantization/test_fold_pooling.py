"""Means of windows: sums, and what follows divides; batch norms beside convolutions."""

from itertools import pairwise

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, BatchNorm, Conv2d, Input, Output, Threshold
from neurossm.passes import fold_average_pooling, fold_batch_norm
from neurossm.quantization import Quantize, calibrate

GRADED = Fixed(8, 4)
ONE = np.ones(2, np.int64)
RNG = np.random.default_rng(2)


def chain(*nodes, fmt=GRADED):
    named = {"in": Input(channels=nodes[0].in_channels, out=fmt)}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["out"] = Output(channels=nodes[-1].out_channels)
    return Graph(named, tuple(pairwise(named)))


def conv(outs, ins, size, shape, padding=0, groups=1):
    return Conv2d(
        weight=RNG.standard_normal((outs, ins // groups, size, size)),
        bias=RNG.standard_normal(outs), in_shape=np.array((ins, *shape)), stride=ONE,
        padding=padding * ONE, dilation=ONE, groups=groups,
    )  # fmt: skip


def data(graph, fmt=GRADED):
    channels = graph.nodes["in"].out_channels
    return {"in": RNG.integers(fmt.low, fmt.high + 1, (2, 5, channels))}


def alike(left, right):
    given = data(left)
    found = [run(graph, given, "float").values["out"] for graph in (left, right)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12, atol=1e-12)


def mean(channels, size, shape):
    return Conv2d.sum_pool((channels, *shape), (size, size), (size, size), weight=1 / size**2)


def test_a_mean_of_nine_is_a_sum_and_the_synapses_behind_divide():
    graph = chain(mean(2, 3, (6, 6)), conv(3, 2, 2, (2, 2)))
    folded = fold_average_pooling(graph)
    np.testing.assert_array_equal(folded.nodes["n0"].weight, 1.0)
    np.testing.assert_array_equal(folded.nodes["n1"].weight, graph.nodes["n1"].weight * (1 / 9))
    np.testing.assert_array_equal(folded.nodes["n1"].bias, graph.nodes["n1"].bias)
    alike(graph, folded)


def test_means_behind_each_other_are_divided_once_for_all():
    graph = chain(mean(1, 3, (9, 9)), mean(1, 3, (3, 3)), Affine(weight=[[2.0]], bias=[1.0]))
    folded = fold_average_pooling(graph)
    assert folded.nodes["n0"].weight.flat[0] == folded.nodes["n1"].weight.flat[0] == 1.0
    assert folded.nodes["n2"].weight[0, 0] == pytest.approx(2 / 81, rel=1e-15)
    alike(graph, folded)


@pytest.mark.parametrize(
    "graph",
    [
        chain(mean(1, 2, (4, 4)), conv(1, 1, 2, (2, 2))),  # a power of two
        chain(mean(1, 3, (3, 3)), Threshold(theta=np.ones(1))),
        chain(conv(1, 1, 3, (3, 3)), Affine(weight=[[1.0]], bias=[0.0])),
    ],
)
def test_what_is_exact_or_has_no_synapses_behind_stays(graph):
    assert fold_average_pooling(graph) is graph


@pytest.mark.parametrize("fmt", [Fixed.binary(), Fixed(6, 3)])
def test_sums_and_means_of_powers_of_two_are_exact_as_integers(fmt):
    """The largest magnitude that can be there has as many bits as its sum needs."""
    graph = chain(mean(2, 2, (4, 4)), conv(3, 2, 2, (2, 2)), fmt=fmt)
    given = data(graph, fmt)
    integers = Quantize()(graph, calibrate(graph, run(graph, given, "float")))
    pool = integers.nodes["n0"]
    assert set(pool.weight.values.ravel().tolist()) == {1} and pool.only_adds
    assert pool.weight.frac == 2 and pool.out.frac == fmt.frac + 2
    assert pool.out.bits == (4 * fmt.high).bit_length() + 1
    trace = run(integers, given, "reference")
    real = run(graph, given, "float").values["n0"]
    np.testing.assert_array_equal(trace.values["n0"] * 2.0**-pool.out.frac, real)
    assert trace.counts["n0"].synaptic_multiplies == 0


# -- batch norms ----------------------------------------------------------------------------------


def norm(channels, size, offset=True):
    gain = RNG.uniform(0.5, 2, channels) * RNG.choice([-1, 1], channels)
    shift = RNG.standard_normal(channels) * offset
    return BatchNorm(gain=np.repeat(gain, size), offset=np.repeat(shift, size))


@pytest.mark.parametrize("groups", [1, 2])
def test_a_norm_behind_a_convolution_scales_its_filters(groups):
    graph = chain(conv(4, 2, 3, (5, 4), 1, groups), norm(4, 20))
    folded = fold_batch_norm(graph)
    assert list(folded.nodes) == ["in", "n0", "out"]
    gain = graph.nodes["n1"].gain[::20]
    expected = graph.nodes["n0"].weight * gain[:, None, None, None]
    np.testing.assert_array_equal(folded.nodes["n0"].weight, expected)
    alike(graph, folded)


@pytest.mark.parametrize(("padding", "offset"), [(0, True), (1, False)])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_norm_in_front_of_a_convolution_scales_what_it_takes(padding, offset, groups):
    graph = chain(norm(2, 20, offset), conv(4, 2, 3, (5, 4), padding, groups))
    folded = fold_batch_norm(graph)
    assert list(folded.nodes) == ["in", "n1", "out"]
    alike(graph, folded)


@pytest.mark.parametrize("channels", [1024, 1025])
def test_a_norm_that_nothing_takes_becomes_synapses_of_each_channel(channels):
    """Of many channels as a convolution over one position, in as many groups."""
    graph = chain(norm(channels, 1), Threshold(theta=np.zeros(channels)))
    folded = fold_batch_norm(graph, rest="affine")
    node = folded.nodes["n0"]
    assert isinstance(node, Affine if channels == 1024 else Conv2d)
    given = data(graph)
    left, right = (run(one, given, "float").values["n0"] for one in (graph, folded))
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "graph",
    [
        chain(norm(2, 20), conv(4, 2, 3, (5, 4), padding=1)),  # zeros of padding have no offset
        chain(norm(40, 1), conv(4, 2, 3, (5, 4))),  # a factor for each position
    ],
)
def test_a_norm_that_a_convolution_cannot_take_is_named(graph):
    with pytest.raises(GraphError, match=r"'n0' \(BatchNorm\).*got 'n1' \(Conv2d\)"):
        fold_batch_norm(graph)
