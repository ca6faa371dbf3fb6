"""``neurossm profile``: operation counts and the energy interval of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import SSM_MAPPINGS, choice
from neurossm_cli.presentation.console import Console, DetailsOption, JsonOption
from neurossm_cli.presentation.energy import print_costs, print_profile
from neurossm_cli.presentation.options import (
    DATA,
    ChipsOption,
    DataDirOption,
    HardwareOption,
    IntegerGraph,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RUN, WRITES, writes_into
from neurossm_cli.presentation.profile_summary import print_profile_summary

if TYPE_CHECKING:
    from neurossm_workflows.profile import Profile


def profile(
    graph: IntegerGraph,
    data: Annotated[str, DATA, READS_DATA],
    hardware: HardwareOption = "loihi2",
    ssm_mapping: Annotated[
        str | None,
        choice(
            SSM_MAPPINGS,
            "How the states of an SSM are placed ({}): one chip neuron per state, or the states of"
            " a channel in one chip neuron (default: both are estimated).",
            metavar="MAPPING",
        ),
    ] = None,
    chips: ChipsOption = None,
    steps_per_second: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Time steps per second of real-time operation (default: that of the data).",
        ),
    ] = None,
    neurobench: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the algorithm metrics of NeuroBench here (JSON)."),
        WRITES,
    ] = None,
    measure_cpu: Annotated[
        bool,
        typer.Option(
            "--measure-cpu",
            help="Also measure the time of the fast engine, and of the float network with --model.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="With --measure-cpu: run folder or checkpoint of the float network.",
            autocompletion=completing.checkpoint,
        ),
        READS_RUN,
    ] = None,
    baseline_samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Sequences on which recurrences of few bits are simulated (default: as many as"
            " take a few seconds).",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report here (HTML)."), WRITES
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write every figure (SVG) and the numbers of figures and tables (CSV) here.",
        ),
        writes_into("README.md"),
    ] = None,
    float_: Annotated[
        Path | None,
        typer.Option(
            "--float", metavar="GRAPH", help="The float network, .nssm, to compare the accuracy."
        ),
        READS,
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    details: DetailsOption = False,
    json: JsonOption = False,
) -> None:
    """Count operations and estimate energy, with a report.

    Runs an integer network on data, counts synaptic operations, neuron updates and spikes, places
    it on a chip, and estimates the energy per inference as an interval over published constants
    (modeled, not measured).
    """
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
    if figures:
        found.figures(figures, file_name=graph.name)
    console.document(
        {**found.as_json(), "neurobench": str(neurobench) if neurobench else None,
         "report": str(html) if html else None, "figures": str(figures) if figures else None}
    )  # fmt: skip
    _say_scores(console, found)
    if details:
        print_profile(console, found)
        print_costs(console, found)
    else:
        print_profile_summary(console, found)
    for name, file in (("NeuroBench metrics", neurobench), ("report", html),
                       ("figures", figures)):  # fmt: skip
        if file:
            console.say(f"{name}: {file}")


def _say_scores(console: Console, found: Profile) -> None:
    scores, floats = found.scores, found.scores_float
    if scores is None:
        return
    console.say(f"integer: {scores.text()}" + (f"; float: {floats.text()}" if floats else ""))
    if found.agreement is not None:
        console.say(f"equal predictions: {found.agreement:.2%}")
