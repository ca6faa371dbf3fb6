"""The training loop: AdamW, warm-up and cosine, checkpoints from which it resumes bit for bit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurossm.errors import FormatError, InputError
from neurossm.files import append
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.registry import load
from neurossm_models.network import Network
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.evaluation import Evaluation, load_same, score, tensors
from neurossm_models.train.interrupt import interrupts
from neurossm_models.train.logs import EPOCHS, LOGS, STEPS, added_lines, as_text, restored_log
from neurossm_models.train.optimization import lr_factor, parameter_groups
from neurossm_models.train.parallel import Group, measure_together, spread_over
from neurossm_models.train.progress import Progress
from neurossm_models.train.recipe import Recipe, check_fits
from neurossm_models.train.records import CHECKPOINT, RUN_FILES, Kinds, check_record

# what to do where a run could not write, once the cause is gone
BEGIN, CONTINUE = "start it again", "go on with --resume"


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
    held_out_accuracy
        Of the best epoch so far; 0 before the first one ends.
    best_epoch
        Which epoch that was, counted from 1; 0 before the first one ends.
    spike_rates
        Of the best epoch on the held-out part, for each block.
    """

    run: str
    finished: bool
    step: int
    epoch: int
    held_out_accuracy: float
    best_epoch: int
    spike_rates: tuple[float, ...]


