"""Float graphs through NIR and back; what NIR cannot express is refused by name."""

from __future__ import annotations

import itertools

import h5py
import nir
import numpy as np
import pytest

from neurossm import store
from neurossm.errors import FormatError, GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    BatchNorm,
    Delay,
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
from neurossm_converters.formats import nir as neurossm_nir

WIDTH, MODES = 4, 3


def affine(rng: np.random.Generator, rows: int, columns: int) -> Affine:
    return Affine(weight=rng.standard_normal((rows, columns)), bias=rng.standard_normal(rows))


def ssm(rng: np.random.Generator, method: str = "zoh") -> DiagonalSSM:
    shape = (WIDTH, MODES)
    step_size = np.exp(rng.uniform(np.log(1e-3), np.log(1e-1), WIDTH))
    pole = np.exp(step_size[:, None] * (-0.5 + 1j * np.pi * np.arange(MODES)))
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=rng.standard_normal(shape),
        b_im=rng.standard_normal(shape), c_re=rng.standard_normal(shape),
        c_im=rng.standard_normal(shape), d=rng.standard_normal(WIDTH),
        drive_re=rng.standard_normal(shape), drive_im=rng.standard_normal(shape),
        bias=rng.standard_normal(WIDTH), step_size=step_size, method=method,
    )  # fmt: skip


def linear_mixing_graph() -> Graph:
    """Input, two residual blocks of SSM, threshold and mixing, a readout summed over time."""
    rng = np.random.default_rng(3)
    nodes: dict[str, Node] = {
        "pixel": Input(channels=2, out=Fixed(8, 7)),
        "encoder": affine(rng, WIDTH, 2),
    }
    edges, trunk = [("pixel", "encoder")], "encoder"
    for block, method in enumerate(("zoh", "bilinear")):
        name = f"blocks.{block}"
        nodes |= {
            f"{name}.ssm": ssm(rng, method),
            f"{name}.fire": Threshold(theta=np.array([0.0, 0.5, -1.0, 1e-9])),
            f"{name}.mix": affine(rng, WIDTH, WIDTH),
            f"{name}.sum": Sum(channels=WIDTH),
        }
        chain = [trunk, f"{name}.ssm", f"{name}.fire", f"{name}.mix", f"{name}.sum"]
        edges += [*itertools.pairwise(chain), (trunk, f"{name}.sum")]
        trunk = f"{name}.sum"
    nodes |= {
        "readout": affine(rng, 3, WIDTH),
        "total": Accumulate(channels=3, steps=50),
        "class": Output(channels=3),
    }
    edges += [*itertools.pairwise([trunk, "readout", "total", "class"])]
    return Graph(nodes, tuple(edges), 2e-3, {"recipe": "test", "steps": 50, "rate": 0.1})


def assert_close(left: Graph, right: Graph) -> None:
    assert list(left.nodes) == list(right.nodes)
    assert (left.edges, left.dt, dict(left.meta)) == (right.edges, right.dt, dict(right.meta))
    for name, node in left.nodes.items():
        other = right.nodes[name]
        if not isinstance(node, DiagonalSSM):
            assert node == other
            continue
        assert isinstance(other, DiagonalSSM) and node.method == other.method
        np.testing.assert_array_equal(node.step_size, other.step_size)
        for field in node.shapes:
            expected = getattr(node, field)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                getattr(other, field), expected, rtol=1e-12, atol=1e-14 * scale, err_msg=field
            )


def test_a_network_goes_through_a_nir_file_and_comes_back(tmp_path):
    graph = linear_mixing_graph()
    assert neurossm_nir.expressible(graph) == ()
    path = tmp_path / "model.nir"
    neurossm_nir.write(graph, path)
    assert_close(neurossm_nir.from_nir(nir.read(path, type_check=True)), graph)
    assert_close(neurossm_nir.read_back(path), graph)


def test_only_official_primitives_are_used_and_none_is_added(tmp_path):
    graph = linear_mixing_graph()
    converted = neurossm_nir.to_nir(graph)
    sums = {name for name, node in graph.nodes.items() if isinstance(node, Sum)}
    assert set(converted.nodes) == set(graph.nodes) - sums  # nir adds an Input or Output silently
    classes = {type(node).__name__ for node in converted.nodes.values()}
    assert classes == {"Input", "Affine", "NIRGraph", "Threshold", "I", "Output"}


