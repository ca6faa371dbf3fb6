"""The derivatives of a block of a SpikingSSM; names are those of the exporter."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.families.spikingssm import SpikingSSMBlock
from neurossm_models.shadow.folding import FoldedSSM
from neurossm_models.shadow.neuron import GivenSpikes
from neurossm_models.shadow.operations import straight
from neurossm_models.shadow.parts import mixed
from neurossm_models.twin import IntegerRun


def shadow(name: str, block: SpikingSSMBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name.

    The threshold is a gain behind the state space layer, as in the graph.
    """
    lif, p, path = block.neuron, run.parameters, f"{name}.neuron"
    scale = (-lif.log_theta).exp()
    ssm = FoldedSSM.of(block, (scale, torch.zeros(()))).rounded(f"{name}.ssm", p)
    kappa = straight(lif.kappa, p[f"{path}.kappa"])
    neuron = GivenSpikes(
        run.values[path], p[f"{path}.tau"], p[f"{path}.rho"], kappa, lif.reset, lif.surrogate
    )
    s = ssm.run(r, run.values[f"{name}.ssm"], neuron)
    return mixed(name, block.mix, block.gated, r, block.delay(s), run)
