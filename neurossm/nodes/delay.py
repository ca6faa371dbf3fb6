"""Activations that arrive some steps later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import shown
from neurossm.errors import GraphError
from neurossm.fixed import shift
from neurossm.nodes.arriving import Arriving, Finding, Quantizing
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.span import FanIn, Found
from neurossm.nodes.step import Carried, Change, Evaluated, Reals, Step
from neurossm.nodes.traits import ByChannel, Meets, Role

LEFT = 28  # bits that an activation may be shifted to the left


@node
class Delay(ByChannel, Node):
    """Delay: ``y_t = u_{t-n}``, and 0 before the start, shape ``(C,)``.

    What it sends at a step does not depend on what arrives at that step, so edges may form a cycle
    through it: recurrent synapses are ``LIF -> Delay -> Affine -> LIF``.

    Integer: ``y_t = sat(tz(u_{t-n}, u.frac - out.frac))``. Both formats are the same, and then it
    is exact, but for a Delay that hands graded spikes back in a cycle.

    On Loihi 2 this is the delay of synapses, of at most 63 steps; in NIR it is a ``Delay``.

    Parameters
    ----------
    channels
        C.
    steps
        n, whole numbers from 1 to 63: ``(C,)``, or one for all channels.
    """

    channels: int
    steps: NDArray[np.int64]

    role: ClassVar[Role] = Role.DELAY
    meets: ClassVar[Meets] = Meets.ONE
    operands: ClassVar[int] = 1
    late: ClassVar[bool] = True
    longest: ClassVar[int] = 63

    def __post_init__(self) -> None:
        super().__post_init__()
        given = np.asarray(self.steps)
        fits = given.dtype.kind in "iuf" and given.shape in ((), (1,), (self.channels,))
        if not fits or not np.all((given >= 1) & (given <= self.longest) & (given % 1 == 0)):
            expected = f"whole numbers from 1 to {self.longest}, one or {self.channels}"
            if given.dtype.kind not in "iuf":
                got = shown(self.steps)
            else:
                got = f"{given.min():g} to {given.max():g}" if fits else f"shape {given.shape}"
            raise GraphError("Delay.steps", expected=expected, got=got)
        steps = np.broadcast_to(given, (self.channels,)).astype(np.int64)
        steps.setflags(write=False)
        object.__setattr__(self, "steps", steps)

    @property
    def updates(self) -> int:
        """None: it is a property of synapses."""
        return 0

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Spikes go on as they are; graded spikes may change their unit."""
        out, arriving = format_of(self), at.formats[0]
        if (out.is_spike or arriving.is_spike) and out != arriving:
            yield f"the format {arriving} that arrives", str(out)
        if out.frac - arriving.frac > LEFT:
            yield f"a left shift of at most {LEFT}", str(out.frac - arriving.frac)

    def quantize(self, to: Quantizing) -> Self:
        """Take the format that arrives; its own range decides where that is not known yet.

        In a cycle what arrives may follow from what this sends.
        """
        formats = to.arriving.formats
        return replace(self, out=formats[0] if formats else to.message())

    def bound(self, at: FanIn) -> Found:
        """Nothing, or what arrived."""
        span = at.u.with_zero()
        spikes = at.out is not None and at.out.is_spike
        return (span, ()) if spikes else at.message(span)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield delays of one number for all channels, and of one each."""
        for size in (1, channels := int(rng.integers(1, 5))):
            yield cls(channels=channels, steps=rng.integers(1, 8, size))

    def dense(self, operands: int) -> DenseOperations:
        """Return none: nothing is computed."""
        return DenseOperations()

    def notices(self, at: Change) -> Reals:
        """Return what matters of its own activations."""
        return at.own

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return what waits: row k is sent k steps later, rows from n on are 0."""
        return {"waiting": (int(self.steps.max()), self.channels)}

    def send(self, state: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the activations that have waited long enough."""
        sent: NDArray[Any] = state["waiting"][:, 0]
        return sent

    def take(self, at: Step) -> None:
        """Let the others move up, and put what arrives behind them."""
        (u,), out, waiting = at.operands, format_of(self), at.state["waiting"]
        if at.formats[0] != out:
            u = at.saturate(shift(u, at.frac - out.frac), out.bits)
        moved = np.zeros_like(waiting)
        moved[:, :-1] = waiting[:, 1:]
        moved[:, self.steps - 1, np.arange(self.channels)] = u
        at.state["waiting"] = moved

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Return the sequences moved by the delay of each channel."""
        (u,) = operands
        waiting = self.before(len(u), state)["waiting"]
        sent, left = np.empty_like(u), np.zeros_like(waiting)
        for n in np.unique(self.steps):
            here = self.steps == n
            all_of_them = np.concatenate([waiting[:, :n, here], u[:, :, here]], axis=1)
            sent[:, :, here] = all_of_them[:, : u.shape[1]]
            left[:, :n, here] = all_of_them[:, u.shape[1] :]
        if state is not None:
            state["waiting"] = left
        return Evaluated(sent, {})