def test_a_sum_becomes_converging_edges():
    edges = set(neurossm_nir.to_nir(linear_mixing_graph()).edges)
    into = {target: {a for a, b in edges if b == target} for _, target in edges}
    assert into["blocks.0.ssm"] == {"encoder"}
    assert into["blocks.1.ssm"] == {"encoder", "blocks.0.mix"}
    assert into["readout"] == {"encoder", "blocks.0.mix", "blocks.1.mix"}


def test_a_strict_threshold_fires_exactly_where_ours_does():
    theta = np.array([0.5, 1.0, -3.0, 0.0, 1e-300])
    graph = Graph(
        {
            "x": Input(channels=5, out=Fixed(24, 0)),
            "fire": Threshold(theta=theta),
            "y": Output(channels=5),
        },
        (("x", "fire"), ("fire", "y")),
    )
    threshold = neurossm_nir.to_nir(graph).nodes["fire"].threshold
    assert np.all(theta > threshold)  # at theta it fires
    assert not np.any(np.nextafter(theta, -np.inf) > threshold)  # and at nothing below
    back = neurossm_nir.from_nir(neurossm_nir.to_nir(graph))
    np.testing.assert_array_equal(back.nodes["fire"].theta, theta)


def leaky(**changes: object) -> Graph:
    fields = {"theta": np.array([0.5, 1.0, 1e-300, 7.0]), "tau": np.array([0.1, 0.5, 0.99, 1e-9]),
              "rho": np.zeros(WIDTH), "kappa": np.zeros(WIDTH), "reset": "hard"}  # fmt: skip
    node = LIF(**(fields | changes))
    return Graph(
        {"x": Input(channels=WIDTH, out=Fixed(8, 3)), "n": node, "y": Output(channels=WIDTH)},
        (("x", "n"), ("n", "y")),
        2e-3,
    )


def test_a_leaky_neuron_with_hard_reset_is_nirs_and_comes_back(tmp_path):
    graph = leaky()
    neurossm_nir.write(graph, tmp_path / "model.nir")
    found = nir.read(tmp_path / "model.nir").nodes["n"]
    # the solution of tau dv/dt = (0 - v) + r I over a step of 2 ms with I held, from the equation
    v, current = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.3, 2.0, -1.0, 1.0])
    decay = np.exp(-2.0 / found.tau)
    stepped = v * decay + found.r * current * (1 - decay)
    np.testing.assert_allclose(stepped, graph.nodes["n"].tau * v + current, rtol=1e-12)
    assert np.all(graph.nodes["n"].theta > found.v_threshold)  # NIR compares strictly
    assert not np.any(found.v_reset) and not np.any(found.v_leak)
    back = neurossm_nir.read_back(tmp_path / "model.nir").nodes["n"]
    np.testing.assert_array_equal(back.theta, graph.nodes["n"].theta)
    np.testing.assert_allclose(back.tau, graph.nodes["n"].tau, rtol=1e-12)
    assert (back.reset, back.has_trace) == ("hard", False)


def test_a_neuron_without_leak_is_nirs_and_comes_back(tmp_path):
    graph = leaky(tau=np.ones(WIDTH))
    neurossm_nir.write(graph, tmp_path / "model.nir")
    found = nir.read(tmp_path / "model.nir").nodes["n"]
    assert isinstance(found, nir.IF)
    np.testing.assert_array_equal(found.r * 2.0, 1)  # over a step of 2 ms: the input once
    assert np.all(graph.nodes["n"].theta > found.v_threshold) and not np.any(found.v_reset)
    back = neurossm_nir.read_back(tmp_path / "model.nir").nodes["n"]
    np.testing.assert_array_equal(back.theta, graph.nodes["n"].theta)
    np.testing.assert_array_equal(back.tau, 1)
    converted = neurossm_nir.to_nir(graph)
    converted.nodes["n"].r = converted.nodes["n"].r * 2
    with pytest.raises(FormatError, match=r"NIR node 'n': v_reset must be 0, and r = 1/dt"):
        neurossm_nir.from_nir(converted)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"tau": np.array([1.0, 1, 0.5, 1])},
            "some membranes leak and some do not, which are two nodes in NIR",
        ),
        ({"reset": "soft"}, "NIR resets a membrane to a value, not 'soft'"),
        ({"reset": "none"}, "NIR resets a membrane to a value, not 'none'"),
        ({"kappa": np.ones(WIDTH)}, "NIR has no refractory variable"),
        ({"rho": np.full(WIDTH, 0.5)}, "NIR has no refractory variable"),
        ({"tau": np.zeros(WIDTH)}, "a tau is 0, which no membrane decays to in one step"),
    ],
)
def test_another_leaky_neuron_is_refused_by_name(changes, reason):
    assert neurossm_nir.expressible(leaky(**changes)) == (f"node 'n' (LIF): {reason}",)


