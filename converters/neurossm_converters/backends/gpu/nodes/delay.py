"""`Delay`: whole sequences are moved in one copy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurossm.engine.compiled.form import limit_of
from neurossm.engine.edges import Edges
from neurossm.nodes import Delay, format_of
from neurossm_converters.backends.gpu.arithmetic import saturated, shifted
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, LateForm, on_device


@on_device(Delay)
class DelayForm(LateForm[Delay]):
    """Channels by their delay, and the shift of what changes its format on the way."""

    def __init__(self, node: Delay, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.exact = edges.formats[0] == format_of(node)
        self.right, self.limit = edges.formats[0].frac - format_of(node).frac, limit_of(node)
        self.channels = [
            (int(n), self.tensor(np.flatnonzero(node.steps == n))) for n in np.unique(node.steps)
        ]

    def run(self, block: Block) -> Tensor:
        """Put what waits in front, and what arrives behind it."""
        u, waiting = self._taken(block), block.state["waiting"]
        ends, inside = block.ends, block.inside
        steps, y = u.shape[1], torch.empty_like(u)
        for n, here in self.channels:
            joined = torch.cat([waiting[:, :n, here].int(), u[:, :, here]], dim=1)
            y[:, :, here] = joined[:, :steps]
            if ends is None:
                left = joined[:, steps:]
            else:  # behind its own end
                rows = ends[:, None] + torch.arange(n, device=ends.device)
                left = joined.gather(1, rows[:, :, None].expand(-1, -1, len(here)).long())
            waiting[:, :n, here] = left.long()
        return y if inside is None else y * inside

    def send(self, block: Block) -> Tensor:
        """Return the messages that have waited long enough."""
        sent, inside = block.state["waiting"][:, :1].int(), block.inside
        return sent if inside is None else sent * inside

    def take(self, block: Block) -> None:
        """Let the others move up, and put what arrives behind them."""
        self.run(block)

    def _taken(self, block: Block) -> Tensor:
        """Return what arrives in the format in which it waits."""
        (u,) = block.operands
        if self.exact:
            return u
        # of what is 0 behind an end nothing saturates
        clipped, count = saturated(shifted(u, self.right), self.limit, None)
        block.tally[SATURATIONS] += count
        return clipped.int()
