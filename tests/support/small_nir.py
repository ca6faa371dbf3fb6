"""Small NIR graphs of other tools, and what they answer once they are imported."""

from __future__ import annotations

import nir
import numpy as np

from neurossm.engine import run
from neurossm.graph import Graph
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading


def network(nodes: dict[str, nir.NIRNode], *edges: str, inputs: int = 3) -> nir.NIRGraph:
    """A graph with edges written ``a > b``; every node of one width."""
    (outputs,) = next(reversed(nodes.values())).output_type.values()
    ends = {"in": nir.Input(np.array([inputs])), "out": nir.Output(np.array(outputs))}
    pairs = [tuple(edge.split(" > ")) for edge in edges]
    return nir.NIRGraph({"in": ends["in"], **nodes, "out": ends["out"]}, pairs)


def outputs(graph: Graph, inputs: np.ndarray) -> np.ndarray:
    trace = run(graph, inputs.astype(np.int64)[None], "float", "outputs")
    return trace.values[graph.outputs[0]][0]


def one_neuron(kind: str, **fields: float) -> nir.NIRGraph:
    node = getattr(nir, kind)(**{key: np.array([value]) for key, value in fields.items()})
    return network({"n": node}, "in > n", "n > out", inputs=1)


def turning(**changes: object) -> nir.NIRGraph:
    """Two LI that rotate into each other, with something wrong."""
    given = {
        "tau": 5 * np.ones(3),
        "tau_b": 5 * np.ones(3),
        "leak": 0 * np.ones(3),
        "back": -np.ones(3),
        "b": np.eye(3),
    }
    given |= changes
    nodes = {
        "in": nir.Input(np.array([3])),
        "da": nir.Linear(np.eye(3)),
        "db": nir.Linear(given["b"]),
        "x": nir.LI(given["tau"], 5 * np.ones(3), given["leak"]),
        "y": nir.LI(given["tau_b"], 5 * np.ones(3), 0 * np.ones(3)),
        "back": nir.Scale(given["back"]),
        "forth": nir.Scale(np.ones(3)),
        "ra": nir.Linear(np.eye(3)),
        "rb": nir.Linear(np.eye(3)),
        "out": nir.Output(np.array([3])),
    }
    edges = ["in da", "in db", "da x", "db y", "y back", "back x", "x forth", "forth y", "x ra",
             "y rb", "ra out", "rb out"]  # fmt: skip
    return nir.NIRGraph(nodes, [tuple(edge.split()) for edge in edges], type_check=False)


def imported(graph: nir.NIRGraph, *arguments: object, **changes: object) -> Graph:
    return neurossm_nir.from_nir(graph, Reading(*arguments, **changes))


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes)


def single(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array([value], np.float32) for name, value in values.items()}


def as_snntorch_writes(beta: float, threshold: float = 1.0) -> nir.NIRGraph:
    """The formulas of its exporter, in float32 like its arrays."""
    dt, one = np.float32(1e-4), np.float32(1)
    with np.errstate(divide="ignore"):
        tau = dt / (one - np.float32(beta))
        fields = single(v_leak=0, v_threshold=threshold, v_reset=0)
        return chain(nir.LIF(tau=np.array([tau]), r=np.array([tau / dt]), **fields))
