"""``neurossm import``: a network of another tool becomes a graph file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES_OURS
from neurossm_workflows.describing import interface_lines


def import_(
    source: Annotated[Path, typer.Argument(help="The file of the other tool."), READS],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .nssm file to write."),
                      WRITES_OURS],
    format: Annotated[
        str | None,
        typer.Option("--from", help="nir | netx | s4; by default what the file looks like."),
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Duration of a step in seconds.")] = None,
    convention: Annotated[
        str | None,
        typer.Option(help="How NIR's equations become steps: exact (default), euler, snntorch,"
                          " norse (either way in which it writes: norse-dt, norse-s), sinabs,"
                          " spikingjelly, rockpool."),
    ] = None,
    tau_unit: Annotated[
        str | None, typer.Option(help="Unit of NIR's time constants: ms (as documented) or s.")
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option(metavar="[NODE=]RULE",
                     help="After a spike: nir (to v_reset, what a file can say), subtract,"
                          " subtract-late (snnTorch's default), none; NODE=RULE for one node, and"
                          " again for others."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="[NODE=]gt|ge",
                     help="Spikes above the threshold (gt) or at it too (ge), where that is not"
                          " the convention's; NODE=gt for one node, and again for others."),
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="Data of a NIR input: binary (default) or BITS:FRAC.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Longest sequence, for the headroom of running sums; of s4: the length"
                          " over which its mean is taken."),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Only layers FIRST:STOP of a netx file.")
    ] = None,
    data: Annotated[
        str,
        typer.Option(help="Of s4: what it was trained on; see 'neurossm data'. Scale, steps and"
                          " classes are learned from the training part."), READS_DATA
    ] = "",
    scale: Annotated[
        float | None,
        typer.Option(help="Of s4 without --data: what one unit of the integer inputs is worth"
                          " (0.00392157 for pixels of 0 to 255 that it took as 0 to 1)."),
    ] = None,
    prenorm: Annotated[
        bool, typer.Option("--prenorm", help="Of s4: batch norms stand in front of the layers.")
    ] = False,
    method: Annotated[
        str | None, typer.Option(help="Of s4: zoh (default) | bilinear, as it was built.")
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="What it answers: classification (default) | multilabel | regression |"
                          " step-classification | step-regression | next-step."),
    ] = "",
    readout: Annotated[
        str,
        typer.Option(help="How a sequence is answered: last (default; spikes are counted) | max |"
                          " sum | leaky | every-step."),
    ] = "",
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Import a network of another tool; what has no counterpart is refused by name."""
    from neurossm.report import node_table
    from neurossm.store import save
    from neurossm_workflows.import_ import import_network

    console = Console(json)
    found = import_network(
        source, format, dt=dt, convention=convention, tau_unit=tau_unit, reset=reset,
        compare=compare, input=input, steps=steps, layers=layers, scale=scale, prenorm=prenorm,
        method=method, data=data, data_dir=data_dir, task=task, readout=readout,
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
    console.say(f"{output}: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
