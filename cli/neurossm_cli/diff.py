"""``neurossm diff``: where two runs part, node by node."""

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
from neurossm_cli.presentation.difference import print_difference
from neurossm_cli.presentation.paths import READS, READS_DATA


def diff(
    left: Annotated[Path, typer.Argument(help="A trace, or a graph."), READS],
    right: Annotated[Path, typer.Argument(help="Another trace, or another graph."), READS],
    data: Annotated[
        str,
        typer.Option(help=f"For two graphs, what to run them on: {GRAMMAR}"),
        READS_DATA,
    ] = "",
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Share of its range by which a node may be wrong (default: 0.1 for a float and an"
            " integer graph, else 0)."
        ),
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> int:
    """Compare two traces, or two graphs on data; exit 1 where a node is over the tolerance.

    Two traces, or two graphs of one kind, must be equal, or with --tolerance no largest error may
    exceed that share of the node's range.

    Of a float and an integer graph, both are held against tolerances: each node by itself and the
    whole. Per layer, the float node runs on the messages that the integer node received; the
    largest error may not exceed --tolerance times the node's range, nor 2.5 times --tolerance of
    its own channel's where a neuron compares it with a threshold (7.5 times where it is mixed with
    others); the mean a tenth of the first. Neurons may lose or gain 2 spikes and half of
    --tolerance of them. Inputs, outputs and thresholds have to be exact. End to end, no neuron may
    lose or gain three quarters of its spikes, no layer a fifth, no output a fifth of its range in
    the mean, and predictions that are no near ties must stay.
    """
    from neurossm_workflows.diff import diff as compare

    console = Console(json)
    found = compare(
        left, right, data, tolerance,
        data_dir=data_dir, other_data=other_data, listener=console.listener,
    )  # fmt: skip
    console.document(found.as_json())
    print_difference(console, found)
    return 1 if found.over else 0
