"""``neurossm import``: a network of another tool becomes a graph file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.choices import (
    COMPARISONS,
    CONVENTIONS,
    FORMATS,
    METHODS,
    READOUTS_OF_FILES,
    RESETS,
    TASKS,
    TIME_UNITS,
    choice,
)
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import DataDirOption, OutputOption, data_option
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES_OURS
from neurossm_workflows.describing import interface_lines


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file of the other tool."), READS
    ],
    output: Annotated[OutputOption, WRITES_OURS],
    format: Annotated[
        str | None,
        choice(FORMATS, "Format, {}: NIR; SLAYER's netx; an S4D checkpoint of PyTorch (default:"
               " what the file looks like).", "--from", metavar="FORMAT"),
    ] = None,
    dt: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Duration of a time step.")
    ] = None,
    convention: Annotated[
        str | None,
        choice(CONVENTIONS, "NIR: how its equations become time steps: {} (default: exact). norse"
               " takes norse-dt or norse-s, whichever fits the file.", metavar="TOOL"),
    ] = None,
    tau_unit: Annotated[
        str | None,
        choice(TIME_UNITS, "NIR: unit of its time constants, {} (default: ms, as NIR documents).",
               metavar="UNIT"),
    ] = None,
    reset: Annotated[
        list[str] | None,
        choice(RESETS, "NIR: reset after a spike, {}: to v_reset; minus the threshold; the same"
               " one step later, as snnTorch by default; no reset. NODE=RULE for one node;"
               " repeatable.", metavar="[NODE=]RULE", of_node=True),
    ] = None,
    compare: Annotated[
        list[str] | None,
        choice(COMPARISONS, "NIR: a neuron spikes above its threshold, or at it too ({}; default:"
               " as the convention). NODE=gt for one node; repeatable.",
               metavar="[NODE=]gt|ge", of_node=True),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="NIR: number format of the input: binary (default), or"
                     " BITS:FRAC, such as 8:0 for bytes."),
    ] = None,
    proposed: Annotated[bool, typer.Option(
        "--proposed", help="NIR: read StateSpace and Reset, nodes that are only proposed for it"
        " (docs/explanation/nir-proposal.md)."
    )] = False,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Longest sequence in time steps: for the headroom of running"
                     " sums; s4: for its mean."),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(metavar="FIRST:STOP", help="netx: only these layers.")
    ] = None,
    data: Annotated[
        str,
        data_option("s4: its training data; scale, steps and classes are learned from them"),
        READS_DATA,
    ] = "",
    scale: Annotated[
        float | None,
        typer.Option(metavar="X", help="s4 without --data: value of one unit of the integer inputs,"
                     " such as 0.00392157 for pixels of 0 to 255 that stand for 0 to 1."),
    ] = None,
    prenorm: Annotated[
        bool, typer.Option("--prenorm", help="s4: batch norms come before the layers.")
    ] = False,
    method: Annotated[
        str | None,
        choice(METHODS, "s4: discretization, {} (default: zoh).", metavar="METHOD"),
    ] = None,
    task: Annotated[
        str, choice(TASKS, "What the network predicts: {} (default: classification).",
                    metavar="TASK"),
    ] = "",
    readout: Annotated[
        str,
        choice(READOUTS_OF_FILES, "How the outputs of all steps become one prediction: {} (default:"
               " last; spikes are counted).", metavar="READOUT"),
    ] = "",
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Import a network of another tool (NIR, netx, S4D checkpoint).

    NIR files come from snnTorch, Norse, sinabs, SpikingJelly, Rockpool and others; name the tool by
    --convention, as NIR does not say how its equations become time steps. What has no counterpart
    in neurossm stops with an error that names it.
    """
    from neurossm.report import node_table
    from neurossm.store import save
    from neurossm_workflows.import_ import import_network

    console = Console(json)
    found = import_network(
        source, format, dt=dt, convention=convention, tau_unit=tau_unit, reset=reset,
        compare=compare, input=input, proposed=proposed, steps=steps, layers=layers, scale=scale,
        prenorm=prenorm, method=method, data=data, data_dir=data_dir, task=task, readout=readout,
    )  # fmt: skip
    graph = found.graph
    save(output, graph)
    rows = node_table(graph)
    console.document(
        {"file": str(output), "from": found.format, "how": found.how, "dt": graph.dt,
         "integer": graph.is_integer, "edges": len(graph.edges),
         "nodes": {row.name: row.type for row in rows}}
    )  # fmt: skip
    console.table(("node", "type", "channels"),
                  [(r.name, r.type, graph.nodes[r.name].out_channels) for r in rows])  # fmt: skip
    console.say(found.how)
    for line in interface_lines(graph):
        console.say(line)
    console.say(f"{output}: {plural(len(graph.nodes), 'node')}, {plural(len(graph.edges), 'edge')}")
