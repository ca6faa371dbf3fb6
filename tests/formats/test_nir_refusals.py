"""Each way in which a NIR file of another tool is wrong, or says what neurossm has no node for.

With `test_nir_import.py`, `test_nir_fixtures.py` and `test_nir_interpreted.py` these are the
regressions met in other tools: values dropped without a word, decays that became 0, names lost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from small_nir import turning

from neurossm import store
from neurossm.errors import FormatError, GraphError, InputError
from neurossm.graph import Graph
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

READING = Reading("exact", dt=1e-3)
ONES = np.ones(3)


def chain(*nodes: nir.NIRNode, size: int = 3) -> nir.NIRGraph:
    """Input, nodes ``a``, ``b``, ..., Output; nothing checked by nir."""
    named = {chr(97 + index): node for index, node in enumerate(nodes)}
    last = nodes[-1].output_type["output"]
    everything = {"in": nir.Input(np.array([size])), **named, "out": nir.Output(np.array(last))}
    names = list(everything)
    return nir.NIRGraph(everything, list(itertools.pairwise(names)), type_check=False)


def lif(**changes: np.ndarray) -> nir.LIF:
    given = {"tau": 5 * ONES, "r": ONES, "v_leak": 0 * ONES, "v_threshold": ONES,
             "v_reset": 0 * ONES}  # fmt: skip
    return nir.LIF(**(given | changes))


def cuba(**changes: np.ndarray) -> nir.CubaLIF:
    given = {"tau_syn": 2 * ONES, "tau_mem": 5 * ONES, "r": ONES, "v_leak": 0 * ONES,
             "v_threshold": ONES, "v_reset": 0 * ONES, "w_in": ONES}  # fmt: skip
    return nir.CubaLIF(**(given | changes))


def read(graph: nir.NIRGraph, reading: Reading = READING) -> Graph:
    return neurossm_nir.from_nir(graph, reading)


@dataclass(eq=False)
class LayerNorm(nir.NIRNode):
    """What a tool with classes of its own writes; nir writes it and cannot read it."""

    weight: np.ndarray

    def __post_init__(self) -> None:
        self.input_type = {"input": np.array(self.weight.shape)}
        self.output_type = {"output": np.array(self.weight.shape)}


def with_edges(graph: nir.NIRGraph, *edges: tuple[str, str]) -> nir.NIRGraph:
    graph.edges.extend(edges)
    return graph


def looped() -> nir.NIRGraph:
    return with_edges(chain(nir.Scale(ONES)), ("a", "a"))


def two_inputs() -> nir.NIRGraph:
    inner = nir.NIRGraph({"p": nir.Input(np.array([3])), "q": nir.Input(np.array([3])),
                          "y": nir.Output(np.array([3]))}, [("p", "y"), ("q", "y")],
                         type_check=False)  # fmt: skip
    outer = {"in": nir.Input(np.array([3])), "s": inner, "out": nir.Output(np.array([3]))}
    return nir.NIRGraph(outer, [("in", "s"), ("s", "out")], type_check=False)


def unfed() -> nir.NIRGraph:
    graph = chain(lif())
    graph.edges.remove(("in", "a"))
    return graph


def deep(levels: int) -> nir.NIRGraph:
    graph = chain(nir.Scale(ONES))
    for _ in range(levels):
        nodes = {"in": nir.Input(np.array([3])), "g": graph, "out": nir.Output(np.array([3]))}
        graph = nir.NIRGraph(nodes, [("in", "g"), ("g", "out")], type_check=False)
    return graph


REFUSED: dict[str, tuple[nir.NIRGraph, str]] = {
    "a class that NIR does not have": (
        chain(LayerNorm(ONES)),
        r"got NIR node 'a' \(LayerNorm\); it is no NIR class; take it out of the model, or fold it",
    ),
    "feedback that takes no time": (
        with_edges(chain(nir.Scale(ONES), nir.Linear(np.eye(3))), ("b", "a")),
        r"cycle through 'a', 'b': .* got 'a' \(Scale\), 'b' \(Linear\); .* put a Delay of at least",
    ),
    "a loop": (looped(), r"cycle through 'a': .*an edge from a node to itself; make it that form"),
    "an edge to no node": (
        with_edges(chain(lif()), ("a", "outt")),
        r"NIR edge \('a', 'outt'\): no node named 'outt'; did you mean 'out'\?",
    ),
    "an edge twice": (
        with_edges(chain(lif()), ("in", "a")), r"NIR edge \('in', 'a'\): the edge is listed twice",
    ),
    "shapes that do not fit": (
        chain(lif(), size=4), r"'a' \(LIF\).tau: expected 1 or 4 values, got shape \(3,\)",
    ),
    "weights that do not fit": (
        chain(nir.Linear(np.ones((3, 4)))),
        r"NIR node 'a' \(Linear\): expected 4 channels, got 3 from 'in'; a batch dimension",
    ),
    "weights with a batch dimension": (
        chain(nir.Linear(np.ones((2, 3, 3)))), r"\(Linear\).weight: expected 2 axes \(out, in\)",
    ),
    "a sub-graph of two inputs": (
        two_inputs(), r"NIR node 's' \(NIRGraph\): expected one Input, .*, got 2",
    ),
    "a node that nothing feeds": (unfed(), r"NIR node 'a' \(LIF\): expected an edge into it"),
    "nesting without end": (deep(12), "graphs are nested more than 8 deep"),
    "a reset above the threshold": (
        chain(lif(v_reset=2 * ONES)), r"\(LIF\).v_threshold: expected at least v_reset, 2, got 1",
    ),
    "a time constant of 0": (chain(lif(tau=0 * ONES)), r"\(LIF\).tau: expected above 0, got 0"),
    "a negative resistance": (chain(lif(r=-ONES)), r"\(LIF\).r: expected above 0, got -1"),
    "a negative threshold": (
        chain(lif(v_threshold=-ONES)), "v_threshold: expected at least v_reset, 0, got -1",
    ),
    "not a number": (chain(lif(tau=ONES * np.nan)), "tau: expected finite numbers, got nan"),
    "complex numbers": (
        chain(nir.Linear(np.eye(3) * 1j)), r"weight: expected real numbers, got complex128",
    ),
    "a sum of unknown length": (chain(nir.I(ONES)), r"\(I\): expected the length .*; give --steps"),
    "rotations that differ": (turning(back=ONES), "its two rotations must be opposite"),
    "two time constants a mode": (turning(tau_b=4 * ONES), "must have the same time constants"),
    "modes that mix channels": (turning(b=np.ones((3, 3))), "got modes that mix channels"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_its_name(case: str):
    graph, message = REFUSED[case]
    with pytest.raises((GraphError, FormatError), match=message):
        read(graph)


def test_a_scalar_means_every_neuron():
    scalars = nir.LIF(tau=np.array(5.0), r=np.array(1.0), v_leak=np.array(0.0),
                      v_threshold=np.array(1.0), v_reset=np.array(0.0))  # fmt: skip
    graph = chain(nir.Linear(np.eye(3)), lif())
    graph.nodes["b"] = scalars
    assert read(graph) == read(chain(nir.Linear(np.eye(3)), lif()))


def test_a_batch_of_one_is_no_dimension():
    shape = np.ones((1, 3))
    fields = {"tau": 5 * shape, "r": shape, "v_leak": 0 * shape, "v_threshold": shape}
    graph = chain(nir.LIF(**fields, v_reset=0 * shape))
    graph.nodes["in"], graph.nodes["out"] = (
        nir.Input(np.array([1, 3])),
        nir.Output(np.array([1, 3])),
    )
    assert read(graph) == read(chain(lif()))


def test_a_bias_survives_and_nothing_is_dropped(tmp_path: Path):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((3, 3)), rng.standard_normal(3)
    graph = chain(nir.Affine(weight, bias), lif(), nir.Affine(weight.T, -bias))
    found = read(graph)
    np.testing.assert_array_equal(found.nodes["a"].bias, bias)
    np.testing.assert_array_equal(found.nodes["c"].bias, -bias)
    assert len(found.nodes) == len(graph.nodes) and len(found.edges) == len(graph.edges)
    # and out again: what left as Affine comes back as Affine, bias and all
    neurossm_nir.write(found, tmp_path / "out.nir")
    assert len(nir.read(tmp_path / "out.nir").nodes) == len(graph.nodes)
    back = neurossm_nir.read_back(tmp_path / "out.nir")
    np.testing.assert_array_equal(back.nodes["c"].bias, -bias)


# -- steps -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau", "reading"),
    [
        (ONES, Reading("euler", dt=1e-3)),  # r = tau = dt: 1 - dt/tau is 0
        (0.5 * ONES, Reading("euler", dt=1e-3)),  # and here below 0
        (0.02 * ONES, Reading("exact", dt=1e-3)),  # seconds taken for milliseconds
        (20 * ONES, Reading("exact", dt=1.0)),  # a step of a second
    ],
)
def test_a_step_never_zeroes_a_decay_without_a_word(tau, reading):
    with pytest.raises(
        GraphError, match=r"keeps something .* (check --dt, --tau|it would make sense with)"
    ):
        read(chain(lif(tau=tau)), reading)


def test_another_step_gives_the_decay_that_belongs_to_it():
    for dt in (1e-4, 1e-3, 5e-3):
        for unit, factor in (("ms", 1e3), ("s", 1.0)):
            graph = chain(lif(tau=0.02 * factor * ONES))
            found = read(graph, Reading("exact", dt=dt, tau_unit=unit))
            np.testing.assert_allclose(found.nodes["a"].tau, np.exp(-dt / 0.02), rtol=1e-12)
            assert found.dt == dt


def test_units_do_not_change_a_recurrence():
    in_ms = read(turning()).nodes["x"]
    # tau dv/dt = r I - v: only tau has a unit of time; r, the rotation and B are as they were
    seconds = turning(tau=5e-3 * ONES, tau_b=5e-3 * ONES)
    in_s = read(seconds, Reading("exact", dt=1e-3, tau_unit="s")).nodes["x"]
    for field in ("a_re", "a_im", "b_re", "b_im"):
        np.testing.assert_allclose(getattr(in_s, field), getattr(in_ms, field), rtol=1e-12)
    pole = np.exp(-0.2 + 1j)  # -1/tau, and w = scale r / tau, per ms
    np.testing.assert_allclose(in_ms.a_re[:, 0], pole.real, rtol=1e-12)
    np.testing.assert_allclose(in_ms.a_im[:, 0], pole.imag, rtol=1e-12)


def test_forward_euler_of_a_growing_rotation_is_refused():
    # |1 - 0.2 + 1j| is 1.281
    with pytest.raises(GraphError, match=r"a magnitude of 1.281 .* makes this oscillation grow"):
        read(turning(), Reading("euler", dt=1e-3))


def test_a_complex_parameter_counts_twice():
    node = read(turning()).nodes["x"]
    # poles, input gains, output gains and drives: complex, 1 mode in each of 3 channels; d and bias
    assert node.parameters == 4 * 2 * 3 + 2 * 3


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({}, "--dt: expected the duration of a step in seconds, which a NIR file does not hold"),
        ({"convention": "euler"}, "--dt: expected the duration of a step"),
        ({"convention": "spyx", "dt": 1.0}, "--convention: expected exact | euler | snntorch"),
        ({"dt": 0.0}, "--dt: expected a positive time in seconds, got 0"),
        ({"dt": 1.0, "tau_unit": "us"}, "--tau-unit: expected ms | s, got 'us'"),
        ({"convention": "norse", "tau_unit": "s"}, "--tau-unit: expected none, as norse has"),
        ({"dt": 1.0, "reset": "soft"}, "--reset: expected nir | subtract | subtract-late"),
    ],
)
def test_a_reading_that_says_too_little_or_nonsense(reading, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read(chain(lif()), Reading(**reading))


# -- files -----------------------------------------------------------------------

Edit = Callable[[h5py.File], None]


def set_type(file: h5py.File) -> None:
    del file["node/nodes/a/type"]
    file["node/nodes/a/type"] = "Fancy"


def lose_type(file: h5py.File) -> None:
    del file["node/nodes/a/type"]


def add_field(file: h5py.File) -> None:
    file["node/nodes/a/foo"] = np.ones(3)


def lose_field(file: h5py.File) -> None:
    del file["node/nodes/a/tau"]


def slash(file: h5py.File) -> None:
    file.move("node/nodes/a", "node/nodes/blocks/a")


def huge(file: h5py.File) -> None:
    del file["node/nodes/a/tau"]
    file.create_dataset("node/nodes/a/tau", (2**33,), "f8", compression="gzip")


def missing(file: h5py.File) -> None:
    del file["node/nodes/a/tau"]
    file.create_dataset("node/nodes/a/tau", (3,), "f8", chunks=(3,), compression="gzip")


def elsewhere(file: h5py.File) -> None:
    del file["node/nodes/a/tau"]
    file["node/nodes/a/tau"] = h5py.ExternalLink("other.h5", "/tau")


def edges_of_numbers(file: h5py.File) -> None:
    del file["node/edges"]
    file["node/edges"] = np.ones((2, 2))


def endless(file: h5py.File) -> None:
    file["node/nodes/g"] = file["node"]


EDITS: dict[Edit, str] = {
    set_type: r"got NIR node 'a' \(Fancy\)",
    lose_type: "node 'a': expected a node with a type, got none; the file is unfinished, or a name",
    add_field: r"'a' \(LIF\): expected only the fields r, tau, v_leak, .*got 'foo'",
    lose_field: r"'a' \(LIF\): expected a field 'tau', got none",
    slash: "node 'blocks': expected a node with a type, got none; .*a name with '/' broke it",
    huge: "data that were never written",
    missing: "expected a member 'tau' of this file, got data that were never written",
    elsewhere: "expected a member 'tau' of this file, got a soft or external link",
    edges_of_numbers: "edges: expected text, got float64",
    endless: "at most 8 graphs nested",
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_file_that_is_wrong_is_refused_with_the_place(tmp_path: Path, edit: Edit):
    path = tmp_path / "net.nir"
    nir.write(path, chain(lif()))
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises((GraphError, FormatError), match=EDITS[edit]) as caught:
        neurossm_nir.read(path, READING)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 2**64 - 1])
def test_a_damaged_heap_of_texts_does_not_hang(tmp_path: Path, size: int):
    # HDF5's own reader never comes back from some of these
    path = tmp_path / "net.nir"
    nir.write(path, chain(lif()))
    data = bytearray(path.read_bytes())
    first = data.index(b"GCOL") + 16  # behind the head of the heap: index, count, length, text
    data[first + 8 : first + 16] = size.to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        neurossm_nir.read(path, READING)


def test_files_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="No such file"):
        neurossm_nir.read(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("NIR")
    with pytest.raises(FormatError, match="expected a NIR file, got another"):
        neurossm_nir.read(tmp_path / "text.nir")
    recording = nir.NIRNodeData({"v": nir.TimeGriddedData(np.zeros((1, 2, 3)), 1e-3)})
    nir.write_data(tmp_path / "data.nir", nir.NIRGraphData({"a": recording}))
    with pytest.raises(FormatError, match="got NIRData, recordings without a network"):
        neurossm_nir.read(tmp_path / "data.nir")


def test_small_integers_are_the_same_numbers_and_metadata_have_no_say(tmp_path: Path):
    path, weight = tmp_path / "net.nir", np.array([[1, -128, 127]], np.int8)
    graph = chain(nir.Linear(weight))
    graph.metadata = {"note": ["a", "b"], "deep": {"x": 1}, "flag": True, "dt": 9.0}
    nir.write(path, graph)
    assert nir.read(path).nodes["a"].weight.dtype == np.int8
    with h5py.File(path, "r+") as file:
        file["node/metadata/nothing"] = h5py.Empty("f8")
    found = neurossm_nir.read(path, READING).graph
    np.testing.assert_array_equal(found.nodes["a"].weight, weight)
    assert found.dt == 1e-3  # not what somebody left under the name of dt


def test_a_file_that_another_tool_saved_again_is_read_from_its_nir_part(tmp_path: Path):
    path, again = tmp_path / "ours.nssm", tmp_path / "again.nssm"
    graph = read(chain(nir.Affine(np.eye(3), ONES), lif()))
    store.save(path, graph, before=lambda unfinished: neurossm_nir.write(graph, unfinished))
    with pytest.raises(FormatError, match="graph with NIR beside it; it needs no import"):
        neurossm_nir.read(path)
    nir.write(again, nir.read(path))  # nir keeps what is its own, and nothing else
    with pytest.raises(FormatError, match=r"got a NIR file without one; .*neurossm import"):
        store.load(again)
    found = neurossm_nir.read(again)
    assert found.own and found.steps is None and found.graph.edges == graph.edges
