"""``neurossm golden``: golden vectors for an integer graph without any, as an imported one is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import (
    GRAMMAR,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES_OURS


def golden(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="The file to write: this graph with golden vectors."),
        WRITES_OURS,
    ],
    data: Annotated[
        str,
        typer.Option(help="Inputs; by default random ones in the range of the input. " + GRAMMAR),
        READS_DATA,
    ] = "",
    samples: Annotated[int, typer.Option(min=1, max=63, help="Vectors of such inputs.")] = 2,
    steps: Annotated[int, typer.Option(min=1, help="Their steps, at most.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of what is random.")] = 0,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Write golden vectors into a copy of an integer graph: what verify and deploy replay.

    What the reference engine makes of the inputs is kept: the values of every node at every step.
    One more vector has only the smallest and the largest value of the input. Vectors that the file
    had are left out. `neurossm quantize` writes vectors by itself.
    """
    from neurossm_workflows.golden import golden as make_golden

    console = Console(json)
    vectors = make_golden(
        graph, output, data, samples, steps, seed,
        data_dir=data_dir, other_data=other_data, listener=console.listener,
    )  # fmt: skip
    console.document({"file": str(output), "inputs": data or f"random, seed {seed}",
                      "golden_vectors": len(vectors), "steps": vectors[0].steps})  # fmt: skip
    console.say(f"{output}: {len(vectors)} golden vectors of {vectors[0].steps} steps, inputs"
                f" {f'of {data}' if data else f'random (seed {seed})'}")  # fmt: skip
