"""An estimate of a training, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """What a training needs; sizes in bytes.

    The data and PyTorch itself come on top, and what an allocator leaves in gaps between blocks,
    for which `fits` leaves room.

    Attributes
    ----------
    device
        Where it would run; as the recipe says it where that is not here.
    parameters
        Number of parameters, by the part of the network.
    weights, gradients, optimizer
        Of all parameters; two moments each.
    saved, native
        Activations that are kept for the backward pass of what goes through at once: by autograd,
        and by kernels beside it.
    step
        The most at once in the forward and backward pass, gradients included.
    evaluating, evaluated
        The most at once while validation sequences are answered, and how many are answered at once.
    peak
        The most of all: weights, moments, and whichever of step, optimizer and evaluation needs
        most.
    room
        What is to be free for that, gaps included.
    memory
        What the device has left; None where that is not known.
    batch, accumulate, processes
        Of the recipe, and how many processes share a batch.
    largest_batch
        The largest batch that fits without being cut, for all processes, of no more than there are
        sequences; 0 if none does; None where memory is not known.
    fitting_accumulate
        The least ``accumulate`` with which the recipe's batch fits; None if there is none.
    sequences, steps_per_epoch
        Of the training part; None where they are not known without the data.
    steps
        Of a sequence.
    tried
        What was run to learn this, and what was scaled from it, in words.
    """

    device: str
    parameters: dict[str, int]
    weights: int
    gradients: int
    optimizer: int
    saved: int
    native: int
    step: int
    evaluating: int
    evaluated: int
    peak: int
    room: int
    memory: int | None
    batch: int
    accumulate: int
    processes: int
    largest_batch: int | None
    fitting_accumulate: int | None
    sequences: int | None
    steps_per_epoch: int | None
    steps: int
    tried: str

    @property
    def fits(self) -> bool:
        """Whether the recipe fits as it is, as far as memory is known."""
        return self.memory is None or self.room <= self.memory

    @property
    def at_once(self) -> int:
        """Sequences of a batch that go through at once in a process."""
        return -(-self.batch // (self.accumulate * self.processes))

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "fits": self.fits}


def in_words(size: float) -> str:
    """Return a size in bytes for people: ``1.24 GB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= 0.9995 * factor:
            digits = 0 if size >= 999.5 * factor else 3
            scaled = size / factor
            return f"{scaled:,.0f} {unit}" if not digits else f"{scaled:.{digits}g} {unit}"
    return f"{size / 1e3:.3g} kB"
