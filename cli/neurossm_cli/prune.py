"""``neurossm prune``: the smallest weights of a run or a float graph become 0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import PRUNING_SCOPES, choice
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.paths import Reads, Writes
from neurossm_cli.presentation.reading import Arguments, itself, run

if TYPE_CHECKING:
    from neurossm_workflows.prune import Pruned


def _read(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return the graph, or the file of the run, that is the output."""
    return itself(given, output, arguments) or run(given, output, arguments)


def _written(output: Path, arguments: Arguments) -> list[Path]:
    """Return the file, or what a run is made of."""
    from neurossm_models.train import RUN_FILES

    if Path(str(arguments.get("source"))).is_file():
        return [output]
    return [output / name for name in sorted(set(RUN_FILES) - {"recipe.toml"}, reverse=True)]


def prune(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|GRAPH",
            help="The run folder of a training, a checkpoint, or a float network, .nssm.",
            autocompletion=completing.checkpoint,
        ),
        Reads(_read),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="OUT",
                     help="The run folder to write, or the .nssm file."),
        Writes(_written),
    ],
    sparsity: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of the weights that becomes 0: 0 to below 1."),
    ],
    scope: Annotated[
        str,
        choice(
            PRUNING_SCOPES,
            "Where magnitudes are compared, {}: in each layer, of which small ones keep a larger"
            " share (Erdos-Renyi-Kernel); in each, with the same share; in all together.",
            metavar="SCOPE",
        ),
    ] = "erk",
    layers: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER",
                     help="A layer to prune, by its name or a pattern such as 'blocks.*';"
                     " repeatable (default: every linear layer)."),
    ] = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Prune a trained network: set its smallest weights to 0.

    A run becomes another run, which is measured on the validation part before and after; training
    that starts from it keeps the zeros, and 'neurossm export' writes its layers as sparse synapses.
    To prune step by step while training, use 'neurossm train --set train.sparsity=0.9'.

    The smallest weights are those of the smallest magnitude. Biases, poles and neurons stay.
    """
    from neurossm.sparsity import LayerDensity
    from neurossm_workflows.prune import prune as prune_network

    console = Console(json)
    found = prune_network(source, output, sparsity, scope, layers or [])
    console.document(found.as_json())
    whole = LayerDensity(
        "all", sum(one.weights for one in found.layers), sum(one.kept for one in found.layers)
    )
    console.table(
        ("layer", "weights", "kept", "density"),
        [(one.name, one.weights, one.kept, f"{one.density:.1%}") for one in (*found.layers, whole)],
    )
    if found.is_run:
        console.say(f"validation {_measured(found)}")
        console.say(f"run folder: {found.output}")
        console.say(f"next: neurossm train {found.output}/recipe.toml --out {found.output}-trained")
    else:
        console.say(f"{found.output}: nothing was measured; next: neurossm quantize {found.output}")


def _measured(found: Pruned) -> str:
    if found.metric == "accuracy" and found.before is not None and found.after is not None:
        return f"accuracy {found.before:.2%} before, {found.after:.2%} after"
    return f"{found.metric} {found.before} before, {found.after} after"
