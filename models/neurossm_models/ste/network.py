"""The STE network: encoder, blocks, readout.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``C`` classes.
"""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor, nn

from neurossm.errors import InputError
from neurossm_models.complex_states import ComplexStates
from neurossm_models.config import LAST, MEAN, SUM
from neurossm_models.diagonal import DiagonalLayer
from neurossm_models.network import Network
from neurossm_models.neurons import SpikingNeuron
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import Gain, scaled
from neurossm_models.ste.operations import affine, straight

READOUTS = (MEAN, LAST, SUM)  # that have an STE network


def ste_outputs(
    model: Network, x: Tensor, run: IntegerRun, lengths: Tensor | None = None
) -> Tensor:
    """Return the logits of a run of the integers, differentiable by the network's parameters.

    Parameters
    ----------
    model
        Float32, in evaluation mode: batch norms have their running statistics. Its forms (see
        `Network.use`) say how derivatives are computed; those of a neuron are exact in each.
    x
        The batch as `Network` takes it, on the device of the network; so are all tensors.
    run
        What the QAT model of this network made of the same batch, with the values of its nodes.
    lengths
        Steps of each sequence that count, (B,); None: all.

    Returns
    -------
    Tensor
        Shape (B, C). They are `run.logits` bit for bit, but for a mean where not all steps count:
        these times ``run.steps / lengths``, so that every sequence has the mean over its own steps.
    """
    family = import_module(f"neurossm_models.ste.families.{model.config.family.replace('-', '_')}")
    folding = getattr(family, "behind_encoder", None)
    r = _encoded(model, x, run, folding(model.blocks[0]) if folding else None)
    for index, block in enumerate(model.blocks):
        r = family.ste_outputs(f"blocks.{index}", block, r, run)
    return _logits(model, r, run, lengths)


def check_forms(model: Network) -> None:
    """Raise `InputError` if a form of the network cannot run where its parameters are."""
    like = next(model.parameters()).new_zeros(model.config.width, 1, 1)
    for module in model.modules():
        if isinstance(module, ComplexStates | DiagonalLayer | SpikingNeuron):
            module.form_for(like)


def _encoded(model: Network, x: Tensor, run: IntegerRun, behind: Gain | None) -> Tensor:
    """Return what the encoder sent, with a gain and offset that fold into it, if any does."""
    encoder = model.encoder
    if type(encoder) is nn.Identity:
        return x.permute(2, 0, 1)
    value = run.values["encoder"]
    if isinstance(encoder, nn.Embedding):
        rows = encoder(x) if behind is None else encoder(x) * behind[0] + behind[1]
        return straight(rows.permute(2, 0, 1), value)
    assert isinstance(encoder, nn.Linear)
    if behind is None:
        return affine(x.permute(2, 0, 1), encoder.weight, encoder.bias, value)
    return affine(x.permute(2, 0, 1), *scaled(encoder, behind), value)


def _logits(model: Network, r: Tensor, run: IntegerRun, lengths: Tensor | None) -> Tensor:
    """Return the readout of the residual stream: a sum over time of an affine map, or its end."""
    kind = model.config.readout
    if kind not in READOUTS:
        raise InputError(
            "quantization-aware training", expected=f"readout {', '.join(READOUTS)}", got=repr(kind)
        )
    assert isinstance(model.decoder, nn.Linear)
    parts = run.steps if kind == MEAN else 1
    weight, bias = model.decoder.weight / parts, model.decoder.bias / parts
    here = r.device
    count = torch.full((r.shape[1],), r.shape[2], device=here) if lengths is None else lengths
    weight = straight(weight, run.parameters["decoder.weight"])
    if kind == LAST:
        last = r[:, torch.arange(r.shape[1], device=here), count - 1]
        return straight(last.T @ weight.T + bias, run.logits)
    if lengths is not None:
        r = r * (torch.arange(r.shape[2], device=here) < lengths[:, None])
    sums = straight(r.sum(-1).T @ weight.T + count[:, None] * bias, run.logits)
    return sums * (run.steps / count)[:, None] if kind == MEAN else sums
