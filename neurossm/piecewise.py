"""Functions as few straight segments: `relu` exactly, `sigmoid` as the best eight.

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


def piecewise(function: str, channels: int) -> PiecewiseLinear:
    """Return the node for a function.

    Parameters
    ----------
    function
        ``relu`` or ``sigmoid``.
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
    else:
        raise InputError("piecewise linear function", expected="relu | sigmoid", got=repr(function))
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
