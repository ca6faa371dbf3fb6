"""Networks that snnTorch, Norse and sinabs wrote give the spikes that these libraries gave."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nir
import numpy as np
import pytest
from fixtures.nir import ours

from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.nodes import Delay
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

FOLDER = Path(__file__).parents[1] / "fixtures" / "nir"
SPIKING = {
    "snntorch-leaky-zero": Reading("snntorch"),
    "snntorch-leaky-subtract-late": Reading("snntorch", reset="subtract-late"),
    "snntorch-leaky-subtract": Reading("snntorch", reset="subtract"),
    "snntorch-synaptic-zero": Reading("snntorch"),
    "snntorch-recurrent": Reading("snntorch", reset="subtract-late"),
    "norse-lif-box": Reading("norse"),
    "norse-lif": Reading("norse"),
    "sinabs-lif-reset": Reading("sinabs", dt=1e-3),
    "sinabs-lif-subtract": Reading("sinabs", dt=1e-3, reset="subtract"),
    "sinabs-lif-scalar": Reading("sinabs", dt=1e-3),
    "sinabs-iaf": Reading("sinabs", dt=1e-3, reset="subtract"),
    "norse-iaf": Reading("norse"),
}


def recorded(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return input (1, T, C) and output (T, C)."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return file["input"].astype(np.int64)[None], file["output"]


def answer(graph: Graph, inputs: np.ndarray, engine: str) -> np.ndarray:
    return run(graph, inputs, engine, "outputs").values[graph.outputs[0]][0]


def graph_of(name: str) -> Graph:
    return neurossm_nir.read(FOLDER / f"{name}.nir", SPIKING[name]).graph


@pytest.mark.parametrize("name", SPIKING)
def test_spikes_are_those_of_the_library(name):
    inputs, expected = recorded(name)
    graph = neurossm_nir.read(FOLDER / f"{name}.nir", SPIKING[name]).graph
    assert set(np.unique(expected)) == {0, 1}
    np.testing.assert_array_equal(answer(graph, inputs, "float"), expected)


def test_another_reset_gives_other_spikes():
    # the file of a network that subtracts, read as it stands: NIR cannot say that it does
    inputs, expected = recorded("snntorch-leaky-subtract-late")
    path = FOLDER / "snntorch-leaky-subtract-late.nir"
    for reset in ("nir", "subtract"):
        graph = neurossm_nir.read(path, Reading("snntorch", reset=reset)).graph
        assert np.count_nonzero(answer(graph, inputs, "float") != expected) > 5


def test_a_readout_is_that_of_the_library():
    inputs, expected = recorded("norse-readout")
    graph = neurossm_nir.read(FOLDER / "norse-readout.nir", Reading("norse")).graph
    np.testing.assert_allclose(answer(graph, inputs, "float"), expected, rtol=0, atol=1e-6)


def test_what_a_file_does_not_say_several_spikes_in_a_step():
    # sinabs' default: the same file as that of SingleSpike, and another network
    inputs, expected = recorded("sinabs-iaf-multispike")
    graph = neurossm_nir.read(FOLDER / "sinabs-iaf-multispike.nir", SPIKING["sinabs-iaf"]).graph
    found = answer(graph, inputs, "float")
    assert expected.max() > 1 and set(np.unique(found)) == {0, 1}
    np.testing.assert_array_equal(found, answer(graph_of("sinabs-iaf"), inputs, "float"))


@pytest.mark.parametrize("name", SPIKING)
def test_quantized_they_run_on_integers_and_spike_alike(name):
    inputs, expected = recorded(name)
    graph = neurossm_nir.read(FOLDER / f"{name}.nir", SPIKING[name]).graph
    integer = Quantize()(graph, calibrate(graph, run(graph, inputs, "float", "outputs")))
    reference = answer(integer, inputs, "reference")
    np.testing.assert_array_equal(answer(integer, inputs, "fast"), reference)
    # 8-bit weights move single spikes in time, more where no leak forgets their rounding
    assert np.mean(reference == expected) > (0.75 if "iaf" in name else 0.85)
    assert abs(int(reference.sum()) - int(expected.sum())) <= 0.1 * expected.sum() + 1


def test_feedback_arrives_a_step_later_and_matters():
    graph = graph_of("snntorch-recurrent")
    assert graph.loops == (("1.lif.before", "1.w_rec", "1.lif.sum", "1.lif"),)
    inputs, expected = recorded("snntorch-recurrent")
    nodes = {**graph.nodes, "1.lif.before": Delay(channels=6, steps=np.array(2))}
    other = Graph(nodes, graph.edges, graph.dt)
    assert np.count_nonzero(answer(other, inputs, "float") != expected) > 5


# -- versions of nir -------------------------------------------------------------


def facts(graph: nir.NIRGraph) -> dict[str, object]:
    """What `fixtures/nir/versions.py` notes of a graph."""
    found: dict[str, object] = {"edges": sorted(f"{a} -> {b}" for a, b in graph.edges)}
    for name, node in sorted(graph.nodes.items()):
        if isinstance(node, nir.NIRGraph):
            found[name] = facts(node)
            continue
        sums = {
            key: float(np.sum(value))
            for key, value in vars(node).items()
            if isinstance(value, np.ndarray) and value.dtype.kind in "fi"
        }
        found[name] = {"class": type(node).__name__, "sums": sums}
    return found


@pytest.mark.parametrize(
    ("version", "readable"), [("1.0.4", {"ours-ssm"}), ("1.0.6", {"ours-ssm", "ours-lif"})]
)
def test_old_versions_of_nir_read_what_we_write(version, readable):
    proof = json.loads((FOLDER / f"nir-{version}.json").read_text())
    for name in ours.GRAPHS:
        path, said = FOLDER / f"{name}.nir", proof[f"{name}.nir"]
        assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        if name in readable:
            assert said["read"] == json.loads(json.dumps(facts(nir.read(path))))
        else:  # known: v_reset came with 1.0.6
            assert "unexpected keyword argument 'v_reset'" in said["error"]


@pytest.mark.parametrize("name", ours.GRAPHS)
def test_the_files_of_the_proof_are_what_we_write_today(tmp_path, name):
    neurossm_nir.write(ours.GRAPHS[name](), tmp_path / "now.nir")
    now, then = (facts(nir.read(path)) for path in (tmp_path / "now.nir", FOLDER / f"{name}.nir"))
    assert now == then
    assert neurossm_nir.read_back(FOLDER / f"{name}.nir").order == ours.GRAPHS[name]().order


@pytest.mark.parametrize("version", ["1.0.4", "1.0.6"])
def test_what_old_versions_of_nir_wrote_imports(version):
    path = FOLDER / f"nir-{version}.nir"
    graph = neurossm_nir.read(path, Reading("exact", dt=1e-3, tau_unit="s")).graph
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    assert kinds == {
        "input": "Input", "fc": "Affine", "lif": "LIF", "mix": "Affine",
        "cuba.synapse": "DiagonalSSM", "cuba": "LIF", "output": "Output",
    }  # fmt: skip
    assert graph.meta["nir_version"] == version
    np.testing.assert_array_equal(graph.nodes["fc"].bias, [0, 1, 0.5])
    np.testing.assert_allclose(graph.nodes["lif"].tau, np.exp(-1 / 20), rtol=1e-15)
