"""Spikes by comparing with a threshold that earlier candidates of spikes raise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import (
    ACCUMULATOR_BITS,
    MESSAGE_BITS,
    Fixed,
    Quantized,
    ceil_to,
    symmetric_limit,
)
from neurossm.nodes.arriving import Arriving, Finding, Quantizing
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Role
from neurossm.nodes.values import Array, integers, quantized, reals


@node
class AdaptiveThreshold(Node):
    """Spike above a threshold that the last K candidates raise; no membrane, no reset.

    At each step with input ``y``::

        c_t = 1[y_t >= theta]                                       a candidate
        s_t = 1[y_t >= theta + sum_k taps_k c_{t-1-k}]              k = 0 .. K-1; s is sent

    Candidates do not see the raised threshold, so all steps can be computed at once. A spike is
    always a candidate.

    Integer: theta and taps have the exponent of the input, by channel where it has one each.
    theta is rounded up, as that of a `Threshold`; each tap is rounded so that ``theta + tap`` is
    rounded up (`rounded_taps`). So the candidates, and the spikes with at most one candidate among
    the last K steps, are those of the real parameters on the same inputs; with n candidates the sum
    is off by less than n units of the input, to either side. Sums are exact, within 29 bits. A tap
    that does not fit its width stands for a threshold that nothing reaches.

    Source: D-RF, arXiv 2509.17186 (the causal filter of its adaptive threshold).

    Parameters
    ----------
    theta
        Threshold without candidates, ``(C,)``, above 0.
    taps
        What a candidate k + 1 steps ago adds to it, ``(C, K)``, at least 0; K from 1 to 16.
    """

    theta: Array = parameter(
        "C", exponent="input", rounding="up", above=0, label="threshold",
        reason="the input's exponent, rounded up: comparing stays exact",
    )  # fmt: skip
    taps: Array = parameter("CK", at_least=0)

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.binary()
    most_taps: ClassVar[int] = 16
    nir: ClassVar[str] = "NIR has no threshold that earlier spikes raise"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reach > self.most_taps:
            raise GraphError(
                "AdaptiveThreshold.taps",
                expected=f"1 to {self.most_taps} taps a channel",
                got=str(self.reach),
            )

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    @property
    def reach(self) -> int:
        """K, for how many steps a candidate raises the threshold."""
        return self.taps.shape[1]

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the last candidates, 0 or 1: row k is that of k + 1 steps ago."""
        return {"candidates": (self.reach, self.in_channels)}

    @property
    def state_words(self) -> int:
        """One for each channel: candidates are bits."""
        return self.in_channels

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where the taps do not have the unit of the threshold."""
        theta, taps = quantized(self.theta), quantized(self.taps)
        units = theta.frac_by_channel(), taps.frac_by_channel()[:, 0]
        if not np.array_equal(*units):
            yield f"exponent of taps {theta.frac}", str(taps.frac)
        if taps.bits > MESSAGE_BITS:
            yield f"taps of at most {MESSAGE_BITS} bits", f"{taps.bits} bits"

    def quantize(self, to: Quantizing) -> Self:
        """Return it with its threshold rounded up, and each sum with one tap."""
        theta = to.parameter("theta", self.out)
        return replace(self, theta=theta, taps=rounded_taps(self, theta))

    def explain(self) -> Iterator[tuple[str, str, str]]:
        """Yield the format of the taps."""
        theta = quantized(self.theta)
        ends = sorted({int(theta.frac_by_channel().min()), int(theta.frac_by_channel().max())})
        unit = "..".join(str(end) for end in ends)
        yield "taps", f"s{MESSAGE_BITS}.{unit}", "the threshold's exponent; theta + tap rounded up"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield one tap, and several of which some are 0."""
        for reach in (1, int(rng.integers(2, 6))):
            theta = rng.uniform(0.2, 1.5, int(rng.integers(1, 5)))
            taps = rng.uniform(-0.3, 1.0, (len(theta), reach))
            yield cls(theta=theta, taps=np.maximum(taps, 0.0))

    def notices(self, at: Change) -> Reals:
        """Return its thresholds without candidates."""
        return reals(self.theta)

    def dense(self, operands: int) -> DenseOperations:
        """Return the sums in front and one addition a tap: comparisons are not counted."""
        adds = self.in_channels * self.reach + self.converging(operands)
        return DenseOperations(adds=adds)

    @property
    def note(self) -> str:
        """For how long a candidate raises the threshold."""
        return f"raised for {self.reach} step{'s' if self.reach > 1 else ''} by each candidate"

    def step(self, at: Step) -> Integers:
        """Compare, raise by the earlier candidates, compare, move the candidates on."""
        theta, taps, earlier = integers(self.theta), integers(self.taps), at.state["candidates"]
        candidate = at.u >= theta
        # a candidate selects its tap: nothing is multiplied
        raised = theta + np.where(earlier > 0, taps.T, 0).sum(axis=1)
        spikes = at.u >= raised
        newest = np.where(candidate, 1, np.zeros_like(earlier[:, 0]))
        at.state["candidates"] = np.concatenate([newest[:, None], earlier[:, :-1]], axis=1)
        return np.asarray(spikes, dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Compare, all steps at once."""
        u, theta, taps = added(operands), reals(self.theta), reals(self.taps)
        earlier = self.before(len(u), state)["candidates"]
        candidates = np.concatenate([earlier[:, ::-1], u >= theta], axis=1)
        steps, raised = u.shape[1], np.broadcast_to(theta, u.shape)
        for k in range(self.reach):
            first = self.reach - 1 - k
            raised = raised + taps[:, k] * candidates[:, first : first + steps]
        if state is not None:
            state["candidates"] = candidates[:, -self.reach :][:, ::-1].copy()
        return Evaluated((u >= raised).astype(np.float64), {})


def rounded_taps(real: AdaptiveThreshold, theta: Quantized) -> Quantized:
    """Return the taps of a float node as integers with the unit of its integer thresholds.

    ``ceil(theta + tap) - ceil(theta)``: comparing with one candidate is exact, and on average
    nothing is added. Where that is beyond the width the largest integer stands for it: the raised
    threshold is then above all that arrives. Where theta is out of reach there are no candidates.

    Parameters
    ----------
    real
        Float node.
    theta
        Its thresholds, ``(C,)``, rounded up.
    """
    frac, limit = theta.frac_by_channel(), symmetric_limit(MESSAGE_BITS)
    # beyond twice the largest integer a sum means that nothing reaches it, wherever it is
    most = np.ldexp(2.0 * limit, -frac)
    alone = ceil_to(np.minimum(np.asarray(real.theta), most), frac, ACCUMULATOR_BITS)
    sums = np.minimum(np.asarray(real.theta)[:, None] + np.asarray(real.taps), most[:, None])
    raised = ceil_to(sums, frac[:, None], ACCUMULATOR_BITS)
    return Quantized(np.minimum(raised - alone[:, None], limit), theta.frac, MESSAGE_BITS)
