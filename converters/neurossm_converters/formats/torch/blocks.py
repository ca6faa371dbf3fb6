"""Blocks of the model families: norm, state space layer, spikes, mixing, residual sum."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from neurossm.errors import GraphError
from neurossm.nodes import Affine, Product, Sum
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.builder import (
    Builder,
    Converter,
    array,
    bias_of,
    require_type,
)
from neurossm_models.binary_s4d import BinaryS4DBlock
from neurossm_models.block import Block
from neurossm_models.gsu import GatedSpikingUnit, GSUBlock
from neurossm_models.spike_ssm import SPikESSMBlock
from neurossm_models.spikingssm import SpikingSSMBlock


def _binary_s4d(builder: Builder, path: str, block: BinaryS4DBlock, stream: str) -> str:
    spikes = _chain(builder, path, block, stream, "norm", "ssm", "ssm_norm", "spike", "dropout")
    return _residual(builder, path, stream, _mixed(builder, path, block, spikes))


def _spikingssm(builder: Builder, path: str, block: SpikingSSMBlock, stream: str) -> str:
    spikes = _chain(builder, path, block, stream, "norm", "ssm", "neuron", "dropout")
    return _residual(builder, path, stream, _mixed(builder, path, block, spikes))


def _gsu(builder: Builder, path: str, block: GSUBlock, stream: str) -> str:
    values = _chain(builder, path, block, stream, "norm", "ssm", "ssm_norm", "dropout")
    spikes = builder.convert(f"{path}.ternary", block.ternary, values)
    require_type(f"{path}.unit", block.unit, GatedSpikingUnit)
    return _residual(
        builder, path, stream, _unit(builder, f"{path}.unit", block.unit, values, spikes)
    )


BLOCKS: dict[type[nn.Module], Converter] = {
    BinaryS4DBlock: _binary_s4d,
    GSUBlock: _gsu,
    SpikingSSMBlock: _spikingssm,
    SPikESSMBlock: _spikingssm,
}


def _chain(builder: Builder, path: str, block: Block, source: str, *names: str) -> str:
    """Add the named parts of a block, one behind the other."""
    if not block.prenorm and not isinstance(block.norm, nn.Identity):
        raise GraphError(
            f"module '{path}.norm' ({type(block.norm).__name__})",
            expected="a norm in front of the state space layer",
            got="one behind the residual sum, which it cannot fold into",
            remedy="train with model.prenorm = true",
        )
    for name in names:
        source = builder.convert(f"{path}.{name}", getattr(block, name), source)
    return source


def _residual(builder: Builder, path: str, stream: str, added: str) -> str:
    channels = builder.nodes[stream].out_channels
    return builder.add(f"{path}.add", Sum(channels=channels), stream, added)


def _mixed(
    builder: Builder, path: str, block: BinaryS4DBlock | SpikingSSMBlock, spikes: str
) -> str:
    """Add the mixing of features, with or without a gate."""
    require_type(f"{path}.mix", block.mix, nn.Linear)
    if block.gated:
        return _gated(builder, f"{path}.mix", block.mix, spikes)
    return builder.convert(f"{path}.mix", block.mix, spikes)


def _gated(builder: Builder, path: str, mix: nn.Linear, source: str) -> str:
    """Add a gated linear unit: the first half of the rows are values, the second half gates."""
    weight, bias, half = array(mix.weight), bias_of(mix), mix.out_features // 2
    value = Affine(weight=weight[:half], bias=bias[:half])
    gate = Affine(weight=weight[half:], bias=bias[half:])
    value_name = builder.add(f"{path}.value", value, source)
    gate_name = builder.add(f"{path}.gate", gate, source)
    opened = builder.add(f"{path}.sigmoid", piecewise("sigmoid", half), gate_name)
    return builder.add(f"{path}.product", Product(channels=half), value_name, opened)


def _unit(builder: Builder, path: str, unit: GatedSpikingUnit, values: str, spikes: str) -> str:
    """Add a gated spiking unit, ``GELU(n m)``, so that the weights of n are -1, 0 and 1.

    With T = tern(W), ``n m = (s T v + b) (W t + c) = (T v + b / s) s (W t + c)``: the trained scale
    s moves from the ternary branch to the other one. Where s is 0, ``n m = 1 b (W t + c)``.
    """
    scale, bias_n, bias_m = array(unit.scale), array(unit.bias_n), array(unit.bias_m)
    with torch.no_grad():
        weight_n = array(unit.ternary_weight())
    none = scale == 0
    weight_n = np.where(none[:, None], 0.0, weight_n)
    bias_n_over_scale = np.where(none, 1.0, bias_n / np.where(none, 1.0, scale))
    factor = np.where(none, bias_n, scale)
    half_n = Affine(weight=weight_n, bias=bias_n_over_scale)
    half_m = Affine(weight=factor[:, None] * array(unit.weight), bias=factor * bias_m)
    n = builder.add(f"{path}.n", half_n, values)
    m = builder.add(f"{path}.m", half_m, spikes)
    width = len(scale)
    product = builder.add(f"{path}.product", Product(channels=width), n, m)
    return builder.add(f"{path}.gelu", piecewise("gelu", width), product)
