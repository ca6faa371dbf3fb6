"""Training by a recipe, from scratch or quantization-aware (QAT) from a finished run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.arguments import several
from neurossm.errors import InputError
from neurossm_workflows.listener import QUIET, Listener

if TYPE_CHECKING:
    from neurossm.quantization import Quantize
    from neurossm_converters.backends.gpu.device import Device
    from neurossm_converters.qat import QATModel
    from neurossm_models.data import Task
    from neurossm_models.train import Estimate, Recipe, TrainResult
    from neurossm_models.train.finetune_config import FinetuneConfig

CALIBRATION_SAMPLES = 512
MOST_GIGABYTES = 1e6


def train(
    recipe: str,
    *,
    data: str = "",
    changes: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    finetune_from: str = "",
    quantized: bool = False,
    calibrate: str = "",
    widths: Mapping[str, int] | None = None,
    listener: Listener = QUIET,
) -> TrainResult:
    """Train a network by a recipe; the validation set chooses the checkpoint.

    Parameters
    ----------
    recipe
        The name of a recipe, a TOML file, or a model family.
    data
        Your own data, or a registered name; empty: the data of the recipe.
    changes
        ``"section.key=value"``, applied last.
    out, resume
        Run folder (None: ``runs/NAME``, ``runs/NAME-finetuned``), and whether to go on there.
    finetune_from, quantized
        Together: quantization-aware training (QAT) of that run: the integer engine computes the
        forward pass, a straight-through estimator (STE) the backward pass.
    calibrate, widths
        Of that: the data that set the ranges (empty: the recipe's, 512 of them), and attributes of
        `neurossm.Quantize` such as ``{"pole_bits": 8}``.
    listener
        Is told of each epoch.

    Raises
    ------
    InputError
        For a recipe or data that do not exist, and for options that require others.

    Examples
    --------
    >>> done = neurossm.train("binary-s4d-smnist", out="runs/mine")
    >>> neurossm.train("binary-s4d-smnist", finetune_from=done.run, quantized=True)
    """
    from neurossm_models.train import data_changes
    from neurossm_models.train import train as run_training

    said = several("changes", changes, "'section.key=value'")
    learned = data_changes(data) if data else []
    tuned = finetune_changes(
        recipe, str(finetune_from), quantized, calibrate, widths or {}, learned
    )
    if tuned and out is None:
        out = Path("runs") / f"{Path(recipe).stem}-finetuned"
    return run_training(recipe, [*learned, *tuned, *said], None if out is None else Path(out),
                        resume, make_qat_model=make_qat_model, tell=listener.tell)  # fmt: skip


def estimate(
    recipe: str, *, data: str = "", changes: Sequence[str] = (), memory: float | None = None
) -> Estimate:
    """Return what a training will need: parameters, memory at its peak, steps; nothing is trained.

    Parameters
    ----------
    recipe, data, changes
        As of `train`.
    memory
        GB (10^9 bytes) of a device to plan for; None: what the recipe's device has left.

    Raises
    ------
    InputError
        For a recipe or data that do not exist, one of quantization-aware training, a device that is
        not there where `memory` is not given, and a memory that is no positive number.
    """
    from neurossm_models.train import data_changes
    from neurossm_models.train import estimate as estimated

    if memory is not None and not 0 < memory < MOST_GIGABYTES:
        expected = f"more than 0 GB, less than {MOST_GIGABYTES:,}"
        raise InputError("memory", expected=expected, got=f"{memory:g}")
    said = several("changes", changes, "'section.key=value'")
    learned = data_changes(data) if data else []
    room = None if memory is None else int(memory * 1e9)
    return estimated(recipe, [*learned, *said], room)


def finetune_changes(
    recipe: str,
    run: str,
    quantized: bool,
    calibrate: str,
    widths: Mapping[str, int],
    learned: Sequence[str] = (),
) -> list[str]:
    """Return what the options change in a recipe; `learned` are the changes that name its data.

    Raises
    ------
    InputError
        If one of the options stands without another that it needs; named.
    """
    from neurossm_models.train import load_recipe
    from neurossm_models.train.finetune_config import shorter_schedule

    if not (run and quantized):
        options = {
            "--calibrate": calibrate,
            "the width of integers": widths,
            "--finetune-from": run,
        }
        alone = "--qat" if quantized else next((o for o, v in options.items() if v), "")
        if alone:
            missing = "--finetune-from RUN" if quantized else "--qat"
            raise InputError(f"{alone} requires {missing}")
        return []
    own = load_recipe(recipe, list(learned))
    calibrate = calibrate or _calibration(own, run)
    changes = [] if own.finetune else shorter_schedule(own.train.lr, own.train.ssm_lr)
    changes += ['train.start=""'] if own.train.start else []  # of the run, which starts anew
    changes += [f"finetune.{key}={value}" for key, value in widths.items()]
    # a JSON string is a TOML one
    return [
        *changes,
        f"finetune.run={json.dumps(run)}",
        f"finetune.calibrate={json.dumps(calibrate)}",
    ]


def _calibration(recipe: Recipe, run: str) -> str:
    """Return the data that set the ranges: of one's own, as many as there are if they are few."""
    from neurossm_models.data import load
    from neurossm_models.train import load_facts

    name = f"{recipe.data.title}:train"
    if recipe.data.name:
        return f"{name}:{CALIBRATION_SAMPLES}"
    there = len(load(name, facts=load_facts(run)))
    return f"{name}:{min(there, CALIBRATION_SAMPLES)}"


def make_qat_model(
    recipe: Recipe, facts: Task | None = None, device: Device | None = None
) -> QATModel:
    """Return what runs the integers of the networks of a recipe, on data of these facts.

    Where they run is what `QATModel` says of `device`.
    """
    from neurossm_converters.formats.torch.readouts import scale_of
    from neurossm_converters.qat import QATModel
    from neurossm_models.data import load, task
    from neurossm_models.train import load_facts
    from neurossm_workflows.quantize import ranges_on

    assert recipe.finetune is not None
    if facts is None:
        facts = task(recipe.data.name) if recipe.data.name else load_facts(recipe.finetune.run)
    settings = quantizer(recipe.finetune)
    own = facts if recipe.data.path else None
    data = load(recipe.finetune.calibrate, facts=own)
    if recipe.data.name and data.name != recipe.data.name:
        expected = f"a part of {recipe.data.name!r}"
        raise InputError("recipe [finetune] calibrate", expected=expected, got=repr(data.name))
    return QATModel(
        settings, lambda graph: ranges_on(graph, data, settings), steps=facts.steps,
        scale=scale_of(facts), bits=facts.bits, device=device,
    )  # fmt: skip


def quantizer(config: FinetuneConfig) -> Quantize:
    """Return the pass with the widths of a recipe."""
    from neurossm.quantization import Quantize

    return Quantize(
        pole_bits=config.pole_bits,
        weight_bits=config.weight_bits,
        state_bits=config.state_bits,
        activation_bits=config.activation_bits,
    )
