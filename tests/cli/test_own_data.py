"""Data of one's own, and what an imported network needs: each chain as a user goes it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import nir
import numpy as np
import pytest

from neurossm.engine import run as run_graph
from neurossm.errors import FormatError, InputError
from neurossm.store import load, load_golden
from neurossm_models.data import load as load_data

NETX = Path(__file__).parents[1] / "fixtures/netx/slayer.net"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def remedies(line: str) -> list[list[str]]:
    """The commands that an error names, as they are typed."""
    return [shlex.split(found)[1:] for found in re.findall(r"'(neurossm [^']+)'", line)]


def mine(path: str, inputs, **more) -> None:
    np.savez(path, inputs=inputs, **more)


def write_nir(path: str, weight: np.ndarray) -> None:
    """Each output spikes where its synapses carry more than a half."""
    graph = nir.NIRGraph.from_list(
        nir.Linear(weight=weight), nir.Threshold(threshold=np.full(len(weight), 0.5))
    )
    nir.write(path, graph)


def test_a_netx_network_goes_all_the_way_by_the_remedies(here, neurossm):
    assert neurossm("import", NETX, "-o", "n.nssm").status == 0
    for stage in (("verify", "n.nssm"), ("deploy", "n.nssm", "--target", "lava", "--dry-run")):
        refused = neurossm(*stage)
        assert refused.status == 2
        (remedy,) = remedies(refused.err)
        assert neurossm(*remedy).status == 0
        again = [word.replace("n.nssm", "n.golden.nssm") for word in stage]
        assert neurossm(*again).status == 0
    # 8 nodes: 12 + 16 * 3 + 10 * 3 + 10 = 100 channels, of 64 steps in 3 vectors; 78 states
    verified = neurossm("verify", "n.golden.nssm", "--json").document
    assert verified["values_compared"] == 3 * (64 * 100 + 78) and verified["mismatches"] == 0
    refused = neurossm("quantize", "n.nssm", "-o", "q.nssm", "--calibrate", "digits:train:2")
    assert refused.status == 2 and "it runs as it is; 'neurossm golden'" in refused.err


def test_golden_vectors_hold_the_given_inputs_and_random_ones_in_the_range(here, neurossm):
    assert neurossm("import", NETX, "-o", "n.nssm").status == 0
    spikes = np.random.default_rng(3).random((3, 9, 12)) < 0.4
    mine("own.npz", spikes)
    ended = neurossm("golden", "n.nssm", "-o", "a.nssm", "--data", "own.npz", "--samples", 3)
    assert ended.status == 0
    graph = load("a.nssm")
    vectors = load_golden("a.nssm", graph)
    kept = np.stack([vector.inputs["input"] for vector in vectors])
    np.testing.assert_array_equal(kept[:3], spikes.astype(int))
    trace = run_graph(graph, kept, "fast")  # another engine than the one that wrote them
    for index, vector in enumerate(vectors):
        np.testing.assert_array_equal(vector.values["output"], trace.values["output"][index])
    for seed, name in ((1, "b.nssm"), (1, "c.nssm"), (2, "d.nssm")):
        made = neurossm("golden", "n.nssm", "-o", name, "--steps", 20, "--seed", seed, "--json")
        assert made.document["golden_vectors"] == 3 and made.document["steps"] == 20
    random = [
        load_golden(name, graph)[0].inputs["input"] for name in ("b.nssm", "c.nssm", "d.nssm")
    ]
    np.testing.assert_array_equal(random[0], random[1])
    assert not np.array_equal(random[0], random[2])
    assert set(np.unique(random[0])) == {0, 1} and 0.3 < random[0].mean() < 0.7


def test_a_network_with_two_inputs_is_calibrated_run_and_profiled(here, neurossm):
    write_nir("net.nir", np.eye(2))
    assert neurossm("import", "net.nir", "-o", "m.nssm", "--dt", "1e-3").status == 0
    inputs = np.zeros((4, 5, 2), bool)
    inputs[[0, 1, 2, 3], -1, [0, 1, 1, 0]] = True  # the last step decides
    mine("own.npz", inputs, labels=[0, 1, 0, 0])  # the third one is wrong: 3 of 4
    for stage in (
        "quantize m.nssm -o q.nssm --calibrate own.npz",
        "verify q.nssm",
        "golden q.nssm -o g.nssm --data own.npz:1",
        "diff m.nssm q.nssm --data own.npz",
        "place q.nssm --data own.npz:2",
        "check q.nssm",
        "run q.nssm --data own.npz --trace t.h5",
        "run m.nssm --data own.npz --engine float",
    ):
        ended = neurossm(*stage.split())
        assert ended.status == 0, (stage, ended.err, ended.out)
    assert neurossm("run", "q.nssm", "--data", "own.npz", "--json").document["accuracy"] == 0.75
    assert neurossm("run", "q.nssm", "--data", "own.npz:2", "--json").document["accuracy"] == 1
    profiled = neurossm("profile", "q.nssm", "--data", "own.npz", "--float", "m.nssm", "--json",
                        "--html", "r.html").document  # fmt: skip
    assert profiled["accuracy"] == profiled["accuracy_float"] == 0.75
    assert profiled["agreement"] == 1 and profiled["counts"]["input"]["spikes_out"] == 4
    shown = neurossm("run", "q.nssm", "--data", "own.npz")
    assert "accuracy 75.00% (balanced 83.3%, macro F1 0.733) on 4 samples" in shown.out


def test_a_network_with_784_inputs_and_no_labels(here, neurossm):
    # pixel p reaches output p % 10
    write_nir("net.nir", np.equal.outer(np.arange(10), np.arange(784) % 10).astype(float))
    assert neurossm("import", "net.nir", "-o", "m.nssm", "--dt", "1e-3").status == 0
    inputs = np.zeros((3, 4, 784))  # whole numbers as floats
    inputs[[0, 1, 2], 3, [7, 13, 780]] = 1
    mine("own.npz", inputs)
    ended = neurossm("quantize", "m.nssm", "-o", "q.nssm", "--calibrate", "own.npz")
    assert ended.status == 0, ended.err
    found = neurossm("run", "q.nssm", "--data", "own.npz", "--trace", "t.h5", "--json").document
    assert found["accuracy"] is None and found["counts"]["spikes_out"] > 0
    assert "no labels on 3 samples" in neurossm("run", "q.nssm", "--data", "own.npz").out
    profiled = neurossm("profile", "q.nssm", "--data", "own.npz", "--html", "r.html", "--json",
                        "--neurobench", "nb.json")  # fmt: skip
    assert profiled.status == 0 and profiled.document["accuracy"] is None
    refused = neurossm("profile", "q.nssm", "--data", "own.npz", "--float", "m.nssm")
    assert refused.status == 2 and "expected data with labels" in refused.err
    remedy = refused.err.split("; neurossm ")[1].split()
    assert neurossm(*remedy).status == 0
    refused = neurossm("sweep", "m.nssm", "--data", "own.npz", "--calibrate", "own.npz",
                       "--weights", "4")  # fmt: skip
    assert refused.status == 2 and "--data own.npz: expected data with labels" in refused.err
    mine("own.npz", inputs, labels=[7, 3, -1])  # both right, the third one unknown
    assert neurossm("run", "q.nssm", "--data", "own.npz", "--json").document["accuracy"] == 1


def test_the_answer_is_read_where_a_sequence_ends(here, neurossm):
    write_nir("net.nir", np.eye(2))
    assert neurossm("import", "net.nir", "-o", "m.nssm", "--dt", "1e-3").status == 0
    inputs = np.zeros((2, 5, 2), int)
    inputs[0, 2, 1] = inputs[1, 4, 1] = 1
    mine("own.npz", inputs, labels=[1, 1], lengths=[3, 5], dt=0.001)
    found = neurossm("run", "m.nssm", "--data", "own.npz", "--engine", "float", "--json")
    assert found.document["accuracy"] == 1
    assert load_data("own.npz").dt == 0.001


def test_data_in_the_unit_of_the_network(here, neurossm, files):
    digits = load_data("digits:test:6")
    mine("own.npz", digits.inputs, labels=digits.labels)
    theirs = neurossm("run", files.integer, "--data", "digits:test:6", "--json").document
    own = neurossm("run", files.integer, "--data", "own.npz", "--json").document
    assert own["accuracy"] == theirs["accuracy"] and own["counts"] == theirs["counts"]
    mine("wrong.npz", digits.inputs, labels=digits.labels, scale=1 / 8)
    refused = neurossm("run", files.integer, "--data", "wrong.npz")
    assert "expected inputs in units of 0.0625, got 0.125; leave scale out" in refused.err
    insisted = neurossm("run", files.integer, "--data", "wrong.npz", "--other-data")
    assert insisted.status == 0 and "you insist" in insisted.err


SPIKES = np.ones((3, 4, 2), bool)


@pytest.mark.parametrize(
    ("spec", "arrays", "error", "said"),
    [
        ("none.npz", None, InputError, "expected a NumPy .npz file, got no such file"),
        ("own.npz:0", {"inputs": SPIKES}, InputError, "expected a count of at least 1, got '0'"),
        ("own.npz:x", {"inputs": SPIKES}, InputError, "or a count of at least 1, got 'x'"),
        ("own.npz:trian", {"inputs": SPIKES}, InputError, "got 'trian'; did you mean 'train'?"),
        ("own.npz:4", {"inputs": SPIKES}, InputError, "expected at most 3, got 4"),
        ("own.npz", {"x": SPIKES}, FormatError, "expected arrays named inputs, labels,"),
        ("own.npz", {"labels": [1]}, FormatError, "got no inputs"),
        ("own.npz", {"inputs": SPIKES[0, 0]}, InputError, "samples x steps x channels"),
        ("own.npz", {"inputs": SPIKES / 2}, InputError, "got 0.5 among float64; divide by"),
        ("own.npz", {"inputs": np.array([None])}, FormatError, "plain arrays"),
        ("own.npz", {"inputs": SPIKES, "labels": [1, 2]}, InputError, "labels: expected shape (3,"),
        ("own.npz", {"inputs": SPIKES, "lengths": [1, 2, 5]}, InputError, "1 to 4 steps"),
        ("own.npz", {"inputs": SPIKES, "dt": [1, 2]}, FormatError, "dt: expected one number"),
        ("own.npz", {"inputs": SPIKES, "dt": 0.0}, InputError, "dt: expected a finite number"),
        ("own.npz", {"inputs": SPIKES, "order": 3}, FormatError, "order: expected one text"),
    ],
)
def test_wrong_files_are_refused(spec, arrays, error, said, here):
    if arrays is not None:
        np.savez("own.npz", **arrays)
    with pytest.raises(error, match=re.escape(said)):
        load_data(spec)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"\x93NUMPY\x01\x00v\x00{"])
def test_damaged_files_are_refused(content, here):
    Path("own.npz").write_bytes(content)
    with pytest.raises(FormatError, match=re.escape("remedy" and "np.savez(file, inputs=")):
        load_data("own.npz")


def test_a_label_that_no_output_has_is_refused(here, neurossm, files):
    mine("own.npz", load_data("digits:test:2").inputs, labels=[3, 10])
    refused = neurossm("run", files.integer, "--data", "own.npz")
    assert refused.status == 2
    assert "labels of data 'own.npz': expected 0 to 9, a channel of the output" in refused.err
    refused = neurossm("run", files.integer, "--data", "digits:test:2", "--trace", "own.npz/t.h5")
    assert refused.status == 2
    refused = neurossm("run", files.integer, "--data", "own.npz", "--trace", "own.npz")
    assert refused.status == 2 and "expected a file of its own" in refused.err


def test_labels_of_another_task_are_left_out_with_a_note(here, neurossm):
    write_nir("net.nir", np.array([[2.0], [1.0], [3.0]]))  # digits have ten classes
    neurossm("import", "net.nir", "--dt", 1e-3, "--input", "9:8", "-o", "n.nssm")
    done = neurossm("quantize", "n.nssm", "-o", "q.nssm", "--calibrate", "digits:train:4")
    assert done.status == 0 and "labels of data 'digits' go to" in done.err, done.err
    assert neurossm("diff", "n.nssm", "q.nssm", "--data", "digits:test:4").status == 0
    ran = neurossm("run", "q.nssm", "--data", "digits:test:4")
    assert ran.status == 0 and "no labels" in ran.out
