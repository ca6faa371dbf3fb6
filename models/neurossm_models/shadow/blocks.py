"""The blocks of the families: which nodes they become, and their derivatives.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps. The names of nodes and parameters are
those of `neurossm_converters.formats.torch`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurossm_models.binary_s4d import BinaryS4DBlock
from neurossm_models.block import Block
from neurossm_models.gsu import GatedSpikingUnit, GSUBlock, ternary
from neurossm_models.shadow.folding import FoldedSSM, gain_of
from neurossm_models.shadow.neuron import GivenSpikes
from neurossm_models.shadow.operations import add, affine, multiply, segments, straight
from neurossm_models.spike_ssm import SPikESSMBlock
from neurossm_models.spikingssm import SpikingSSMBlock
from neurossm_models.stages import Threshold
from neurossm_models.twin import IntegerRun

Shadow = Callable[[str, Block, Tensor, IntegerRun], Tensor]


def block_nodes(name: str, block: Block) -> tuple[str, ...]:
    """Return the names of the nodes of a block whose values its shadow needs."""
    if isinstance(block, GSUBlock):
        parts: tuple[str, ...] = ("ssm", "unit.n", "unit.m", "unit.product", "unit.gelu")
    else:
        assert isinstance(block, BinaryS4DBlock | SpikingSSMBlock)
        gated = ("mix.value", "mix.gate", "mix.sigmoid", "mix.product")
        parts = ("ssm", *(gated if block.gated else ("mix",)))
        if isinstance(block, SpikingSSMBlock):
            parts += ("neuron",)
    return tuple(f"{name}.{part}" for part in (*parts, "add"))


def block_shadow(name: str, block: Block, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    return SHADOWS[type(block)](name, block, r, run)


def _binary_s4d(name: str, block: Block, r: Tensor, run: IntegerRun) -> Tensor:
    assert isinstance(block, BinaryS4DBlock)
    theta = straight(block.spike.theta, run.parameters[f"{name}.spike.theta"])
    ssm = FoldedSSM.of(block, gain_of(block.ssm_norm)).rounded(f"{name}.ssm", run.parameters)
    # values and theta are exact in float32, and so are the spikes
    s = ssm.run(r, run.values[f"{name}.ssm"], Threshold(theta, block.spike.surrogate))
    return _mixed(name, block.mix, block.gated, r, s, run)


def _spikingssm(name: str, block: Block, r: Tensor, run: IntegerRun) -> Tensor:
    """Take the threshold as a gain behind the state space layer, as the graph does."""
    assert isinstance(block, SpikingSSMBlock)
    lif, p, path = block.neuron, run.parameters, f"{name}.neuron"
    scale = (-lif.log_theta).exp()
    ssm = FoldedSSM.of(block, (scale, torch.zeros(()))).rounded(f"{name}.ssm", p)
    kappa = straight(lif.kappa, p[f"{path}.kappa"])
    neuron = GivenSpikes(
        run.values[path], p[f"{path}.tau"], p[f"{path}.rho"], kappa, lif.reset, lif.surrogate
    )
    s = ssm.run(r, run.values[f"{name}.ssm"], neuron)
    return _mixed(name, block.mix, block.gated, r, s, run)


def _gsu(name: str, block: Block, r: Tensor, run: IntegerRun) -> Tensor:
    assert isinstance(block, GSUBlock) and block.ternary.log_delta is not None
    ssm = FoldedSSM.of(block, gain_of(block.ssm_norm)).rounded(f"{name}.ssm", run.parameters)
    v = ssm.run(r, run.values[f"{name}.ssm"])
    delta = straight(block.ternary.log_delta.exp(), run.parameters[f"{name}.ternary.delta"])
    o = _unit(f"{name}.unit", block.unit, v, ternary(v, delta[:, None, None]), run)
    return add(r, o, run.values[f"{name}.add"])


SHADOWS: dict[type[Block], Shadow] = {
    BinaryS4DBlock: _binary_s4d,
    GSUBlock: _gsu,
    SpikingSSMBlock: _spikingssm,
    SPikESSMBlock: _spikingssm,
}


def _mixed(name: str, mix: nn.Linear, gated: bool, r: Tensor, s: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream after the mixing of the spikes, with or without a gate."""
    values, path = run.values, f"{name}.mix"
    if not gated:
        o = _affine(path, mix.weight, mix.bias, s, run)
        return add(r, o, values[f"{name}.add"])
    half = len(mix.weight) // 2
    value = _affine(f"{path}.value", mix.weight[:half], mix.bias[:half], s, run)
    gate = _affine(f"{path}.gate", mix.weight[half:], mix.bias[half:], s, run)
    o = multiply(value, _segments(f"{path}.sigmoid", gate, run), values[f"{path}.product"])
    return add(r, o, values[f"{name}.add"])


def _unit(path: str, unit: GatedSpikingUnit, v: Tensor, t: Tensor, run: IntegerRun) -> Tensor:
    """Return ``GELU(n m)``; the scale of n is in the other branch, as in the graph."""
    none = unit.scale == 0
    safe = torch.where(none, 1.0, unit.scale)
    weight_n = torch.where(none[:, None], 0.0, unit.ternary_weight())
    factor = torch.where(none, unit.bias_n, unit.scale)
    n = _affine(f"{path}.n", weight_n, torch.where(none, 1.0, unit.bias_n / safe), v, run)
    m = _affine(f"{path}.m", factor[:, None] * unit.weight, factor * unit.bias_m, t, run)
    return _segments(f"{path}.gelu", multiply(n, m, run.values[f"{path}.product"]), run)


def _affine(path: str, weight: Tensor, bias: Tensor, x: Tensor, run: IntegerRun) -> Tensor:
    return affine(x, straight(weight, run.parameters[f"{path}.weight"]), bias, run.values[path])


def _segments(path: str, x: Tensor, run: IntegerRun) -> Tensor:
    knots, slopes = run.parameters[f"{path}.knots"], run.parameters[f"{path}.slopes"]
    return segments(x, knots, slopes, run.values[path])
