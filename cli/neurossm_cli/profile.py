"""``neurossm profile``: operation counts and the energy interval of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation.console import (
    DATA,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.energy import print_costs, print_profile
from neurossm_cli.presentation.options import ChipsOption, HardwareOption
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RUN, WRITES

if TYPE_CHECKING:
    from neurossm_workflows.profile import Profile


def profile(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    data: Annotated[str, DATA, READS_DATA],
    hardware: HardwareOption = "loihi2",
    ssm_mapping: Annotated[
        str | None, typer.Option(help="Place it by one mapping: channel | state (default: both).")
    ] = None,
    chips: ChipsOption = None,
    steps_per_second: Annotated[
        float | None, typer.Option(help="Real time: steps a second (default: the graph's own).")
    ] = None,
    neurobench: Annotated[
        Path | None,
        typer.Option(help="Write NeuroBench's algorithm metrics to this JSON file."),
        WRITES,
    ] = None,
    measure_cpu: Annotated[
        bool, typer.Option("--measure-cpu", help="Time the float network and the fast engine here.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Checkpoint or run folder of the float network to time."),
        READS_RUN,
    ] = None,
    baseline_samples: Annotated[
        int | None,
        typer.Option(help="Sequences on which to simulate narrow recurrences (default: seconds)."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here."), WRITES] = None,
    float_: Annotated[
        Path | None,
        typer.Option("--float", help="The float .nssm file, to compare accuracy."),
        READS,
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Count operations over a run and estimate energy as an interval: modelled, not measured."""
    from neurossm_workflows.profile import profile as profile_graph

    console = Console(json)
    found = profile_graph(
        graph, data, floating=float_, hardware=hardware, ssm_mapping=ssm_mapping, chips=chips,
        steps_per_second=steps_per_second, measure_cpu=measure_cpu, model=model,
        baseline_samples=baseline_samples, data_dir=data_dir, other_data=other_data,
        listener=console.listener,
    )  # fmt: skip
    if neurobench:
        found.write_neurobench(neurobench)
    if html:
        found.to_html(html, file_name=graph.name)
    console.document(
        {**found.as_json(), "neurobench": str(neurobench) if neurobench else None,
         "report": str(html) if html else None}
    )  # fmt: skip
    _say_scores(console, found)
    print_profile(console, found)
    print_costs(console, found)
    for name, file in (("NeuroBench metrics", neurobench), ("report", html)):
        if file:
            console.say(f"{name}: {file}")


def _say_scores(console: Console, found: Profile) -> None:
    scores, floats = found.scores, found.scores_float
    if scores is None:
        return
    console.say(f"integer: {scores.text()}" + (f"; float: {floats.text()}" if floats else ""))
    if found.agreement is not None:
        console.say(f"equal predictions: {found.agreement:.2%}")
