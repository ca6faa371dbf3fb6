"""A training run by a recipe: its data, its network, its measurements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neurossm.errors import InputError
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import CLASSIFICATION, EVERY_STEP, STEP_CLASSIFICATION
from neurossm_models.data.registry import load, task
from neurossm_models.data.streams import check_stream
from neurossm_models.data.task import Task
from neurossm_models.tasks.losses import Loss, balanced_weights
from neurossm_models.tasks.scores import main_of
from neurossm_models.train.batches import Batch, ahead, batch_of, longest_of, takes_lengths
from neurossm_models.train.estimates.sequences import check_batch
from neurossm_models.train.evaluation import kept_in_start, network_of, tally_of
from neurossm_models.train.loop import Loop
from neurossm_models.train.measuring import Evaluation, Tally, answers_of_first
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.moving import moved, pinned, threads_for
from neurossm_models.train.parallel import Group
from neurossm_models.train.recipe import Recipe, check_fits
from neurossm_models.train.resident import place


class RecipeTrainer(Loop):
    """One training run; `neurossm_models.train.train` starts it.

    Parameters
    ----------
    recipe
        What to train and how.
    folder
        Run folder.
    group
        The processes that train together, if there are several, and where this one computes.
    facts
        Of data of one's own.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        group: Group | None = None,
        facts: Task | None = None,
    ) -> None:
        self.recipe = recipe
        self.facts = task(recipe.data.name) if facts is None else facts
        self.data, self.valid = split_data(recipe, facts)
        model = network_of(recipe, self.facts)
        if isinstance(recipe.model, ModuleConfig):
            _check_answers(model, self.data, self.facts)
        config, data = recipe.train, self.data
        weights = None
        if config.class_weights == "balanced":
            weights = balanced_weights(data.kind, data.labels, self.facts.classes)
        if config.carry:
            check_stream(self.valid)
        loss = Loss(data.kind, weights, self.facts.target)
        real = data.labels.dtype.kind == "f" or (data.kind == "next-step" and not data.vocabulary)
        main = main_of(data.kind, real, self.facts.classes)
        steps = len(data) // config.batch
        ties = bool(recipe.data.path)  # the published runs kept the first of equal epochs
        kept = kept_in_start(recipe)
        super().__init__(model, config, loss, main, steps, folder, group or Group(), ties, kept)
        self.own_part: Dataset | None = self.valid
        if not config.carry:  # no part of a stream by itself: all measure it, so that none waits
            self.own_part = share_of(self.valid, self.group)
        parts = (data,) if self.own_part is None else (data, self.own_part)
        self.there, *more = place(config.data_on, self.group.device, parts)
        self.own_there = more[0] if more else None

    @property
    def samples(self) -> list[int]:
        """Sequences of the training and of the validation part."""
        return [len(self.data), len(self.valid)]

    @property
    def pads(self) -> bool:
        """Whether answers to a sequence are made by a module that is not told where it ends."""
        padded = self.data.lengths is not None and self.data.kind not in EVERY_STEP
        return padded and not takes_lengths(self.model)

    def _rest_of_epoch(self) -> Iterator[Batch]:
        epoch, start = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.data))
        size, group = self.config.batch, self.group
        spans = (order[k * size : (k + 1) * size] for k in range(start, self.steps_per_epoch))
        if self.there is not None:
            yield from map(self._share_of, spans)
            return
        threads = threads_for(group.device, self.config.workers)
        yield from moved(ahead(self._share_of, spans, threads), group.device)

    def _share_of(self, span: NDArray[np.int64]) -> Batch:
        """Return this process's share of a batch, as long as the longest sequence of all of it."""
        own, longest = span[self.group.span(len(span))], longest_of(self.data, span)
        if self.there is not None:
            return self.there.batch(own, longest)
        return pinned(batch_of(self.data.take(own), longest), self.group.device)

    def _measure(self) -> Evaluation:
        name = f"{self.valid.name}:{self.valid.split}"
        whole: Tally | None = None
        for tally in self.group.gathered(self._own_tally()):
            if whole is None:
                whole = tally
            elif tally is not None:
                whole.merge(tally)
        assert whole is not None
        return whole.result(name)

    def _own_tally(self) -> Tally | None:
        """Return the sums over this process's share of the validation part."""
        part, there, carry = self.own_part, self.own_there, self.config.carry
        if part is None:
            return None
        cut = None if there is None else there.batch
        workers = self.config.workers
        tally = tally_of(self.model, part, self.facts, workers=workers, carry=carry, cut=cut)
        return None if carry and not self.group.first else tally


def share_of(part: Dataset, group: Group) -> Dataset | None:
    """Return what one process measures of the validation part, every so many-th; None: nothing."""
    if group.size == 1:
        return part
    own = np.arange(group.rank, len(part), group.size)
    return part.select(own) if len(own) else None


def _check_answers(model: nn.Module, data: Dataset, facts: Task) -> None:
    outputs = answers_of_first(model, batch_of(data.take(slice(1))), data.kind)
    more = data.kind in (CLASSIFICATION, STEP_CLASSIFICATION) and outputs > facts.classes
    if outputs != facts.classes and not more:
        where = f"module {type(model).__name__} for a {data.kind}"
        raise InputError(where, expected=f"{facts.classes} numbers an answer", got=str(outputs))


def split_data(recipe: Recipe, facts: Task | None = None) -> tuple[Dataset, Dataset]:
    """Return the training and the validation part; neither has anything of the test part.

    Of a registered data set both come from the training part; with ``valid = 0`` it brings the
    second one. Data of one's own are cut as their facts say.
    """
    data = recipe.data
    count = f":{data.limit}" if data.limit else ""
    dataset = load(f"{data.title}:train{count}", facts=facts)
    check_fits(recipe, dataset)
    valid = 0 if data.path else data.validated(len(dataset))
    if len(dataset) - valid < recipe.train.batch:
        if data.path:
            check_batch(recipe, len(dataset))
        room = len(dataset) - recipe.train.batch
        if room < 0:
            expected = f"a batch of {recipe.train.batch} sequences at least"
            raise InputError("recipe [data] limit", expected=expected, got=str(len(dataset)),
                             remedy="more data, or a smaller train.batch")  # fmt: skip
        expected = f"at most {room} of {len(dataset)} sequences"
        raise InputError("recipe [data] valid", expected=expected, got=str(valid))
    if not valid:
        return dataset, load(f"{data.title}:valid", facts=facts)
    order = np.random.default_rng(data.split_seed).permutation(len(dataset))
    return dataset.take(order[valid:]), dataset.take(order[:valid])
