"""``neurossm quantize``: a float graph becomes integers, with golden vectors in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.choices import RANGE_RULES, choice
from neurossm_cli.presentation.console import Console, DetailsOption, JsonOption, write_json
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    CALIBRATION,
    DataDirOption,
    FloatGraph,
    OtherDataOption,
    OutputOption,
    bits,
)
from neurossm_cli.presentation.paths import READS_DATA, WRITES, WRITES_OURS
from neurossm_cli.presentation.quantization import pole_width, print_report, range_rules
from neurossm_cli.presentation.quantization_summary import print_next, print_summary


def quantize(
    graph: FloatGraph,
    output: Annotated[OutputOption, WRITES_OURS],
    calibrate: Annotated[str, CALIBRATION, READS_DATA],
    poles: Annotated[
        str, bits("Poles: a number of bits, q15 (Q1.15, 16 bits) or q12 (12 bits).")
    ] = "q15",
    weights: Annotated[int, bits("Weights and gains.")] = 8,
    state: Annotated[int, bits("States and membrane potentials.")] = 24,
    leaks: Annotated[
        int,
        bits("Most fractional bits of leaks (Lava's own neurons have 12)."),
    ] = 20,
    activations: Annotated[
        int, bits("Most bits of activations that are not spikes (synaptic sums keep 24).")
    ] = 24,
    ranges: Annotated[
        str,
        choice(
            RANGE_RULES,
            "Rule for activation ranges, {}: the largest value seen, with headroom; a percentile of"
            " the values seen, with headroom; the worst case for any input; the smaller of observed"
            " and bound.",
            metavar="RULE",
        ),
    ] = "observed",
    range_of: Annotated[
        list[str] | None,
        choice(
            RANGE_RULES,
            "Rule for one node, or for those that match a pattern: {}; repeatable.",
            "--range",
            metavar="NODE=RULE",
            of_node=True,
        ),
    ] = None,
    percentile: Annotated[
        float, typer.Option(metavar="P", help="Of the rule percentile: 99 to 100.")
    ] = 99.99,
    headroom: Annotated[int, bits("Headroom above the values seen.")] = 1,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all choices with their reasons here (JSON)."),
        WRITES,
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    details: DetailsOption = False,
    json: JsonOption = False,
) -> None:
    """Quantize a trained network to the integers of the chip.

    This is quantization after training; for quantization-aware training see 'neurossm train --qat'.

    Prints the widths, how many values were clipped on the calibration data, and what a format could
    not represent, with the bits that could. With --details for every node the number format and its
    reason, the rounding of the poles, and which registers are proven not to saturate.

    In the end a check: the first 32 samples of the calibration data run on the float and on the
    integer network as 'neurossm diff' compares them. A check that failed does not change the exit
    status, as QAT may start from that file; scripts read check.passed of --json.
    """
    from neurossm.quantization import Quantize
    from neurossm_workflows.quantize import quantize as quantize_graph
    from neurossm_workflows.verdict import verdict

    console = Console(json)
    settings = Quantize(
        pole_bits=pole_width(poles), weight_bits=weights, state_bits=state, leak_bits=leaks,
        activation_bits=activations,
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
    if details:
        print_report(console, made)
        console.say()
    else:
        print_summary(console, made)
    console.say(
        f"{output}: {plural(len(made.graph.nodes), 'integer node')},"
        f" {plural(len(made.golden), 'golden vector')}"
    )
    if console.as_json and not made.check.passed:
        console.note(verdict(made.check))
    console.say(verdict(made.check))
    if not details:
        more = ["--data-dir", data_dir] if data_dir else []
        more += ["--other-data"] if other_data else []
        print_next(console, graph, output, calibrate, more, made.check.passed)
