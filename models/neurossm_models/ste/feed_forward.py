"""The STE network of feed-forward layers; names are those of the exporter.

The norm and the neurons' gain are folded into the synapses in front, the encoder for the first
layer, as in the graph.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``D`` values that drive a layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.chain import run_chain
from neurossm_models.feed_forward import FeedForwardBlock
from neurossm_models.neurons import AdaptiveLIF, ResonateAndFire
from neurossm_models.neurons.adaptive import adaptive_loop, adaptive_stage
from neurossm_models.neurons.resonator import resonate, resonator_loop
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import Gain, gain_of, scaled
from neurossm_models.ste.operations import affine, straight


def behind_encoder(block: FeedForwardBlock) -> Gain:
    """Return gain and offset, (D,), of what folds into the synapses of a layer."""
    gain, offset = gain_of(block.norm)
    own = block.neuron.dynamics()[0].repeat(block.neuron.operands)
    return own * gain.to(own.device), own * offset.to(own.device)


def ste_outputs(name: str, block: FeedForwardBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return what a layer of this name sends, (H, B, L)."""
    if block.linear is not None:
        path = f"{name}.linear"
        weight, bias = scaled(block.linear, behind_encoder(block))
        weight = straight(weight, run.parameters[f"{path}.weight"])
        r = affine(r, weight, bias, run.values[path])
    s: Tensor = block.delay(neurons(f"{name}.neuron", block.neuron, r, run))
    return s


def neurons(path: str, layer: AdaptiveLIF | ResonateAndFire, y: Tensor, run: IntegerRun) -> Tensor:
    """Return the spikes of the integers, differentiable by y and the neurons' dynamics.

    Backward the states run again from the given inputs in float32, reset where the integers
    spiked; they differ from the integers' by what these cut off.
    """
    spikes, form = run.values[path], layer.form_for(y)
    names = ("tau", "rho", "a", "b") if isinstance(layer, AdaptiveLIF) else ("a_re", "a_im")
    _, *live = layer.dynamics()
    rounded = (run.parameters[f"{path}.{name}"] for name in names)
    given = [straight(x, value) for x, value in zip(live, rounded, strict=True)]
    parameters = (torch.ones_like(live[0]), *given)  # the gain is in the synapses
    if isinstance(layer, AdaptiveLIF):
        if form == "native":
            return run_chain(y, adaptive_stage(parameters, layer.rule, spikes))
        return adaptive_loop(y, parameters, layer.rule, spikes=spikes)[0]
    if form == "native":
        return resonate(y, parameters, layer.rule, spikes)
    return resonator_loop(y, parameters, layer.rule, spikes=spikes)[0]
