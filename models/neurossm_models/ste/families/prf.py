"""The STE network of a block of PRF neurons; names are those of the exporter."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.families.prf import PRFBlock
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import Behind, FoldedSSM
from neurossm_models.ste.operations import add, straight
from neurossm_models.ste.parts import affine_node
from neurossm_models.ste.threshold import Thresholds
from neurossm_models.surrogate import Spike


def ste_outputs(name: str, block: PRFBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    return outputs_behind(name, block, r, run, thresholds(f"{name}.spike", block.spike, run))


def outputs_behind(name: str, block: PRFBlock, r: Tensor, run: IntegerRun, spike: Behind) -> Tensor:
    """Return the residual stream after a block with these neurons behind its resonators."""
    none = torch.ones(()), torch.zeros(())
    ssm = FoldedSSM.of(block, none).rounded(f"{name}.ssm", run.parameters)
    s = ssm.run(block.ssm.form_for(r), r, run.values[f"{name}.ssm"], spike)
    o = affine_node(f"{name}.mix", block.mix.weight, block.mix.bias, s, run)
    v = add(r, o, run.values[f"{name}.middle"])
    q = thresholds(f"{name}.spatial", block.spatial, run)(v)
    weight, bias = block.spatial_weight(), block.spatial_mix.bias
    o = affine_node(f"{name}.spatial_mix", weight, bias, q, run)
    return add(v, o, run.values[f"{name}.add"])


def thresholds(path: str, spike: Spike, run: IntegerRun) -> Thresholds:
    """Return the thresholds of a node; values and theta are exact in float32, so are the spikes."""
    return Thresholds(straight(spike.theta, run.parameters[f"{path}.theta"]), spike.surrogate)
