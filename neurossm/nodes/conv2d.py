"""Synapses of a convolution over two dimensions of space: shared weights, no memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import ACCUMULATOR_BITS, Quantized
from neurossm.nodes.arriving import Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Register, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.synaptic import findings, only_adds, synaptic_sum
from neurossm.nodes.traits import Meets, Role
from neurossm.nodes.values import Array, integers, mantissas, quantized, reals
from neurossm.nodes.windows import Windows, whole_numbers

AVERAGE = 0.01  # how far 8 bits may be from one over the size of a window
_LEAST = {"in_shape": (3, 1), "stride": (2, 1), "padding": (2, 0), "dilation": (2, 1)}  # size, end


@node
class Conv2d(Node):
    """Convolution: ``y[o, y, x] = sum w[o, i, k, l] u[i, y s - p + k d, x s - p + l d] + b[o]``.

    The sum is over the input channels i of the group of o and over the kernel (k, l); outside of
    the input nothing arrives. Channels are flattened in row-major order, so flattening what it
    sends is no operation. A convolution over one dimension has height 1. Sum pooling is a
    convolution of ones with as many groups as channels: it only adds.

    Integer: as of `Affine`, ``y = sat(sum w u + b)`` with ``out.frac = weight.frac + u.frac``;
    each filter may have an exponent of its own where each row of an `Affine` may. The bound of the
    accumulator counts a whole kernel at each position, also at borders. A synapse is where a weight
    that is not 0 meets a position inside the input.

    Parameters
    ----------
    weight
        ``(O, I / groups, kh, kw)``; one exponent for the tensor, or one a filter.
    bias
        ``(O,)``; integers with the exponents of the output, one a filter where the weight has so.
    in_shape
        ``(3,)``: I, H, W.
    stride, padding, dilation
        ``(2,)``: along height and width. Padding is added on both sides and is at most as wide as
        the kernel reaches.
    groups
        Groups of channels that do not see one another.
    """

    weight: Array = parameter("OJKL", bits="weight_bits", label="weights")
    bias: Array = parameter("O")
    in_shape: NDArray[np.int64]
    stride: NDArray[np.int64]
    padding: NDArray[np.int64]
    dilation: NDArray[np.int64]
    groups: int = 1

    role: ClassVar[Role] = Role.SYNAPSES
    meets: ClassVar[Meets] = Meets.ACCUMULATE
    message_reason: ClassVar[str] = "exact: fraction bits of weights and messages add up"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (size, least) in _LEAST.items():
            object.__setattr__(
                self, name, whole_numbers(f"Conv2d.{name}", getattr(self, name), size, least)
            )
        (outs, own, *_), channels = self.weight.shape, int(self.in_shape[0])
        if self.groups < 1 or channels % self.groups or outs % self.groups:
            expected = f"a number that divides {channels} channels and {outs} filters"
            raise GraphError("Conv2d.groups", expected=expected, got=str(self.groups))
        if own * self.groups != channels:
            expected = f"{channels // self.groups} input channels for each filter, in {self.groups}"
            raise GraphError("Conv2d.weight", expected=f"{expected} groups", got=str(own))
        self.windows.check()

    @cached_property
    def windows(self) -> Windows:
        """Its geometry."""
        (outs, _, *kernel), given = self.weight.shape, {}
        for name in _LEAST:
            given[name] = tuple(int(n) for n in getattr(self, name))
        geometry: dict[str, Any] = {"kernel": tuple(kernel), **given}
        return Windows(filters=outs, groups=int(self.groups), **geometry)

    @classmethod
    def sum_pool(
        cls,
        in_shape: tuple[int, int, int],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int] = (0, 0),
        weight: float = 1.0,
    ) -> Self:
        """Return sum pooling as a float node; average pooling with 1 / (kh kw) as the weight."""
        channels, one = in_shape[0], np.ones(2, np.int64)
        return cls(
            weight=np.full((channels, 1, *kernel), weight),
            bias=np.zeros(channels),
            in_shape=np.array(in_shape),
            stride=np.array(stride),
            padding=np.array(padding),
            dilation=one,
            groups=channels,
        )

    @property
    def in_channels(self) -> int:
        """I H W."""
        return math.prod(self.windows.in_shape)

    @property
    def out_channels(self) -> int:
        """O H' W'."""
        return math.prod(self.windows.out_shape)

    @cached_property
    def fan_out(self) -> Integers:
        """How many synapses each input has, fewer at borders: weights that are not 0, ``(C,)``."""
        return self.windows.fan_out(mantissas(self.weight)).ravel()

    @property
    def synapses(self) -> int:
        """Synapses that exist; each weight is shared by those of all its positions."""
        return int(self.fan_out.sum())

    @property
    def updates(self) -> int:
        """None: its sums are those of the neurons that receive them."""
        return 0

    @property
    def only_adds(self) -> bool:
        """True for ternary integer weights, as of `Affine`."""
        return only_adds(self.weight)

    @property
    def pools(self) -> bool:
        """True where it sums windows of each channel by itself, all with one weight, no bias."""
        weight = mantissas(self.weight)
        alike = bool(np.all(weight == weight.flat[0])) and weight.flat[0] > 0
        depthwise = self.groups == len(weight) and not np.any(mantissas(self.bias))
        fracs = self.weight.frac if isinstance(self.weight, Quantized) else 0
        return bool(alike and depthwise and weight[0, 0].size > 1 and np.ptp(fracs) == 0)

    @property
    def message_frac(self) -> int | NDArray[np.int64]:
        """Fraction bits of what it sends; by channel where filters have exponents of their own."""
        frac = self.bias.frac if isinstance(self.bias, Quantized) else 0
        return format_of(self).frac if isinstance(frac, int) else self.spread(frac)

    def spread(self, each: NDArray[Any]) -> NDArray[Any]:
        """Return a number a filter ``(O,)`` as one for each channel that it sends."""
        height, width = self.windows.out_size
        return np.repeat(np.asarray(each), height * width)

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of weights, their exponents and their sums."""
        weight, bias = quantized(self.weight), quantized(self.bias)
        yield from findings(weight, bias, format_of(self).frac, at)

    def bound(self, at: FanIn) -> Found:
        """Sum the larger end of each term; twice, in any order, in the accumulator."""
        u, weight, bias = at.total, reals(self.weight), self.spread(reals(self.bias))
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        low = self._sums(u.low, up) + self._sums(u.high, down) + bias
        high = self._sums(u.high, up) + self._sums(u.low, down) + bias
        sent, registers = at.message(Span(low, high))
        if not registers:
            return sent, ()
        magnitudes = np.asarray(sum(m.magnitude for m in at.operands))
        l1 = 2 * (self._sums(magnitudes, np.abs(weight)) + np.abs(bias))
        return sent, (Register("accumulator", l1, at.unit, ACCUMULATOR_BITS), *registers)

    def _sums(self, values: Reals, weight: Reals) -> Reals:
        """Return the sums ``(..., C)`` of values ``(..., C)``, without the bias."""
        shaped = values.reshape(*values.shape[:-1], *self.windows.in_shape)
        return self.windows.convolve(shaped, weight).reshape(*values.shape[:-1], -1)

    def notices(self, at: Change) -> Reals:
        """Return what matters to the filter that notices most, wherever its window lies."""
        shape = self.windows
        own = at.own.reshape(shape.filters, -1).min(axis=1)
        largest = np.abs(reals(self.weight)).max(axis=(2, 3))  # (O, I / groups)
        each = np.divide(own[:, None], largest, out=np.full(largest.shape, np.inf),
                         where=largest > 0)  # fmt: skip
        least = each.reshape(self.groups, -1, each.shape[1]).min(axis=1).ravel()
        return np.repeat(least, shape.in_shape[1] * shape.in_shape[2])

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC for each weight, position inside the input, and edge."""
        each = int(np.prod(self.weight.shape[:2]))
        positions = sum(
            (tap.outputs[0].stop - tap.outputs[0].start)
            * (tap.outputs[1].stop - tap.outputs[1].start)
            for tap in self.windows.taps()
        )
        return DenseOperations(matrix_macs=operands * each * positions)

    @property
    def extent(self) -> str:
        """Channels in and out."""
        return f"{self.in_channels} → {self.out_channels}"

    @property
    def note(self) -> str:
        """Its kernel and shapes, and whether it pools or only adds or subtracts."""
        shape = self.windows
        into, out = ("x".join(map(str, sizes)) for sizes in (shape.in_shape, shape.out_shape))
        what = "convolution"
        if self.pools:
            share = float(reals(self.weight).flat[0]) * shape.kernel[0] * shape.kernel[1]
            what = "average pooling" if abs(share - 1) < AVERAGE else "sum pooling"
        said = [f"{what} {shape.kernel[0]}x{shape.kernel[1]}, {into} → {out}"]
        if self.groups > 1 and not self.pools:
            said.append(f"{self.groups} groups")
        if self.only_adds and not self.pools:
            said.append("ternary weights")
        return ", ".join(said)

    @classmethod
    def drawn(cls, rng: np.random.Generator, **given: Any) -> Self:
        """Return a float convolution of random size with random parameters."""
        kernel = rng.integers(1, 4, 2)
        groups, own, each = (int(n) for n in rng.integers(1, 3, 3))
        dilation = rng.integers(1, 3, 2)
        reach = dilation * (kernel - 1)
        padding = rng.integers(0, reach + 1)
        sizes = 1 + np.maximum(reach - 2 * padding, 0) + rng.integers(0, 4, 2)
        made = {
            "weight": rng.standard_normal((groups * each, own, *kernel)),
            "bias": rng.standard_normal(groups * each),
            "in_shape": np.array([groups * own, *sizes]),
            "stride": rng.integers(1, 4, 2),
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        }
        return cls(**{**made, **given})

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield convolutions over two dimensions and one, in groups, and sum pooling."""
        yield cls.drawn(rng)
        yield cls.drawn(rng)
        one = np.ones(2, np.int64)
        yield cls(weight=rng.standard_normal((3, 2, 1, 3)), bias=rng.standard_normal(3),
                  in_shape=np.array([2, 1, 5]), stride=one, padding=np.array([0, 1]),
                  dilation=one)  # fmt: skip
        yield cls.sum_pool((2, 4, 5), (2, 2), (2, 2))

    @cached_property
    def _columns(self) -> tuple[Integers, Integers, Integers]:
        """Where the synapses of each input begin, their outputs and their weights."""
        inputs, outputs, values = self.windows.synapses(integers(self.weight))
        return np.searchsorted(inputs, np.arange(self.in_channels + 1)), outputs, values

    def step(self, at: Step) -> Integers:
        """Add up the synapses at which activations arrive, then the bias; saturate."""
        begin, outputs, weights = self._columns

        def column(channel: int) -> tuple[Integers, Integers]:
            synapses = slice(begin[channel], begin[channel + 1])
            return outputs[synapses], weights[synapses]

        acc = synaptic_sum(at, column, self.in_channels, self.out_channels, self.only_adds)
        return at.saturate(acc + self.spread(integers(self.bias)), format_of(self).bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Convolve: for each element of the kernel one product of matrices."""
        sums = self._sums(added(operands), reals(self.weight))
        return Evaluated(sums + self.spread(reals(self.bias)), {})
