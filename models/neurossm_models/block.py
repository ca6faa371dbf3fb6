"""The base of the blocks of all families: one layer of a network.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. A stream is what goes from one block
to the next: a residual stream of real values, or spikes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from neurossm_models.config import NetworkConfig

States = tuple[Tensor, ...]
Restraint = Callable[[], None]


class Block(nn.Module, ABC):
    """One layer, causal or not: whole sequences, pieces of them, and single steps.

    A family defines the four methods below; all of them compute the same function.
    """

    @classmethod
    def stack(cls, config: NetworkConfig) -> list[Self]:
        """Return the blocks of a network, the first one behind the encoder."""
        return [cls(config) for _ in range(config.layers)]

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()

    @staticmethod
    def start(synapses: nn.Module) -> None:
        """Draw the initial weights of the encoder, where a family has its own; it may be a table.

        By default they are what PyTorch draws.
        """

    @abstractmethod
    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stream after the block and the spikes in it, both (H, B, L)."""

    @abstractmethod
    def carry(self, r: Tensor, state: States) -> tuple[Tensor, Tensor, States]:
        """Return what `forward` does for the next piece of a sequence, and the state behind it.

        In evaluation mode, of a causal block; the state is that of `step`.
        """

    def behind_encoder(self, r: Tensor) -> Tensor:
        """Return what an exporter makes of the encoder's values (H, B, L) by folding into it.

        Of the first block; by default r itself: nothing is folded.
        """
        return r

    @abstractmethod
    def initial_state(self, batch: int) -> States:
        """Return the state before the first step, tensors whose first dimension is the batch."""

    @abstractmethod
    def step(self, r: Tensor, state: States) -> tuple[Tensor, States]:
        """Return the stream (B, H) and the state after one time step."""

    def restraints(self) -> list[Restraint]:
        """Return what puts parameters back to where integers with the ranges of now have room.

        Called after each step of fine-tuning; nothing by default.
        """
        return []
