"""The Gated Spiking Unit: two ternary products of features, multiplied with each other.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. Signals: ``y`` normalized output of
the state space layer, real; ``t`` its ternary form; ``n``, ``m`` the two branches.

Source: Stan and Rhodes, "Learning long sequences in spiking neural networks", Scientific Reports
14:21957, 2024 (arXiv 2401.00955); equations as tabulated in arXiv 2410.03530, table 7, and as two
independent re-implementations have them.

Deviations: the threshold of the activations is a trained constant of each feature; the published
fraction of the largest magnitude at each time step depends on the data and cannot be deployed
(``threshold = "maximum"`` trains it for comparison). Batch norm of y before the unit instead of a
layer norm of the product behind it, which has no fixed-point form; a trained scale of each output
of the ternary weights in its place. The ternary weights get a surrogate gradient, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu

from neurossm.arguments import whole
from neurossm.validation import Positive
from neurossm_models.arguments import check_fraction, check_number
from neurossm_models.block import Restraint, States
from neurossm_models.chain import Stage
from neurossm_models.config import StateSpaceConfig
from neurossm_models.families.family import Family
from neurossm_models.layers import affine, check_features, make_norm, normalize
from neurossm_models.stages import Norm
from neurossm_models.state_space import StateSpaceBlock
from neurossm_models.surrogate import arctan


@dataclass(frozen=True)
class GSUConfig(StateSpaceConfig):
    """A network of Gated Spiking Units.

    Parameters
    ----------
    threshold
        Of the activations: ``"constant"`` (trained, one a feature) or ``"maximum"`` (the published
        fraction of the largest magnitude at each step; not deployable).
    fraction
        Of the weights' largest magnitude, and of the activations': the ternary threshold.
    delta
        Initial value of the constant thresholds, in standard deviations of the normalized y.
    """

    threshold: Literal["constant", "maximum"] = "constant"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    delta: Positive = 0.5

    NAME: ClassVar[str] = "gsu"

    def deployable(self) -> tuple[Self, tuple[str, ...]]:
        """Return the nearest configuration that can be exported, and what was changed, in words."""
        config, said = super().deployable()
        if config.threshold != "maximum":
            return config, said
        now = (
            "The recipe's ternary threshold follows a maximum, which export refuses: this plan has"
            " a constant one."
        )
        return replace(config, threshold="constant"), (*said, now)


class _Ternary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, delta: Tensor) -> Tensor:
        ctx.save_for_backward(z, delta)
        return z.sign() * (z.abs() >= delta)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        z, delta = ctx.saved_tensors
        up, down = arctan(z - delta), arctan(z + delta)
        grad_delta = (
            (grad * (down - up)).sum_to_size(delta.shape) if ctx.needs_input_grad[1] else None
        )
        return up.add_(down).mul_(grad), grad_delta


def ternary(z: Tensor, delta: Tensor) -> Tensor:
    """Return ``sign(z) 1[|z| >= delta]``; arctan surrogates at both thresholds backward."""
    t: Tensor = _Ternary.apply(z, delta)  # type: ignore[no-untyped-call]
    return t


class TernaryThreshold(nn.Module):
    """Signed spikes ``sign(y) 1[|y| >= delta]`` against a trained constant, or the step's maximum.

    Parameters
    ----------
    width
        Features H.
    delta
        Initial thresholds; trained as their logarithm.
    fraction
        If not None: the threshold is this fraction of the largest |y| over the features at each
        step, as published. Not deployable.
    """

    def __init__(self, width: int, delta: float, fraction: float | None = None) -> None:
        super().__init__()
        whole("TernaryThreshold width", width, 1)
        check_number("TernaryThreshold delta", delta)
        if fraction is not None:
            check_fraction("TernaryThreshold fraction", fraction)
        self.width, self.fraction = width, fraction
        start = torch.full((width,), math.log(delta))
        self.log_delta = nn.Parameter(start) if fraction is None else None

    def forward(self, y: Tensor) -> Tensor:
        """Return -1, 0 or 1 for every value of y (H, B, L)."""
        check_features("TernaryThreshold input", y, self.width)
        if self.log_delta is None:
            assert self.fraction is not None
            return ternary(y, self.fraction * y.detach().abs().amax(0, keepdim=True))
        return ternary(y, self.log_delta.exp()[:, None, None])


class GatedSpikingUnit(nn.Module):
    """``GELU(n * m)`` with one shared matrix W in both branches.

    ::

        n = scale * tern(W) y + b1        additions of activations
        m = W tern(y) + b2                additions of weights
        tern(W) = sign(W) 1[|W| >= fraction max|W|]

    Parameters
    ----------
    width
        Features H.
    fraction
        Threshold of the weights.
    """

    def __init__(self, width: int, fraction: float) -> None:
        super().__init__()
        whole("GatedSpikingUnit width", width, 1)
        check_fraction("GatedSpikingUnit fraction", fraction)
        self.fraction = fraction
        bound = 1 / math.sqrt(width)
        self.weight = nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))
        self.bias_n = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.bias_m = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.full((width,), bound))

    def ternary_weight(self) -> Tensor:
        """Return tern(W), shape (H, H)."""
        relative = self.weight / self.weight.detach().abs().max()
        return ternary(relative, torch.full((), self.fraction).to(relative))

    @torch.no_grad()
    def largest_constant(self) -> float:
        """Return the largest ``|b1 / scale|``, the constant of the deployed ternary branch.

        Deployed, the scale moves into the other branch, so that the weights are -1, 0 and 1
        (`neurossm_converters.formats.torch`).
        """
        moved = self.scale != 0
        return float((self.bias_n / self.scale)[moved].abs().max()) if moved.any() else 0.0

    @torch.no_grad()
    def limit_constant(self, limit: float) -> None:
        """Raise scales that are nearer to 0 than ``|b1 / scale| <= limit`` allows."""
        least = self.bias_n.abs() / limit
        away = torch.where(self.scale < 0, -least, least)
        self.scale.copy_(torch.where(self.scale.abs() < least, away, self.scale))

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        """Return the unit's output for y and its ternary form t, all (H, B, L)."""
        for x in (y, t):
            check_features("GatedSpikingUnit input", x, len(self.scale))
        n = affine(y, self.scale[:, None] * self.ternary_weight(), self.bias_n)
        return gelu(n * affine(t, self.weight, self.bias_m))


