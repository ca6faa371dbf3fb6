"""Step kernels that share one neuron and run one after the other; no node has this type."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.cell import NO_SATURATION, Cell, State, Variables


class Fused(Cell):
    """Members in their order: what a sum of synapses feeds works in the same step.

    Its registers and states are those of the members, as ``m0_theta`` of the first. ``wires`` has a
    row for each operand: which member, and from where: a port from 0 on, or -1 - k for what member
    k has sent in this step. ``leaving`` are the members whose messages leave, side by side.
    """

    members: ClassVar[tuple[type[Cell], ...]] = ()
    ports = 8

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.width, self.leaving = self.number("width"), self.integers("leaving")
        self.cells = [
            kind({n: values[f"m{i}_{n}"] for n in ("entry_bits", *kind.registers)}, self.width)
            for i, kind in enumerate(self.members)
        ]
        rows = self.integers("wires").reshape(-1, 2).tolist()
        self.wires = [
            [place for member, place in rows if member == i] for i in range(len(self.cells))
        ]

    def initial(self, *rows: int) -> State:
        """Return the state of each member."""
        return {str(i): cell.initial(*rows) for i, cell in enumerate(self.cells)}

    def parts(self, state: State) -> State:
        """Return the parts of all members."""
        found: State = {}
        for i, cell in enumerate(self.cells):
            found.update({f"m{i}_{name}": part for name, part in cell.parts(state[str(i)]).items()})
        return found

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the messages of all members side by side, ``(..., members C)``."""
        sent: list[Any] = []
        for i, cell in enumerate(self.cells):
            places = self.wires[i]
            given = [operands[place] if place >= 0 else sent[-1 - place] for place in places]
            sent.append(cell.update(state[str(i)], given))
        self.saturations = sum(cell.saturations for cell in self.cells)
        return np.concatenate(sent, axis=-1)

    def outgoing(self, values: Any) -> Any:
        """Return those that leave."""
        each = values.reshape(*values.shape[:-1], len(self.cells), self.width)
        return each[..., self.leaving, :].reshape(*values.shape[:-1], -1)


def fused(members: tuple[type[Cell], ...]) -> type[Fused]:
    """Return the cell of these cells; its name is theirs one after the other."""
    registers = {"wires": 32, "leaving": 32, "width": 32}
    states: list[str] = []
    for i, kind in enumerate(members):
        registers.update({f"m{i}_{n}": b for n, b in {"entry_bits": 32, **kind.registers}.items()})
        states += [f"m{i}_{name}" for name in kind.states]
    doc = "{} in one neuron.".format(", ".join(kind.__name__ for kind in members))
    return type(
        "".join(kind.__name__ for kind in members),
        (Fused,),
        {"__doc__": doc, "members": members, "registers": registers, "states": tuple(states)},
    )


def values_of(
    programs: list[Variables], wires: list[tuple[int, int]], leaving: list[int], width: int
) -> Variables:
    """Return the parameters of a fused cell from those of its members."""
    found: Variables = {"entry_bits": NO_SATURATION, "wires": np.array(wires, np.int64),
                        "leaving": leaving, "width": width}  # fmt: skip
    for i, one in enumerate(programs):
        found.update({f"m{i}_{name}": value for name, value in one.items()})
    return found
