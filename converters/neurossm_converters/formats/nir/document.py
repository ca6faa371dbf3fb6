"""The contents of a NIR file as plain values: parts with their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError
from neurossm.graph import Edge

Array = NDArray[np.generic]
Field = Array | str
MAX_NESTING = 8


@dataclass(frozen=True, eq=False)
class Part:
    """One node of a NIR graph, or a graph.

    Parameters
    ----------
    kind
        Its NIR class, such as ``LIF``, or ``NIRGraph``.
    fields
        Its parameters under their NIR names; ``shape`` of an Input or Output.
    nodes, edges
        What a graph holds; empty for anything else.
    metadata
        Numbers, strings and arrays that somebody left; no meaning depends on foreign ones.
    """

    kind: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    nodes: Mapping[str, Part] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def numbers(self, name: str, where: str, infinite: bool = False) -> NDArray[np.float64]:
        """Return a field as real numbers.

        Parameters
        ----------
        name
            The field.
        where
            How messages call the node.
        infinite
            True where infinity has a meaning: no leak, no spike.

        Raises
        ------
        FormatError
            If there is no such field, or it holds anything but (finite) real numbers.
        """
        found = self.fields.get(name)
        if found is None:
            raise FormatError(where, expected=f"a field {name!r}", got="none")
        if isinstance(found, str) or found.dtype.kind not in "fiub":
            got = "text" if isinstance(found, str) else str(found.dtype)
            raise FormatError(f"{where}.{name}", expected="real numbers", got=got)
        array = found.astype(np.float64)
        if not np.all(np.isfinite(array) | (infinite & (array == np.inf))):
            raise FormatError(f"{where}.{name}", expected="finite numbers", got="nan or infinity")
        return array


def one_number(metadata: Mapping[str, Any], name: str, where: str) -> float:
    """Return an entry of metadata that is one real number; `FormatError` if it is none."""
    found = metadata.get(name)
    if not isinstance(found, int | float | np.integer | np.floating):
        got = "none" if found is None else f"{type(found).__name__} of shape {np.shape(found)}"
        raise FormatError(f"{where} metadata {name!r}", expected="one number", got=got)
    return float(found)


def _array(value: Any) -> Any:
    """Return a field as an array, a tensor of PyTorch's too: parameters do not turn by themselves.

    PyTorch is not imported for that; its tensors are known by what they can do.
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value  # exact; NumPy has none
    return np.asarray(value)


def from_library(converted: Any, depth: int = 0) -> Part:
    """Return a graph or node of the `nir` library as a `Part`.

    Raises
    ------
    GraphError
        If graphs are nested more than eight deep.
    """
    if depth > MAX_NESTING:
        raise GraphError("NIR graph", problem=f"graphs are nested more than {MAX_NESTING} deep")
    kind = type(converted).__name__
    metadata = getattr(converted, "metadata", {})
    if kind == "NIRGraph":
        nodes = {str(name): from_library(n, depth + 1) for name, n in converted.nodes.items()}
        edges = tuple((str(a), str(b)) for a, b in converted.edges)
        return Part(kind, {}, nodes, edges, metadata)
    said = converted.to_dict()
    fields = {
        name: value if isinstance(value, str) else _array(value)
        for name, value in said.items()
        if name not in ("type", "metadata") and value is not None
    }
    return Part(kind, fields, metadata=metadata)
