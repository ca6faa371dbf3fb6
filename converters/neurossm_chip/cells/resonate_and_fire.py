"""Step kernel of `ResonateAndFire`: one complex state a neuron, and a spike on its real part."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class ResonateAndFire(Cell):
    """Rotate, decay, drive, compare the real part, reset it.

    A complex drive arrives as the real parts of all neurons, then their imaginary parts.
    """

    registers: ClassVar[dict[str, int]] = {
        "theta": 32, "a_re": 16, "a_im": 16, "a_shift": 32, "right": 32, "soft": 32,
        "complex_drive": 32, "state_bits": 32,
    }  # fmt: skip
    states = ("re", "im")

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        get, shift = self.integers, self.integers("a_shift")
        self.theta, self.unit = get("theta"), scaled(1, get("right"))
        self.a_re, self.a_im = scaled(get("a_re"), shift), scaled(get("a_im"), shift)
        self.soft, self.both = bool(self.number("soft")), bool(self.number("complex_drive"))
        self.state_bits = self.number("state_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return thresholds, poles, shifts, the reset, the kind of drive, the width of states."""
        found: Variables = {name: node.values(name) for name in ("theta", "a_re", "a_im")}
        both = node.fields["drive"] == "complex"
        own = np.tile(node.frac("theta"), 2 if both else 1)
        return dict(
            found,
            a_shift=node.frac("a_re"),
            right=arriving[0].frac - own,
            soft=int(node.fields["reset"] == "soft"),
            complex_drive=int(both),
            state_bits=node.bits("theta"),
        )

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the spikes."""
        driven, (re, im) = product(self.unit, self.entering(operands)), (state["re"], state["im"])
        size = self.channels
        # four products, each shifted by itself
        moved = product(self.a_re, re) - product(self.a_im, im) + driven[..., :size]
        turned = product(self.a_re, im) + product(self.a_im, re)
        if self.both:
            turned = turned + driven[..., size:]
        kept = self.clipped(moved, self.state_bits)
        fires = kept > self.theta - 1
        state["re"] = kept - np.where(fires, self.theta, 0) if self.soft else kept
        state["im"] = self.clipped(turned, self.state_bits)
        return fires.astype(np.int64)
