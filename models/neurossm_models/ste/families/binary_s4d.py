"""The STE network of a block of Binary S4D; names are those of the exporter."""

from __future__ import annotations

from torch import Tensor

from neurossm_models.families.binary_s4d import BinaryS4DBlock
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import FoldedSSM, gain_of
from neurossm_models.ste.operations import straight
from neurossm_models.ste.parts import mixed
from neurossm_models.ste.threshold import Thresholds


def ste_outputs(name: str, block: BinaryS4DBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    theta = straight(block.spike.theta, run.parameters[f"{name}.spike.theta"])
    ssm = FoldedSSM.of(block, gain_of(block.ssm_norm)).rounded(f"{name}.ssm", run.parameters)
    # values and theta are exact in float32, and so are the spikes
    spike = Thresholds(theta, block.spike.surrogate)
    s = ssm.run(block.ssm.form_for(r), r, run.values[f"{name}.ssm"], spike)
    return mixed(name, block.mix, block.gated, r, block.delay(s), run)
