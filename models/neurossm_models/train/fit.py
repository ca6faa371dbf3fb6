"""Training any module on any loader: the loop of the recipes without a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm.fixed import TargetScaling
from neurossm_models.arguments import check_choice, check_path
from neurossm_models.data.labels import KINDS
from neurossm_models.tasks import Scorer
from neurossm_models.tasks.losses import Loss, balanced_weights
from neurossm_models.tasks.scores import main_of
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.batches import Batch, taken
from neurossm_models.train.deterministic import computing
from neurossm_models.train.devices import Precision
from neurossm_models.train.loop import Loop, TrainResult
from neurossm_models.train.measuring import Evaluation, Tally, answers_of_first, tallied
from neurossm_models.train.moving import moved
from neurossm_models.train.parallel import Group, processes
from neurossm_models.train.records import CHECKPOINT, parse, read_text
from neurossm_models.train.resuming import BEGIN
from neurossm_models.train.sections import TrainConfig, may_move

SETTINGS = "trainer.json"
Loader = Iterable[Any]


class Trainer:
    """Trains an `nn.Module` on batches of a loader; everything that a recipe's training has.

    The run folder holds the best weights, a checkpoint from which it resumes bit for bit, and logs.
    The loader draws from a stream of random numbers of its own, which is a function of the seed and
    the epoch: so batches that were done can be passed over when a run resumes. Under torchrun every
    process takes its share of each batch.

    Parameters
    ----------
    model
        Takes x of a batch, and its lengths if its forward has an argument ``lengths``; answers
        (B, K), or (B, L, K) where the task asks at every step.
    train_loader
        Yields tensors (x, y) or (x, y, lengths) and has a length, as a
        `torch.utils.data.DataLoader`. `y` as `neurossm_models.data.Dataset.labels`; -1 or nan asks
        for nothing.
    valid_loader
        The same, to choose the best epoch by.
    task
        One of ``"classification"``, ``"multilabel"``, ``"regression"``, ``"step-classification"``,
        ``"step-regression"``, ``"next-step"``. What chooses the best epoch:
        `neurossm_models.tasks.Scores`.
    precision, deterministic, accumulate, patience, save_every
        As of a recipe's [train].
    out
        Run folder; ``runs/CLASS``, by the class of the model, if None.
    epochs, lr, ssm_lr, weight_decay, warmup, clip, seed
        As of a recipe's [train]; `ssm_lr` is that of A, B and dt of `S4D` layers, `lr` if None.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"``, or a `torch.device`.
    class_weights
        ``"none"``, ``"balanced"`` (reads the labels of the training loader once), or (K,) weights.
    class_names
        For the scores.
    target
        From answers to real values, where the network is to learn scaled ones; None: as they are.

    Raises
    ------
    InputError
        If an argument is none of these; the message names it.
    """

    def __init__(
        self,
        model: nn.Module,
        train_loader: Loader,
        valid_loader: Loader,
        *,
        task: str = "classification",
        out: str | Path | None = None,
        epochs: int = 10,
        lr: float = 1e-3,
        ssm_lr: float | None = None,
        weight_decay: float = 0.0,
        warmup: float = 0.1,
        clip: float = 1.0,
        seed: int = 0,
        device: str | torch.device = "auto",
        precision: Precision = "float32",
        deterministic: bool = False,
        accumulate: int = 1,
        class_weights: str | ArrayLike = "none",
        class_names: tuple[str, ...] = (),
        target: TargetScaling | None = None,
        patience: int = 0,
        save_every: int = 200,
    ) -> None:
        check_choice("trainer task", task, KINDS)
        if out is not None:
            check_path("trainer out", out)
        if not isinstance(model, nn.Module):
            got = type(model).__name__
            raise InputError("trainer model", expected="a torch.nn.Module", got=got)
        folder = Path("runs") / type(model).__name__ if out is None else Path(out)
        self.model, self.folder = model, folder
        self._train, self._valid = train_loader, valid_loader
        self._kind, self._target, self._names = task, target, tuple(class_names)
        self._weights, self._place = class_weights, device
        rate = lr if ssm_lr is None else ssm_lr
        size = getattr(train_loader, "batch_size", None) or accumulate
        self.config = TrainConfig(
            epochs=epochs, batch=int(size), lr=float(lr), ssm_lr=float(rate), clip=float(clip),
            weight_decay=float(weight_decay), warmup=float(warmup), seed=seed, precision=precision,
            deterministic=deterministic,
            device=device if isinstance(device, str) else "auto", accumulate=accumulate,
            patience=patience, save_every=save_every,
        )  # fmt: skip
        try:
            self._steps = len(train_loader)  # type: ignore[arg-type]
        except TypeError:
            self._steps = 0
        if not self._steps:
            raise InputError("trainer train_loader", expected="a loader with a length above 0",
                             got=type(train_loader).__name__)  # fmt: skip

    def fit(self, resume: bool = False, stop_after: int | None = None) -> TrainResult:
        """Train, and return what was reached.

        Parameters
        ----------
        resume
            Continue from the last checkpoint of the folder; as if it had never stopped, bit for
            bit, on the same machine with the same number of threads.
        stop_after
            Stop with a checkpoint once this many steps in all are done. None: train to the end.

        Raises
        ------
        InputError
            If the folder holds a run and `resume` is false, or none to resume, or one of other
            settings; for batches that the model or the task does not take.
        """
        if stop_after is not None:
            whole("fit stop_after", stop_after, 0)
        self._check_folder(resume)
        torch.manual_seed(self.config.seed)
        with processes(self._place) as group, computing(group.device, self.config.deterministic):
            return self._fitted(group, resume, stop_after)

    def _fitted(self, group: Group, resume: bool, stop_after: int | None) -> TrainResult:
        # a function of its own: what holds the processes' group is gone before the group is
        loop = self._loop(group)
        if resume:
            loop.restore()
        elif group.first:
            text = json.dumps(self._settings(), indent=1) + "\n"
            ck.replace_file(self.folder / SETTINGS, text.encode(), BEGIN)
        return loop.run(stop_after)

    def best(self) -> nn.Module:
        """Put the weights of the best epoch into the model, and return it in eval mode."""
        path = self.folder / "weights.safetensors"
        ck.load_weights(self.model, ck.load_tensors(path)[0], str(path))
        return self.model.eval()

    def measure(self, loader: Loader) -> Evaluation:
        """Return what the model at hand reaches on the batches of a loader, such as a test part."""
        outputs, _ = self._outputs(loader)
        batches = stream(loader, self._kind, (self.config.seed, 0))
        scorer = Scorer(self._kind, outputs, self._names, self._target)
        loss = Loss(self._kind, target=self._target)
        return tallied(self.model, batches, loss, scorer).result("loader")

    def _loop(self, group: Group) -> _LoaderLoop:
        self.model.to(group.device)
        outputs, real = self._outputs(self._train)
        loss = Loss(self._kind, self._class_weights(outputs), self._target)
        return _LoaderLoop(
            self.model, self.config, loss, main_of(self._kind, real, outputs), self._steps,
            self.folder, group, (self._train, self._valid),
            lambda: Scorer(self._kind, outputs, self._names, self._target),
        )  # fmt: skip

    def _outputs(self, loader: Loader) -> tuple[int, bool]:
        """Return how many numbers an answer has, and whether real ones are asked for."""
        first = next(iter(stream(loader, self._kind, (self.config.seed, 0))), None)
        if first is None:
            raise InputError("loader", expected="a batch at least", got="none")
        outputs = answers_of_first(self.model, first, self._kind)
        return outputs, first.labels.is_floating_point()

    def _class_weights(self, outputs: int) -> NDArray[np.float64] | None:
        given = self._weights
        if isinstance(given, str):
            check_choice("trainer class_weights", given, ("none", "balanced"))
            if given == "none":
                return None
            batches = stream(self._train, self._kind, (self.config.seed, 0))
            labels = [batch.labels.numpy() for batch in batches]
            flat = [one if self._kind == "multilabel" else one.reshape(-1) for one in labels]
            return balanced_weights(self._kind, np.concatenate(flat), outputs)
        weights = np.asarray(given, dtype=np.float64)
        if weights.shape != (outputs,) or not np.all(weights >= 0):
            expected, got = f"{outputs} numbers of at least 0", f"shape {weights.shape}"
            raise InputError("trainer class_weights", expected=expected, got=got)
        return weights

    def _settings(self) -> dict[str, Any]:
        module = type(self.model)
        weights = self._weights if isinstance(self._weights, str) else "given"
        return {
            "model": f"{module.__module__}.{module.__qualname__}",
            "task": self._kind,
            "steps_per_epoch": self._steps,
            **{key: value for key, value in self.config.applying().items() if key != "carry"},
            "class_weights": weights,
        }

    def _check_folder(self, resume: bool) -> None:
        there = (self.folder / CHECKPOINT).exists()
        if there and not resume:
            remedy = "fit(resume=True), or another folder"
            raise InputError(
                str(self.folder), expected="no run there yet", got="one", remedy=remedy
            )
        if resume and not there:
            remedy = "fit() without resume"
            raise InputError(
                str(self.folder), expected="a run to resume", got="none", remedy=remedy
            )
        if not resume:
            return
        path = self.folder / SETTINGS
        before = parse(read_text(path), str(path), "settings of a trainer")
        for key, value in self._settings().items():
            was = before.get(key) if isinstance(before, dict) else None
            if was != value and not may_move(key, was, value):
                raise InputError(f"{path} {key}", expected=repr(was), got=repr(value),
                                 remedy="resume with the settings it was started with")  # fmt: skip


class _LoaderLoop(Loop):
    def __init__(self, *given: Any) -> None:
        *rest, self._loaders, self._scorer = given
        super().__init__(*rest)

    def _rest_of_epoch(self) -> Iterator[Batch]:
        epoch, start = divmod(self.step, self.steps_per_epoch)
        key = (self.config.seed, 1 + epoch)
        batches = stream(self._loaders[0], self.loss.kind, key, skip=start)
        yield from moved(map(self._share_of, batches), self.group.device)

    def _share_of(self, batch: Batch) -> Batch:
        if len(batch) % self.group.size:
            expected = f"a multiple of the {self.group.size} processes"
            raise InputError("batch", expected=expected, got=f"{len(batch)} sequences",
                             remedy="DataLoader(..., drop_last=True)")  # fmt: skip
        own = self.group.span(len(batch))
        return batch.rows(own.start, own.stop)

    def _measure(self) -> Evaluation:
        rank, size = self.group.rank, self.group.size
        every = stream(self._loaders[1], self.loss.kind, (self.config.seed, 0))
        own = (batch for k, batch in enumerate(every) if k % size == rank)
        loss = Loss(self.loss.kind, target=self.loss.target)
        first, *others = self.group.gathered(tallied(self.model, own, loss, self._scorer()))
        whole: Tally = first
        for other in others:
            whole.merge(other)
        return whole.result("validation")


def stream(loader: Loader, kind: str, key: tuple[int, int], skip: int = 0) -> Iterator[Batch]:
    """Yield the batches of a loader, drawn with random numbers that a key decides.

    PyTorch's generator is left as it was, and a generator of the loader's own is seeded.

    Parameters
    ----------
    loader, kind
        Of which task.
    key
        Seed and epoch.
    skip
        How many batches are drawn and thrown away first.
    """
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    state = [torch.Generator().manual_seed(seed).get_state()]
    if isinstance(own := getattr(loader, "generator", None), torch.Generator):
        own.manual_seed(seed)
    sampler = getattr(loader, "sampler", None)
    if sampler is not None and hasattr(sampler, "set_epoch"):
        sampler.set_epoch(key[1])
    with _drawing(state):
        batches = iter(loader)
    for number in range(2**62):
        with _drawing(state):
            given = next(batches, None)
        if given is None:
            return
        if number >= skip:
            yield taken(given, kind)


@contextmanager
def _drawing(state: list[torch.Tensor]) -> Iterator[None]:
    """Draw from another state of PyTorch's generator, which is kept in the list."""
    before = torch.get_rng_state()
    torch.set_rng_state(state[0])
    try:
        yield
    finally:
        state[0] = torch.get_rng_state()
        torch.set_rng_state(before)
