"""What is fixed about a data set's sequences, known without its files."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.fixed import Scaling, TargetScaling
from neurossm_models.arguments import check_choice
from neurossm_models.data import aan, cifar, imdb, listops, mnist, speech, wikitext
from neurossm_models.data.labels import CLASSIFICATION, STEP_CLASSIFICATION

MNIST_PIXELS = 784


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


_TASKS = {
    "aan": Task(aan.STEPS, 1.0, 2, vocabulary=98, readout="pair"),
    "cifar10-gray": Task(cifar.PIXELS, cifar.SCALE, 10),
    "digits": Task(64, 1 / 16, 10),
    "imdb": Task(imdb.STEPS, 1.0, 2, vocabulary=135),
    "listops": Task(listops.STEPS, 1.0, listops.CLASSES, vocabulary=18),
    "mnist": Task(MNIST_PIXELS, 1 / 255, 10),
    "pathfinder": Task(32 * 32, 1 / 255, 2),
    "pathx": Task(128 * 128, 1 / 255, 2),
    "psmnist": Task(MNIST_PIXELS, 1 / 255, 10, order=mnist.BIT_REVERSED),
    "speech-commands": Task(
        speech.STEPS, speech.SCALE, len(speech.WORDS), bits=15, dt=1 / speech.RATE
    ),
    "wikitext103": Task(
        wikitext.STEPS,
        1.0,
        wikitext.VOCABULARY,
        wikitext.VOCABULARY,
        readout="every-step",
        bits=19,
        kind=STEP_CLASSIFICATION,
    ),
}


def task(name: str) -> Task:
    """Return the facts of a data set by its name; `InputError` if there is none."""
    check_choice("data set", name, sorted(_TASKS))
    return _TASKS[name]


def is_registered(name: str) -> bool:
    """Tell whether a data set of this name is known."""
    return name in _TASKS
