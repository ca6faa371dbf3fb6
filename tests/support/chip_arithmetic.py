"""The arithmetic of `neurossm_chip` without a network of Lava around it: node after node.

Ports, clocks and delays take no part; what is compared is what each cell computes from the file.
Synapses are exact products here.
"""

from __future__ import annotations

import numpy as np

from neurossm_chip import cells, nssm

Arrays = dict[str, np.ndarray]


class Working:
    """A node of a file at work, in a cell of the chip package."""

    def __init__(self, node: nssm.Node, senders: list[nssm.Node]) -> None:
        kind, values = cells.program(node, senders)
        self.cell, self.weights = kind(values, node.channels), kind.weights(node)
        self.state, self.kept = self.cell.initial(), kind.kept(node)

    def step(self, arriving: list[np.ndarray]) -> np.ndarray:
        """Return the messages of a step, for those on each edge."""
        if self.weights is not None:
            arriving = [self.weights @ message for message in arriving]
        return np.asarray(self.cell.update(self.state, arriving))

    def states(self) -> Arrays:
        """Return the parts of its state."""
        parts = self.cell.parts(self.state)
        return {part: np.array(parts[part]) for part in self.kept}


Played = tuple[Arrays, Arrays, dict[str, int]]


def run(path: str) -> list[Played]:
    """Return for each golden vector values (T, C), final states, saturations of each cell."""
    file = nssm.read(path)
    return [_played(file, vector) for vector in file.golden]


def _played(file: nssm.File, vector: nssm.Golden) -> Played:
    nodes = {node.name: node for node in file.nodes}
    working = {
        node.name: Working(node, [nodes[source] for source in node.sources])
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
                sent[node.name].append(working[node.name].step(arriving))
    states = {
        f"{name}.{part}": array
        for name, cell in working.items()
        for part, array in cell.states().items()
    }
    clipped = {name: int(at.cell.saturations) for name, at in working.items()}
    return {name: np.array(rows) for name, rows in sent.items()}, states, clipped
