"""The step kernels: one file per node type, found by its name; see `neurossm_chip.cell`."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

from neurossm_chip.cell import Cell, Variables
from neurossm_chip.nssm import Node
from neurossm_chip.refusal import Refusal


def file_of(kind: str) -> str:
    """Return the name of the module of a type: ``diagonal_ssm`` of ``DiagonalSSM``."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def cell_of(name: str, kind: str) -> type[Cell]:
    """Return the cell of a node of this name and type; refuse a type that has none."""
    path = f"{__name__}.{file_of(kind)}"
    found: Any = None
    try:
        if kind.isidentifier():
            found = getattr(importlib.import_module(path), kind, None)
    except ImportError as error:
        if error.name != path:
            raise
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise Refusal(
            f"node {name} ({kind}): there is no neuron for a node of this type; run the graph with"
            f" neurossm on its fast engine, or write neurossm_chip/cells/{file_of(kind)}.py"
        )
    return found


def program(node: Node, senders: list[Node]) -> tuple[type[Cell], Variables]:
    """Return the cell of a node, and the parameters that it is given."""
    kind = cell_of(node.name, node.type)
    return kind, kind.program(node, [sender.message for sender in senders])


def every_cell() -> list[type[Cell]]:
    """Return all cells, by name."""
    found: dict[str, type[Cell]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                found[name] = value
    return [found[name] for name in sorted(found)]
