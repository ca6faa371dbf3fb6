"""``neurossm train --estimate``: what a training would take, in lines and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neurossm.errors import InputError
from neurossm_cli.presentation.counted import plural

if TYPE_CHECKING:
    from neurossm_cli.presentation.console import Console
    from neurossm_models.train import Estimate


def say_estimate(
    console: Console,
    recipe: str,
    data: str,
    changes: Sequence[str],
    memory: float | None,
    alone: Mapping[str, object],
) -> None:
    """Print the estimate of a training; `alone` are options that mean nothing beside it.

    Raises
    ------
    InputError
        If one of those is given, for a recipe that is wrong, and, when all is printed, for a
        training that does not fit, with what would.
    """
    from neurossm_models.train import is_first_process
    from neurossm_models.train.estimates.refusing import without_room
    from neurossm_workflows.train import estimate

    # a width of 0 is given, too
    if given := next((k for k, value in alone.items() if value or type(value) is int), ""):
        raise InputError(f"{given} cannot be combined with --estimate")
    if not is_first_process():
        return  # it speaks for all
    found = estimate(recipe, data=data, changes=changes, memory=memory)
    problem = None if found.fits else without_room(found)
    console.document(found.as_json() | ({} if problem is None else {"error": str(problem)}))
    _say_parameters(console, found)
    _say_memory(console, found)
    _say_steps(console, found)
    if problem is not None:
        raise problem


def _say_parameters(console: Console, found: Estimate) -> None:
    parts = ", ".join(f"{name} {count:,}" for name, count in found.parameters.items())
    console.say(f"parameters: {sum(found.parameters.values()):,} ({parts})")


def _say_memory(console: Console, found: Estimate) -> None:
    from neurossm_models.train.estimates import in_words

    once, evaluated = (plural(count, "sequence") for count in (found.at_once, found.evaluated))
    rows = [
        ("weights", in_words(found.weights), ""),
        ("AdamW's moments", in_words(found.optimizer), ""),
        ("gradients", in_words(found.gradients), ""),
        ("kept by autograd", in_words(found.saved), f"for the backward pass, {once} at once"),
        ("kept by kernels", in_words(found.native), f"additionally, {once} at once"),
        ("step", in_words(found.step), "peak of a training step, with gradients"),
        ("evaluation", in_words(found.evaluating), f"peak of an evaluation, {evaluated} at once"),
        ("peak", in_words(found.peak), "weights, moments and the larger of step and evaluation"),
    ]
    console.table(("memory", "size", "for"), rows)
    if found.processes > 1:
        console.say(f"per process; {found.processes} processes share a batch of {found.batch:,}")
    left = "not known" if found.memory is None else in_words(found.memory)
    console.say(
        f"free memory needed: {in_words(found.room)}, with fragmentation; {found.device} has {left}"
    )
    console.say(found.tried)
    if found.largest_batch is not None:
        cuts = found.fitting_accumulate
        parts = f"; this one fits with train.accumulate={cuts}" if cuts and cuts > 1 else ""
        console.say(f"largest batch that fits without accumulation: {found.largest_batch:,}{parts}")


def _say_steps(console: Console, found: Estimate) -> None:
    if found.steps_per_epoch is not None:
        console.say(
            f"steps per epoch: {found.steps_per_epoch:,}, batches of {found.batch:,} of"
            f" {found.sequences:,} sequences of {plural(found.steps, 'time step')}"
        )
