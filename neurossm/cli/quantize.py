"""``neurossm quantize``: a float graph becomes integers, with golden vectors in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.cli.console import Console, DataDirOption, JsonOption

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.passes import Quantize
    from neurossm.store import Golden
    from neurossm_models.data import Dataset

GOLDEN_STEPS = 64


def quantize(
    graph: Annotated[Path, typer.Argument(help="A float .nssm file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The integer file to write.")],
    calibrate: Annotated[
        str, typer.Option(help="Data that sets the ranges, NAME:SPLIT:N, such as mnist:train:512.")
    ],
    pole_bits: Annotated[int, typer.Option(help="Width of a pole's parts, with sign.")] = 16,
    weight_bits: Annotated[int, typer.Option(help="Width of weights and gains.")] = 8,
    state_bits: Annotated[int, typer.Option(help="Width of states.")] = 24,
    message_bits: Annotated[int, typer.Option(help="Widest graded message.")] = 24,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Quantize a graph after training: every neuron becomes an integer recurrence."""
    from neurossm.cli.executing import load_data
    from neurossm.passes import Quantize
    from neurossm.report import node_table
    from neurossm.store import graph_digest, load, save

    console = Console(json)
    settings = Quantize(pole_bits=pole_bits, weight_bits=weight_bits, state_bits=state_bits,
                        message_bits=message_bits)  # fmt: skip
    data = load_data(calibrate, data_dir)
    integer = quantized(load(graph), data, settings, console)
    golden = golden_vectors(integer, data)
    save(output, integer, golden)
    console.document(
        {"file": str(output), "sha256": graph_digest(integer), "calibration_samples": len(data),
         "golden_vectors": len(golden),
         "formats": {name: str(node.out) for name, node in integer.nodes.items()}}
    )  # fmt: skip
    rows = node_table(integer)
    console.table(("node", "type", "messages"), [(r.name, r.type, r.format) for r in rows])
    console.say(f"{output}: {len(integer.nodes)} integer nodes, {len(golden)} golden vectors")


def quantized(graph: Graph, data: Dataset, settings: Quantize, console: Console) -> Graph:
    """Return the integer graph, its ranges taken from a float run on the data."""
    from neurossm.cli.executing import check_task
    from neurossm.engine import run
    from neurossm.errors import InputError
    from neurossm.passes import calibrate

    if graph.is_integer:
        raise InputError("quantize", expected="a float graph", got="one that is integer already")
    check_task(graph, data)
    with console.progress("calibrating", len(data)) as progress:
        trace = run(graph, data.inputs, "float", "outputs", progress)
    return settings(graph, calibrate(graph, trace))


def golden_vectors(graph: Graph, data: Dataset) -> tuple[Golden, ...]:
    """Return what the reference makes of two calibration samples and of extreme inputs."""
    import numpy as np

    from neurossm.engine import run
    from neurossm.engine.inputs import input_range
    from neurossm.store import Golden

    name = graph.inputs[0]
    # the middle of what is no padding, where something happens; then only the ends of the range
    length = data.inputs.shape[1] if data.lengths is None else int(data.lengths[:2].min())
    start = max(0, (length - GOLDEN_STEPS) // 2)
    real = data.inputs[:2, start : min(start + GOLDEN_STEPS, length)].astype(np.int64)
    low, high, _ = input_range(graph, name)
    ends = np.where(np.random.default_rng(0).integers(0, 2, (1, *real.shape[1:])), high, low)
    samples = np.concatenate([real, ends])
    trace = run(graph, samples, "reference")
    inputs = {name: samples}
    return tuple(Golden.from_trace(inputs, trace, sample) for sample in range(len(samples)))
