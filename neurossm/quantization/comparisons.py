"""Thresholds as integers: those that can be reached fit exactly, the others are as large as can be.

A threshold of 1e6, or of infinity, is how spiking is switched off. It must not make the unit of a
activation so coarse that it fits: where no input can reach it, the largest integer stands for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import RangeError
from neurossm.fixed import Quantized, ceil_to, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import Array, Node
from neurossm.quantization.ranges import RangeRules

Reals = NDArray[np.float64]
FAR = 4.0  # times what inputs within the headroom could reach: then the worst case is asked
MARGIN = 2.0  # on a worst case in real numbers: rounding a parameter at most doubles it


def compared(node: Node) -> Array | None:
    """Return what a node compares its input with, in the format of the input, or None."""
    names = (name for name, role in node.roles.items() if role.is_compared)
    name = next(names, None)
    return None if name is None else getattr(node, name)


def reached(name: str, graph: Graph, rules: RangeRules) -> NDArray[np.bool_]:
    """Return where the input of a node could reach what it compares it with, ``(C,)``.

    False also where every input is above a negative threshold. Knots count as reached.
    """
    node, sources = graph.nodes[name], graph.sources[name]
    theta = np.abs(np.asarray(compared(node)))
    if not node.compares:
        return np.full(theta.shape, True)
    far = theta > FAR * sum(rules.message(source).value for source in sources)
    if not np.any(far):
        return np.full(theta.shape, True)
    bound = sum(rules.worst().messages[source].magnitude for source in sources)
    return np.asarray(~(far & (theta > MARGIN * bound)))


def thresholds(
    real: Reals, within: NDArray[np.bool_], frac: int | NDArray[np.int64], bits: int, what: str
) -> Quantized:
    """Return thresholds rounded up; the largest there is, of the same sign, for those not `within`.

    Raises
    ------
    RangeError
        If one that can be reached does not fit; it names the channel and the value.
    """
    limit = symmetric_limit(bits)
    large = np.abs(np.ldexp(np.where(within, real, 0.0), frac)) > limit
    if large.any():
        channel = int(np.flatnonzero(large)[0])
        unit = 2.0 ** -int(np.broadcast_to(frac, real.shape)[channel])
        raise RangeError(
            f"{what} of channel {channel}",
            expected=f"at most {limit * unit:g}, {bits} bits of what it is compared with, or so"
            " large that nothing reaches it",
            got=f"{real[channel]:g}",
            remedy=f"lower it, or set it to infinity where channel {channel} is never to spike",
        )
    values = ceil_to(np.where(within, real, 0.0), frac, bits)
    return Quantized(np.where(within, values, np.sign(real).astype(np.int64) * limit), frac, bits)
