"""The differential equations in the NIR file, solved exactly, are the recurrence of the graph.

The solver here knows the file only through NIR's documented equations (`tau dv/dt = v_leak - v +
R I`, `Scale`, `Affine`), not through our reader.
"""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from scipy.linalg import expm

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import DiagonalSSM, Input, Output
from neurossm_converters.formats import nir as neurossm_nir

DT = 2e-3
STEPS = 40


def recurrence(node: DiagonalSSM, u: np.ndarray) -> np.ndarray:
    """Return ``y`` (T, C) by the equations in the docstring of `DiagonalSSM`."""
    a, b, c, drive = (
        getattr(node, f"{name}_re") + 1j * getattr(node, f"{name}_im")
        for name in ("a", "b", "c", "drive")
    )
    x, y = np.zeros_like(a), []
    for now in u:
        x = a * x + b * now[:, None] + drive
        y.append(2 * (c * x).sum(axis=1).real + node.d * now + node.bias)
    return np.array(y)


def solve(sub: nir.NIRGraph, u: np.ndarray, dt_ms: float) -> np.ndarray:
    """Return the sub-graph's output at the end of each step, its input held during the step."""
    part = sub.nodes
    size = len(part["x_re"].tau)
    state, y = np.zeros((size, 2)), []
    step = np.zeros((size, 2, 4))
    for m in range(size):
        # d/dt (x_re, x_im, I_re, I_im), the two inputs constant
        generator = np.zeros((4, 4))
        for row, (name, other) in enumerate([("x_re", "rot_ri"), ("x_im", "rot_ir")]):
            tau, r = part[name].tau[m], part[name].r[m]
            generator[row, row] = -1 / tau
            generator[row, 1 - row] = r / tau * part[other].scale[m]
            generator[row, 2 + row] = r / tau
        step[m] = expm(generator * dt_ms)[:2]
    for now in u:
        inputs = [part[name].weight @ now + part[name].bias for name in ("B_re", "B_im")]
        state = np.einsum("mij,mj->mi", step, np.column_stack([state, *inputs]))
        c_re, c_im = part["C_re"], part["C_im"]
        out = c_re.weight @ state[:, 0] + c_re.bias + c_im.weight @ state[:, 1]
        y.append(out + part["D"].scale * now)
    return np.array(y)


def poles(kind: str, channels: int, modes: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    shape = (channels, modes)
    if kind == "trained":  # S4D-Lin with steps from 1e-3 to 1e-1
        step = np.logspace(-3, -1, channels)[:, None]
        return np.exp(step * (-0.5 + 1j * np.pi * np.arange(modes)))
    if kind == "slow":
        return np.exp(-(10.0 ** rng.uniform(-7, -4, shape)) + 1e-5j * rng.standard_normal(shape))
    if kind == "fast":
        return 0.01 * np.exp(1j * rng.uniform(-np.pi, np.pi, shape))
    if kind == "beyond half a turn":  # Delta Im A of up to 10 turns; the pole aliases
        return np.exp(-0.05 + 1j * rng.uniform(-20 * np.pi, 20 * np.pi, shape))
    if kind == "negative and real":
        return -rng.uniform(0.1, 0.99, shape) + 0j
    if kind == "positive and real":
        return rng.uniform(0.1, 0.99, shape) + 0j
    raise ValueError(kind)


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
@pytest.mark.parametrize(
    "kind",
    ["trained", "slow", "fast", "beyond half a turn", "negative and real", "positive and real"],
)
def test_the_exact_solution_is_the_recurrence(tmp_path: Path, kind: str, method: str):
    rng, shape = np.random.default_rng(2), (3, 4)
    pole = poles(kind, *shape)
    node = DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=rng.standard_normal(shape),
        b_im=rng.standard_normal(shape), c_re=rng.standard_normal(shape),
        c_im=rng.standard_normal(shape), d=rng.standard_normal(3),
        drive_re=rng.standard_normal(shape), drive_im=rng.standard_normal(shape),
        bias=rng.standard_normal(3), step_size=np.full(3, 0.1), method=method,
    )  # fmt: skip
    graph = Graph(
        {"x": Input(channels=3, out=Fixed(8, 0)), "ssm": node, "y": Output(channels=3)},
        (("x", "ssm"), ("ssm", "y")),
        DT,
    )
    neurossm_nir.write(graph, tmp_path / "model.nir")
    sub = nir.read(tmp_path / "model.nir").nodes["ssm"]
    u = rng.standard_normal((STEPS, 3))
    expected = recurrence(node, u)
    found = solve(sub, u, dt_ms=1e3 * DT)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    assert np.all(sub.nodes["x_re"].tau > 0)

    turn = np.abs(np.angle(pole)).max()
    assert sub.metadata["max_rotation_rad_per_step"] == pytest.approx(turn, rel=1e-12, abs=1e-15)
    assert sub.metadata["trained_discretization"] == method
    assert (sub.metadata["dt"], sub.metadata["dt_unit"], sub.metadata["tau_unit"]) == (
        DT,
        "s",
        "ms",
    )


def test_a_zero_order_hold_gives_back_the_parameters_that_were_discretized():
    # continuous A, B per second; abar and bbar by the textbook formula
    a = np.array([[-3.0 + 40j, -0.5 + 0j]])
    b = np.array([[1.0 + 2j, -0.7 + 0j]])
    pole = np.exp(a * DT)
    gain = (pole - 1) / a * b
    zeros = np.zeros((1, 2))
    node = DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=gain.real, b_im=gain.imag, c_re=zeros, c_im=zeros,
        d=np.zeros(1), drive_re=zeros, drive_im=zeros, bias=np.zeros(1),
        step_size=np.array([DT]), method="zoh",
    )  # fmt: skip
    graph = Graph(
        {"x": Input(channels=1, out=Fixed(8, 0)), "ssm": node, "y": Output(channels=1)},
        (("x", "ssm"), ("ssm", "y")),
        DT,
    )
    part = neurossm_nir.to_nir(graph).nodes["ssm"].nodes
    np.testing.assert_allclose(part["x_re"].tau, [1e3 / 3, 1e3 / 0.5], rtol=1e-12)  # milliseconds
    np.testing.assert_allclose(part["rot_ir"].scale, [0.040, 0], rtol=1e-12)
    np.testing.assert_allclose(part["B_re"].weight[:, 0], [1e-3, -0.7e-3], rtol=1e-11)
    np.testing.assert_allclose(part["B_im"].weight[:, 0], [2e-3, 0], rtol=1e-11, atol=1e-17)
