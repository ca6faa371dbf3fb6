"""Synaptic delays: spikes that arrive some steps later.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``K`` delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.config import LONGEST_DELAY
from neurossm_models.layers import check_features, check_step


class _Moved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: tuple[int, ...]) -> Tensor:
        ctx.steps = steps
        return _moved(x, steps, later=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _moved(grad, ctx.steps, later=False), None


def _moved(x: Tensor, steps: tuple[int, ...], later: bool) -> Tensor:
    """Return x (H, B, L), features 0, K, 2 K, ... moved by the first of K steps, and so on."""
    y, length = torch.zeros_like(x), x.shape[-1]
    for first, n in enumerate(steps):
        kept, free = slice(max(0, length - n)), slice(n, None)
        to, of = (free, kept) if later else (kept, free)
        y[first :: len(steps), :, to] = x[first :: len(steps), :, of]
    return y


class Delay(nn.Module):
    """``y_t = s_{t-n}``, and 0 before the start, n fixed for each feature; not trained.

    Parameters
    ----------
    width
        Features H.
    steps
        At most H whole numbers from 1 to 63; feature h takes number h modulo K. None: no delay.

    Raises
    ------
    InputError
        For other steps, or more of them than features.
    """

    def __init__(self, width: int, steps: Sequence[int] = ()) -> None:
        super().__init__()
        self.width = whole("Delay width", width)
        self.steps = tuple(whole("Delay steps", n, 1, LONGEST_DELAY) for n in steps)
        if len(self.steps) > width:
            expected = f"at most {width}, one a feature"
            raise InputError("Delay steps", expected=expected, got=str(len(self.steps)))

    def forward(self, s: Tensor) -> Tensor:
        """Return what arrives at each step, for s (H, B, L)."""
        check_features("Delay input", s, self.width)
        if not self.steps:
            return s
        y: Tensor = _Moved.apply(s, self.steps)  # type: ignore[no-untyped-call]
        return y

    def initial_state(self, batch: int, like: Tensor) -> tuple[Tensor, ...]:
        """Return what waits before the first step: zeros (B, max n, H) in the type of `like`."""
        whole("Delay.initial_state batch", batch, 1)
        if not self.steps:
            return ()
        return (like.new_zeros(batch, max(self.steps), self.width),)

    def carry(self, s: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what arrives and what waits then, for the next piece s (H, B, L) of a sequence.

        The state is that of `step`.
        """
        if not self.steps:
            return s, state
        (waiting,) = state
        length, most = s.shape[-1], waiting.shape[1]
        moved = self(nn.functional.pad(s, (0, most)))
        moved = moved + nn.functional.pad(waiting.permute(2, 0, 1), (0, length))
        return moved[..., :length], (moved[..., length:].permute(1, 2, 0),)

    def step(self, s: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what arrives and what waits then, for one time step s (B, H)."""
        check_step("Delay input", s, self.width)
        if not self.steps:
            return s, state
        (waiting,) = state
        moved = torch.cat([waiting[:, 1:], torch.zeros_like(waiting[:, :1])], 1)
        # row k arrives k steps later; one of one step is put where the next step takes it
        for first, n in enumerate(self.steps):
            moved[:, n - 1, first :: len(self.steps)] = s[:, first :: len(self.steps)]
        return waiting[:, 0], (moved,)
