"""What people try first: code of theirs that prints or ends, names that a terminal would obey."""

import csv
import json
import signal

import numpy as np
import pytest

from neurossm.store import load

TINY = ("--set", "model.width=8", "--set", "model.state=4", "--set", "model.layers=1",
        "--set", "train.epochs=1", "--set", "train.batch=4")  # fmt: skip
NAMES = ("été, x", "two\nlines", "\x1b[31mred")
CODE = """
import numpy as np, sys, torch
def data():
    print("side effect")
    generator = np.random.default_rng(0)
    return generator.normal(size=(20, 5)), np.arange(20) % 2
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 2)
    def forward(self, x):
        print("forward")
        return self.fc(x).mean(1)
def build():
    print("build")
    return Net()
def ends(): sys.exit(3)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.py").write_text(CODE)
    return tmp_path


def recordings(**more):
    generator = np.random.default_rng(1)
    return {"inputs": generator.normal(size=(30, 6, 2)), **more}


def test_what_code_of_ones_own_prints_is_kept_out_of_the_document(neurossm):
    shown = neurossm("data", "show", "py:few.py:data", "--json")
    assert shown.document["task"] == "classification" and "side effect" in shown.err
    built = neurossm("export", "few.py:build", "--data", "py:few.py:data", "-o", "m.nssm", "--json")
    assert built.status == 0 and built.document and "forward" in built.err and "build" in built.err
    assert "side effect" in neurossm("data", "show", "py:few.py:data").out  # for people it may


def test_a_function_that_ends_the_program_ends_it_with_one_line(neurossm):
    ended = neurossm("export", "few.py:ends", "--data", "py:few.py:data", "-o", "m.nssm", "--json")
    assert ended.status == 2 and "got sys.exit(3); keep a program" in ended.document["error"]
    ended = neurossm("data", "show", "py:few.py:ends")
    assert ended.status == 2 and ended.err.count("\n") == 1


def test_names_of_classes_are_shown_on_one_line_and_kept_as_they_are(neurossm):
    np.savez("a.npz", **recordings(labels=np.array(NAMES)[np.arange(30) % 3]))
    shown = neurossm("data", "show", "a.npz")
    assert "\x1b" not in shown.out and "two lines 8" in shown.out and "\\x1b[31mred 7" in shown.out
    trained = neurossm("train", "spikingssm", "--data", "a.npz", "--out", "r", *TINY)
    assert trained.status == 0 and "\x1b" not in trained.err + trained.out
    neurossm("export", "r", "-o", "m.nssm")
    run = ("run", "m.nssm", "--engine", "float", "--data", "a.npz:test")
    found = neurossm(*run, "--predictions", "p.csv")
    assert found.status == 0
    with open("p.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} <= set(NAMES) and len(rows) == 4


def test_a_part_that_does_not_fit_is_shown_with_the_reason(neurossm):
    few = recordings(labels=np.arange(30) % 2)
    np.savez("a.npz", train_inputs=few["inputs"], train_labels=few["labels"],
             test_inputs=few["inputs"], test_labels=few["labels"] + 1)  # fmt: skip
    shown = neurossm("data", "show", "a.npz")
    assert (
        shown.status == 0 and "test: none; a.npz: label of sample 1: expected 0 to 1" in shown.out
    )
    found = neurossm("data", "show", "a.npz", "--json").document
    assert "expected 0 to 1" in found["missing"]["test"] and set(found["parts"]) == {
        "train",
        "valid",
    }
    np.savez("b.npz", **recordings(labels=np.full(30, -2)))
    assert neurossm("data", "show", "b.npz").status == 2


def test_lengths_that_are_alike_are_one_length(neurossm):
    np.savez("a.npz", **recordings(labels=np.arange(30) % 2, lengths=np.full(30, 5)))
    assert "test: 4 samples of 5 steps; " in neurossm("data", "show", "a.npz").out


def test_the_next_value_is_predicted_as_a_number(neurossm):
    np.savez("a.npz", **recordings(lengths=np.arange(30) % 3 + 4))
    trained = neurossm("train", "spikingssm", "--data", "a.npz", "--out", "r",
                       "--set", "data.task=next-step", *TINY)  # fmt: skip
    assert trained.status == 0, trained.err
    neurossm("export", "r", "-o", "m.nssm")
    run = ("run", "m.nssm", "--engine", "float", "--data", "a.npz:test:3")
    assert neurossm(*run, "--predictions", "p.csv").status == 0
    assert neurossm(*run, "--predictions", "p.npz").status == 0
    with open("p.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with np.load("p.npz") as file:
        kept = dict(file)
    assert "predicted" not in kept and kept["answers"].shape == kept["labels"].shape == (3, 6, 2)
    assert list(rows[0]) == ["sample", "step", "predicted 0", "predicted 1", "label 0", "label 1"]
    for row in rows:
        at = int(row["sample"]), int(row["step"])
        told = [float(row["predicted 0"]), float(row["predicted 1"])]
        np.testing.assert_allclose(told, kept["answers"][at], rtol=1e-6)
        nothing = np.isnan(kept["labels"][at]).all()  # nothing comes after the last step
        assert (row["label 0"] == "") == nothing
    # what came next, in the units of the data, as near as the integers of the input are
    unit = np.max(json.loads(load("m.nssm").meta["input_scaling"])["unit"])
    values = recordings()["inputs"]  # each has four steps or more
    assert any(np.allclose(kept["labels"][0, :3], one[1:4], atol=unit) for one in values)


def test_a_data_file_in_place_of_a_recipe_is_told_what_to_write(neurossm):
    np.savez("a.npz", **recordings(labels=np.arange(30) % 2))
    refused = neurossm("train", "a.npz")
    assert refused.status == 2 and "neurossm train FAMILY --data a.npz" in refused.err


def test_a_training_that_was_interrupted_says_so_by_its_status(neurossm, monkeypatch):
    from neurossm_models.train.trainer import RecipeTrainer

    step = RecipeTrainer._train_step

    def interrupted(self, batch):
        step(self, batch)
        signal.raise_signal(signal.SIGINT)

    np.savez("a.npz", **recordings(labels=np.arange(30) % 2))
    with monkeypatch.context() as patch:
        patch.setattr(RecipeTrainer, "_train_step", interrupted)
        ended = neurossm("train", "spikingssm", "--data", "a.npz", "--out", "r", *TINY, "--json")
    assert ended.status == 130 and ended.document["finished"] is False
    assert neurossm("train", "r/recipe.toml", "--out", "r", "--resume").status == 0


def test_a_training_that_diverges_ends_in_a_line(neurossm):
    np.savez("a.npz", **recordings(labels=np.arange(30) % 2))
    ended = neurossm(
        "train", "spikingssm", "--data", "a.npz", "--out", "r", *TINY, "--set", "train.lr=1e30"
    )
    assert ended.status == 2 and "Traceback" not in ended.err
    assert "expected a finite loss, got nan; look for nan in inputs" in ended.err
