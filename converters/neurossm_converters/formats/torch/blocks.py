"""Shared by the blocks of several families: parts in series, mixing, the residual sum."""

from __future__ import annotations

from torch import nn

from neurossm.errors import GraphError
from neurossm.nodes import Product, Sum
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.builder import (
    Builder,
    array,
    bias_of,
    require_type,
    synapses,
)
from neurossm_models.state_space import StateSpaceBlock


def chain(builder: Builder, path: str, block: StateSpaceBlock, source: str, *names: str) -> str:
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


def residual(builder: Builder, path: str, stream: str, added: str, name: str = "add") -> str:
    """Add the sum of the residual stream and what a block adds to it, as a node of this name."""
    channels = builder.nodes[stream].out_channels
    return builder.add(f"{path}.{name}", Sum(channels=channels), stream, added)


def mixed(builder: Builder, path: str, mix: nn.Linear, gated: bool, spikes: str) -> str:
    """Add the mixing of features, with or without a gate."""
    require_type(path, mix, nn.Linear)
    if gated:
        return _gated(builder, path, mix, spikes)
    return builder.convert(path, mix, spikes)


def _gated(builder: Builder, path: str, mix: nn.Linear, source: str) -> str:
    """Add a gated linear unit: the first half of the rows are values, the second half gates."""
    weight, bias, half = array(mix.weight), bias_of(mix), mix.out_features // 2
    value = synapses(weight[:half], bias[:half])
    gate = synapses(weight[half:], bias[half:])
    value_name = builder.add(f"{path}.value", value, source)
    gate_name = builder.add(f"{path}.gate", gate, source)
    opened = builder.add(f"{path}.sigmoid", piecewise("sigmoid", half), gate_name)
    return builder.add(f"{path}.product", Product(channels=half), value_name, opened)
