"""``neurossm sweep``: accuracy and modeled energy against the widths of the integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.options import (
    CALIBRATION,
    DataDirOption,
    FloatGraph,
    HardwareOption,
    OtherDataOption,
    data_option,
)
from neurossm_cli.presentation.paths import READS_DATA, WRITES
from neurossm_cli.presentation.quantization import pole_width

if TYPE_CHECKING:
    from neurossm_workflows.sweep_table import SweepRow


def sweep(
    graph: FloatGraph,
    data: Annotated[
        str,
        data_option("Data to choose by, of the validation part, such as mnist:valid:2000"),
        READS_DATA,
    ],
    calibrate: Annotated[str, CALIBRATION, READS_DATA],
    poles: Annotated[
        str, typer.Option(metavar="BITS,BITS", help="Poles, such as 8,10,12,16.")
    ] = "",
    weights: Annotated[str, typer.Option(metavar="BITS,BITS", help="Weights and gains.")] = "",
    state: Annotated[
        str, typer.Option(metavar="BITS,BITS", help="States and membrane potentials.")
    ] = "",
    activations: Annotated[
        str, typer.Option(metavar="BITS,BITS", help="Activations that are not spikes.")
    ] = "",
    one_at_a_time: Annotated[
        bool, typer.Option(help="Vary one of them at a time, not the whole grid.")
    ] = False,
    with_float: Annotated[bool, typer.Option(help="Also measure the float network.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE",
            help="CSV file of the points; those that it has are not measured again.",
        ),
        WRITES,  # it reads what it wrote before
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Plot accuracy and energy here, .svg or .png."),
        WRITES,
    ] = None,
    hardware: HardwareOption = "loihi2",
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Measure accuracy and energy at many bit widths.

    Quantizes at all combinations of the widths given, and scores each on validation data; a width
    that is not given keeps its default (poles 16, weights 8, state 24, activations 24 bits).
    Energy is modeled, not measured. Each point is written as soon as it is measured: with the same
    -o, a sweep that was stopped goes on where it was.
    """
    from neurossm_workflows.sweep import sweep as measure_widths

    console = Console(json)
    widths = {name: _widths(name, text) for name, text in
              (("poles", poles), ("weights", weights), ("state", state),
               ("activations", activations))
              if text}  # fmt: skip
    if not widths:
        raise InputError("sweep", expected="widths to vary, such as --poles 8,12,16", got="none")
    found = measure_widths(
        graph, data, calibrate, widths, grid=not one_at_a_time, with_float=with_float,
        output=output, plot=plot, hardware=hardware, data_dir=data_dir, other_data=other_data,
        listener=console.listener,
    )  # fmt: skip
    console.document({"graph": found.graph, "points": [_as_json(row) for row in found.rows],
                      "file": str(output) if output else None,
                      "plot": str(plot) if plot else None})  # fmt: skip
    _print(console, found.rows)
    for path in (output, plot):
        if path:
            console.say(str(path))


def _as_json(row: SweepRow) -> dict[str, object]:
    # messages: the key of earlier releases
    return {**asdict(row), "messages": row.activations}


def _widths(name: str, text: str) -> list[int]:
    """Return widths from ``8,12,16``; poles may be named as for quantize."""
    found = []
    for part in text.split(","):
        if name == "poles":
            found.append(pole_width(part.strip()))
            continue
        if not part.strip().isascii() or not part.strip().isdigit():
            raise InputError(f"--{name}", expected="numbers of bits, such as 16,24", got=repr(text))
        found.append(int(part))
    return found


def _print(console: Console, rows: Sequence[SweepRow]) -> None:
    from neurossm.energy import Interval
    from neurossm.report.units import si_range
    from neurossm_workflows.sweep import scored_text

    def energy(row: SweepRow) -> str:
        if row.energy_low_j is None or row.energy_high_j is None:
            return ""
        return si_range(Interval(row.energy_low_j, row.energy_high_j), "J")

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.2%}"

    console.table(
        ("poles", "weights", "state", "activations", "score", "energy (modeled)", "spike rate",
         "saturations", "seconds", "problem"),
        [("float", "", "", "", scored_text(row), "", "", "", f"{row.seconds:.1f}", "")
         if row.is_float else
         (str(row.poles), str(row.weights), str(row.state), str(row.activations),
          scored_text(row), energy(row), share(row.spike_rate),
          "" if row.saturations is None else f"{row.saturations:,}", f"{row.seconds:.1f}",
          row.problem) for row in rows],
        keys=4,
    )  # fmt: skip