def test_an_edited_leaky_neuron_is_refused():
    converted = neurossm_nir.to_nir(leaky())
    converted.nodes["n"].r = converted.nodes["n"].r * 2
    with pytest.raises(
        FormatError, match=r"NIR node 'n': v_leak and v_reset must be 0, and r = 1 / \(1 - exp"
    ):
        neurossm_nir.from_nir(converted)


def test_tokens_and_signed_spikes_are_refused_by_name():
    nodes = {
        "x": Input(channels=1, out=Fixed(8)),
        "row": Embedding(table=np.ones((3, WIDTH))),
        "sign": TernaryThreshold(delta=np.ones(WIDTH)),
        "y": Output(channels=WIDTH),
    }
    assert neurossm_nir.expressible(
        Graph(nodes, (("x", "row"), ("row", "sign"), ("sign", "y")))
    ) == (
        "node 'row' (Embedding): NIR has no look-up of tokens",
        "node 'sign' (TernaryThreshold): NIR has no signed spikes",
    )


def test_an_accumulator_adds_each_input_once():
    graph = linear_mixing_graph()
    r = neurossm_nir.to_nir(graph).nodes["total"].r
    # dv/dt = r u with u held for one step of 2 ms
    np.testing.assert_allclose(r * 2.0, np.ones(3), rtol=1e-15)


def gated_graph() -> Graph:
    rng = np.random.default_rng(0)
    nodes: dict[str, Node] = {
        "x": Input(channels=WIDTH, out=Fixed(8, 7)),
        "norm": BatchNorm(gain=np.ones(WIDTH), offset=np.zeros(WIDTH)),
        "value": affine(rng, WIDTH, WIDTH),
        "gate": affine(rng, WIDTH, WIDTH),
        "sigmoid": PiecewiseLinear(
            function="sigmoid", max_error=0.1, channels=WIDTH, knots=np.array([-2.0, 2.0]),
            slopes=np.array([0.0, 0.25, 0.0]), offsets=np.array([0.0, 0.5, 1.0]),
        ),
        "glu": Product(channels=WIDTH),
        "y": Output(channels=WIDTH),
    }  # fmt: skip
    edges = [("x", "norm"), ("norm", "value"), ("norm", "gate"), ("gate", "sigmoid")]
    edges += [("value", "glu"), ("sigmoid", "glu"), ("glu", "y")]
    return Graph(nodes, tuple(edges))


def test_a_gated_network_is_refused_with_every_node_named(tmp_path):
    with pytest.raises(GraphError) as caught:
        neurossm_nir.write(gated_graph(), tmp_path / "model.nir")
    for name in ("'norm' (BatchNorm)", "'sigmoid' (PiecewiseLinear)", "'glu' (Product)"):
        assert name in str(caught.value)
    assert "'value'" not in str(caught.value) and "fold_batch_norm" in str(caught.value)
    assert not list(tmp_path.iterdir())


def small(nodes: dict[str, Node], *edges: tuple[str, str]) -> Graph:
    ends: dict[str, Node] = {
        "x": Input(channels=WIDTH, out=Fixed(8, 7)), "y": Output(channels=WIDTH)
    }  # fmt: skip
    return Graph(ends | nodes, edges)


def test_an_edge_that_would_occur_twice_is_refused():
    rng = np.random.default_rng(0)
    sums: dict[str, Node] = {name: Sum(channels=WIDTH) for name in ("s", "t")}
    graph = small(sums | {"w": affine(rng, WIDTH, WIDTH)}, ("x", "w"), ("x", "s"), ("w", "s"),
                  ("s", "t"), ("x", "t"), ("t", "y"))  # fmt: skip
    reasons = neurossm_nir.expressible(graph)
    assert reasons[0] == "node 't' (Sum): it receives 'x' twice, and NIR has each edge once"


