"""Which widths of an integer graph could be larger: what to try where a check fails."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurossm.fixed import (
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
    Quantized,
)
from neurossm.graph import Graph
from neurossm.nodes import LIF, AdaptiveLIF, ComplexDiagonal, Node
from neurossm.quantization.membranes import LEAK_ERROR

SYNAPSES = 16  # what goes to synapses has fewer than 24 bits, so that their sums fit; about so many
WIDTHS = (
    ("poles", "pole_bits", POLE_BITS),
    ("weights", "weight_bits", WEIGHT_BITS),
    ("state", "state_bits", MESSAGE_BITS),
)


def narrow_widths(floating: Graph, integer: Graph) -> tuple[str, ...]:
    """Return the settings of `neurossm.Quantize` that a node has less of than there is.

    Parameters
    ----------
    floating
        The graph before.
    integer
        What quantizing made of it.

    Returns
    -------
    tuple of str
        Of ``poles``, ``weights``, ``state``, ``leaks``, in this order; ``messages`` alone.
    """
    found = {
        width
        for name, node in integer.nodes.items()
        for width in _narrow(node, floating.nodes.get(name))
    }
    # formats of activations follow the other widths, so theirs says something only where they are
    # full
    return tuple(w for w in ("poles", "weights", "state", "leaks") if w in found) or (
        ("messages",) if found else ()
    )


def _narrow(node: Node, before: Node | None) -> Iterator[str]:
    for width, setting, most in WIDTHS:
        if any(field.bits < most for field in node.fields_of(setting)):
            yield width
    if isinstance(node, ComplexDiagonal) and node.state_bits < STATE_BITS:
        yield "state"
    recurs = node.complex_states and not node.integrates
    if recurs and node.out is not None and node.out.bits < SYNAPSES:
        yield "messages"
    names = {LIF: ("tau",), AdaptiveLIF: ("tau", "rho")}.get(type(node), ())
    if before is not None and any(_is_coarse(node, before, name) for name in names):
        yield "leaks"


def _is_coarse(node: Node, before: Node, name: str) -> bool:
    """Tell whether a leak could be closer to the real one with more bits."""
    made, real = getattr(node, name), np.asarray(getattr(before, name), dtype=np.float64)
    if not isinstance(made, Quantized) or np.max(made.frac) >= WIDEST_LEAK_FRAC:
        return False
    return bool(np.any(np.abs(made.dequantize() - real) > LEAK_ERROR * (1 - real)))
