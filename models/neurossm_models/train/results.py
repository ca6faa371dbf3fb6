"""Results of the published checkpoints, as a file of records and as a table in a document.

``results.json`` is the one source: a list of records, one a checkpoint, sorted by name. The table
is written from it, between two markers.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from neurossm.errors import FormatError, InputError
from neurossm_models.train.checkpoint import replace_file
from neurossm_models.train.evaluation import load_model, run_folder
from neurossm_models.train.publishing import (
    measured_once,
    read_history,
    read_log,
    train_minutes,
)
from neurossm_models.train.records import check_record, parse, read_text

START, END = "<!-- results: written by `neurossm results` -->", "<!-- end of results -->"
_MICRO, _MILLI = 1e-6, 1e-3


@dataclass(frozen=True)
class Result:
    """What was measured of one checkpoint.

    Attributes
    ----------
    checkpoint, task
        Its name, and the data set it was trained on.
    accuracy_float
        Of the PyTorch network on the whole test part, read once.
    accuracy
        Of the integers on the fast engine, on the first `test_sequences_int` of the test part.
    test_sequences_int
        On how many; spike rates, operations and energy are of the same run.
    parameters
        Of the network.
    spike_rates
        Spikes per neuron and step, for each block, as integers.
    syn_ops_per_step
        Synaptic operations of a time step.
    energy_low_j, energy_high_j
        Energy of one inference on Loihi 2: modeled, not measured.
    train_minutes
        In training steps.
    """

    checkpoint: str
    task: str
    accuracy_float: float
    accuracy: float
    test_sequences_int: int
    parameters: int
    spike_rates: tuple[float, ...]
    syn_ops_per_step: float
    energy_low_j: float
    energy_high_j: float
    train_minutes: float


@dataclass(frozen=True)
class Training:
    """What training left about a checkpoint."""

    task: str
    accuracy_float: float
    parameters: int
    train_minutes: float


def training(run: str | Path) -> Training:
    """Return what is known of a checkpoint without running it; `FormatError` if files are damaged.

    The test set is not read if it was before: its one evaluation lies beside the weights.
    """
    folder = run_folder(run)
    model, recipe = load_model(folder)
    accuracy = measured_once(folder).accuracy
    if accuracy is None:
        got = "one that is measured otherwise"
        raise InputError(f"run {str(run)!r}", expected="a classification", got=got)
    return Training(
        recipe.data.title,
        accuracy,
        sum(parameter.numel() for parameter in model.parameters()),
        train_minutes(read_history(folder) + read_log(folder / "log.jsonl")),
    )


def read_results(path: Path) -> tuple[Result, ...]:
    """Return the records of a file, none if there is no file.

    Raises
    ------
    FormatError
        If the file holds anything else.
    """
    if not path.exists():
        return ()
    expected = "a list of records, one a checkpoint"
    rows = parse(read_text(path), str(path), expected)
    if not isinstance(rows, list):
        raise FormatError(str(path), expected=expected, got=type(rows).__name__)
    return tuple(_result(row, f"{path}: record {number}") for number, row in enumerate(rows))


def write_results(path: Path, results: tuple[Result, ...]) -> None:
    """Write the records, sorted by checkpoint."""
    rows = [dataclasses.asdict(result) for result in _sorted(results)]
    replace_file(path, (json.dumps(rows, indent=1) + "\n").encode())


def updated(results: tuple[Result, ...], new: Result) -> tuple[Result, ...]:
    """Return the records with one put in the place of the checkpoint's older one, if any."""
    others = [result for result in results if result.checkpoint != new.checkpoint]
    return _sorted((*others, new))


def write_table(path: Path, results: tuple[Result, ...]) -> None:
    """Put the table of the results between the two markers of a Markdown file.

    Raises
    ------
    FormatError
        If the file has not both markers, once each and in order.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in before + after:
        expected = f"the lines {START!r} and {END!r}, once each"
        raise FormatError(str(path), expected=expected, got="something else")
    replace_file(path, f"{before}{START}\n{table(results)}{END}{after}".encode())


def table(results: tuple[Result, ...]) -> str:
    """Return the results as a Markdown table."""
    columns = ("checkpoint", "task", "float", "integer", "parameters", "spike rate",
               "synaptic operations per step", "energy per inference", "training")  # fmt: skip
    rows = [columns, ("---",) * len(columns), *(_row(result) for result in _sorted(results))]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"""\n{lines}
Accuracies on the test part: float on all of it; integer, and what follows, on the fast engine on as
many sequences as are said. Energy on Loihi 2: modeled, not measured. Spike rate: spikes per
neuron per time step. Training: time in steps.

"""


def _row(result: Result) -> tuple[str, ...]:
    count = f"{result.test_sequences_int:,}"
    return (
        f"`{result.checkpoint}`",
        result.task,
        f"{result.accuracy_float:.2%}",
        f"{result.accuracy:.2%} of {count}",
        f"{result.parameters:,}",
        ", ".join(f"{rate:.1%}" for rate in result.spike_rates),
        f"{result.syn_ops_per_step:,.0f}",
        _energy(result.energy_low_j, result.energy_high_j),
        f"{result.train_minutes:.0f} min",
    )


def _energy(low: float, high: float) -> str:
    unit, name = (_MICRO, "µJ") if high < _MILLI else (_MILLI, "mJ")
    return f"{low / unit:.3g} to {high / unit:.3g} {name}"


def _sorted(results: tuple[Result, ...]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=lambda result: result.checkpoint))


def _result(row: object, where: str) -> Result:
    kinds = {**get_type_hints(Result), "spike_rates": list[float]}
    record = check_record(row, kinds, where, ())
    return Result(**{**record, "spike_rates": tuple(record["spike_rates"])})
