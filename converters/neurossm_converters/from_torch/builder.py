"""The graph while it grows, and PyTorch's parameters as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurossm.errors import GraphError
from neurossm.nodes import Node
from neurossm_converters.from_torch.modules import kind_of, remedy_for

# how a module is added: to which builder, its path, itself, what feeds it; the name of its output
Converter = Callable[["Builder", str, Any, str], str]
Reals = NDArray[np.float64]


class Builder:
    """Collects nodes and edges while modules are visited in the order of the data.

    Parameters
    ----------
    converters
        Module type to the function that adds it. A subclass is not taken for its base.
    remedies
        Module type to what to do instead of it.
    """

    def __init__(
        self,
        converters: Mapping[type[nn.Module], Converter],
        remedies: Mapping[type[nn.Module], str],
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self._converters, self._remedies = converters, remedies

    def add(self, name: str, node: Node, *sources: str) -> str:
        """Add a node that is fed by the given ones; return its name."""
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

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
