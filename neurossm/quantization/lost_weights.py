"""Weights that quantizing lost: those that became 0, and rows that are far off."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import symmetric_limit
from neurossm.nodes import Affine, Conv2d, Role, Weighted, quantized, reals
from neurossm.quantization.lost import SHARE, WIDEST, At, Loss, lost_of_type, unit_of


def _weights(at: At, what: str, before: object, after: object, setting: str) -> Iterator[Loss]:
    """Yield weights that became 0, rows of them, and rows that are far off."""
    made = quantized(after)
    was, now = (array.reshape(len(array), -1) for array in (reals(before), made.dequantize()))
    gone = (was != 0) & (now == 0)
    size = np.abs(was).sum(axis=1)
    share = np.divide(np.abs(now - was).sum(axis=1), size, out=np.zeros(len(size)), where=size > 0)
    dead, total = gone.any(axis=1) & ~np.any(now != 0, axis=1), int(np.count_nonzero(was))
    if gone.any():
        smallest = np.abs(was[gone]).min()
        rows = f", all of {_rows(dead)}" if dead.any() else ""
        needed = _width(made.bits, float(np.abs(was).max() / smallest) / symmetric_limit(made.bits))
        yield at.loss(
            what, gone.any(axis=1), f"{np.count_nonzero(gone):,} of {total:,} became 0{rows}",
            of=total, count=int(np.count_nonzero(gone)), bits=needed, setting=setting,
        )  # fmt: skip
    off = (share > SHARE) & ~dead
    if off.any():
        worst = int(np.argmax(np.where(off, share, 0.0)))
        reason = f"row {worst} is off by {share[worst]:.1%} of its weights"
        needed = made.bits + math.ceil(math.log2(share[worst] / SHARE))
        yield at.loss(what, off, reason, bits=needed, setting=setting)


def _width(bits: int, times: float) -> int:
    # half a unit, and no less, still rounds to one
    return min(bits + math.ceil(math.log2(max(times, 1.0))), WIDEST)


def _rows(dead: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(dead).tolist()
    if len(rows) == 1:
        return f"row {rows[0]}"
    listed = ", ".join(map(str, rows[:4])) + (", ..." if len(rows) > 4 else "")
    return f"{len(rows)} rows ({listed})"


def weights(at: At) -> Iterator[Loss]:
    """Yield what became of the weights of synapses, or of the entries of a table."""
    for name, role in at.real.roles.items():
        if role.bits == "weight_bits" and at.real.role is Role.SYNAPSES:
            before, after = getattr(at.real, name), getattr(at.made, name)
            yield from _weights(at, role.label or name, before, after, role.bits)


@lost_of_type.register(Affine)
@lost_of_type.register(Conv2d)
def _biases(node: Weighted, made: Weighted, at: At) -> Iterator[Loss]:
    """Yield biases that became 0."""
    was, bias = reals(node.bias), quantized(made.bias)
    gone = (was != 0) & (bias.values == 0)
    if gone.any():
        worst = int(np.argmax(np.where(gone, np.abs(was), 0.0)))
        reason = f"up to {abs(was[worst]):.3g} became 0; {unit_of(bias, worst)}"
        yield at.loss("bias", gone, reason, of=int(np.count_nonzero(was)))
