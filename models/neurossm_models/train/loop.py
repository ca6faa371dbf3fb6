"""The training loop: AdamW, warm-up and cosine, the best epoch on validation data.

One loop for all: who has a recipe and data sets (`trainer.RecipeTrainer`), who has a module and
loaders (`fit.Trainer`), who runs integers forward (`finetuning.Finetuner`).
"""

from __future__ import annotations

import json
import math
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from neurossm.deprecation import deprecated
from neurossm.errors import InputError
from neurossm_models.likelihoods import Likelihoods
from neurossm_models.scheduled import announce
from neurossm_models.tasks.losses import Loss
from neurossm_models.tasks.scores import ACCURACY, better, shown
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.batches import Batch
from neurossm_models.train.devices import check_precision_of, narrow, products
from neurossm_models.train.interrupt import interrupts
from neurossm_models.train.logs import EPOCHS, STEPS
from neurossm_models.train.measuring import Evaluation, answers_of
from neurossm_models.train.memory import returning_freed_memory
from neurossm_models.train.optimization import lr_factor, parameter_groups
from neurossm_models.train.parallel import Group, spread_over
from neurossm_models.train.progress import Progress
from neurossm_models.train.pruning import Pruner
from neurossm_models.train.resuming import Resumable
from neurossm_models.train.sections import TrainConfig


@dataclass(frozen=True)
class TrainResult:
    """What a training run reached so far.

    Attributes
    ----------
    run
        Run folder.
    finished
        False if it was stopped early and can be resumed.
    step, epoch
        Steps and whole epochs done.
    valid_accuracy
        Accuracy on the validation part, of the best epoch so far; 0 before the first one ends;
        None where the task has no classes.
    best_epoch
        Which epoch that was, counted from 1; 0 before the first one ends.
    spike_rates
        Of the best epoch on the validation part, for each block.
    metric, valid
        Name of the value that chose the best epoch, and that value; None before the first one ends.
    """

    run: str
    finished: bool
    step: int
    epoch: int
    valid_accuracy: float | None
    best_epoch: int
    spike_rates: tuple[float, ...]
    metric: str = ACCURACY
    valid: float | None = None

    @property
    def held_out_accuracy(self) -> float | None:
        """Old name of `valid_accuracy`."""
        deprecated("TrainResult.held_out_accuracy", "TrainResult.valid_accuracy")
        return self.valid_accuracy

    @property
    def held_out(self) -> float | None:
        """Old name of `valid`."""
        deprecated("TrainResult.held_out", "TrainResult.valid")
        return self.valid

    def text(self) -> str:
        """Return the best value with its name."""
        return shown(self.metric, self.valid)


