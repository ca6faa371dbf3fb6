"""A bundle on one's own inputs: read, run, answered and scored without neurossm."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from spiking_block import integers

from neurossm.engine import run as run_engine
from neurossm.fixed import Fixed, Scaling, TargetScaling
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.metrics.answers import answers_sent
from neurossm.nodes import Input, Output, Threshold
from neurossm.store import Golden, load, save
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2.script import FILES

LENGTHS = np.array([9, 4, 12, 12, 1])
ALONE = """
import runpy, sys
for name in ("neurossm", "neurossm_models", "neurossm_converters"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
with_lava = pytest.mark.skipif(not status().usable, reason="no Lava")


def script(folder, *words, cwd="/"):
    """Run a bundle in an isolated interpreter in which neurossm cannot be imported."""
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "run.py"), *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240,
                          check=False)  # fmt: skip


def saying(path, meaning):
    """Let the graph of a file say this of its input and output, with new golden vectors."""
    graph = meaning.applied(load(path))
    inputs = {name: np.zeros((1, 3, graph.nodes[name].out_channels), int) for name in graph.inputs}
    save(path, graph, (Golden.from_trace(inputs, run_engine(graph, inputs, "reference")),))
    return graph


def some_inputs(seed=0):
    return np.random.default_rng(seed).integers(-255, 256, (len(LENGTHS), 12, 2))


# -- the whole way -------------------------------------------------------------


