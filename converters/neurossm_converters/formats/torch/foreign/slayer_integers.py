"""A network of SLAYER's CUBA blocks as an integer graph, with the integers that SLAYER computes.

SLAYER trains on Loihi's integers: its forward rounds as the chip does. So nothing has to be
quantized; the blocks become what `neurossm_converters.formats.netx` makes of the file that
``export_hdf5`` of the same network writes, without the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Input, Node, Output, format_of
from neurossm_converters.formats.netx.file import Layer
from neurossm_converters.formats.netx.layers import (
    RECURRENT,
    edges_within,
    layer_nodes,
    read_from,
)
from neurossm_converters.formats.torch.builder import Builder, array
from neurossm_converters.formats.torch.foreign.place import Place
from neurossm_converters.formats.torch.foreign.slayer import CONVERTERS, checked, weights

SPIKING = ("Dense", "Recurrent")


def from_slayer(blocks: Iterable[nn.Module], *, dt: float | None = None) -> Graph:
    """Return the integer graph of CUBA blocks, one behind the other.

    Each block with ``delay_shift`` answers a step later in SLAYER than its node does here: with N
    of them, the output of step ``t`` here is that of step ``t + N`` there.

    Parameters
    ----------
    blocks
        `slayer.block.cuba.Dense` and `Recurrent`, and at the end perhaps an `Affine` without
        dynamics, whose sums are sent as they are. An ``nn.ModuleList`` or ``nn.Sequential`` of
        them, or a list.
    dt
        Duration of a step in seconds; information only.

    Returns
    -------
    Graph
        It takes spikes.

    Raises
    ------
    GraphError
        For another module, or a setting that no node has; where it is not certain that the integers
        stay those of Loihi; names the block.
    """
    listed = list(blocks)
    nodes: dict[str, Node] = {}
    edges, before = [], "input"
    for index, block in enumerate(listed):
        made = _nodes(index, block, is_last=index == len(listed) - 1)
        first = next(iter(made))
        if not nodes:
            nodes["input"] = Input(channels=made[first].in_channels, out=Fixed.binary())
        nodes |= made
        edges += [(before, first), *edges_within(made)]
        before = read_from(made)
    if not nodes:
        raise GraphError("blocks", expected="at least one", got="none")
    last = nodes[before]
    nodes["output"] = Output(channels=last.out_channels, out=format_of(last))
    return Graph(nodes, (*edges, (before, "output")), dt, {"source": "slayer"})


def _nodes(index: int, block: Any, *, is_last: bool) -> dict[str, Node]:
    name = type(block).__name__
    known = type(block).__module__.endswith("slayer.block.cuba") and name in CONVERTERS
    if not known:
        raise GraphError(f"block {index}", expected="slayer.block.cuba Dense, Recurrent or"
                         " Affine", got=name)  # fmt: skip
    at = checked(Builder({}, {}), str(index), block, "", shifts=True)
    layer = Layer(at.where, index, _fields(at))
    if name in SPIKING:
        return layer_nodes(layer, None, is_last=is_last)
    if block.dynamics or not is_last:
        at.refuse("Affine", "the last block, without dynamics", "another",
                  "train with Dense in front, and dynamics=False in the last")  # fmt: skip
    synapses = f"layer{index}.synapses"
    return {synapses: layer_nodes(layer, 1, is_last=True)[synapses]}


def _fields(at: Place) -> dict[str, Any]:
    """Return what `export_hdf5` writes of a block."""
    neuron, recurrent = at.module.neuron, type(at.module).__name__ == "Recurrent"
    names = {"weight": "synapse"}
    if recurrent:
        names = {"weight": "input_synapse", "weight_rec": "recurrent_synapse"}
    found = {field: array(weights(at, name)) * neuron.w_scale for field, name in names.items()}
    fields: dict[str, Any] = {"type": RECURRENT if recurrent else "dense", **found}
    fields["shape"] = np.array([len(found["weight"])])
    if type(at.module).__name__ in SPIKING:
        numbers = {"iDecay": neuron.cx_current_decay, "vDecay": neuron.cx_voltage_decay,
                   "vThMant": neuron.v_th_mant}  # fmt: skip
        fields["neuron"] = {"type": "CUBA", **{k: np.array(v) for k, v in numbers.items()}}
    return fields
