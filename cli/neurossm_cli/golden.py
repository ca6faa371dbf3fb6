"""``neurossm golden``: golden vectors for an integer graph without any, as an imported one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import (
    GRAMMAR,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm.store import Golden
    from neurossm_models.data import Dataset

GOLDEN_STEPS = 64
GOLDEN_SAMPLES = 2


def golden(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="The file to write: this graph with golden vectors."),
        WRITES,
    ],
    data: Annotated[
        str,
        typer.Option(help="Inputs; by default random ones in the range of the input. " + GRAMMAR),
        READS_DATA,
    ] = "",
    samples: Annotated[
        int, typer.Option(min=1, max=63, help="Vectors of such inputs.")
    ] = GOLDEN_SAMPLES,
    steps: Annotated[int, typer.Option(min=1, help="Their steps, at most.")] = GOLDEN_STEPS,
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
    from neurossm.store import load, save
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.made_for import check_task

    console, loaded = Console(json, other_data), load(graph)
    if not loaded.is_integer:
        raise InputError(
            str(graph), expected="an integer graph", got="a float one",
            remedy=f"'neurossm quantize {graph} -o NEW --calibrate DATA' makes one, with vectors",
        )  # fmt: skip
    if data:
        given = load_data(data, data_dir, loaded)
        check_task(loaded, given, console, labels=False)
        vectors = golden_vectors(loaded, given, samples, steps, seed)
    else:
        vectors = random_vectors(loaded, samples, steps, seed)
    save(output, loaded, vectors)
    console.document({"file": str(output), "inputs": data or f"random, seed {seed}",
                      "golden_vectors": len(vectors), "steps": vectors[0].steps})  # fmt: skip
    console.say(f"{output}: {len(vectors)} golden vectors of {vectors[0].steps} steps, inputs"
                f" {f'of {data}' if data else f'random (seed {seed})'}")  # fmt: skip


def golden_vectors(
    graph: Graph,
    data: Dataset,
    samples: int = GOLDEN_SAMPLES,
    steps: int = GOLDEN_STEPS,
    seed: int = 0,
) -> tuple[Golden, ...]:
    """Return what the reference makes of the first samples of the data and of extreme inputs."""
    import numpy as np

    name = graph.inputs[0]
    # the middle of what is no padding, where something happens; then only the ends of the range
    part = data.take(slice(samples))
    length = part.shape[1] if part.lengths is None else int(part.lengths.min())
    start = max(0, (length - steps) // 2)
    real = part.inputs[:, start : min(start + steps, length)].astype(np.int64)
    ends = _ends(graph, name, real.shape[1], seed)
    return _made(graph, {name: np.concatenate([real, ends])})


def random_vectors(
    graph: Graph, samples: int = GOLDEN_SAMPLES, steps: int = GOLDEN_STEPS, seed: int = 0
) -> tuple[Golden, ...]:
    """Return what the reference makes of random inputs, and of extreme ones, in each one's range.

    A graph whose running sums are sized for fewer steps gets vectors of as many.
    """
    import numpy as np

    from neurossm.engine.inputs import input_range

    random, inputs = np.random.default_rng(seed), {}
    most = graph.meta.get("steps")
    steps = min(steps, most) if isinstance(most, int) and most > 0 else steps
    for name in graph.inputs:
        low, high, _ = input_range(graph, name)
        shape = (samples, steps, graph.nodes[name].out_channels)
        drawn = random.integers(low, high, shape, endpoint=True)
        inputs[name] = np.concatenate([drawn, _ends(graph, name, steps, seed)])
    return _made(graph, inputs)


def _ends(graph: Graph, name: str, steps: int, seed: int) -> NDArray[np.int64]:
    """Return one sample of the smallest and the largest integer that an input may be."""
    import numpy as np

    from neurossm.engine.inputs import input_range

    low, high, _ = input_range(graph, name)
    shape = (1, steps, graph.nodes[name].out_channels)
    return np.where(np.random.default_rng(seed).integers(0, 2, shape), high, low).astype(np.int64)


def _made(graph: Graph, inputs: dict[str, NDArray[np.int64]]) -> tuple[Golden, ...]:
    from neurossm.engine import run
    from neurossm.store import Golden

    trace = run(graph, inputs, "reference")
    return tuple(Golden.from_trace(inputs, trace, sample) for sample in range(trace.samples))
