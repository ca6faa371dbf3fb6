"""Networks and data of one's own, of every task, through every command that runs data.

The networks are modules written here, so that what they answer is known by hand or from PyTorch.
"""

from __future__ import annotations

import contextlib
import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.nodes import Input, Output
from neurossm.store import load, save

MODULES = '''
import torch
from torch import nn

class Sum(nn.Module):
    """What the sensor shows in the mean, in three answers; the sensor rests at 9.8."""
    def __init__(self, every_step=False):
        super().__init__()
        self.every_step = every_step
        self.fc = nn.Linear(3, 3)
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(3))
            self.fc.bias.copy_(torch.tensor([-9.8, 0.0, 0.5]))
    def forward(self, x):
        y = self.fc(x)
        return y if self.every_step else y.mean(1)

class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[1.0, 0.1, 0.0]]))
            self.fc.bias.zero_()
    def forward(self, x):
        return self.fc(x)[:, -1]

class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool1d(3)
    def forward(self, x):
        return self.pool(x.transpose(1, 2)).mean(2)

def build(): return Sum()
def steps(): return Sum(every_step=True)
def one(): return One()
def folded(): return Folded()
'''
NAMES = ("run", "stand still", "walk")
SAMPLES, STEPS = 40, 12


def recordings(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three unlike channels, the class of each sample, and unequal lengths."""
    random = np.random.default_rng(seed)
    classes, lengths = np.arange(SAMPLES) % 3, random.integers(5, STEPS + 1, SAMPLES)
    values = random.normal(scale=0.1, size=(SAMPLES, STEPS, 3))
    values[:, :, 0] += 9.8
    values[np.arange(SAMPLES), :, classes] += 2
    values[np.arange(STEPS) >= lengths[:, None]] = 0
    return values, classes, lengths


@pytest.fixture(scope="module")
def made(tmp_path_factory, neurossm) -> Path:
    """Modules and data, and the first module as a float and an integer graph."""
    folder = tmp_path_factory.mktemp("own")
    with contextlib.chdir(folder):
        _write_files()
        for command in ("export mine.py:build --data imu.npz -o f.nssm",
                        "quantize f.nssm -o q.nssm --calibrate imu.npz:train"):  # fmt: skip
            assert neurossm(*command.split()).status == 0
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, made) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write_files() -> None:
    Path("mine.py").write_text(MODULES)
    values, classes, lengths = recordings()
    np.savez("imu.npz", inputs=values, labels=np.array(NAMES)[classes], lengths=lengths, dt=0.01,
             channel_names=["up", "left", "ahead"])  # fmt: skip
    # what the last value of a sequence comes to, in grams
    last = values[np.arange(SAMPLES), lengths - 1]
    np.savez("grams.npz", inputs=values, labels=last[:, 0] + 0.1 * last[:, 1], lengths=lengths)
    by_step = np.argmax(values + np.array([-9.8, 0, 0.5]), axis=2)
    by_step[:, ::5] = (by_step[:, ::5] + 1) % 3  # wrong on purpose
    np.savez("steps.npz", inputs=values, labels=by_step, lengths=lengths)


def rows(path: str) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_a_class_with_a_name_from_the_file_to_the_bundle(here, neurossm):
    for command in (
        "export mine.py:build --data imu.npz -o m.nssm",
        "quantize m.nssm -o q.nssm --calibrate imu.npz:train",
        "run q.nssm --data imu.npz:test --predictions p.csv",
        "run m.nssm --engine float --data imu.npz --predictions f.csv",
        "profile q.nssm --data imu.npz:test --float m.nssm --html r.html",
        "diff m.nssm q.nssm --data imu.npz:test",
        "sweep m.nssm --data imu.npz:valid --calibrate imu.npz:train --weights 8 -o s.csv",
        "place q.nssm --data imu.npz:test",
        "golden q.nssm -o g.nssm --data imu.npz:test",
        "verify g.nssm",
        "deploy q.nssm --bundle bundle",
    ):
        ended = neurossm(*command.split())
        assert ended.status == 0, (command, ended.err, ended.out)
    about = Interface.of(load("q.nssm"))
    assert about.class_names == NAMES and about.channel_names == ("up", "left", "ahead")
    assert about.readout == "mean" and about.split.startswith("valid=0.15,test=0.15,seed=0,by=")
    # each sequence's own mean, by hand
    values, classes, lengths = recordings()
    head, *lines = rows("f.csv")
    assert head == ["sample", "predicted", "label", *(f"score {name}" for name in NAMES)]
    for k, (number, predicted, label, *scores) in enumerate(lines):
        mean = values[k, : lengths[k]].mean(axis=0) + np.array([-9.8, 0, 0.5])
        np.testing.assert_allclose(np.array(scores, float), mean, atol=2e-3)
        assert (int(number), predicted) == (k, NAMES[mean.argmax()]) and label == NAMES[classes[k]]
    # what a file does not say is cut as in training: the same samples, none of them trained on
    test, found = {tuple(line[3:]) for line in rows("p.csv")[1:]}, set()
    assert len(rows("p.csv")) - 1 == round(0.15 * SAMPLES) == len(test)
    for part in ("train", "valid", "test"):
        neurossm("run", "q.nssm", "--data", f"imu.npz:{part}", "--predictions", f"{part}.csv")
        mine = {tuple(line[3:]) for line in rows(f"{part}.csv")[1:]}
        assert not mine & found
        found |= mine
    assert len(found) == SAMPLES
    page = Path("r.html").read_text()
    assert "Predictions" in page and "stand still" in page and "Confusion matrix" in page
    assert "accuracy" in rows("s.csv")[1]


def test_numbers_are_answered_in_the_units_of_the_labels(here, neurossm):
    made = neurossm("export", "mine.py:one", "--data", "grams.npz", "-o", "m.nssm")
    assert made.status == 0 and "task: regression, readout last" in made.out
    neurossm("quantize", "m.nssm", "-o", "q.nssm", "--calibrate", "grams.npz:train")
    ran = neurossm("run", "q.nssm", "--data", "grams.npz", "--predictions", "p.npz", "--json")
    kept = np.load("p.npz")
    labels = np.load("grams.npz")["labels"]
    np.testing.assert_array_equal(kept["labels"][:, 0], labels)
    assert np.abs(kept["answers"][:, 0] - labels).max() < 0.05  # of 10, in 12 bits
    expected = np.mean((kept["answers"][:, 0] - labels) ** 2)
    scores = ran.document["scores"]
    assert scores["main"] == "mse" and scores["values"]["mse"] == pytest.approx(expected)
    assert ran.document["accuracy"] is None
    profiled = neurossm("profile", "q.nssm", "--data", "grams.npz", "--float", "m.nssm", "--html",
                        "r.html", "--json").document  # fmt: skip
    assert profiled["accuracy"] is None and profiled["scores_float"]["values"]["r2"] > 0.999
    assert 'class="point"' in Path("r.html").read_text()
    compared = neurossm("diff", "m.nssm", "q.nssm", "--data", "grams.npz", "--json")
    assert compared.document["scores"]["right"]["values"]["mse"] == pytest.approx(expected)
    command = "sweep m.nssm --data grams.npz:valid --calibrate grams.npz:train --weights 4,8"
    swept = neurossm(*command.split(), "--plot", "s.svg", "--json")
    coarse, fine = swept.document["points"]
    assert coarse["score"] == "mse" and coarse["accuracy"] is None
    assert coarse["value"] > fine["value"] > 0 and Path("s.svg").exists()


def test_each_line_of_a_table_of_predictions_has_all_columns(here, neurossm):
    values, _, lengths = recordings()
    labels = values[:, 0, :2].copy()
    labels[::3] = np.nan
    np.savez("two.npz", inputs=values, labels=labels, lengths=lengths)
    Path("pair.py").write_text(MODULES + "def pair(): return nn.Sequential(nn.Linear(3, 2))\n")
    made = neurossm("export", "pair.py:pair", "--data", "two.npz", "--readout", "last", "-o",
                    "m.nssm")  # fmt: skip
    assert made.status == 0, made.err
    np.savez("none.npz", inputs=values, lengths=lengths)
    for data, known in (("two.npz", True), ("none.npz", False)):
        ran = neurossm("run", "m.nssm", "--engine", "float", "--data", data, "--predictions",
                       "p.csv")  # fmt: skip
        assert ran.status == 0 and ("no labels" in ran.out) != known
        head, *lines = rows("p.csv")
        assert head == ["sample", "predicted 0", "predicted 1", "label 0", "label 1"]
        assert {len(line) for line in lines} == {5}
        assert lines[0][3:] == ["", ""] and bool(lines[1][3]) == known


def test_every_step_is_answered_to_the_end_of_its_sequence(here, neurossm):
    assert neurossm("export", "mine.py:steps", "--data", "steps.npz", "-o", "m.nssm").status == 0
    neurossm("quantize", "m.nssm", "-o", "q.nssm", "--calibrate", "steps.npz:train")
    for engine, graph in (("float", "m.nssm"), ("fast", "q.nssm")):
        ran = neurossm("run", graph, "--engine", engine, "--data", "steps.npz", "--predictions",
                       "p.csv", "--json")  # fmt: skip
        lengths = np.load("steps.npz")["lengths"]
        # wrong at steps 0, 5 and 10 of each, where there are so many
        wrong = sum(len(range(0, int(length), 5)) for length in lengths)
        expected = 1 - wrong / lengths.sum()
        assert ran.document["accuracy"] == pytest.approx(expected, abs=0.005)
        head, *lines = rows("p.csv")
        assert head[:4] == ["sample", "step", "predicted", "label"]
        assert len(lines) == lengths.sum() == ran.document["scores"]["count"]
        assert [int(line[1]) for line in lines[: lengths[0]]] == list(range(lengths[0]))
    found = neurossm("diff", "m.nssm", "q.nssm", "--data", "steps.npz", "--json")
    assert found.document["check"]["predictions"] == lengths.sum()


def test_several_labels_a_sequence(here, neurossm):
    values, _, lengths = recordings()
    marks = (np.stack([v[:n].mean(axis=0) for v, n in zip(values, lengths, strict=True)])
             + np.array([-9.8, 0, 0.5]) > 0).astype(int)  # fmt: skip
    np.savez("many.npz", inputs=values, labels=marks, lengths=lengths, class_names=NAMES)
    assert neurossm("export", "mine.py:build", "--data", "many.npz", "-o", "m.nssm").status == 0
    ran = neurossm("run", "m.nssm", "--engine", "float", "--data", "many.npz", "--predictions",
                   "p.csv", "--json")  # fmt: skip
    assert ran.document["scores"]["main"] == "macro_f1"
    lines = rows("p.csv")[1:]
    same = [predicted == label for _, predicted, label, *_ in lines]
    assert np.mean(same) > 0.9
    assert lines[0][2] == "|".join(name for name, mark in zip(NAMES, marks[0], strict=True) if mark)


def test_what_is_beyond_the_input_is_counted_and_said(here, neurossm):
    assert neurossm("run", "q.nssm", "--data", "imu.npz", "--json").document["clipped_inputs"] == 0
    values, classes, lengths = recordings()
    values[3, 2, 1] = 1e6
    values[4, 1, 2] = -1e6
    values[5, STEPS - 1, 1] = 1e6  # behind its end, or the last step
    count = 2 + int(lengths[5] == STEPS)
    np.savez("loud.npz", inputs=values, labels=np.array(NAMES)[classes], lengths=lengths)
    for command in ("run q.nssm --data loud.npz", "profile q.nssm --data loud.npz",
                    "diff f.nssm q.nssm --data loud.npz", "place q.nssm --data loud.npz",
                    "quantize f.nssm -o r.nssm --calibrate loud.npz",
                    "run q.nssm --data loud.npz --engine dask:workers=1"):  # fmt: skip
        said = neurossm(*command.split()).err
        assert f"{count} of {3 * lengths.sum():,} input values" in said, (command, said)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("export mine.py:build -o m.nssm", "export of a module requires --data"),
        ("export mine.py:none --data imu.npz -o m.nssm", "expected a function 'none' in mine.py"),
        ("export mine.py:folded --data imu.npz -o m.nssm", "module 'pool' (MaxPool1d)"),
        ("export mine.py:steps --data imu.npz -o m.nssm", "say --readout mean, last, max or sum"),
        ("export mine.py:build --data steps.npz -o m.nssm", "answers of a step-classification"),
        ("export mine.py:one --data imu.npz -o m.nssm", "expected 3 numbers an answer"),
        ("export mine.py:build --data imu.npz --steps 99 -o m.nssm", "--steps: expected at most"),
        ("export mine.py:build --data imu.npz --layout tb -o m.nssm", "--layout: expected"),
        ("export mine.py:build --data imu.npz -o mine.py", "expected a file of its own"),
        ("export binary-s4d-digits --task regression -o m.nssm", "a run says all that itself"),
        ("export mine.py:build --weights no.pt --data imu.npz -o m.nssm", "weights 'no.pt'"),
        (
            "export mine.py:build --data digits:train --task regression -o m.nssm",
            "says that itself",
        ),
        (
            "run q.nssm --data steps.npz",
            "labels: expected shape (samples,) for the task classification",
        ),
        ("run q.nssm --data imu.npz:test --predictions p.txt", "expected a .csv or .npz file"),
        ("run q.nssm --data imu.npz:test --predictions imu.npz", "expected a file of its own"),
        ("run q.nssm --data imu.npz:all:5 --predictions imu.npz", "expected a file of its own"),
        ("run q.nssm --data py:mine.py:f --trace mine.py", "expected a file of its own"),
        ("run q.nssm --data other.npz", "expected 3 channels, as in training, got 2"),
        ("run q.nssm --data unknown.npz", "stranger"),
    ],
)
def test_wrong_use_is_one_line(command, said, here, neurossm):
    values, classes, lengths = recordings()
    np.savez("other.npz", inputs=values[:, :, :2], labels=np.array(NAMES)[classes])
    np.savez("unknown.npz", inputs=values, labels=["stranger"] * SAMPLES, lengths=lengths)
    before = Path("imu.npz").read_bytes()
    refused = neurossm(*command.split())
    assert refused.status in (1, 2) and refused.err.count("\n") == 1, refused.err
    assert said in refused.err
    assert Path("imu.npz").read_bytes() == before and not Path("m.nssm").exists()


def test_axes_weights_and_steps_of_a_module(here, neurossm):
    import torch

    Path("first.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(3, 3)\n"
        "    def forward(self, x):  # (time, batch, features)\n"
        "        return self.fc(x).mean(0)\n"
        "def build(): return Net()\n"
    )
    state = {"fc.weight": torch.eye(3), "fc.bias": torch.tensor([-9.8, 0.0, 0.5])}
    torch.save(state, "w.pt")
    made = neurossm("export", "first.py:build", "--weights", "w.pt", "--data", "imu.npz",
                    "--layout", "tbf", "-o", "m.nssm", "--dt", "0.02")  # fmt: skip
    assert made.status == 0, made.err
    for graph in ("m", "f"):
        neurossm("run", f"{graph}.nssm", "--engine", "float", "--data", "imu.npz", "--predictions",
                 f"{graph}.csv")  # fmt: skip
    assert rows("m.csv") == rows("f.csv")
    assert load("m.nssm").dt == 0.02 and load("f.nssm").dt == 0.01
    # a module that takes values less their mean over their deviation, as training feeds its own
    made = neurossm("export", "first.py:build", "--data", "imu.npz", "--layout", "tbf",
                    "--weights", "w.pt", "--normalize", "standard", "-o", "s.nssm")  # fmt: skip
    assert made.status == 0
    neurossm(
        "run", "s.nssm", "--engine", "float", "--data", "imu.npz:all", "--predictions", "s.npz"
    )
    scaling, (values, _, lengths) = Interface.of(load("s.nssm")).scaling, recordings()
    seen = (values - scaling.offset) / scaling.unit * scaling.scale
    means = np.stack([v[:n].mean(axis=0) for v, n in zip(seen, lengths, strict=True)])
    answered = np.load("s.npz")["answers"]
    np.testing.assert_allclose(answered, means + np.array([-9.8, 0, 0.5]), atol=5e-3)


def test_what_a_file_is_taken_for(here, neurossm):
    said = neurossm("data", "show", "imu.npz").out
    assert "imu.npz: classification, 3 channels (up, left, ahead)" in said
    assert "run" in said and "step: 0.01 s" in said and "First samples of 'train'" in said
    found = neurossm("data", "show", "grams.npz", "--samples", 2, "--json").document
    assert found["task"] == "regression" and len(found["first"]) == 2
    assert sum(part["samples"] for part in found["parts"].values()) == SAMPLES
    refused = neurossm("data", "show", "mine.py")
    assert refused.status == 2 and refused.err.count("\n") == 1
    shown = neurossm("data", "show", "digits:test").out
    assert "digits: classification, 1 channel" in shown


def test_going_through_data_part_by_part_changes_nothing(here, neurossm, monkeypatch):
    from neurossm_workflows import parts

    found = []
    monkeypatch.setattr("neurossm.engine.cores.usable_cores", lambda: 1)
    for _ in range(2):
        made = neurossm("quantize", "f.nssm", "-o", "q.nssm", "--calibrate", "imu.npz:all",
                        "--json").document  # fmt: skip
        ran = neurossm("run", "q.nssm", "--data", "imu.npz", "--predictions", "p.csv", "--json")
        placed = neurossm("place", "q.nssm", "--data", "imu.npz", "--json").document
        profiled = neurossm("profile", "q.nssm", "--data", "imu.npz", "--float", "f.nssm",
                            "--json").document  # fmt: skip
        kept = {k: v for k, v in ran.document.items() if "second" not in k}
        found.append((made["sha256"], kept, rows("p.csv"), placed, profiled))
        monkeypatch.setattr(parts, "PART_BYTES", 1)
        graph = load("q.nssm")
        assert parts.samples_of_a_part(graph, STEPS) == parts.TOGETHER < SAMPLES
        assert parts.samples_with_all_values(graph, STEPS) == 1
    assert found[0] == found[1]


def test_what_data_may_be_mistaken_for_is_said(here, neurossm):
    """The whole file, channels in another order, names in the order of the alphabet."""
    ran = neurossm("run", "q.nssm", "--data", "imu.npz")
    assert "note: data 'imu.npz': all of it, training part too; imu.npz:test is what" in ran.err
    (padding,) = neurossm("run", "q.nssm", "--data", "imu.npz:test").err.splitlines()
    assert padding.startswith("note: data 'imu.npz': sequences of ") and "padding" in padding
    given = dict(np.load("imu.npz"))
    given["channel_names"] = given["channel_names"][::-1]
    np.savez("turned.npz", **given)
    refused = neurossm("run", "q.nssm", "--data", "turned.npz")
    assert refused.status == 2
    assert "expected channels up, left, ahead, got ahead, left, up" in refused.err
    assert neurossm("run", "q.nssm", "--data", "turned.npz", "--other-data").status == 0
    nodes = {"in": Input(channels=3, out=Fixed(12, 4)), "out": Output(channels=3)}
    save("plain.nssm", Graph(nodes, (("in", "out"),)))
    ran = neurossm("run", "plain.nssm", "--engine", "float", "--data", "imu.npz")
    assert "are taken for run, stand still, walk, in this order" in ran.err


def test_numbers_in_a_table_of_text_are_the_channels_that_they_name(here, neurossm):
    """Classes 1 and 3 of four: as from an array, not the first and the second class."""
    nodes = {"in": Input(channels=4, out=Fixed(12)), "out": Output(channels=4)}
    save("plain.nssm", Graph(nodes, (("in", "out"),)))
    inputs, labels = np.eye(4, dtype=np.int64)[[1, 3, 3, 1], None], np.array([1, 3, 3, 1])
    np.savez("n.npz", inputs=np.repeat(inputs, 2, axis=1), labels=labels)
    rows = [f"{n},{','.join(map(str, x[0]))},{y}" for n, (x, y) in enumerate(zip(inputs, labels,
            strict=True)) for _ in range(2)]  # fmt: skip
    Path("n.csv").write_text("sample,a,b,c,d,label\n" + "\n".join(rows) + "\n")
    for name in ("n.npz", "n.csv"):
        ran = neurossm("run", "plain.nssm", "--engine", "float", "--data", name)
        assert ran.status == 0 and "accuracy 100.00%" in ran.out, (name, ran.out, ran.err)
        assert "are texts" not in ran.err
