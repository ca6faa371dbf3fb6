"""Node to process: the parameters, shifts and widths that each Lava process is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Fixed, Quantized
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    quantized,
)

Variables = dict[str, Any]


def variables_of(
    node: Node, formats: list[Fixed], stacked: int, frac: NDArray[np.int64] | int | None = None
) -> Variables:
    """Return what the process of a node holds: parameters, shifts, widths, initial states.

    Parameters
    ----------
    node
        An integer node.
    formats
        Format of the messages on each edge into it.
    stacked
        Samples side by side: S in the shapes of the states.
    frac
        Fraction bits of what arrives where they differ by channel, which a `LIF` alone shifts by.

    Notes
    -----
    Parts of one complex number share an exponent; `neurossm.contract` has checked it.
    """
    if isinstance(node, LIF):
        return _lif(node, formats[0].frac if frac is None else frac, stacked)
    return _VARIABLES[type(node)](node, formats, stacked)


def _none(node: Node, formats: list[Fixed], stacked: int) -> Variables:
    return {}


def _affine(node: Affine, formats: list[Fixed], stacked: int) -> Variables:
    return {"bias": _values(node.bias), "out_bits": format_of(node).bits}


def _diagonal_ssm(node: DiagonalSSM, formats: list[Fixed], stacked: int) -> Variables:
    u, y = formats[0].frac, format_of(node).frac
    state = _frac(node.drive_re)
    zeros = np.zeros((stacked, node.in_channels, node.modes), np.int64)
    names = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "d", "drive_re", "drive_im", "bias")
    assert isinstance(node.drive_re, Quantized)
    return {
        **{name: _values(getattr(node, name)) for name in names},
        "a_shift": _frac(node.a_re),
        "b_shift": _frac(node.b_re) + u - state,
        "c_shift": _frac(node.c_re) + state - 1 - y,  # the 1: y = 2 Re(C x)
        "d_shift": _frac(node.d) + u - y,
        "state_bits": node.drive_re.bits,
        "out_bits": format_of(node).bits,
        "re": zeros,
        "im": zeros,
    }


def _threshold(node: Threshold, formats: list[Fixed], stacked: int) -> Variables:
    return {"theta": _values(node.theta)}


def _ternary_threshold(node: TernaryThreshold, formats: list[Fixed], stacked: int) -> Variables:
    return {"delta": _values(node.delta)}


def _lif(node: LIF, frac: NDArray[np.int64] | int, stacked: int) -> Variables:
    zeros = np.zeros((stacked, node.in_channels), np.int64)
    return {
        **{name: _values(getattr(node, name)) for name in ("theta", "tau", "rho", "kappa")},
        "leak_shift": _frac(node.tau)[0],
        "right": frac - _frac(node.theta),
        "hard": node.reset == "hard",
        "soft": node.reset == "soft",
        "state_bits": quantized(node.theta).bits,
        "u": zeros,
        "r": zeros,
    }


def _embedding(node: Embedding, formats: list[Fixed], stacked: int) -> Variables:
    return {"table": _values(node.table)}


def _sum(node: Sum, formats: list[Fixed], stacked: int) -> Variables:
    out = format_of(node)
    return {"shifts": [fmt.frac - out.frac for fmt in formats], "out_bits": out.bits}


def _product(node: Product, formats: list[Fixed], stacked: int) -> Variables:
    out = format_of(node)
    return {"right": formats[0].frac + formats[1].frac - out.frac, "out_bits": out.bits}


def _piecewise_linear(node: PiecewiseLinear, formats: list[Fixed], stacked: int) -> Variables:
    out = format_of(node)
    assert isinstance(node.slopes, Quantized)
    return {
        "knots": _values(node.knots),
        "slopes": _values(node.slopes),
        "offsets": _values(node.offsets),
        "right": int(node.slopes.frac) + formats[0].frac - out.frac,
        "out_bits": out.bits,
    }


def _accumulate(node: Accumulate, formats: list[Fixed], stacked: int) -> Variables:
    out = format_of(node)
    return {
        "right": formats[0].frac - out.frac,
        "term_bits": node.term_bits,
        "out_bits": out.bits,
        "sum": np.zeros((stacked, node.channels), np.int64),
    }


_VARIABLES: dict[type[Node], Callable[..., Variables]] = {
    Input: _none,
    Output: _none,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _threshold,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
    TernaryThreshold: _ternary_threshold,
    Embedding: _embedding,
}


def _values(parameter: object) -> np.ndarray[Any, np.dtype[np.int64]]:
    return quantized(parameter).values


def _frac(parameter: object) -> np.ndarray[Any, np.dtype[np.int64]]:
    return quantized(parameter).frac_by_channel()
