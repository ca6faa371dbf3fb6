"""The sections [data] and [train] of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from neurossm.errors import InputError
from neurossm.validation import Count, Factor, NotNegative, Portion, Whole, settle
from neurossm_models.arguments import check_choice
from neurossm_models.config import LISTED, check_neuron_form
from neurossm_models.data.registry import names, splits
from neurossm_models.tasks.losses import Weights
from neurossm_models.train.devices import DataOn, Precision, check_device

Scope = Literal["erk", "layer", "global"]  # `neurossm.sparsity.SCOPES`
Names = Annotated[tuple[str, ...], LISTED]
_UNSAID = -(2.0**31)  # of valid: what these data suggest
_OWN_VALID = 0.15
_REGISTERED = ("name", "valid", "split_seed", "limit")


@dataclass(frozen=True)
class DataConfig:
    """Which data are learned, and what chooses the best epoch.

    Attributes
    ----------
    name
        A registered data set, as in `neurossm_models.data.registry`.
    valid
        Size of the validation part, which chooses the best epoch and is cut off the training part:
        from 1 a number of sequences, below 1 a fraction. A registered data set: 0 (unless said)
        takes its own validation part. Data of your own: 0.15 (unless said), where they bring none.
    split_seed
        Seed of the permutation that decides which; of data of one's own, of the parts that are cut.
    limit
        Use the first so many training sequences only; 0: all.
    path
        Data of one's own instead of a name (`neurossm_models.data.own`), without a part.
    test, split_by
        Size of the test part of data of your own that bring none, as `valid`; how both are cut:
        ``"label"`` (stratified), ``"group"``, ``"none"``; empty: what the data suggest.
    task
        One of `neurossm_models.data.labels.KINDS`; empty: what the labels look like.
    bits, per_channel, normalize
        How real values become integers; see `neurossm_models.data.learn`.
    """

    name: str = ""
    valid: float = _UNSAID
    split_seed: int = 0
    limit: Whole = 0
    path: str = ""
    test: float = 0.15
    split_by: str = ""
    task: str = ""
    bits: int = 12
    per_channel: str = "auto"
    normalize: str = "standard"

    def __post_init__(self) -> None:
        settle("data", self)
        if bool(self.name) == bool(self.path):
            got = "both" if self.name else "neither"
            remedy = "--data FILE, or [data] path = ... in the recipe"
            raise InputError("data", expected="a name or a path", got=got, remedy=remedy)
        if self.valid == _UNSAID:
            object.__setattr__(self, "valid", _OWN_VALID if self.path else 0)
        if self.valid < 0 or (self.valid >= 1 and self.valid != int(self.valid)):
            what = "at least 0" if self.valid < 0 else "a fraction below 1, or a whole number"
            raise InputError("data valid", expected=what, got=f"{self.valid:g}")
        if self.valid >= 1:
            object.__setattr__(self, "valid", int(self.valid))
        if self.path:
            return
        check_choice("data name", self.name, names())
        if not self.valid and "valid" not in splits(self.name):
            raise InputError("data valid", expected="more than 0", got="0")
        for key in type(self).__dataclass_fields__:
            default = type(self).__dataclass_fields__[key].default
            if key not in _REGISTERED and getattr(self, key) != default:
                raise InputError(f"data {key}", expected=f"none for data {self.name!r}",
                                 got=repr(getattr(self, key)),
                                 remedy="say it beside a path")  # fmt: skip

    @property
    def title(self) -> str:
        """What is learned, in a word."""
        return self.name or self.path

    def applying(self) -> dict[str, object]:
        """Return the keys that mean something for these data, with their values."""
        return {
            key: value
            for key, value in vars(self).items()
            if (key != "name" if self.path else key in _REGISTERED)
        }

    def validated(self, count: int) -> int:
        """Return how many of `count` training sequences of a registered data set validate."""
        return int(self.valid) if self.valid >= 1 else round(self.valid * count)


# settings of [train] that say where and how the same training is computed
_PLACE = ("device", "precision", "deterministic", "workers", "data_on", "ssm", "neuron")
_OTHER_GRADIENTS = ("sdn", "boundary")  # forms of a neuron


def may_move(key: str, before: object, now: object) -> bool:
    """Say whether a setting of [train] may be another one when a run resumes.

    A run may go on on another kind of device, and so in forms that are computed there; not with a
    neuron whose gradients are others.
    """
    forms = {str(value).strip("'").partition(":")[0] for value in (before, now)}
    return key in _PLACE and not (key == "neuron" and forms & set(_OTHER_GRADIENTS))


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the training part (at most, see `steps`), sequences a step.
    lr, ssm_lr
        Largest learning rates: of everything, and of what sets the dynamics (`DYNAMICS` of a
        module): A, B and dt of state space layers, delays.
    weight_decay
        Of everything except those.
    warmup
        In which part of the steps the learning rate rises linearly; a cosine to 0 follows. Below
        1: a fraction; from 1: steps.
    steps
        Length of the schedule of the learning rate; training ends with the epoch in which it ends,
        or after `epochs` if they are fewer. 0: as long as the epochs.
    clip
        Largest norm of the gradient; 0: not clipped.
    seed
        Decides initialization, order of the data and dropout.
    threads
        PyTorch threads; 0 leaves PyTorch's own choice. The sums, hence the bits, depend on it.
    save_every
        Steps between two checkpoints.
    start
        Run folder, or name of a checkpoint, whose weights it starts from; empty: fresh weights.
    ssm, neuron
        How sequences are computed; see `Network.use`. The forms agree within rounding (of 10 bits
        in products of ``"triton:tf32"``), except for neuron ``"sdn"`` (or ``"sdn:FILE"``), whose
        spikes while training are those of a network.
    device
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    precision
        Of matrix products in training steps: ``"float32"``; on a GPU that has it ``"tf32"``
        (factors of 11 bits) or ``"bfloat16"`` (of 8, and results too). Kernels, states, norms and
        neurons are float32, and so is what is measured on validation data.
    deterministic
        Take deterministic algorithms only, so that a run on a GPU repeats itself bit for bit; an
        operation without one is refused. Slower.
    accumulate
        In how many parts, one after the other, a batch goes through the network: less memory, the
        same step but for batch norms, which see a part at a time.
    workers
        Background threads that load batches; 0: none. The bits are the same.
    data_on
        ``"device"``: the data lie on the device and batches are cut there (of a CPU: all are read
        into memory once); ``"host"``: each batch is sent, one ahead of what computes; ``"auto"``:
        on a GPU, if they take a quarter of its free memory at most and the estimate of the training
        leaves plenty. The bits are the same.
    class_weights
        ``"none"``, or ``"balanced"``: rare classes count as much as common ones.
    patience
        End after so many epochs without a better one; 0: never.
    carry
        Measure pieces of one stream (a text) with the states of each carried on to the next; else
        each begins anew, as it does in training.
    sparsity
        Share of the weights that is 0 in the end, chosen by magnitude while training; 0: nothing is
        pruned. The best epoch is one of those that have all zeros.
    sparsity_scope
        Where magnitudes are compared; see `neurossm.sparsity.masks`.
    sparsity_layers
        Layers that are pruned, by name or by patterns such as ``"blocks.*"``; empty: every `Linear`
        and what a module declares.
    sparsity_from, sparsity_until
        Fractions of all steps between which the zeros become more, by a cubic.
    sparsity_every
        Steps from one choice of zeros to the next.
    """

    epochs: Count
    batch: Count
    lr: NotNegative
    ssm_lr: NotNegative
    weight_decay: NotNegative = 0.0
    warmup: NotNegative = 0.1
    steps: Whole = 0
    clip: NotNegative = 0.0
    seed: Whole = 0
    threads: Whole = 1
    save_every: Count = 200
    start: str = ""
    ssm: str = "auto"
    neuron: str = "auto"
    device: str = "auto"
    precision: Precision = "float32"
    deterministic: bool = False
    accumulate: Count = 1
    workers: Whole = 0
    data_on: DataOn = "auto"
    class_weights: Weights = "none"
    patience: Whole = 0
    carry: bool = False
    sparsity: Factor = 0.0
    sparsity_scope: Scope = "erk"
    sparsity_layers: Names = ()
    sparsity_from: Factor = 0.0
    sparsity_until: Portion = 0.75
    sparsity_every: Count = 10

    def __post_init__(self) -> None:
        settle("train", self)
        check_neuron_form("train neuron", self.neuron)
        check_device("train device", self.device)
        if self.warmup >= 1 and self.warmup != int(self.warmup):
            expected = "a fraction below 1, or a whole number of steps"
            raise InputError("train warmup", expected=expected, got=str(self.warmup))
        if self.accumulate > self.batch:
            expected = f"at most {self.batch}, the batch"
            raise InputError("train accumulate", expected=expected, got=str(self.accumulate))
        if self.sparsity_from >= self.sparsity_until:
            expected = f"below sparsity_until, {self.sparsity_until:g}"
            raise InputError(
                "train sparsity_from", expected=expected, got=f"{self.sparsity_from:g}"
            )

    def applying(self) -> dict[str, object]:
        """Return the keys that mean something, with their values: how to prune only if that is."""
        pruned = bool(self.sparsity)
        return {k: v for k, v in vars(self).items() if pruned or not k.startswith("sparsity")}

    def whole_epochs(self, steps_per_epoch: int) -> int:
        """Return how many epochs are trained, at most."""
        if not self.steps:
            return self.epochs
        return min(self.epochs, -(-self.steps // steps_per_epoch))
