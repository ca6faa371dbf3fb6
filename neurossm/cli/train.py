"""``neurossm train``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neurossm.cli.console import Console, JsonOption


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or a TOML file.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override: section.key=value; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    json: JsonOption = False,
) -> None:
    """Train a model by a recipe; resumable, held-out images choose the checkpoint."""
    from neurossm_models.train import is_first_process
    from neurossm_models.train import train as run_training

    console = Console(json)
    result = run_training(recipe, set_ or [], out, resume)
    if not is_first_process():
        return
    console.document(asdict(result))
    state = "finished" if result.finished else "stopped, can be resumed"
    console.say(
        f"{state} after {result.epoch} epochs ({result.step} steps); best held-out accuracy"
        f" {result.held_out_accuracy:.2%} in epoch {result.best_epoch}"
    )
    console.say(f"run folder: {result.run}")