def test_a_node_that_feeds_nothing_is_refused():
    graph = small({"w": affine(np.random.default_rng(0), 2, WIDTH)}, ("x", "w"), ("x", "y"))
    (reason,) = neurossm_nir.expressible(graph)
    assert reason == "node 'w' (Affine): nothing follows it, and NIR would add an Output"


@pytest.mark.parametrize(
    ("pole", "reason"),
    [
        (0.0, "a pole is 0"),
        (1.0, "a pole has magnitude 1, and tau must be positive"),
        (1.25, "a pole has magnitude 1.25"),
    ],
)
def test_a_pole_without_a_continuous_form_is_refused(pole, reason):
    node = ssm(np.random.default_rng(0))
    a_re, a_im = np.array(node.a_re), np.array(node.a_im)
    a_re[1, 1], a_im[1, 1] = pole, 0.0
    fields = {name: getattr(node, name) for name in (*node.shapes, "step_size", "method")}
    graph = small(
        {"s": DiagonalSSM(**{**fields, "a_re": a_re, "a_im": a_im})}, ("x", "s"), ("s", "y")
    )
    (found,) = neurossm_nir.expressible(graph)
    assert found.startswith(f"node 's' (DiagonalSSM): {reason}")


def test_an_integer_graph_is_refused():
    from hostile.examples import integer_graph

    reasons = neurossm_nir.expressible(integer_graph())
    assert [reason.split()[1] for reason in reasons] == ["'mix'", "'ssm'", "'fire'"]
    assert all("no number formats" in reason for reason in reasons)


def test_one_file_holds_both_and_each_reads_its_own(tmp_path):
    graph, path = linear_mixing_graph(), tmp_path / "model.nssm"
    store.save(path, graph, before=lambda unfinished: neurossm_nir.write(graph, unfinished))
    assert store.load(path) == graph
    assert_close(neurossm_nir.from_nir(nir.read(path)), graph)
    assert list(tmp_path.iterdir()) == [path]


def test_a_refusal_by_nir_leaves_no_file(tmp_path):
    graph = gated_graph()
    with pytest.raises(GraphError, match="nodes that NIR can express"):
        store.save(
            tmp_path / "model.nssm", graph, before=lambda path: neurossm_nir.write(graph, path)
        )
    assert not list(tmp_path.iterdir())


def test_a_nir_file_alone_is_no_neurossm_file(tmp_path):
    neurossm_nir.write(linear_mixing_graph(), tmp_path / "model.nir")
    with pytest.raises(FormatError, match=r"got a NIR file without one"):
        store.load(tmp_path / "model.nir")


def test_a_foreign_nir_graph_is_refused_with_its_nodes_named(tmp_path):
    ones = np.ones(3)
    foreign = nir.NIRGraph.from_list(nir.LIF(tau=ones, r=ones, v_leak=ones, v_threshold=ones))
    with pytest.raises(FormatError, match=r"one that neurossm wrote .*'lif' \(LIF\)"):
        neurossm_nir.from_nir(foreign)
    nir.write(tmp_path / "foreign.nir", foreign)
    with pytest.raises(FormatError, match=r"foreign.nir: NIR graph: expected one that neurossm"):
        neurossm_nir.read_back(tmp_path / "foreign.nir")


def test_files_that_are_no_nir_are_refused(tmp_path):
    (tmp_path / "text.nir").write_text("hello")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["data"] = 1
    for name in ("text.nir", "other.nir"):
        with pytest.raises(FormatError, match=f"{name}: expected a NIR file"):
            neurossm_nir.read_back(tmp_path / name)
    with pytest.raises(InputError, match="expected a file, got No such file"):
        neurossm_nir.read_back(tmp_path / "none.nir")
    with pytest.raises(InputError, match="a file that can be written"):
        neurossm_nir.write(linear_mixing_graph(), tmp_path / "nowhere" / "model.nir")


def edit_weight(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].nodes["B_re"].weight[0, 1] = 1.0


def edit_r(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].nodes["x_im"].r[0] *= 2


def edit_leak(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].nodes["x_im"].v_leak[0] = 1


def edit_rotation(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].nodes["rot_ir"].scale[1] += 1


def edit_inner_edges(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].edges.pop()


def edit_kind(graph: nir.NIRGraph) -> None:
    graph.nodes["blocks.0.ssm"].metadata["neurossm_kind"] = "other"


def edit_edges(graph: nir.NIRGraph) -> None:
    graph.edges.remove(("encoder", "readout"))


