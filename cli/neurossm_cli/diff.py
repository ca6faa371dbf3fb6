"""``neurossm diff``: where two runs part, node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import Console, DetailsOption, JsonOption
from neurossm_cli.presentation.difference import print_difference
from neurossm_cli.presentation.options import DataDirOption, OtherDataOption, data_option
from neurossm_cli.presentation.paths import READS, READS_DATA


def diff(
    left: Annotated[
        Path,
        typer.Argument(metavar="LEFT", help="A network, or a trace that run --trace wrote."),
        READS,
    ],
    right: Annotated[
        Path, typer.Argument(metavar="RIGHT", help="Another network, or another trace."), READS
    ],
    data: Annotated[
        str,
        data_option("For two networks, data to run both on"),
        READS_DATA,
    ] = "",
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Largest error of a node, as a share of its range (default: 0.1 between a float"
            " and an integer network, else 0).",
        ),
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    details: DetailsOption = False,
    json: JsonOption = False,
) -> int:
    """Compare two networks on data, or two traces, node by node.

    The exit status is 1 if a node is over the tolerance, else 0.

    Two traces, or two networks of one kind, must be bit-exact; with --tolerance, no error may
    exceed that share of the node's range.

    A float and an integer network are compared per layer and end to end.

    Per layer: each float node runs on the activations that the integer node received. The largest
    error may be --tolerance times the node's range, and 2.5 times --tolerance of the range of the
    channel where a neuron compares it with a threshold (7.5 times where it is mixed with other
    channels); the mean error a tenth of the largest. Neurons may lose or gain 2 spikes and half of
    --tolerance of them. Inputs, outputs and thresholds must be bit-exact.

    End to end: no neuron may lose or gain three quarters of its spikes, no layer a fifth, no output
    may be off by a fifth of its range in the mean, and predictions must agree unless they are
    near ties.
    """
    from neurossm_workflows.diff import diff as compare

    console = Console(json)
    found = compare(
        left, right, data, tolerance,
        data_dir=data_dir, other_data=other_data, listener=console.listener,
    )  # fmt: skip
    console.document(found.as_json())
    print_difference(console, found, details)
    return 1 if found.over else 0
