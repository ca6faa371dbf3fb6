"""The arithmetic of `neurossm_chip` without a network of Lava around it: node after node.

Ports, clocks and delays take no part; what is compared is what each cell computes from the file.
Synapses are exact products here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm_chip import nssm

try:
    from neurossm_chip import cells
except ImportError:  # the cells are still inside of models of Lava
    cells = None  # type: ignore[assignment]

Arrays = dict[str, np.ndarray]


class CellOfChip:
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

    def clipped(self) -> int | None:
        """Return how many integers saturated so far."""
        return int(self.cell.saturations)


class CellOfModel:
    """The same in a model of Lava, made without its runtime."""

    def __init__(self, node: nssm.Node, senders: list[nssm.Node]) -> None:
        from neurossm_chip import program, running

        running.ensure()
        from neurossm_chip.processes import neurons

        self.node, self.kept = node, program.states_of(node)
        parameters, states = program.variables(node, [sender.message for sender in senders])
        kind = "Dendrite" if node.type == "Affine" else node.type
        self.model: Any = object.__new__(getattr(neurons, f"{kind}Model"))
        for name, value in {**parameters, **states}.items():  # Vars have at least one axis
            setattr(self.model, name, np.atleast_1d(np.asarray(value, np.int64)))

    def step(self, arriving: list[np.ndarray]) -> np.ndarray:
        """Return the messages of a step, for those on each edge."""
        if self.node.type == "Affine":
            arriving = [self.node.values("weight") @ message for message in arriving]
        if self.node.type not in ("Sum", "Product"):
            arriving = [np.sum(arriving, axis=0)]
        return np.asarray(self.model.update(arriving))

    def states(self) -> Arrays:
        """Return the parts of its state."""
        return {part: np.array(getattr(self.model, part)) for part in self.kept}

    def clipped(self) -> int | None:
        """Return None: these count nothing."""
        return None


Played = tuple[Arrays, Arrays, dict[str, int | None]]


def run(path: str) -> list[Played]:
    """Return for each golden vector of a file values (T, C), final states, and saturations.

    Saturations are those of each node that has neurons on the chip; None where none are counted.
    """
    file = nssm.read(path)
    return [_played(file, vector) for vector in file.golden]


def _played(file: nssm.File, vector: nssm.Golden) -> Played:
    nodes, kind = {node.name: node for node in file.nodes}, CellOfChip if cells else CellOfModel
    working = {
        node.name: kind(node, [nodes[source] for source in node.sources])
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
    clipped = {name: cell.clipped() for name, cell in working.items()}
    return {name: np.array(rows) for name, rows in sent.items()}, states, clipped
