"""Step kernel of `DiagonalSSM`: one neuron per channel, with N complex states each."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class DiagonalSSM(Cell):
    """Rotates and damps its states, drives them, reads them out; parameters ``(C, N)``.

    Real and imaginary part stand before the channels, ``(..., 2, C, N)``: multiplying by a complex
    pole is the real matrix ``[[re, -im], [im, re]]``, and a product shifted toward zero changes
    sign with its factor.
    """

    registers: ClassVar[dict[str, int]] = {
        "a_re": 16, "a_im": 16, "b_re": 8, "b_im": 8, "c_re": 8, "c_im": 8, "d": 8,
        "drive_re": 24, "drive_im": 24, "bias": 32, "a_shift": 32, "b_shift": 32, "c_shift": 32,
        "d_shift": 32, "state_bits": 32, "out_bits": 32,
    }  # fmt: skip
    states = ("re", "im")

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        get = self.integers
        re, im = get("a_re"), get("a_im")
        self.poles = scaled([[re, -im], [im, re]], get("a_shift"))
        self.gains = scaled([get("b_re"), get("b_im")], get("b_shift"))
        self.readout = scaled([get("c_re"), -get("c_im")], get("c_shift"))
        self.drive = np.array([get("drive_re"), get("drive_im")])
        self.d, self.bias = scaled(get("d"), get("d_shift")), get("bias")
        self.state_bits, self.out_bits = self.number("state_bits"), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return poles, gains, readout and drive, with the shifts of their products, ``(C, 1)``."""
        u, y, state = arriving[0].frac, node.out.frac, node.frac("drive_re")
        names = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "drive_re", "drive_im", "d")
        found: Variables = {name: node.values(name) for name in names}
        return dict(
            found,
            bias=node.values("bias"),
            a_shift=node.frac("a_re")[:, None],
            b_shift=(node.frac("b_re") + u - state)[:, None],
            c_shift=(node.frac("c_re") + state - 1 - y)[:, None],  # the 1: y = 2 Re(C x)
            d_shift=node.frac("d") + u - y,
            state_bits=node.bits("drive_re"),
            out_bits=node.out.bits,
        )

    def initial(self, *rows: int) -> State:
        """Return zeros."""
        return {"x": np.zeros((*rows, *self.drive.shape), np.int64)}

    def parts(self, state: State) -> State:
        """Return real and imaginary parts, ``(..., C, N)``."""
        return {name: state["x"][..., i, :, :] for i, name in enumerate(self.states)}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the readout after the state has moved."""
        u = self.entering(operands)
        # four products, each shifted by itself
        turned = product(self.poles, state["x"][..., np.newaxis, :, :, :])
        moved = turned[..., 0, :, :] + turned[..., 1, :, :]
        moved += product(self.gains, u[..., np.newaxis, :, np.newaxis])
        x = state["x"] = self.clipped(moved + self.drive, self.state_bits)
        y = product(self.readout, x).sum(axis=(-3, -1))
        return self.clipped(y + product(self.d, u) + self.bias, self.out_bits)
