"""A placement, its activity and its step time, as tables for people or in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural

if TYPE_CHECKING:
    from neurossm.metrics.per_core import CoreActivity
    from neurossm.metrics.step_time import StepTime
    from neurossm.placement import Placement

LESS = (0, 1, 2, 3, 8, 9)  # columns of the populations without --details


def print_placement(console: Console, placed: Placement, title: str, details: bool) -> None:
    """Print the populations and what they come to; the words of each memory only with `details`."""
    from neurossm.placement.summary import summary

    rows = []
    for row in summary(placed):
        low, high = row.words_per_neuron
        each = str(high) if low == high else f"{low} to {high}"
        rows.append(
            (row.name, row.kind, row.neurons, each, row.words.neuron, row.words.axon_in,
             row.words.synapse, row.words.axon_map, row.cores, f"{row.load:.1%}")
        )  # fmt: skip
    columns = ("population", "kind", "neurons", "words each", "neuron words", "axon-in", "synapse",
               "axon-map", "cores", "fullest")  # fmt: skip
    kept = range(len(columns)) if details else LESS
    console.table(
        [columns[at] for at in kept],
        [[row[at] for at in kept] for row in rows],
        title=f"On {title}, ssm-mapping {placed.ssm_mapping}",
    )
    total, budget = placed.total, placed.budget
    mean = total.total / (len(placed.cores) * budget.total_words)
    console.say(
        f"cores {len(placed.cores):,}, chips {placed.chips:,} of {budget.cores} usable cores each,"
        f" neurons {placed.neurons:,}; load {mean:.1%} mean, {placed.largest_load:.1%} fullest core"
    )
    for encoding in placed.encodings:
        console.say(str(encoding))


def print_activity(console: Console, activity: CoreActivity, time: StepTime) -> None:
    """Print counters, totals and busiest core, and the terms of the step time."""
    from neurossm.metrics.per_core import COUNTERS
    from neurossm.metrics.step_time import NOT_MODELED

    def shown(low: float, high: float) -> str:
        return f"{high:,.1f}" if low == high else f"{low:,.1f} to {high:,.1f}"

    rows = []
    for name in COUNTERS:
        values = getattr(activity, name)
        rows.append((name, shown(*values.sum(axis=1)), shown(*values.max(axis=1))))
    console.say(f"Activity: {activity.basis}")
    console.table(("per step", "all cores", "busiest core"), rows)

    console.say()
    console.say("Predicted step time: the largest of these terms (modeled, not measured)")
    for term in time.terms:
        console.say(f"  {term.name}: {_seconds(term.low, term.high)}, {term.where}; {term.source}")
    console.say(_step(time))
    for sentence in NOT_MODELED:
        console.say(f"- Not modeled: {sentence}.")


def print_step(console: Console, activity: CoreActivity, time: StepTime, assumed: int) -> None:
    """Print the step time alone, and where its terms and assumptions are."""
    from neurossm.metrics.step_time import NOT_MODELED

    console.say(f"{_step(time)} (modeled, not measured; activity: {activity.basis})")
    console.say(
        f"Words of each memory, activity, terms of the step time, {plural(assumed, 'assumption')}"
        f" and {plural(len(NOT_MODELED), 'effect')} not modeled: --details"
    )


def _step(time: StepTime) -> str:
    return (f"step: {_seconds(time.low, time.high)}; the low end is {time.binds_low.name},"
            f" the high end {time.binds_high.name}")  # fmt: skip


def _seconds(low: float, high: float) -> str:
    from neurossm.report.units import si

    return si(low, "s") if low == high else f"{si(low, 's')} to {si(high, 's')}"
