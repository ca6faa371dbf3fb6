"""The float engine against plain NumPy recurrences, and the ranges that it leaves behind."""

import subprocess
import sys

import numpy as np
import pytest
from spiking_block import integers, model_graph, model_input

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    BatchNorm,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)

RNG = np.random.default_rng(4)
C, N, S, T = 2, 3, 5, 12
INPUTS = RNG.integers(-100, 101, (S, T, C))
U = INPUTS / 8  # 3 fraction bits


def evaluate(node: Node, *more: np.ndarray) -> np.ndarray:
    """Run a node on INPUTS, and on further inputs of the same format.

    What the engine computes, by a faster form or not, is what the node itself says.
    """
    arrays = [INPUTS, *more]
    nodes: dict[str, Node] = {
        f"in{k}": Input(channels=C, out=Fixed(8, 3)) for k in range(len(arrays))
    }
    edges = [(name, "node") for name in nodes]
    data = dict(zip(nodes, arrays, strict=True))
    nodes |= {"node": node, "out": Output(channels=node.out_channels)}
    trace = run(Graph(nodes, (*edges, ("node", "out"))), data, "float")
    own, peaks = node.evaluate([array / 8 for array in arrays])
    np.testing.assert_allclose(trace.values["out"], own, rtol=1e-12, atol=1e-12)
    parts = {name.removeprefix("node.") for name in trace.peaks if name.startswith("node.")}
    assert parts == set(peaks)
    for part, peak in peaks.items():
        np.testing.assert_allclose(trace.peaks[f"node.{part}"], peak, rtol=1e-12)
    return trace.values["out"]


def random_ssm() -> DiagonalSSM:
    gains = {name: RNG.normal(size=(C, N)) for name in ("b_re", "b_im", "c_re", "c_im", "drive_re",
                                                        "drive_im")}  # fmt: skip
    pole = RNG.uniform(0.5, 1, (C, N)) * np.exp(1j * RNG.uniform(-3, 3, (C, N)))
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, **gains, d=RNG.normal(size=C), bias=RNG.normal(size=C),
        step_size=np.ones(C), method="zoh",
    )  # fmt: skip


