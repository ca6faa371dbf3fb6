"""Step kernel of `AdaptiveLIF`: a membrane, and an adaptation that holds it back."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class AdaptiveLIF(Cell):
    """Decay, integrate, hold back, compare, reset, adapt."""

    registers: ClassVar[dict[str, int]] = {
        "theta": 32, "tau": 32, "rho": 32, "a": 16, "b": 32, "leak_shift": 32, "right": 32,
        "held_shift": 32, "a_shift": 32, "hard": 32, "soft": 32, "before": 32, "u_bits": 32,
        "w_bits": 32,
    }  # fmt: skip
    states = ("u", "w")

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        get, leak = self.integers, self.number("leak_shift")
        self.theta, self.b = get("theta"), get("b")
        self.tau, self.rho = (scaled(get(name), leak) for name in ("tau", "rho"))
        self.unit, self.held = scaled(1, get("right")), scaled(1, get("held_shift"))
        self.a = scaled(get("a"), get("a_shift"))
        self.hard, self.soft = bool(self.number("hard")), bool(self.number("soft"))
        self.before = bool(self.number("before"))
        self.u_bits, self.w_bits = self.number("u_bits"), self.number("w_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return thresholds, leaks, couplings, shifts, the reset, the widths of both states."""
        found: Variables = {name: node.values(name) for name in ("theta", "tau", "rho", "a", "b")}
        finer, reset = node.frac("b") - node.frac("theta"), node.fields["reset"]
        return dict(
            found,
            leak_shift=node.one_frac("tau"),
            right=arriving[0].frac - node.frac("theta"),
            held_shift=finer,
            a_shift=node.frac("a") - finer,
            hard=int(reset == "hard"),
            soft=int(reset == "soft"),
            before=int(node.fields["adapts_on"] == "before"),
            u_bits=node.bits("theta"),
            w_bits=node.bits("b"),
        )

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the spikes."""
        entering = product(self.unit, self.entering(operands))
        left = product(self.tau, state["u"]) + entering
        kept = self.clipped(left - product(self.held, state["w"]), self.u_bits)
        fires = kept > self.theta - 1
        after = kept
        if self.hard or self.soft:
            after = np.where(fires, kept - self.theta if self.soft else 0, kept)
        adapting = product(self.a, kept if self.before else after)
        more = product(self.rho, state["w"]) + adapting + np.where(fires, self.b, 0)
        state["u"], state["w"] = after, self.clipped(more, self.w_bits)
        return fires.astype(np.int64)