def edit_nodes(graph: nir.NIRGraph) -> None:
    graph.nodes["extra"] = nir.Scale(scale=np.ones(3))


def edit_class(graph: nir.NIRGraph) -> None:
    graph.nodes["encoder"] = nir.Linear(weight=np.ones((WIDTH, 2)))


def edit_integrator(graph: nir.NIRGraph) -> None:
    graph.nodes["total"].r[0] *= 2


def edit_structure(graph: nir.NIRGraph) -> None:
    graph.metadata["neurossm_structure"] = '{"version": 1, "nodes": []}'


def edit_json(graph: nir.NIRGraph) -> None:
    graph.metadata["neurossm_structure"] = "[" * 100_000


def edit_version(graph: nir.NIRGraph) -> None:
    graph.metadata["neurossm_structure"] = '{"version": 2}'


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_weight, "NIR node 'blocks.0.ssm': .* got modes that mix channels"),
        (edit_r, "NIR node 'blocks.0.ssm': r is not as neurossm writes it"),
        (edit_leak, "v_leak is not as neurossm writes it"),
        (edit_rotation, "rotation is not as neurossm writes it"),
        (edit_inner_edges, "its nodes and edges are not those of an S4D"),
        (edit_kind, "expected a sub-graph with neurossm_kind 'S4D'"),
        (edit_edges, "NIR edges: they are not those that neurossm wrote"),
        (edit_nodes, r"NIR node 'extra': expected only nodes that neurossm wrote, got Scale"),
        (edit_class, "NIR node 'encoder': expected a NIR Affine, got Linear"),
        (edit_integrator, "NIR node 'total': r must be 1/dt = 0.5"),
        (edit_structure, "NIR metadata: expected what neurossm wrote, got an edited one"),
        (edit_json, "it is not the JSON that neurossm wrote"),
        (edit_version, "expected version 1, got 2; upgrade neurossm"),
    ],
)
def test_an_edited_nir_graph_is_refused(edit, message):
    converted = neurossm_nir.to_nir(linear_mixing_graph())
    edit(converted)
    with pytest.raises(FormatError, match=message):
        neurossm_nir.from_nir(converted)


def test_delays_and_the_cycles_through_them_come_back(tmp_path):
    nodes = {
        "x": Input(channels=3, out=Fixed.binary()),
        "into": Affine(weight=np.ones((3, 3)), bias=np.zeros(3)),
        "lif": LIF(theta=np.ones(3), tau=np.full(3, 0.9), rho=np.zeros(3), kappa=np.zeros(3),
                   reset="hard"),
        "later": Delay(channels=3, steps=np.array([1, 7, 63])),
        "back": Affine(weight=np.eye(3) / 4, bias=np.zeros(3)), "s": Sum(channels=3),
        "y": Output(channels=3),
    }  # fmt: skip
    edges = (("x", "into"), ("into", "s"), ("back", "s"), ("s", "lif"), ("lif", "later"),
             ("later", "back"), ("lif", "y"))  # fmt: skip
    graph = Graph(nodes, edges, dt=2e-3)
    neurossm_nir.write(graph, tmp_path / "x.nir")
    found = nir.read(tmp_path / "x.nir")
    assert type(found.nodes["later"]).__name__ == "Delay"
    np.testing.assert_allclose(found.nodes["later"].delay, [2.0, 14.0, 126.0])  # milliseconds
    assert ("lif", "later") in found.edges and ("later", "back") in found.edges
    back = neurossm_nir.read_back(tmp_path / "x.nir")
    assert back.edges == graph.edges and back.nodes["later"] == graph.nodes["later"]


def test_a_sparse_node_is_written_with_its_zeros_and_comes_back_sparse(tmp_path):
    weight = np.zeros((3, 4))
    weight[0, 1], weight[2, 3] = 0.5, -2.0
    nodes: dict[str, Node] = {
        "x": Input(channels=4, out=Fixed(8, 0)),
        "w": Affine(weight=weight, bias=np.ones(3), sparse=True),
        "y": Output(channels=3),
    }
    graph = Graph(nodes, (("x", "w"), ("w", "y")), 1e-3)
    neurossm_nir.write(graph, tmp_path / "graph.nir")
    found = nir.read(tmp_path / "graph.nir").nodes["w"]
    assert isinstance(found, nir.Affine)
    np.testing.assert_array_equal(found.weight, weight)
    assert neurossm_nir.read(tmp_path / "graph.nir").graph == graph
