"""What is fixed about a data set's sequences, known without its files."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm_models.config import check_choice


@dataclass(frozen=True)
class Task:
    """Shape and scale of the sequences of a data set.

    Attributes
    ----------
    steps
        Time steps of every sequence.
    scale
        Real value of one unit of the integer inputs.
    classes
        Number of labels.
    """

    steps: int
    scale: float
    classes: int


_TASKS = {"digits": Task(64, 1 / 16, 10), "mnist": Task(784, 1 / 255, 10), "psmnist": Task(784, 1 / 255, 10)}


def task(name: str) -> Task:
    """Return the facts of a data set by its name; `InputError` if there is none."""
    check_choice("data set", name, sorted(_TASKS))
    return _TASKS[name]
