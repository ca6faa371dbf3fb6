"""Estimates the parameters, memory and steps of a training by a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm.extras import lacking
from neurossm_models.config import NetworkConfig, ResidualConfig
from neurossm_models.data.registry import task
from neurossm_models.data.task import Task
from neurossm_models.gpu import setting
from neurossm_models.gpu.setting import MOST_MODES
from neurossm_models.network import Network
from neurossm_models.train.devices import AUTO, check_device, check_precision_of, device_of
from neurossm_models.train.estimates.estimate import Estimate
from neurossm_models.train.estimates.probing import Scaled, scaled
from neurossm_models.train.estimates.room import free_memory
from neurossm_models.train.estimates.sequences import check_batch, check_share, sequences_of
from neurossm_models.train.evaluation import at_once, network_of
from neurossm_models.train.modules import ModuleConfig, built
from neurossm_models.train.own_data import facts_for
from neurossm_models.train.parallel import process_count
from neurossm_models.train.recipe import Recipe, load_recipe

_FLOAT = 4  # bytes
_MOMENTS = 2  # of AdamW, a parameter
# the forms of a GPU that is not at hand: by its kernels, whose memory is known, or without Triton
_KERNELS, _PLAIN = (setting.TRITON, setting.TRITON), ("fft", "loop")
# Resident memory beside the peak: gaps between blocks, and what threads keep for themselves;
# benchmarks/training_memory.py has what was measured
_GAPS, BESIDE = 1.2, 10**8


def estimate(
    recipe_name_or_path: str | Path,
    overrides: Sequence[str] | None = None,
    memory: int | None = None,
) -> Estimate:
    """Return what a training by a recipe will need; nothing is trained.

    A few steps of networks of one and two layers are run on random data. The data are read where a
    recipe names data of one's own, whose shapes have to be learned. Under torchrun it is what each
    process needs, with its share of a batch.

    Parameters
    ----------
    recipe_name_or_path, overrides
        As of `neurossm_models.train.train`.
    memory
        Bytes of the device, to plan for one that is not at hand; None: what it has left. A GPU that
        is not there is taken to run the kernels of Triton, which take their memory on the CPU but
        do not run; where Triton is not installed or they do not apply, FFT and loop.

    Raises
    ------
    InputError
        If the recipe is wrong, is one of quantization-aware training, has larger batches
        than there are sequences or batches that cannot be shared, starts from a run that is not
        there or is of another network, or names a precision or an implementation that its device
        has not, or a device that is not there and `memory` is not given.
    """
    changes = list(overrides or ())
    if memory is not None:
        whole("estimate memory", memory, 1)
    recipe = load_recipe(recipe_name_or_path, changes)
    if recipe.finetune is not None:
        got = "a section [finetune]"
        raise InputError("estimate", expected="a training from scratch", got=got)
    facts = facts_for(recipe)
    if facts is not None:
        recipe = load_recipe(recipe_name_or_path, changes, facts)
    sequences = sequences_of(recipe, facts)
    check_batch(recipe, sequences)
    check_share(recipe, process_count())
    device, forms, there = _place(recipe, memory)
    if there:
        check_precision_of(device, recipe.train.precision)
    known = task(recipe.data.name) if facts is None else facts
    if recipe.train.start:
        network_of(recipe, known)  # says if there is no such run, or it is of another network
    room, processes = memory, process_count()
    if room is None and (room := free_memory(device)) is not None and device.type == "cpu":
        room //= processes  # which share it
    with nullcontext() if there else setting.planning():
        found = estimate_of(recipe, known, device, forms, room, sequences, processes)
    return found if memory is None else _planned(found, recipe, None if there else forms)


def estimate_of(
    recipe: Recipe,
    facts: Task,
    device: torch.device,
    forms: tuple[str, str],
    memory: int | None,
    sequences: int | None = None,
    processes: int = 1,
) -> Estimate:
    """Return the estimate of a recipe on a device with so much memory for each process."""
    config = recipe.train
    parameters = parameters_of(recipe, facts)
    count = sum(parameters.values())
    found = scaled(recipe, facts, device, forms)
    needs = Needs(found, count, at_once(facts.kind, facts.steps, facts.classes))
    share = config.batch // processes
    part, more = -(-share // config.accumulate), config.accumulate > 1
    largest, fitting = None, None
    if memory is not None:
        largest, fitting = needs.largest(memory) * processes, needs.cuts(memory, share)
        largest = largest if sequences is None else min(largest, sequences)
    return Estimate(
        device=str(device), parameters=parameters, weights=_FLOAT * count,
        gradients=_FLOAT * count, optimizer=_MOMENTS * _FLOAT * count,
        saved=found.at("saved", part), native=found.at("native", part),
        step=needs.step(part, more), evaluating=found.at("evaluating", needs.evaluated),
        evaluated=needs.evaluated, peak=needs.peak(part, more), room=needs.room(part, more),
        memory=memory, batch=config.batch, accumulate=config.accumulate, processes=processes,
        largest_batch=largest, fitting_accumulate=fitting, sequences=sequences,
        steps_per_epoch=None if sequences is None else sequences // config.batch,
        steps=facts.steps, tried=_tried(recipe, found, facts, part),
    )  # fmt: skip


@dataclass(frozen=True)
class Needs:
    """The peak of a training as a function of the sequences that go through at once.

    Attributes
    ----------
    found
        What was measured.
    count
        Parameters.
    evaluated
        Sequences that are answered at once between epochs.
    """

    found: Scaled
    count: int
    evaluated: int

    def step(self, sequences: int, more: bool = False) -> int:
        """Return the most bytes of a forward and backward pass; `more` than one to a step."""
        # in steps as small as those that were tried gradients may hide what is kept for them
        kept = sum(self.found.at(name, sequences) for name in ("saved", "native", "left"))
        # from the second part of a batch on the gradients are there from the start
        left = self.found.at("left", sequences) if more else 0
        return max(self.found.at("peak", sequences), kept) + left

    def peak(self, sequences: int, more: bool = False) -> int:
        """Return the most bytes at once: of the step, of the optimizer, of evaluation."""
        one = _FLOAT * self.count
        return one * (1 + _MOMENTS) + max(
            self.step(sequences, more),
            2 * one,  # gradients, and what AdamW makes of them on the way
            one + self.found.at("evaluating", self.evaluated),
        )

    def room(self, sequences: int, more: bool = False) -> int:
        """Return the bytes that are to be free for it."""
        return int(_GAPS * self.peak(sequences, more) + BESIDE)

    def largest(self, memory: int) -> int:
        """Return the most sequences that fit; 0 if not even one does."""
        if self.room(1) > memory:
            return 0
        low, high = 1, 2
        while self.room(high) <= memory and high < 2**31:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.room(middle) <= memory else (low, middle)
        return low

    def cuts(self, memory: int, share: int) -> int | None:
        """Return into how many equal parts a share is to be cut to fit; None if no cut helps."""
        splits = (k for k in range(1, share + 1) if share % k == 0)
        return next((k for k in splits if self.room(share // k, k > 1) <= memory), None)


def parameters_of(recipe: Recipe, facts: Task) -> dict[str, int]:
    """Return how many parameters each part has; what parts share counts where it is met first.

    A network of ours is made without memory for its numbers.
    """
    if isinstance(recipe.model, ModuleConfig):
        model: nn.Module = built(recipe.model, facts)
    else:
        with torch.device("meta"):
            model = Network(recipe.model)
    parts: dict[str, int] = {}
    for name, parameter in model.named_parameters():  # each once
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + parameter.numel()
    return parts


def _place(recipe: Recipe, memory: int | None) -> tuple[torch.device, tuple[str, str], bool]:
    """Return where to try a recipe, in which forms, and whether that is the device it names."""
    config = recipe.train
    forms = config.ssm, config.neuron
    try:
        return device_of(config.device), forms, True
    except InputError:
        check_device("train device", config.device)
        if memory is None:
            raise InputError(
                "train device", expected=config.device, got="no such GPU here",
                remedy="--memory GB plans for one that is not here, or --set train.device=cpu",
            ) from None  # fmt: skip
    for key, form in zip(("ssm", "neuron"), forms, strict=True):
        if form == "native":
            raise InputError(f"train {key}", expected=f"a form that runs on {config.device}",
                             got="native, of CPUs only",
                             remedy=f"--set train.{key}=auto")  # fmt: skip
    usual = _KERNELS if _kernels_apply(recipe.model) else _PLAIN
    ssm, neuron = (p if form == "auto" else form for form, p in zip(forms, usual, strict=True))
    return torch.device("cpu"), (ssm, neuron), False


def _kernels_apply(model: NetworkConfig | ModuleConfig) -> bool:
    few = isinstance(model, ResidualConfig) and model.states // 2 <= MOST_MODES
    return few and not lacking("gpu")


def _planned(found: Estimate, recipe: Recipe, tried: tuple[str, str] | None) -> Estimate:
    """Return an estimate for a given memory, and say for what; `tried` are forms elsewhere."""
    device, said = recipe.train.device, found.tried
    if tried is not None:
        said += f"; {device} is not here: tried on the CPU"
        said += (
            f", forms {tried[0]} and {tried[1]}" if isinstance(recipe.model, NetworkConfig) else ""
        )
        return replace(found, device=device, tried=said)
    if found.device == "cpu" and device == AUTO:
        said += "; for a GPU: --set train.device=cuda"
    return replace(found, tried=said)


def _tried(recipe: Recipe, found: Scaled, facts: Task, part: int) -> str:
    low, high = found.batches[0], found.batches[-1]
    of = f"{high}" if low == high else f"{low} and {high}"
    said, straight = f"measured with {of} sequences of {found.steps:,} steps", []
    if part != high:
        straight.append(f"sequences to {part}")
    if found.steps != facts.steps:
        straight.append(f"steps to {facts.steps:,}")
    if found.layers and isinstance(recipe.model, NetworkConfig):
        own = recipe.model.layers
        said += f", {' and '.join(map(str, found.layers))} of {own} layers"
        straight += [f"layers to {own}"] if found.layers[-1] != own else []
    if found.words:
        said += f", {' and '.join(f'{count:,}' for count in found.words)} words"
        straight.append(f"words to {facts.vocabulary:,}")
    return said + (
        f"; scaled linearly: {', '.join(straight)}" if straight else "; nothing is scaled"
    )
