"""Neurons with two states: their kernels as a stage of a chain, and outside of chains.

Shape letters: ``H`` features (h of them in a part), ``B`` batch, ``L`` time steps, ``P``
parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models import kept
from neurossm_models.chain import Stage, parts_of, spread
from neurossm_models.native.two_states import border_values

_NONE = np.empty(0, np.float32)


@dataclass(frozen=True, eq=False)
class TwoStates(Stage):
    """Neurons with two states each, of threshold 1.

    Attributes
    ----------
    parameters
        Each of shape (H,), differentiable, in the order of the kernels.
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    forward_kernel
        From whether spikes are given to the kernel.
    backward_kernel
        Likewise.
    spikes
        Given ones, (H, B, L); None: the neurons spike by themselves.
    """

    parameters: tuple[Tensor, ...]
    reset: str
    forward_kernel: Callable[[bool], Any]
    backward_kernel: Callable[[bool], Any]
    spikes: Tensor | None = None

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the spikes; keep the neurons' states at the borders of blocks."""
        if self.spikes is not None:
            y.copy_(self.spikes[part])
            return None
        return self.advance(part, x, None, y)

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the spikes."""
        if self.spikes is not None:
            return self.spikes[part]
        y = torch.empty_like(x)
        self.forward(part, x, y)
        return y

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        totals = self.retreat(part, (x, None), kept, grad, (out, None))
        for grad_parameter, total in zip(grads, totals, strict=True):
            grad_parameter[part] = total

    def advance(self, part: slice, x: Tensor, x_im: Tensor | None, spikes: Tensor) -> Any:
        """Run the part's neurons, write or read their spikes; return their states at borders."""
        rows, length = x.shape[0] * x.shape[1], x.shape[2]
        borders = np.empty(border_values(rows, length), np.float32)
        run = self.forward_kernel(self.spikes is not None)
        run(_flat(x), _flat(x_im), length, self._of(part), *self._reset, _flat(spikes), borders)
        return borders

    def retreat(
        self, part: slice, x: tuple[Tensor, Tensor | None], kept: Any, grad: Tensor,
        out: tuple[Tensor, Tensor | None],
    ) -> Tensor:  # fmt: skip
        """Write the gradients of both parts of x; return those of the parameters, (P, h)."""
        features, batch, length = grad.shape
        given = self.spikes is not None
        spikes = self.spikes[part] if self.spikes is not None else None
        borders = kept if spikes is None else self.advance(part, *x, spikes)
        sums, of = np.zeros(features * batch * len(self.parameters)), self._of(part)
        inputs = (_flat(x[0]), _flat(x[1]), _flat(grad), length, of, *self._reset)
        outputs = (_flat(spikes), borders, _flat(out[0]), _flat(out[1]), sums)
        self.backward_kernel(given)(*inputs, *outputs)
        return torch.from_numpy(sums.reshape(features, batch, -1).sum(1).T)

    @property
    def _reset(self) -> tuple[Any, Any]:
        return np.float32(self.reset == "hard"), np.float32(self.reset == "soft")

    def _of(self, part: slice) -> Any:
        return torch.stack([p.detach()[part] for p in self.parameters]).numpy()


def _flat(x: Tensor | None) -> Any:
    return _NONE if x is None else x.detach().reshape(-1).numpy()


class _Complex(torch.autograd.Function):
    """Neurons whose input has an imaginary part, which no chain can hold."""

    @staticmethod
    def forward(ctx: Any, stage: TwoStates, x: Tensor, *parameters: Tensor) -> Tensor:
        x = x.contiguous()
        re, im = x.chunk(2)
        # detached: what is returned becomes a part of the graph, which given spikes must not
        y = torch.empty_like(re) if stage.spikes is None else stage.spikes.detach()

        def run(part: slice) -> Any:
            return stage.advance(part, re[part], im[part], y[part])

        given = stage.spikes is not None
        ctx.kept = [None] * len(parts_of(re)) if given else spread(run, parts_of(re))
        kept.tell(ctx.kept)
        ctx.save_for_backward(x, *parameters)
        ctx.stage = stage
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        stage: TwoStates = ctx.stage
        grad, out = grad.contiguous(), torch.empty_like(x)
        (re, im), (out_re, out_im) = x.chunk(2), out.chunk(2)
        parts = parts_of(re)
        memories = {part.start: memory for part, memory in zip(parts, ctx.kept, strict=True)}

        def run(part: slice) -> Tensor:
            memory = memories[part.start]
            inputs, outputs = (re[part], im[part]), (out_re[part], out_im[part])
            return stage.retreat(part, inputs, memory, grad[part], outputs)

        totals = torch.cat(spread(run, parts), 1)
        return None, out, *(t.to(p.dtype) for t, p in zip(totals, parameters, strict=True))


def run_complex(x: Tensor, stage: TwoStates) -> Tensor:
    """Return the spikes (H, B, L) of x (2 H, B, L): the real parts, then the imaginary parts."""
    y: Tensor = _Complex.apply(stage, x, *stage.parameters)  # type: ignore[no-untyped-call]
    return y
