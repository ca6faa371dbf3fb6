"""What a run keeps in its folder, and how it resumes from there bit-exactly."""

from __future__ import annotations

import sys
from abc import ABC
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neurossm.errors import FormatError, InputError
from neurossm.files import append
from neurossm_models.tasks.scores import ACCURACY, LOWER_IS_BETTER
from neurossm_models.train import checkpoint as ck
from neurossm_models.train import generators
from neurossm_models.train.logs import LOGS, added_lines, as_text, restored_log
from neurossm_models.train.parallel import Group
from neurossm_models.train.records import CHECKPOINT, RUN_FILES, Kinds, check_record

# what to do where a run could not write, once the cause is gone
BEGIN, CONTINUE = "start it again", "go on with --resume"
_SUMS = {"loss": 0.0, "correct": 0, "count": 0, "seconds": 0.0}


class Resumable(ABC):
    """A run that writes checkpoints and continues from the last one.

    Parameters
    ----------
    model
        On its device.
    optimizer
        Of its parameters.
    folder
        Run folder.
    group
        The processes that train together.
    main
        Name of the value that chooses the best epoch.
    ties
        Whether the loss chooses among epochs of the same value; else the first of them stays.
    """

    total_steps: int
    steps_per_epoch: int

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.AdamW,
        folder: Path,
        group: Group,
        main: str,
        ties: bool,
    ) -> None:
        self.model, self.optimizer, self.folder, self.group = model, optimizer, folder, group
        self.names = {parameter: name for name, parameter in model.named_parameters()}
        self.main, self.worst = main, _worst(main)
        self.step = 0
        self.sums: dict[str, Any] = dict(_SUMS)
        self.added: dict[str, list[str]] = {name: [] for name in LOGS}  # since the last save
        self.elsewhere: ck.Tensors = {}  # states of generators of other kinds of devices
        self.better = False  # the network at hand, than the one in weights.safetensors
        self.best: dict[str, Any] = {main: self.worst, "epoch": 0, "spike_rates": []}  # none yet
        if ties:
            self.best["loss"] = sys.float_info.max

    @property
    def checkpoint(self) -> Path:
        """File of the last checkpoint."""
        return self.folder / CHECKPOINT

    @property
    def samples(self) -> list[int]:
        """Sequences of the training and of the validation part; empty where they are not known."""
        return []

    @property
    def computed(self) -> dict[str, str]:
        """On which kind of device and in which forms the run computes: its bits depend on them."""
        return {"device": self.group.device.type}

    def save(self) -> None:
        """Write the checkpoint that `restore` continues from, then what follows from it.

        Best weights and lines of logs are in the checkpoint too: `restore` writes them where a full
        disk (an `InputError`, with the remedy) or a kill kept them from being written here.
        """
        added, self.added = self.added, {name: [] for name in LOGS}
        if not self.group.first:
            return
        meta = {"step": self.step, "sums": self.sums, "best": self.best, "added": added,
                "computed": self.computed}  # fmt: skip
        if self.samples:
            meta["samples"] = self.samples
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
            **generators.states(self.group.device, self.elsewhere),
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
        InputError
            If the data have another number of samples now.
        """
        path = self.checkpoint
        state, meta = ck.load_tensors(path)
        weights = ck.under_prefix("model", state)
        ck.load_weights(self.model, weights, str(path))
        moments = ck.under_prefix("optimizer", state)
        ck.restore_optimizer(self.optimizer, self.names, moments, str(path))
        self.elsewhere = generators.restore(state, self.group.device, str(path))
        self._take_up(meta, str(path))
        self._say_what_moved(meta, generators.has_been_on_a_gpu(state), str(path))
        logs = {}
        if self.group.first:
            added = added_lines(meta, str(path))
            for name in LOGS:
                text = restored_log(self.folder / name, self.step, added[name])
                if text is not None:
                    logs[name] = text
        return weights, logs

    def _say_what_moved(self, meta: dict[str, Any], on_gpu: bool, where: str) -> None:
        """Say on standard error what is another way of computing than that of a checkpoint."""
        before = {"device": "cuda" if on_gpu else "cpu"}  # of an older release
        if "computed" in meta:
            before = check_record(meta["computed"], {"device": str}, f"{where} computed")
        now = self.computed
        moved = [f"{key} {now[key]}, was {before[key]}" for key in now
                 if before.get(key, now[key]) != now[key]]  # fmt: skip
        if not moved or not self.group.first:
            return
        drawn = ", and dropout draws from the generator of its device"
        drawn = drawn if before["device"] != now["device"] else ""
        print(f"resumed with {'; '.join(moved)}: sums are rounded otherwise{drawn}, so the bits are"
              " not those of a run that stayed as it was", file=sys.stderr)  # fmt: skip

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
        self.sums = check_record(meta.get("sums"), sums, f"{where} sums", ())
        best: Kinds = {self.main: float, "epoch": int, "spike_rates": list[float]}
        if "loss" in self.best:
            best = {**best, "loss": float}
        self.best = check_record(meta.get("best"), best, f"{where} best", ())
        if not 0 <= self.step <= self.total_steps:
            expected = f"0 to {self.total_steps}"
            raise FormatError(f"{where} step", expected=expected, got=str(self.step))
        if "samples" not in meta:  # an older release, or a loader
            return
        samples = check_record(meta, {"samples": list[float]}, where)["samples"]
        if samples != self.samples:
            raise InputError(
                f"{where}: the data",
                expected=f"{' and '.join(map(str, samples))} sequences to train and to choose by",
                got=" and ".join(map(str, self.samples)),
                remedy="resume with the data it was started with, or start another run",
            )


def _worst(main: str) -> float:
    """Return a value that every epoch is better than."""
    if main == ACCURACY:
        return -1.0
    return sys.float_info.max if main in LOWER_IS_BETTER else -sys.float_info.max
