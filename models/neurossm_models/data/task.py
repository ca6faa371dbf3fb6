"""The facts of a data set that are known without its files."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.fixed import Scaling, TargetScaling
from neurossm_models.data.labels import CLASSIFICATION


@dataclass(frozen=True)
class Task:
    """Shape and scale of the sequences of a data set.

    Attributes
    ----------
    steps
        Time steps of a sequence; of the longest, where lengths differ.
    scale
        Real value of one unit of the integer inputs; 1 for tokens.
    classes
        Number of labels.
    vocabulary
        Number of tokens; 0: the inputs are quantities. A copy may have a few more or less.
    readout
        What is asked: one answer a sequence (``"mean"``), one a pair, or one a step
        (``"every-step"``).
    bits
        Magnitude bits of the integer inputs.
    order
        Name of the order of the steps where it is not the recorded one, as of a `Dataset`.
    dt
        Seconds of a step, where the steps are times and it is known.
    kind
        The task, one of `neurossm_models.data.labels.KINDS`.
    features
        Channels of the input.
    scaling
        How real values become the integers of the input; None: they are integers (`scale`, `bits`).
    target
        From what the network answers to real values; None for classes.
    class_names, channel_names
        Empty where they have none.
    split
        How the parts were cut from data without parts, as `Interface.split` says it.
    """

    steps: int
    scale: float
    classes: int
    vocabulary: int = 0
    readout: str = "mean"
    bits: int = 8
    order: str = ""
    dt: float | None = None
    kind: str = CLASSIFICATION
    features: int = 1
    scaling: Scaling | None = None
    target: TargetScaling | None = None
    class_names: tuple[str, ...] = ()
    channel_names: tuple[str, ...] = ()
    split: str = ""
