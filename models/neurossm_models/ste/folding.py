"""A state space layer with its norms folded in, differentiable, as the exporter folds them.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``M`` complex modes a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor, nn

from neurossm_models.chain import Stage, run_chain
from neurossm_models.convolution import convolve
from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.gpu import setting
from neurossm_models.gpu.layer import run_layer
from neurossm_models.recurrence import tables
from neurossm_models.stages import Recurrence
from neurossm_models.state_space import StateSpaceBlock
from neurossm_models.ste.operations import Given, straight

Gain = tuple[Tensor, Tensor]


class Behind(Protocol):
    """What is behind the recurrence of each feature: as a stage of a chain, and on any device."""

    @property
    def stage(self) -> Stage:
        """It as a stage of a chain of native kernels."""

    def __call__(self, y: Tensor) -> Tensor:
        """Return what it makes of y (H, B, L)."""


@dataclass(frozen=True, eq=False)
class FoldedSSM:
    """``x' = pole x + u + 1``, ``y = 2 Re sum (weight x_u + drive x_1) + d u + bias``.

    The products of input and output weights are what a diagonal recurrence computes with; how a
    product is divided between the two is the quantizer's liberty, and does not matter here.

    Attributes
    ----------
    pole, weight, drive
        Complex, (H, M): the pole; output weight times input weight; times the constant drive.
    d, bias
        Shape (H,).
    """

    pole: Tensor
    weight: Tensor
    drive: Tensor
    d: Tensor
    bias: Tensor

    @classmethod
    def of(cls, block: StateSpaceBlock, behind: Gain) -> FoldedSSM:
        """Return the layer of a block with the norm in front, and a gain and offset behind it."""
        gain, offset = gain_of(block.norm) if block.prenorm else gain_of(nn.Identity())
        ssm, (scale, shift) = block.ssm, behind
        log_pole, b = ssm._discretize(ssm.log_dt.dtype)
        c, d = ssm.readout()
        product = b * c
        return cls(
            log_pole.exp(),
            product * _column(scale * gain, ssm.log_dt),
            product * _column(scale * offset, ssm.log_dt),
            scale * gain * d,
            scale * offset * d + shift,
        )

    def rounded(self, name: str, parameters: Mapping[str, Tensor]) -> FoldedSSM:
        """Return the layer with the values of the rounded parameters, straight through."""
        return FoldedSSM(
            *(straight(getattr(self, f.name), parameters[f"{name}.{f.name}"]) for f in fields(self))
        )

    def run(self, form: str, r: Tensor, values: Tensor, behind: Behind | None = None) -> Tensor:
        """Return the output for the input r (H, B, L), or what there is behind makes of it.

        The output takes the given values.

        Parameters
        ----------
        form
            How it is computed, one of `neurossm_models.s4d.FORMS` that can run; what is neither
            native nor of Triton is a convolution.
        r, values
            Shape (H, B, L).
        behind
            A threshold or neurons.
        """
        # 1e-30: a pole that was rounded to 0 has no logarithm
        log_pole = (self.pole + 1e-30).log()
        if form == "native":
            return self._run_chain(log_pole, r, values, behind)
        ones = r.new_ones(len(r), 1, r.shape[-1])
        constant = convolve(ones, log_pole, self.drive, torch.zeros_like(self.d))
        if setting.is_triton(form):
            products = setting.products_of(form)
            y = run_layer(r, log_pole, self.weight, self.d, products=products)
        else:
            y = convolve(r, log_pole, self.weight, self.d)
        y = straight(y + constant + self.bias[:, None, None], values)
        return y if behind is None else behind(y)

    def _run_chain(
        self, log_pole: Tensor, r: Tensor, values: Tensor, behind: Behind | None
    ) -> Tensor:
        length = r.shape[-1]
        ones, zeros = r.new_ones(len(r), 1, length), torch.zeros_like(self.d)
        answer = run_chain(ones, Recurrence(tables(log_pole, self.drive, zeros, length)))
        constant = answer[:, 0] + self.bias[:, None]
        recurrence = Recurrence(tables(log_pole, self.weight, self.d, length))
        stages = () if behind is None else (behind.stage,)
        return run_chain(r, recurrence, Given(values, constant), *stages)


def gain_of(norm: nn.Module) -> Gain:
    """Return gain and offset of a batch norm with its running statistics; 1 and 0 of no norm."""
    if not isinstance(norm, nn.BatchNorm1d):
        return torch.ones(()), torch.zeros(())
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return gain, norm.bias - norm.running_mean * gain


def scaled(linear: nn.Linear | DelayedLinear, behind: Gain) -> Gain:
    """Return weight and bias of synapses with a gain and offset folded in."""
    gain, offset = behind
    bias = offset if linear.bias is None else gain * linear.bias + offset
    return gain[:, None] * linear.weight, bias


def _column(x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.device).expand_as(like)[:, None]  # those of no norm are on no device
