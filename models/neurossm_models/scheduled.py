"""What changes from epoch to epoch of a training run by a rule, not by a gradient.

The training loop calls `announce` before each epoch. What a module sets then follows from the
epoch alone, so a run that resumes goes on as if it had not stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from neurossm_models.arguments import check_fraction, check_leak, check_number


class Scheduled(ABC):
    """A module with a setting that follows a schedule."""

    @abstractmethod
    def at_epoch(self, epoch: int, epochs: int) -> None:
        """Take the setting of an epoch, counted from 0, of so many."""


def announce(model: nn.Module, epoch: int, epochs: int) -> None:
    """Tell every module of a model that follows a schedule which epoch begins."""
    for module in model.modules():
        if isinstance(module, Scheduled):
            module.at_epoch(epoch, epochs)


@dataclass(frozen=True)
class Falling:
    """A number that falls exponentially, then stays.

    ``first (last / first)^(epoch / (part epochs))``, and `last` from there on.

    Parameters
    ----------
    first, last
        Its value in the first epoch, and at the end; at least 0. Where the first is 0, all are.
    part
        In which part of all epochs it falls, above 0 to 1.
    whole
        In which last part of them, 0 to below 1, what it is the width of is rounded.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    first: float
    last: float
    part: float = 1.0
    whole: float = 0.0

    def __post_init__(self) -> None:
        check_number("schedule first", self.first, least=0)
        check_number("schedule last", self.last, least=0)
        if self.part != 1:
            check_fraction("schedule part", self.part)
        check_leak("schedule whole", self.whole)

    def at(self, epoch: int, epochs: int) -> float:
        """Return its value in an epoch, counted from 0, of so many."""
        if not self.first:
            return 0.0
        fallen = min(1.0, epoch / max(self.part * epochs, 1.0))
        return float(self.first * (self.last / self.first) ** fallen)

    def rounds(self, epoch: int, epochs: int) -> bool:
        """Tell whether an epoch, counted from 0, of so many is one of the last part."""
        return epoch >= (1 - self.whole) * epochs
