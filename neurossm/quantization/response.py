"""How a `DiagonalSSM` answers: its impulse response, step by step, from float or integer nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes import DiagonalSSM

Reals = NDArray[np.float64]
LONGEST = 4096  # steps that are followed one by one; beyond, a geometric series bounds the rest


def real(parameter: object) -> Reals:
    """Return a parameter as the real numbers that it stands for."""
    if isinstance(parameter, Quantized):
        return parameter.dequantize()
    return np.asarray(parameter, dtype=np.float64)


def poles(node: DiagonalSSM) -> NDArray[np.complex128]:
    """Return the poles, ``(C, N)``."""
    return np.asarray(real(node.a_re) + 1j * real(node.a_im))


def gains(node: DiagonalSSM) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return b and the constant drive, ``(C, N)`` each."""
    return (
        np.asarray(real(node.b_re) + 1j * real(node.b_im)),
        np.asarray(real(node.drive_re) + 1j * real(node.drive_im)),
    )


def readout(node: DiagonalSSM) -> NDArray[np.complex128]:
    """Return c, ``(C, N)``."""
    return np.asarray(real(node.c_re) + 1j * real(node.c_im))


def impulse_response(node: DiagonalSSM, steps: int) -> Reals:
    """Return ``h_k = 2 Re(sum_N c a^k b)``, with d added at ``k = 0``; shape ``(steps, C)``."""
    found = _answers(node, gains(node)[0], steps)
    found[0] += real(node.d)
    return found


def constant_response(node: DiagonalSSM, steps: int) -> Reals:
    """Return what the constant drive alone makes of the output, ``(steps, C)``; no bias."""
    return np.cumsum(_answers(node, gains(node)[1], steps), axis=0)


def series(node: DiagonalSSM, steps: int | None) -> Reals:
    """Return ``sum |a|^k`` over the steps, or over all; infinite for poles not inside the circle.

    Times a bound of what enters a state at each step, this bounds the state's modulus.
    """
    modulus = np.abs(poles(node))
    inside = modulus < 1
    lost = np.where(inside, 1 - modulus, 1.0)
    if steps is None:
        return np.where(inside, 1 / lost, np.inf)
    at_most_one = np.minimum(modulus, 1.0)
    found = np.where(inside, (1 - at_most_one**steps) / lost, float(steps))
    # a pole beyond 1 grows: its last power bounds the others
    return np.where(modulus > 1, steps * modulus ** min(steps, LONGEST), found)


def tail(node: DiagonalSSM, driven: Reals, steps: int) -> Reals:
    """Return ``sum_{k >= steps} 2 |c| |a|^k driven``, ``(C,)``: what later steps could add."""
    modulus = np.abs(poles(node))
    rest = series(node, None) * modulus**steps
    terms = 2 * np.abs(readout(node)) * driven
    return np.asarray((terms * np.where(terms > 0, rest, 0.0)).sum(axis=1))


def _answers(node: DiagonalSSM, start: NDArray[np.complex128], steps: int) -> Reals:
    a, c = poles(node), readout(node)
    found = np.empty((steps, node.in_channels))
    x = start * c
    for step in range(steps):
        found[step] = 2 * x.real.sum(axis=1)
        x = x * a
    return found
