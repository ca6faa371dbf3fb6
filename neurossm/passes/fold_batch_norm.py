"""Batch norms move into the parameters of their neighbors; nothing is approximated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import instance
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Affine, BatchNorm, Conv2d, DiagonalSSM, Embedding, Node

Reals = NDArray[np.float64]
MOST_IN_SQUARE = 1024  # channels of a diagonal matrix


def fold_batch_norm(graph: Graph, *, rest: str = "refuse") -> Graph:
    """Return the float graph without `BatchNorm` nodes and with the same meaning.

    A norm behind an `Affine`, `Embedding` or `DiagonalSSM` that feeds nothing else scales its
    outputs (weights, rows, c, d, bias). Any other goes into what it feeds: the gain into W, or b
    and d; the offset into the bias, or the constant drive.

    Parameters
    ----------
    graph
        A float graph.
    rest
        What to do with a norm that neither neighbor can take: ``refuse``: an error; ``affine``:
        it becomes synapses, from each channel to itself (behind an `Affine` that something
        else needs too: that one again, scaled).

    Raises
    ------
    GraphError
        Where neither neighbor can take it, named.

    Examples
    --------
    >>> folded = neurossm.fold_batch_norm(neurossm.load("float.nssm"))
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    while True:
        names = [name for name in graph.order if isinstance(graph.nodes[name], BatchNorm)]
        if not names:
            return graph
        graph = _fold(graph, names[0], rest)


def _fold(graph: Graph, name: str, rest: str) -> Graph:
    norm = graph.nodes[name]
    assert isinstance(norm, BatchNorm)
    gain, offset = np.asarray(norm.gain), np.asarray(norm.offset)
    sources, targets = graph.sources[name], graph.targets[name]
    if len(sources) == 1 and graph.targets[sources[0]] == (name,):
        scaled = _scale_outputs(graph.nodes[sources[0]], gain, offset)
        if scaled is not None:
            return graph.with_nodes({sources[0]: scaled}).without(name)
    folded: dict[str, Node] = {}
    for target in targets:
        node = _scale_inputs(graph.nodes[target], gain, offset)
        if node is None or graph.sources[target] != (name,):
            if rest == "affine":
                return _as_affine(graph, name, gain, offset)
            raise GraphError(
                f"node {name!r} (BatchNorm)",
                expected="an Affine or a DiagonalSSM beside it that can take its gain and offset",
                got=f"{target!r} ({type(graph.nodes[target]).__name__})",
                remedy="put the norm directly before or after one",
            )
        folded[target] = node
    return graph.with_nodes(folded).without(name)


def _as_affine(graph: Graph, name: str, gain: Reals, offset: Reals) -> Graph:
    """Return the graph with synapses for a norm; behind others, with all that both compute."""
    (source, *more), node = graph.sources[name], _each_channel(gain, offset)
    first = graph.nodes[source]
    if more or not isinstance(first, Affine):
        return graph.with_nodes({name: node})
    both = _scale_outputs(first, gain, offset)
    edges = [edge for edge in graph.edges if edge != (source, name)]
    edges += [(one, name) for one in graph.sources[source]]
    return Graph({**graph.nodes, name: both or node}, tuple(edges), graph.dt, graph.meta)


def _each_channel(gain: Reals, offset: Reals) -> Affine | Conv2d:
    """Return synapses from each channel to itself; of many channels without a square of zeros."""
    if len(gain) <= MOST_IN_SQUARE:
        return Affine(weight=np.diag(gain), bias=offset)
    one, channels = np.ones(2, np.int64), len(gain)
    return Conv2d(
        weight=gain[:, None, None, None], bias=offset, in_shape=np.array([channels, 1, 1]),
        stride=one, padding=0 * one, dilation=one, groups=channels,
    )  # fmt: skip


def _scale_outputs(node: Node, gain: Reals, offset: Reals) -> Node | None:
    if isinstance(node, Affine):
        return replace(
            node,
            weight=gain[:, None] * np.asarray(node.weight),
            bias=gain * np.asarray(node.bias) + offset,
        )
    if isinstance(node, DiagonalSSM):
        return replace(
            node,
            c_re=gain[:, None] * np.asarray(node.c_re),
            c_im=gain[:, None] * np.asarray(node.c_im),
            d=gain * np.asarray(node.d),
            bias=gain * np.asarray(node.bias) + offset,
        )
    if isinstance(node, Conv2d):
        each, offsets = (part.reshape(len(np.asarray(node.bias)), -1) for part in (gain, offset))
        if np.any(each != each[:, :1]) or np.any(offsets != offsets[:, :1]):
            return None  # a filter has one factor wherever its window lies
        weight = np.asarray(node.weight) * each[:, 0, None, None, None]
        return replace(node, weight=weight, bias=each[:, 0] * np.asarray(node.bias) + offsets[:, 0])
    if isinstance(node, Embedding):
        return replace(node, table=np.asarray(node.table) * gain + offset)
    return None


def _scale_inputs(node: Node, gain: Reals, offset: Reals) -> Node | None:
    if isinstance(node, Affine):
        weight = np.asarray(node.weight)
        return replace(node, weight=weight * gain, bias=np.asarray(node.bias) + weight @ offset)
    if isinstance(node, Conv2d):
        return _scale_windows(node, gain, offset)
    if isinstance(node, DiagonalSSM):
        b_re, b_im, d = np.asarray(node.b_re), np.asarray(node.b_im), np.asarray(node.d)
        return replace(
            node,
            b_re=b_re * gain[:, None],
            b_im=b_im * gain[:, None],
            drive_re=np.asarray(node.drive_re) + b_re * offset[:, None],
            drive_im=np.asarray(node.drive_im) + b_im * offset[:, None],
            d=d * gain,
            bias=np.asarray(node.bias) + d * offset,
        )
    return None


def _scale_windows(node: Conv2d, gain: Reals, offset: Reals) -> Conv2d | None:
    """Scale what arrives, a channel of space by one factor; padding has no offset."""
    each, offsets = (part.reshape(int(node.in_shape[0]), -1) for part in (gain, offset))
    padded = np.any(node.padding) and np.any(offset)
    if padded or np.any(each != each[:, :1]) or np.any(offsets != offsets[:, :1]):
        return None
    weight, filters = np.asarray(node.weight), len(np.asarray(node.bias))
    # the input channels of each filter (O, I / groups)
    own = np.arange(filters)[:, None] // (filters // node.groups) * weight.shape[1]
    channels = own + np.arange(weight.shape[1])
    bias = (weight.sum(axis=(2, 3)) * offsets[channels, 0]).sum(axis=1)
    scaled = weight * each[channels, 0][..., None, None]
    return replace(node, weight=scaled, bias=np.asarray(node.bias) + bias)
