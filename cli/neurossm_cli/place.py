"""``neurossm place``: which core holds what, how full they are, how long a step takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.console import Console, DetailsOption, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    ChipsOption,
    DataDirOption,
    HardwareOption,
    MappingOption,
    OtherDataOption,
    data_option,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RECIPE, WRITES

if TYPE_CHECKING:
    from neurossm.metrics.per_core import CoreActivity
    from neurossm.metrics.step_time import StepTime
    from neurossm.placement import Placement

LESS = (0, 1, 2, 3, 8, 9)  # columns of the populations without --details


def place(
    graph: Annotated[
        Path | None,
        typer.Argument(metavar="GRAPH", help="A network, .nssm, float or integer."),
        READS,
    ] = None,
    like: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="Plan the network of a recipe, before it is trained.",
            autocompletion=completing.recipe,
        ),
        READS_RECIPE,
    ] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="With --like: a change, such as model.width=256."
        ),
    ] = None,
    hardware: HardwareOption = "loihi2",
    chips: ChipsOption = None,
    ssm_mapping: MappingOption = None,
    data: Annotated[
        str,
        data_option("Data to measure the activity on, a few samples"),
        READS_DATA,
    ] = "",
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a drawing of the chips here."), WRITES
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    details: DetailsOption = False,
    json: JsonOption = False,
) -> None:
    """Plan which core holds what: memory, load, time per step.

    Says how many cores and chips a network needs under a mapping of its states, and predicts the
    time per step (modeled, not measured).
    """
    from neurossm_workflows.place import place as plan_network

    console = Console(json)
    plan = plan_network(
        graph, like=like, changes=set_ or [], hardware=hardware, chips=chips,
        ssm_mapping=ssm_mapping, data=data, data_dir=data_dir, other_data=other_data,
        listener=console.listener,
    )  # fmt: skip
    if svg:
        from neurossm.store import write_text

        write_text(svg, plan.svg(), "--svg")
    console.document(
        {"file": str(graph) if graph else None, "like": like or None, **plan.as_json(),
         "svg": str(svg) if svg else None}
    )  # fmt: skip
    print_placement(console, plan.placement, plan.chip.title, details)
    if details:
        print_activity(console, plan.activity, plan.step_time)
    assumed = plan.placement.assumptions if details else ()
    for sentence in (*plan.not_in_the_plan, *assumed):
        console.say(f"- {sentence}")
    if not details:
        print_step(console, plan.activity, plan.step_time, len(plan.placement.assumptions))
    if svg:
        console.say(f"drawing: {svg}")


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
