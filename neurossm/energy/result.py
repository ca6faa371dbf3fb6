"""An energy estimate as values: by constant set, by part, beside its baselines, with its limits."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from neurossm.energy.digital import SAME_SHAPE, Baseline
from neurossm.energy.interval import Interval, exactly, holds_everywhere, hull, known_hull
from neurossm.energy.placed import Work
from neurossm.energy.real_time import RealTime, real_time_hull
from neurossm.errors import InputError
from neurossm.hardware import EnergySet, Hardware
from neurossm.placement import Placement

LABEL = "modeled, not measured"
HOLDS = 0.03  # points that a baseline may lose: less than so few samples can tell
SLOWEST = 1e-9  # steps a second: one in 30 years
EXCLUDED = (
    "host input and output, and the embedded processors",
    "synchronization between steps, and learning",
)
UNPLACED = "what a core of this chip holds is not published: messages go anywhere, time is unknown"
BETWEEN_CHIPS = "links between chips, beyond the routers that lead to them"


@dataclass(frozen=True)
class SetEnergy:
    """Joules of one inference by one set of published constants.

    `routing` is None where the set has no energy of its own for activations. `dynamic` is the sum
    of the parts, `total` has the static energy too where that is known.
    """

    constants: EnergySet
    synaptic: Interval
    neuron: Interval
    routing: Interval | None
    dynamic: Interval
    total: Interval

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "low_j": self.total.low,
            "high_j": self.total.high,
            "dynamic_j": self.dynamic.as_json(),
            "synaptic_j": self.synaptic.as_json(),
            "neuron_j": self.neuron.as_json(),
            "routing_j": _json(self.routing),
            "kind": self.constants.kind,
            "source": self.constants.citation,
            "process": self.constants.process,
            "grade": self.constants.grade,
            "note": self.constants.note,
        }


@dataclass(frozen=True)
class Energy:
    """Energy of one inference (one sample) on a chip: modeled, not measured.

    Attributes
    ----------
    hardware, steps
        The chip, and the steps of one inference.
    work
        The events that were charged.
    by_constant_set
        Name of each set of published constants to its result.
    step_time
        Seconds a step, as fast as the chip goes; None where its times are not published.
    static
        Static power times time; None where either is not published, and then in no total.
    placements
        Where the network was placed; of several this is the hull. Empty where the chip's file
        cannot say what a core holds.
    baselines
        Plain digital arithmetic, see `neurossm.energy.digital`.
    parts
        The estimates of which this is the hull; empty where it is that of one placement.
    problems
        Mapping and reason of each by which the network does not fit the chip.
    """

    hardware: Hardware
    steps: float
    work: Work
    by_constant_set: Mapping[str, SetEnergy]
    step_time: Interval | None
    static: Interval | None
    placements: tuple[Placement, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    parts: tuple[Energy, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    label: str = field(default=LABEL, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_constant_set", MappingProxyType(dict(self.by_constant_set)))

    @property
    def total(self) -> Interval:
        """Over all sets, static included where it is known."""
        return hull(found.total for found in self.by_constant_set.values())

    @property
    def dynamic(self) -> Interval:
        """Over all sets, without static."""
        return hull(found.dynamic for found in self.by_constant_set.values())

    @property
    def breakdown(self) -> dict[str, Interval | None]:
        """Each part over all sets that state it; None where none does."""
        sets = self.by_constant_set.values()
        return {
            "synaptic": hull(found.synaptic for found in sets),
            "neuron": hull(found.neuron for found in sets),
            "routing": known_hull(found.routing for found in sets),
            "static": self.static,
        }

    @property
    def excluded(self) -> tuple[str, ...]:
        """What no number here holds."""
        unknown = () if self.static else (f"static power: not published for {self.hardware.title}",)
        if not self.placements:
            return (*unknown, *EXCLUDED, UNPLACED)
        failed = tuple(
            f"the {mapping} mapping, which does not fit: {reason}"
            for mapping, reason in self.problems
        )
        several = any(placement.chips > 1 for placement in self.placements)
        return (*unknown, *EXCLUDED, *((BETWEEN_CHIPS,) if several else ()), *failed)

    @property
    def chips(self) -> tuple[int, int] | None:
        """The least and the most chips of the placements; None where there is none."""
        each = [placement.chips for placement in self.placements]
        return (min(each), max(each)) if each else None

    def at_rate(self, steps_per_second: float) -> RealTime:
        """Return the case of real time: so many steps a second, static power all the while.

        Of several placements the hull of those that reach the rate.

        Raises
        ------
        InputError
            If the rate is below `SLOWEST`, not finite, or above what the chip can reach by this
            model.
        """
        fastest = 1 / self.step_time.low if self.step_time else sys.float_info.max
        if not SLOWEST <= steps_per_second <= fastest:
            raise InputError(
                "steps_per_second",
                expected=f"{SLOWEST:g} to {fastest:.4g}, the most that the chip reaches here"
                if self.step_time else f"{SLOWEST:g} or more, and finite",
                got=f"{steps_per_second:g}",
            )  # fmt: skip
        reached = [
            part for part in self.parts
            if part.step_time is None or steps_per_second <= 1 / part.step_time.low
        ]  # fmt: skip
        if reached:
            return real_time_hull([part.at_rate(steps_per_second) for part in reached])
        seconds, power = self.steps / steps_per_second, self.hardware.power.static_chip
        static = None
        if power is not None and self.chips is not None:
            static = Interval(power.low, power.high) * (seconds * self.chips[1])
        total = self.dynamic + static if static else self.dynamic
        return RealTime(steps_per_second, seconds, static, total)

    def statements(self) -> tuple[str, ...]:
        """Return the comparisons that hold, like with like, with and without memory access.

        Only rows of one technology and one boundary are compared: a chip with its memories and
        network against arithmetic alone would be no comparison. The cheapest dense row is named.
        """
        rows = {row.name: row for row in self.baselines}
        own = rows.pop("snn_digital", None)
        if own is None:
            return ()
        said = [_compare(own, other) for other in rows.values()]
        best = min(rows.values(), key=lambda row: row.with_memory_j)
        said.append(f"The cheapest dense network here is the {_short(best)}: {_accuracy_of(best)}.")
        holds = [row for row in rows.values() if _holds(row)]
        if holds and best not in holds:
            best = min(holds, key=lambda row: row.with_memory_j)
            said.append(
                f"The cheapest within {100 * HOLDS:.0f} points of accuracy is the {_short(best)}:"
                f" {_accuracy_of(best)}."
            )
        chip = f"No ratio is stated between {self.hardware.title} and the digital rows: they differ"
        return (*said, f"{chip} in technology and in what they include.")

    def with_accuracies(self, found: Mapping[str, tuple[float, float, str]]) -> Energy:
        """Return the same with accuracies beside baselines.

        Parameters
        ----------
        found
            Name of a baseline to the accuracy with its recurrence, that of the spiking network on
            the same samples, and how many they were and how it was measured.
        """
        keys = ("accuracy", "own_accuracy", "accuracy_note")
        rows = tuple(
            replace(row, **dict(zip(keys, found[row.name], strict=True)))  # type: ignore[arg-type]
            if row.name in found else row
            for row in self.baselines
        )  # fmt: skip
        return replace(self, baselines=rows)

    @property
    def by_mapping(self) -> dict[str, Energy]:
        """Name of each mapping that was placed to its own estimate."""
        each = self.parts or (self,)
        return {one.ssm_mapping: part for part in each for one in part.placements}

    def by_mapping_json(self) -> dict[str, object]:
        """Return plain values of the estimate of one mapping."""
        (placement,) = self.placements
        return {
            "chips": placement.chips,
            "cores_in_use": len(placement.cores),
            "dynamic_j": self.dynamic.as_json(),
            "total_j": self.total.as_json(),
            "step_time_s": _json(self.step_time),
            "neuron_passes": self.work.passes.as_json(),
        }

    def as_json(self) -> dict[str, object]:
        """Return plain values in joules, seconds and counts; unknown is null."""
        return {
            "label": self.label,
            "hardware": self.hardware.name,
            "per": "inference",
            "steps": self.steps,
            "low_j": self.total.low,
            "high_j": self.total.high,
            "dynamic_low_j": self.dynamic.low,
            "dynamic_high_j": self.dynamic.high,
            "static_included": self.static is not None,
            "by_constant_set": {n: s.as_json() for n, s in self.by_constant_set.items()},
            "breakdown": {name: _json(part) for name, part in self.breakdown.items()},
            "step_time_s": _json(self.step_time),
            "placed": bool(self.placements),
            "chips": list(self.chips) if self.chips else None,
            "by_mapping": {name: part.by_mapping_json() for name, part in self.by_mapping.items()},
            "does_not_fit": dict(self.problems),
            "events": {
                "syn_ops": self.work.syn_ops.as_json(),
                "neuron_passes": self.work.passes.as_json(),
                "spikes": self.work.spikes.as_json(),
                "messages": self.work.messages.as_json(),
                "hops": self.work.hops.as_json(),
            },
            "baselines": {
                row.name: {k: v for k, v in asdict(row).items() if k not in ("name", "title")}
                for row in self.baselines
            },
            "same_shape": SAME_SHAPE,
            "statements": list(self.statements()),
            "excluded": list(self.excluded),
            "caveats": list(self.hardware.caveats),
        }


def _compare(own: Baseline, other: Baseline) -> str:
    pairs = [(own.arithmetic_j, other.arithmetic_j), (own.with_memory_j, other.with_memory_j)]
    below = [holds_everywhere(exactly(a), exactly(b)) for a, b in pairs]
    above = [holds_everywhere(exactly(b), exactly(a)) for a, b in pairs]
    names = f"the {_short(other)}"
    start = "On the same 45 nm arithmetic this network takes"
    for found, word in ((below, "less"), (above, "more")):
        factors = [factor for factor in found if factor is not None]
        if len(factors) == len(pairs) and min(factors) >= 1.01:
            return f"{start} at least {_floor(min(factors))} times {word} energy than {names}."
    return f"{start} neither clearly less nor clearly more energy than {names}."


def _short(row: Baseline) -> str:
    return row.title.removesuffix(", dense")


def _accuracy_of(row: Baseline) -> str:
    if row.accuracy is None:
        return f"whether such a recurrence is accurate enough was {row.accuracy_note}"
    own = f", {row.own_accuracy:.2%} with its own" if row.own_accuracy is not None else ""
    return f"this network with such a recurrence has {row.accuracy:.2%}{own} ({row.accuracy_note})"


def _holds(row: Baseline) -> bool:
    if row.accuracy is None or row.own_accuracy is None:
        return False
    return row.accuracy >= row.own_accuracy - HOLDS


def _floor(factor: float) -> str:
    # rounded down, so that the sentence stays true
    return f"{math.floor(factor)}" if factor >= 10 else f"{math.floor(factor * 100) / 100:.2f}"


def _json(part: Interval | None) -> list[float] | None:
    return part.as_json() if part is not None else None
