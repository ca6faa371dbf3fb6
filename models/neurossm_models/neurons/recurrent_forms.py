"""Recurrent neurons as functions: by the native kernels, and by a plain loop over time.

Shape letters: ``H`` neurons, ``B`` batch, ``L`` time steps, ``K`` lags, ``P`` parts of the batch.
The equations stand in `neurossm_models.neurons.recurrent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from neurossm_models import kept as memory
from neurossm_models.arguments import check_choice
from neurossm_models.chain import spread
from neurossm_models.config import SURROGATES
from neurossm_models.native import recurrent_lif as native
from neurossm_models.native.recurrent_lif import LANES
from neurossm_models.neurons.exact import RESETS
from neurossm_models.surrogate import given_spikes, heaviside


@dataclass(frozen=True)
class Rule:
    """Reset of the membranes, and derivative of the spikes.

    Parameters
    ----------
    reset
        ``"soft"``, ``"hard"`` or ``"none"``.
    surrogate
        A key of `neurossm_models.surrogate.DERIVATIVES`.
    """

    reset: str
    surrogate: str

    def __post_init__(self) -> None:
        check_choice("neuron reset", self.reset, RESETS)
        check_choice("neuron surrogate", self.surrogate, SURROGATES)

    @property
    def factors(self) -> tuple[Any, Any]:
        """What the kernels call hard and soft."""
        return np.float32(self.reset == "hard"), np.float32(self.reset == "soft")


def recurrent_native(
    x: Tensor,
    weight: Tensor,
    taps: Tensor,
    kept: Tensor,
    tau: Tensor,
    rule: Rule,
    given: Tensor | None = None,
) -> Tensor:
    """Return the spikes by the native kernels; float32 on the CPU.

    Parameters
    ----------
    x
        Input in units of the threshold, (H, B, L).
    weight
        Recurrent weights (H, H), receiving neuron first.
    taps
        What arrives of a spike 1, 2, ... K steps later, (H, K).
    kept
        Factor of what neurons receive from each other, (H, B).
    tau
        Leaks (H,).
    rule
        Reset and surrogate.
    given
        Spikes to take, (H, B, L); None: they are found.

    Returns
    -------
    Tensor
        0 or 1, (H, B, L), differentiable in x, weight and taps, through time, delays and reset.
    """
    spikes: Tensor = _Native.apply(x, weight, taps, kept, tau, rule, given)  # type: ignore[no-untyped-call]
    return spikes


def recurrent_loop(
    x: Tensor,
    weight: Tensor,
    taps: Tensor,
    kept: Tensor,
    tau: Tensor,
    rule: Rule,
    given: Tensor | None = None,
) -> Tensor:
    """Return what `recurrent_native` does, by a plain loop over time; any device and precision."""
    u = torch.zeros_like(x[..., 0].T)
    spikes: list[Tensor] = []
    for t, x_t in enumerate(x.unbind(-1)):
        received = torch.zeros_like(u)
        if known := min(t, taps.shape[1]):
            before = torch.stack(spikes[t - known :][::-1])  # lag 1 first
            arriving = (before * taps[:, :known].T[:, None]).sum(0)
            received = kept.T * (arriving @ weight.T)
        taken = None if given is None else given[..., t].T
        s, u = advance(x_t.T + received, u, tau, rule, taken)
        spikes.append(s)
    return torch.stack(spikes, -1).permute(1, 0, 2)


def advance(
    x: Tensor, u: Tensor, tau: Tensor, rule: Rule, given: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return spikes and membranes after the reset, for all that arrives at a step; (B, H).

    Given spikes have the derivative of those that are found.
    """
    v = tau * u + x
    if given is None:
        s = heaviside(v - 1, rule.surrogate)
    else:
        s = given_spikes(v - 1, given, rule.surrogate)
    if rule.reset == "hard":
        return s, v - s * v
    return s, v - s if rule.reset == "soft" else v


class _Native(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, taps: Tensor, kept: Tensor, tau: Tensor, rule: Rule,
        given: Tensor | None,
    ) -> Tensor:  # fmt: skip
        inputs, factors = _parts(x), _parts(kept[..., None])[:, 0]
        spikes = torch.zeros_like(inputs) if given is None else _parts(given)
        membranes, lags = torch.empty_like(inputs), _lags(taps)
        shared = (weight.detach().contiguous().numpy(), taps.detach().contiguous().numpy(), lags)

        def run(part: slice) -> None:
            native.forward(
                inputs[part.start].numpy(), *shared, factors[part.start].numpy(), tau.numpy(),
                *rule.factors, given is not None, spikes[part.start].numpy(),
                membranes[part.start].numpy(),
            )  # fmt: skip

        spread(run, [slice(part, part + 1) for part in range(len(inputs))])
        ctx.save_for_backward(x, weight, taps, tau)
        ctx.rule, ctx.lags, ctx.kept = rule, lags, (membranes, spikes, factors)
        memory.tell(ctx.kept)
        return _whole(spikes, x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, taps, tau = ctx.saved_tensors
        membranes, spikes, factors = ctx.kept
        grads = _parts(grad)
        arriving, received = torch.zeros_like(grads), torch.empty_like(grads)
        grad_taps = np.zeros((len(grads), *taps.shape))
        turned = weight.detach().T.contiguous().numpy()
        shared = (turned, taps.detach().contiguous().numpy(), ctx.lags)
        kernel = native.backward_kernel(ctx.rule.surrogate)

        def run(part: slice) -> None:
            one = part.start
            kernel(
                grads[one].numpy(), membranes[one].numpy(), spikes[one].numpy(), *shared,
                factors[one].numpy(), tau.numpy(), *ctx.rule.factors, arriving[one].numpy(),
                received[one].numpy(), grad_taps[one],
            )  # fmt: skip

        spread(run, [slice(part, part + 1) for part in range(len(grads))])
        width = len(weight)
        of_weight = _rows(received, width) @ _rows(arriving, width).T
        of_taps = torch.from_numpy(grad_taps.sum(0)).to(taps.dtype)
        return _whole(grads, x.shape[1]), of_weight, of_taps, None, None, None, None


def _parts(x: Tensor) -> Tensor:
    """Return (H, B, L) as (P, L, H, LANES); what no sequence fills is 0."""
    width, batch, length = x.shape
    parts = -(-batch // LANES)
    filled = pad(x.detach(), (0, 0, 0, parts * LANES - batch))
    return filled.view(width, parts, LANES, length).permute(1, 3, 0, 2).contiguous()


def _whole(x: Tensor, batch: int) -> Tensor:
    """Undo `_parts`."""
    parts, length, width, lanes = x.shape
    turned = x.permute(2, 0, 3, 1).reshape(width, parts * lanes, length)
    return turned[:, :batch].contiguous()


def _rows(x: Tensor, width: int) -> Tensor:
    """Return (P, L, H, LANES) as one row a neuron."""
    return x.permute(2, 0, 1, 3).reshape(width, -1)


def _lags(taps: Tensor) -> Any:
    """Return for each neuron its first lag that is not 0 and the one behind the last, from 0."""
    there = (taps.detach() != 0).numpy()
    count = there.shape[1]
    first = np.where(there.any(1), there.argmax(1), 0)
    behind = np.where(there.any(1), count - there[:, ::-1].argmax(1), 0)
    return np.ascontiguousarray(np.stack([first, behind], 1).astype(np.int64))
