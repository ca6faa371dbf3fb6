"""``neurossm export``: a trained run becomes a hardware-neutral graph file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RUN, WRITES_OURS
from neurossm_workflows.describing import interface_document, interface_lines

if TYPE_CHECKING:
    from neurossm.graph import Graph


def export(
    run: Annotated[str, typer.Argument(
        metavar="RUN|FILE.py:FUNCTION",
        help="A run folder or the name of a checkpoint; or the function of a file that builds an"
        " nn.Module of your own."), READS_RUN],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .nssm file to write."),
                      WRITES_OURS],
    weights: Annotated[Path | None, typer.Option(
        help="Of a module: its state_dict (torch.save or .safetensors)."), READS] = None,
    data: Annotated[str, typer.Option(
        help="Of a module: what it was trained on; see 'neurossm data'. Scale, length and classes"
        " are learned from the training part."), READS_DATA] = "",
    steps: Annotated[int | None, typer.Option(
        min=2, help="Of a module: steps of a sequence (default: the longest of the data).")] = None,
    task: Annotated[str, typer.Option(
        help="Of a module: classification | multilabel | regression | step-classification |"
        " step-regression | next-step (default: what the labels look like).")] = "",
    readout: Annotated[str, typer.Option(
        help="Of a module that returns every step: mean | last | max | sum | every-step.")] = "",
    layout: Annotated[str, typer.Option(
        help="Of a module: axes that forward takes: b samples, t steps, f channels.")] = "",
    normalize: Annotated[str, typer.Option(
        help="Of a module: none, it takes the values of the data (default); standard, values less"
        " their mean over their deviation, as neurossm train feeds its own.")] = "",
    converters: Annotated[str, typer.Option(
        metavar="NAME", help="Of a module: a dictionary in its file, of module types to converters"
        " of your own (docs/how-to/own-networks.md).")] = "",
    step: Annotated[bool, typer.Option(
        "--step", help="Of a module: its forward takes one step, its layers remember the rest."
    )] = False,
    nir: Annotated[str, typer.Option(help="strict: fail unless NIR can express the whole graph;"
                                     " auto: write NIR where it can; off.")] = "auto",
    dt: Annotated[float | None, typer.Option(
        help="Seconds of a step of the data, where they do not say it themselves.")] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Export a trained model to a float graph; batch norms fold, nothing is dropped.

    A run brings its data with it. A module of your own is built by a function without arguments,
    gets its weights, and is followed operation by operation on samples of the data; graph and
    module must agree there, or nothing is written.
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
    console.say(f"{output}: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
    for line in interface_lines(graph):
        console.say(line)
    if graph.is_integer:
        console.say("an integer graph, as SLAYER computes it: ready to run, nothing to quantize")
    if wrote.nir:
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
        f"; its states turn by up to {turn:.3g} rad a step: a reader must solve the two LI of"
        " a state together"
    )
