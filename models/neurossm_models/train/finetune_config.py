"""The section [finetune] of a recipe: the run that QAT starts from, and the widths."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.fixed import MESSAGE_BITS, POLE_BITS, STATE_BITS, WEIGHT_BITS
from neurossm.validation import Text, settle

BEFORE = "before.json"  # in the run's folder: what the integers reached before the first step
EPOCHS = 1
SLOWER = 10  # times than the training from scratch: the network is close to where it should be


@dataclass(frozen=True)
class FinetuneConfig:
    """Quantization-aware training (QAT); the names of the widths are those of `neurossm quantize`.

    Attributes
    ----------
    run
        Run folder, or name of a checkpoint, whose weights it starts from.
    calibrate
        Data that sets the ranges, ``NAME:SPLIT:N``.
    pole_bits, weight_bits, state_bits, activation_bits
        Widths of poles, of weights and gains, of states, and of the widest activation.
    """

    run: Text
    calibrate: Text
    pole_bits: int = POLE_BITS
    weight_bits: int = WEIGHT_BITS
    state_bits: int = STATE_BITS
    activation_bits: int = MESSAGE_BITS

    def __post_init__(self) -> None:
        settle("finetune", self)


def shorter_schedule(lr: float, ssm_lr: float) -> list[str]:
    """Return the changes to a recipe of these learning rates that fine-tuning starts with."""
    return [
        f"train.epochs={EPOCHS}",
        "train.steps=0",
        f"train.lr={lr / SLOWER!r}",
        f"train.ssm_lr={ssm_lr / SLOWER!r}",
    ]
