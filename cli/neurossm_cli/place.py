"""``neurossm place``: which core holds what, how full they are, how long a step takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.console import Console, DetailsOption, JsonOption
from neurossm_cli.presentation.options import (
    ChipsOption,
    DataDirOption,
    HardwareOption,
    MappingOption,
    OtherDataOption,
    data_option,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RECIPE, WRITES
from neurossm_cli.presentation.placement import print_activity, print_placement, print_step


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
