"""Nodes without an implementation on the device: the fast engine runs them on the CPU.

A node that the fast engine has no form of either runs by its own steps. Messages and states travel
to the CPU and back; where sequences have lengths of their own, those of one length run together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.engine.compiled import form_of
from neurossm.engine.edges import Edges
from neurossm.nodes import Node
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import Block, LateForm

Part = tuple[slice | NDArray[np.int64], int]  # samples of one length, and that length
Run = Callable[
    [list[NDArray[np.int32]], NDArray[np.int32], dict[str, Any], NDArray[np.int64]], None
]


class HostForm(LateForm[Node]):
    """The form of the fast engine, which brings the node's own steps where it has no other."""

    host: ClassVar[bool] = True

    def __init__(self, node: Node, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.form = form_of(type(node))(node, edges)

    def run(self, block: Block) -> Tensor:
        """Run over a block of steps."""
        return self._run(block, self.form.run)

    def send(self, block: Block) -> Tensor:
        """Run the first half of a step."""
        return self._run(block, _one_step(self.form.send))

    def take(self, block: Block) -> None:
        """Run the second half of a step."""
        self._run(block, _one_step(self.form.take))

    def _run(self, block: Block, run: Run) -> Tensor:
        operands = [operand.cpu().numpy() for operand in block.operands]
        states = {part: tensor.cpu().numpy() for part, tensor in block.state.items()}
        y = np.zeros((*block.size, self.node.out_channels), np.int32)
        tally = np.zeros(3, np.int64)
        for part, length in _parts(block):
            sent = np.zeros_like(y[part, :length])
            own = {name: array[part].copy() for name, array in states.items()}
            run([np.ascontiguousarray(u[part, :length]) for u in operands], sent, own, tally)
            y[part, :length] = sent
            for name, array in own.items():
                states[name][part] = array
        for name, tensor in block.state.items():
            tensor.copy_(torch.from_numpy(states[name]))
        block.tally.add_(torch.from_numpy(tally).to(block.tally.device))
        return torch.from_numpy(y).to(self.device.place)


def _one_step(half: Run) -> Run:
    """Return a half of a step as something that runs over a block of one step."""

    def run(
        operands: list[NDArray[np.int32]],
        y: NDArray[np.int32],
        state: dict[str, Any],
        tally: NDArray[np.int64],
    ) -> None:
        half([operand[:, 0] for operand in operands], y[:, 0], state, tally)

    return run


def _parts(block: Block) -> Iterator[Part]:
    if block.ends is None:
        yield slice(None), block.size[1]
        return
    ends = block.ends.cpu().numpy()
    for length in np.unique(ends[ends > 0]):
        yield np.flatnonzero(ends == length), int(length)
