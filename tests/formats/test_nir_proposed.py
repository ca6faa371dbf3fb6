"""Float graphs through NIR with the proposed nodes, exactly; readers without them refuse."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from nir_interpreter import Interpreter

from neurossm.engine import run
from neurossm.errors import FormatError, GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Conv2d, DiagonalSSM, Input, Node, Output, ResonateAndFire
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

C, N = 3, 2


def ssm(method: str, **changes: np.ndarray) -> DiagonalSSM:
    rng = np.random.default_rng(4)
    radius, angle = rng.uniform(0.3, 0.999, (C, N)), rng.uniform(-3.1, 3.1, (C, N))
    parts = {name: rng.standard_normal((C, N)) for name in ("b_re", "b_im", "c_re", "c_im",
             "drive_re", "drive_im")}  # fmt: skip
    fields = {"a_re": radius * np.cos(angle), "a_im": radius * np.sin(angle), **parts,
              "d": rng.standard_normal(C), "bias": rng.standard_normal(C)}  # fmt: skip
    return DiagonalSSM(**fields | changes, step_size=rng.uniform(0.01, 0.1, C), method=method)


def neuron(**changes: object) -> LIF:
    rng = np.random.default_rng(6)
    fields = {"theta": rng.uniform(0.5, 2, C), "tau": rng.uniform(0.1, 0.99, C),
              "rho": rng.uniform(0.1, 0.99, C), "kappa": rng.uniform(0, 1, C),
              "reset": "soft"}  # fmt: skip
    return LIF(**fields | changes)


def graph_of(*nodes: Node, dt: float | None = 2e-3) -> Graph:
    named = {f"n.{k}": node for k, node in enumerate(nodes)}
    every = {
        "in": Input(channels=nodes[0].in_channels, out=Fixed(8, 5)),
        **named,
        "out": Output(channels=C),
    }
    return Graph(every, tuple(itertools.pairwise(every)), dt)


def resonator(**changes: object) -> ResonateAndFire:
    rng = np.random.default_rng(7)
    pole = rng.uniform(0.5, 0.99, C) * np.exp(1j * rng.uniform(-3, 3, C))
    fields = {"a_re": pole.real, "a_im": pole.imag, "theta": rng.uniform(0.5, 2, C),
              "reset": "soft", "drive": "real"}  # fmt: skip
    return ResonateAndFire(**fields | changes)


ZEROS, ONES = np.zeros(C), np.ones(C)
NODES: dict[str, Node] = {
    "zoh": ssm("zoh"),
    "bilinear": ssm("bilinear"),
    "integrator": ssm("zoh", a_re=np.ones((C, N)), a_im=np.zeros((C, N))),
    "pole at 0": ssm("zoh", a_re=np.zeros((C, N)), a_im=np.zeros((C, N))),
    "pole at -1": ssm("bilinear", a_re=-np.ones((C, N)), a_im=np.zeros((C, N))),
    "soft with trace": neuron(),
    "hard with trace": neuron(reset="hard"),
    "trace alone": neuron(reset="none"),
    "rho of 0": neuron(rho=ZEROS),
    "soft": neuron(kappa=ZEROS, rho=ZEROS),
    "rho without trace": neuron(kappa=ZEROS),
    "none": neuron(kappa=ZEROS, rho=ZEROS, reset="none"),
    "hard": neuron(kappa=ZEROS, rho=ZEROS, reset="hard"),
    "no leak, soft": neuron(tau=ONES),
    "resonator": resonator(),
    "resonator of pole 0": resonator(a_re=ZEROS, a_im=ZEROS),
    "resonator without reset": resonator(reset="none"),
    "no leak, hard": neuron(tau=ONES, kappa=ZEROS, rho=ZEROS, reset="hard"),
}


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("dt", [2e-3, 1 / 44100, None])
def test_a_graph_comes_back_exactly(name, dt):
    graph = graph_of(NODES[name], dt=dt)
    assert neurossm_nir.expressible(graph, proposed=True) == ()
    assert neurossm_nir.from_nir(neurossm_nir.to_nir(graph, proposed=True)) == graph


def test_a_file_comes_back_exactly(tmp_path):
    graph, path = graph_of(*NODES.values()), tmp_path / "model.nir"
    neurossm_nir.write(graph, path, proposed=True)
    assert neurossm_nir.read_back(path) == graph
    found = neurossm_nir.read(path, Reading(proposed=True))
    assert found.own and dict(found.graph.nodes) == dict(graph.nodes)


def test_a_neuron_of_several_nodes_lies_between_convolutions(tmp_path):
    rng = np.random.default_rng(8)
    first, second = (
        Conv2d(weight=rng.standard_normal((2, ins, 2, 2)), bias=np.zeros(2),
               in_shape=np.array((ins, *shape)), stride=np.array([1, 1]),
               padding=np.array([0, 0]), dilation=np.array([1, 1]), groups=1)
        for ins, shape in ((1, (4, 4)), (2, (3, 3)))
    )  # fmt: skip
    ones = np.ones(18)
    middle = LIF(theta=ones, tau=0.9 * ones, rho=0.5 * ones, kappa=ones / 4, reset="soft")
    nodes = {"in": Input(channels=16, out=Fixed(8, 5)), "a": first, "n": middle, "b": second,
             "out": Output(channels=8)}  # fmt: skip
    graph = Graph(nodes, tuple(itertools.pairwise(nodes)), 2e-3)
    neurossm_nir.write(graph, tmp_path / "model.nir", proposed=True)
    assert neurossm_nir.read_back(tmp_path / "model.nir") == graph
    inputs = rng.integers(-60, 64, (30, 16))
    found = Interpreter(tmp_path / "model.nir", 2.0).run((inputs / 32).reshape(30, 1, 4, 4))
    expected = run(graph, inputs[None], "float", "outputs").values["out"][0]
    np.testing.assert_allclose(found.reshape(30, -1), expected, rtol=1e-9, atol=1e-9)
    assert np.ptp(expected) > 1


def stripped(graph: Graph, path: Path) -> Path:
    """Write a graph as another tool would: without a word of ours in any metadata."""
    neurossm_nir.write(graph, path, proposed=True)

    def strip(group: h5py.Group) -> None:
        if "metadata" in group:
            del group["metadata"]
        for part in group.get("nodes", {}).values():
            strip(part)

    with h5py.File(path, "r+") as file:
        strip(file["node"])
    return path


FOREIGN = [name for name in NODES if name not in ("none", "resonator without reset")]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Graph:
    """All nodes in one graph, read from a file without our metadata."""
    path = tmp_path_factory.mktemp("nir") / "foreign.nir"
    graph = graph_of(*(NODES[name] for name in FOREIGN))
    reading = Reading(dt=2e-3, proposed=True, input=Fixed(8, 5))
    found = neurossm_nir.read(stripped(graph, path), reading)
    assert not found.own and found.graph.dt == 2e-3
    return found.graph


@pytest.mark.parametrize("name", FOREIGN)
def test_without_our_metadata_the_fields_say_the_same(name, foreign):
    node, key = NODES[name], f"n.{FOREIGN.index(name)}"
    other = foreign.nodes.get(key) or foreign.nodes[f"{key}.spike"]
    assert type(other) is type(node)
    assert isinstance(node, DiagonalSSM) or other.reset == node.reset
    for field in node.shapes:
        if field == "rho" and not node.has_trace:
            continue  # no variable, and nothing said of it
        expected = getattr(node, field)
        np.testing.assert_allclose(getattr(other, field), expected, rtol=1e-11, atol=1e-12)


def test_membrane_without_reset_is_a_state_and_a_threshold(tmp_path):
    # NIR's own nodes say it, so that no flag is needed; read as such it spikes alike
    graph = graph_of(NODES["none"])
    path = stripped(graph, tmp_path / "foreign.nir")
    assert {type(n).__name__ for n in nir.read(path).nodes["n.0"].nodes.values()} == {
        "Input", "LI", "Threshold", "Output"
    }  # fmt: skip
    found = neurossm_nir.read(path, Reading(dt=2e-3, input=Fixed(8, 5))).graph
    inputs = np.random.default_rng(0).integers(-127, 127, (2, 200, C))
    ours, theirs = (run(g, inputs, "float", "outputs").values[g.outputs[0]] for g in (graph, found))
    assert 50 < ours.sum() < ours.size / 2
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", NODES)
def test_an_independent_interpreter_of_the_file_computes_the_graph(name, tmp_path):
    graph = graph_of(NODES[name])
    neurossm_nir.write(graph, tmp_path / "model.nir", proposed=True)
    inputs = np.random.default_rng(2).integers(-40, 64, (80, C))
    found = Interpreter(tmp_path / "model.nir", 2.0).run(inputs / 32)
    expected = run(graph, inputs[None], "float", "outputs").values["out"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.abs(expected).max() >= 1 and np.ptp(expected) > 0


# -- who does not know them ------------------------------------------------------


@pytest.mark.parametrize(("name", "told"), [("zoh", "StateSpace"), ("soft", "Reset")])
def test_the_nir_library_refuses_to_read_them(name, told, tmp_path):
    neurossm_nir.write(graph_of(NODES[name]), tmp_path / "model.nir", proposed=True)
    with pytest.raises(AssertionError):
        nir.read(tmp_path / "model.nir")
    with pytest.raises(GraphError, match=f"a release of NIR has, got {told}; import .* --proposed"):
        neurossm_nir.read(tmp_path / "model.nir")
    with pytest.raises(GraphError, match="--proposed"):
        neurossm_nir.read(stripped(graph_of(NODES[name]), tmp_path / "x.nir"), Reading(dt=1e-3))


def test_a_graph_that_says_the_proposal_is_refused_even_where_it_uses_no_node_of_it():
    converted = neurossm_nir.to_nir(graph_of(NODES["hard"]), proposed=True)
    with pytest.raises(GraphError, match="got one that says nir_proposal; import it with"):
        neurossm_nir.from_nir(converted, Reading())
    assert neurossm_nir.from_nir(converted, Reading(proposed=True)) == graph_of(NODES["hard"])


def test_nothing_proposed_is_written_unasked():
    graph = graph_of(NODES["zoh"])
    assert "nir_proposal" not in neurossm_nir.to_nir(graph).metadata
    assert isinstance(neurossm_nir.to_nir(graph).nodes["n.0"], nir.NIRGraph)
    (reason,) = neurossm_nir.expressible(graph_of(NODES["soft"]))
    assert reason == "node 'n.0' (LIF): NIR resets a membrane to a value, not 'soft'"


def test_another_version_of_the_proposal_is_refused():
    converted = neurossm_nir.to_nir(graph_of(NODES["zoh"]), proposed=True)
    converted.metadata["nir_proposal"] = 2
    for reading in (None, Reading(proposed=True)):
        with pytest.raises(FormatError, match="version 1 of the proposed nodes, got 2"):
            neurossm_nir.from_nir(converted, reading)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (neuron(tau=ZEROS), "a tau is 0, which no membrane decays to in one step"),
        (neuron(tau=np.array([1, 1, 0.5])), "some membranes leak and some do not, which are two"),
        (resonator(drive="complex"), "it has a complex drive, and StateSpace takes one input"),
        (resonator(a_re=np.array([0, -1.0, 0.5]), a_im=ZEROS), "it has poles at 0 and at -1"),
        (ssm("zoh", a_re=np.tile([0.0, -1.0], (C, 1)), a_im=np.zeros((C, N))),
         "it has poles at 0 and at -1: no discretization of a continuous state has both"),
    ],
)  # fmt: skip
def test_what_the_proposal_cannot_say_is_refused_by_name(node, reason):
    (found,) = neurossm_nir.expressible(graph_of(node), proposed=True)
    assert reason in found
    with pytest.raises(GraphError, match="nodes that NIR can express"):
        neurossm_nir.to_nir(graph_of(node), proposed=True)


# -- what neurossm wrote, edited -------------------------------------------------


def test_an_edited_state_space_is_refused():
    graph = graph_of(NODES["zoh"])
    for name, problem in (("A_re", "a_re"), ("B_im", "b_re"), ("drive_re", "drive_re")):
        converted = neurossm_nir.to_nir(graph, proposed=True)
        setattr(converted.nodes["n.0"], name, getattr(converted.nodes["n.0"], name) * 1.001)
        with pytest.raises(
            FormatError, match=rf"'n.0': {problem} of its metadata is not that of its"
        ):
            neurossm_nir.from_nir(converted)
    converted = neurossm_nir.to_nir(graph, proposed=True)
    converted.nodes["n.0"].dt = 3.0
    with pytest.raises(FormatError, match=r"'n.0'.dt: expected 0.002 s, got 0.003 s"):
        neurossm_nir.from_nir(converted)


@pytest.mark.parametrize(
    ("node", "field", "told"),
    [
        ("membrane", "tau", "its nodes and edges are not those of a LIF"),
        ("membrane", "r", "its nodes and edges are not those of a LIF"),
        ("reset", "amount", "amount must be theta to subtract it, else 0"),
        ("refractory", "tau", "rho of its metadata is not that of its nodes"),
        ("refractory", "amplitude", "kappa of its metadata is not that of its nodes"),
    ],
)
def test_an_edited_neuron_is_refused(node, field, told):
    converted = neurossm_nir.to_nir(graph_of(NODES["soft with trace"]), proposed=True)
    part = converted.nodes["n.0"].nodes[node]
    setattr(part, field, getattr(part, field) * 1.001)
    with pytest.raises(FormatError, match=told):
        neurossm_nir.from_nir(converted)


@pytest.mark.parametrize("change", ["more", "another"])
def test_a_neuron_with_another_edge_is_refused(change):
    converted = neurossm_nir.to_nir(graph_of(NODES["soft with trace"]), proposed=True)
    edges = converted.nodes["n.0"].edges
    converted.nodes["n.0"].edges = [*(edges if change == "more" else edges[1:]), ("input", "spike")]
    with pytest.raises(FormatError, match="its nodes and edges are not those of a LIF"):
        neurossm_nir.from_nir(converted)


@pytest.mark.parametrize(
    ("node", "field"), [("spike", "threshold"), ("reset", "amount"), ("resonator", "C_re")]
)
def test_an_edited_resonator_is_refused(node, field):
    converted = neurossm_nir.to_nir(graph_of(NODES["resonator"]), proposed=True)
    part = converted.nodes["n.0"].nodes[node]
    setattr(part, field, getattr(part, field) * 1.001)
    with pytest.raises(FormatError, match="its nodes and edges are not those of a ResonateAndFire"):
        neurossm_nir.from_nir(converted)
