"""``neurossm train``: from scratch, or further on the integers that will run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.deprecation import deprecated
from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console, JsonOption, Stopped
from neurossm_cli.presentation.estimate import say_estimate
from neurossm_cli.presentation.paths import READS_DATA, READS_RECIPE, READS_RUN, Writes
from neurossm_cli.presentation.quantization import pole_width
from neurossm_cli.presentation.reading import Arguments

if TYPE_CHECKING:
    from neurossm_models.train import TrainResult


def _written(folder: Path, arguments: Arguments) -> list[Path]:
    """Return what a run writes; resuming it keeps the recipe that is there."""
    from neurossm_models.train import RUN_FILES

    names = set(RUN_FILES) - ({"recipe.toml"} if arguments["resume"] else set())
    return [folder / name for name in sorted(names)]


RUN_FOLDER = Writes(_written)


def train(
    recipe: Annotated[str, typer.Argument(
        help="A recipe's name, a TOML file, or a family: binary-s4d, gsu, spikingssm, spike-ssm."),
        READS_RECIPE],
    data: Annotated[str, typer.Option(
        help="Data of your own to learn: a file, a folder, py:file.py:function, tonic:NAME; or a"
             " registered name."), READS_DATA] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override: section.key=value; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder (default: runs/NAME, runs/NAME-finetuned)."),
        RUN_FOLDER,
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    finetune_from: Annotated[
        str, typer.Option(help="Start from the weights of this run or checkpoint."), READS_RUN
    ] = "",
    quantized: Annotated[
        bool, typer.Option("--qat", help="Quantization-aware training (QAT), from --finetune-from.")
    ] = False,
    quantized_: Annotated[bool, typer.Option("--quantized", hidden=True)] = False,
    calibrate: Annotated[
        str, typer.Option(help="Data that sets the ranges, NAME:SPLIT:N"
                               " (default: the recipe's, train, 512)."),
        READS_DATA,
    ] = "",
    poles: Annotated[str, typer.Option(help="Width of a pole's parts: q15, q12 or bits.")] = "",
    weights: Annotated[int | None, typer.Option(help="Width of weights and gains.")] = None,
    state: Annotated[int | None, typer.Option(help="Width of states.")] = None,
    messages: Annotated[int | None, typer.Option(help="Widest graded message.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Train nothing; say what memory it would take.")
    ] = False,
    memory: Annotated[
        float | None, typer.Option(help="With --estimate: GB of the device, if it is not here.")
    ] = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Train a model by a recipe; resumable, validation data choose the checkpoint.

    With --data: channels, classes, lengths and scale are learned from the training part, parts that
    are missing are cut off, and nothing touches the test part.

    With --finetune-from RUN --qat: train a finished run further, for one epoch at a tenth of
    the learning rates unless --set says otherwise, with the integer engine as the forward pass.
    Where no epoch is better on validation data, the run keeps the network it started from.

    With --estimate: parameters, memory and steps of it. What does not fit is refused, and what
    would is named.
    """
    from neurossm_models.train import is_first_process
    from neurossm_workflows.train import train as run_training

    console = Console(json)
    if quantized_:
        deprecated("--quantized", "--qat")
        quantized = True
    if estimate:
        alone = {"--out": out, "--resume": resume, "--finetune-from": finetune_from,
                 "--qat": quantized, "--calibrate": calibrate, "--poles": poles,
                 "--weights": weights, "--state": state, "--messages": messages}  # fmt: skip
        say_estimate(console, recipe, data, set_ or [], memory, alone)
        return
    if memory is not None:
        raise InputError("--memory", expected="--estimate beside it", got="none")
    widths = {"pole_bits": pole_width(poles) if poles else None, "weight_bits": weights,
              "state_bits": state, "message_bits": messages}  # fmt: skip
    result = run_training(
        recipe, data=data, changes=set_ or (), out=out, resume=resume,
        finetune_from=finetune_from, quantized=quantized, calibrate=calibrate,
        widths={key: value for key, value in widths.items() if value is not None},
        listener=console.listener,
    )  # fmt: skip
    if not is_first_process():
        return
    console.document(asdict(result))
    epochs, steps = _counted(result.epoch, "epoch"), _counted(result.step, "step")
    ended = "finished" if result.finished else "stopped, can be resumed"
    console.say(
        f"{ended} after {epochs} ({steps}); best validation"
        f" {_reached(result)} in epoch {result.best_epoch}"
        + (", the network it started from" if finetune_from and not result.best_epoch else "")
    )
    console.say(f"run folder: {result.run}")
    if not result.finished:
        raise Stopped


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _reached(result: TrainResult) -> str:
    if result.valid_accuracy is not None:
        return f"accuracy {result.valid_accuracy:.2%}"
    return result.text()
