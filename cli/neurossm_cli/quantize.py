"""``neurossm quantize``: a float graph becomes integers, with golden vectors in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import (
    CALIBRATION,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
    write_json,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES, WRITES_OURS
from neurossm_cli.presentation.quantization import pole_width, print_report, range_rules


def quantize(
    graph: Annotated[Path, typer.Argument(help="A float .nssm file."), READS],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The integer file to write."), WRITES_OURS
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
    percentile: Annotated[float, typer.Option(help="Percentile of that rule, 99 to 100.")] = 99.99,
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
    from neurossm_workflows.quantize import quantize as quantize_graph
    from neurossm_workflows.verdict import verdict

    console = Console(json)
    settings = Quantize(
        pole_bits=pole_width(poles), weight_bits=weights, state_bits=state, leak_bits=leaks,
        message_bits=messages,
        headroom=headroom, range_rule=ranges, range_rules=range_rules(range_of or []),
    )  # fmt: skip
    made = quantize_graph(
        graph, calibrate, settings, percentile=percentile, data_dir=data_dir,
        other_data=other_data, listener=console.listener,
    )  # fmt: skip
    made.save(output)
    document = {"file": str(output), "calibration": calibrate, **made.as_json()}
    if report:
        write_json(report, document, "--report")
    console.document(document)
    print_report(console, made)
    console.say()
    console.say(
        f"{output}: {len(made.graph.nodes)} integer nodes, {len(made.golden)} golden vectors"
    )
    if console.as_json and not made.check.passed:
        console.note(verdict(made.check))
    console.say(verdict(made.check))
