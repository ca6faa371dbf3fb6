"""The STE network of a layer of LIF neurons with learned delays; names are those of the exporter.

Delays are those that are deployed, rounded; they are not trained further.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.families.delrec import DelRecBlock
from neurossm_models.gpu.neuron import Rule
from neurossm_models.neurons import LIF, RecurrentLIF
from neurossm_models.neurons.recurrent_forms import recurrent_loop, recurrent_native
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import Gain, gain_of, scaled
from neurossm_models.ste.neuron import GivenSpikes
from neurossm_models.ste.operations import add, affine, straight
from neurossm_models.ste.parts import affine_node


def behind_encoder(block: DelRecBlock) -> Gain:
    """Return gain and offset, (H,), of the norm of a layer, which folds into the synapses."""
    like = block.neuron.tau
    gain, offset = (x.to(like.device).expand_as(like) for x in gain_of(block.norm))
    return gain, offset


def ste_outputs(name: str, block: DelRecBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return what a layer of this name sends, (H, B, L)."""
    if isinstance(block.linear, DelayedLinear):
        r = _delayed(f"{name}.linear", block.linear, behind_encoder(block), r, run)
    elif isinstance(block.linear, nn.Linear):
        weight, bias = scaled(block.linear, behind_encoder(block))
        r = affine_node(f"{name}.linear", weight, bias, r, run)
    if isinstance(block.neuron, RecurrentLIF):
        return _recurrent(f"{name}.neuron", block.neuron, r, run)
    return _feed_forward(f"{name}.neuron", block.neuron, r, run)


def _delayed(path: str, linear: DelayedLinear, behind: Gain, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the sum of what the synapses of each delay sent."""
    weight, bias = scaled(linear, behind)
    # those of the graph's inputs are in its unit, which is not the network's
    of_inputs = "encoder" not in run.values and path.startswith("blocks.0.")
    total: Tensor | None = None
    for n in sorted(set(linear.steps.flatten().tolist())):
        one = f"{path}.{n}"
        here = torch.where(linear.steps == n, weight, 0.0)
        if not of_inputs:
            here = straight(here, run.parameters[f"{one}.weight"])
        own = bias if total is None else torch.zeros_like(bias)
        sent = affine(pad(r, (n, 0))[..., : r.shape[-1]], here, own, run.values[one])
        total = sent if total is None else add(total, sent, total.detach() + sent.detach())
    assert total is not None
    return total


def _recurrent(path: str, layer: RecurrentLIF, u: Tensor, run: IntegerRun) -> Tensor:
    """Return the spikes of the integers, differentiable by u and the recurrent weights."""
    weight = straight(layer.weight, run.parameters[f"{path}.recurrent.weight"])
    compute = recurrent_native if layer.form_for(u) == "native" else recurrent_loop
    kept = torch.ones_like(u[..., 0])
    tau = run.parameters[f"{path}.tau"]
    return compute(u, weight, layer.taps(), kept, tau, layer.rule, run.values[path])


def _feed_forward(path: str, layer: LIF, u: Tensor, run: IntegerRun) -> Tensor:
    """Return the spikes of the integers, differentiable by u."""
    tau, rho, kappa = (run.parameters[f"{path}.{name}"] for name in ("tau", "rho", "kappa"))
    rule = Rule(layer.reset, layer.surrogate, False)
    return GivenSpikes(run.values[path], tau, rho, kappa, rule)(u)
