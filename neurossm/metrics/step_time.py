"""Predicted time of a step: the largest of several terms, each from its busiest core or chip.

The structure is that of the public runtime models of Loihi 2 (a maximum of terms, each a maximum
over cores): sums over the network do not predict a run time, the busiest core does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.hardware import Hardware
from neurossm.metrics.per_core import CoreActivity
from neurossm.placement import Placement

NOT_MODELED = (
    "reads of synaptic memory and the heaviest link of the mesh: their rates are not published",
    "queues and peaks: counts are means over steps",
)


@dataclass(frozen=True)
class Term:
    """One lower bound of a step, in seconds, with where its constants come from."""

    name: str
    low: float
    high: float
    where: str
    source: str


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step as an interval, and the terms that it is the largest of."""

    terms: tuple[Term, ...]

    @property
    def low(self) -> float:
        """The largest of the low ends."""
        return max(term.low for term in self.terms)

    @property
    def high(self) -> float:
        """The largest of the high ends."""
        return max(term.high for term in self.terms)

    @property
    def binds_low(self) -> Term:
        """The term that makes the low end."""
        return max(self.terms, key=lambda term: term.low)

    @property
    def binds_high(self) -> Term:
        """The term that makes the high end."""
        return max(self.terms, key=lambda term: term.high)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "low_s": self.low,
            "high_s": self.high,
            "binds_low": self.binds_low.name,
            "binds_high": self.binds_high.name,
            "terms": [asdict(term) for term in self.terms],
            "not_modeled": list(NOT_MODELED),
            "label": "modelled, not measured",
        }


def step_time(placement: Placement, activity: CoreActivity, hardware: Hardware) -> StepTime:
    """Return the predicted time of a step.

    Raises
    ------
    TargetError
        If the file of the chip lacks a time, or the passes of a node type.
    """
    timing = hardware.timing
    syn_op, neuron_pass, shortest = (
        hardware.require("timing", key) for key in ("syn_op", "neuron_pass", "min_step")
    )
    passes = _passes(placement, hardware)
    busiest = int(np.argmax(passes[1]))
    terms = [
        Term(
            "neuron updates", float(passes[0].max()) * neuron_pass.low,
            float(passes[1].max()) * neuron_pass.high, _core(placement, busiest),
            f"{neuron_pass} a pass: {neuron_pass.source}",
        ),
        Term(
            "synaptic operations", float(activity.syn_ops[0].max()) * syn_op.low,
            float(activity.syn_ops[1].max()) * syn_op.high,
            _core(placement, int(np.argmax(activity.syn_ops[1]))),
            f"{syn_op} each: {syn_op.source}",
        ),
    ]  # fmt: skip
    barrier = shortest
    if placement.chips > 1:
        barrier = hardware.require("timing", "barrier_multi_chip")
        link = hardware.require("timing", "chip_link_message")
        chip = int(np.argmax(activity.leaving[1]))
        terms.append(
            Term(
                "messages between chips", 0.0, float(activity.leaving[1].max()) * link.high,
                f"chip {chip}, all over one link; how many there are is not published",
                f"{link} a message: {link.source}",
            )
        )  # fmt: skip
    terms.append(
        Term("barrier", barrier.low, barrier.high, "all cores", f"{barrier}: {barrier.source}")
    )
    if timing.measured_step is not None:
        fixed = timing.measured_step
        terms.append(
            Term(
                "fixed cost of input and output", 0.0, fixed.high, "embedded cores",
                f"{fixed} of a whole step of a small network: {fixed.source}",
            )
        )  # fmt: skip
    return StepTime(tuple(terms))


def _passes(placement: Placement, hardware: Hardware) -> NDArray[np.float64]:
    """Return the passes of neuron programs a step of each core, least and most: ``(2, cores)``.

    Least: all that one neuron does runs in the passes of its longest part.
    """
    each = {name: _of_neuron(p.work, hardware) for name, p in placement.populations.items()}
    found = np.zeros((2, len(placement.cores)))
    for index, core in enumerate(placement.cores):
        for part in core.slices:
            found[0, index] += part.neurons * each[part.population][0]
            found[1, index] += part.neurons * each[part.population][1]
    return found


def _of_neuron(work: Sequence[tuple[str, int]], hardware: Hardware) -> tuple[float, float]:
    known = {kind: hardware.require("passes", kind) for kind, _ in work}
    return (
        max(count * known[kind].low for kind, count in work),
        sum(count * known[kind].high for kind, count in work),
    )


def _core(placement: Placement, position: int) -> str:
    core = placement.cores[position]
    held = ", ".join(part.population for part in core.slices)
    return f"chip {core.chip}, core {core.index} ({held})"
