"""What quantizing did: room in every register, and how far poles and responses moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import round_to
from neurossm.graph import Graph
from neurossm.nodes import ComplexDiagonal, quantized, reals
from neurossm.quantization.bounds import bounds
from neurossm.quantization.response import LONGEST, Recurrence, impulse_response, poles, powers


@dataclass(frozen=True)
class Headroom:
    """Whether a register of an integer node can saturate.

    Attributes
    ----------
    node, register
        Where: ``activation``, ``state``, ``membrane``, ``trace``, ``term``, ``sum of edges``.
    bits, limit
        Its width and the largest magnitude that it holds.
    largest
        Worst case in units, whatever arrives; None where there is none.
    proven
        True where the worst case stays within the limit. Else saturation has to be counted.
    steps
        For how many steps the worst case holds; None for any.
    """

    node: str
    register: str
    bits: int
    limit: int
    largest: int | None
    proven: bool
    steps: int | None


@dataclass(frozen=True)
class PoleChange:
    """What rounding and projection made of the poles of a `DiagonalSSM` or `ComplexDiagonal`.

    Attributes
    ----------
    node, bits, poles
        Where, the width of each part, and how many complex poles.
    stepped_inward
        Poles that rounding to nearest would have put on or outside the unit circle.
    largest_error
        Largest distance of a pole to the real one, in the complex plane.
    smallest_gap
        Least distance of a real pole to the unit circle, ``1 - |a|``: what the error compares to.
    response_error
        Largest difference of an impulse response, poles and gains rounded, as a share of the
        largest value of that channel's response; the worst channel. Of a `ComplexDiagonal` the
        response is that of a state, ``a^k``.
    response_error_median
        The same of the median channel.
    steps
        Length of the responses.
    """

    node: str
    bits: int
    poles: int
    stepped_inward: int
    largest_error: float
    smallest_gap: float
    response_error: float
    response_error_median: float
    steps: int


def headroom(graph: Graph) -> tuple[Headroom, ...]:
    """Return the room in every register of an integer graph, in graph order."""
    found = bounds(graph)
    return tuple(
        Headroom(
            name,
            item.what,
            item.bits,
            item.limit,
            item.largest,
            item.holds,
            found.steps,
        )
        for name in graph.order
        for item in found.registers[name]
    )


def pole_changes(graph: Graph, integer: Graph) -> tuple[PoleChange, ...]:
    """Return what became of the poles of each node of a float graph that has some."""
    given = graph.meta.get("steps")
    steps = min(given, LONGEST) if isinstance(given, int) and given > 0 else LONGEST
    changes = []
    for name in graph.order:
        node, made = graph.nodes[name], integer.nodes[name]
        if isinstance(node, Recurrence) and isinstance(made, Recurrence):
            changes.append(_change(name, node, made, steps))
    return tuple(changes)


def moved_responses(node: Recurrence, made: Recurrence, steps: int) -> NDArray[np.float64]:
    """Return the largest difference of each impulse response, ``(C,)``, share of its largest."""
    before, after = _responses(node, steps), _responses(made, steps)
    size = np.abs(before).max(axis=0)
    return np.asarray(np.abs(after - before).max(axis=0) / np.where(size > 0, size, 1.0))


def _responses(node: Recurrence, steps: int) -> NDArray[np.complex128]:
    if isinstance(node, ComplexDiagonal):
        return powers(node, steps)
    return impulse_response(node, steps).astype(np.complex128)


def _change(name: str, node: Recurrence, made: Recurrence, steps: int) -> PoleChange:
    a_re, a_im = quantized(made.a_re), quantized(made.a_im)
    frac = a_re.bits - 1
    # one bit more, as a pole near 1 may round to 1
    nearest = [round_to(reals(part), frac, a_re.bits + 1) for part in (node.a_re, node.a_im)]
    stepped = (nearest[0] != a_re.values) | (nearest[1] != a_im.values)
    away = moved_responses(node, made, steps)
    return PoleChange(
        node=name,
        bits=a_re.bits,
        poles=int(stepped.size),
        stepped_inward=int(np.count_nonzero(stepped)),
        largest_error=float(np.abs(poles(made) - poles(node)).max()),
        smallest_gap=float((1 - np.abs(poles(node))).min()),
        response_error=float(away.max()),
        response_error_median=float(np.median(away)),
        steps=steps,
    )
