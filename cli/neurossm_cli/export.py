"""``neurossm export``: a trained run becomes a hardware-neutral graph file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import (
    NIR,
    NORMALIZE,
    READOUTS_OF_MODULES,
    TASKS,
    checkpoints,
    choice,
    listed,
)
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import DataDirOption, OutputOption, data_option
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RUN, WRITES_OURS
from neurossm_workflows.describing import interface_document, interface_lines

if TYPE_CHECKING:
    from neurossm.graph import Graph


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE.py:FUNCTION",
            help="The run folder of a training; a trained network that comes with neurossm:"
            f" {listed(checkpoints())}; or a function that returns an nn.Module of your own.",
            autocompletion=completing.checkpoint,
        ),
        READS_RUN,
    ],
    output: Annotated[OutputOption, WRITES_OURS],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Module: its state_dict, .pt or .safetensors."),
        READS,
    ] = None,
    data: Annotated[
        str,
        data_option("Module: its training data; scale, length and classes are learned from them"),
        READS_DATA,
    ] = "",
    steps: Annotated[int | None, typer.Option(
        metavar="N", min=2, help="Module: steps of a sequence (default: the longest of the data)."
    )] = None,
    task: Annotated[str, choice(
        TASKS, "Module: {} (default: as the labels look).", metavar="TASK")] = "",
    readout: Annotated[str, choice(
        READOUTS_OF_MODULES, "Module that returns every step: how the steps are read out, {}.",
        metavar="READOUT")] = "",
    layout: Annotated[str, typer.Option(
        metavar="AXES", help="Module: order of the axes that forward takes, of b (batch), t (time)"
        " and f (features), such as btf.")] = "",
    normalize: Annotated[str, choice(
        NORMALIZE, "Module: {}: it takes the values of the data as they are (default), or less"
        " their mean and divided by their standard deviation.", metavar="HOW")] = "",
    converters: Annotated[str, typer.Option(
        metavar="NAME", help="Module: a dictionary in its file from module types to converters of"
        " your own (docs/how-to/own-networks.md).")] = "",
    step: Annotated[bool, typer.Option(
        "--step", help="Module: forward takes one time step, and the layers keep their states."
    )] = False,
    nir: Annotated[str, choice(
        NIR, "Write the network as NIR too, {}: fail if NIR cannot express it; write it if NIR can"
        " and the package nir is installed; do not; with nodes that are only proposed for NIR,"
        " which its library cannot read.", metavar="WHEN")] = "auto",
    dt: Annotated[float | None, typer.Option(
        metavar="SECONDS", help="Duration of a time step, where the data do not say it.")] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Export a trained network from PyTorch to one .nssm file.

    The file holds a float graph, which does not depend on hardware; batch norms are folded, nothing
    is approximated. The next step is 'neurossm quantize'.

    A run folder knows its data. An nn.Module of your own is built by a function, whose arguments
    in_features, classes, vocabulary and steps, if it has them, are those of the data. It gets its
    --weights, and is traced on samples of --data; the graph must compute what the module computes
    there, or nothing is written.
    """
    from neurossm_workflows.export import export as export_graph
    from neurossm_workflows.export import write_graph

    console = Console(json)
    with console.warnings_noted() as notes:
        graph = export_graph(
            run, dt=dt, weights=weights, data=data, data_dir=data_dir, steps=steps, task=task,
            readout=readout, layout=layout, normalize=normalize, converters=converters, step=step,
        )  # fmt: skip
    wrote = write_graph(graph, output, nir)
    about = interface_document(graph)
    console.document(
        {"file": str(output), "nodes": len(graph.nodes), "nir": wrote.nir,
         "nir_reasons": list(wrote.reasons), "interface": about, "integer": graph.is_integer,
         "notes": notes}
    )  # fmt: skip
    console.say(f"{output}: {plural(len(graph.nodes), 'node')}, {plural(len(graph.edges), 'edge')}")
    for line in interface_lines(graph):
        console.say(line)
    if graph.is_integer:
        console.say("an integer network, as SLAYER computes it: ready to run, nothing to quantize")
    if wrote.proposed:
        console.say("NIR: written to /node with proposed nodes, which the nir library cannot read")
    elif wrote.nir:
        console.say("NIR: written to /node" + _fastest_turn(graph))
    elif nir != "off":
        others = len(wrote.reasons) - 1
        more = f" (and {others} more node{'s' * (others > 1)})" if others else ""
        console.say(f"NIR: not written; {wrote.reasons[0]}{more}")


def _fastest_turn(graph: Graph) -> str:
    """Return what a reader of the NIR graph must know of its oscillations."""
    from neurossm_workflows.export import fastest_turn

    turn = fastest_turn(graph)
    if turn is None:
        return ""
    # by forward Euler a state that turns by 0.94 rad a step grows by about 1.3 a step
    return (
        f"; its states turn by up to {turn:.3g} rad per step: a reader must solve the two LI of"
        " a state together"
    )
