"""Exports any module as a float graph: records its forward pass, converts it, checks it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from neurossm.errors import GraphError, InputError, NeurossmWarning
from neurossm.fixed import Scaling
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm_converters.formats.torch import network
from neurossm_converters.formats.torch.builder import Converter
from neurossm_converters.formats.torch.foreign.slayer_module import (
    from_slayer_module,
    slayer_blocks,
)
from neurossm_converters.formats.torch.modules import kind_of, unwrapped
from neurossm_converters.formats.torch.traced.export import Export
from neurossm_converters.formats.torch.traced.inputs import Given, given
from neurossm_converters.formats.torch.traced.results import READOUTS
from neurossm_models.network import Network

Converters = Mapping[type[nn.Module], Converter]


def from_torch(
    model: nn.Module,
    example: Any = None,
    *,
    converters: Converters | None = None,
    steps: int | None = None,
    scale: Any = None,
    bits: int | None = None,
    dt: float | None = None,
    layout: Any = None,
    offset: Any = 0.0,
    scaling: Any = None,
    step: bool = False,
    state: tuple[Any, ...] = (),
    readout: str = "",
) -> Graph:
    """Return the float graph of a trained network, batch norms and thresholds of LIF folded.

    A `neurossm_models.Network` needs `steps` and `scale`, and no example. Any other module is run
    on the example, recorded, and followed from operation to operation; then module and graph run
    on the example and on random data, and must agree: at every operation within 1e-6 of the
    largest value, given the same inputs, spikes exactly.

    Parameters
    ----------
    model
        A module in evaluation mode; also compiled or in `DataParallel`, pruned, on a GPU, in half
        precision, or with parameters that PyTorch computes (`parametrize`, `weight_norm`, ...).
    example
        What forward takes: a tensor of a few samples of the length that the network is for, or a
        tuple or mapping of them. Whole numbers are tokens.
    converters
        Module type to a function ``f(builder, path, module, source)`` that adds its nodes behind
        `source` and returns the name of the last; beside and before the types that are known.
    steps
        Length L of a sequence; that of the example where there is one.
    scale
        Real value of one unit of the integer inputs (1/255 for pixels), or one a channel; 1 for
        tokens. None: the power of two at which the example just fits.
    bits
        Width of the magnitude of the integer inputs; 8 for a `Network`, else 12.
    dt
        Seconds of a step of the data; None where it is not known, or where steps are no times.
    layout
        Axes of the example, a letter each: ``b`` samples, ``t`` steps, others features. None:
        ``btf``, or ``bt`` for two axes. For several inputs a tuple or mapping.
    offset
        Real value of the integer 0, or one a channel; it goes into the biases behind the input.
    scaling
        Instead of scale and bits: how the data become integers, a `neurossm.fixed.Scaling`. Forward
        takes ``m * scale`` for an integer m, not the offset, unless `offset` says so.
    step
        True where forward takes one step, ``forward(x_t, *states)``, and returns ``y`` or
        ``(y, *states)``. The example is of sequences all the same.
    state
        States that such a forward takes at the first step.
    readout
        How results of every step are to be answered: ``mean``, ``sum``, ``last`` or ``max``. Empty:
        at every step. Forwards that reduce over time say it themselves.

    Returns
    -------
    Graph
        Of real numbers; of integers for a module of SLAYER's blocks, which compute in them (its
        example is of spikes, with SLAYER's layout ``bft``). An `Input` for each input, ``input`` or
        as forward names them; an `Output` for each result, ``output``, ``output.0`` or the keys of
        a dictionary. States of cells that forward returns beside its results, as Norse's and
        snnTorch's networks do, are left out with a warning.

    Raises
    ------
    GraphError
        For modules and operations that cannot be expressed, all of them by their paths; for control
        flow that depends on values; where graph and module differ, by the first that does.
    InputError
        For arguments that do not go together.
    """
    inner = unwrapped(model) if isinstance(model, nn.Module) else model
    if isinstance(inner, Network):
        steps = example.shape[1] if steps is None and hasattr(example, "shape") else steps
        return _of_ours(model, converters, steps, scale, bits, dt)
    if not isinstance(inner, nn.Module) or isinstance(inner, torch.jit.ScriptModule):
        scripted = isinstance(inner, torch.jit.ScriptModule)
        raise GraphError("model", expected="an nn.Module", got=kind_of(inner),
                         remedy="give the module as it was before" if scripted else "")  # fmt: skip
    if example is None:
        raise InputError("from_torch", expected="an example of the input", got="none",
                         remedy="from_torch(model, example): a tensor (samples, steps, features)"
                         )  # fmt: skip
    blocks = slayer_blocks(inner)
    if blocks and not any(type(block) in (converters or {}) for block in blocks):
        _check_spikes(step, state, scale, offset)
        return from_slayer_module(inner, example, layout=layout, readout=readout, dt=dt)
    if readout not in ("", *READOUTS):
        expected = " | ".join(READOUTS)
        raise InputError("from_torch readout", expected=expected, got=repr(readout))
    if scaling is not None:
        scale, bits = scaling.scale, int(scaling.bits)
    export = Export(inner, dict(converters or {}), step, state)
    found = given(example, export.arguments(), layout, scale, bits, offset)
    own = found[0].integers.shape[1]
    if steps is not None and steps != own:
        raise InputError("from_torch steps", expected=f"{own}, as in the example", got=str(steps))
    graph = export.graph(found, isinstance(example, Mapping), readout)
    if export.left_out:
        cells = ", ".join(map(repr, export.left_out))
        said = f"forward returns states beside its results: those of {cells} are left out"
        warnings.warn(f"{said}, as a graph keeps them to itself", NeurossmWarning, stacklevel=2)
    return replace(_said(graph, found, scaling), dt=dt)


def _of_ours(
    model: nn.Module, converters: Converters | None, steps: Any, scale: Any, bits: Any, dt: Any
) -> Graph:
    if steps is None or scale is None:
        missing = "steps" if steps is None else "scale"
        raise InputError(f"from_torch {missing}", expected="it, for a Network", got="none",
                         remedy="from_torch(model, steps=..., scale=...)")  # fmt: skip
    return network.from_torch(model, steps=steps, scale=scale, bits=8 if bits is None else bits,
                              dt=dt, converters=converters)  # fmt: skip


def _check_spikes(step: bool, state: tuple[Any, ...], scale: Any, offset: Any) -> None:
    """Refuse what has no meaning for SLAYER's blocks, which take spikes of all steps."""
    scaled = scale is not None and bool(np.any(np.asarray(scale) != 1))
    given = {"step": step or bool(state), "scale": scaled, "offset": bool(np.any(offset))}
    for name, wrong in given.items():
        if wrong:
            problem = "a network of SLAYER's blocks has none, as it takes the spikes of all steps"
            raise InputError(f"from_torch {name}", problem=problem)


def _said(graph: Graph, found: list[Given], scaling: Any) -> Graph:
    """Return the graph with what its first input is made of."""
    first = found[0]
    if scaling is not None:
        scaling = Scaling(scaling.unit, scaling.offset, scaling.scale, scaling.bits)
    elif not first.tokens:
        scaling = Scaling(first.scale, first.offset, first.scale, first.bits)
    return replace(Interface.of(graph), scaling=scaling).applied(graph)