def complex_recurrence(node: DiagonalSSM, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs (S, T, C) and states (S, T, C, N)."""
    a, b, c = (getattr(node, f"{k}_re") + 1j * getattr(node, f"{k}_im") for k in "abc")
    drive = node.drive_re + 1j * node.drive_im
    x, outputs, states = np.zeros((len(u), C, N), complex), [], []
    for t in range(u.shape[1]):
        x = a * x + b * u[:, t, :, None] + drive
        states.append(x)
        outputs.append(2 * (c * x).sum(-1).real + node.d * u[:, t] + node.bias)
    return np.stack(outputs, 1), np.stack(states, 1)


def test_an_ssm_is_its_complex_recurrence_and_leaves_its_largest_moduli():
    node = random_ssm()
    graph = Graph(
        {"in": Input(channels=C, out=Fixed(8, 3)), "ssm": node, "out": Output(channels=C)},
        (("in", "ssm"), ("ssm", "out")),
    )
    trace = run(graph, INPUTS, "float")
    y, x = complex_recurrence(node, U)
    np.testing.assert_allclose(trace.values["ssm"], y, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(trace.peaks["ssm"], np.abs(y).max((0, 1)), rtol=1e-10)
    np.testing.assert_allclose(trace.peaks["ssm.state"], np.abs(x).max((0, 1)), rtol=1e-10)
    np.testing.assert_array_equal(trace.peaks["in"], np.abs(U).max((0, 1)))


def test_edges_add_into_an_ssm():
    node, more = random_ssm(), RNG.integers(-100, 101, (S, T, C))
    np.testing.assert_allclose(
        evaluate(node, more), complex_recurrence(node, U + more / 8)[0], rtol=1e-10, atol=1e-10
    )


WEIGHT, ROW = RNG.normal(size=(4, C)), RNG.normal(size=4)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Affine(weight=WEIGHT, bias=ROW), np.einsum("oi,sti->sto", WEIGHT, U) + ROW),
        (BatchNorm(gain=[2.0, -3.0], offset=[0.5, 1.0]), U * [2, -3] + [0.5, 1]),
        (Threshold(theta=[0.5, -1.0]), np.where(np.array([0.5, -1.0]) <= U, 1.0, 0.0)),
        (TernaryThreshold(delta=[0.5, 2.0]),
         (np.array([0.5, 2.0]) <= U) * 1.0 - (-np.array([0.5, 2.0]) >= U)),
        (Sum(channels=C), U),
        (Accumulate(channels=C, steps=T), np.add.accumulate(U, 1)),
        (PiecewiseLinear(function="relu", max_error=0.0, channels=C, knots=[-1.0, 1.0],
                         slopes=[0.0, 2.0, -1.0], offsets=[3.0, 4.0, 5.0]),
         np.where(U < -1, 3, np.where(U < 1, 2 * U + 4, 5 - U))),
    ],
)  # fmt: skip
def test_nodes_on_real_numbers(node, expected):
    np.testing.assert_allclose(evaluate(node), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reset", LIF.resets)
@pytest.mark.parametrize("kappa", [0.0, 1.5])
def test_leaky_neurons_are_their_recurrence_and_leave_what_arrived(reset, kappa):
    theta, tau, rho = np.array([1.0, 2.5]), np.array([0.9, 0.3]), np.array([0.5, 0.8])
    node = LIF(theta=theta, tau=tau, rho=rho, kappa=np.full(C, kappa), reset=reset)
    more = RNG.integers(-100, 101, (S, T, C))
    u, r, s = np.zeros((3, S, C))
    expected, arriving = [], U + more / 8
    for t in range(T):  # with s of the step before, as the published equations have it
        membrane = tau * u + arriving[:, t]
        r = rho * r + kappa * s
        s = (membrane - r >= theta).astype(float)
        u = {"hard": membrane * (1 - s), "soft": membrane - theta * s, "none": membrane}[reset]
        expected.append(s)
    found = evaluate(node, more)
    np.testing.assert_array_equal(found, np.stack(expected, 1))
    assert 0.1 < found.mean() < 0.9
    trace = run(
        Graph({"in": Input(channels=C, out=Fixed(8, 3)), "node": node, "out": Output(channels=C)},
              (("in", "node"), ("node", "out"))), INPUTS, "float",
    )  # fmt: skip
    np.testing.assert_array_equal(trace.peaks["node.input"], np.abs(U).max((0, 1)))


def test_a_token_is_its_row_in_real_numbers():
    table, tokens = RNG.normal(size=(6, 3)), RNG.integers(0, 6, (S, T, 1))
    nodes = {"in": Input(channels=1, out=Fixed(8)), "table": Embedding(table=table)}
    graph = Graph(nodes | {"out": Output(channels=3)}, (("in", "table"), ("table", "out")))
    found = run(graph, tokens, "float").values["out"]
    np.testing.assert_array_equal(found, table[tokens[:, :, 0]])


def test_a_product_multiplies_and_a_sum_adds_its_operands():
    more = RNG.integers(-100, 101, (S, T, C))
    np.testing.assert_array_equal(evaluate(Product(channels=C), more), U * more / 8)
    np.testing.assert_array_equal(evaluate(Sum(channels=C), more), U + more / 8)


def test_an_integer_graph_is_read_as_the_real_numbers_it_stands_for():
    node = Affine(weight=integers([[3, -2]], 2), bias=integers([5], 5, 24), out=Fixed(24, 5))
    np.testing.assert_array_equal(evaluate(node), (U @ [[0.75], [-0.5]]) + 5 / 32)
    graph = model_graph(blocks=1, channels=3, modes=2, classes=2)
    trace = run(graph, model_input(6), "float")
    assert all(np.isfinite(value).all() for value in trace.values.values())


def test_samples_do_not_mix_over_blocks():
    node = random_ssm()
    whole = evaluate(node)  # 5 samples: a block of 4 and one of 1
    graph = Graph(
        {"in": Input(channels=C, out=Fixed(8, 3)), "node": node, "out": Output(channels=C)},
        (("in", "node"), ("node", "out")),
    )
    for k in range(S):
        one = run(graph, INPUTS[k : k + 1], "float").values["node"]
        np.testing.assert_array_equal(one[0], whole[k])


def test_what_numba_imports_at_a_call_is_there_before_threads_call():
    # two threads that import numpy.ma at once end in a RecursionError of NumPy's
    code = "import sys, neurossm.engine.kernels; print('numpy.ma' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
