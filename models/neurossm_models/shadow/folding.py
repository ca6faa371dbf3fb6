"""A state space layer with its norms folded in, as the exporter folds them, but differentiable.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``M`` complex modes a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from neurossm_models.block import Block
from neurossm_models.chain import Stage, run_chain
from neurossm_models.recurrence import tables
from neurossm_models.shadow.operations import Given, straight
from neurossm_models.stages import Recurrence

Gain = tuple[Tensor, Tensor]


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
    def of(cls, block: Block, behind: Gain) -> FoldedSSM:
        """Return the layer of a block with the norm in front, and a gain and offset behind it."""
        gain, offset = gain_of(block.norm) if block.prenorm else gain_of(nn.Identity())
        ssm, (scale, shift) = block.ssm, behind
        log_pole, b = ssm._discretize(ssm.log_dt.dtype)
        product = b * torch.view_as_complex(ssm.c)
        return cls(
            log_pole.exp(),
            product * _column(scale * gain, ssm.log_dt),
            product * _column(scale * offset, ssm.log_dt),
            scale * gain * ssm.d,
            scale * offset * ssm.d + shift,
        )

    def rounded(self, name: str, parameters: Mapping[str, Tensor]) -> FoldedSSM:
        """Return the layer with the values of the rounded parameters, straight through."""
        return FoldedSSM(
            *(straight(getattr(self, f.name), parameters[f"{name}.{f.name}"]) for f in fields(self))
        )

    def run(self, r: Tensor, values: Tensor, *stages: Stage) -> Tensor:
        """Return what `stages` make of the output for the input r (H, B, L).

        The output takes the given values (H, B, L).
        """
        # 1e-30: a pole that was rounded to 0 has no logarithm
        log_pole, length = (self.pole + 1e-30).log(), r.shape[-1]
        ones, zeros = r.new_ones(len(r), 1, length), torch.zeros_like(self.d)
        answer = run_chain(ones, Recurrence(tables(log_pole, self.drive, zeros, length)))
        constant = answer[:, 0] + self.bias[:, None]
        recurrence = Recurrence(tables(log_pole, self.weight, self.d, length))
        return run_chain(r, recurrence, Given(values, constant), *stages)


def gain_of(norm: nn.Module) -> Gain:
    """Return gain and offset of a batch norm with its running statistics; 1 and 0 of no norm."""
    if not isinstance(norm, nn.BatchNorm1d):
        return torch.ones(()), torch.zeros(())
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return gain, norm.bias - norm.running_mean * gain


def _column(x: Tensor, like: Tensor) -> Tensor:
    return x.expand_as(like)[:, None]
