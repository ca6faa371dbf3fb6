"""A module made of SLAYER's blocks alone, as an integer graph that was held against its forward."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm_converters.formats.torch.foreign.slayer_integers import from_slayer

LAYOUT = "bft"  # of SLAYER's tensors
HOME = "lava.lib.dl.slayer.block."
AXES = "btf"
COUNTED = ("", "sum")  # of spikes: their number is the answer
READOUTS = (*COUNTED, "every-step")
REMEDY = (
    "from_slayer([block, ...]) of neurossm_converters.formats.torch.foreign takes blocks in the"
    " order in which data pass"
)
Integers = NDArray[np.int64]


def slayer_blocks(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a module of which all parameters are SLAYER's; else none."""
    if not any(name.startswith(HOME) for name in sys.modules):
        return []
    blocks = [m for m in model.modules() if type(m).__module__.startswith(HOME)]
    owned = {id(p) for block in blocks for p in (*block.parameters(), *block.buffers())}
    return blocks if all(id(p) in owned for p in (*model.parameters(), *model.buffers())) else []


def from_slayer_module(
    model: nn.Module, example: Any, *, layout: str | None = None, readout: str = "",
    dt: float | None = None,
) -> Graph:  # fmt: skip
    """Return the integer graph of the blocks of a module, proven on the example.

    The module runs on the example, and on random spikes, and must send what the graph sends, each
    spike by as many steps later as blocks have ``delay_shift``.

    Parameters
    ----------
    model
        A module in evaluation mode; its blocks are called in the order in which it holds them.
    example
        Spikes, as forward takes them.
    layout
        Axes of the example and of what forward returns, ``bft`` by default, as SLAYER has them.
    readout
        Empty or ``sum``: spikes of the output are counted; ``every-step``.
    dt
        Seconds of a step.

    Raises
    ------
    InputError
        If the example holds no spikes, or has other axes.
    GraphError
        As `from_slayer`; if forward computes something else than its blocks in a row.
    """
    if readout not in READOUTS:
        raise InputError("from_torch readout", expected="sum, as spikes are counted, or every-step",
                         got=repr(readout))  # fmt: skip
    letters = layout or LAYOUT
    spikes = _spikes(example, letters)
    blocks = slayer_blocks(model)
    graph = from_slayer(blocks, dt=dt)
    channels = graph.nodes["input"].out_channels
    if spikes.shape[2] != channels:
        raise InputError("from_torch example", expected=f"{channels} channels",
                         got=f"{spikes.shape[2]} with layout {letters!r}",
                         remedy='say which axis is what: layout="bft", "btf"')  # fmt: skip
    late = sum(bool(getattr(block, "delay_shift", False)) for block in blocks)
    random = np.random.default_rng(0).random(spikes.shape) < max(0.1, spikes.mean())
    for data in (spikes, random.astype(np.int64)):
        _prove(model, graph, data, letters, late)
    kind = "" if _format(graph).is_spike and readout in COUNTED else readout or "every-step"
    return replace(Interface.of(graph), readout=kind).applied(graph)


def _format(graph: Graph) -> Fixed:
    found = graph.nodes["output"].out
    assert found is not None
    return found


def _spikes(example: Any, letters: str) -> Integers:
    """Return the example as (B, T, C)."""
    if isinstance(example, Mapping | tuple | list) or not hasattr(example, "shape"):
        raise InputError("from_torch example", expected="one tensor of spikes",
                         got=type(example).__name__)  # fmt: skip
    if sorted(letters) != sorted(AXES) or len(example.shape) != len(AXES):
        raise InputError("from_torch layout", expected="b, t and f for the three axes",
                         got=f"{letters!r} for shape {tuple(example.shape)}")  # fmt: skip
    values = np.asarray(torch.as_tensor(example).detach().cpu().double().numpy())
    if not np.isin(values, (0, 1)).all():
        raise InputError("from_torch example", expected="spikes, 0 and 1, as SLAYER's blocks take",
                         got=f"values of {values.min():g} to {values.max():g}",
                         remedy="make spikes of the data first, and give those")  # fmt: skip
    return np.transpose(values, [letters.index(axis) for axis in AXES]).astype(np.int64)


def _prove(model: nn.Module, graph: Graph, data: Integers, letters: str, late: int) -> None:
    from neurossm_converters.formats.torch.traced.doubles import fresh  # it looks into this package
    from neurossm_converters.formats.torch.traced.frames import raised_at

    given = torch.from_numpy(np.transpose(data, [AXES.index(axis) for axis in letters]).copy())
    try:
        with torch.no_grad():
            found: Any = fresh(model).float()(given.float())
    except Exception as error:
        raise GraphError(
            f"model at {raised_at(error)}", expected="a forward that runs on the example",
            got=f"{type(error).__name__}: {error}",
            remedy=f"see that model(example) runs, and that layout ({letters!r}) says its axes",
        ) from error  # fmt: skip
    while isinstance(found, tuple | list) and found:
        found = found[0]
    sent = run(graph, data, "fast", "outputs").values["output"]
    shape = [sent.shape[AXES.index(axis)] for axis in letters]
    if not isinstance(found, torch.Tensor) or list(found.shape) != shape:
        got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise GraphError("model", expected=f"the last block's output, of shape {tuple(shape)}",
                         got=str(got), remedy=f"return what the last block returns; {REMEDY}"
                         )  # fmt: skip
    own = np.transpose(found.double().numpy(), [letters.index(axis) for axis in AXES])
    in_time = sent[:, : sent.shape[1] - late] * 2.0 ** -float(_format(graph).frac)
    wrong = own[:, late:] != in_time
    if wrong.any():
        sample, step, channel = (int(i) for i in np.argwhere(wrong)[0])
        raise GraphError(
            f"model at sample {sample}, step {step}, channel {channel}",
            expected="a forward that calls its blocks one behind the other, in the order in which"
            " the module holds them", got=f"{wrong.sum()} of {wrong.size} values that differ",
            remedy=REMEDY,
        )  # fmt: skip
