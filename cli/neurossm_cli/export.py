"""``neurossm export``: a trained run becomes a hardware-neutral graph file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import CheckFailed, GraphError, InputError
from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import READS, READS_DATA, READS_RUN, WRITES
from neurossm_workflows.describing import interface_document, interface_lines

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.train import Recipe

NIR_MODES = ("strict", "auto", "off")


def export(
    run: Annotated[str, typer.Argument(
        metavar="RUN|FILE.py:FUNCTION",
        help="A run folder or the name of a checkpoint; or the function of a file that builds an"
        " nn.Module of your own."), READS_RUN],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .nssm file to write."),
                      WRITES],
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
        " of your own (docs/own-networks.md).")] = "",
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
    from neurossm_workflows.own_module import ModuleOptions, export_module, is_module

    console = Console(json)
    options = ModuleOptions(weights, data, data_dir, steps, dt, task, readout, layout, normalize,
                            converters, step)  # fmt: skip
    if not is_module(run) and options.said():
        raise InputError(options.said()[0], expected="FILE.py:FUNCTION with it", got=f"run {run!r}",
                         remedy="a run says all that itself")  # fmt: skip
    with console.warnings_noted() as notes:
        graph = export_module(run, options) if is_module(run) else load_run(run)
    if dt is not None:
        graph = replace(graph, dt=dt)
    wrote_nir, reasons = write_graph(graph, output, nir)
    about = interface_document(graph)
    console.document(
        {"file": str(output), "nodes": len(graph.nodes), "nir": wrote_nir, "nir_reasons": reasons,
         "interface": about, "integer": graph.is_integer, "notes": notes}
    )  # fmt: skip
    console.say(f"{output}: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
    for line in interface_lines(graph):
        console.say(line)
    if graph.is_integer:
        console.say("an integer graph, as SLAYER computes it: ready to run, nothing to quantize")
    if wrote_nir:
        console.say("NIR: written to /node" + _fastest_turn(graph))
    elif nir != "off":
        others = len(reasons) - 1
        more = f" (and {others} more node{'s' * (others > 1)})" if others else ""
        console.say(f"NIR: not written; {reasons[0]}{more}")


def _fastest_turn(graph: Graph) -> str:
    """Return what a reader of the NIR graph must know of its oscillations."""
    import numpy as np

    from neurossm.nodes import DiagonalSSM

    turns = [
        float(np.abs(np.angle(np.asarray(node.a_re) + 1j * np.asarray(node.a_im))).max())
        for node in graph.nodes.values()
        if isinstance(node, DiagonalSSM)
    ]
    if not turns:
        return ""
    # by forward Euler a state that turns by 0.94 rad a step grows by about 1.3 a step
    return (
        f"; its states turn by up to {max(turns):.3g} rad a step: a reader must solve the two LI of"
        " a state together"
    )


def load_run(run: str) -> Graph:
    """Return the float graph of a trained run."""
    from neurossm_converters.formats.torch.runs import graph_of
    from neurossm_models.data import load
    from neurossm_models.network import Network
    from neurossm_models.train import load_facts, load_model
    from neurossm_workflows.loading import RECORDED
    from neurossm_workflows.own_module import reading_padding

    model, recipe = load_model(run)
    if getattr(recipe.model, "bidirectional", False):
        raise GraphError(
            f"run {run!r}",
            expected="a causal network",
            got="a bidirectional one",
            remedy=f"train its causal counterpart: {causal_counterpart(recipe)}",
        )
    facts = load_facts(run)
    graph = graph_of(model, recipe, facts)
    if not isinstance(model, Network):
        own = facts if recipe.data.path else None
        data = load(f"{recipe.data.title}:train", facts=own)
        graph = reading_padding(graph, model, data)
    meta = {
        **graph.meta,
        "run": Path(run).name,
        "data": recipe.data.name or called(recipe.data.path),
        "data_order": facts.order or RECORDED,
        "seed": recipe.train.seed,
    }
    return replace(graph, meta=meta)


def called(spec: str) -> str:
    """Return what data of one's own are called: by their file, folder or function."""
    from neurossm_models.data.own import parse_own

    found = parse_own(spec)
    if found.scheme == "py":
        return found.source.replace(":", "/")
    if found.scheme:
        return f"{found.scheme}/{found.source}"
    path = Path(found.source)
    return path.name + "/" * path.is_dir()


def causal_counterpart(recipe: Recipe) -> str:
    """Return the recipe of ours that trains this family causally on the same data, in words."""
    from neurossm_models.train import load_recipe, recipe_names

    for name in recipe_names():
        if name.endswith("-causal"):
            other = load_recipe(name)
            if (other.data.name, other.network.family) == (recipe.data.name, recipe.network.family):
                return f"recipe {name!r}"
    return "the same recipe with model.bidirectional = false"


def write_graph(graph: Graph, output: Path, nir: str) -> tuple[bool, list[str]]:
    """Write a float graph, with NIR beside it as asked; return whether NIR was, or why not."""
    from neurossm.store import save

    if nir not in NIR_MODES:
        raise InputError("--nir", expected=" | ".join(NIR_MODES), got=repr(nir))
    if nir == "off":
        save(output, graph)
        return False, []
    from neurossm_converters.formats import nir as converter

    reasons = list(converter.expressible(graph))
    if reasons and nir == "strict":
        raise CheckFailed(
            "export --nir strict",
            expected="a graph that NIR can express",
            got="; ".join(reasons),
            remedy="use --nir auto; linear mixing of a Binary S4D or SpikingSSM can be expressed",
        )
    if reasons:
        save(output, graph)
        return False, reasons
    save(output, graph, before=lambda path: converter.write(graph, path))
    return True, []
