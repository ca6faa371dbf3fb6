"""What is saved comes back: every node, float and integer, golden vectors, traces."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hostile.examples import around, example, golden_of, integer_graph

from neurossm import store
from neurossm.engine import run
from neurossm.errors import FormatError, GraphError, InputError, RangeError
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.nodes import NODE_TYPES, Affine, Input, Output
from neurossm.store import Golden
from neurossm.trace import Counts, Trace


def assert_same(left: Graph, right: Graph) -> None:
    assert left == right  # nodes, edges, dt and meta, array by array
    assert list(left.nodes) == list(right.nodes)
    assert left.order == right.order


@pytest.mark.parametrize("integer", [False, True], ids=["float", "integer"])
@pytest.mark.parametrize("name", sorted(NODE_TYPES))
def test_every_node_comes_back_equal(tmp_path, name, integer):
    graph = around(example(name, integer))
    store.save(tmp_path / "graph.nssm", graph)
    assert_same(store.load(tmp_path / "graph.nssm"), graph)


def test_no_field_of_a_node_has_a_name_that_the_file_needs():
    for cls in NODE_TYPES.values():
        assert not {"type", "index"} & {item.name for item in fields(cls)}


def test_values_come_back_as_int64_read_only_and_with_an_exponent_a_channel(tmp_path):
    graph = integer_graph()
    store.save(tmp_path / "graph.nssm", graph)
    c_re = store.load(tmp_path / "graph.nssm").nodes["ssm"].c_re
    assert isinstance(c_re, Quantized)
    assert c_re.values.dtype == np.int64 and not c_re.values.flags.writeable
    np.testing.assert_array_equal(c_re.frac, [6, 7, 6])


def test_numbers_come_back_bit_for_bit(tmp_path):
    weight = np.array([[1e-310, -0.0], [np.pi, 1.7e308]])
    graph = Graph(
        {
            "x": Input(channels=2, out=integer_graph().nodes["pixel"].out),
            "w": Affine(weight=weight, bias=np.zeros(2)),
            "y": Output(channels=2),
        },
        (("x", "w"), ("w", "y")),
        0.1 + 0.2,
        {"big": 2**62, "small": -(2**63), "third": 1 / 3, "text": "µ-Ω ' \" \n", "empty": ""},
    )
    store.save(tmp_path / "graph.nssm", graph)
    back = store.load(tmp_path / "graph.nssm")
    assert back.nodes["w"].weight.tobytes() == weight.tobytes()
    assert back.dt.hex() == (0.1 + 0.2).hex()
    assert dict(back.meta) == dict(graph.meta)


def test_nodes_keep_their_order_and_edges_theirs(tmp_path):
    names = ["z", "a", "10", "9", "blocks.2.s4d", "ß"]
    nodes = {name: Output(channels=1) for name in names[1:]}
    graph = Graph(
        {"z": Input(channels=1, out=integer_graph().nodes["pixel"].out)} | nodes,
        tuple(("z", name) for name in reversed(names[1:])),
    )
    store.save(tmp_path / "graph.nssm", graph)
    assert_same(store.load(tmp_path / "graph.nssm"), graph)


def test_an_array_of_many_chunks_comes_back(tmp_path):
    weight = np.random.default_rng(0).standard_normal((300, 700))  # 1.6 MB, chunks of 256 KiB
    graph = Graph(
        {
            "x": Input(channels=700, out=integer_graph().nodes["pixel"].out),
            "w": Affine(weight=weight, bias=np.zeros(300)),
            "y": Output(channels=300),
        },
        (("x", "w"), ("w", "y")),
    )
    store.save(tmp_path / "graph.nssm", graph)
    assert_same(store.load(tmp_path / "graph.nssm"), graph)


def test_golden_vectors_come_back_and_fit_only_their_graph(tmp_path):
    graph = integer_graph()
    golden = golden_of(graph)
    path = tmp_path / "graph.nssm"
    store.save(path, graph, golden)
    assert store.load_golden(path, store.load(path)) == golden
    other = graph.with_nodes({"fire": example("Threshold", integer=True)})
    with pytest.raises(InputError, match="golden vectors of this graph, got those of another"):
        store.load_golden(path, other)


def test_golden_vectors_say_what_the_reference_engine_says(tmp_path):
    graph = integer_graph()
    path = tmp_path / "graph.nssm"
    store.save(path, graph, golden_of(graph, count=1))
    loaded = store.load(path)
    (vector,) = store.load_golden(path, loaded)
    again = run(loaded, {"pixel": vector.inputs["pixel"][None]}, engine="reference")
    for name in graph.nodes:
        np.testing.assert_array_equal(again.values[name][0], vector.values[name])
    assert vector.steps == 6 and vector.values["ssm"].any()


def edited(golden: Golden, part: str, **changes: object) -> Golden:
    parts = {key: dict(getattr(golden, key)) for key in ("inputs", "values", "states")}
    for name, value in changes.items():
        key = name.replace("__", ".")
        parts[part].pop(key, None)
        if value is not None:
            parts[part][key] = value
    return Golden(**parts)


@pytest.mark.parametrize(
    ("part", "changes", "error", "message"),
    [
        ("values", {"fire": None}, FormatError, "golden vector 0 values: .* got none for 'fire'"),
        ("values", {"x": np.zeros((6, 3), int)}, FormatError, "got one for 'x'"),
        ("values", {"fire": np.zeros((5, 3), int)}, FormatError, r"\(6, 3\), not empty, got shape"),
        ("values", {"fire": np.full((6, 3), 2)}, RangeError, r"expected 0 to 1 \(binary\), got 2"),
        ("inputs", {"pixel": np.full((6, 2), 128)}, RangeError, r"-127 to 127 \(s8.7\), got 128"),
        ("states", {"ssm__re": np.zeros(5, int)}, FormatError, "expected 12 numbers, got 11"),
        ("states", {"ssm__re": None}, FormatError, "expected 12 numbers, got 6"),
        ("states", {"fire__v": np.zeros(3, int)}, FormatError, "nodes with state, got 'fire.v'"),
    ],
)
def test_a_golden_vector_that_does_not_fit_its_graph_is_not_saved(
    tmp_path, part, changes, error, message
):
    graph = integer_graph()
    (vector,) = golden_of(graph, count=1)
    with pytest.raises(error, match=message):
        store.save(tmp_path / "graph.nssm", graph, (edited(vector, part, **changes),))
    assert not list(tmp_path.iterdir())


def test_golden_vectors_of_a_float_graph_are_refused(tmp_path):
    graph = around(example("Affine", integer=False))
    with pytest.raises(GraphError, match="beside an integer graph, got a float one"):
        store.save(tmp_path / "graph.nssm", graph, (Golden({}, {}, {}),))


def test_golden_vectors_are_integers():
    with pytest.raises(FormatError, match="golden vector 'x': expected integers, got float64"):
        Golden({"x": np.zeros((1, 1))}, {}, {})


def test_an_integer_trace_comes_back(tmp_path):
    graph = integer_graph()
    inputs = np.random.default_rng(0).integers(-127, 128, (2, 5, 2))
    trace = run(graph, inputs, engine="reference")
    store.save_trace(tmp_path / "trace.nssm", trace)
    assert_same_trace(store.load_trace(tmp_path / "trace.nssm"), trace)
    assert sum(count.syn_ops for count in trace.counts.values()) > 0


def test_a_float_trace_comes_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    values = {"b": rng.standard_normal((2, 30, 40)), "a": rng.standard_normal((2, 30, 1))}
    trace = Trace("float", values, 2, 30, {"ssm.re": rng.standard_normal((2, 3, 4))})
    store.save_trace(tmp_path / "trace.nssm", trace)
    assert_same_trace(store.load_trace(tmp_path / "trace.nssm"), trace)


def test_a_trace_of_some_nodes_keeps_the_counters_of_all(tmp_path):
    spikes = np.ones((1, 2, 3), dtype=bool)
    trace = Trace("lava", {"b": spikes}, 1, 2, counts={"a": Counts(1, 2, 3, 4, 5, 6, 2**40)})
    store.save_trace(tmp_path / "trace.nssm", trace)
    assert_same_trace(store.load_trace(tmp_path / "trace.nssm"), trace)


def assert_same_trace(left: Trace, right: Trace) -> None:
    assert (left.engine, left.samples, left.steps) == (right.engine, right.samples, right.steps)
    assert dict(left.counts) == dict(right.counts)
    for part in ("values", "states"):
        mine, theirs = getattr(left, part), getattr(right, part)
        assert list(mine) == list(theirs) if part == "values" else mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name])
            assert mine[name].dtype in (np.int64, np.float64)


def test_complex_values_are_refused_by_name(tmp_path):
    trace = Trace("float", {"a": np.zeros((1, 1, 1), complex)}, 1, 1)
    with pytest.raises(InputError, match=r"trace of 'a': .* got complex128"):
        store.save_trace(tmp_path / "trace.nssm", trace)
