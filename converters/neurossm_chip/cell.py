"""The base class of step kernels: the arithmetic of a node, in NumPy alone, without Lava.

Written as for microcode: integers in and out, exact products, shifts toward zero, saturation where
a register is written. Channels stand last and anything in front, ``(..., C)``: a process of the
bundle has one sample, ``(C,)``; an executor may put several side by side.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict

import numpy as np

from neurossm_chip.arithmetic import saturated
from neurossm_chip.nssm import Fixed, Node
from neurossm_chip.refusal import Refusal

State = Dict[str, Any]
Variables = Dict[str, Any]
ENTRY_BITS = 24
NO_SATURATION = 40  # wider than the 32 bits in which synapses add up


class Cell:
    """Base of the cells: a node at work.

    Parameters
    ----------
    values
        Name to integers, as `program` returns them.
    channels
        Messages that it sends at each step.

    Attributes
    ----------
    registers
        Name of each parameter to the bits that it needs.
    states
        Names of the parts of its state, 24 bits each.
    ports
        1 where all edges add up, else how many operands it keeps apart.
    synapses
        Whether messages become other numbers on the way to it, in synapses, which takes a step.
        Edges add up exactly then; else their sum saturates on entry.
    host
        Whether it belongs to the host and not to a chip.
    late
        Whether what it sends is known before anything arrives: `send`, then `take`.
    saturations
        Integers that were clipped so far.
    """

    registers: ClassVar[dict[str, int]] = {}
    states: tuple[str, ...] = ()
    ports = 1
    synapses = False
    host = False
    late = False

    def __init__(self, values: Variables, channels: int) -> None:
        self._values, self.channels, self.saturations = values, channels, 0
        self._entry_bits = self.number("entry_bits")

    @classmethod
    def program(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the parameters of a node of the file: integers, shifts, widths.

        `arriving` are the formats of the messages on its edges, in their order.
        """
        several = len(arriving) > 1 and not cls.synapses
        entry = {"entry_bits": ENTRY_BITS if several else NO_SATURATION}
        found = cls.variables(node, arriving)
        for what, names in (("value", set(cls.registers) - set(found)),
                            ("register", set(found) - set(cls.registers))):  # fmt: skip
            if names:
                raise Refusal(
                    f"node {node.name} ({node.type}): its cell has no {what} for {min(names)!r};"
                    " registers and variables name the same"
                )
        return dict(entry, **found)

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the part of `program` that this type of node has."""
        return {}

    @classmethod
    def weights(cls, node: Node) -> Any:
        """Return the weights of the synapses before a node, ``(out, in)``; None: it has none."""
        return None

    @classmethod
    def kept(cls, node: Node) -> tuple[str, ...]:
        """Return the parts of the state of a node that golden vectors hold."""
        return cls.states

    def initial(self, *rows: int) -> State:
        """Return the state before the first step: zeros, with these axes in front."""
        return {name: np.zeros((*rows, self.channels), np.int64) for name in self.states}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the messages of a step, ``(..., C)``, and put the new state into `state`."""
        sent = self.send(state)
        self.take(state, operands)
        return sent

    def send(self, state: State) -> Any:
        """Return the messages of a step before anything arrives; of a late cell only."""
        raise self._incomplete("send")

    def take(self, state: State, operands: list[Any]) -> None:
        """Put what arrives at a step into `state`; of a late cell only."""
        raise self._incomplete("take")

    def _incomplete(self, name: str) -> Refusal:
        return Refusal(
            f"{type(self).__name__} has no {name!r}: a step kernel needs 'update', or, where it"
            " sends before anything arrives, 'send' and 'take'"
        )

    def outgoing(self, values: Any) -> Any:
        """Return what of the messages of a step leaves its process: all, but of cells together."""
        return values

    def parts(self, state: State) -> State:
        """Return the state by the names of its parts."""
        return state

    def integers(self, name: str) -> Any:
        """Return a parameter as 64-bit integers of at least one dimension."""
        return np.atleast_1d(np.asarray(self._values[name], np.int64))

    def number(self, name: str) -> int:
        """Return a parameter that is one number."""
        return int(self.integers(name).item())

    def entering(self, operands: list[Any]) -> Any:
        """Return the sum of all edges, in a new array, saturated where the contract says so."""
        total = np.array(operands[0], np.int64)
        for operand in operands[1:]:
            total += operand
        return total if self._entry_bits == NO_SATURATION else self.clipped(total, self._entry_bits)

    def clipped(self, values: Any, bits: int) -> Any:
        """Saturate, and count."""
        result, count = saturated(values, bits)
        self.saturations += count
        return result
