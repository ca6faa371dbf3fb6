"""Where a membrane rests, starts and is reset to; thresholds that are never reached."""

from __future__ import annotations

import nir
import numpy as np
import pytest
from small_nir import chain, imported, one_neuron, outputs, single, turning

from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, DiagonalSSM

LEAKY = {"tau": 10.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}


def spike_times(graph: Graph, steps: int = 60) -> list[int]:
    return [int(t) for t in np.flatnonzero(outputs(graph, np.zeros((steps, 1)))[:, 0])]


@pytest.mark.parametrize("in_front", [True, False])
def test_a_resting_state_above_the_threshold_spikes_every_18_steps(in_front):
    # 1.2 (1 - exp(-n/10)) > 1 first at n = 18; reset to 0
    node = nir.LIF(**{name: np.array([x]) for name, x in (LEAKY | {"v_leak": 1.2}).items()})
    front = [nir.Linear(np.ones((1, 1)))] if in_front else []
    graph = imported(chain(*front, node), "exact", dt=1e-3)
    assert spike_times(graph) == [17, 35, 53]
    moved = [n for n in graph.nodes.values() if isinstance(n, Affine)]
    assert len(moved) == 1 and moved[0].bias[0] == 1.2  # into what is there, or a node of its own
    assert ("lif.leak" in graph.nodes) != in_front


def test_a_bias_that_others_read_is_left_alone():
    ones = np.ones(1)
    nodes = {"in": nir.Input(ones.astype(int)), "w": nir.Linear(np.ones((1, 1))),
             "n": nir.LIF(10 * ones, ones, 1.2 * ones, ones, 0 * ones),
             "m": nir.LIF(10 * ones, ones, 0 * ones, ones, 0 * ones),
             "out": nir.Output(ones.astype(int))}  # fmt: skip
    edges = [("in", "w"), ("w", "n"), ("w", "m"), ("n", "out"), ("m", "out")]
    graph = imported(nir.NIRGraph(nodes, edges), "exact", dt=1e-3)
    assert graph.nodes["w"].bias[0] == 0 and graph.nodes["n.leak"].bias[0] == 1.2


@pytest.mark.parametrize("convention", ["exact", "euler"])
@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "LI", "CubaLI"])
def test_rest_and_reset_by_a_loop_over_the_equations(kind, convention):
    rng = np.random.default_rng(4)
    inputs = (rng.random((200, 1)) < 0.3).astype(float)
    tau_syn, tau, r, v_leak, v_threshold, v_reset = 4.0, 8.0, 4.0, -0.25, 0.6, -0.5
    fires, slow = "F" in kind, "Cuba" in kind
    common = dict(r=r, v_leak=v_leak) | ({"v_threshold": v_threshold, "v_reset": v_reset} if fires
                                         else {})  # fmt: skip
    times = dict(tau_syn=tau_syn, tau_mem=tau, w_in=1.0) if slow else dict(tau=tau)
    graph = imported(one_neuron(kind, **common, **times), convention, dt=1e-3)

    # small steps of the equations themselves; one of them where that is what Euler means
    parts = 20_000 if convention == "exact" else 1
    v, i, expected = (v_reset if fires else 0.0), 0.0, []
    if convention == "exact":  # propagator of a step, by repeated squaring of a small Euler step
        h = 1.0 / parts
        once = np.eye(4)  # v, i, held input, 1
        once[0] += h / tau * np.array([-1, r if slow else 0, 0 if slow else r, v_leak])
        once[1] += h / tau_syn * np.array([0, -1, 1, 0])
        step = np.linalg.matrix_power(once, parts)
    else:
        step = np.eye(4)
        step[0] += np.array([-1, r if slow else 0, 0 if slow else r, v_leak]) / tau
        step[1] += np.array([0, -1, 1, 0]) / tau_syn
    for u in inputs[:, 0]:
        v, i, _, _ = step @ np.array([v, i, u, 1.0])
        expected.append(float(v > v_threshold) if fires else v)
        v = v_reset if fires and v > v_threshold else v
    assert fires is False or 5 < sum(expected) < 150
    np.testing.assert_allclose(outputs(graph, inputs)[:, 0], expected, atol=1e-4)


