"""The STE network of a block of a SpikingSSM; names are those of the exporter."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.families.spikingssm import SpikingSSMBlock
from neurossm_models.gpu.neuron import Rule
from neurossm_models.gpu.setting import TRITON, picks_triton
from neurossm_models.neurons import LIF
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import FoldedSSM
from neurossm_models.ste.neuron import GivenSpikes
from neurossm_models.ste.operations import straight
from neurossm_models.ste.parts import mixed


def ste_outputs(name: str, block: SpikingSSMBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name.

    The threshold is a gain behind the state space layer, as in the graph.
    """
    lif, p, path = block.neuron, run.parameters, f"{name}.neuron"
    scale = (-lif.log_theta).exp()
    ssm = FoldedSSM.of(block, (scale, torch.zeros(()))).rounded(f"{name}.ssm", p)
    kappa = straight(lif.kappa, p[f"{path}.kappa"])
    rule = Rule(lif.reset, lif.surrogate, lif.log_kappa is not None)
    leaks = (p[f"{path}.tau"], p[f"{path}.rho"])
    neuron = GivenSpikes(run.values[path], *leaks, kappa, rule, _by_kernels(lif, r))
    s = ssm.run(block.ssm.form_for(r), r, run.values[f"{name}.ssm"], neuron)
    return mixed(name, block.mix, block.gated, r, block.delay(s), run)


def _by_kernels(lif: LIF, y: Tensor) -> bool:
    """Say whether kernels of Triton run the neurons; forms with other gradients have none here."""
    form = lif.form_for(y)
    return form == TRITON or (form in ("boundary", "sdn") and picks_triton(y))
