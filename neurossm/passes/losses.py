"""What quantizing lost, by node and channel, with the width that would have kept it.

Only what its formats could not hold; that nothing is listed does not say that nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
    Quantized,
    round_leaks,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Embedding, Node, TernaryThreshold, Threshold, quantized
from neurossm.passes.membranes import HORIZON, LEAK_ERROR, response_errors, steps_of
from neurossm.passes.reach import summed
from neurossm.passes.response import real

Reals = NDArray[np.float64]
SHARE = 0.025  # of a row's weights, or of a response: beyond, rates may move by 5 %
DRIFT = 2.0**-7  # of the threshold, that a leak's shift may take in the worst case
WIDEST = 64  # bits; no wider width is looked for
LIMITS = {"weight_bits": WEIGHT_BITS, "state_bits": STATE_BITS, "leak_bits": WIDEST_LEAK_FRAC}


@dataclass(frozen=True)
class Loss:
    """Something that the formats of a node could not hold.

    Attributes
    ----------
    node, type, what
        Where: a node, its type, and ``weights``, ``bias``, ``leak``, ``membrane`` and so on.
    channels
        The channels (rows of weights) that it happened to.
    count, of
        How many parameters it happened to, and of how many that are not 0.
    reason
        What happened, in words, for the worst channel.
    bits
        Width, or for leaks fraction bits, that would have kept it; None where nothing is missing.
    setting
        The setting of `Quantize` that has this width; "" where the format allows no more.
    """

    node: str
    type: str
    what: str
    channels: tuple[int, ...]
    count: int
    of: int
    reason: str
    bits: int | None = None
    setting: str = ""


def losses(graph: Graph, integer: Graph) -> tuple[Loss, ...]:
    """Return what an integer graph lost of the float graph that it was made from, in graph order.

    Reals below are those of the float graph; `integer` has the same nodes.
    """
    steps = steps_of(graph) or HORIZON
    found: list[Loss] = []
    for name in graph.order:
        node, made = graph.nodes[name], integer.nodes[name]
        for kind in LOSSES.get(type(node), ()):
            found.extend(kind(At(name, node, made, steps)))
    return tuple(found)


@dataclass(frozen=True)
class At:
    """A node before and after, and for how many steps."""

    name: str
    real: Node
    made: Node
    steps: int

    def loss(
        self,
        what: str,
        where: NDArray[np.bool_],
        reason: str,
        *,
        of: int | None = None,
        count: int | None = None,
        bits: int | None = None,
        setting: str = "",
    ) -> Loss:
        """Return a loss in the channels `where`, ``(C,)``."""
        channels = tuple(np.flatnonzero(where).tolist())
        count, of = count or len(channels), of or where.size
        kind = type(self.real).__name__
        if bits is None or bits > LIMITS[setting]:
            setting = ""
        return Loss(self.name, kind, what, channels, count, of, reason, bits, setting)


def _weights(at: At, what: str, before: object, after: object, setting: str) -> Iterator[Loss]:
    """Yield weights that became 0, rows of them, and rows that are far off."""
    made, was = quantized(after), real(before)
    now = made.dequantize()
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


def _synapses(at: At) -> Iterator[Loss]:
    if isinstance(at.real, Affine) and isinstance(at.made, Affine):
        yield from _weights(at, "weights", at.real.weight, at.made.weight, "weight_bits")
        was, made = real(at.real.bias), quantized(at.made.bias)
        gone = (was != 0) & (made.values == 0)
        if gone.any():
            worst = int(np.argmax(np.where(gone, np.abs(was), 0.0)))
            reason = f"up to {abs(was[worst]):.3g} became 0; {_unit(made, worst)}"
            yield at.loss("bias", gone, reason, of=int(np.count_nonzero(was)))


def _table(at: At) -> Iterator[Loss]:
    if isinstance(at.real, Embedding) and isinstance(at.made, Embedding):
        yield from _weights(at, "table", at.real.table, at.made.table, "weight_bits")


def _leaks(at: At) -> Iterator[Loss]:
    assert isinstance(at.real, LIF) and isinstance(at.made, LIF)
    pairs = (("tau", at.real.tau, at.made.tau), ("rho", at.real.rho, at.made.rho))
    for what, before, after in pairs:
        if what == "rho" and not at.real.has_trace:
            continue
        leaks, frac = np.asarray(before), int(np.max(quantized(after).frac))
        errors = response_errors(leaks, frac, at.steps)
        bad = errors > SHARE
        if not bad.any():
            continue
        wider = range(frac + 1, WIDEST)
        fits = (bits for bits in wider
                if np.all(response_errors(leaks, bits, at.steps) <= LEAK_ERROR))  # fmt: skip
        reason = leak_change(leaks, frac, at.steps)
        yield at.loss(what, bad, reason, bits=next(fits, None), setting="leak_bits")


def leak_change(leaks: Reals, frac: int, steps: int) -> str:
    """Return what rounding does to the leak of the worst channel, in words."""
    worst = int(np.argmax(response_errors(leaks, frac, steps)))
    both = np.array([leaks[worst], round_leaks(leaks, frac)[worst] * 2.0**-frac])
    before, after = (_time(float(leak)) for leak in both)
    responses = summed(both, steps)
    change = responses[1] / responses[0]
    return (
        f"time constant {before} -> {after} steps in channel {worst}:"
        f" its response {change - 1:+.2%} in {steps:,} steps"
    )


def _time(leak: float) -> str:
    """Return the time constant of a leak in steps: after it, 1/e is left."""
    if leak <= 0:
        return "0"
    return f"{-1 / math.log(leak):,.4g}" if leak < 1 else "infinite"


def _membranes(at: At) -> Iterator[Loss]:
    """Yield membranes whose unit is too coarse for their leak, beside their threshold."""
    node, made = at.real, at.made
    assert isinstance(node, LIF) and isinstance(made, LIF)
    theta = quantized(made.theta)
    unit, silent = np.exp2(-np.ravel(theta.frac_by_channel()).astype(float)), _silenced(at)
    for what, leaks in (("membrane", made.tau), ("trace", made.rho)):
        if what == "trace" and not node.has_trace:
            continue
        leak = real(leaks)
        lost = np.where((leak > 0) & (leak < 1), 1 - leak, 1.0)
        drift = np.where(silent, 0.0, unit / lost / real(node.theta))
        bad = drift > DRIFT
        if bad.any():
            worst = int(np.argmax(drift))
            reason = (
                f"what its shift drops adds up to {drift[worst]:.1%} of the threshold in channel"
                f" {worst}; {_unit(theta, worst)}"
            )
            bits = theta.bits + math.ceil(math.log2(drift[worst] / DRIFT))
            yield at.loss(what, bad, reason, bits=bits, setting="state_bits")
    gone = (real(node.kappa) > 0) & (quantized(made.kappa).values == 0) & ~silent
    if gone.any():
        worst = int(np.argmax(np.where(gone, real(node.kappa), 0.0)))
        reason = f"up to {real(node.kappa)[worst]:.3g} became 0; {_unit(theta, worst)}"
        yield at.loss("kappa", gone, reason)


def _unit(parameter: Quantized, channel: int) -> str:
    frac = int(np.broadcast_to(np.asarray(parameter.frac), parameter.shape[:1])[channel])
    return f"its unit is 2**{-frac}"


def _silenced(at: At) -> NDArray[np.bool_]:
    """Tell which thresholds are out of reach: another number stands for them, not just rounded."""
    before, after = _thresholds(at)
    unit = np.exp2(-after.frac_by_channel().astype(float))
    return np.asarray(np.abs(before - after.dequantize()) >= unit)


def _thresholds(at: At) -> tuple[Reals, Quantized]:
    name = "delta" if isinstance(at.real, TernaryThreshold) else "theta"
    return real(getattr(at.real, name)), quantized(getattr(at.made, name))


def _out_of_reach(at: At) -> Iterator[Loss]:
    silent = _silenced(at)
    if silent.any():
        before, after = _thresholds(at)
        first = int(np.flatnonzero(silent)[0])
        reason = (
            f"no input reaches {before[first]:.3g} in channel {first}:"
            f" {after.dequantize()[first]:.3g} stands for it"
        )
        yield at.loss("threshold", silent, reason)


LOSSES: dict[type[Node], tuple[Callable[[At], Iterator[Loss]], ...]] = {
    Affine: (_synapses,),
    Embedding: (_table,),
    LIF: (_leaks, _membranes, _out_of_reach),
    Threshold: (_out_of_reach,),
    TernaryThreshold: (_out_of_reach,),
}
