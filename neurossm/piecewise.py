"""Functions as few straight segments: `relu` and its kin exactly, smooth ones by the best eight.

A stand-in is never silent: the node carries the function's name and its largest error.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import InputError
from neurossm.nodes import PiecewiseLinear

# minimax fit of the sigmoid's odd part by a flat tail and three segments on either side of 0:
# where a segment ends, its slope and its offset; all segments reach the same largest error
_SIGMOID_ENDS = (1.2820, 2.4240, 4.2680)
_SIGMOID_SLOPES = (0.220664, 0.119035, 0.036654)
_SIGMOID_OFFSETS = (0.006865, 0.137058, 0.336672)
_SIGMOID_TAIL = 0.493092

# gelu is relu(x) plus an even function: three segments on either side of 0 between the exact tails,
# found by growing each from the left for as long as its best line stays within the error, which
# was then bisected. No eight segments with these tails do better; they jump at +-1.17496
_GELU_ENDS = (0.48782840, 1.17495725, 2.63518959)
_GELU_SLOPES = (0.31283569, -0.01689396, -0.08897359)
_GELU_OFFSETS = (-0.01107969, -0.17193118, -0.23446229)
_INFLECTION = math.sqrt(2)  # of gelu, on either side

# silu is relu(x) plus an even function too; found in the same way
_SILU_ENDS = (0.8467, 2.3228, 5.6221)
_SILU_SLOPES = (0.30012557, -0.03170606, -0.05669474)
_SILU_OFFSETS = (-0.02025133, -0.30122200, -0.31874258)
_SILU_INFLECTION = 2.399357280520548  # x tanh(x / 2) = 2
_FAR = 40.0  # where the normal distribution has no mass left in float64


Segments = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def piecewise(function: str, channels: int) -> PiecewiseLinear:
    """Return the node for a function.

    Parameters
    ----------
    function
        ``relu``, ``relu6``, ``abs``, ``hardsigmoid`` (exact), ``sigmoid`` (largest error 0.0069),
        ``tanh`` (0.0137), ``gelu`` (0.0111) or ``silu`` (0.0203).
    channels
        C.

    Raises
    ------
    InputError
        For any other function.
    """
    if function in _EXACT:
        return ramp(function, channels, *_EXACT[function])
    if function not in _FITTED:
        known = " | ".join((*_EXACT, *_FITTED))
        raise InputError("piecewise linear function", expected=known, got=repr(function))
    segments, error = _FITTED[function]
    knots, slopes, offsets = segments()
    return PiecewiseLinear(
        function=function, max_error=error(knots, slopes, offsets), channels=channels,
        knots=knots, slopes=slopes, offsets=offsets,
    )  # fmt: skip


def ramp(
    function: str, channels: int, knots: ArrayLike, slopes: ArrayLike, offsets: ArrayLike
) -> PiecewiseLinear:
    """Return the node for a function that is straight between its knots: exactly.

    Parameters
    ----------
    function
        What it is called.
    channels
        C.
    knots, slopes, offsets
        ``(K - 1,)`` and twice ``(K,)``, as of `neurossm.nodes.PiecewiseLinear`.
    """
    return PiecewiseLinear(
        function=function, max_error=0.0, channels=channels, knots=np.asarray(knots, np.float64),
        slopes=np.asarray(slopes, np.float64), offsets=np.asarray(offsets, np.float64),
    )  # fmt: skip


def sigmoid_error(
    knots: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64]
) -> float:
    """Return the largest distance of the segments to the sigmoid, exactly.

    On a segment the distance is extreme at its ends or where the sigmoid has the segment's slope m:
    ``s (1 - s) = m``, so ``s = (1 +- sqrt(1 - 4 m)) / 2``. The outermost segments are flat.
    """
    edges = [-math.inf, *knots.tolist(), math.inf]
    worst = 0.0
    for m, b, low, high in zip(slopes, offsets, edges[:-1], edges[1:], strict=True):
        root = math.sqrt(max(0.0, 1 - 4 * m))
        inner = [math.log(s / (1 - s)) for s in ((1 - root) / 2, (1 + root) / 2) if 0 < s < 1]
        places = [x for x in (low, high, *inner) if low <= x <= high]
        for x in places:
            line = b if m == 0 else m * x + b
            worst = max(worst, abs(_sigmoid_at(x) - line))
    return worst


def gelu_error(
    knots: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64]
) -> float:
    """Return the largest distance of the segments to gelu, ``x Phi(x)``, over all real numbers.

    On a segment the distance is extreme at its ends or where gelu has the segment's slope; gelu'
    is monotone between its inflections, so each such place is bisected. Infinite, unless the
    outermost segments have slope 0 on the left and 1 on the right, as gelu itself far out.
    """
    return _error((knots, slopes, offsets), _gelu_at, _gelu_slope, _INFLECTION)


def silu_error(
    knots: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64]
) -> float:
    """Return the largest distance of the segments to silu, ``x sigmoid(x)``, as `gelu_error`."""
    return _error((knots, slopes, offsets), _silu_at, _silu_slope, _SILU_INFLECTION)


def tanh_error(
    knots: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64]
) -> float:
    """Return the largest distance of the segments to tanh, ``2 sigmoid(2 x) - 1``."""
    return 2 * sigmoid_error(2 * knots, slopes / 4, (offsets + 1) / 2)


Real = Callable[[float], float]


def _error(segments: Segments, at: Real, slope_at: Real, inflection: float) -> float:
    knots, slopes, offsets = segments
    if slopes[0] != 0 or slopes[-1] != 1:
        return math.inf
    worst = max(abs(float(offsets[0])), abs(float(offsets[-1])))  # at infinity
    edges = [-_FAR, *knots.tolist(), _FAR]
    for m, b, low, high in zip(slopes, offsets, edges[:-1], edges[1:], strict=True):
        inner = _where_slope_is(float(m), slope_at, inflection)
        places = [x for x in (low, high, *inner) if low <= x <= high]
        worst = max(worst, *(abs(at(x) - (m * x + b)) for x in places))
    return worst


def _where_slope_is(slope: float, slope_at: Real, inflection: float) -> list[float]:
    found = []
    for low, high in ((-_FAR, -inflection), (-inflection, inflection), (inflection, _FAR)):
        rises = slope_at(low) < slope
        if rises == (slope_at(high) < slope):
            continue
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if (slope_at(middle) < slope) == rises else (low, middle)
        found.append(low)
    return found


def _gelu_at(x: float) -> float:
    return 0.5 * x * math.erfc(-x / math.sqrt(2))


def _gelu_slope(x: float) -> float:
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return 0.5 * math.erfc(-x / math.sqrt(2)) + x * density


def _sigmoid_at(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _silu_at(x: float) -> float:
    return x * _sigmoid_at(x)


def _silu_slope(x: float) -> float:
    return _sigmoid_at(x) * (1 + x * _sigmoid_at(-x))


def _sigmoid() -> Segments:
    ends = np.array(_SIGMOID_ENDS)
    slopes = np.array([*_SIGMOID_SLOPES, 0.0])
    offsets = np.array([*_SIGMOID_OFFSETS, _SIGMOID_TAIL])
    knots = np.concatenate([-ends[::-1], [0.0], ends])
    return (
        knots,
        np.concatenate([slopes[::-1], slopes]),
        np.concatenate([0.5 - offsets[::-1], 0.5 + offsets]),
    )


def _tanh() -> Segments:
    knots, slopes, offsets = _sigmoid()
    return knots / 2, slopes * 4, 2 * offsets - 1


def _gelu() -> Segments:
    return _bent(_GELU_ENDS, _GELU_SLOPES, _GELU_OFFSETS)


def _silu() -> Segments:
    return _bent(_SILU_ENDS, _SILU_SLOPES, _SILU_OFFSETS)


def _bent(
    ends: tuple[float, ...], slopes: tuple[float, ...], offsets: tuple[float, ...]
) -> Segments:
    # f(x) = x + f(-x): the mirror of slope m has slope 1 - m and the same offset. Slopes are those
    # on the left, where the first given is the one next to 0
    left, at = np.array([*slopes, 0.0]), np.array([*offsets, 0.0])
    knots = np.concatenate([-np.array(ends)[::-1], [0.0], ends])
    return (
        knots,
        np.concatenate([left[::-1], 1 - left]),
        np.concatenate([at[::-1], at]),
    )


_EXACT: dict[str, tuple[list[float], list[float], list[float]]] = {
    "relu": ([0.0], [0.0, 1.0], [0.0, 0.0]),
    "abs": ([0.0], [-1.0, 1.0], [0.0, 0.0]),
    "relu6": ([0.0, 6.0], [0.0, 1.0, 0.0], [0.0, 0.0, 6.0]),
    "hardsigmoid": ([-3.0, 3.0], [0.0, 1 / 6, 0.0], [0.0, 0.5, 1.0]),
}
_FITTED: dict[
    str, tuple[Callable[[], Segments], Callable[..., float]]
] = {
    "sigmoid": (_sigmoid, sigmoid_error),
    "tanh": (_tanh, tanh_error),
    "gelu": (_gelu, gelu_error),
    "silu": (_silu, silu_error),
}  # fmt: skip
