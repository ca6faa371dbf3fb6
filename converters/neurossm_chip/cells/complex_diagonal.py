"""Step kernel of `ComplexDiagonal`: complex states between synapses, both parts sent."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class ComplexDiagonal(Cell):
    """Rotates and damps its states, adds what arrives, sends both parts; parameters ``(C,)``.

    Real and imaginary part are two rows of C, ``(..., 2, C)``, as in `DiagonalSSM`.
    """

    registers: ClassVar[dict[str, int]] = {
        "a_re": 16, "a_im": 16, "a_shift": 32, "in_shift": 32, "out_shift": 32, "gated": 32,
        "state_bits": 32, "out_bits": 32,
    }  # fmt: skip
    states = ("re", "im")

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        re, im = self.integers("a_re"), self.integers("a_im")
        self.poles = scaled([[re, -im], [im, re]], self.number("a_shift"))
        self.half = len(re)
        self.unit_in = scaled(1, self.integers("in_shift").reshape(2, self.half))
        self.unit_out = scaled(1, self.integers("out_shift"))
        self.gated = bool(self.number("gated"))
        self.state_bits, self.out_bits = self.number("state_bits"), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the poles, the shifts into and out of the states, the gate, the widths."""
        own = np.asarray(node.fields["state_frac"], np.int64)
        return {
            "a_re": node.values("a_re"),
            "a_im": node.values("a_im"),
            "a_shift": node.one_frac("a_re"),
            "in_shift": arriving[0].frac - np.concatenate([own, own]),
            "out_shift": own - node.out.frac,
            "gated": int(node.fields["gate"] == "relu"),
            "state_bits": node.fields["state_bits"],
            "out_bits": node.out.bits,
        }

    def initial(self, *rows: int) -> State:
        """Return zeros."""
        return {"x": np.zeros((*rows, 2, self.half), np.int64)}

    def parts(self, state: State) -> State:
        """Return real and imaginary parts, ``(..., C)``."""
        return {name: state["x"][..., i, :] for i, name in enumerate(self.states)}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return both parts of the states after they have moved, where the gate lets them pass."""
        u = self.entering(operands)
        entering = product(self.unit_in, u.reshape(*u.shape[:-1], 2, self.half))
        # four products, each shifted by itself
        turned = product(self.poles, state["x"][..., np.newaxis, :, :])
        moved = turned[..., 0, :] + turned[..., 1, :] + entering
        x = state["x"] = self.clipped(moved, self.state_bits)
        sent = np.where(x[..., :1, :] > 0, x, 0) if self.gated else x
        y = self.clipped(product(self.unit_out, sent), self.out_bits)
        return y.reshape(*y.shape[:-2], -1)
