"""One node between inputs and an output, run by an integer engine: for numbers by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from spiking_block import integers

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Affine,
    Input,
    Node,
    Output,
)
from neurossm.trace import Trace

BOTH = pytest.mark.parametrize("engine", ["reference", "fast"])
TOP = 2**23 - 1  # end of 24 bits
MIX = Affine(weight=integers([[3, -2], [0, 5]]), bias=integers([1, -4], 0, 24), out=Fixed(24))


def behind(node: Node, inputs: Mapping[str, Fixed]) -> Graph:
    """Return a graph in which Inputs of these formats feed `node`, and it an Output."""
    nodes: dict[str, Node] = {
        name: Input(channels=node.in_channels, out=fmt) for name, fmt in inputs.items()
    }
    nodes |= {"node": node, "out": Output(channels=node.out_channels, out=node.out)}
    return Graph(nodes, (*((name, "node") for name in inputs), ("node", "out")))


def run_on(engine: str, node: Node, fmt: Fixed, steps: list[list[int]]) -> Trace:
    """Run one sample through `node`, given the messages of each step."""
    return run(behind(node, {"in": fmt}), np.array([steps]), engine)


def values(trace: Trace, name: str = "node") -> list[list[int]]:
    return trace.values[name][0].tolist()
