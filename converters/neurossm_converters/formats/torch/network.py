"""A whole network as a float graph: the data's scale, the blocks, the readout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral

import numpy as np
from torch import nn

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm.passes import fold_batch_norm
from neurossm_converters.formats.torch.adaptive import add_scores
from neurossm_converters.formats.torch.builder import Builder, Converter, require_type
from neurossm_converters.formats.torch.checking import check_example
from neurossm_converters.formats.torch.families import BLOCKS
from neurossm_converters.formats.torch.layers import LAYERS, REMEDIES
from neurossm_converters.formats.torch.modules import kind_of, plain
from neurossm_converters.formats.torch.readouts import Scale, add_readout, check_scale, input_format
from neurossm_models.network import TOKENS, Network

MOST_STEPS = 2**31 - 1
MOST_BITS = 23  # a message has 24 with its sign


def from_torch(
    model: nn.Module, *, steps: int, scale: Scale, bits: int = 8, dt: float | None = None,
    converters: Mapping[type[nn.Module], Converter] | None = None,
) -> Graph:  # fmt: skip
    """Return the float graph of a trained network, batch norms and thresholds of LIF folded.

    The graph is run on a small random example and compared with the network in batches.

    Parameters
    ----------
    model
        A `Network` of any family, in evaluation mode; also compiled or in `DataParallel`, pruned,
        or with parameters that PyTorch computes (`parametrize`, `weight_norm`, `spectral_norm`).
    steps
        Length L of a sequence, of the longest where they differ: a mean is one over it.
    scale
        Real value of one unit of the integer inputs (1/255 for pixels), or one a channel, (F,); 1
        for tokens.
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
        `scale` goes into the encoder's weights, the ``1/L`` of a mean into the decoder's.

    Raises
    ------
    GraphError
        For a module that cannot be expressed, named by its path, one with a hook or in training
        mode too; for parameters that are not finite; for the readout of pairs; where the graph and
        the network differ on the example.
    InputError
        If `steps` is no whole number above 0, `scale` not a finite one above 0 (or one a channel),
        or `bits` is not 1 to 23.
    """
    network, graph = _converted(model, steps, scale, bits, converters)
    check_example(graph, network, steps=steps, scale=scale)
    return graph if dt is None else replace(graph, dt=dt)


def from_checked(model: Network, *, steps: int, scale: Scale, bits: int) -> Graph:
    """Return what `from_torch` does, without the example: for a network that passed it before."""
    return _converted(model, steps, scale, bits)[1]


def _converted(
    model: nn.Module, steps: int, scale: Scale, bits: int,
    converters: Mapping[type[nn.Module], Converter] | None = None,
) -> tuple[Network, Graph]:  # fmt: skip
    _check_arguments(steps, scale, bits)
    model = plain(model)
    if not isinstance(model, Network):
        raise GraphError("model", expected="Network", got=kind_of(model, "Network"),
                         remedy="build it as a neurossm_models.Network with these weights, or write"
                         " a NIR graph and import that")  # fmt: skip
    builder = Builder({**LAYERS, **BLOCKS, **(converters or {})}, REMEDIES)
    source = _encoded(builder, model, scale, bits)
    for index, block in enumerate(model.blocks):
        source = builder.convert(f"blocks.{index}", block, source)
    if model.config.cutoffs:
        source = add_scores(builder, model, source)
    else:
        require_type("decoder", model.decoder, nn.Linear)
        source = builder.convert("decoder", model.decoder, source)
        source = add_readout(builder, source, model.config, steps)
    builder.add("output", Output(channels=builder.nodes[source].out_channels), source)
    meta: dict[str, str | int | float] = {"family": model.config.family, "steps": steps}
    if model.config.cutoffs:
        meta["cutoffs"] = json.dumps(model.config.cutoffs)
    if np.ndim(scale) == 0:  # else the graph says one a channel, see `readouts.described`
        meta["input_scale"] = scale  # type: ignore[assignment]
    return model, fold_batch_norm(Graph(builder.nodes, tuple(builder.edges), meta=meta))


def _check_arguments(steps: int, scale: Scale, bits: int) -> None:
    for name, value, most in (("steps", steps, MOST_STEPS), ("bits", bits, MOST_BITS)):
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not 1 <= value <= most:
            expected = f"a whole number, 1 to {most}"
            raise InputError(f"from_torch {name}", expected=expected, got=repr(value))
    check_scale(scale)


def _encoded(builder: Builder, model: Network, scale: Scale, bits: int) -> str:
    """Add input and encoder; return the name of the encoder, of the input if there is none."""
    if isinstance(model.encoder, TOKENS):
        if np.any(np.asarray(scale) != 1):
            raise GraphError("scale", expected="1 for tokens", got=f"{scale}")
        # one bit for the sign; graded messages have 2 at least
        width = max(1, (model.encoder.num_embeddings - 1).bit_length()) + 1
        source = builder.add("input", Input(channels=1, out=Fixed(width, 0)))
        return builder.convert("encoder", model.encoder, source)
    check_scale(scale, model.config.in_features)
    fmt, factor = input_format(scale, bits)
    source = builder.add("input", Input(channels=model.config.in_features, out=fmt))
    if type(model.encoder) is nn.Identity:  # the synapses of the first layer are its own
        builder.factors[source] = factor
        return source
    require_type("encoder", model.encoder, nn.Linear)
    source = builder.convert("encoder", model.encoder, source)
    node = builder.nodes["encoder"]
    assert isinstance(node, Affine)
    builder.nodes["encoder"] = replace(node, weight=np.asarray(node.weight) * factor)
    return source
