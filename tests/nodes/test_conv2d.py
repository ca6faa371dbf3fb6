"""`Conv2d`: against the formula of its docstring, element by element, and numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.nodes import Arriving, Change, Conv2d, FanIn, Span, Step

SEEDS = range(8)
ONE = np.ones(2, np.int64)


def integer(node: Conv2d, rng: np.random.Generator, largest: int = 127) -> Conv2d:
    """Return a float node with random integers in place of its parameters."""
    weight = rng.integers(-largest, largest + 1, node.weight.shape)
    bias = rng.integers(-99, 100, node.bias.shape)
    return replace(
        node, weight=Quantized(weight, 3, 8), bias=Quantized(bias, 5, 24), out=Fixed(24, 5)
    )


def by_definition(node: Conv2d, weight, bias, u):
    """Return what it sends for ``(C,)``, and the synapses that worked, by seven loops."""
    channels, height, width = (int(n) for n in node.in_shape)
    outs, own, kh, kw = weight.shape
    (sy, sx), (py, px), (dy, dx) = node.stride, node.padding, node.dilation
    rows = (height + 2 * py - dy * (kh - 1) - 1) // sy + 1
    columns = (width + 2 * px - dx * (kw - 1) - 1) // sx + 1
    image = u.reshape(channels, height, width)
    sent, worked = np.zeros((outs, rows, columns), u.dtype), 0
    for o, y, x in np.ndindex(outs, rows, columns):
        sent[o, y, x] = bias[o]
        for i, k, l in np.ndindex(own, kh, kw):  # noqa: E741
            row, column = y * sy - py + k * dy, x * sx - px + l * dx
            if 0 <= row < height and 0 <= column < width:
                arriving = image[o // (outs // node.groups) * own + i, row, column]
                sent[o, y, x] += weight[o, i, k, l] * arriving
                worked += bool(arriving) and bool(weight[o, i, k, l])
    return sent.ravel(), worked


@pytest.mark.parametrize("seed", SEEDS)
def test_real_numbers_follow_the_definition(seed):
    rng = np.random.default_rng(seed)
    node = Conv2d.drawn(rng)
    u = rng.standard_normal((2, 3, node.in_channels))
    sent = node.evaluate([u[:, :1] * 0 + u]).sent
    assert sent.shape == (2, 3, node.out_channels)
    expected = [by_definition(node, node.weight, node.bias, row)[0] for row in u.reshape(6, -1)]
    np.testing.assert_allclose(sent.reshape(6, -1), expected, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fmt", [Fixed(8, 2), Fixed.binary(), Fixed.ternary()])
def test_integers_and_counters_follow_the_definition(seed, fmt):
    rng = np.random.default_rng(seed)
    node = integer(Conv2d.drawn(rng), rng, 3)
    u = rng.integers(fmt.low, fmt.high + 1, (3, node.in_channels))
    step = Step([u], [fmt], {})
    sent = node.step(step)
    found = [by_definition(node, node.weight.values, node.bias.values, row) for row in u]
    np.testing.assert_array_equal(sent, [row for row, _ in found])
    assert step.counts.syn_ops == sum(worked for _, worked in found)
    multiplies = 0 if fmt.is_spike or node.only_adds else step.counts.syn_ops
    assert step.counts.synaptic_multiplies == multiplies


def test_a_border_has_fewer_synapses():
    """3x3 kernel on 3x3 inputs, padding 1: 4 synapses for a corner, 6 an edge, 9 the middle."""
    node = Conv2d(
        weight=Quantized(np.ones((1, 1, 3, 3), np.int64), 0, 8),
        bias=Quantized(np.zeros(1, np.int64), 0, 24),
        in_shape=np.array([1, 3, 3]), stride=ONE, padding=ONE, dilation=ONE, out=Fixed(24),
    )  # fmt: skip
    expected = [4, 6, 4, 6, 9, 6, 4, 6, 4]
    assert node.windows.fan_out(node.weight.values).ravel().tolist() == expected
    for channel, synapses in enumerate(expected):
        step = Step([np.eye(9, dtype=np.int64)[channel : channel + 1]], [Fixed.binary()], {})
        node.step(step)
        assert step.counts.syn_ops == synapses
    assert node.dense(1).matrix_macs == sum(expected)
    assert node.parameters == 10


def test_fan_out_counts_weights_that_are_not_zero():
    rng = np.random.default_rng(4)
    for _ in range(6):
        node = integer(Conv2d.drawn(rng), rng, 1)
        sources, targets, weights = node.windows.synapses(node.weight.values)
        fan_out = np.bincount(sources, minlength=node.in_channels)
        np.testing.assert_array_equal(node.windows.fan_out(node.weight.values).ravel(), fan_out)
        matrix = np.zeros((node.out_channels, node.in_channels), np.int64)
        matrix[targets, sources] = weights
        assert len(set(zip(sources.tolist(), targets.tolist(), strict=True))) == len(sources)
        none = np.zeros(len(node.bias.values), np.int64)
        for channel in range(node.in_channels):  # a column of the matrix: one input alone
            alone = np.eye(node.in_channels, dtype=np.int64)[channel]
            column, _ = by_definition(node, node.weight.values, none, alone)
            np.testing.assert_array_equal(matrix[:, channel], column)


def test_sum_pooling_only_adds():
    node = Conv2d.sum_pool((2, 4, 4), (2, 2), (2, 2))
    assert node.pools
    assert node.note == "sum pooling 2x2, 2x4x4 → 2x2x2"
    assert node.extent == "32 → 8"
    u = np.arange(32.0).reshape(1, 1, 32)
    expected = [10, 18, 42, 50, 74, 82, 106, 114]  # 0 + 1 + 4 + 5, 2 + 3 + 6 + 7, ...
    assert node.evaluate([u]).sent.ravel().tolist() == expected
    assert not replace(node, bias=np.array([0.0, 1.0])).pools


def test_a_filter_may_have_an_exponent_of_its_own():
    node = Conv2d(
        weight=Quantized(np.ones((2, 1, 1, 1), np.int64), np.array([3, 5]), 8),
        bias=Quantized(np.zeros(2, np.int64), np.array([3, 5]), 24),
        in_shape=np.array([1, 1, 3]), stride=ONE, padding=0 * ONE, dilation=ONE, out=Fixed(24, 3),
    )  # fmt: skip
    assert node.message_frac.tolist() == [3, 3, 3, 5, 5, 5]
    assert not list(node.check(Arriving((Fixed.binary(),))))


def test_accumulators_are_bounded_by_a_whole_kernel():
    """127 x 9 weights of 127, times 2^23 - 1, twice, is far beyond 2^31; 12-bit inputs are not."""
    node = Conv2d(
        weight=Quantized(np.full((1, 1, 3, 3), 127), 0, 8),
        bias=Quantized(np.zeros(1, np.int64), 0, 24),
        in_shape=np.array([1, 1, 1]), stride=ONE, padding=ONE, dilation=ONE, out=Fixed(24),
    )  # fmt: skip
    ((_, got, remedy),) = node.check(Arriving((Fixed(24),)))
    assert got == f"2 * {9 * 127 * (2**23 - 1)}"
    assert "at most 20 bits" in remedy
    assert not list(node.check(Arriving((Fixed(20),))))


def test_bounds_hold_the_largest_sums():
    """Weights 1 and -2 on inputs from -1 to 3: from -7 to 5 inside, with the bias 10 more."""
    node = Conv2d(
        weight=np.array([[[[1.0, -2.0]]]]), bias=np.array([10.0]), in_shape=np.array([1, 1, 3]),
        stride=ONE, padding=np.array([0, 1]), dilation=ONE,
    )  # fmt: skip
    span, _ = node.bound(FanIn([Span(np.full(3, -1.0), np.full(3, 3.0))], [None], None))
    assert span.low.tolist() == [4, 3, 3, 9]
    assert span.high.tolist() == [12, 15, 15, 13]


def test_what_matters_behind_a_weight():
    node = Conv2d(
        weight=np.array([[[[4.0]]], [[[-0.5]]]]), bias=np.zeros(2), in_shape=np.array([1, 1, 2]),
        stride=ONE, padding=0 * ONE, dilation=ONE,
    )  # fmt: skip
    own, some = np.array([8.0, 6.0, 1.0, 9.0]), np.ones(2)
    assert node.notices(Change(own, some, [], some, 1)).tolist() == [1.5, 1.5]  # 6 / 4, 1 / 0.5


def test_sizes_beyond_64_bits_are_counted_as_they_are():
    largest = 2**31 - 1
    node = Conv2d(weight=np.ones((1, 1, 1, 1)), bias=np.zeros(1),
                  in_shape=np.array([1, largest, largest]), stride=ONE, padding=0 * ONE,
                  dilation=ONE)  # fmt: skip
    assert node.in_channels == node.out_channels == largest**2
    wide = replace(node, weight=np.ones((8, 1, 1, 1)), bias=np.zeros(8))
    assert wide.out_channels == 8 * largest**2 > 2**63


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_shape": np.array([2, 4])}, "in_shape.*3 whole numbers from 1 on"),
        ({"in_shape": np.array([2.0, 4.0, 4.0])}, "in_shape.*whole numbers"),
        ({"in_shape": np.array([2, 1, 4])}, "in_shape.*at least 3 x 3"),
        ({"in_shape": np.array([3, 4, 4])}, "input channels"),
        ({"stride": np.array([0, 1])}, "stride.*from 1 on"),
        ({"padding": np.array([3, 0])}, r"padding.*at most \(2, 2\)"),
        ({"padding": np.array([-1, 0])}, "padding.*from 0 on"),
        ({"groups": 3}, "groups.*divides 2 channels"),
        ({"groups": 2}, "1 input channels for each filter, in 2 groups"),
    ],
)
def test_what_does_not_hold_together_is_named(change, message):
    given = {"weight": np.ones((2, 2, 3, 3)), "bias": np.zeros(2), "in_shape": np.array([2, 4, 4]),
             "stride": ONE, "padding": 0 * ONE, "dilation": ONE}  # fmt: skip
    Conv2d(**given)
    with pytest.raises(GraphError, match=message):
        Conv2d(**{**given, **change})