class Trainer:
    """One training run; `neurossm_models.train.train` starts it.

    All randomness that matters after the start is either PyTorch's generator, which a checkpoint
    holds, or the order of the data, which is a function of the seed and the epoch.

    Parameters
    ----------
    recipe
        What to train and how.
    folder
        Run folder.
    group
        The processes that train together, if there are several.
    """

    def __init__(self, recipe: Recipe, folder: Path, group: Group | None = None) -> None:
        self.recipe, self.folder, self.group = recipe, folder, group or Group()
        self.data, self.held_out = split_data(recipe)
        self.model = Network(recipe.model)
        if recipe.train.start and not recipe.finetune:
            self.model.load_state_dict(load_same(recipe.train.start, recipe.model).state_dict())
        self.model.use(ssm=recipe.train.ssm, neuron=recipe.train.neuron)
        self.whole = spread_over(self.model, self.group)
        self.names = {parameter: name for name, parameter in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model, recipe), betas=(0.9, 0.999))
        self.steps_per_epoch = len(self.data) // recipe.train.batch
        self.epochs = recipe.train.whole_epochs(self.steps_per_epoch)
        self.total_steps = self.epochs * self.steps_per_epoch
        self.step = 0
        self.sums = {"loss": 0.0, "correct": 0, "count": 0, "seconds": 0.0}
        self.added: dict[str, list[str]] = {name: [] for name in LOGS}  # since the last save
        self.better = False  # the network at hand, than the one in weights.safetensors
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": 0, "spike_rates": []}  # none yet

    @property
    def checkpoint(self) -> Path:
        """File of the last checkpoint."""
        return self.folder / CHECKPOINT

    def run(self, stop_after: int | None = None) -> TrainResult:
        """Train to the end, or to step `stop_after`, or until interrupted."""
        last = self.total_steps if stop_after is None else min(stop_after, self.total_steps)
        quiet = not self.group.first
        with Progress(self.total_steps, self.step, quiet) as progress, interrupts() as interrupted:
            while self.step < last and not self.group.any(interrupted.is_set()):
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
        done = self.step // self.steps_per_epoch
        return TrainResult(
            str(self.folder),
            self.step == self.total_steps,
            self.step,
            done,
            max(self.best["accuracy"], 0.0),
            self.best["epoch"],
            tuple(self.best["spike_rates"]),
        )

    def prepare(self) -> None:
        """Do what is to be done once, before the first step of a new run; nothing here."""

    def save(self) -> None:
        """Write the checkpoint that `restore` continues from, then what follows from it.

        Best weights and lines of logs are in the checkpoint too: `restore` writes them where a full
        disk (an `InputError`, with the remedy) or a kill kept them from being written here.
        """
        added, self.added = self.added, {name: [] for name in LOGS}
        if not self.group.first:
            return
        meta = {"step": self.step, "sums": self.sums, "best": self.best, "added": added}
        remedy = CONTINUE if self.checkpoint.exists() else BEGIN
        ck.save_tensors(self.checkpoint, self._state(), meta, remedy)
        if self.better:
            self._write_best(self.model.state_dict())
        for name, lines in added.items():
            if lines:
                append(self.folder / name, as_text(lines), remedy=CONTINUE)

    def _write_best(self, weights: ck.Tensors) -> None:
        ck.save_tensors(self.folder / "weights.safetensors", weights, self.best, CONTINUE)
        self.better = False

    def _state(self) -> ck.Tensors:
        return {
            **ck.with_prefix("model", self.model.state_dict()),
            **ck.with_prefix("optimizer", ck.optimizer_tensors(self.optimizer, self.names)),
            "torch_rng": torch.get_rng_state(),
        }

    def restore(self) -> None:
        """Continue from the last checkpoint of the folder; what a kill left of it is mended."""
        weights, logs = self.read_checkpoint()
        if self.group.first:
            for name in RUN_FILES:  # of a run that was killed while it wrote
                (self.folder / f"{name}{ck.UNFINISHED}").unlink(missing_ok=True)
            if self.step == self.best["epoch"] * self.steps_per_epoch and not self._has_best():
                self._write_best(weights)
            for name, text in logs.items():
                ck.replace_file(self.folder / name, text)

    def read_checkpoint(self) -> tuple[ck.Tensors, dict[str, bytes]]:
        """Take up the last checkpoint of the folder; nothing is written.

        Returns
        -------
        tuple
            The weights in it, and what each log shall hold (in the first process).

        Raises
        ------
        FormatError
            If the checkpoint or a log is damaged.
        """
        path = self.checkpoint
        state, meta = ck.load_tensors(path)
        weights = ck.under_prefix("model", state)
        ck.load_weights(self.model, weights, str(path))
        moments = ck.under_prefix("optimizer", state)
        ck.restore_optimizer(self.optimizer, self.names, moments, str(path))
        ck.restore_generator(state.get("torch_rng"), str(path))
        self._take_up(meta, str(path))
        logs = {}
        if self.group.first:
            added = added_lines(meta, str(path))
            for name in LOGS:
                text = restored_log(self.folder / name, self.step, added[name])
                if text is not None:
                    logs[name] = text
        return weights, logs

    def _has_best(self) -> bool:
        """Tell whether the weights of the best epoch lie in the folder."""
        try:
            return ck.load_tensors(self.folder / "weights.safetensors")[1] == self.best
        except FormatError:
            return False

    def _take_up(self, meta: dict[str, Any], where: str) -> None:
        """Continue with the counts of a checkpoint; `FormatError` if they are none."""
        self.step = check_record(meta, {"step": int}, where)["step"]
        sums: Kinds = dict.fromkeys(self.sums, float)
        self.sums = check_record(meta.get("sums"), sums, f"{where} sums", closed=True)
        best: Kinds = {"accuracy": float, "epoch": int, "spike_rates": tuple}
        self.best = check_record(meta.get("best"), best, f"{where} best", closed=True)
        if not 0 <= self.step <= self.total_steps:
            expected = f"0 to {self.total_steps}"
            raise FormatError(f"{where} step", expected=expected, got=str(self.step))

    def _rest_of_epoch(self) -> Iterator[Dataset]:
        epoch, start = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng([self.recipe.train.seed, epoch]).permutation(len(self.data))
        size = self.recipe.train.batch
        for k in range(start, self.steps_per_epoch):
            yield self.data.take(order[k * size : (k + 1) * size])

    def _save_is_due(self) -> bool:
        # Never between the last step of an epoch and its evaluation: that would be lost.
        at_end = self.step % self.steps_per_epoch == 0
        return not at_end and self.step % self.recipe.train.save_every == 0

    def _train_step(self, batch: Dataset) -> None:
        started = time.perf_counter()
        config = self.recipe.train
        factor = lr_factor(self.step, config.steps or self.total_steps, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        mean, right, asked = score(*self._answers(batch))
        loss, correct, count = self.group.sums(float(mean.detach()) * asked, right, asked)
        self.optimizer.zero_grad()
        # The gradients become means over the processes, which may be asked for unequal numbers.
        (mean * (asked * self.group.size / count)).backward()  # type: ignore[no-untyped-call]
        if config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        self.added[STEPS].append(json.dumps({"step": self.step, "loss": loss / count}))
        self.sums["loss"] += loss
        self.sums["correct"] += correct
        self.sums["count"] += count
        self.sums["seconds"] += time.perf_counter() - started

    def _answers(self, batch: Dataset) -> tuple[Tensor, Tensor]:
        """Return the logits and the labels of this process's share of a batch."""
        x, lengths, labels = tensors(batch)
        share, own = self.group.share, None if lengths is None else self.group.share(lengths)
        return self.whole(share(x), own), share(labels)

    def _measure(self) -> Evaluation:
        """Return what the network reaches on the held-out part."""
        return measure_together(self.model, self.held_out, self.group)

    def _end_epoch(self) -> str:
        epoch = self.step // self.steps_per_epoch
        held_out = self._measure()
        self._keep_if_best(held_out, epoch)
        line = self._log_line(epoch, held_out)
        self.added[EPOCHS].append(json.dumps(line))
        self.sums = dict.fromkeys(self.sums, 0)
        rates_text = " ".join(f"{rate:.1%}" for rate in held_out.spike_rates)
        return (
            f"epoch {epoch}/{self.epochs}"
            f"  train loss {line['train_loss']:.4f} acc {line['train_accuracy']:.2%}"
            f"  held-out loss {held_out.loss:.4f} acc {held_out.accuracy:.2%}"
            f"  spikes {rates_text}  {line['seconds']:.0f} s"
        )

    def _keep_if_best(self, held_out: Evaluation, epoch: int) -> None:
        if held_out.accuracy <= self.best["accuracy"]:
            return
        rates = list(held_out.spike_rates)
        self.best = {"accuracy": held_out.accuracy, "epoch": epoch, "spike_rates": rates}
        self.better = True

    def _log_line(self, epoch: int, held_out: Evaluation) -> dict[str, Any]:
        means = self._means()
        return {
            "epoch": epoch,
            "step": self.step,
            "train_loss": means["loss"],
            "train_accuracy": means["accuracy"],
            "held_out_loss": held_out.loss,
            "held_out_accuracy": held_out.accuracy,
            "spike_rates": list(held_out.spike_rates),
            "lr": self.optimizer.param_groups[-1]["lr"],
            "seconds": self.sums["seconds"],
        }

    def _means(self) -> dict[str, float]:
        count = max(self.sums["count"], 1)
        return {"loss": self.sums["loss"] / count, "accuracy": self.sums["correct"] / count}


def split_data(recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Return the training and the held-out part; neither has anything of the test part.

    Both come from the training part; with ``held_out = 0`` the data set brings the second one.
    """
    count = f":{recipe.data.limit}" if recipe.data.limit else ""
    dataset = load(f"{recipe.data.name}:train{count}")
    check_fits(recipe, dataset)
    held_out = recipe.data.held_out
    if len(dataset) - held_out < recipe.train.batch:
        expected = f"at most {len(dataset) - recipe.train.batch} of {len(dataset)} held out"
        raise InputError("recipe [data] held_out", expected=expected, got=str(held_out))
    if not held_out:
        return dataset, load(f"{recipe.data.name}:valid")
    order = np.random.default_rng(recipe.data.split_seed).permutation(len(dataset))
    return dataset.take(order[held_out:]), dataset.take(order[:held_out])
