"""``neurossm quantize``: a float graph becomes integers, with golden vectors in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurossm_cli.golden import golden_vectors
from neurossm_cli.presentation.console import (
    CALIBRATION,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES
from neurossm_cli.presentation.quantization import (
    pole_width,
    print_report,
    range_rules,
    report_document,
    write_report,
)

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.metrics.check import Check
    from neurossm.quantization import Loss, Percentiles, Quantize, Ranges
    from neurossm_models.data import Dataset

PERCENTILE = 99.99
CHECK_SAMPLES = 32  # of the calibration data; the whole float run and the float node by node
SAMPLES_A_PART = 8  # all values of all nodes of so many samples are in memory at once


def quantize(
    graph: Annotated[Path, typer.Argument(help="A float .nssm file."), READS],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The integer file to write."), WRITES
    ],
    calibrate: Annotated[str, CALIBRATION, READS_DATA],
    poles: Annotated[
        str, typer.Option(help="Poles: q15 (Q1.15, 16 bits), q12 (12 bits), or a number of bits.")
    ] = "q15",
    weights: Annotated[int, typer.Option(help="Width of weights and gains.")] = 8,
    state: Annotated[int, typer.Option(help="Width of states and membranes.")] = 24,
    leaks: Annotated[
        int,
        typer.Option(
            help="Most fraction bits of leaks: 12, as Lava's own neurons, where those will do."
        ),
    ] = 20,
    messages: Annotated[
        int, typer.Option(help="Widest graded message of a neuron (synaptic sums keep 24 bits).")
    ] = 24,
    ranges: Annotated[
        str,
        typer.Option(
            help="What a format holds: observed, the largest value seen, with headroom; percentile,"
            " of what was seen, with headroom; bound, the exact worst case; tightest, the smaller"
            " of observed and bound."
        ),
    ] = "observed",
    range_of: Annotated[
        list[str] | None,
        typer.Option("--range", help="NODE=RULE for one node, or a pattern; may be repeated."),
    ] = None,
    percentile: Annotated[
        float, typer.Option(help="Percentile of that rule, 99 to 100.")
    ] = PERCENTILE,
    headroom: Annotated[int, typer.Option(help="Bits kept free above what was seen.")] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write what was chosen, and why, here as JSON."), WRITES
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Quantize a graph after training: every neuron becomes an integer recurrence.

    Prints for every node what was chosen and why, what became of the poles, and which registers
    are proven not to saturate; for the others, what was clipped on the calibration data; and what
    the formats could not hold, with the width that could. In the end one line of verdict: the first
    32 samples of the calibration data run on the float and on the integer graph as `neurossm diff`
    compares them. A check that failed does not change the exit
    status: the file holds what was asked for, which fine-tuning may start from. Scripts read
    `check.passed` of --json, or the status of `neurossm diff`.
    """
    from neurossm.quantization import Quantize
    from neurossm.store import graph_digest, load, save
    from neurossm_cli.executing import note_clipped
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.made_for import remembering
    from neurossm_workflows.parts import run_counted
    from neurossm_workflows.verdict import check_document, verdict

    console = Console(json, other_data)
    settings = Quantize(
        pole_bits=pole_width(poles), weight_bits=weights, state_bits=state, leak_bits=leaks,
        message_bits=messages,
        headroom=headroom, range_rule=ranges, range_rules=range_rules(range_of or []),
    )  # fmt: skip
    floating = load(graph)
    data = load_data(calibrate, data_dir, floating)
    seen = calibrated(floating, data, settings, console, percentile)
    floating = remembering(floating, data)
    made = settings.explained(floating, seen)
    integer = made.graph
    counted, clipped = run_counted(integer, data, "fast", console, "counting saturations")
    note_clipped(console, clipped, data)
    counts = dict(counted.counts)
    checked = checked_on(floating, integer, data, console)
    made = replace(made, losses=(*made.losses, *spikes_lost(floating, checked, data)))
    golden = golden_vectors(integer, data)
    save(output, integer, golden)
    document = {
        "file": str(output), "sha256": graph_digest(integer), "calibration": calibrate,
        "calibration_samples": len(data), "clipped_inputs": clipped, "golden_vectors": len(golden),
        "formats": {name: str(node.out) for name, node in integer.nodes.items()},
        "percentile": percentile if settings.uses("percentile") else None,
        **report_document(made, settings, counts),
        "check": check_document(checked),
    }  # fmt: skip
    if report:
        write_report(report, document)
    console.document(document)
    print_report(console, made, counts, len(data))
    console.say()
    console.say(f"{output}: {len(integer.nodes)} integer nodes, {len(golden)} golden vectors")
    if console.as_json and not checked.passed:
        console.note(verdict(checked))
    console.say(verdict(checked))


def quantized(graph: Graph, data: Dataset, settings: Quantize, console: Console) -> Graph:
    """Return the integer graph, its ranges taken from a float run on the data."""
    from neurossm_workflows.made_for import remembering

    return settings(remembering(graph, data), calibrated(graph, data, settings, console))


def calibrated(
    graph: Graph, data: Dataset, settings: Quantize, console: Console, percent: float = PERCENTILE
) -> Ranges:
    """Return the ranges of a float run on the data, with percentiles where the settings ask."""
    from neurossm.errors import InputError
    from neurossm.quantization import calibrate
    from neurossm_workflows.made_for import check_task
    from neurossm_workflows.parts import run_counted

    if graph.is_integer:
        raise InputError(
            "quantize", expected="a float graph", got="one that is integer already",
            remedy="it runs as it is; 'neurossm golden' gives it the golden vectors that verify and"
            " deploy want",
        )  # fmt: skip
    check_task(graph, data, console, labels=False)
    found: tuple[Any, ...] = ()
    if settings.uses("percentile"):
        kept = percentiles(graph, data, percent, console)
        found = (kept.result(), kept.states())
    trace, _ = run_counted(graph, data, "float", console, "calibrating")
    return calibrate(graph, trace, *found)


def checked_on(floating: Graph, integer: Graph, data: Dataset, console: Console) -> Check:
    """Return the check of an integer graph on the first samples of the calibration data."""
    from neurossm.metrics.check import check

    part = data.take(slice(CHECK_SAMPLES))
    with console.progress("checking", 2 * len(part)) as progress:
        return check(floating, integer, part.inputs, part.lengths, progress=progress)


def spikes_lost(floating: Graph, checked: Check, data: Dataset) -> tuple[Loss, ...]:
    """Return the neurons whose spikes a check found to be more or fewer."""
    from neurossm.metrics.spike_losses import spike_losses

    part = data.take(slice(CHECK_SAMPLES))
    return spike_losses(floating, checked.end_to_end, part.inputs, part.lengths)


def percentiles(graph: Graph, data: Dataset, percent: float, console: Console) -> Percentiles:
    """Return what is above a percentile at every node, from a float run in small parts."""
    from neurossm.engine import run
    from neurossm.quantization import Percentiles

    samples, steps, _ = data.shape
    moments = samples * steps if data.lengths is None else int(data.lengths.sum())
    kept = Percentiles(graph, graph.order, percent, moments)
    with console.progress("percentiles", samples) as progress:
        for start in range(0, samples, SAMPLES_A_PART):
            part = data.take(slice(start, start + SAMPLES_A_PART))
            kept.add(run(graph, part.inputs, "float", "all", progress, lengths=part.lengths))
    return kept
