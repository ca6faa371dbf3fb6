"""Functions as few straight segments: `relu` exactly, `sigmoid` and `gelu` by the best eight.

A stand-in is never silent: the node carries the function's name and its largest error.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

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
_FAR = 40.0  # where the normal distribution has no mass left in float64


def piecewise(function: str, channels: int) -> PiecewiseLinear:
    """Return the node for a function.

    Parameters
    ----------
    function
        ``relu``, ``sigmoid`` (largest error 0.0069) or ``gelu`` (0.0111).
    channels
        C.

    Raises
    ------
    InputError
        For any other function.
    """
    if function == "relu":
        knots, slopes, offsets = np.zeros(1), np.array([0.0, 1.0]), np.zeros(2)
        error = 0.0
    elif function == "sigmoid":
        knots, slopes, offsets = _sigmoid()
        error = sigmoid_error(knots, slopes, offsets)
    elif function == "gelu":
        knots, slopes, offsets = _gelu()
        error = gelu_error(knots, slopes, offsets)
    else:
        raise InputError(
            "piecewise linear function", expected="relu | sigmoid | gelu", got=repr(function)
        )
    return PiecewiseLinear(
        function=function,
        max_error=error,
        channels=channels,
        knots=knots,
        slopes=slopes,
        offsets=offsets,
    )


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
    if slopes[0] != 0 or slopes[-1] != 1:
        return math.inf
    worst = max(abs(float(offsets[0])), abs(float(offsets[-1])))  # at infinity
    edges = [-_FAR, *knots.tolist(), _FAR]
    for m, b, low, high in zip(slopes, offsets, edges[:-1], edges[1:], strict=True):
        places = [x for x in (low, high, *_gelu_where_slope_is(float(m))) if low <= x <= high]
        worst = max(worst, *(abs(_gelu_at(x) - (m * x + b)) for x in places))
    return worst


def _gelu_where_slope_is(slope: float) -> list[float]:
    found = []
    for low, high in ((-_FAR, -_INFLECTION), (-_INFLECTION, _INFLECTION), (_INFLECTION, _FAR)):
        rises = _gelu_slope(low) < slope
        if rises == (_gelu_slope(high) < slope):
            continue
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if (_gelu_slope(middle) < slope) == rises else (low, middle)
        found.append(low)
    return found


def _gelu_at(x: float) -> float:
    return 0.5 * x * math.erfc(-x / math.sqrt(2))


def _gelu_slope(x: float) -> float:
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return 0.5 * math.erfc(-x / math.sqrt(2)) + x * density


def _sigmoid_at(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _sigmoid() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    ends = np.array(_SIGMOID_ENDS)
    slopes = np.array([*_SIGMOID_SLOPES, 0.0])
    offsets = np.array([*_SIGMOID_OFFSETS, _SIGMOID_TAIL])
    knots = np.concatenate([-ends[::-1], [0.0], ends])
    return (
        knots,
        np.concatenate([slopes[::-1], slopes]),
        np.concatenate([0.5 - offsets[::-1], 0.5 + offsets]),
    )


def _gelu() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    # gelu(x) = x + gelu(-x): the mirror of slope m has slope 1 - m and the same offset
    ends = np.array(_GELU_ENDS)
    slopes, offsets = np.array([*_GELU_SLOPES, 0.0]), np.array([*_GELU_OFFSETS, 0.0])
    knots = np.concatenate([-ends[::-1], [0.0], ends])
    return (
        knots,
        np.concatenate([slopes[::-1], 1 - slopes]),
        np.concatenate([offsets[::-1], offsets]),
    )
