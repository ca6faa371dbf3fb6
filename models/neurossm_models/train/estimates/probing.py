"""Small training steps by a recipe, extrapolated to its own batch size.

Memory is linear in the sequences of a batch, in the layers, which are all alike, and in the words
of a large vocabulary. So a step is tried at two points of each, and a straight line goes through
them. Where even two sequences are too large to try, they are tried shorter, and what a sequence
adds is taken for linear in its steps, too.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from neurossm_models.config import NetworkConfig
from neurossm_models.data.task import Task
from neurossm_models.feed_forward import FeedForwardConfig
from neurossm_models.network import Network
from neurossm_models.tasks.losses import Loss
from neurossm_models.train.estimates.shapes import made_batch
from neurossm_models.train.estimates.tracking import evaluation_memory, step_memory
from neurossm_models.train.modules import ModuleConfig, built
from neurossm_models.train.recipe import Recipe

BUDGET = 2**27  # bytes that a step which is tried shall need at most, about
WORDS = (10_000, 20_000)  # tried where weights alone would need `_HEAVY`
_HEAVY = 2**29  # bytes
_FOR_WORDS = 4  # times the budget: answers, not weights, are to need most, as with all words
_LAYERS = (1, 2)
_FEED_FORWARD = (2, 3)  # whose first and last layers are not as those in between
_FIRST, _STEPS = 2, 64  # sequences and steps of the first try
_FLOAT = 4
_MORE = 4  # as many sequences are evaluated as trained, as each takes less
NAMES = ("saved", "native", "peak", "left", "evaluating")

Point = tuple[float, ...]


@dataclass(frozen=True)
class Scaled:
    """What was measured, and what it comes to for other batches.

    Attributes
    ----------
    fixed, each
        By the names of `NAMES`: bytes without a sequence, and bytes a sequence adds.
    batches, layers, words, steps
        What was tried: numbers of sequences, of layers (none of a module of one's own), of words
        (none if all of them), and steps of a sequence.
    """

    fixed: dict[str, float]
    each: dict[str, float]
    batches: tuple[int, ...]
    layers: tuple[int, ...]
    words: tuple[int, ...]
    steps: int

    def at(self, name: str, sequences: int) -> int:
        """Return the bytes for so many sequences."""
        return max(0, math.ceil(self.fixed[name] + self.each[name] * sequences))


def extrapolated(values: Mapping[Point, float], at: Point) -> float:
    """Return the value at a point from those at the corners of a grid, by straight lines.

    The coordinates of the corners are two values each, or one, along which nothing changes.
    """
    if not at:
        return values[()]
    ends = sorted({corner[0] for corner in values})
    low, high = ends[0], ends[-1]
    first, last = (
        extrapolated({c[1:]: v for c, v in values.items() if c[0] == end}, at[1:])
        for end in (low, high)
    )
    return last if low == high else last + (last - first) / (high - low) * (at[0] - high)


def scaled(recipe: Recipe, facts: Task, device: torch.device, forms: tuple[str, str]) -> Scaled:
    """Try small steps of a recipe on a device; return what they say of its own.

    Parameters
    ----------
    recipe, facts
        What is trained, on data of which shapes.
    device
        Where.
    forms
        How sequences are computed: of the state space layers and of the neurons.
    """
    probe = _Probe(recipe, facts, device, forms)
    layers, words = probe.layers, probe.words
    sequences, steps = _sizes(probe.run, layers[-1], words[-1], recipe, facts)
    batches = (max(1, sequences // 2), sequences)
    corners = list(itertools.product(layers, words, batches))
    found = {corner: probe.run(*corner, steps) for corner in corners}
    own, vocabulary = getattr(recipe.model, "layers", 0), getattr(recipe.model, "vocabulary", 0)
    fixed, each = {}, {}
    for name in NAMES:
        values: dict[Point, float] = {corner: found[corner][name] for corner in corners}
        a_sequence = 1 / _MORE if name == "evaluating" else 1
        none, one = (extrapolated(values, (own, vocabulary, end)) for end in (0, a_sequence))
        fixed[name], each[name] = none, (one - none) * facts.steps / steps
    ours = isinstance(recipe.model, NetworkConfig)
    return Scaled(fixed, each, batches, layers if ours else (), words if words[-1] else (), steps)


def _sizes(
    run: Callable[[int, int, int, int], dict[str, int]],
    layers: int,
    words: int,
    recipe: Recipe,
    facts: Task,
) -> tuple[int, int]:
    """Return how many sequences of how many steps may be tried."""
    config = recipe.train
    fixed_steps = isinstance(recipe.model, ModuleConfig)  # perhaps
    short = facts.steps if fixed_steps else min(facts.steps, _STEPS)
    first, second = (run(layers, words, k * _FIRST, short) for k in (1, 2))
    # a peak of gradients alone hides what sequences need
    grown = max(second[name] - first[name] for name in NAMES)
    a_step = max(grown, 1) / _FIRST / short  # bytes
    part = -(-config.batch // config.accumulate)
    budget = BUDGET * (_FOR_WORDS if words else 1)
    sequences = max(_FIRST, min(part, int(budget / a_step / facts.steps)))
    steps = min(facts.steps, max(_STEPS, int(budget / a_step / sequences)))
    return sequences, facts.steps if fixed_steps else steps


class _Probe:
    """Runs a step and an evaluation of a recipe's network at other sizes."""

    def __init__(
        self, recipe: Recipe, facts: Task, device: torch.device, forms: tuple[str, str]
    ) -> None:
        self.recipe, self.facts, self.device, self.forms = recipe, facts, device, forms
        model = recipe.model
        self.layers: tuple[int, ...] = (0,)
        self.words: tuple[int, ...] = (0,)
        if isinstance(model, NetworkConfig):
            few = _FEED_FORWARD if isinstance(model, FeedForwardConfig) else _LAYERS
            self.layers = few if model.layers > few[-1] else (model.layers,)
            heavy = _FLOAT * model.least_parameters > _HEAVY
            if heavy and model.vocabulary == model.classes > WORDS[-1] and not model.cutoffs:
                self.words = WORDS
        self._made: tuple[tuple[int, int], nn.Module] | None = None

    def run(self, layers: int, words: int, sequences: int, steps: int) -> dict[str, int]:
        """Return the bytes by the names of `NAMES`."""
        config, facts, network = self.recipe.model, self.facts, self._network(layers, words)
        if words and isinstance(config, NetworkConfig):
            config = dataclasses.replace(config, vocabulary=words, classes=words)
            facts = dataclasses.replace(facts, vocabulary=words, classes=words)
        padded = bool(facts.vocabulary or self.recipe.data.path)
        batch = made_batch(config, facts, sequences, steps, padded).to(self.device)
        loss = Loss(facts.kind, target=facts.target)
        found = step_memory(network, batch, loss, self.recipe.train.precision)
        batch = made_batch(config, facts, _MORE * sequences, steps, padded).to(self.device)
        return {**vars(found), "evaluating": evaluation_memory(network, batch, loss)}

    def _network(self, layers: int, words: int) -> nn.Module:
        """Return a network of this size; the last one is made once."""
        if self._made is None or self._made[0] != (layers, words):
            self._made = None  # before the next one takes its place
            self._made = ((layers, words), self._new(layers, words).to(self.device))
        return self._made[1]

    def _new(self, layers: int, words: int) -> nn.Module:
        model = self.recipe.model
        if isinstance(model, ModuleConfig):
            return built(model, self.facts)
        config = dataclasses.replace(model, layers=layers)
        if words:
            config = dataclasses.replace(config, vocabulary=words, classes=words)
        return Network(config).use(ssm=self.forms[0], neuron=self.forms[1])
