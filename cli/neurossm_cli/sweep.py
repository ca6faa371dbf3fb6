"""``neurossm sweep``: accuracy and modelled energy against the widths of the integers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import GraphError, InputError, RangeError, TargetError
from neurossm_cli.console import (
    CALIBRATION,
    GRAMMAR,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.paths import READS, READS_CHIP, READS_DATA, WRITES
from neurossm_cli.quantizing import pole_width
from neurossm_cli.sweeping import FLOAT, Point, SweepFile, SweepRow, points

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.hardware import Hardware
    from neurossm.quantization import Quantize, Ranges
    from neurossm_models.data import Dataset


CHOOSING = (
    "note: this is test data. Widths that are chosen on it make its accuracy look better than it"
    " is: choose on data held out of training (mnist:held-out, my.npz:valid), then test once"
)


def sweep(
    graph: Annotated[Path, typer.Argument(help="A float .nssm file."), READS],
    data: Annotated[
        str,
        typer.Option(
            help="Data to choose by, such as mnist:held-out:2000 (what the recipes hold out of"
            f" training), or my.npz:valid. {GRAMMAR}"
        ),
        READS_DATA,
    ],
    calibrate: Annotated[str, CALIBRATION, READS_DATA],
    poles: Annotated[str, typer.Option(help="Widths of poles, such as 8,10,12,16.")] = "",
    weights: Annotated[str, typer.Option(help="Widths of weights and gains.")] = "",
    state: Annotated[str, typer.Option(help="Widths of states and membranes.")] = "",
    messages: Annotated[str, typer.Option(help="Widths of graded messages of neurons.")] = "",
    one_at_a_time: Annotated[
        bool, typer.Option(help="Vary one width, the others at 16, 8, 24, 24; not the whole grid.")
    ] = False,
    with_float: Annotated[bool, typer.Option(help="Measure the float graph too.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="CSV; points that it holds are not measured again."),
        WRITES,  # it reads what it wrote before
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw accuracy and energy (.svg, .png)."), WRITES
    ] = None,
    hardware: Annotated[
        str, typer.Option(help="A chip by name, or a TOML file."), READS_CHIP
    ] = "loihi2",
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Quantize at many widths; score and modelled energy of each.

    All combinations of the widths that are given; a width that is not keeps its default (poles 16,
    weights 8, state 24, messages 24 bits). Calibrates once. Each point is written as soon as it is
    measured, so a sweep that was stopped goes on where it was.
    """
    from neurossm.hardware import load_hardware
    from neurossm.quantization import Quantize
    from neurossm.report.sweep_plot import check_plot, draw_sweep
    from neurossm.store import graph_digest, load
    from neurossm_cli.loading import load_data
    from neurossm_cli.made_for import check_task
    from neurossm_cli.quantize import calibrated

    console, chip = Console(json, other_data), load_hardware(hardware)
    given = {name: _widths(name, text) for name, text in
             (("poles", poles), ("weights", weights), ("state", state), ("messages", messages))
             if text}  # fmt: skip
    wanted = points(given, grid=not one_at_a_time)
    if not given:
        raise InputError("sweep", expected="widths to vary, such as --poles 8,12,16", got="none")
    settings = {point: _settings(point) for point in wanted}  # refuses before anything runs
    if plot:
        check_plot(plot)
    floating = load(graph)
    test = load_data(data, data_dir, floating)
    calibration = load_data(calibrate, data_dir, floating)
    if not test.labeled:
        raise InputError(f"--data {data}", expected="data with labels", got="none")
    check_task(floating, test, console)
    table = SweepFile(output)
    if test.split == "test":
        console.note(CHOOSING)
    digest = graph_digest(floating)[:16]
    wanted = [*([FLOAT] if with_float else []), *wanted]
    planned = [
        SweepRow(digest, data, calibrate, hardware, **vars(p), samples=len(test)) for p in wanted
    ]
    missing = [row for row in planned if table.find(row) is None]
    console.note(f"{len(missing)} of {len(planned)} points to measure, {len(test):,} samples each")
    ranges = calibrated(floating, calibration, Quantize(), console) if missing else None
    for count, row in enumerate(missing, start=1):
        if row.point == FLOAT:
            measured = measure_float(row, floating, test, console)
        else:
            assert ranges is not None  # some point is missing
            measured = measure_point(
                row, floating, ranges, settings[row.point], test, chip, console
            )
        table.add(measured)
        console.note(f"{count}/{len(missing)} {row.point}: {_said(measured)}")
    rows = [found for found in map(table.find, planned) if found is not None]
    if plot:
        draw_sweep(plot, [asdict(row) for row in rows], f"{graph.name} on {data}")
    console.document({"graph": digest, "points": [asdict(row) for row in rows],
                      "file": str(output) if output else None,
                      "plot": str(plot) if plot else None})  # fmt: skip
    _print(console, rows)
    for path in (output, plot):
        if path:
            console.say(str(path))


