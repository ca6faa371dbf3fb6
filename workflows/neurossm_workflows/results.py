"""The score of a published checkpoint as integers: a record of the table of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.energy import estimate
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm_workflows.evaluate import run_data
from neurossm_workflows.export import export
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import load_data
from neurossm_workflows.made_for import data_for
from neurossm_workflows.quantize import quantized
from neurossm_workflows.scoring import labeled

if TYPE_CHECKING:
    from neurossm_models.train.results import Result

CALIBRATION_SAMPLES = 512


def measure_checkpoint(
    folder: Path, limit: int = 0, data_dir: str = "", listener: Listener = QUIET
) -> Result:
    """Return what a checkpoint reaches: exported, quantized by default, on the fast engine.

    Parameters
    ----------
    folder
        Of the checkpoint, with what training left about it.
    limit
        Test sequences; 0: all.
    """
    from neurossm_models.train.results import Result, training

    known = training(folder)
    count = f":{limit}" if limit else ""
    test = load_data(f"{known.task}:test{count}", data_dir, listener=listener)
    listener.tell(f"{folder.name}: {known.task}, {len(test):,} test sequences")
    calibration = load_data(f"{known.task}:train:{CALIBRATION_SAMPLES}", data_dir)
    graph = quantized(export(folder), calibration, listener=listener)
    run = run_data(graph, data_for(graph, test, listener=listener), listener=listener)
    metrics = measure(graph, run.trace)
    energy = estimate(metrics, graph, load_hardware("loihi2"))
    return Result(
        checkpoint=folder.name,
        task=known.task,
        accuracy_float=known.accuracy_float,
        accuracy=labeled(run.scores, known.task).values["accuracy"],
        test_sequences_int=len(test),
        parameters=known.parameters,
        spike_rates=tuple(metrics.spike_rates.values()),
        syn_ops_per_step=metrics.per_step()["syn_ops"],
        energy_low_j=energy.total.low,
        energy_high_j=energy.total.high,
        train_minutes=known.train_minutes,
    )
