"""Networks of lava-dl (SLAYER) in the HDF5 files of netx, read as integer graphs; no lava needed.

A netx file holds the integers that run on Loihi, so what comes out is an integer graph, bit for bit
what lava-dl 0.6.0 runs on lava-nc 0.10.0. What each layer becomes:

==========================  ======================================================================
``input``                   `Input` of binary messages
``flatten``                 nothing; the order of channels is that in which the next weights stand
``dense``, CUBA or LOIHI    ``layerN.synapses`` (`Affine`), ``layerN.current`` (`DiagonalSSM`, one
                            real pole), ``layerN.neuron`` (`LIF`, hard reset)
``conv``                    the same with a `Conv2d` in place of the `Affine`
``dense_rec``               the same, and from ``layerN.neuron`` back to ``layerN.current``
                            ``layerN.before`` (`Delay` of a step), ``layerN.feedback`` (`Affine`)
``dense`` without neuron    ``layerN.synapses``, ``layerN.readout`` (`Accumulate`): the integers of
                            the voltage that netx's neuron without leak accumulates
==========================  ======================================================================

Everything else stops with an error that names it, and so is a layer for which it is not certain
that its integers stay those of Lava: `neurossm_converters.formats.netx.layers` gives the equations
and the proofs.

Time: each layer of netx answers one step later than here, so with N dense layers the output of step
``t`` here is that of step ``t + N`` there. Meanwhile biases drive Lava's neurons already. Where
there are any, run netx with ``reset_interval`` and ``reset_offset=1``: then each layer is cleared
just as its first input arrives, and from there on the two agree.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Input, Node, Output, format_of
from neurossm_converters.formats.netx.file import Layer, read_network
from neurossm_converters.formats.netx.layers import (
    Shape,
    check_input,
    edges_within,
    layer_nodes,
    read_from,
)

SILENT = ("input", "flatten")


def looks_like_netx(path: str | Path) -> bool:
    """Return whether a file is HDF5 with layers of netx and no NIR graph; nothing else is read."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "node" not in file and file.get("layer", getclass=True) is h5py.Group
    except Exception:  # what cannot be opened is for the reader to refuse
        return False


def read(
    path: str | Path,
    *,
    skip_layers: int = 0,
    num_layers: int | None = None,
    steps: int | None = None,
    dt: float | None = None,
) -> Graph:
    """Return the network of a netx file as an integer graph.

    Parameters
    ----------
    path
        The file, by custom ``*.net``, as ``export_hdf5`` of a SLAYER network writes it.
    skip_layers, num_layers
        As in lava-dl: the layers ``skip_layers`` to ``num_layers - 1`` of the file are read. So the
        part of a network that can be expressed can be imported without the rest.
    steps
        Longest sequence, in time steps, for which the sum of a layer without neuron must not
        overflow; by default ``simulation/tSample`` of the file.
    dt
        Duration of a time step in seconds. netx has none; nothing is computed from it. None: nobody
        knows it.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or there is no such layer.
    FormatError
        If it is not a whole netx file, or leaves the limits of `file.py`.
    GraphError
        If a layer cannot be expressed, or not with exactly Lava's integers; names it.
    """
    network = read_network(Path(path))
    last = len(network.layers) if num_layers is None else num_layers
    if not 0 <= skip_layers < last <= len(network.layers):
        raise InputError(
            f"{path}: layers {skip_layers} to {last - 1}",
            problem=f"the network has layers 0 to {len(network.layers) - 1}",
        )
    chosen = network.layers[skip_layers:last]
    before = network.layers[skip_layers - 1] if skip_layers else None
    nodes, edges = _nodes(chosen, network.steps if steps is None else steps, before)
    meta: dict[str, str | int | float] = {
        "source": "netx",
        "netx_layers": f"{skip_layers} to {last - 1}",
    }
    if network.steps is not None:
        meta["netx_tSample"] = network.steps
    try:
        return Graph(nodes, tuple(edges), dt, meta)
    except GraphError as error:  # layers of a file that do not fit each other
        raise error.inside(f"{path}: ") from None


def _nodes(
    layers: tuple[Layer, ...], steps: int | None, front: Layer | None
) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    dense = [layer for layer in layers if layer.kind not in SILENT]
    if not dense:
        raise GraphError(
            layers[0].where, expected="dense layers", got="none among the layers to read"
        )
    for position, layer in enumerate(layers):
        if layer.kind in SILENT:
            check_input(layer, position)
    nodes: dict[str, Node] = {}
    edges, before = [], "input"
    shape = _space(front)
    for layer in layers:
        if layer.kind in SILENT:
            shape = _space(layer)
            continue
        made = layer_nodes(layer, steps, is_last=layer is dense[-1], arriving=shape)
        shape = _space(layer)
        first = next(iter(made))
        if not nodes:
            nodes["input"] = Input(channels=made[first].in_channels, out=Fixed.binary())
        nodes |= made
        edges += [(before, first), *edges_within(made)]
        before = read_from(made)
    last = nodes[before]
    nodes["output"] = Output(channels=last.out_channels, out=format_of(last))
    return nodes, [*edges, (before, "output")]


def _space(layer: Layer | None) -> Shape | None:
    """Return channels, height and width of what a layer sends; None where it does not say them."""
    if layer is None or "shape" not in layer.fields:
        return None
    sizes = layer.integers("shape").ravel().tolist()
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 else None
