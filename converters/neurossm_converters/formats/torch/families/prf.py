"""The nodes of a block of PRF neurons."""

from __future__ import annotations

from torch import nn

from neurossm_converters.formats.torch.blocks import chain, mixed, residual
from neurossm_converters.formats.torch.builder import (
    Builder,
    array,
    bias_of,
    require_type,
    synapses,
)
from neurossm_models.families.prf import PRFBlock


def convert(builder: Builder, path: str, block: PRFBlock, stream: str) -> str:
    """Add a block that is fed by a residual stream; return the name of the stream behind it.

    The amplitude of the spatial neurons goes into the matrix behind them.
    """
    spikes = chain(builder, path, block, stream, "norm", "ssm", "spike", "dropout")
    mix = mixed(builder, f"{path}.mix", block.mix, False, spikes)
    middle = residual(builder, path, stream, mix, "middle")
    spatial = builder.convert(f"{path}.spatial", block.spatial, middle)
    name = f"{path}.spatial_mix"
    require_type(name, block.spatial_mix, nn.Linear)
    matrix = synapses(array(block.spatial_weight()), bias_of(block.spatial_mix))
    return residual(builder, path, middle, builder.add(name, matrix, spatial))