def test_a_recurrence_with_a_resting_state_is_one_without_and_a_bias():
    ones = np.ones(3)
    leaking = imported(turning(leak=0.7 * ones), "exact", dt=1e-3).nodes["x"]
    plain = turning()
    plain.nodes["da"] = nir.Affine(np.eye(3), 0.7 * ones / 5)  # v_leak / r
    node = imported(plain, "exact", dt=1e-3).nodes["x"]
    assert isinstance(node, DiagonalSSM) and np.any(node.drive_re)
    np.testing.assert_allclose(leaking.drive_re, node.drive_re, rtol=1e-12)
    np.testing.assert_allclose(leaking.drive_im, node.drive_im, rtol=1e-12)


def test_norse_starts_at_v_leak():
    leak = LEAKY | {"tau": 1e-5}
    graph = imported(one_neuron("LI", tau=1e-5, r=1.0, v_leak=0.5), "norse")
    inputs = np.array([[0.0], [1], [0]])
    np.testing.assert_allclose(outputs(graph, inputs)[:, 0], [0.5, 0.6, 0.59], rtol=1e-7)
    same = imported(one_neuron("LIF", **(leak | {"v_leak": 0.5, "v_reset": 0.5})), "norse")
    # from 0.5 up: 0.5 + (1 - 0.9**n) > 1 first at n = 7
    assert np.flatnonzero(outputs(same, np.ones((10, 1)))[:, 0])[0] == 6
    with pytest.raises(GraphError, match="expected v_leak, where Norse starts its membranes"):
        imported(one_neuron("LIF", **(leak | {"v_leak": 0.5})), "norse")


def test_a_reset_that_uses_no_v_reset():
    net = one_neuron("LIF", **(LEAKY | {"v_reset": -0.5}))
    for reset in ("subtract", "subtract-late", "none"):
        with pytest.raises(GraphError, match=r"expected 0 where the reset .* --reset n=nir"):
            imported(net, "exact", dt=1e-3, reset=reset)
        graph = imported(net, "exact", dt=1e-3, reset=reset, resets={"n": "nir"})
        assert graph.nodes["n"].reset == "hard"


def test_no_reset_by_hand():
    net = one_neuron("LIF", **(LEAKY | {"tau": 2.0, "v_threshold": 0.5}))
    graph = imported(net, "euler", dt=1e-3, reset="none", input=Fixed(8, 0))
    # v' = v/2 + I/2: 1.5! 0.75! 0.375 0.6875!
    assert list(outputs(graph, np.array([[3.0], [0], [0], [1]]))[:, 0]) == [1, 1, 0, 1]
    assert graph.nodes["n"].reset == "none" and not graph.nodes["n"].has_trace


@pytest.mark.parametrize("rules", [{"resets": {"m": "none"}}, {"compares": {"in": "ge"}}])
def test_a_rule_for_a_node_that_is_not_there(rules):
    with pytest.raises(
        InputError, match=r"expected a node of the file that spikes: n, got '(m|in)'"
    ):
        imported(one_neuron("LIF", **LEAKY), "exact", dt=1e-3, **rules)


def test_a_threshold_of_0_at_which_a_neuron_spikes_in_silence():
    net = chain(nir.IF(**single(r=1, v_threshold=0, v_reset=0)))
    with pytest.raises(GraphError, match=r"they would in silence.*--compare if=gt"):
        imported(net, "sinabs", dt=1e-3)
    graph = imported(net, "sinabs", dt=1e-3, compares={"if": "gt"})
    assert list(outputs(graph, np.array([[0.0], [1], [0]]))[:, 0]) == [0, 1, 0]


@pytest.mark.parametrize("reset", ["nir", "subtract", "subtract-late", "none"])
def test_a_threshold_of_infinity_is_never_reached(reset):
    ones = np.ones(2)
    node = nir.LIF(10 * ones, ones, 0 * ones, np.array([0.2, np.inf]), 0 * ones)
    graph = imported(chain(node), "exact", dt=1e-3, reset=reset)
    found = run(graph, np.ones((1, 50, 2), int), "float", "outputs").values["output"][0]
    assert found[:, 0].sum() > 5 and found[:, 1].sum() == 0
    assert isinstance(graph.nodes["lif"], LIF) and np.all(np.isfinite(graph.nodes["lif"].kappa))
