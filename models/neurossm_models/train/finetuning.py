"""Quantization-aware training (QAT): what the trainer does differently.

The forward pass is the integer engine on the graph that exporting and quantizing the network of the
moment would write; the backward pass is that of `neurossm_models.ste`. Batch norms keep their
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
from neurossm_models.config import MEAN
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.task import Task
from neurossm_models.network import Network
from neurossm_models.qat_model import IntegerRun, QATModel
from neurossm_models.ste import READOUTS, check_forms, ste_outputs
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.batches import Batch, batch_of
from neurossm_models.train.devices import HOST
from neurossm_models.train.evaluation import STEPS_AT_ONCE, judged, load_same
from neurossm_models.train.finetune_config import BEFORE
from neurossm_models.train.measuring import Evaluation, Tally, as_json
from neurossm_models.train.parallel import Group
from neurossm_models.train.recipe import Recipe
from neurossm_models.train.resuming import BEGIN
from neurossm_models.train.trainer import RecipeTrainer

MakeQATModel = Callable[[Recipe, Task], QATModel]


class Finetuner(RecipeTrainer):
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
    qat_model
        Turns the network into integers.
    group
        One process, and where it computes.
    facts
        Of data of one's own: those of the run that it starts from.
    """

    model: Network

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        model: Network,
        qat_model: QATModel,
        group: Group | None = None,
        facts: Task | None = None,
    ) -> None:
        # whose integers the QAT model takes
        on_host = dataclasses.replace(recipe.train, data_on=HOST)
        super().__init__(dataclasses.replace(recipe, train=on_host), folder, group, facts)
        self.model.load_state_dict(model.state_dict())
        if self.pruner is not None:
            self.pruner.hold_zeros()
        self.model.eval()
        check_forms(self.model)
        self.qat_model = qat_model
        self.sums["saturations"] = 0
        self.calibrated: ck.Tensors = {}
        self.restraints: list[Restraint] = []

    def prepare(self) -> None:
        """Choose the ranges, and keep in ``before.json`` what the integers reach so far.

        The network it starts from is the best until an epoch is better: as epoch 0.
        """
        self._calibrate()
        before = self._integers()
        text = json.dumps(as_json(before), indent=1) + "\n"
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

    def _answers(self, batch: Batch) -> Tensor:
        assert batch.data is not None
        run = self.qat_model.run(self.model, *integers(batch.data), record=True)
        self.sums["saturations"] += run.saturations
        return ste_outputs(self.model, batch.x, run, batch.lengths)

    def _measure(self) -> Evaluation:
        self._calibrate()
        return self._integers()

    def _integers(self) -> Evaluation:
        return measure_integers(self.qat_model, self.model, self.valid, facts=self.facts)

    def _log_line(self, epoch: int, valid: Evaluation) -> dict[str, Any]:
        return {**super()._log_line(epoch, valid), "saturations": self.sums["saturations"]}

    def _train_step(self, batch: Batch) -> None:
        super()._train_step(batch)
        for restraint in self.restraints:
            restraint()

    def _calibrate(self) -> None:
        self.qat_model.calibrate(self.model)
        self.restraints = self.model.restraints()
        self.calibrated = {k: v.detach().clone() for k, v in self.model.state_dict().items()}


def starting_network(recipe: Recipe, qat_model: QATModel, place: torch.device) -> Network:
    """Return the network that a recipe fine-tunes on a device: on the CPU, in evaluation mode.

    Raises
    ------
    InputError
        If there is no such run, its network is not the one of the recipe, or the recipe starts from
        another one, too; names the setting.
    GraphError
        If the network cannot be deployed; names the module.
    TargetError
        If its integers do not run on the device.
    """
    assert recipe.finetune is not None
    if recipe.train.start:
        got, remedy = repr(recipe.train.start), "give one of the two"
        expected = "nothing beside [finetune] run"
        raise InputError("recipe [train] start", expected=expected, got=got, remedy=remedy)
    for name, value, only in (("precision", recipe.train.precision, ("float32",)),
                              ("data_on", recipe.train.data_on, ("auto", "host")),
                              ("accumulate", recipe.train.accumulate, (1,))):  # fmt: skip
        if value not in only:
            raise InputError(f"recipe [train] {name}", got=repr(value), remedy="leave it out",
                             expected=f"{only[-1]!r} for quantization-aware training")  # fmt: skip
    model = load_same(recipe.finetune.run, recipe.network)
    readout = model.config.readout
    if readout not in READOUTS:
        raise InputError("quantization-aware training", expected=f"readout {', '.join(READOUTS)}",
                         got=repr(readout),
                         remedy=f"train the network with --set model.readout={READOUTS[0]}"
                         )  # fmt: skip
    qat_model.check(model, place)
    return model


@torch.no_grad()
def measure_integers(
    qat_model: QATModel,
    model: Network,
    dataset: Dataset,
    batch: int = 250,
    *,
    facts: Task | None = None,
) -> Evaluation:
    """Return what the integers reach on a whole data set, with the ranges chosen last.

    At most `batch` sequences at once; fewer if they are long.
    """
    loss, scorer = judged(dataset, model.config.classes, facts)
    tally, steps = Tally(scorer), 0
    rates: NDArray[np.float64] = np.zeros(model.config.layers)
    batch = max(1, min(batch, STEPS_AT_ONCE // dataset.shape[1]))
    for start in range(0, len(dataset), batch):
        data = dataset.take(slice(start, start + batch))
        part = batch_of(data)
        run = qat_model.run(model, *integers(data))
        tally.add(part, answered(model, run, part.lengths), loss)
        own = len(part) * dataset.shape[1] if part.lengths is None else int(part.lengths.sum())
        rates += own * np.array(list(run.rates.values()))
        steps += own
    found = tally.result(f"{dataset.name}:{dataset.split}")
    return dataclasses.replace(found, spike_rates=tuple((rates / steps).tolist()))


def answered(model: Network, run: IntegerRun, lengths: Tensor | None) -> Tensor:
    """Return the answers, on the CPU.

    Those of a mean are sums over the steps that the graph was made for.
    """
    logits = run.logits.cpu()
    if lengths is None or model.config.readout != MEAN:
        return logits
    return logits * (run.steps / lengths)[:, None]


def integers(batch: Dataset) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64] | None]:
    """Return the integers of a batch without padding that no sequence needs, and the lengths."""
    inputs = batch.inputs
    if batch.lengths is None:
        return inputs, None
    return inputs[:, : int(batch.lengths.max())], batch.lengths
