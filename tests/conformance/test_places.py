"""Every node type on chips, in NIR, in pictures, tables, NeuroBench's numbers and fine-tuning."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from functools import cache, partial
from xml.etree import ElementTree

import family_networks
import numpy as np
import pytest
import torch
from conformance.cells import REFUSED, cell, each_type
from conformance.places import in_nir, nir_reason, on_chip, on_lava
from conformance.test_execution import golden_file, reference
from conformance.test_file import node_of, tree_of
from independent import counting, interpreter
from node_examples import NODE, examples

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.hardware import known_hardware, load_hardware
from neurossm.metrics import measure
from neurossm.nodes import LIF, NODE_TYPES, DiagonalSSM, ResonateAndFire
from neurossm.placement import SSM_MAPPINGS, place
from neurossm.quantization import Quantize
from neurossm.report import counts_table, graph_svg, node_table
from neurossm.store import save
from neurossm_cli import main
from neurossm_converters.formats import nir
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.qat import QATModel
from neurossm_models.ste import ste_outputs
from neurossm_workflows.quantize import calibrate as ranges_on_data

ACTIVATIONS = ("Threshold", "AdaptiveThreshold", "TernaryThreshold", "LIF", "AdaptiveLIF",
               "ResonateAndFire", "PiecewiseLinear")  # fmt: skip
CHIPS = [(chip, mapping) for chip in known_hardware() for mapping in SSM_MAPPINGS]


@each_type
@pytest.mark.parametrize(("chip", "mapping"), CHIPS, ids=["-".join(pair) for pair in CHIPS])
def test_a_chip_takes_it_or_says_why_not(kind, chip, mapping):
    with cell(chip, kind):
        on_chip(kind, chip, mapping).require(chip)


@each_type
@pytest.mark.parametrize("mapping", SSM_MAPPINGS)
def test_loihi_2_has_room_for_it(kind, mapping):
    """Neurons and synapses of the placement are those of the graph, counted by its sizes."""
    with cell("placement", kind):
        chip = load_hardware("loihi2")
        for example in examples(kind):
            placement = place(example.integers, chip, ssm_mapping=mapping)
            assert placement.cores and placement.chips == 1
            for name, population in placement.populations.items():
                assert population.passes(chip)[0] > 0
                held = sum(s.neurons for core in placement.cores for s in core.slices
                           if s.population == name)  # fmt: skip
                assert held == population.neurons, (example.label, name)


@each_type
def test_lava_takes_it_or_says_why_not(kind):
    with cell("Lava", kind):
        on_lava(kind).require("Lava")


@each_type
def test_nir_returns_it_or_says_why_not(kind, tmp_path):
    with cell("NIR", kind):
        in_nir(kind).require("NIR")
        for example in examples(kind):
            path = tmp_path / "a.nir"
            if nir.expressible(example.graph):
                with pytest.raises(GraphError, match="expected nodes that NIR can express"):
                    nir.write(example.graph, path)
                continue
            nir.write(example.graph, path)
            back = nir.read_back(path)
            assert list(back.nodes) == list(example.graph.nodes), example.label
            assert back.edges == example.graph.edges
            for name, node in example.graph.nodes.items():
                alike(back.nodes[name], node)
            left, right = (run(graph, example.inputs, "float") for graph in (example.graph, back))
            for name, values in left.values.items():
                np.testing.assert_allclose(right.values[name], values, rtol=1e-9, atol=1e-9)


@each_type
def test_nir_with_proposed_nodes_returns_it_exactly(kind):
    for example in examples(kind):
        if nir.expressible(example.graph, proposed=True):
            assert nir.expressible(example.graph), example.label  # it holds all that NIR holds
            continue
        back = nir.from_nir(nir.to_nir(example.graph, proposed=True))
        assert back.edges == example.graph.edges
        for name, node in example.graph.nodes.items():
            if isinstance(node, LIF | DiagonalSSM | ResonateAndFire):
                assert back.nodes[name] == node, example.label
            else:
                alike(back.nodes[name], node)


def alike(found, node) -> None:
    """Compare fields; leaks and poles go through a logarithm and back."""
    assert type(found) is type(node)
    for name in node.shapes:
        expected = np.asarray(getattr(node, name))
        slack = 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(
            np.asarray(getattr(found, name)), expected, rtol=1e-9, atol=slack
        )
    for name in ("channels", "steps", "reset", "out"):
        assert np.array_equal(getattr(found, name, None), getattr(node, name, None))


def test_nirs_reasons_are_about_the_node():
    (example,) = [e for e in examples("LIF") if e.label == "no reset"]
    assert nir_reason(example) == "NIR resets a membrane to a value, not 'none'"


# -- shown ----------------------------------------------------------------------------------------


@each_type
def test_it_is_drawn_and_listed(kind):
    with cell("drawn", kind):
        for example in examples(kind):
            for graph in (example.graph, example.integers):
                if NODE not in graph.nodes:
                    continue
                node, fmt = graph.nodes[NODE], graph.nodes[NODE].out
                (row,) = [row for row in node_table(graph) if row.name == NODE]
                assert (row.type, row.format) == (kind, str(fmt) if fmt else "float")
                assert (row.parameters, row.states) == (node.parameters, node.states)
                assert str(node.out_channels) in row.channels
                drawing = graph_svg(graph)
                titles = [item.text for item in ElementTree.fromstring(drawing).iter() if
                          item.tag.endswith("title")]  # fmt: skip
                (title,) = [text for text in titles if text.startswith(f"{NODE}: ")]
                assert title.startswith(f"{NODE}: {kind}, {row.channels}, {row.format}")
                assert not row.note or row.note in title


@each_type
def test_its_counters_are_in_the_report(kind):
    with cell("reported", kind):
        for example in examples(kind):
            trace = reference(example)
            graph = example.integers
            rows = {row.name: row for row in counts_table(graph, measure(graph, trace))}
            assert set(rows) == {*graph.nodes, "total"}
            for name, counts in trace.counts.items():
                assert rows[name].syn_ops == pytest.approx(counts.syn_ops / trace.samples)
                assert rows[name].saturations == counts.saturations
                spikes = kind in ACTIVATIONS[:-1] and name == NODE
                assert not spikes or rows[name].spike_rate == pytest.approx(
                    np.mean(trace.values[name] != 0)
                )


@each_type
def test_show_lists_it(kind, tmp_path):
    with cell("show", kind):
        for integer in (False, True):
            graph = examples(kind)[0].integers if integer else examples(kind)[0].graph
            if NODE not in graph.nodes:
                continue
            path, picture, out = tmp_path / "a.nssm", tmp_path / "a.svg", io.StringIO()
            save(path, graph)
            with redirect_stdout(out), pytest.raises(SystemExit) as ended:
                main(["show", str(path), "--json", "--svg", str(picture)])
            assert ended.value.code == 0
            document = json.loads(out.getvalue())
            (row,) = [row for row in document["nodes"] if row["name"] == NODE]
            assert row["type"] == kind and row["states"] == graph.nodes[NODE].states
            assert document["integer"] is graph.is_integer
            assert kind in picture.read_text(encoding="utf-8")


# -- NeuroBench -----------------------------------------------------------------------------------


@each_type
def test_neurobench_numbers_are_those_counted_alone(kind, tmp_path):
    """From the file and the values of the run: no counter of ours takes part."""
    with cell("NeuroBench", kind):
        for example in examples(kind):
            trace, path = reference(example), golden_file(example, tmp_path)
            found = dict(measure(example.integers, trace).neurobench)
            file, tree = interpreter.read(path), tree_of(path)
            nodes = {node.name: node for node in file.nodes}
            operations = {True: 0, False: 0}
            zeros = weights = dense = held = sent = possible = 0
            for name, node in nodes.items():
                fields = tree["graph"]["nodes"][name]
                for field, entry in fields.items():
                    if isinstance(entry, dict) and "values" in entry:
                        # NeuroBench counts parameters whether they are 0 or not
                        size = nodes[name].parameter(field).values.size
                        held += size * -(-entry["bits"] // 8)
                if node.type == "Affine":
                    weight = node.parameter("weight").values.astype(np.int64)
                    weights += weight.size
                    dense += weight.size * len(node.sources)
                    zeros += int(np.sum(weight == 0))
                    for source in node.sources:
                        active = (trace.values[source] != 0).sum(axis=(0, 1))
                        spikes = nodes[source].out["kind"] in counting.SPIKES
                        operations[spikes] += int((weight != 0).sum(axis=0) @ active)
                if node.type == "Conv2d":
                    weight = node.parameter("weight").values.astype(np.int64)
                    weights += weight.size
                    zeros += int(np.sum(weight == 0))
                    there = list(interpreter.conv_synapses(node))
                    dense += len(there) * len(node.sources)
                    for source in node.sources:
                        active = (trace.values[source] != 0).sum(axis=(0, 1))
                        spikes = nodes[source].out["kind"] in counting.SPIKES
                        operations[spikes] += sum(
                            int(active[at]) for *element, _, _, at in there if weight[*element]
                        )
                gated = fields.get("gate", "none") != "none"
                if node.type in ACTIVATIONS or gated:
                    sent += np.count_nonzero(trace.values[name])
                    possible += trace.values[name].size
            assert found == pytest.approx({
                "Effective_ACs": operations[True] / trace.samples,
                "Effective_MACs": operations[False] / trace.samples,
                "Dense": dense * trace.steps,
                "ActivationSparsity": 1 - sent / possible if possible else 0,
                "ConnectionSparsity": zeros / weights if weights else 0,
                "Footprint": held,
            }), example.label  # fmt: skip


# -- fine-tuning on the integers ------------------------------------------------------------------

FAMILIES = [
    ("binary-s4d", {"mixing": "linear"}), ("binary-s4d", {}), ("gsu", {}), ("spikingssm", {}),
    ("binary-s4d", {"vocabulary": 11}), ("spikingssm", {"delays": (1, 3)}),
    ("silif", {}), ("c-silif", {}), ("d-rf", {}), ("s5", {}),
]  # fmt: skip
TOKENS = np.random.default_rng(1).integers(0, 11, family_networks.PIXELS.shape[:2])


@cache
def finetuned(index: int) -> tuple[frozenset[str], bool]:
    """Return node types of a family's integers, and whether its STE network learns from them."""
    family, changes = FAMILIES[index]
    model = family_networks.network(family, **changes).float()
    tokens = "vocabulary" in changes
    inputs = TOKENS[..., None] if tokens else family_networks.PIXELS
    scale = 1.0 if tokens else family_networks.SCALE
    x = torch.tensor(TOKENS if tokens else inputs * scale, dtype=torch.long if tokens else None)
    export = {"steps": family_networks.STEPS, "scale": scale, "bits": 8}
    qat_model = QATModel(Quantize(), partial(ranges_on_data, data=inputs), **export)
    qat_model.calibrate(model)
    integers = qat_model.run(model, inputs, None, record=True)
    logits = ste_outputs(model, x if tokens else x.float(), integers)
    logits.square().sum().backward()
    learns = [p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters()]
    exact = bool(torch.equal(logits.detach(), integers.logits.to(logits.dtype)))
    kinds = {type(node).__name__ for node in qat_model.quantize(model).nodes.values()}
    norms = any(isinstance(m, torch.nn.BatchNorm1d) for m in model.modules())
    assert from_torch(model, **export).order  # what is deployed
    return frozenset(kinds | ({"BatchNorm"} if norms else set())), exact and all(learns)


@each_type
def test_fine_tuning_runs_its_integers(kind):
    with cell("fine-tuning", kind):
        for index in range(len(FAMILIES)):
            kinds, learns = finetuned(index)
            if kind in kinds:
                assert learns, FAMILIES[index]
                return
        raise GraphError(kind, expected="a node of a network of ours", got="no family has it")


def test_expected_refusals_are_of_types_that_are():
    assert {kind for _, kind in REFUSED} <= set(NODE_TYPES)
    assert node_of({"graph": {"nodes": {NODE: 1}}}) == 1
