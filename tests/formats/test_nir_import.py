"""Graphs of other tools: what each node becomes, by hand or by an independent interpreter."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from nir_interpreter import Interpreter
from small_nir import network, one_neuron, outputs

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Delay, DiagonalSSM, Sum, Threshold
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading
from neurossm_converters.formats.nir.rates import least

STEP = 1.0  # ms
READING = Reading("exact", dt=1e-3 * STEP, steps=100)


def synapses(rows: int, columns: int, seed: int, low: float = -0.5) -> nir.Affine:
    rng = np.random.default_rng(seed)
    return nir.Affine(rng.uniform(low, 1, (rows, columns)), rng.uniform(-0.1, 0.2, rows))


def spread(low: float, high: float, size: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, size)


def lif(**changes: np.ndarray) -> nir.LIF:
    given = {"tau": spread(2, 20), "r": spread(0.5, 3), "v_leak": np.zeros(3),
             "v_threshold": spread(0.3, 0.9, seed=3), "v_reset": np.zeros(3)}  # fmt: skip
    return nir.LIF(**(given | changes))


def cuba(**changes: np.ndarray) -> nir.CubaLIF:
    given = {"tau_syn": spread(1, 9), "tau_mem": spread(2, 20, seed=1), "r": spread(0.5, 3),
             "v_leak": np.zeros(3), "v_threshold": spread(0.3, 0.9, seed=3),
             "v_reset": np.zeros(3), "w_in": spread(1, 2, seed=4)}  # fmt: skip
    return nir.CubaLIF(**(given | changes))


def rotations(scale: float = 1.0, modes: int = 2, r: np.ndarray | None = None) -> nir.NIRGraph:
    """An S4D of 3 channels by hand, with names and r of its own."""
    rng, size = np.random.default_rng(5), 3 * modes
    owner = np.repeat(np.arange(3), modes)
    tau, turn = rng.uniform(1, 30, size), scale * rng.uniform(0.1, 1, size)
    r = tau if r is None else r

    def block(matrix_shape: tuple[int, int]) -> np.ndarray:
        weight = np.zeros((size, 3))
        weight[np.arange(size), owner] = rng.standard_normal(size)
        return weight if matrix_shape[0] == size else weight.T

    # w = scale r / tau
    nodes = {
        "u": nir.Input(np.array([3])),
        "drive_a": nir.Linear(block((size, 3))),
        "drive_b": nir.Affine(block((size, 3)), rng.standard_normal(size)),
        "a": nir.LI(tau=tau, r=r, v_leak=np.zeros(size)),
        "b": nir.LI(tau=tau, r=r, v_leak=np.zeros(size)),
        "back": nir.Scale(-turn * tau / r),
        "forth": nir.Scale(turn * tau / r),
        "read_a": nir.Linear(block((3, size))),
        "read_b": nir.Linear(block((3, size))),
        "around": nir.Scale(rng.standard_normal(3)),
        "y": nir.Output(np.array([3])),
    }
    edges = ["u drive_a", "u drive_b", "drive_a a", "drive_b b", "b back", "back a",
             "a forth", "forth b", "a read_a", "b read_b", "read_a y", "read_b y",
             "u around", "around y"]  # fmt: skip
    return nir.NIRGraph(nodes, [tuple(edge.split()) for edge in edges])


def nested(*nodes: nir.NIRNode) -> nir.NIRGraph:
    """A graph in a graph around a chain of nodes."""
    inner = nir.NIRGraph.from_list(*nodes)
    middle = {"in": nir.Input(inner.input_type["input"]), "core": inner,
              "out": nir.Output(inner.output_type["output"])}  # fmt: skip
    return nir.NIRGraph(middle, [("in", "core"), ("core", "out")])


CHAIN = ("in > w", "w > n", "n > out")
NETWORKS = {
    "LIF": network({"w": synapses(3, 3, 1), "n": lif()}, *CHAIN),
    "IF": network(
        {"w": synapses(3, 3, 1), "n": nir.IF(spread(0.5, 2), spread(0.3, 0.9), np.zeros(3))}, *CHAIN
    ),
    "CubaLIF": network({"w": synapses(3, 3, 1), "n": cuba()}, *CHAIN),
    "CubaLIF with equal time constants": network(
        {"w": synapses(3, 3, 1), "n": cuba(tau_syn=np.full(3, 5.0), tau_mem=np.full(3, 5.0))},
        *CHAIN,
    ),
    "LI": network(
        {"w": synapses(3, 3, 1), "n": nir.LI(spread(2, 9), spread(-1, 1), np.zeros(3))}, *CHAIN
    ),
    "I": network({"w": synapses(3, 3, 1), "n": nir.I(spread(0.1, 2))}, *CHAIN),
    "Scale and Threshold": network(
        {"s": nir.Scale(spread(-1, 2)), "t": nir.Threshold(spread(0.2, 0.5))},
        "in > s", "s > t", "t > out",
    ),
    "Linear without bias": network({"w": nir.Linear(np.eye(3)[:2] * 2)}, "in > w", "w > out"),
    "converging edges": network(
        {"w": synapses(3, 3, 1), "n": lif(), "v": nir.Linear(np.eye(3))},
        "in > w", "w > n", "n > v", "w > v", "v > out", "in > out",
    ),
    "S4D": network({"ssm": rotations()}, "in > ssm", "ssm > out"),
    "S4D of fast rotations": network({"ssm": rotations(3.0)}, "in > ssm", "ssm > out"),
    "S4D with r of its own": network(
        {"ssm": rotations(r=spread(0.3, 4, 6))}, "in > ssm", "ssm > out"
    ),
    "S4D beside itself": network(
        {"ssm": rotations(), "t": nir.Threshold(spread(-0.5, 0.5)), "w": synapses(3, 3, 2)},
        "in > ssm", "ssm > t", "t > w", "w > out", "in > out",
    ),
    "graphs in graphs": network(
        {"block": nested(synapses(3, 3, 1), lif()),
         "again": nested(synapses(3, 3, 1, 0.5), cuba())},
        "in > block", "block > again", "again > out",
    ),
    "a graph with a way around it": network(
        {"block": nested(synapses(3, 3, 1))}, "in > block", "block > out", "in > out"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_steps_are_the_solution_of_the_equations(tmp_path: Path, name: str):
    nir.write(tmp_path / "net.nir", NETWORKS[name])
    inputs = (np.random.default_rng(2).random((60, 3)) < 0.4).astype(np.float64)
    expected = Interpreter(tmp_path / "net.nir", STEP).run(inputs)
    found = outputs(neurossm_nir.read(tmp_path / "net.nir", READING).graph, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.count_nonzero(expected) > 0
    # the library's own object says the same as its file
    assert neurossm_nir.from_nir(NETWORKS[name], READING).nodes == \
        neurossm_nir.read(tmp_path / "net.nir", READING).graph.nodes  # fmt: skip


def imported(graph: nir.NIRGraph, **changes: object) -> Graph:
    settings = {"convention": "exact", "dt": 1e-3, "steps": 100} | changes
    return neurossm_nir.from_nir(graph, Reading(**settings))


def types(graph: Graph) -> dict[str, str]:
    return {name: type(node).__name__ for name, node in graph.nodes.items()}


def test_each_node_becomes_what_is_documented():
    assert types(imported(NETWORKS["CubaLIF"])) == {
        "in": "Input", "w": "Affine", "n.synapse": "DiagonalSSM", "n": "LIF", "out": "Output"
    }  # fmt: skip
    assert types(imported(NETWORKS["I"]))["n.gain"] == "Affine"
    once = network({"n": nir.I(np.full(3, 2.0))}, "in > n", "n > out")
    assert set(types(imported(once, dt=5e-4))) == {"in", "n", "out"}  # r dt = 1: no gain
    # a recurrence takes the name of the graph that holds it
    assert types(imported(NETWORKS["S4D"])) == {
        "in": "Input", "ssm": "DiagonalSSM", "out": "Output"
    }  # fmt: skip
    assert imported(NETWORKS["S4D"]).nodes["ssm"].modes == 2
    assert "block.core.affine" in types(imported(NETWORKS["graphs in graphs"]))


def test_spikes_converge_without_a_sum_and_values_with_one():
    graph = network(
        {"t": nir.Threshold(np.zeros(3)), "u": nir.Threshold(np.ones(3)), "w": synapses(3, 3, 1),
         "v": synapses(3, 3, 2)},
        "in > t", "in > u", "t > w", "u > w", "w > v", "t > v", "v > out",
    )  # fmt: skip
    found = imported(graph)
    assert found.sources["w"] == ("t", "u")
    assert isinstance(found.nodes["v.sum"], Sum) and found.sources["v"] == ("v.sum",)


def test_a_flatten_passes_values_on_in_their_order():
    weight = np.arange(12.0).reshape(2, 6)
    graph = nir.NIRGraph(
        {
            "in": nir.Input(np.array([2, 3])),
            "t": nir.Threshold(np.full((2, 3), 0.5)),
            "flat": nir.Flatten(np.array([2, 3]), start_dim=0, end_dim=1),
            "w": nir.Linear(weight),
            "out": nir.Output(np.array([2])),
        },
        [("in", "t"), ("t", "flat"), ("flat", "w"), ("w", "out")],
    )
    found = imported(graph)
    assert set(found.nodes) == {"in", "t", "w", "out"} and found.nodes["in"].channels == 6
    inputs = np.array([[1.0, 0, 0, 1, 1, 0]])
    np.testing.assert_array_equal(outputs(found, inputs)[0], [0 + 3 + 4, 6 + 9 + 10])


def delayed(*delays: float) -> nir.NIRGraph:
    return network({"d": nir.Delay(np.array(delays)), "w": synapses(3, 3, 1)},
                   "in > d", "d > w", "w > out")  # fmt: skip


def test_delays_become_steps_and_none_at_all_nothing():
    assert set(imported(delayed(0, 0, 0)).nodes) == {"in", "w", "out"}
    # milliseconds, and a step of 1 ms
    node = imported(delayed(2, 1, 63), dt=1e-3).nodes["d"]
    assert isinstance(node, Delay) and node.steps.tolist() == [2, 1, 63]
    assert imported(delayed(2, 1, 6), dt=0.5e-3).nodes["d"].steps.tolist() == [4, 2, 12]


def test_a_long_delay_is_several_behind_each_other():
    graph = imported(delayed(150, 64, 3), dt=1e-3)
    parts = [graph.nodes[name].steps for name in ("d.part1", "d.part2", "d")]
    chain = {("in", "d.part1"), ("d.part1", "d.relay1"), ("d.relay1", "d.part2"), ("d.relay2", "d")}
    assert chain <= set(graph.edges)
    assert {type(graph.nodes[f"d.relay{k}"]) for k in (1, 2)} == {Sum}
    assert sum(parts).tolist() == [150, 64, 3] and max(map(max, parts)) <= 63


@pytest.mark.parametrize(
    ("delays", "message"),
    [
        (
            (0.0, 2.0, 0.0),
            r"'d' \(Delay\): expected delays of at least a step .* path of their own",
        ),
        ((1.0, 1.5, 1.0), "expected delays of 0, 1, 2, .* got 1.5; check --dt, and --tau-unit"),
        ((1.0, -2.0, 1.0), "expected delays of 0, 1, 2, .* got -2; check"),
        ((100.0, 1.0, 1.0), "a step for each 63 of the longest.* got 1 to 100 steps"),
    ],
)
def test_a_delay_that_is_no_number_of_steps_is_refused(delays, message):
    with pytest.raises(GraphError, match=message):
        imported(delayed(*delays), dt=1e-3)


# -- steps -----------------------------------------------------------------------


LEAKY = {"tau": 4.0, "r": 2.0, "v_leak": 0.0, "v_threshold": 0.75, "v_reset": 0.0}


def test_the_conventions_of_a_membrane_by_hand():
    def parameters(**changes: object) -> tuple[float, float]:
        node = imported(one_neuron("LIF", **LEAKY), **changes).nodes["n"]
        assert isinstance(node, LIF) and node.reset == "hard" and not node.has_trace
        return node.tau[0], node.theta[0]

    # v' = v + (1/4)(2 I - v): decay 3/4, gain 1/2, so in units of the input the threshold is 1.5
    assert parameters(convention="euler") == (0.75, np.nextafter(1.5, 2))
    tau, theta = parameters(convention="exact")
    assert tau == np.exp(-0.25)
    assert theta == pytest.approx(0.75 / (2 * (1 - np.exp(-0.25))), rel=1e-14)
    # sinabs counts tau in steps, Norse writes tau dt: 4 is (1e-3)**2 / 2.5e-7
    assert parameters(convention="sinabs")[0] == np.exp(-1 / 4)
    norse = imported(one_neuron("LIF", **(LEAKY | {"tau": 4e-6})), convention="norse", dt=1e-3)
    assert norse.nodes["n"].tau[0] == 0.75
    # snnTorch: tau = dt / (1 - beta) at a dt of 1e-4 s, whatever the user's step
    torch = imported(one_neuron("LIF", **(LEAKY | {"tau": 4e-4})), convention="snntorch", dt=7.0)
    assert torch.nodes["n"].tau[0] == 0.75 and torch.dt == 7.0


def test_a_membrane_without_leak_by_hand():
    net = one_neuron("IF", r=2.0, v_threshold=4.0, v_reset=0.0)
    inputs = np.array([[1], [1], [1], [2], [-3], [2], [2], [2]])

    def answer(**changes: object) -> tuple[LIF, list[float]]:
        graph = imported(net, input=Fixed(8, 0), **changes)
        return graph.nodes["n"], list(outputs(graph, inputs)[:, 0])

    # v' = v + 2 I dt over a step of 1 ms: in units of the input the threshold is 2, strictly above
    node, spikes = answer(convention="euler")
    assert (node.tau[0], node.theta[0], node.reset) == (1, np.nextafter(2, 3), "hard")
    assert spikes == [0, 0, 1, 0, 0, 0, 1, 0]  # 1 2 3! 2 -1 1 3! 2
    assert answer(convention="euler", reset="subtract")[1] == [0, 0, 1, 1, 0, 0, 0, 1]
    # without leak it cannot matter when the threshold is subtracted
    assert answer(convention="euler", reset="subtract-late")[1] == [0, 0, 1, 1, 0, 0, 0, 1]
    assert answer(convention="exact")[1] == spikes
    # half a millisecond holds half as much; sinabs and Norse count steps and not time
    assert answer(convention="exact", dt=5e-4)[0].theta[0] == np.nextafter(4, 5)
    # which fires at the threshold: 1 2! 1 3! -3 -1 1 3!; thresholds between numbers of float32
    node, spikes = answer(convention="sinabs", dt=5e-4)
    assert np.nextafter(np.float32(2), np.float32(0)) < node.theta[0] < 2
    assert spikes == [0, 1, 0, 1, 0, 0, 0, 1]
    node, spikes = answer(convention="norse", dt=5e-4)
    assert 2 < node.theta[0] < np.nextafter(np.float32(2), np.float32(3))
    assert spikes == [0, 0, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("name", "tau_syn", "currents", "membranes"),
    [
        # decay of the current 1/2, of the membrane 3/4; r dt/tau = 1/2, w_in dt/tau_syn = 1
        ("euler", 2.0, [1, 0.5, 0.25], [0, 0.5, 0.625]),
        ("snntorch", 2e-4, [1, 0.5, 0.25], [0.5, 0.625, 0.59375]),
        # a jump by w_in = 2, seen before it decays
        ("norse", 2e-6, [1, 0.5, 0.25], [1, 1.25, 1.1875]),
    ],
)
def test_the_conventions_of_a_synapse_by_hand(name, tau_syn, currents, membranes):
    ratio = tau_syn / 2
    net = one_neuron("CubaLI", tau_syn=tau_syn, tau_mem=4 * ratio, r=2.0, v_leak=0.0, w_in=2.0)
    graph = imported(net, convention=name, dt=1e-3)
    trace = run(graph, np.array([[[1], [0], [0]]]), "float", "all")
    np.testing.assert_allclose(trace.values["n"][0, :, 0], membranes, rtol=1e-12)
    node = graph.nodes["n.synapse"]
    assert isinstance(node, DiagonalSSM) and node.a_re[0, 0] == pytest.approx(0.5)
    # what the membrane gets is c x' 2 + d u; the current itself is x'
    given = np.array([1.0, 0, 0])
    state = (trace.values["n.synapse"][0, :, 0] - node.d[0] * given) / (2 * node.c_re[0, 0])
    np.testing.assert_allclose(state, currents, rtol=1e-12)


def test_a_reset_that_is_not_in_the_file():
    net = one_neuron("LIF", **(LEAKY | {"tau": 2.0, "r": 1.0, "v_threshold": 0.5}))
    # v' = v/2 + I/2, so u = 2 v has u' = u/2 + I and a threshold of 1, strictly above
    inputs = np.array([[3], [0], [1], [1]])

    def spikes(reset: str) -> list[float]:
        reading = Reading("euler", dt=1e-3, input=Fixed(8, 0), reset=reset)
        return list(outputs(neurossm_nir.from_nir(net, reading), inputs)[:, 0])

    assert spikes("nir") == [1, 0, 0, 1]  # 3!, 0, 1, 1.5!
    assert spikes("subtract") == [1, 0, 1, 1]  # 3! -> 2, 1, 1.5! -> 0.5, 1.25!
    assert spikes("subtract-late") == [1, 0, 1, 0]  # 3!, 1.5 - 1, 1.25!, 1.625 - 1


def test_a_threshold_in_units_of_the_input_is_exact():
    rng = np.random.default_rng(0)
    bound, gain = rng.uniform(0, 2, 500), rng.uniform(1e-3, 3, 500)
    bound[:3], gain[:3] = [0.0, 1.0, 0.5], [0.7, 1.0, 0.25]
    found = least(bound, gain, "gt", single=False)
    for x, b, g in zip(found, bound, gain, strict=True):
        # exact products of two float64 in integers of their common denominators
        (n, m), (p, q), (i, j) = (value.as_integer_ratio() for value in (float(x), g, b))
        assert n * p * j > i * m * q
        n, m = np.nextafter(x, -np.inf).as_integer_ratio()
        assert not n * p * j > i * m * q
    assert list(found[1:3]) == [np.nextafter(1, 2), np.nextafter(2, 3)]


@pytest.mark.parametrize("engine", ["float", "reference"])
def test_exactly_at_the_threshold_there_is_no_spike(engine):
    from neurossm.quantization import Quantize, calibrate

    net = network({"w": nir.Linear(np.eye(3)), "t": nir.Threshold(np.array([1.0, 2.0, 3.0]))},
                  "in > w", "w > t", "t > out")  # fmt: skip
    graph = imported(net, input=Fixed(8, 0))
    assert isinstance(graph.nodes["t"], Threshold) and isinstance(graph.nodes["w"], Affine)
    inputs = np.array([[[1, 2, 3], [2, 3, 4], [1, 3, 3]]])
    if engine == "reference":
        graph = Quantize()(graph, calibrate(graph, run(graph, inputs, "float", "outputs")))
    spikes = run(graph, inputs, engine, "outputs").values["out"][0]
    np.testing.assert_array_equal(spikes, [[0, 0, 0], [1, 1, 1], [0, 1, 0]])


# -- tensors of PyTorch --------------------------------------------------------


def test_a_graph_of_tensors_is_the_graph_of_their_numbers():
    """Parameters of PyTorch do not become arrays by themselves: they have gradients."""
    import torch

    def graph(of):
        rows = synapses(3, 2, 1)
        weight, bias = (np.float32(x) for x in (rows.weight, rows.bias))
        neuron = {name: np.float32(x) for name, x in lif().__dict__.items() if name[0] in "trv"}
        neuron = {name: of(x) for name, x in neuron.items()}
        return nir.NIRGraph.from_list(nir.Affine(of(weight), of(bias)), nir.LIF(**neuron))

    parameters = graph(lambda x: torch.nn.Parameter(torch.tensor(x)))
    one, two = (neurossm_nir.from_nir(g, READING) for g in (parameters, graph(np.asarray)))
    spikes = np.random.default_rng(2).integers(0, 2, (2, 50, 2))
    got, expected = (run(g, spikes, "float").values["output"] for g in (one, two))
    assert expected.any() and np.array_equal(got, expected)
