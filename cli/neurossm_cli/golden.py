"""``neurossm golden``: golden vectors for an integer graph without any, as an imported one is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    DataDirOption,
    IntegerGraph,
    OtherDataOption,
    data_option,
)
from neurossm_cli.presentation.paths import READS_DATA, WRITES_OURS


def golden(
    graph: IntegerGraph,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write: this network with golden vectors.",
        ),
        WRITES_OURS,
    ],
    data: Annotated[
        str,
        data_option("Inputs (default: random values over the range of the input)"),
        READS_DATA,
    ] = "",
    samples: Annotated[
        int, typer.Option(metavar="N", min=1, max=63, help="Number of golden vectors.")
    ] = 2,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Most time steps of each.")] = 64,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of random inputs.")] = 0,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Add golden vectors to a network that has none, as an imported one.

    Golden vectors are inputs with the values that every node must have at every time step, computed
    by the reference engine; verify and deploy replay them. One more vector alternates between the
    smallest and the largest input. Vectors that the file had are replaced in the copy.
    'neurossm quantize' writes golden vectors by itself.
    """
    from neurossm_workflows.golden import golden as make_golden

    console = Console(json)
    vectors = make_golden(
        graph, output, data, samples, steps, seed,
        data_dir=data_dir, other_data=other_data, listener=console.listener,
    )  # fmt: skip
    console.document({"file": str(output), "inputs": data or f"random, seed {seed}",
                      "golden_vectors": len(vectors), "steps": vectors[0].steps})  # fmt: skip
    console.say(f"{output}: {plural(len(vectors), 'golden vector')} of"
                f" {plural(vectors[0].steps, 'step')}, inputs"
                f" {f'of {data}' if data else f'random (seed {seed})'}")  # fmt: skip