class GSUBlock(StateSpaceBlock):
    """One layer: ``v = norm(y)``, ``t = tern(v)``, ``o = GELU(n(v) * m(t))``."""

    def __init__(self, config: GSUConfig) -> None:
        super().__init__(config)
        self.ssm_norm = make_norm(config.norm, config.width)
        fraction = config.fraction if config.threshold == "maximum" else None
        self.ternary = TernaryThreshold(config.width, config.delta, fraction)
        self.unit = GatedSpikingUnit(config.width, config.fraction)

    def respond(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream, and the ternary spikes, for y (H, B, L)."""
        v = self.dropout(normalize(self.ssm_norm, y))
        t = self.ternary(v)
        return self.unit(v, t), t

    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return the norm of y; the ternary threshold is no part of the chain."""
        assert isinstance(self.ssm_norm, nn.BatchNorm1d)
        return [Norm(self.ssm_norm, r[0].numel())]

    def close(self, r: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the block, and the ternary spikes."""
        v = self.dropout(out)
        t = self.ternary(v)
        return r + self.unit(v, t), t

    def restraints(self) -> list[Restraint]:
        """Keep the deployed constants of the unit as small as their largest is now.

        A scale on its way through 0 would take its constant out of any format, in which all
        features share an exponent.
        """
        limit = self.unit.largest_constant()
        return [partial(self.unit.limit_constant, limit)] if limit else []

    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream for y (B, H); there is no membrane."""
        v = self.ssm_norm(y).T[..., None]
        return self.unit(v, self.ternary(v))[..., 0].T, ()


FAMILY = Family(GSUConfig, GSUBlock)
