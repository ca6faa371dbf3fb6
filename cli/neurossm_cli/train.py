"""``neurossm train``: from scratch, or further with quantization-aware training (QAT)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import families, listed, tasks_of_recipes
from neurossm_cli.presentation.console import Console, JsonOption, Stopped
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.estimate import say_estimate
from neurossm_cli.presentation.options import bits, data_option
from neurossm_cli.presentation.paths import READS_DATA, READS_RECIPE, READS_RUN, Writes
from neurossm_cli.presentation.quantization import pole_width
from neurossm_cli.presentation.reading import Arguments

if TYPE_CHECKING:
    from neurossm_models.train import TrainResult


def _written(folder: Path, arguments: Arguments) -> list[Path]:
    """Return what a run writes; a recipe that is there is kept, and who trains says how."""
    from neurossm_models.train import RUN_FILES

    return [folder / name for name in sorted(set(RUN_FILES) - {"recipe.toml"}, reverse=True)]


RUN_FOLDER = Writes(_written)


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="With --data, the family of models to train:"
            f" {listed(families())}. Else a recipe by its name, FAMILY-TASK, such as"
            f" binary-s4d-smnist, with TASK {listed(tasks_of_recipes())}; or a TOML file.",
            autocompletion=completing.recipe,
        ),
        READS_RECIPE,
    ],
    data: Annotated[str, data_option("Data of your own to learn"), READS_DATA] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE",
                     help="Change the recipe, such as train.epochs=5; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Run folder to write (default: runs/NAME)."),
        RUN_FOLDER,
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder --out.")
    ] = False,
    finetune_from: Annotated[
        str,
        typer.Option(metavar="RUN", help="Start from the weights of this run or checkpoint.",
                     autocompletion=completing.checkpoint),
        READS_RUN,
    ] = "",
    qat: Annotated[
        bool,
        typer.Option("--qat", help="Quantization-aware training, with --finetune-from: the forward"
                     " pass is the integer network."),
    ] = False,
    calibrate: Annotated[
        str,
        data_option("QAT: data that set the activation ranges (default: 512 samples of the"
                    " training part)"),
        READS_DATA,
    ] = "",
    poles: Annotated[str, bits("QAT: poles, a number of bits, q15 or q12.")] = "",
    weights: Annotated[int | None, bits("QAT: weights and gains.")] = None,
    state: Annotated[int | None, bits("QAT: states and membrane potentials.")] = None,
    activations: Annotated[int | None, bits("QAT: activations that are not spikes.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Train nothing; estimate the memory it takes.")
    ] = False,
    memory: Annotated[
        float | None,
        typer.Option(metavar="GB", help="With --estimate: memory of a device that is not here."),
    ] = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Train a network on your data, or reproduce a published one.

    On data of your own, channels, classes, lengths and scale are learned from the training part. A
    validation or test part that is missing is split off; the test part is never used in training.
    The checkpoint that is best on the validation set is kept. Ctrl-C keeps the run; --resume goes
    on with it.

    Quantization-aware training, --finetune-from RUN --qat, trains a finished run further: one epoch
    at a tenth of the learning rates unless --set says otherwise. Where no epoch is better on the
    validation set, the run keeps the network it started from.
    """
    from neurossm_models.train import is_first_process
    from neurossm_workflows.train import train as run_training

    console = Console(json)
    if estimate:
        alone = {"--out": out, "--resume": resume, "--finetune-from": finetune_from,
                 "--qat": qat, "--calibrate": calibrate, "--poles": poles,
                 "--weights": weights, "--state": state, "--activations": activations}  # fmt: skip
        say_estimate(console, recipe, data, set_ or [], memory, alone)
        return
    if memory is not None:
        raise InputError("--memory requires --estimate")
    widths = {"pole_bits": pole_width(poles) if poles else None, "weight_bits": weights,
              "state_bits": state, "message_bits": activations}  # fmt: skip
    result = run_training(
        recipe, data=data, changes=set_ or (), out=out, resume=resume,
        finetune_from=finetune_from, quantized=qat, calibrate=calibrate,
        widths={key: value for key, value in widths.items() if value is not None},
        listener=console.listener,
    )  # fmt: skip
    if not is_first_process():
        return
    console.document(asdict(result))
    ended = "finished" if result.finished else "stopped (go on with --resume)"
    console.say(
        f"{ended} after {plural(result.epoch, 'epoch')} ({plural(result.step, 'step')});"
        f" best validation {_reached(result)} in epoch {result.best_epoch}"
        + (", the network it started from" if finetune_from and not result.best_epoch else "")
    )
    console.say(f"run folder: {result.run}")
    if not result.finished:
        raise Stopped


def _reached(result: TrainResult) -> str:
    if result.valid_accuracy is not None:
        return f"accuracy {result.valid_accuracy:.2%}"
    return result.text()
