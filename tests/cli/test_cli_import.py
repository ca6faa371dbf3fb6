"""`neurossm import`: files of other tools through the command, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from fixtures.netx.layout import CUBA, write_layer

from neurossm import store
from neurossm.fixed import Fixed

FOLDER = Path(__file__).parents[1] / "fixtures" / "nir"
SNNTORCH = FOLDER / "snntorch-leaky-zero.nir"


def test_a_network_of_snntorch_becomes_a_file_that_runs(neurossm, tmp_path):
    target = tmp_path / "m.nssm"
    done = neurossm("import", SNNTORCH, "-o", target, "--convention", "snntorch", "--json")
    assert done.status == 0, done.err
    assert done.document["integer"] is False and done.document["dt"] is None
    assert sorted(done.document["nodes"].values()) == [
        "Affine", "Affine", "Input", "LIF", "LIF", "Output"
    ]  # fmt: skip
    graph = store.load(target)
    assert graph.meta["imported_from"] == "NIR" and graph.meta["reset"] == "nir"
    assert graph.nodes[graph.inputs[0]].out == Fixed.binary()
    shown = neurossm("show", target)
    assert shown.status == 0 and "LIF" in shown.out


def test_it_says_what_a_step_is(neurossm, tmp_path):
    target = tmp_path / "m.nssm"
    done = neurossm("import", SNNTORCH, "-o", target, "--convention", "snntorch",
                    "--reset", "subtract-late", "--input", "8:3")  # fmt: skip
    assert done.status == 0
    assert "snntorch: forward Euler steps, time constants in s at snnTorch's own step" in done.out
    assert "by the threshold, one step later (not from the file)" in done.out
    assert store.load(target).nodes["input"].out == Fixed(8, 3)


def test_what_neurossm_exported_comes_back_without_a_word_from_the_user(neurossm, tmp_path):
    source, target = FOLDER / "ours-ssm.nir", tmp_path / "m.nssm"
    done = neurossm("import", source, "-o", target, "--json")
    assert done.status == 0 and done.document["how"] == "written by neurossm: read back as it was"
    assert done.document["nodes"]["ssm"] == "DiagonalSSM"
    refused = neurossm("import", source, "-o", target, "--dt", "1e-3")
    assert refused.status == 2 and "--dt: expected none, as neurossm wrote this file" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SNNTORCH,), "--dt: expected the duration of a step in seconds"),
        ((SNNTORCH, "--convention", "brian"), "--convention: expected exact | euler | snntorch"),
        ((SNNTORCH, "--from", "onnx"), "--from: expected nir | netx | s4, got 'onnx'"),
        ((SNNTORCH, "--dt", "1", "--input", "8"), "--input: expected binary or BITS:FRAC"),
        ((SNNTORCH, "--dt", "1", "--input", "99:0"), "--input: expected binary or BITS:FRAC"),
        ((SNNTORCH, "--dt", "1", "--layers", "0:1"), "--layers: expected none with --from nir"),
        (
            (SNNTORCH, "--reset", "soft", "--dt", "1"),
            "--reset: expected nir | subtract |",
        ),
        (
            (SNNTORCH, "--reset", "7=none", "--dt", "1e-3", "--tau-unit", "s"),
            "--reset 7=none: expected a node of the file that spikes: 1, 3",
        ),
        ((SNNTORCH, "--compare", "1=eq", "--dt", "1"), "--compare '1': expected gt | ge, got 'eq'"),
        ((SNNTORCH, "--reset", "none", "--reset", "nir", "--dt", "1"), "expected one rule for a"),
        ((SNNTORCH, "--from", "netx", "--reset", "none"), "--reset: expected none with --from"),
        ((SNNTORCH, "--from", "netx", "--tau-unit", "s"), "--tau-unit: expected none with --from"),
        ((SNNTORCH, "--from", "netx", "--layers", "x"), "--layers: expected FIRST:STOP"),
        ((FOLDER / "none.nir", "--dt", "1"), "none.nir: expected a file, got No such file"),
        ((FOLDER / "README.md", "--dt", "1"), "README.md: expected a NIR file"),
    ],
)
def test_wrong_use_is_refused_in_one_line(neurossm, tmp_path, arguments, message):
    target = tmp_path / "m.nssm"
    done = neurossm("import", *arguments, "-o", target)
    assert done.status == 2 and done.out == ""
    assert message in done.err and done.err.count("\n") == 1
    assert not target.exists()


def test_scale_and_units_of_a_graph_by_hand(neurossm, tmp_path):
    ones = np.ones(2)
    net = nir.NIRGraph.from_list(
        nir.LIF(tau=20 * ones, r=ones, v_leak=0 * ones, v_threshold=0.5 * ones)
    )
    nir.write(tmp_path / "net.nir", net)
    for unit, dt in (("ms", "1e-3"), ("s", "1.0")):
        target = tmp_path / f"{unit}.nssm"
        done = neurossm("import", tmp_path / "net.nir", "-o", target, "--dt", dt,
                        "--tau-unit", unit)  # fmt: skip
        assert done.status == 0 and f"time constants in {unit}" in done.out
        assert store.load(target).nodes["lif"].tau[0] == np.exp(-1 / 20)


def test_resets_and_comparisons_by_node(neurossm, tmp_path):
    target = tmp_path / "m.nssm"
    done = neurossm("import", SNNTORCH, "-o", target, "--convention", "snntorch", "--reset",
                    "subtract", "--reset", "3=none", "--compare", "1=ge")  # fmt: skip
    assert done.status == 0, done.err
    assert "reset by the threshold, at once (not from the file); 3=none" in done.out
    assert "compare gt 1=ge" in done.out
    graph = store.load(target)
    assert [graph.nodes[name].reset for name in ("1", "3")] == ["soft", "none"]
    assert graph.meta["reset"] == "subtract 3=none" and graph.meta["compare"] == "gt 1=ge"


def test_a_netx_file_needs_no_word_about_what_it_is(neurossm, tmp_path):
    source = FOLDER.parent / "netx" / "slayer.net"
    done = neurossm("import", source, "-o", tmp_path / "m.nssm", "--json")
    assert done.status == 0, done.err
    assert done.document["from"] == "netx" and done.document["integer"] is True
    refused = neurossm("import", source, "-o", tmp_path / "n.nssm", "--from", "nir", "--dt", "1")
    assert refused.status == 2 and "got layers, as in a file of netx; import it with --from" in (
        refused.err
    )
    refused = neurossm("import", source, "-o", tmp_path / "n.nssm", "--convention", "sinabs")
    assert refused.status == 2 and "--convention: expected none with --from netx" in refused.err


def test_the_remedy_of_a_layer_of_input_neurons_is_one_of_the_command(neurossm, tmp_path):
    source, target = tmp_path / "a.net", tmp_path / "m.nssm"
    with h5py.File(source, "w") as file:
        write_layer(file, 0, "input", [2], neuron=CUBA, weight=None, bias=[64])
        write_layer(file, 1, "dense", [2], [[3, -4], [5, 6]], CUBA)
    refused = neurossm("import", source, "-o", target)
    assert refused.status == 2 and "--layers 1: " in refused.err
    assert neurossm("import", source, "-o", target, "--layers", "1:").status == 0
    assert "layer1.neuron" in store.load(target).nodes
