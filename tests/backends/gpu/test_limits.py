"""Recurrences at the ends of their formats, by the equations of FORMAT.md in Python's integers.

States of 24 bits that saturate at both ends, poles next to the unit circle on every axis, ties and
shifts of any size to either side.
"""

from __future__ import annotations

from contextlib import nullcontext
from itertools import cycle, islice, pairwise

import numpy as np
import pytest
import triton_compiled
from spiking_block import integers

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    AdaptiveThreshold,
    ComplexDiagonal,
    DiagonalSSM,
    Input,
    Node,
    Output,
)
from neurossm.trace import Trace

END = 2**23 - 1
STEPS = 24
# both ends, twice in a row too; units and what is halfway between two of them after a shift
SENT = (END, -END, -END, 1, -1, 0, END, END, 64, -64, 63, -65, 2**22, -(2**22), 3)
WAYS = pytest.mark.parametrize(
    "way", [nullcontext, triton_compiled.instead_of_starting], ids=["interpreted", "compiled"]
)


def tz(product: int, right: int) -> int:
    """Return a product shifted toward zero."""
    size = abs(product) >> right if right >= 0 else abs(product) << -right
    return size if product > 0 else -size


class Clipped:
    """Saturates, and counts what did."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, value: int, limit: int = END) -> int:
        self.count += abs(value) > limit
        return max(-limit, min(limit, value))


def inputs(channels: int) -> np.ndarray:
    """Return two sequences of other order; ``(2, STEPS, channels)``."""
    sent = list(islice(cycle(SENT), 2 * STEPS * channels))
    return np.array([sent[: STEPS * channels], sent[STEPS * channels :][::-1]]).reshape(
        2, STEPS, channels
    )


def traced(node: Node, way: object) -> tuple[np.ndarray, Trace]:
    """Return what comes into a node between an input and an output, and its run."""
    u = inputs(node.in_channels)
    nodes = {"in": Input(channels=node.in_channels, out=Fixed(24)), "x": node,
             "out": Output(channels=node.out_channels, out=node.out)}  # fmt: skip
    with way():
        return u, run(Graph(nodes, tuple(pairwise(nodes))), u, "gpu:device=interpreter")


POLES = [(32767, 0), (-32767, 0), (0, 32767), (0, -32767), (-23170, 23169)]
GAINS = [127, -127, 1, 0, -1]


@WAYS
@pytest.mark.parametrize(
    "shifts",
    # what is fed past the states is larger than what is read of them, and much larger
    [(0, 0, 0), (-20, -14, -14), (7, 3, 40), (31, 30, 29), (63, 62, 63), (1, 3, -14), (1, 8, -14)],
)
def test_states_of_a_state_space_model(shifts, way):
    b_shift, c_shift, d_shift = shifts
    modes, channels = len(POLES), 2
    gains = np.array([GAINS, GAINS[::-1]])
    drive = np.array([[END, -END, 5, 0, -1], [0, 0, 1, -END, END]])
    a = np.array([POLES, POLES[::-1]])
    node = DiagonalSSM(
        a_re=integers(a[:, :, 0], 15, 16), a_im=integers(a[:, :, 1], 15, 16),
        b_re=integers(gains, b_shift), b_im=integers(-gains[:, ::-1], b_shift),
        c_re=integers(gains[:, ::-1], c_shift + 1), c_im=integers(gains, c_shift + 1),
        d=integers([127, -127], d_shift), drive_re=integers(drive, 0, 24),
        drive_im=integers(drive[::-1], 0, 24), bias=integers([-END, 7], 0, 24),
        step_size=np.full(channels, 0.1), method="zoh", out=Fixed(24),
    )  # fmt: skip
    u, trace = traced(node, way)
    clip, reached = Clipped(), set()
    for sample in range(2):
        for c in range(channels):
            re, im = [0] * modes, [0] * modes
            for t in range(STEPS):
                now, y = int(u[sample, t, c]), int(node.bias.values[c])
                for n, (p, q) in enumerate(a[c].tolist()):
                    b_re, b_im = int(gains[c, n]), -int(gains[c, -1 - n])
                    c_re, c_im = int(gains[c, -1 - n]), int(gains[c, n])
                    new_re = tz(p * re[n], 15) - tz(q * im[n], 15) + tz(b_re * now, b_shift)
                    new_im = tz(p * im[n], 15) + tz(q * re[n], 15) + tz(b_im * now, b_shift)
                    re[n] = clip(new_re + int(drive[c, n]))
                    im[n] = clip(new_im + int(drive[1 - c, n]))
                    y += tz(c_re * re[n], c_shift) - tz(c_im * im[n], c_shift)
                    reached |= {re[n], im[n]}
                y = clip(y + tz(int(node.d.values[c]) * now, d_shift))
                assert trace.values["x"][sample, t, c] == y, (sample, t, c)
            assert trace.states["x.re"][sample, c].tolist() == re
            assert trace.states["x.im"][sample, c].tolist() == im
    assert trace.counts["x"].saturations == clip.count > 20
    assert {END, -END} <= reached


@WAYS
@pytest.mark.parametrize(
    ("right", "reset"),
    [(0, "hard"), (1, "soft"), (7, "none"), (31, "hard"), (64, "soft"), (-1, "none"), (-5, "soft"),
     (-26, "hard"), (0, "none"), (-1, "soft")],
)  # fmt: skip
def test_membranes_and_traces(right, reset, way):
    one = 2**20
    theta, kappa = [END, 1, 40, END - 1, 2], [END, 0, 3, 1, END - 1]
    tau, rho = [one, one - 1, one // 2, 0, 1], [one - 1, 0, one // 2, one // 4 + 1, one]
    node = LIF(
        theta=integers(theta, -right, 24), tau=integers(tau, 20, 22), rho=integers(rho, 20, 22),
        kappa=integers(kappa, -right, 24), reset=reset,
    )  # fmt: skip
    u, trace = traced(node, way)
    clip, fired = Clipped(), 0
    for sample in range(2):
        for c in range(len(theta)):
            v = r = 0
            for t in range(STEPS):
                v = clip(tz(tau[c] * v, 20) + tz(int(u[sample, t, c]), right))
                spike = v - r >= theta[c]
                r = clip(tz(rho[c] * r, 20) + kappa[c] * spike)
                if spike and reset != "none":
                    v = 0 if reset == "hard" else v - theta[c]
                fired += spike
                assert trace.values["x"][sample, t, c] == spike, (sample, t, c)
            assert trace.states["x.u"][sample, c] == v and trace.states["x.r"][sample, c] == r
    assert trace.counts["x"].saturations == clip.count
    assert trace.counts["x"].spikes_out == fired
    assert fired > 0 or right > 23
    assert clip.count > 0 or right > 0


@WAYS
@pytest.mark.parametrize("right", [0, 1, 6, 30, 31, 64, -1, -28])
def test_running_sums(right, way):
    node = Accumulate(channels=3, steps=2, term_bits=23, out=Fixed(24, -right))
    u, trace = traced(node, way)
    clip = Clipped()
    for sample in range(2):
        for c in range(3):
            total = 0
            for t in range(STEPS):
                total = clip(total + clip(tz(int(u[sample, t, c]), right), 2**22 - 1))
                assert trace.values["x"][sample, t, c] == total, (sample, t, c)
            assert trace.states["x.sum"][sample, c] == total
    assert trace.counts["x"].saturations == clip.count
    assert clip.count > 0 or right > 0


# fraction bits of what arrives, of the state and of what is sent; sent, finer than the state, by
# up to the most that FORMAT.md allows
@WAYS
@pytest.mark.parametrize("gate", ["none", "relu"])
@pytest.mark.parametrize(
    ("state", "sent"), [(0, 0), (-3, 0), (1, -2), (26, 20), (-31, -8), (-64, -64), (8, 36)]
)
def test_complex_states_that_send_both_parts(state, sent, gate, way):
    a, states = POLES[::-1], len(POLES)
    fracs = [state, *[state + 1] * (states - 1)]
    node = ComplexDiagonal(
        a_re=integers([p for p, _ in a], 15, 16), a_im=integers([q for _, q in a], 15, 16),
        gate=gate, state_bits=24, state_frac=np.array(fracs), out=Fixed(22, sent),
    )  # fmt: skip
    u, trace = traced(node, way)
    clip, reached, held, none = Clipped(), set(), 0, 0
    for sample in range(2):
        for c, (p, q) in enumerate(a):
            re = im = 0
            for t in range(STEPS):
                now_re, now_im = int(u[sample, t, c]), int(u[sample, t, states + c])
                new_re = tz(p * re, 15) - tz(q * im, 15) + tz(now_re, -fracs[c])
                new_im = tz(p * im, 15) + tz(q * re, 15) + tz(now_im, -fracs[c])
                re, im = clip(new_re), clip(new_im)
                reached |= {re, im}
                parts = (0, 0) if gate == "relu" and re <= 0 else (re, im)
                held += parts != (re, im)
                none += re == 0 != im
                y = [clip(tz(part, fracs[c] - sent), 2**21 - 1) for part in parts]
                assert trace.values["x"][sample, t, [c, states + c]].tolist() == y, (sample, t, c)
            assert trace.states["x.re"][sample, c] == re and trace.states["x.im"][sample, c] == im
    assert trace.counts["x"].saturations == clip.count
    assert (clip.count > 0 and {END, -END} <= reached) or state < 0
    assert held > 0 or gate == "none" or state < -23
    assert none > 0 or state != -3  # a real part of 0 is not above it


@WAYS
@pytest.mark.parametrize("reach", [1, 3, 16])
def test_thresholds_that_candidates_raise(reach, way):
    theta = [1, 64, 2**22, END, END - 1]
    taps = [[0] * reach, [1, END, 2] * 6, [63, 0, 2**22] * 6, [END] * reach, [0] * 15 + [END]]
    taps = [row[:reach] for row in taps]
    node = AdaptiveThreshold(theta=integers(theta, 0, 24), taps=integers(taps, 0, 24))
    u, trace = traced(node, way)
    fired = candidates = 0
    for sample in range(2):
        for c, first in enumerate(theta):
            earlier = [0] * reach
            for t in range(STEPS):
                now = int(u[sample, t, c])
                raised = first + sum(tap for tap, up in zip(taps[c], earlier, strict=True) if up)
                assert trace.values["x"][sample, t, c] == (now >= raised), (sample, t, c)
                earlier = [int(now >= first), *earlier[:-1]]
                fired, candidates = fired + (now >= raised), candidates + earlier[0]
            assert trace.states["x.candidates"][sample, :, c].tolist() == earlier
    assert trace.counts["x"].spikes_out == fired
    assert 0 < fired < candidates