@with_lava
@pytest.mark.lava
def test_data_that_the_bundle_carries_are_answered_as_here(golden, deploy, tmp_path):
    path, inputs, labels = golden("ssm"), some_inputs(), np.array([1, 0, -1, 1, 0])
    np.savez(tmp_path / "mine.npz", inputs=inputs, labels=labels, lengths=LENGTHS)
    done = deploy(path, "--bundle", tmp_path / "out", "--data", tmp_path / "mine.npz")
    assert done.status == 0, done.err
    assert (
        "`data.npz` | 5 samples as integers, labels, and neurossm's answers"
        in (tmp_path / "out/README.md").read_text()
    )
    shutil.move(tmp_path / "out", tmp_path / "moved")
    found = script(tmp_path / "moved", "--inputs", tmp_path / "moved/data.npz", "--out",
                   tmp_path / "result", "--target", "lava", cwd=tmp_path)  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    sent = run_engine(load(path), inputs, "reference", lengths=LENGTHS).values["out"]
    last = np.stack([sent[i, end - 1] for i, end in enumerate(LENGTHS)])
    predicted = last.argmax(axis=1)
    assert 0 < predicted.sum() < 5, "the test sees one class"
    right = np.mean(predicted[labels >= 0] == labels[labels >= 0])
    assert f"accuracy: {right:.2%} of 4 labels" in found.stdout
    assert "5 of 5 predictions equal to those made by neurossm" in found.stdout
    assert "10 integers of answers, all equal" in found.stdout
    with (tmp_path / "result/predictions.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [int(row["predicted"]) for row in rows] == predicted.tolist()
    assert [int(row["label"]) for row in rows] == labels.tolist()
    about = json.loads((tmp_path / "result/result.json").read_text())
    assert (about["metric"], about["predictions_equal"], about["value"]) == ("accuracy", 5, right)
    with np.load(tmp_path / "result/result.npz") as arrays:
        np.testing.assert_array_equal(arrays["answers"], last)

    # an integer that neurossm is said to have answered and did not is found
    with np.load(tmp_path / "moved/data.npz") as arrays:
        spoiled = dict(arrays)
    spoiled["answers"][2, 1] += 1
    np.savez(tmp_path / "moved/data.npz", **spoiled)
    found = script(tmp_path / "moved", "--inputs", tmp_path / "moved/data.npz")
    assert found.returncode == 1 and "10 integers of answers, 1 differ" in found.stdout
    # and the answers of another graph are not compared
    spoiled["graph_sha256"] = np.array("0" * 64)
    np.savez(tmp_path / "moved/data.npz", **spoiled)
    found = script(tmp_path / "moved", "--inputs", tmp_path / "moved/data.npz")
    assert found.returncode == 2 and "answers are those of another graph" in found.stderr


@with_lava
@pytest.mark.lava
def test_real_numbers_become_the_integers_of_the_graph_and_targets_real_ones(golden, tmp_path):
    path = golden("ssm")
    scaling = Scaling([0.5, 2.0], [1.0, -3.0], [1.0, 1.0], 7)
    target = TargetScaling([10.0, 0.5], [-1.0, 2.0])
    graph = saying(path, Interface("regression", "last", scaling, target))
    values = np.random.default_rng(1).normal(0, 60, (3, 8, 2))
    np.save(tmp_path / "x.npy", values)
    integers, clipped = scaling.to_integers(values)
    sent = run_engine(graph, integers, "reference").values["out"][:, -1] / 2.0**4
    expected = sent * [10.0, 0.5] + [-1.0, 2.0]
    labels = expected + np.array([3.0, -4.0])  # off by 3 and 4: a mean squared error of 12.5
    np.save(tmp_path / "y.npy", labels)
    found = subprocess.run(
        [sys.executable, str(FILES / "run.py"), "--graph", path, "--target", "lava", "--inputs",
         "x.npy", "--labels", "y.npy", "--out", "o"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert 0 < clipped < values.size / 2
    assert f"{clipped} input values were beyond the range and clipped" in found.stdout
    assert "mean squared error: 12.5 of 6 labels" in found.stdout
    with (tmp_path / "o/predictions.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [[float(row[f"predicted {k}"]) for k in (0, 1)] for row in rows] == expected.tolist()


# -- answers -------------------------------------------------------------------


def meaning(chip, readout="", task="classification", kind="graded", names=(), channels=2):
    output = chip.nssm.Node(
        "out", "Output", {"out": {"bits": 8, "frac": 1, "kind": kind}, "channels": channels}, ()
    )
    return chip.answers.Meaning(output, task, readout, list(names), np.array(1.0), np.array(0.0))


SENT = np.array([[[5, -1], [2, 7], [-9, 3]], [[1, 1], [0, 2], [99, 99]]])  # the second ends at 2


@pytest.mark.parametrize(
    ("readout", "kind", "answer"),
    [
        ("", "graded", [[-9, 3], [0, 2]]),
        ("mean", "graded", [[-9, 3], [0, 2]]),
        ("sum", "graded", [[-9, 3], [0, 2]]),
        ("leaky", "graded", [[-9, 3], [0, 2]]),
        ("last", "graded", [[-9, 3], [0, 2]]),
        ("max", "graded", [[5, 7], [1, 2]]),
        ("last", "binary", [[-2, 9], [1, 3]]),  # spikes are counted
        ("every-step", "graded", [[[5, -1], [2, 7], [-9, 3]], [[1, 1], [0, 2], [0, 0]]]),
    ],
)
def test_the_answer_follows_the_readout_here_and_in_the_bundle(chip, readout, kind, answer):
    lengths = np.array([3, 2])
    found = chip.answers.answers_of(meaning(chip, readout, kind=kind), SENT, lengths)
    assert found.tolist() == answer
    out = Fixed(8, 1) if kind == "graded" else Fixed.binary()
    nodes = {"in": Input(channels=2, out=out), "out": Output(channels=2, out=out)}
    graph = Interface(readout=readout).applied(Graph(nodes, (("in", "out"),)))
    trace = SimpleNamespace(
        values={"out": SENT}, inside=(np.arange(3) < lengths[:, None])[:, :, None],
        last=lambda name: SENT[[0, 1], lengths - 1],
    )  # fmt: skip
    assert answers_sent(graph, trace).tolist() == answer


def test_the_first_output_is_that_of_the_graph_and_not_the_first_to_be_reached(chip, tmp_path):
    spikes = Fixed.binary()
    nodes = {
        "late": Output(channels=1, out=spikes),
        "soon": Output(channels=1, out=spikes),
        "in": Input(channels=1, out=spikes),
        "fire": Threshold(theta=integers([1], 0, 24)),
    }
    graph = Graph(nodes, (("in", "soon"), ("in", "fire"), ("fire", "late")))
    inputs = {"in": np.zeros((1, 2, 1), int)}
    save(tmp_path / "g", graph, (Golden.from_trace(inputs, run_engine(graph, inputs)),))
    file = chip.nssm.read(str(tmp_path / "g"))
    assert [n.name for n in file.nodes if n.type == "Output"] == ["soon", "late"]
    assert graph.outputs[0] == chip.answers.meaning_of(file).output.name == "late"


def test_metrics_by_hand(chip):
    a, lengths = chip.answers, np.array([3, 2])
    one = meaning(chip)
    # classes 1 1; the first label is right
    answers = a.answers_of(one, SENT, lengths)
    predictions = a.predictions_of(one, answers, lengths)
    assert predictions.tolist() == [1, 1]
    assert a.score(one, predictions, np.array([1, 0]), lengths) == ("accuracy", 0.5, 2)
    assert a.score(one, predictions, np.array([1, -1]), lengths) == ("accuracy", 1.0, 1)
    # every step: 0 1 1 and 0 1; ties are the first
    every = meaning(chip, task="step-classification")
    found = a.predictions_of(every, a.answers_of(every, SENT, lengths), lengths)
    labels = np.array([[0, 1, 0], [1, 1, 1]])
    assert a.score(every, found, labels, lengths) == ("accuracy", 3 / 5, 5)
    # labels that are on: above 0
    many = meaning(chip, task="multilabel")
    found = a.predictions_of(many, answers, lengths)
    assert found.tolist() == [[0, 1], [0, 1]]
    assert a.score(many, found, np.array([[0, 1], [1, -1]]), lengths) == ("accuracy", 2 / 3, 3)
    # halves: -4.5 1.5 0 1; nan is unknown
    real = meaning(chip, task="regression")
    found = a.predictions_of(real, answers, lengths)
    assert found.tolist() == [[-4.5, 1.5], [0.0, 1.0]]
    # a mean over 6 steps in the graph, of sequences of 3 and 2
    found_mean = a.predictions_of(real._replace(mean_over=6), answers, lengths)
    assert found_mean.tolist() == [[-9.0, 3.0], [0.0, 3.0]]
    labels = np.array([[-4.5, 3.5], [np.nan, 0.0]])
    assert a.score(real, found, labels, lengths) == ("mean squared error", 5 / 3, 3)


def test_labels_may_be_the_names_of_classes(chip, tmp_path):
    named, lengths = meaning(chip, names=("cat", "dog")), np.array([3, 2])
    predictions = np.array([1, 1])
    labels = chip.answers.checked_labels(named, np.array(["dog", "cat"]), predictions, 3)
    assert labels.tolist() == [1, 0]
    chip.answers.write_csv(str(tmp_path / "p.csv"), named, predictions, labels, lengths)
    text = (tmp_path / "p.csv").read_text().splitlines()
    assert text == ["sample,predicted,label", "0,dog,dog", "1,dog,cat"]
    every = meaning(chip, "every-step")
    chip.answers.write_csv(str(tmp_path / "p.csv"), every, labels[:, None], None, np.array([1, 1]))
    assert (tmp_path / "p.csv").read_text().splitlines() == ["sample,step,predicted", "0,0,1",
                                                              "1,0,0"]  # fmt: skip


# -- reading -------------------------------------------------------------------


def test_what_stands_behind_the_end_of_a_sample_is_not_looked_at(chip, golden, tmp_path):
    path, inputs = golden("ssm"), some_inputs()
    inputs[1, 4:] = 10**9
    np.savez(tmp_path / "x.npz", inputs=inputs, lengths=LENGTHS)
    own = chip.own.read_own(chip.nssm.read(str(path)), str(tmp_path / "x.npz"), "", 4)
    assert own.inputs.shape == (4, 12, 2) and not own.inputs[1, 4:].any()
    np.testing.assert_array_equal(own.inputs[1, :4], inputs[1, :4])
    own = chip.own.read_own(chip.nssm.read(str(path)), str(tmp_path / "x.npz"), "", 2)
    assert own.inputs.shape == (2, 9, 2)  # no longer than the longest of them


@pytest.mark.parametrize("meta", ["scaling", "unit", "none"])
def test_the_bundle_scales_as_neurossm_does(chip, golden, tmp_path, meta):
    path = golden("ssm")
    graph, values = load(path), np.random.default_rng(3).normal(0, 1.2, (2, 7, 2))
    if meta == "scaling":
        scaling = Scaling([0.01, 0.02], [0.5, -0.5], [1, 1], 6)
        saying(path, Interface(scaling=scaling))
    elif meta == "unit":
        scaling = Scaling([1 / 99] * 2, [0, 0], [1, 1], 8)
        vectors = (Golden.from_trace({"pixel": np.zeros((1, 2, 2), int)},
                                     run_engine(graph, np.zeros((1, 2, 2), int))),)  # fmt: skip
        save(path, replace(graph, meta={"input_scale": 1 / 99}), vectors)
    else:
        scaling = Scaling([2.0**-8] * 2, [0, 0], [1, 1], 8)
    np.save(tmp_path / "x.npy", values)
    own = chip.own.read_own(chip.nssm.read(str(path)), str(tmp_path / "x.npy"), "", 0)
    expected, clipped = scaling.to_integers(values)
    np.testing.assert_array_equal(own.inputs, expected)
    assert own.clipped == clipped > 0


GOOD = some_inputs()
WRONG = {
    "channels": (GOOD[:, :, :1], None, r"expected samples x steps x 2 channels, got shape \(5, 12"),
    "range": (GOOD + 10, None, "expected integers from -255 to 255, got -2.* to 26"),
    "nan": (np.where(GOOD > 250, np.nan, GOOD / 256), None, "expected finite numbers, got nan"),
    "text": (GOOD.astype(str), None, "expected integers or real numbers, got <U"),
    "objects": (np.array([[1], [2, 3]], dtype=object), None, "cannot be read: Object arrays"),
    "empty": (GOOD[:0], None, r"got shape \(0, 12, 2\)"),
    "few labels": (GOOD, np.zeros(3, int), "labels: expected 5, one a sample, got 3"),
    "classes": (GOOD, np.full(5, 2), r"labels: expected 0 to 1 \(-1: unknown\), got 2 to 2"),
    "real labels": (GOOD, np.zeros(5), "labels: expected integers, got float64"),
    "wide labels": (GOOD, np.zeros((5, 2), int), r"labels: expected shape \(5,\), got \(5, 2\)"),
    "no label": (GOOD[:2], np.full(2, -1), "labels: expected at least one that is known"),
}


@with_lava
@pytest.mark.lava
@pytest.mark.parametrize("case", WRONG)
def test_wrong_inputs_are_said_in_one_line(golden, tmp_path, case):
    path = golden("ssm")
    inputs, labels, said = WRONG[case]
    np.save(tmp_path / "x.npy", inputs)
    words = ["--target", "lava", "--graph", path, "--inputs", tmp_path / "x.npy"]
    if labels is not None:
        np.save(tmp_path / "y.npy", labels)
        words += ["--labels", tmp_path / "y.npy"]
    assert_refused(words, said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--labels", "y.npy"], "--labels and --samples require --inputs"),
        (["--samples", "2"], "--labels and --samples require --inputs"),
        (["--inputs", "x.npy", "--vectors", "1"], "--vectors does not go with --inputs"),
        (["--inputs", "x.npy", "--samples", "-1"], "--samples, --vectors: expected at least 0"),
        (["--inputs", "/no/such.npy"], "--inputs /no/such.npy cannot be read: .*No such file"),
        (["--inputs", str(FILES / "run.py")], "run.py cannot be read: "),
    ],
)
def test_wrong_words_are_said_in_one_line(golden, words, said):
    assert_refused(["--graph", golden("ssm"), *words], said)


def test_other_names_in_a_file_are_said_and_lengths_checked(chip, golden, tmp_path):
    file = chip.nssm.read(str(golden("ssm")))
    from neurossm_chip.refusal import Refusal

    for arrays, said in (
        ({"train_inputs": GOOD}, "expected the names inputs, labels, lengths, got train_inputs"),
        ({"inputs": GOOD, "weights": GOOD}, "got inputs, weights"),
        ({"inputs": GOOD, "lengths": np.full(5, 13)}, "lengths from 1 to 12, got 13 to 13"),
        ({"inputs": GOOD, "lengths": np.full(4, 3)}, "lengths as 5 integers"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(Refusal, match=said):
            chip.own.read_own(file, str(tmp_path / "x.npz"), "", 0)


def test_spikes_are_whole_numbers(chip, tmp_path):
    spikes = Fixed.binary()
    nodes = {
        "in": Input(channels=1, out=spikes),
        "fire": Threshold(theta=integers([1], 0, 24)),
        "out": Output(channels=1, out=spikes),
    }
    graph = Graph(nodes, (("in", "fire"), ("fire", "out")))
    inputs = {"in": np.zeros((1, 2, 1), int)}
    vectors = (Golden.from_trace(inputs, run_engine(graph, inputs)),)
    save(tmp_path / "g.nssm", graph, vectors)
    file = chip.nssm.read(str(tmp_path / "g.nssm"))
    np.save(tmp_path / "x.npy", np.array([[0.0, 1.0]]))  # one channel: samples x steps
    own = chip.own.read_own(file, str(tmp_path / "x.npy"), "", 0)
    assert own.inputs.tolist() == [[[0], [1]]]
    np.save(tmp_path / "x.npy", np.array([[0.0, 0.5]]))
    from neurossm_chip.refusal import Refusal

    with pytest.raises(Refusal, match="expected whole numbers, as they are spikes"):
        chip.own.read_own(file, str(tmp_path / "x.npy"), "", 0)


def test_data_without_a_bundle_is_refused(golden, deploy, tmp_path):
    np.savez(tmp_path / "mine.npz", inputs=GOOD)
    done = deploy(golden("ssm"), "--target", "lava", "--data", tmp_path / "mine.npz")
    assert done.status == 2 and done.err.count("\n") == 1
    assert "--data requires --bundle" in done.err


def assert_refused(words, said):
    done = subprocess.run(
        [sys.executable, str(FILES / "run.py"), *map(str, words)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("run.py: ")
    assert re.search(said, done.stderr), done.stderr


@with_lava
@pytest.mark.lava
def test_lavas_own_neurons_may_answer_otherwise_and_start_anew_for_each_sample(
    own_neurons, deploy, tmp_path
):
    path = own_neurons()
    inputs = np.random.default_rng(2).integers(-500, 501, (3, 10, 2))
    inputs[2] = inputs[0]
    np.savez(tmp_path / "mine.npz", inputs=inputs)
    done = deploy(path, "--processes", "lif", "--bundle", tmp_path / "out", "--data",
                  tmp_path / "mine.npz")  # fmt: skip
    assert done.status == 0, done.err
    found = script(tmp_path / "out", "--target", "lava", "--processes", "lif", "--inputs",
                   tmp_path / "out/data.npz", "--out", tmp_path / "r")  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Lava's own neurons are not expected to be equal" in found.stdout
    with np.load(tmp_path / "r/result.npz") as arrays:
        np.testing.assert_array_equal(arrays["answers"][2], arrays["answers"][0])
        assert arrays["answers"].shape == (3, 2) and arrays["answers"].any()


def test_a_graph_of_several_inputs_is_refused_by_their_names(chip):
    from neurossm_chip.refusal import Refusal

    nodes = tuple(chip.nssm.Node(name, "Input", {"channels": 1}, ()) for name in ("left", "right"))
    with pytest.raises(Refusal, match="expected a graph with one Input, got left, right"):
        chip.own.read_own(chip.nssm.File(nodes, (), ""), "x.npy", "", 0)
