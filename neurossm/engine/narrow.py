"""The float meaning of a graph with narrow recurrences: what a baseline of few bits would reach.

Poles and states of each `DiagonalSSM` and `ComplexDiagonal` are rounded to so many bits, everything
else stays real. A simulation that is kind to the narrow network: poles to nearest inside the unit
circle, each part of each state to nearest in a unit of its own (the largest magnitude that it has
at full precision on the same data, over the largest number), no rounding of activations. Not
deployed, no executor of ours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import floating
from neurossm.errors import RangeError
from neurossm.fixed import project_poles, round_to, saturate, symmetric_limit
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.nodes import Carried, ComplexDiagonal, DiagonalSSM, Evaluated, Node, Reals, Role
from neurossm.nodes.step import added
from neurossm.nodes.values import reals

WIDE = 62  # bits of a rounded value before it is saturated


def run_narrow(
    graph: Graph,
    inputs: dict[str, NDArray[np.int64]],
    bits: int,
    lengths: Lengths | None = None,
) -> dict[str, Reals]:
    """Return what the outputs send, ``(B, T, C)`` each, with recurrences of `bits` bits.

    Parameters
    ----------
    graph
        Float or integer graph.
    inputs
        Name of each `Input` to integers ``(B, T, C)``.
    bits
        Of poles and of each part of a state, with the sign: 2 to 24.
    lengths
        Steps of each sequence ``(B,)``, checked; what the outputs send behind is of no meaning.

    Raises
    ------
    RangeError
        If there are fewer or more bits than that.
    """
    if not 2 <= bits <= 24:
        raise RangeError("recurrence", expected="2 to 24 bits", got=str(bits))
    peaks = floating.run(graph, inputs, (), lengths=lengths).peaks

    def step(name: str, node: Node, operands: list[Reals], state: Carried) -> Evaluated:
        if isinstance(node, DiagonalSSM):
            return Evaluated(_ssm(node, added(operands), peaks[f"{name}.state"], bits, state), {})
        if isinstance(node, ComplexDiagonal):
            made = _complex(node, added(operands), peaks[f"{name}.state"], bits, state)
            return Evaluated(made, {})
        return floating.evaluate(node, operands, state)

    sent: dict[str, Reals] = {}
    for block in graph.blocks:
        name, node = block[0], graph.nodes[block[0]]
        if node.role is Role.INPUT:
            frac = node.out.frac if node.out is not None else 0
            sent[name] = np.ldexp(inputs[name].astype(np.float64), -frac)
        elif block in graph.loops:
            sent |= floating.run_loop(graph, block, sent, step)[0]
        else:
            operands = [sent[source] for source in graph.sources[name]]
            sent[name] = step(name, node, operands, node.before(len(operands[0]), None)).sent
    return {name: sent[name] for name in graph.outputs}


def _ssm(node: DiagonalSSM, u: Reals, peaks: Reals, bits: int, state: Carried) -> Reals:
    """Return the output ``(B, T, C)``; `peaks` are the largest magnitudes of states ``(C, N)``.

    `state` holds the parts of the states before, and then those after.
    """
    a_re, a_im = _poles(node, bits)
    b_re, b_im, c_re, c_im, drive_re, drive_im = (
        reals(p) for p in (node.b_re, node.b_im, node.c_re, node.c_im, node.drive_re, node.drive_im)
    )
    rounded = _rounding(peaks, bits)
    re, im, y = state["re"], state["im"], np.empty_like(u)
    for t in range(u.shape[1]):
        entering = u[:, t, :, None]
        re, im = (
            rounded(a_re * re - a_im * im + b_re * entering + drive_re),
            rounded(a_re * im + a_im * re + b_im * entering + drive_im),
        )
        y[:, t] = 2 * (c_re * re - c_im * im).sum(axis=2)
    state |= {"re": re, "im": im}
    return y + reals(node.d) * u + reals(node.bias)


def _complex(node: ComplexDiagonal, u: Reals, peaks: Reals, bits: int, state: Carried) -> Reals:
    """Return the output ``(B, T, 2C)``; as `_ssm`, with peaks and states ``(C,)``."""
    (a_re, a_im), rounded = _poles(node, bits), _rounding(peaks, bits)
    half, y = node.complex_states, np.empty_like(u)
    re, im = state["re"], state["im"]
    for t in range(u.shape[1]):
        re, im = (
            rounded(a_re * re - a_im * im + u[:, t, :half]),
            rounded(a_re * im + a_im * re + u[:, t, half:]),
        )
        passes = re > 0 if node.gate == "relu" else np.ones_like(re, dtype=bool)
        y[:, t] = np.concatenate([np.where(passes, re, 0), np.where(passes, im, 0)], axis=1)
    state |= {"re": re, "im": im}
    return y


def _poles(node: DiagonalSSM | ComplexDiagonal, bits: int) -> tuple[Reals, Reals]:
    re, im = project_poles(reals(node.a_re), reals(node.a_im), bits)
    return np.ldexp(re.astype(np.float64), 1 - bits), np.ldexp(im.astype(np.float64), 1 - bits)


def _rounding(peaks: Reals, bits: int) -> Callable[[Reals], Reals]:
    """Return what rounds parts of states to nearest, in units of their own."""
    unit = np.where(peaks > 0, peaks, 1.0) / symmetric_limit(bits)

    def rounded(part: Reals) -> Reals:
        return np.asarray(saturate(round_to(part / unit, 0, WIDE), bits)[0] * unit)

    return rounded
