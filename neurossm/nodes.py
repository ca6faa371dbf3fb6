"""The nodes of a graph: what each means as real numbers and as integers.

A node is a frozen value: parameters, their number formats, the format ``out`` of its messages.
It does not execute; `neurossm.engine.reference` is the specification of its integer meaning.

Glossary of shapes: ``C`` channels (features), ``N`` complex states kept a channel (half of the
published ``d_state``), ``K`` segments, ``u`` the input of a node at a time step, ``y`` its output.
``tz(p, k)`` is `neurossm.fixed.shift`, toward zero; ``sat`` saturates to the node's width.

Edges that converge on a node add, as in NIR, and must then share one number format. `Sum` and
`Product` take each edge as an operand of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized

Array = NDArray[np.float64] | Quantized


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """Base of all nodes; abstract.

    Attributes
    ----------
    out
        Number format of the messages it sends; None in a float graph (except at an `Input`, where
        it is the format of the data, and at nodes that spike).
    """

    out: Fixed | None = None

    separate_operands: ClassVar[bool] = False
    shapes: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        for name, letters in self.shapes.items():
            value = _as_parameter(getattr(self, name), f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, value)
            if len(value.shape) != len(letters):
                raise GraphError(
                    f"{type(self).__name__}.{name}",
                    expected=f"{len(letters)} axes ({', '.join(letters)})",
                    got=f"shape {value.shape}",
                )
            for letter, size in zip(letters, value.shape, strict=True):
                if sizes.setdefault(letter, size) != size or size == 0:
                    raise GraphError(
                        f"{type(self).__name__}.{name}",
                        expected=f"{letter} = {sizes[letter]}, not empty",
                        got=f"shape {value.shape}",
                    )
        kinds = {isinstance(getattr(self, name), Quantized) for name in self.shapes}
        if len(kinds) > 1:
            raise GraphError(
                type(self).__name__, expected="all parameters float or all integer", got="a mixture"
            )

    @property
    def in_channels(self) -> int:
        """Channels that it receives; 0 for an `Input`."""
        raise NotImplementedError

    @property
    def out_channels(self) -> int:
        """Channels that it sends."""
        return self.in_channels

    @property
    def states(self) -> int:
        """Real numbers of state that it carries from step to step."""
        return 0

    @property
    def parameters(self) -> int:
        """Real numbers among its parameters (a complex one counts as two)."""
        return sum(int(np.prod(getattr(self, name).shape)) for name in self.shapes)

    @property
    def is_integer(self) -> bool:
        """True where its parameters and messages are integers with formats."""
        return self.out is not None and all(
            isinstance(getattr(self, name), Quantized) for name in self.shapes
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            _equal(getattr(self, item.name), getattr(other, item.name)) for item in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Node):
    """Messages from outside: integers in the format `out`, at each step shape ``(C,)``.

    The real value of an input integer ``m`` is ``m * 2**-out.frac``, in a float graph too; any
    other scale of the data belongs into the weights behind it.
    """

    channels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)
        if self.out is None:
            raise GraphError("Input.out", expected="the number format of the data", got="none")

    @property
    def in_channels(self) -> int:
        """Nothing comes in through an edge."""
        return 0

    @property
    def out_channels(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Output(Node):
    """What leaves the graph: its one input, unchanged, shape ``(C,)``."""

    channels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Node):
    """Synapses: ``y = W u + b``.

    Integer: the sum of 8-bit mantissas times messages is exact in a 32-bit accumulator; the bias is
    added at the neuron and the result saturates: ``y = sat(W u + b)`` with
    ``out.frac = weight.frac + u.frac``. Where ``u`` is binary or ternary, weights are added and
    subtracted and nothing is multiplied.

    Parameters
    ----------
    weight
        ``(out, in)``; one exponent for the tensor.
    bias
        ``(out,)``; integers in the format of the output.
    """

    weight: Array
    bias: Array

    shapes: ClassVar[dict[str, str]] = {"weight": "OI", "bias": "O"}

    @property
    def in_channels(self) -> int:
        """Columns of the weight."""
        return self.weight.shape[1]

    @property
    def out_channels(self) -> int:
        """Rows of the weight."""
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchNorm(Node):
    """Normalization by running statistics: ``y = gain u + offset`` in each channel.

    Float graphs only: the pass ``fold_batch_norm`` moves it into its neighbors.

    Parameters
    ----------
    gain, offset
        ``(C,)``: ``gamma / sqrt(var + eps)`` and ``beta - mean * gain``.
    """

    gain: Array
    offset: Array

    shapes: ClassVar[dict[str, str]] = {"gain": "C", "offset": "C"}

    @property
    def in_channels(self) -> int:
        """C."""
        return self.gain.shape[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class DiagonalSSM(Node):
    """A bank of discretized complex diagonal state space models, one a channel (S4D).

    Float, for each channel with its N complex states (one of each conjugate pair kept)::

        x' = a x + b u + drive        y = 2 Re(sum c x') + d u + bias

    Integer, each product shifted toward zero by itself, state and output saturating::

        re' = sat24(tz(a_re re) - tz(a_im im) + tz(b_re u) + drive_re)
        im' = sat24(tz(a_re im) + tz(a_im re) + tz(b_im u) + drive_im)
        y   = sat(sum_N [tz(c_re re') - tz(c_im im')] + tz(d u) + bias)

    Each shift follows from the formats: ``a.frac`` for the poles, ``b.frac + u.frac - state.frac``,
    ``c.frac + state.frac - 1 - out.frac`` (the 1 is the factor 2), ``d.frac + u.frac - out.frac``.
    The state's format is the drive's, at most 24 bits. Exponents of b, c, d and the state may
    differ by channel.

    Source: Gu et al. 2022 (S4D); the rounding is that of Lava's RF neuron.

    Parameters
    ----------
    a_re, a_im
        Poles, ``(C, N)``; integer: signed Q1.15 (or fewer bits), inside the unit circle.
    b_re, b_im, c_re, c_im
        Input and output gains, ``(C, N)``; integer: 8 bits, an exponent a channel.
    d
        Feed-through, ``(C,)``.
    drive_re, drive_im
        Constant drive of the state, ``(C, N)`` (what a batch norm in front leaves behind).
    bias
        Constant added to the output, ``(C,)``.
    step_size
        Learned step ``Delta`` of each channel, ``(C,)``: how a and b were discretized. Information
        for NIR and people; nothing is computed from it at run time. Stays real.
    method
        ``zoh`` or ``bilinear``.
    """

    a_re: Array
    a_im: Array
    b_re: Array
    b_im: Array
    c_re: Array
    c_im: Array
    d: Array
    drive_re: Array
    drive_im: Array
    bias: Array
    step_size: NDArray[np.float64]
    method: str

    shapes: ClassVar[dict[str, str]] = {
        "a_re": "CN", "a_im": "CN", "b_re": "CN", "b_im": "CN", "c_re": "CN", "c_im": "CN",
        "d": "C", "drive_re": "CN", "drive_im": "CN", "bias": "C",
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        step_size = _as_parameter(self.step_size, "DiagonalSSM.step_size")
        if isinstance(step_size, Quantized) or step_size.shape != (self.in_channels,):
            raise GraphError(
                "DiagonalSSM.step_size",
                expected=f"real numbers of shape ({self.in_channels},)",
                got=f"shape {step_size.shape}",
            )
        object.__setattr__(self, "step_size", step_size)
        if self.method not in ("zoh", "bilinear"):
            raise GraphError("DiagonalSSM.method", expected="zoh | bilinear", got=repr(self.method))
        if isinstance(self.drive_re, Quantized) and isinstance(self.drive_im, Quantized):
            same = np.array_equal(np.asarray(self.drive_re.frac), np.asarray(self.drive_im.frac))
            if not same or self.drive_re.bits != self.drive_im.bits:
                raise GraphError(
                    "DiagonalSSM.drive",
                    expected="one format for both parts (it is the state's)",
                    got=f"{self.drive_re.bits} and {self.drive_im.bits} bits",
                )

    @property
    def in_channels(self) -> int:
        """C."""
        return self.a_re.shape[0]

    @property
    def modes(self) -> int:
        """N, complex states kept a channel."""
        return self.a_re.shape[1]

    @property
    def states(self) -> int:
        """Two real numbers a complex state."""
        return 2 * self.in_channels * self.modes


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Node):
    """Spike: ``y = 1[u >= theta]``, without membrane or reset.

    Integer: ``theta`` is rounded up, so that comparing integers is comparing the real numbers.
    NIR's Threshold and Lava's LIF compare with ``>``; on integers that is ``u > theta - 1``.

    Parameters
    ----------
    theta
        ``(C,)``; integers in the format of the input.
    """

    theta: Array

    shapes: ClassVar[dict[str, str]] = {"theta": "C"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out is None:
            object.__setattr__(self, "out", Fixed.binary())
        if self.out != Fixed.binary():
            raise GraphError("Threshold.out", expected="binary", got=str(self.out))

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Node):
    """Sum of its operands, one an edge (a residual connection), shape ``(C,)``.

    Integer: each operand is brought to the output's exponent first, toward zero or exactly:
    ``y = sat(sum_i tz(u_i, u_i.frac - out.frac))``.
    """

    channels: int

    separate_operands: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Product(Node):
    """Elementwise product of its two operands, shape ``(C,)``.

    Integer: ``y = sat(tz(u_1 u_2, u_1.frac + u_2.frac - out.frac))``.
    """

    channels: int

    separate_operands: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True, eq=False, kw_only=True)
class PiecewiseLinear(Node):
    """A function by at most 8 segments: ``y = slope_i u + offset_i``, ``i`` = knots at or below u.

    Integer: ``y = sat(tz(slope_i u, slope.frac + u.frac - out.frac) + offset_i)``; shifts,
    multiplications and comparisons only, as microcode has no tables.

    Parameters
    ----------
    function
        What it stands for: ``relu`` (exact), ``sigmoid``, ``gelu``.
    max_error
        Largest distance to that function over all real inputs, as real segments.
    channels
        C; all channels share the segments.
    knots
        ``(K - 1,)``, strictly rising; integers in the format of the input, rounded up.
    slopes, offsets
        ``(K,)``; integer offsets in the format of the output.
    """

    function: str
    max_error: float
    channels: int
    knots: Array
    slopes: Array
    offsets: Array

    shapes: ClassVar[dict[str, str]] = {"knots": "J", "slopes": "K", "offsets": "K"}
    max_segments: ClassVar[int] = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)
        segments = self.slopes.shape[0]
        if self.knots.shape[0] != segments - 1 or segments > self.max_segments:
            raise GraphError(
                "PiecewiseLinear",
                expected=f"2 to {self.max_segments} segments and one knot between neighbors",
                got=f"{segments} segments, {self.knots.shape[0]} knots",
            )
        knots = self.knots.values if isinstance(self.knots, Quantized) else self.knots
        if np.any(np.diff(knots) < 0):
            raise GraphError("PiecewiseLinear.knots", expected="rising knots", got="falling ones")

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Accumulate(Node):
    """Running sum over time: ``y_t = y_{t-1} + u_t``, shape ``(C,)``.

    A mean over a known length is this with ``1/length`` folded into the synapses in front.
    Integer: ``y = sat24(y + sat(tz(u, u.frac - out.frac), term_bits))``. With ``term_bits`` such
    that ``steps * (2**(term_bits-1) - 1) < 2**23`` the sum cannot saturate within ``steps`` steps.

    Parameters
    ----------
    steps
        Length of sequence for which the headroom is proven.
    term_bits
        Width to which one term saturates; 0 in a float graph.
    """

    channels: int
    steps: int
    term_bits: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels(self)
        if self.steps < 1:
            raise GraphError("Accumulate.steps", expected="at least 1", got=str(self.steps))

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    @property
    def states(self) -> int:
        """The running sums."""
        return self.channels

    @property
    def is_integer(self) -> bool:
        """True where the widths of message and term are set."""
        return self.out is not None and self.term_bits > 0


NODE_TYPES: dict[str, type[Node]] = {
    cls.__name__: cls
    for cls in (
        Input, Output, Affine, BatchNorm, DiagonalSSM, Threshold, Sum, Product, PiecewiseLinear,
        Accumulate,
    )
}  # fmt: skip


def _as_parameter(value: object, where: str) -> Array:
    if isinstance(value, Quantized):
        return value
    array = np.array(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise GraphError(where, expected="finite numbers", got="nan or infinity")
    array.setflags(write=False)
    return array


def _check_channels(node: Input | Output | Sum | Product | PiecewiseLinear | Accumulate) -> None:
    if node.channels < 1:
        raise GraphError(
            f"{type(node).__name__}.channels", expected="at least 1", got=str(node.channels)
        )


def _equal(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    return bool(left == right)
