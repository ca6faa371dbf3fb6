"""The STE network of a block of gated spiking units; names are those of the exporter."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.families.gsu import GatedSpikingUnit, GSUBlock, ternary
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import FoldedSSM, gain_of
from neurossm_models.ste.operations import add, multiply, straight
from neurossm_models.ste.parts import affine_node, segments_node


def ste_outputs(name: str, block: GSUBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    assert block.ternary.log_delta is not None
    ssm = FoldedSSM.of(block, gain_of(block.ssm_norm)).rounded(f"{name}.ssm", run.parameters)
    v = ssm.run(block.ssm.form_for(r), r, run.values[f"{name}.ssm"])
    delta = straight(block.ternary.log_delta.exp(), run.parameters[f"{name}.ternary.delta"])
    o = _unit(f"{name}.unit", block.unit, v, ternary(v, delta[:, None, None]), run)
    return add(r, o, run.values[f"{name}.add"])


def _unit(path: str, unit: GatedSpikingUnit, v: Tensor, t: Tensor, run: IntegerRun) -> Tensor:
    """Return ``GELU(n m)``; the scale of n is in the other branch, as in the graph."""
    none = unit.scale == 0
    safe = torch.where(none, 1.0, unit.scale)
    weight_n = torch.where(none[:, None], 0.0, unit.ternary_weight())
    factor = torch.where(none, unit.bias_n, unit.scale)
    n = affine_node(f"{path}.n", weight_n, torch.where(none, 1.0, unit.bias_n / safe), v, run)
    m = affine_node(f"{path}.m", factor[:, None] * unit.weight, factor * unit.bias_m, t, run)
    return segments_node(f"{path}.gelu", multiply(n, m, run.values[f"{path}.product"]), run)
