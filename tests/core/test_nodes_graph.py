"""Nodes and graphs refuse, by name, what does not hold together; what they answer is right."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from spiking_block import integers, model_graph, tiny_graph

from neurossm.engine import run
from neurossm.errors import GraphError, InputError, RangeError
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
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)

SPIKES = Fixed.binary()


def ssm(c: int = 2, n: int = 3, **changes: object) -> DiagonalSSM:
    wide = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "drive_re", "drive_im")
    fields: dict[str, object] = {name: np.zeros((c, n)) for name in wide}
    fields |= {"d": np.zeros(c), "bias": np.zeros(c), "step_size": np.ones(c), "method": "zoh"}
    return DiagonalSSM(**(fields | changes))


def line(knots: list[float], slopes: list[float]) -> PiecewiseLinear:
    return PiecewiseLinear(
        function="relu", max_error=0.0, channels=1, knots=np.array(knots), slopes=np.array(slopes),
        offsets=np.zeros(len(slopes)),
    )  # fmt: skip


def lif(**changes: object) -> LIF:
    fields = {"theta": [1.0, 2.0], "tau": [0.0, 0.9], "rho": [0.5, 0.0], "kappa": [0.0, 0.0]}
    return LIF(**({"reset": "hard"} | fields | changes))


TABLE = Embedding(table=np.zeros((5, 2)))


# -- nodes ---------------------------------------------------------------------


def test_sizes_of_nodes():
    node = ssm(c=4, n=3)
    assert (node.in_channels, node.out_channels, node.modes, node.states) == (4, 4, 3, 24)
    assert node.parameters == 8 * 12 + 2 * 4
    mix = Affine(weight=np.zeros((5, 2)), bias=np.zeros(5))
    assert (mix.in_channels, mix.out_channels, mix.parameters, mix.states) == (2, 5, 15, 0)
    few = Affine(weight=np.eye(5, 2), bias=np.zeros(5), sparse=True)  # 2 weights and 5 biases
    assert (few.parameters, few.synapses, replace(few, sparse=False).parameters) == (7, 2, 15)
    assert Accumulate(channels=3, steps=2).states == 3
    assert (lif().in_channels, lif().states, lif().parameters) == (2, 2, 8)
    assert lif(kappa=[0.0, 1.0]).states == 4  # one trace is enough to keep them all
    sizes = (TABLE.in_channels, TABLE.out_channels, TABLE.tokens, TABLE.parameters, TABLE.states)
    assert sizes == (1, 2, 5, 10, 0)
    source = Input(channels=3, out=SPIKES)
    assert (source.in_channels, source.out_channels) == (0, 3)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Affine(weight=np.zeros((2, 3)), bias=np.zeros(3)), "Affine.bias: expected O = 2"),
        (lambda: Affine(weight=np.zeros(2), bias=np.zeros(2)), r"Affine.weight: expected 2 axes"),
        (lambda: Affine(weight=np.zeros((0, 2)), bias=np.zeros(0)), "not empty"),
        (lambda: Affine(weight=[[np.nan]], bias=[0.0]), "Affine.weight: expected finite"),
        (lambda: Affine(weight=integers([[1]]), bias=[0.0]), "Affine: .* got a mixture"),
        (lambda: BatchNorm(gain=[1.0], offset=[1.0, 2.0]), "BatchNorm.offset: expected C = 1"),
        (lambda: ssm(d=np.zeros(3)), "DiagonalSSM.d: expected C = 2"),
        (lambda: ssm(c_im=np.zeros((2, 4))), "DiagonalSSM.c_im: expected N = 3"),
        (lambda: ssm(step_size=np.ones(3)), "DiagonalSSM.step_size"),
        (lambda: ssm(method="euler"), r"DiagonalSSM.method: expected zoh \| bilinear, got 'euler'"),
        (lambda: Threshold(theta=[1.0], out=Fixed(8)), "Threshold.out: expected binary, got s8.0"),
        (lambda: TernaryThreshold(delta=[1.0, 0.0]), "ld.delta: expected above 0, got 0"),
        (lambda: TernaryThreshold(delta=integers([3, -1])), "delta: expected above 0, got -1"),
        (lambda: TernaryThreshold(delta=[1.0], out=SPIKES), "out: expected ternary, got binary"),
        (lambda: lif(theta=[1.0, 0.0]), "LIF.theta: expected above 0, got 0"),
        (lambda: lif(tau=[0.5, 1.1]), "LIF.tau: expected at least 0 and at most 1, got 0.5 to 1.1"),
        (lambda: lif(rho=[-0.1, 0.0]), "LIF.rho: expected at least 0 and below 1, got -0.1 to 0"),
        (lambda: lif(kappa=[0.0, -1.0]), "LIF.kappa: expected at least 0, got -1"),
        (lambda: lif(reset="zero"), r"LIF.reset: expected hard \| soft \| none, got 'zero'"),
        (lambda: lif(out=Fixed(8)), "LIF.out: expected binary, got s8.0"),
        (lambda: lif(tau=[0.5]), "LIF.tau: expected C = 2"),
        (lambda: LIF(theta=integers([1]), tau=integers([4097], 12, 14), rho=integers([0], 12, 13),
                     kappa=integers([0]), reset="soft"), "LIF.tau: .* at most 4096, got 4097"),
        (lambda: LIF(theta=integers([1]), tau=integers([0], 12, 13), rho=integers([4097], 12, 14),
                     kappa=integers([0]), reset="soft"), "LIF.rho: .* at most 4096, got 4097"),
        (lambda: Embedding(table=np.zeros((0, 2))), "Embedding.table: expected V = 0, not empty"),
        (lambda: Input(channels=1), "Input.out: expected the number format"),
        (lambda: Input(channels=0, out=SPIKES), "Input.channels: expected at least 1, got 0"),
        (lambda: Output(channels=0), "Output.channels"),
        (lambda: Sum(channels=-1), "Sum.channels"),
        (lambda: Product(channels=0), "Product.channels"),
        (lambda: Accumulate(channels=1, steps=0), "Accumulate.steps"),
        (lambda: line([0.0], [1.0]), "one knot between neighbors"),
        (lambda: line([float(k) for k in range(8)], [0.0] * 9), "2 to 8 segments"),
        (lambda: line([1.0, 0.0], [0.0, 1.0, 2.0]), "knots: expected rising"),
    ],
)  # fmt: skip
def test_impossible_nodes_are_refused_by_the_name_of_the_field(make, match):
    with pytest.raises(GraphError, match=match):
        make()


def test_both_parts_of_a_drive_have_one_format():
    (found,) = (n for n in model_graph(1, 2, 2).nodes.values() if isinstance(n, DiagonalSSM))
    with pytest.raises(GraphError, match="one format for both parts"):
        replace(found, drive_im=integers(found.drive_im.values, [3, 4], 24))
    with pytest.raises(GraphError, match="one format for both parts"):
        replace(found, drive_im=integers(found.drive_im.values, found.drive_im.frac, 23))


def test_nodes_are_frozen_and_compare_by_value():
    weight = np.ones((1, 1))
    one = Affine(weight=weight, bias=[0.0])
    weight[0, 0] = 2
    assert one == Affine(weight=[[1.0]], bias=[0.0]) != Affine(weight=[[2.0]], bias=[0.0])
    assert one != BatchNorm(gain=[1.0], offset=[0.0])
    assert Sum(channels=1) != Sum(channels=1, out=Fixed(8))
    with pytest.raises(FrozenInstanceError):
        one.bias = np.ones(1)
    with pytest.raises(ValueError, match="read-only"):
        one.weight[0, 0] = 3


def test_what_is_an_integer_node():
    assert not Affine(weight=[[1.0]], bias=[0.0]).is_integer
    assert not Affine(weight=integers([[1]]), bias=integers([0])).is_integer  # no format
    assert Affine(weight=integers([[1]]), bias=integers([0]), out=Fixed(24)).is_integer
    assert not Threshold(theta=[1.0]).is_integer
    assert Threshold(theta=integers([1])).is_integer
    assert not Accumulate(channels=1, steps=1, out=Fixed(8)).is_integer
    assert tiny_graph().is_integer


# -- graphs --------------------------------------------------------------------

A = Input(channels=1, out=SPIKES)
END = Output(channels=1, out=SPIKES)
FIRE = Threshold(theta=integers([1], 0, 24))


@pytest.mark.parametrize(
    ("nodes", "edges", "match"),
    [
        ({"a": A, "fire": FIRE, "o": END}, [("a", "fier"), ("fire", "o")],
         r"no node named 'fier'; did you mean 'fire'\?"),
        ({"a": A, "o": END}, [("a", "o"), ("a", "o")], "^graph: edge a -> o is listed twice$"),
        ({"a": A, "o": Output(channels=2)}, [("a", "o")], "expected 2 channels at 'o', got 1"),
        ({"a": A, "x": FIRE, "y": FIRE, "o": END},
         [("a", "o"), ("x", "y"), ("y", "x")], "cycle x -> y"),
        ({"a": A, "x": FIRE, "o": END}, [("x", "x"), ("a", "o")], "cycle x"),
        ({"a": A, "x": FIRE, "o": END}, [("a", "o")], "node 'x': expected at least one edge"),
        ({"a": A, "s": Sum(channels=1), "o": END}, [("a", "o")], "node 's': expected at least"),
        ({"a": A, "p": Product(channels=1), "o": END}, [("a", "p"), ("a", "o")],
         "node 'p': expected two operands, got 1"),
        ({"a": A, "b": A, "o": END}, [("a", "o"), ("b", "o")], "node 'o': expected one edge"),
        ({"a": A, "o": END, "x": FIRE}, [("a", "o"), ("o", "x")], "nothing after an Output"),
        ({"a": A, "o": END, "b": A, "e": TABLE}, [("a", "o"), ("a", "e"), ("b", "e")],
         "node 'e': expected one edge, got 2 edges"),
        ({"a": A, "x": FIRE, "e": TABLE, "o": END}, [("a", "x"), ("x", "e"), ("x", "o")],
         "node 'e' .*: expected tokens straight from an Input, got a Threshold in front"),
        ({"a": A, "e": TABLE, "o": END}, [("a", "e"), ("a", "o")],
         r"node 'e' \(Embedding\): expected only embeddings behind the tokens of 'a', got 'o'"),
        ({"a": Input(channels=1, out=Fixed(8, 1)), "e": TABLE, "o": Output(channels=2)},
         [("a", "e"), ("e", "o")], "whole tokens: an Input of 0 fraction bits, got s8.1"),
        ({"a": A, "b": Input(channels=1, out=Fixed(8)), "x": FIRE, "o": END},
         [("a", "x"), ("b", "x"), ("x", "o")], "one number format on the edges.*put a Sum"),
        ({"a": A}, [], "at least one Output"),
        ({"o": END}, [], "at least one Input"),
        ({"": A, "o": END}, [], "a name needs 1 to 200 characters"),
        ({"a/b": A, "o": END}, [], "none of them '/' or NUL"),
        ({"a" * 201: A, "o": END}, [], "1 to 200"),
    ],
)  # fmt: skip
def test_graphs_that_do_not_hold_together_are_refused(nodes, edges, match):
    with pytest.raises(GraphError, match=match):
        Graph(nodes, tuple(edges))


def test_an_edge_into_an_input_is_refused():
    with pytest.raises(GraphError, match="0 channels at 'b'"):
        Graph({"a": A, "b": A, "o": END}, (("a", "b"), ("b", "o")))


@pytest.mark.parametrize("dt", [0.0, -1.0, float("inf"), float("nan")])
def test_the_time_step_is_positive_and_finite(dt):
    with pytest.raises(GraphError, match=r"graph\.dt"):
        Graph({"a": A, "o": END}, (("a", "o"),), dt)


def test_the_order_is_that_of_the_nodes_where_edges_leave_it_free():
    nodes = {"o": END, "z": FIRE, "b": FIRE, "a": A}
    graph = Graph(nodes, (("a", "b"), ("a", "z"), ("b", "o")))
    assert graph.order == ("a", "z", "b", "o")
    assert Graph(nodes, (("b", "o"), ("a", "z"), ("a", "b"))).order == graph.order
    assert graph.sources["o"] == ("b",) and graph.targets["a"] == ("b", "z")
    assert (graph.inputs, graph.outputs) == (("a",), ("o",))


def test_a_node_taken_out_joins_its_neighbors():
    graph = Graph({"a": A, "x": FIRE, "y": FIRE, "o": END}, (("a", "x"), ("x", "y"), ("y", "o")))
    assert graph.without("x").edges == (("a", "y"), ("y", "o"))
    assert "x" not in graph.without("x").nodes
    other = Threshold(theta=integers([5], 0, 24))
    assert graph.with_nodes({"x": other}).nodes["x"] == other
    with pytest.raises(GraphError, match="node 'q'"):
        graph.with_nodes({"q": other})


def test_a_graph_does_not_change_behind_its_back():
    nodes, meta = {"a": A, "o": END}, {"steps": 3}
    graph = Graph(nodes, (("a", "o"),), meta=meta)
    nodes["x"] = FIRE
    meta["steps"] = 4
    assert set(graph.nodes) == {"a", "o"} and graph.meta["steps"] == 3
    with pytest.raises(TypeError):
        graph.nodes["x"] = FIRE


# -- the entry to the engines --------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        (
            np.full((1, 2, 2), 0.5),
            InputError,
            r"input 'input': expected integers, .*, got 0.5 among float64; numpy.rint\(values\).",
        ),
        (np.full((1, 2, 2), np.nan), InputError, "got nan among float64"),
        (np.full((1, 2, 2), "x"), InputError, "got <U1"),
        (np.zeros((1, 2, 3), int), InputError, "x 2 channels"),
        (np.zeros((2, 2), int), InputError, r"got shape \(2, 2\)"),
        (np.zeros((0, 2, 2), int), InputError, "none of them 0"),
        (np.full((1, 1, 2), 2), RangeError, r"expected 0 to 1 \(binary\), got 2 to 2"),
        (np.full((1, 1, 2), -1), RangeError, "got -1 to -1"),
        ({"other": np.zeros((1, 1, 2), int)}, InputError, "expected input, got other"),
        ({}, InputError, "got none"),
    ],
)
def test_inputs_are_checked_before_anything_runs(inputs, error, match):
    with pytest.raises(error, match=match):
        run(tiny_graph(), inputs)


def test_several_inputs_are_given_by_name_and_have_one_length():
    graph = Graph({"a": A, "b": A, "x": FIRE, "o": END}, (("a", "x"), ("b", "x"), ("x", "o")))
    with pytest.raises(InputError, match="a mapping with a, b, got one array"):
        run(graph, np.zeros((1, 1, 1), int))
    with pytest.raises(InputError, match="as many samples and steps"):
        run(graph, {"a": np.zeros((1, 1, 1), int), "b": np.zeros((1, 2, 1), int)})


def test_unknown_engines_and_nodes_to_record_are_refused():
    with pytest.raises(InputError, match=r"expected fast \| reference \| float \| .*got 'tpu'"):
        run(tiny_graph(), np.zeros((1, 1, 2), int), "tpu")
    with pytest.raises(InputError, match="expected names of nodes, got 'mixx'"):
        run(tiny_graph(), np.zeros((1, 1, 2), int), record=("mixx",))


@pytest.mark.parametrize("engine", ["reference", "fast", "float"])
def test_what_is_recorded_is_what_was_asked_for_and_progress_adds_up(engine):
    seen = []
    inputs = np.zeros((9, 2, 2), int)
    trace = run(tiny_graph(), inputs, engine, record="outputs", progress=seen.append)
    assert set(trace.values) == {"output"} and trace.engine == engine
    assert sum(seen) == 9
    assert set(run(tiny_graph(), inputs, engine).values) == set(tiny_graph().nodes)


def test_a_graph_shows_itself_in_one_line():
    assert repr(tiny_graph()) == "<Graph of 6 integer nodes: input (2) -> output (1)>"
