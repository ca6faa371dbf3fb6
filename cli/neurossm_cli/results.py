"""``neurossm results``: measures published checkpoints and writes the table of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import writes_into

if TYPE_CHECKING:
    from neurossm_models.train.results import Result

CALIBRATION_SAMPLES = 512


def results(
    checkpoints: Annotated[
        list[str] | None, typer.Argument(help="Names in its folder checkpoints/ (default: all).")
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Run the integers on so many test sequences only; 0: all.")
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where checkpoints/, results.json and README.md are (default: models/)."),
        writes_into("results.json", "README.md"),
    ] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Measure checkpoints as integers; update results.json and the table in README.md."""
    from dataclasses import asdict

    from neurossm_models.train import CHECKPOINTS
    from neurossm_models.train.results import read_results, updated, write_results, write_table

    if limit < 0:
        raise InputError("--limit", expected="at least 0", got=str(limit))
    console, home = Console(json), folder or CHECKPOINTS.parent
    names = checkpoints or sorted(path.parent.name for path in home.glob("checkpoints/*/test.json"))
    if not names:
        raise InputError(str(home / "checkpoints"), expected="published checkpoints", got="none")
    for name in names:
        measured = measure_checkpoint(home / "checkpoints" / name, limit, data_dir, console)
        # At once: the next one may take an hour, or fail.
        found = updated(read_results(home / "results.json"), measured)
        write_results(home / "results.json", found)
        write_table(home / "README.md", found)
        console.say(
            f"{name}: float {measured.accuracy_float:.2%}, integer {measured.accuracy_int:.2%}"
            f" of {measured.test_sequences_int:,} test sequences"
        )
    console.document(
        {"results": [asdict(result) for result in read_results(home / "results.json")]}
    )
    console.say(f"{home / 'results.json'}: {len(names)} updated")


def measure_checkpoint(folder: Path, limit: int, data_dir: str, console: Console) -> Result:
    """Return what a checkpoint reaches: exported, quantized by default, on the fast engine."""
    from neurossm.energy import estimate
    from neurossm.hardware import load_hardware
    from neurossm.metrics import measure
    from neurossm.quantization import Quantize
    from neurossm_cli.executing import execute
    from neurossm_cli.export import load_run
    from neurossm_cli.quantize import quantized
    from neurossm_models.train.results import Result, training
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.scoring import labeled

    known = training(folder)
    count = f":{limit}" if limit else ""
    test = load_data(f"{known.task}:test{count}", data_dir)
    console.note(f"{folder.name}: {known.task}, {len(test):,} test sequences")
    calibration = load_data(f"{known.task}:train:{CALIBRATION_SAMPLES}", data_dir)
    graph = quantized(load_run(str(folder)), calibration, Quantize(), console)
    run = execute(graph, test, "fast", "outputs", console)
    metrics = measure(graph, run.trace)
    energy = estimate(metrics, graph, load_hardware("loihi2"))
    return Result(
        checkpoint=folder.name,
        task=known.task,
        accuracy_float=known.accuracy_float,
        accuracy_int=labeled(run.scores, known.task).values["accuracy"],
        test_sequences_int=len(test),
        parameters=known.parameters,
        spike_rates=tuple(metrics.spike_rates.values()),
        syn_ops_per_step=metrics.per_step()["syn_ops"],
        energy_low_j=energy.total.low,
        energy_high_j=energy.total.high,
        train_minutes=known.train_minutes,
    )
