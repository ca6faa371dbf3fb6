"""Stops a training that does not fit the memory before it starts."""

from __future__ import annotations

import torch

from neurossm.errors import InputError
from neurossm_models.config import PAIR, NetworkConfig
from neurossm_models.data.task import Task
from neurossm_models.train.estimates.estimate import Estimate, in_words
from neurossm_models.train.estimates.estimating import BESIDE, estimate_of
from neurossm_models.train.estimates.room import free_memory
from neurossm_models.train.estimates.sequences import check_batch, sequences_of
from neurossm_models.train.evaluation import at_once
from neurossm_models.train.parallel import Group
from neurossm_models.train.recipe import Recipe

_FLOAT = 4  # bytes
_TRAINED, _EVALUATED = 40, 10  # numbers at most of a feature, step and layer, with kernels
# Resident memory beside the peak where freed blocks are kept: benchmarks/training_memory.py
_KEPT = 2.5
_ANSWERS = 8  # of an answer at a step: itself, its logarithm, gradients, and what scores take


def check_room(recipe: Recipe, facts: Task, group: Group) -> bool:
    """Raise `InputError` if a training does not fit its device; tried only where it is close.

    Modules of one's own are not tried, nor quantization-aware training.

    Returns
    -------
    bool
        Whether there is room enough to keep freed memory, too, as far as is known.

    Raises
    ------
    InputError
        With what would fit.
    """
    if not isinstance(recipe.model, NetworkConfig) or recipe.finetune is not None:
        return True
    device = group.device
    memory = free_memory(device)
    if memory is None:
        return True
    if device.type == "cpu":  # which the processes share
        memory //= group.size
    if at_most(recipe.model, recipe, facts, group) < memory / _KEPT:
        return True
    forms = recipe.train.ssm, recipe.train.neuron
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        found = estimate_of(recipe, facts, device, forms, memory, processes=group.size)
    if not found.fits:
        check_batch(recipe, sequences_of(recipe, facts if recipe.data.path else None))
        raise without_room(found)
    return _KEPT * found.peak + BESIDE < memory


def at_most(model: NetworkConfig, recipe: Recipe, facts: Task, group: Group) -> int:
    """Return bytes that a training hardly needs, by a formula: to see at once that it fits."""
    config = recipe.train
    trained = -(-config.batch // (config.accumulate * group.size))
    evaluated = at_once(facts.kind, facts.steps, facts.classes)
    kernels = group.device.type == "cpu" and config.ssm in ("auto", "native")
    values = _TRAINED + (0 if kernels else 16 * model.states)
    a_step = max(trained * values, evaluated * _EVALUATED) * model.width * (model.layers + 1)
    a_step *= (2 if model.readout == PAIR else 1) * (1 if model.causal else 2)
    a_step += max(trained, evaluated) * _ANSWERS * model.classes
    return _FLOAT * (12 * model.least_parameters + facts.steps * a_step) + BESIDE


def without_room(found: Estimate) -> InputError:
    """Return the refusal of a recipe that does not fit, with what would."""
    remedies = []
    if found.fitting_accumulate and found.fitting_accumulate != found.accumulate:
        said = "the same step but for batch norms"
        remedies.append(f"--set train.accumulate={found.fitting_accumulate} ({said})")
    if found.largest_batch and found.largest_batch < found.batch:
        remedies.append(f"--set train.batch={found.largest_batch}")
    if not remedies:
        remedies = ["a smaller network, shorter sequences, or a device with more memory"]
    return InputError(
        f"training on {found.device}",
        expected=f"at most {in_words(found.memory or 0)}, what is left there",
        got=f"about {in_words(found.room)} for a batch of {found.batch}"
        + (f" in {found.accumulate} parts" if found.accumulate > 1 else "")
        + f"; the largest that fits is {found.largest_batch}",
        remedy=", or ".join(remedies),
    )
