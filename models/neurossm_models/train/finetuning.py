"""Fine-tuning on the integers: what the trainer does differently.

The forward pass is the integer engine on the graph that exporting and quantizing the network of the
moment would write; the backward pass is that of `neurossm_models.shadow`. Batch norms keep their
running statistics and dropout is off: both are constants of the deployed network.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.errors import InputError
from neurossm_models.block import Restraint
from neurossm_models.data.dataset import Dataset
from neurossm_models.network import Network
from neurossm_models.shadow import recorded, shadow
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.evaluation import STEPS_AT_ONCE, Evaluation, load_same, score, tensors
from neurossm_models.train.finetune_config import BEFORE
from neurossm_models.train.recipe import Recipe
from neurossm_models.train.trainer import BEGIN, Trainer
from neurossm_models.twin import IntegerRun, Twin

MakeTwin = Callable[[Recipe], Twin]


class Finetuner(Trainer):
    """A training run whose forward pass is the integer engine.

    The ranges of messages and states are chosen by a float run of the calibration data before the
    first step and at the end of every epoch, as quantizing the network of that moment chooses them;
    they stay for the steps in between. So what is measured at the end of an epoch, and chooses the
    best one, is the graph that `neurossm export` and `neurossm quantize` write. In between,
    parameters are kept where those ranges have room for them (`Network.restraints`).

    Parameters
    ----------
    recipe
        With a section [finetune].
    folder
        Run folder.
    model
        What it starts from, see `starting_network`.
    twin
        Turns the network into integers.
    """

    def __init__(self, recipe: Recipe, folder: Path, model: Network, twin: Twin) -> None:
        super().__init__(recipe, folder)
        self.model.load_state_dict(model.state_dict())
        self.model.eval()
        self.twin, self.record = twin, recorded(self.model)
        self.sums["saturations"] = 0
        self.calibrated: ck.Tensors = {}
        self.restraints: list[Restraint] = []

    def prepare(self) -> None:
        """Choose the ranges, and keep in ``before.json`` what the integers reach so far.

        The network it starts from is the best until an epoch is better: as epoch 0.
        """
        self._calibrate()
        before = measure_integers(self.twin, self.model, self.held_out)
        text = json.dumps(dataclasses.asdict(before), indent=1) + "\n"
        ck.replace_file(self.folder / BEFORE, text.encode(), BEGIN)
        self._keep_if_best(before, 0)
        self.save()

    def restore(self) -> None:
        """Continue from the last checkpoint, with the ranges of the weights they were taken of."""
        state, _ = ck.load_tensors(self.checkpoint)
        ck.load_weights(self.model, ck.under_prefix("calibrated", state), str(self.checkpoint))
        self._calibrate()
        super().restore()

    def _state(self) -> ck.Tensors:
        return {**super()._state(), **ck.with_prefix("calibrated", self.calibrated)}

    def _answers(self, batch: Dataset) -> tuple[Tensor, Tensor]:
        x, lengths, labels = tensors(batch)
        run = self.twin.run(self.model, *integers(batch), self.record)
        self.sums["saturations"] += run.saturations
        return shadow(self.model, x, run, lengths), labels

    def _measure(self) -> Evaluation:
        self._calibrate()
        return measure_integers(self.twin, self.model, self.held_out)

    def _log_line(self, epoch: int, held_out: Evaluation) -> dict[str, Any]:
        return {**super()._log_line(epoch, held_out), "saturations": self.sums["saturations"]}

    def _train_step(self, batch: Dataset) -> None:
        super()._train_step(batch)
        for restraint in self.restraints:
            restraint()

    def _calibrate(self) -> None:
        self.twin.calibrate(self.model)
        self.restraints = self.model.restraints()
        self.calibrated = {k: v.detach().clone() for k, v in self.model.state_dict().items()}


def starting_network(recipe: Recipe, twin: Twin) -> Network:
    """Return the network that a recipe fine-tunes, in evaluation mode.

    Raises
    ------
    InputError
        If there is no such run, its network is not the one of the recipe, or the recipe starts from
        another one, too; names the setting.
    GraphError
        If the network cannot be deployed; names the module.
    """
    assert recipe.finetune is not None
    if recipe.train.start:
        got, remedy = repr(recipe.train.start), "give one of the two"
        expected = "nothing beside [finetune] run"
        raise InputError("recipe [train] start", expected=expected, got=got, remedy=remedy)
    model = load_same(recipe.finetune.run, recipe.model)
    twin.check(model)
    return model


@torch.no_grad()
def measure_integers(twin: Twin, model: Network, dataset: Dataset, batch: int = 250) -> Evaluation:
    """Return what the integers reach on a whole data set, with the ranges chosen last.

    At most `batch` sequences at once; fewer if they are long.
    """
    loss, right, steps = 0.0, 0, 0
    rates: NDArray[np.float64] = np.zeros(model.config.layers)
    batch = max(1, min(batch, STEPS_AT_ONCE // dataset.inputs.shape[1]))
    for start in range(0, len(dataset), batch):
        part = dataset.take(slice(start, start + batch))
        _, lengths, labels = tensors(part)
        run = twin.run(model, *integers(part))
        loss += float(score(means(run, lengths), labels)[0]) * len(part)
        # of equal logits the first one counts, as for `neurossm run`
        right += int((run.logits.numpy().argmax(1) == part.labels).sum())
        own = len(part) * dataset.inputs.shape[1] if lengths is None else int(lengths.sum())
        rates += own * np.array(list(run.rates.values()))
        steps += own
    count = len(dataset)
    name = f"{dataset.name}:{dataset.split}"
    spikes = tuple((rates / steps).tolist())
    return Evaluation(name, count, right, right / count, loss / count, spikes)


def means(run: IntegerRun, lengths: Tensor | None) -> Tensor:
    """Return the logits as means over the steps of each sequence."""
    return run.logits if lengths is None else run.logits * (run.steps / lengths)[:, None]


def integers(batch: Dataset) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64] | None]:
    """Return the integers of a batch without padding that no sequence needs, and the lengths."""
    if batch.lengths is None:
        return batch.inputs, None
    return batch.inputs[:, : int(batch.lengths.max())], batch.lengths
