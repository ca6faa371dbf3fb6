"""Step kernel of `LIF`: leaky integrate-and-fire neurons."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class LIF(Cell):
    """Decay, integrate, compare, reset, then the refractory variable for the next step."""

    registers: ClassVar[dict[str, int]] = {
        "theta": 32, "tau": 32, "rho": 32, "kappa": 32, "leak_shift": 32, "right": 32,
        "hard": 32, "soft": 32, "state_bits": 32,
    }  # fmt: skip
    states = ("u", "r")

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.theta, self.kappa = self.integers("theta"), self.integers("kappa")
        leak = self.number("leak_shift")
        self.tau, self.rho = (scaled(self.integers(name), leak) for name in ("tau", "rho"))
        self.unit = scaled(1, self.integers("right"))
        self.hard, self.soft = bool(self.number("hard")), bool(self.number("soft"))
        self.state_bits, self.traced = self.number("state_bits"), bool(self.kappa.any())

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return thresholds, leaks and trace, shifts, the reset, the width of the membrane."""
        found: Variables = {name: node.values(name) for name in ("theta", "tau", "rho", "kappa")}
        reset = node.fields["reset"]
        return dict(
            found,
            leak_shift=node.one_frac("tau"),
            right=arriving[0].frac - node.frac("theta"),
            hard=int(reset == "hard"),
            soft=int(reset == "soft"),
            state_bits=node.bits("theta"),
        )

    @classmethod
    def kept(cls, node: Node) -> tuple[str, ...]:
        """Return both parts, or the membrane alone where no spike leaves a trace."""
        return cls.states if node.values("kappa").any() else ("u",)

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the spikes."""
        decayed = product(self.tau, state["u"])
        entering = product(self.unit, self.entering(operands))
        membrane = self.clipped(decayed + entering, self.state_bits)
        fires = membrane > state["r"] + self.theta - 1
        if self.hard:
            membrane[fires] = 0
        elif self.soft:
            membrane -= np.where(fires, self.theta, 0)
        state["u"] = membrane
        if self.traced:
            left = product(self.rho, state["r"]) + np.where(fires, self.kappa, 0)
            state["r"] = self.clipped(left, self.state_bits)
        return fires.astype(np.int64)