def measure_point(
    row: SweepRow, graph: Graph, ranges: Ranges, settings: Quantize, data: Dataset, chip: Hardware,
    console: Console,
) -> SweepRow:  # fmt: skip
    """Return the row with what these widths reach; where they cannot be had, with the reason."""
    from neurossm.energy import estimate
    from neurossm.metrics import measure
    from neurossm_cli.executing import execute
    from neurossm_cli.scoring import labeled

    started = time.perf_counter()
    try:
        integer = settings(graph, ranges)
    except (GraphError, RangeError) as error:
        return replace(row, problem=str(error), seconds=time.perf_counter() - started)
    done = execute(integer, data, "fast", "outputs", console, label=str(row.point))
    scores, metrics = labeled(done.scores, "--data of a sweep"), measure(integer, done.trace)
    total, problem = None, ""
    try:
        total = estimate(metrics, integer, chip).total
    except TargetError as error:  # it does not fit the chip: that is an answer
        problem = str(error)
    rates = tuple(metrics.spike_rates.values())
    return replace(
        row,
        accuracy=done.accuracy,
        score=scores.main,
        value=scores.value,
        energy_low_j=total.low if total else None,
        energy_high_j=total.high if total else None,
        problem=problem,
        spikes_per_neuron=sum(rates) / len(rates) if rates else None,
        saturations=metrics.total.saturations,
        seconds=time.perf_counter() - started,
    )


def measure_float(row: SweepRow, graph: Graph, data: Dataset, console: Console) -> SweepRow:
    """Return the row with the score of the float graph; it has no energy on the chip."""
    from neurossm_cli.executing import execute
    from neurossm_cli.scoring import labeled

    started = time.perf_counter()
    done = execute(graph, data, "float", "outputs", console, label="float")
    scores, seconds = labeled(done.scores, "--data of a sweep"), time.perf_counter() - started
    return replace(
        row, accuracy=done.accuracy, score=scores.main, value=scores.value, seconds=seconds
    )


def _settings(point: Point) -> Quantize:
    from neurossm.quantization import Quantize

    return Quantize(pole_bits=point.poles, weight_bits=point.weights, state_bits=point.state,
                    message_bits=point.messages)  # fmt: skip


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


def _said(row: SweepRow) -> str:
    return row.problem or f"{_scored(row)}, {row.seconds:.1f} s"


def _scored(row: SweepRow) -> str:
    from neurossm_models.tasks.scores import shown

    if row.value is None:  # a row of before there were other scores
        return "" if row.accuracy is None else f"accuracy {100 * row.accuracy:.2f} %"
    return shown(row.score, row.value)


def _print(console: Console, rows: Sequence[SweepRow]) -> None:
    from neurossm.energy import Interval
    from neurossm.report.units import si_range

    def energy(row: SweepRow) -> str:
        if row.energy_low_j is None or row.energy_high_j is None:
            return ""
        return si_range(Interval(row.energy_low_j, row.energy_high_j), "J")

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.2%}"

    console.table(
        ("poles", "weights", "state", "messages", "score", "energy (modelled)", "spikes",
         "saturations", "seconds", "problem"),
        [("float", "", "", "", _scored(row), "", "", "", f"{row.seconds:.1f}", "")
         if row.point == FLOAT else
         (str(row.poles), str(row.weights), str(row.state), str(row.messages),
          _scored(row), energy(row), share(row.spikes_per_neuron),
          "" if row.saturations is None else f"{row.saturations:,}", f"{row.seconds:.1f}",
          row.problem) for row in rows],
        keys=4,
    )  # fmt: skip
