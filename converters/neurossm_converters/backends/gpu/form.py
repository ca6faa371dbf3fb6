"""The implementation of a node on a device, made once per node and its edges.

S: samples of a block, T: its steps, C: channels. Tensors of messages are int32 ``(S, T, C)``,
without gaps, 0 behind the end of a sequence; states are int64 ``(S, ...)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from neurossm.engine.edges import Edges
from neurossm.nodes import Node
from neurossm_converters.backends.gpu.arithmetic import saturated
from neurossm_converters.backends.gpu.device import Device

SYN_OPS, MULTIPLIES, SATURATIONS = range(3)
State = dict[str, Tensor]
N = TypeVar("N", bound=Node)
F = TypeVar("F", bound="type[Form[Any]]")
PIECE = 2**22  # numbers of a row operation that are held as 64 bits at a time


@dataclass(frozen=True, eq=False)
class Block:
    """A block of samples and steps, as a node meets it.

    Attributes
    ----------
    operands
        What arrives on each edge, ``(S, T, C)``; edges that add have been added.
    state
        Parts of the state, which are changed in place.
    tally
        Three counters, ``(3,)`` int64, to which is added.
    size
        S and T.
    ends
        Steps of each sequence in this block, ``(S,)`` int32, 0 to T; None: all have T.
    """

    operands: list[Tensor]
    state: State
    tally: Tensor
    size: tuple[int, int]
    ends: Tensor | None

    @property
    def inside(self) -> Tensor | None:
        """Which steps are no padding, ``(S, T, 1)``; None: all."""
        if self.ends is None:
            return None
        steps = torch.arange(self.size[1], device=self.ends.device)
        return (steps < self.ends[:, None])[:, :, None]


class Form(ABC, Generic[N]):
    """A node of an integer graph prepared for a device.

    Parameters
    ----------
    node, edges
        As of `neurossm.engine.compiled.form.Form`.
    device
        Where it runs.
    """

    host: ClassVar[bool] = False

    def __init__(self, node: N, edges: Edges, device: Device) -> None:
        self.node, self.edges, self.device = node, edges, device

    @abstractmethod
    def run(self, block: Block) -> Tensor:
        """Run over a block of steps; return the messages ``(S, T, C)``, 0 behind the ends."""

    def count(self, active: list[Tensor], tally: Tensor) -> None:
        """Add what synapses do to the counters, once for a block.

        Parameters
        ----------
        active
            How many messages came on each channel of each edge, ``(C,)`` int64.
        tally
            As of a `Block`.
        """

    def tensor(self, array: object, dtype: torch.dtype = torch.int64) -> Tensor:
        """Return numbers of the node on the device."""
        return torch.tensor(np.asarray(array), dtype=dtype, device=self.device.place)


class LateForm(Form[N]):
    """A node that sends before anything arrives (`Node.late`): within a loop it runs by halves."""

    @abstractmethod
    def send(self, block: Block) -> Tensor:
        """Run the first half of a step: return what is sent, ``(S, 1, C)``, without operands."""

    @abstractmethod
    def take(self, block: Block) -> None:
        """Run the second half of a step: take what arrives, ``(S, 1, C)``."""


class RowForm(Form[N]):
    """A node without a state: what it sends follows from what arrives at that step.

    Rows, of all samples and steps, run piece by piece, so that wide numbers take little memory.
    `limit` is what the outcome saturates to; None: it cannot be larger.
    """

    limit: int | None = None

    @abstractmethod
    def rows(self, operands: list[Tensor]) -> Tensor:
        """Return what is sent before it saturates, whole numbers ``(R, C)``, for R rows."""

    def run(self, block: Block) -> Tensor:
        """Run piece by piece, saturate, count, and send nothing behind the ends."""
        samples, steps = block.size
        width = max(self.node.in_channels, self.node.out_channels)
        flat = [operand.reshape(-1, operand.shape[2]) for operand in block.operands]
        inside = None if block.inside is None else block.inside.reshape(-1, 1)
        y = flat[0].new_empty(samples * steps, self.node.out_channels)
        most = max(1, PIECE // width)
        for start in range(0, len(y), most):
            part = slice(start, start + most)
            raw = self.rows([one[part] for one in flat])
            own = None if inside is None else inside[part]
            if self.limit is not None:
                raw, clipped = saturated(raw, self.limit, own)
                block.tally[SATURATIONS].add_(clipped)
            y[part] = raw if own is None else raw * own
        return y.reshape(samples, steps, -1)


FORMS: dict[type[Node], type[Form[Any]]] = {}


def on_device(cls: type[Node]) -> Callable[[F], F]:
    """Make a class the form of a type of node."""

    def enter(form: F) -> F:
        FORMS[cls] = form
        return form

    return enter
