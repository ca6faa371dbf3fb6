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
            "label": "modeled, not measured",
        }


def step_time(placement: Placement, activity: CoreActivity, hardware: Hardware) -> StepTime:
    """Return the predicted time of a step of a placed network.

    Raises
    ------
    TargetError
        If the file of the chip lacks a time, or the passes of a node type.
    """
    terms = core_terms(placement, activity.syn_ops, hardware)
    if placement.chips > 1:
        terms.append(_links(activity, hardware))
    return StepTime(tuple(terms))


def core_terms(
    placement: Placement, syn_ops: NDArray[np.float64], hardware: Hardware
) -> list[Term]:
    """Return the terms that follow from the work of placed cores in a mean step.

    Low ends: synaptic operations, neuron passes and the chip's shortest step. High: both of them
    one after the other in the slowest core, then the synchronization that was published for several
    chips (10 us; on one chip it may be less), and Intel's measured step where the file has one:
    that holds a fixed cost which no published term explains.

    Parameters
    ----------
    placement
        Where the neurons are.
    syn_ops
        Synaptic operations of each core, least and most: ``(2, cores)``.
    hardware
        The chip.

    Raises
    ------
    TargetError
        If the file of the chip lacks a time, or the passes of a node type.
    """
    passes = _passes(placement, hardware)
    names = [_core(placement, position) for position in range(len(placement.cores))]
    timing = hardware.timing
    syn_op, neuron_pass, shortest = (
        hardware.require("timing", key) for key in ("syn_op", "neuron_pass", "min_step")
    )
    several_chips = placement.chips > 1
    barrier = hardware.require("timing", "barrier_multi_chip") if several_chips else shortest
    neural = np.stack([passes[0] * neuron_pass.low, passes[1] * neuron_pass.high])
    synaptic = np.stack([syn_ops[0] * syn_op.low, syn_ops[1] * syn_op.high])
    several = timing.barrier_multi_chip or shortest
    one_by_one = (neural + synaptic)[1]
    slowest = int(np.argmax(one_by_one))
    terms = [
        _busiest("neuron updates", neural, names, f"{neuron_pass} a pass: {neuron_pass.source}"),
        _busiest("synaptic operations", synaptic, names, f"{syn_op} each: {syn_op.source}"),
        Term("barrier", barrier.low, barrier.high, "all cores", f"{barrier}: {barrier.source}"),
        Term(
            "both in a row, and a barrier", 0.0, float(one_by_one[slowest]) + several.high,
            names[slowest], f"if a core does not overlap them; {several}: {several.source}",
        ),
    ]  # fmt: skip
    if timing.measured_step is not None:
        fixed = timing.measured_step
        terms.append(
            Term(
                "fixed cost of input and output", 0.0, fixed.high, "embedded cores",
                f"{fixed} of a whole step of a small network: {fixed.source}",
            )
        )  # fmt: skip
    return terms


def _busiest(name: str, seconds: NDArray[np.float64], names: Sequence[str], source: str) -> Term:
    where = names[int(np.argmax(seconds[1]))]
    return Term(name, float(seconds[0].max()), float(seconds[1].max()), where, source)


def _links(activity: CoreActivity, hardware: Hardware) -> Term:
    link = hardware.require("timing", "chip_link_message")
    chip = int(np.argmax(activity.leaving[1]))
    return Term(
        "messages between chips", 0.0, float(activity.leaving[1].max()) * link.high,
        f"chip {chip}, all over one link; how many there are is not published",
        f"{link} a message: {link.source}",
    )  # fmt: skip


def _passes(placement: Placement, hardware: Hardware) -> NDArray[np.float64]:
    """Return the passes of neuron programs a step of each core, least and most: ``(2, cores)``."""
    each = {name: np.array(p.passes(hardware)) for name, p in placement.populations.items()}
    found = np.zeros((2, len(placement.cores)))
    for index, core in enumerate(placement.cores):
        for part in core.slices:
            found[:, index] += part.neurons * each[part.population]
    return found


def _core(placement: Placement, position: int) -> str:
    core = placement.cores[position]
    held = ", ".join(part.population for part in core.slices)
    return f"chip {core.chip}, core {core.index} ({held})"
