"""Builds a graph node by node, and reads PyTorch's parameters as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Affine, Node
from neurossm.passes import fold_batch_norm
from neurossm.sparsity import worth
from neurossm_converters.formats.torch.modules import kind_of, remedy_for

# how a module is added: to which builder, its path, itself, what feeds it; the name of its output.
# The general way of `from_torch` takes a tuple of names too, one for each result of the module:
# None for a state
Converter = Callable[["Builder", str, Any, str], str]
Reals = NDArray[np.float64]


def synapses(weight: Reals, bias: Reals) -> Affine:
    """Return an `Affine`, sparse where most of the weights are 0, as in a network that was pruned.

    Parameters
    ----------
    weight, bias
        ``(out, in)`` and ``(out,)``.
    """
    return Affine(weight=weight, bias=bias, sparse=worth(weight))


class Builder:
    """Collects nodes and edges while modules are visited in the order of the data.

    It also builds a graph by hand: `add` nodes, `convert` modules, then `graph`.

    Parameters
    ----------
    converters
        Module type to the function that adds it. A subclass is not taken for its base.
    remedies
        Module type to what to do instead of it.

    Attributes
    ----------
    nodes
        Name to node, of what was added so far.
    edges
        Pairs of names.
    factors
        Of nodes whose values stand for others: by what synapses behind them multiply their weights,
        a number or one a channel. An encoder takes that of the inputs into its own.
    """

    def __init__(
        self,
        converters: Mapping[type[nn.Module], Converter] | None = None,
        remedies: Mapping[type[nn.Module], str] | None = None,
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.factors: dict[str, float | Reals] = {}
        self._converters, self._remedies = converters or {}, remedies or {}

    def add(self, name: str, node: Node, *sources: str) -> str:
        """Add a node that is fed by the given ones; return its name.

        Raises
        ------
        GraphError
            If there is a node of that name, or none of the name of a source.
        """
        if name in self.nodes:
            raise GraphError(f"node {name!r}", problem="the name is taken",
                             remedy="put the path of the module in front")  # fmt: skip
        for source in sources:
            if source not in self.nodes:
                raise GraphError(f"node {name!r}", expected="sources that were added before",
                                 got=repr(source))  # fmt: skip
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def connect(self, source: str, target: str) -> str:
        """Lead one more edge between nodes that are there, such as back into a `Delay`.

        What a neuron sent at the step before is fed to it by a `Delay` that is added before there
        is anything to feed it: what a `Delay` sends does not depend on what arrives at that step.

        Returns
        -------
        str
            `source`, which goes on to be read.

        Raises
        ------
        GraphError
            If there is no node of one of the names, or that edge is there already. Whether every
            cycle passes through a `Delay` is checked by `graph`.
        """
        for name in (source, target):
            if name not in self.nodes:
                where = f"edge {(source, target)}"
                raise GraphError(where, expected="nodes that were added before", got=repr(name))
        if (source, target) in self.edges:
            raise GraphError(f"edge {source} -> {target}", problem="it is listed twice",
                             remedy="put a Sum between them for the second")  # fmt: skip
        self.edges.append((source, target))
        return source

    def graph(self, dt: float | None = None, **meta: str | int | float) -> Graph:
        """Return the float graph of what was added, batch norms folded.

        Parameters
        ----------
        dt
            Seconds of a step; None where it is not known.
        meta
            What the graph says of itself, such as ``steps``.

        Raises
        ------
        GraphError
            If it is no valid graph, or a batch norm can fold into neither neighbor.
        """
        return fold_batch_norm(Graph(self.nodes, tuple(self.edges), dt, meta))

    def remedy(self, module: nn.Module) -> str:
        """Return what to do instead of a module, or an empty string."""
        return self._remedies.get(type(module), "")

    def convert(self, path: str, module: nn.Module, source: str) -> str:
        """Add the nodes of a module that is fed by `source`; return the name of its output.

        Raises
        ------
        GraphError
            If the module is in no table; names its path and type.
        """
        function = self._converters.get(type(module))
        if function is None:
            names = sorted(kind.__name__ for kind in self._converters)
            same = type(module).__name__ if type(module).__name__ in names else ""
            known = self._remedies.get(type(module), "replace it, or add its converter")
            raise GraphError(
                f"module {path!r}",
                expected=f"one of {', '.join(names)}",
                got=kind_of(module, same),
                remedy=remedy_for(module) or known,
            )
        return function(self, path, module, source)


def require_type(path: str, module: nn.Module, expected: type[nn.Module]) -> None:
    """Raise `GraphError` unless a module is of exactly this type; names its path and type."""
    if type(module) is not expected:
        name = expected.__name__
        raise GraphError(f"module {path!r}", expected=name, got=kind_of(module, name),
                         remedy=remedy_for(module))  # fmt: skip


def array(tensor: torch.Tensor) -> Reals:
    """Return a parameter or buffer in double precision."""
    return np.asarray(tensor.detach().cpu().double().numpy())


def bias_of(module: nn.Linear) -> Reals:
    """Return the bias of a linear layer, zeros where it has none."""
    if module.bias is None:
        return np.zeros(module.out_features)
    return array(module.bias)
