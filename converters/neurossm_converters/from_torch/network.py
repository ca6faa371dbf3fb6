"""A whole network as a float graph: the data's scale, the blocks, the mean over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from torch import nn

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Accumulate, Affine, Input, Output
from neurossm.passes import fold_batch_norm
from neurossm_converters.from_torch.blocks import BLOCKS
from neurossm_converters.from_torch.builder import Builder, Converter, require_type
from neurossm_converters.from_torch.checking import check_example
from neurossm_converters.from_torch.layers import LAYERS, REMEDIES
from neurossm_converters.from_torch.modules import kind_of, plain
from neurossm_models.network import Network

MOST_STEPS = 2**31 - 1
MOST_BITS = 23  # a message has 24 with its sign


def from_torch(
    model: nn.Module, *, steps: int, scale: float, bits: int = 8, dt: float | None = None,
    converters: Mapping[type[nn.Module], Converter] | None = None,
) -> Graph:  # fmt: skip
    """Return the float graph of a trained network, batch norms and thresholds of LIF folded.

    The graph is run on a small random example and compared with the network part by part.

    Parameters
    ----------
    model
        A `Network` of any family, in evaluation mode; also compiled or in `DataParallel`, pruned,
        or with parameters that PyTorch computes (`parametrize`, `weight_norm`, `spectral_norm`).
    steps
        Length L of a sequence: the readout is the mean over it.
    scale
        Real value of one unit of the integer inputs (1/255 for pixels); 1 for tokens.
    bits
        Width of the unsigned integer inputs. Tokens take the width that their number needs.
    dt
        Seconds of a step of the data; None where it is not known, or where steps are no times.
    converters
        Module type to converter, before those that are known.

    Returns
    -------
    Graph
        Its `Input` takes the integers as they are. The factor between their power-of-two scale and
        `scale` goes into the encoder's weights, the ``1/L`` of the mean into the decoder's.

    Raises
    ------
    GraphError
        For a module that cannot be expressed, named by its path, one with a hook or in training
        mode too; for parameters that are not finite; for another readout than the mean; where the
        graph and the network differ on the example.
    InputError
        If `steps` is no whole number above 0, `scale` not a finite one above 0, or `bits` is not 1
        to 23.
    """
    network, graph = _converted(model, steps, scale, bits, converters)
    check_example(graph, network, steps=steps, scale=scale)
    return graph if dt is None else replace(graph, dt=dt)


def from_checked(model: Network, *, steps: int, scale: float, bits: int) -> Graph:
    """Return what `from_torch` does, without the example: for a network that passed it before."""
    return _converted(model, steps, scale, bits)[1]


def _converted(
    model: nn.Module, steps: int, scale: float, bits: int,
    converters: Mapping[type[nn.Module], Converter] | None = None,
) -> tuple[Network, Graph]:  # fmt: skip
    _check_arguments(steps, scale, bits)
    model = plain(model)
    if not isinstance(model, Network):
        raise GraphError("model", expected="Network", got=kind_of(model, "Network"),
                         remedy="build it as a neurossm_models.Network with these weights, or write"
                         " a NIR graph and import that")  # fmt: skip
    if model.config.readout != "mean":
        raise GraphError("model readout", expected='"mean"', got=f'"{model.config.readout}"',
                         remedy='train with model.readout = "mean"')  # fmt: skip
    builder = Builder({**LAYERS, **BLOCKS, **(converters or {})}, REMEDIES)
    source = _encoded(builder, model, scale, bits)
    for index, block in enumerate(model.blocks):
        source = builder.convert(f"blocks.{index}", block, source)
    require_type("decoder", model.decoder, nn.Linear)
    source = builder.convert("decoder", model.decoder, source)
    _scale_weight(builder, "decoder", 1 / steps, bias_too=True)
    classes = model.config.classes
    source = builder.add("readout", Accumulate(channels=classes, steps=steps), source)
    builder.add("output", Output(channels=classes), source)
    meta: dict[str, str | int | float] = {
        "family": model.config.family, "steps": steps, "input_scale": scale,
    }  # fmt: skip
    return model, fold_batch_norm(Graph(builder.nodes, tuple(builder.edges), meta=meta))


def _check_arguments(steps: int, scale: float, bits: int) -> None:
    for name, value, most in (("steps", steps, MOST_STEPS), ("bits", bits, MOST_BITS)):
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not 1 <= value <= most:
            expected = f"a whole number, 1 to {most}"
            raise InputError(f"from_torch {name}", expected=expected, got=repr(value))
    if not isinstance(scale, Real) or isinstance(scale, bool) or not 0 < scale < math.inf:
        expected = "a finite number above 0"
        raise InputError("from_torch scale", expected=expected, got=repr(scale))


def _encoded(builder: Builder, model: Network, scale: float, bits: int) -> str:
    """Add input and encoder; return the name of the encoder."""
    if isinstance(model.encoder, nn.Embedding):
        if scale != 1:
            raise GraphError("scale", expected="1 for tokens", got=f"{scale:g}")
        # one bit for the sign; graded messages have 2 at least
        width = max(1, (model.encoder.num_embeddings - 1).bit_length()) + 1
        source = builder.add("input", Input(channels=1, out=Fixed(width, 0)))
        return builder.convert("encoder", model.encoder, source)
    require_type("encoder", model.encoder, nn.Linear)
    frac = round(-math.log2(scale))
    fmt = Fixed(bits + 1, frac)
    source = builder.add("input", Input(channels=model.config.in_features, out=fmt))
    source = builder.convert("encoder", model.encoder, source)
    _scale_weight(builder, "encoder", scale * 2.0**frac)
    return source


def _scale_weight(builder: Builder, name: str, factor: float, bias_too: bool = False) -> None:
    node = builder.nodes[name]
    assert isinstance(node, Affine)
    weight, bias = np.asarray(node.weight), np.asarray(node.bias)
    bias = bias * factor if bias_too else bias
    builder.nodes[name] = Affine(weight=weight * factor, bias=bias)