class Loop(Resumable):
    """One training run.

    All randomness that matters after the start is either PyTorch's generators, whose states a
    checkpoint holds, or the order of the data, which is a function of the seed and the epoch.

    Parameters
    ----------
    model
        What is trained; it is moved to the device of the group.
    config
        How.
    loss
        What is made small.
    main
        Name of the value that chooses the best epoch.
    steps_per_epoch
        Batches of an epoch.
    folder
        Run folder.
    group
        The processes that train together, and where this one computes.
    ties
        Whether the validation loss chooses among epochs of the same value; else the first stays.
    kept
        Layers whose zeros stay, of a network that was pruned.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        loss: Loss,
        main: str,
        steps_per_epoch: int,
        folder: Path,
        group: Group,
        ties: bool = True,
        kept: tuple[str, ...] = (),
    ) -> None:
        check_precision_of(group.device, config.precision)
        self.config, self.loss = config, loss
        model.to(group.device)
        self.whole = spread_over(model, group)
        groups = parameter_groups(model, config)
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999))
        super().__init__(model, optimizer, folder, group, main, ties)
        self.steps_per_epoch = steps_per_epoch
        self.epochs = config.whole_epochs(steps_per_epoch)
        self.total_steps = self.epochs * steps_per_epoch
        self.pruner = Pruner.of(model, config, config.steps or self.total_steps, kept)

    @abstractmethod
    def _rest_of_epoch(self) -> Iterator[Batch]:
        """Yield this process's shares of the batches of the epoch that are still to come.

        They are on the device of the group.
        """

    @abstractmethod
    def _measure(self) -> Evaluation:
        """Return what the network reaches on the validation part."""

    @property
    def computed(self) -> dict[str, str]:
        """On which kind of device and in which forms the run computes."""
        config = self.config
        forms = {key: getattr(config, key) for key in ("precision", "ssm", "neuron")}
        return {**super().computed, **forms}

    def prepare(self) -> None:
        """Do what is to be done once, before the first step of a new run; nothing here."""

    @property
    def ended(self) -> bool:
        """Whether all steps are done, or no epoch was better for as long as patience lasts."""
        done = self.step // self.steps_per_epoch
        patience, since = self.config.patience, self.best["epoch"]
        growing = self.pruner is not None and self._was_growing(self.best["epoch"])
        waited = bool(patience) and not growing and done - since >= patience
        at_end = self.step % self.steps_per_epoch == 0
        return self.step >= self.total_steps or (at_end and waited)

    def run(self, stop_after: int | None = None) -> TrainResult:
        """Train to the end, or to step `stop_after`, or until interrupted."""
        last = self.total_steps if stop_after is None else min(stop_after, self.total_steps)
        quiet = not self.group.first
        with Progress(self.total_steps, self.step, quiet) as progress, interrupts() as interrupted:
            while self.step < last and not self.ended and not self.group.any(interrupted.is_set()):
                announce(self.model, self.step // self.steps_per_epoch, self.epochs)
                for batch in self._rest_of_epoch():
                    self._train_step(batch)
                    progress.update(self.step, self._means())
                    if self.step >= last or self.group.any(interrupted.is_set()):
                        break
                    if self._save_is_due():
                        self.save()
                if self.step % self.steps_per_epoch == 0:
                    progress.say(self._end_epoch())
                self.save()
        best = None if self.best[self.main] == self.worst else float(self.best[self.main])
        return TrainResult(
            str(self.folder),
            self.ended,
            self.step,
            self.step // self.steps_per_epoch,
            max(self.best[ACCURACY], 0.0) if self.main == ACCURACY else None,
            self.best["epoch"],
            tuple(self.best["spike_rates"]),
            self.main,
            best,
        )

    def _save_is_due(self) -> bool:
        # Never between the last step of an epoch and its evaluation: that would be lost.
        at_end = self.step % self.steps_per_epoch == 0
        return not at_end and self.step % self.config.save_every == 0

    def _train_step(self, batch: Batch) -> None:
        started = time.perf_counter()
        config = self.config
        factor = lr_factor(self.step, config.steps or self.total_steps, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        self.optimizer.zero_grad()
        with products(config.precision):
            loss, right, asked, weight = self._backward(batch)
        if not math.isfinite(loss):  # in all processes alike: it is their sum
            raise InputError(
                f"training at step {self.step + 1}", expected="a finite loss", got=f"{loss:g}",
                remedy="look for nan in inputs and labels, else start anew with a smaller learning"
                " rate; what the best epoch reached is kept",
            )  # fmt: skip
        if self.pruner is not None:
            self.pruner.before_step()
        if config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        if self.pruner is not None:
            self.pruner.after_step(self.step)
        mean = loss / weight if weight else 0.0
        self.added[STEPS].append(json.dumps({"step": self.step, "loss": mean}))
        self.sums["loss"] += loss * (asked / weight) if weight else 0.0
        self.sums["correct"] += right
        self.sums["count"] += asked
        self.sums["seconds"] += time.perf_counter() - started

    def _backward(self, batch: Batch) -> tuple[float, float, float, float]:
        """Add the gradients of a batch; return loss, right answers, answers and weight of all.

        The batch is the share of this process, on its device.
        """
        parts = batch.parts(self.config.accumulate)
        labels = [self.loss.masked(part.labels, part.lengths) for part in parts]
        (weight,) = self.group.sums(sum(self.loss.weight(one) for one in labels))
        loss, right, asked = 0.0, 0, 0
        for part, wanted in zip(parts, labels, strict=True):
            with self._gradients(last=part is parts[-1]):
                answers = self._answers(part)
                mean, count = self.loss(answers, wanted)
                if not count:  # the mean over none is no number
                    mean = answers.sum() * 0
                # The gradients become means over processes and parts, which may be asked for
                # unequal numbers.
                scale = count * self.group.size / weight if weight else 0.0
                (mean * scale).backward()  # type: ignore[no-untyped-call]
            loss += float(mean.detach()) * count
            right += self.loss.right(answers, wanted)
            asked += self.loss.asked(wanted)
            del answers, mean  # what kernels keep is held by them; the next part needs the room
        total = self.group.sums(loss, right, asked)
        return total[0], total[1], total[2], weight

    def _gradients(self, last: bool) -> AbstractContextManager[object]:
        """Return the context in which gradients are added up; processes meet at the last part."""
        if isinstance(self.whole, DistributedDataParallel) and not last:
            return self.whole.no_sync()
        return nullcontext()

    def _answers(self, batch: Batch) -> Tensor | Likelihoods:
        """Return the answers to a part of a batch."""
        with narrow(self.group.device, self.config.precision):
            answers = self._call(batch)
        return answers if answers.dtype == torch.float64 else answers.float()

    def _call(self, batch: Batch) -> Tensor | Likelihoods:
        return answers_of(self.whole, batch)

    def _end_epoch(self) -> str:
        epoch = self.step // self.steps_per_epoch
        started = time.perf_counter()
        with returning_freed_memory():
            valid = self._measure()
        measuring = time.perf_counter() - started
        self._keep_if_best(valid, epoch)
        line = self._log_line(epoch, valid)
        self.added[EPOCHS].append(json.dumps(line))
        self.sums = dict.fromkeys(self.sums, 0)
        rates = " ".join(f"{rate:.1%}" for rate in valid.spike_rates)
        lr = line["lr"]
        accuracy = f"  train acc {line['train_accuracy']:.2%}" if "train_accuracy" in line else ""
        reached = f"valid acc {valid.accuracy:.2%}" if self.main == ACCURACY else (
            f"valid {shown(self.main, valid.value)}"
        )  # fmt: skip
        return (
            f"epoch {epoch}/{self.epochs}"
            f"  train loss {line['train_loss']:.4f}{accuracy}"
            f"  valid loss {valid.loss:.4f}  {reached}"
            + (f"  spike rate {rates}" if rates else "")
            + ("" if self.pruner is None else f"  zeros {self.pruner.zeros:.1%}")
            + f"  lr {lr:.1e}  {line['seconds'] + measuring:.0f} s"
        )

    def _keep_if_best(self, valid: Evaluation, epoch: int) -> None:
        before, value = self.best[self.main], valid.value
        value = self.worst if value is None or not math.isfinite(value) else value
        tie = value == before and valid.loss < self.best.get("loss", -math.inf)
        # a network that has not lost all the weights that it shall lose is no rival of one that has
        first = self._was_growing(self.best["epoch"]) and not self._was_growing(epoch)
        rival = before != self.worst and not first
        if rival and not better(self.main, value, before) and not tie:
            return
        rates = list(valid.spike_rates)
        best = {self.main: value, "epoch": epoch, "spike_rates": rates}
        if "loss" in self.best:
            best["loss"] = valid.loss if math.isfinite(valid.loss) else sys.float_info.max
        self.best = best
        self.better = True

    def _was_growing(self, epoch: int) -> bool:
        """Tell whether zeros still became more at the end of an epoch."""
        return self.pruner is not None and self.pruner.is_growing(epoch * self.steps_per_epoch)

    def _state(self) -> ck.Tensors:
        held = {} if self.pruner is None else self.pruner.state()
        return {**super()._state(), **ck.with_prefix("masks", held)}

    def read_checkpoint(self) -> tuple[ck.Tensors, dict[str, bytes]]:
        """Take up the last checkpoint, and which weights are held at 0; see `Resumable`."""
        found = super().read_checkpoint()
        if self.pruner is not None:
            state, _ = ck.load_tensors(self.checkpoint)
            self.pruner.restore(ck.under_prefix("masks", state), str(self.checkpoint))
        return found

    def _log_line(self, epoch: int, valid: Evaluation) -> dict[str, Any]:
        means = self._means()
        scores = None if valid.scores is None else valid.scores.as_json()
        value = valid.value
        finite = value is not None and math.isfinite(value)
        return {
            "epoch": epoch,
            "step": self.step,
            **{f"train_{name}": value for name, value in means.items()},
            "valid_loss": valid.loss,
            f"valid_{self.main}": value if finite else self.worst,
            "spike_rates": list(valid.spike_rates),
            "lr": self.optimizer.param_groups[-1]["lr"],
            "seconds": self.sums["seconds"],
            **({} if self.pruner is None else {"zeros": self.pruner.zeros}),
            **({} if scores is None else {"scores": scores["values"]}),
        }

    def _means(self) -> dict[str, float]:
        count = max(self.sums["count"], 1)
        means = {"loss": self.sums["loss"] / count}
        if self.main == ACCURACY:
            means["accuracy"] = self.sums["correct"] / count
        return means
