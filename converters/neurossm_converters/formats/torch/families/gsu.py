"""The nodes of a block of gated spiking units."""

from __future__ import annotations

import numpy as np
import torch

from neurossm.nodes import Affine, Product
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.blocks import chain, residual
from neurossm_converters.formats.torch.builder import Builder, array, require_type, synapses
from neurossm_models.families.gsu import GatedSpikingUnit, GSUBlock


def convert(builder: Builder, path: str, block: GSUBlock, stream: str) -> str:
    """Add a block that is fed by a residual stream; return the name of the stream behind it."""
    values = chain(builder, path, block, stream, "norm", "ssm", "ssm_norm", "dropout")
    spikes = builder.convert(f"{path}.ternary", block.ternary, values)
    require_type(f"{path}.unit", block.unit, GatedSpikingUnit)
    return residual(
        builder, path, stream, _unit(builder, f"{path}.unit", block.unit, values, spikes)
    )


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
    half_m = synapses(factor[:, None] * array(unit.weight), factor * bias_m)
    n = builder.add(f"{path}.n", half_n, values)
    m = builder.add(f"{path}.m", half_m, spikes)
    width = len(scale)
    product = builder.add(f"{path}.product", Product(channels=width), n, m)
    return builder.add(f"{path}.gelu", piecewise("gelu", width), product)
