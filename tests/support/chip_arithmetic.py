"""The arithmetic of `neurossm_chip` without a network of Lava around it: node after node.

The models of the bundle are made without their runtime, so ports and clocks take no part; what is
compared is what each `update` computes from the file. Synapses are exact products here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm_chip import nssm, program, running

running.ensure()

from neurossm_chip.processes import neurons  # noqa: E402  # Lava, after the shim

Arrays = dict[str, np.ndarray]


class Cell:
    """A node of a file with its parameters and its state."""

    def __init__(self, node: nssm.Node, senders: list[nssm.Node]) -> None:
        self.node = node
        parameters, states = program.variables(node, [sender.message for sender in senders])
        kind = "Dendrite" if node.type == "Affine" else node.type
        self.model: Any = object.__new__(getattr(neurons, f"{kind}Model"))
        for name, value in {**parameters, **states}.items():  # Vars have at least one axis
            setattr(self.model, name, np.atleast_1d(np.asarray(value, np.int64)))
        self.states = tuple(states)

    def step(self, arriving: list[np.ndarray]) -> np.ndarray:
        """Return the messages of a step, for those on each edge."""
        if self.node.type == "Affine":
            arriving = [self.node.values("weight") @ message for message in arriving]
        if self.node.type not in ("Sum", "Product"):
            arriving = [np.sum(arriving, axis=0)]
        return np.asarray(self.model.update(arriving))


def run(path: str) -> list[tuple[Arrays, Arrays]]:
    """Return for each golden vector of a file the values (T, C) and the final states."""
    file = nssm.read(path)
    return [_played(file, vector) for vector in file.golden]


def _played(file: nssm.File, vector: nssm.Golden) -> tuple[Arrays, Arrays]:
    nodes = {node.name: node for node in file.nodes}
    cells = {
        node.name: Cell(node, [nodes[source] for source in node.sources])
        for node in file.nodes
        if node.type not in ("Input", "Output")
    }
    sent: dict[str, list[np.ndarray]] = {name: [] for name in nodes}
    for t in range(vector.steps):
        for node in file.nodes:
            arriving = [sent[source][-1] for source in node.sources]
            if node.type == "Input":
                sent[node.name].append(np.asarray(vector.inputs[node.name][t], np.int64))
            elif node.type == "Output":
                sent[node.name].append(arriving[0])
            else:
                sent[node.name].append(cells[node.name].step(arriving))
    states = {
        f"{node.name}.{part}": np.array(getattr(cells[node.name].model, part))
        for node in file.nodes
        for part in program.states_of(node)
    }
    return {name: np.array(rows) for name, rows in sent.items()}, states
