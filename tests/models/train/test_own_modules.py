"""Modules of one's own: by a recipe, and by `Trainer` on loaders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import small_sets
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm.errors import InputError
from neurossm_models import S4D
from neurossm_models.train import Trainer, evaluate, load_model, load_recipe, publish, train
from neurossm_models.train.batches import takes_lengths
from neurossm_models.train.checkpoint import load_tensors

MODEL = '''
"""A module that knows nothing of neurossm."""
import torch
from torch import nn


class Levels(nn.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        self.up, self.down = nn.Linear(inputs, width), nn.Linear(width, outputs)

    def forward(self, x, lengths=None):
        y = torch.relu(self.up(x))
        if lengths is not None:
            inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
            return self.down((y * inside[..., None]).sum(1) / lengths[:, None])
        return self.down(y.mean(1))


def build(in_features, classes, width=8):
    return Levels(in_features, classes, width)


def wrong(in_features):
    return "no module"


def broken():
    return {}["x"]


def narrow():
    return Levels(1, 3, 4)


def fewer():
    return Levels(2, 1, 4)
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my_model.py").write_text(MODEL)
    small_sets.write(Path("mine.npz"), "classification")
    return tmp_path


def recipe(module="my_model.py:build", arguments="width = 16"):
    Path("own.toml").write_text(f"""
[data]
path = "mine.npz"
[model]
module = "{module}"
[model.arguments]
{arguments}
[train]
epochs = 15
batch = 16
lr = 0.02
ssm_lr = 0.002
""")
    return "own.toml"


def test_a_recipe_trains_a_module_of_ones_own(here):
    result = train(recipe(), [], here / "run")
    assert result.finished and result.valid_accuracy == 1.0 and result.spike_rates == ()
    model, kept = load_model("run")
    assert type(model).__name__ == "Levels" and model.up.out_features == 16
    assert (model.up.in_features, model.down.out_features) == (2, 3)  # what the data say
    assert (
        kept == load_recipe("own.toml")
        and "[model.arguments]\nwidth = 16" in Path("run/recipe.toml").read_text()
    )
    assert evaluate("run", "test").accuracy == 1.0
    card = (publish("run", "mine", into=here / "published") / "MODEL_CARD.md").read_text()
    assert "| network | the module `my_model.py:build`; arguments: width 16 |" in card
    assert "spike rate" not in card


def test_it_is_given_the_lengths(here):
    model, _ = load_after(train(recipe(), ["train.epochs=1"], here / "run"))
    assert takes_lengths(model) and takes_lengths(nn.DataParallel(model))
    assert not takes_lengths(nn.Linear(1, 1))


def load_after(result):
    return load_model(result.run)


def test_padding_that_a_module_sees_is_said(here):
    Path("my_model.py").write_text(MODEL.replace("lengths=None", "ends=None").replace(
        "lengths is not", "ends is not"))  # fmt: skip
    said = []
    train(recipe(), ["train.epochs=1"], here / "run", tell=said.append)
    assert said[1:] == ["the module has no argument lengths: it sees what pads shorter sequences"]


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        ("none.py:build", "", "'none.py:build': there is no such Python file; give"),
        ("my_model.py:biuld", "", "expected a function 'biuld', got Levels, broken, build, fewer"),
        ("my_model.py", "", "expected 'file.py:function' or 'package.module:function'"),
        ("my_model.py:wrong", "", "expected a torch.nn.Module, got str"),
        ("my_model.py:build", "wdith = 3", "expected what it takes, got got an unexpected keyword"),
        ("no.such.module:build", "", "expected a module that can be imported, got ModuleNotFound"),
        ("my_model.py:broken", "", "expected a function that makes the module, got KeyError: 'x'"),
        ("my_model.py:narrow", "", "forward that takes (1, 9, 2), got RuntimeError: mat1 and mat2"),
        ("my_model.py:fewer", "", "module Levels for a classification: expected 3 numbers an answ"),
    ],
)
def test_a_module_that_cannot_be_made_is_said_in_a_line(here, module, arguments, says):
    with pytest.raises(InputError) as error:
        train(recipe(module, arguments), [], here / "run")
    assert says in str(error.value) and "\n" not in str(error.value)


# ---- Trainer


class Spiky(nn.Module):
    """An S4D layer of ours in a module that is not."""

    def __init__(self, outputs=1, every_step=False):
        super().__init__()
        self.up, self.layer, self.down = nn.Linear(1, 6), S4D(6, 4), nn.Linear(6, outputs)
        self.drop, self.every_step = nn.Dropout(0.1), every_step

    def forward(self, x):
        y = self.drop(self.layer(self.up(x).permute(2, 0, 1)).permute(1, 2, 0))
        return self.down(y if self.every_step else y.mean(1))


def loaders(y_of=lambda x: (x.mean((1, 2)) > 0).long(), n=96, batch=16, **options):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 1, 1, generator=generator) + torch.randn(n, 9, 1, generator=generator) / 4
    y = y_of(x)
    cut = n * 2 // 3
    return (DataLoader(TensorDataset(x[:cut], y[:cut]), batch, shuffle=True, **options),
            DataLoader(TensorDataset(x[cut:], y[cut:]), batch))  # fmt: skip


def trainer(folder, model=None, given=None, **options):
    torch.manual_seed(3)
    model = Spiky(2) if model is None else model
    return Trainer(model, *(given or loaders()), out=folder, **{"epochs": 4, "lr": 0.02, **options})


def test_any_module_on_any_loader_learns(tmp_path):
    run = trainer(tmp_path, epochs=12)
    result = run.fit()
    assert result.finished and result.valid_accuracy > 0.9
    assert run.measure(run._valid).accuracy < 1.01
    best = run.best()
    assert not best.training
    assert run.measure(run._valid).accuracy == result.valid_accuracy


@pytest.mark.parametrize(
    ("task", "y_of", "outputs", "every_step", "floor"),
    [
        ("regression", lambda x: 2 * x.mean((1, 2)) + 1, 1, False, ("r2", 0.9)),
        ("step-regression", lambda x: -x[..., 0], 1, True, ("r2", 0.9)),
        ("step-classification", lambda x: (x[..., 0] > 0).long(), 2, True, ("accuracy", 0.9)),
        ("multilabel", lambda x: (x[:, :2, 0] > 0).float(), 2, False, ("macro_f1", 0.7)),
        ("next-step", lambda x: torch.nan_to_num(-x, nan=0.0), 1, True, ("r2", 0.9)),
    ],
)
def test_each_kind_of_task(tmp_path, task, y_of, outputs, every_step, floor):
    model = Spiky(outputs, every_step)
    run = trainer(tmp_path, model, loaders(y_of), task=task, epochs=25, clip=0.0)
    assert run.fit().finished
    run.best()
    assert run.measure(run._valid).scores.values[floor[0]] > floor[1]


@pytest.mark.parametrize("stops", [(1,), (2, 5), (4, 7)])
@pytest.mark.parametrize("own_generator", [False, True])
def test_a_stopped_and_resumed_run_equals_a_straight_one_to_the_bit(tmp_path, stops, own_generator):
    def start(folder):
        options = {"generator": torch.Generator().manual_seed(9)} if own_generator else {}
        return trainer(folder, given=loaders(**options))

    start(tmp_path / "straight").fit()
    for k, stop in enumerate((*stops, None)):
        result = start(tmp_path / "stopped").fit(resume=k > 0, stop_after=stop)
        torch.rand(5)
    assert result.finished and result.step == 16
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, theirs = (load_tensors(tmp_path / run / file)[0] for run in ("stopped", "straight"))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file


def test_epochs_differ_in_their_order_and_seeds_differ(tmp_path):
    orders = []
    for seed in (0, 0, 1):
        run = trainer(tmp_path / str(len(orders)), seed=seed, epochs=2)
        run.fit()
        lines = (tmp_path / str(len(orders)) / "steps.jsonl").read_text().splitlines()
        orders.append([json.loads(line)["loss"] for line in lines])
    assert orders[0] == orders[1] != orders[2]


def test_weights_of_classes_are_given_or_counted(tmp_path):
    import numpy as np

    y_of = lambda x: torch.tensor([1] + [0] * 3).repeat(len(x) // 4)  # noqa: E731
    counted = trainer(tmp_path / "a", given=loaders(y_of), class_weights="balanced")
    assert counted._class_weights(2) == pytest.approx([64 / (2 * 48), 64 / (2 * 16)])
    given = trainer(tmp_path / "b", given=loaders(y_of), class_weights=[1.0, 3.0])
    assert given._class_weights(2).tolist() == [1.0, 3.0] and given.fit().finished
    with pytest.raises(InputError, match="class_weights: expected 2 numbers of at least 0"):
        trainer(tmp_path / "c", given=loaders(y_of), class_weights=np.ones(3)).fit()


def test_the_lengths_of_a_batch_are_given_and_padding_is_not_measured(tmp_path):
    class Summed(nn.Module):
        def __init__(self):
            super().__init__()
            self.map, self.seen = nn.Linear(1, 1), []

        def forward(self, x, lengths):
            self.seen.append(lengths)
            return self.map(x)

    x, lengths = torch.zeros(8, 5, 1), torch.arange(1, 9).clamp(max=5)
    y = torch.zeros(8, 5, 1)
    y[torch.arange(5) >= lengths[:, None]] = 1e6  # what nobody may look at
    batches = DataLoader(TensorDataset(x, y, lengths), 4)
    model = Summed()
    run = trainer(tmp_path, model, (batches, batches), task="step-regression", epochs=1)
    run.fit()
    assert torch.equal(model.seen[0][:1], lengths[:1])
    found = run.measure(batches)
    assert found.count == int(lengths.sum()) and found.scores.value < 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "clasification"}, "did you mean 'classification'"),
        ({"task": "regression", "given": loaders()}, None),
        ({"task": "step-classification"}, "labels of a step-classification: expected integers"),
        ({"model": Spiky(2, every_step=True)}, "expected answers (batch, K), got shape (1, 9, 2)"),
        ({"model": "a module"}, "trainer model: expected a torch.nn.Module, got str"),
        ({"given": ([], [])}, "expected a loader with a length above 0, got list"),
        ({"given": ([torch.zeros(3)], [torch.zeros(3)])}, "expected tensors (x, y) or (x, y, len"),
        ({"device": "cuda:7"}, "train device: expected cuda:7, got"),
        ({"precision": "bfloat16", "device": "cpu"}, "expected float32 on cpu, got bfloat16"),
        ({"epochs": 0}, "epochs: expected at least 1"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(tmp_path, options, says):
    if says is None:  # integers are numbers too, but answers are two and labels one
        says = "expected shape (16, 2), as the answers"
    with pytest.raises(InputError) as error:
        trainer(tmp_path, **options).fit()
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_folder_with_a_run_is_not_overwritten_nor_resumed_with_other_settings(tmp_path):
    trainer(tmp_path).fit(stop_after=1)
    with pytest.raises(InputError, match=r"no run there yet, got one; fit\(resume=True\)"):
        trainer(tmp_path).fit()
    with pytest.raises(InputError, match=re.escape("lr: expected 0.02, got 0.5")):
        trainer(tmp_path, lr=0.5).fit(resume=True)
    with pytest.raises(InputError, match="expected a run to resume, got none"):
        trainer(tmp_path / "none").fit(resume=True)


def test_numbers_that_are_no_numbers_are_kept_out_of_the_logs(tmp_path):
    """Labels of nan ask for nothing; a batch of them alone changes nothing."""
    y = torch.full((32, 1), float("nan"))
    y[16:] = 1.0
    batches = DataLoader(TensorDataset(torch.zeros(32, 4, 1), y), 16)
    run = trainer(tmp_path, Spiky(1), (batches, batches), task="regression", epochs=2)
    assert run.fit().finished
    losses = [json.loads(row)["loss"] for row in (tmp_path / "steps.jsonl").read_text().split()
              if row.startswith("{") and row.endswith("}")]  # fmt: skip
    assert all(np.isfinite(losses))


def test_a_run_without_a_folder_lies_under_the_name_of_the_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = trainer(None, epochs=1).fit()
    assert Path(result.run).parent == Path("runs")
    assert (tmp_path / result.run / "weights.safetensors").is_file()
    with pytest.raises(InputError, match="expected no run there yet"):
        trainer(None, epochs=1).fit()


def test_a_loss_that_is_no_number_ends_training_in_a_line(tmp_path):
    x = torch.randn(32, 9, 1)
    x[20, 3] = torch.nan
    given = DataLoader(TensorDataset(x, torch.zeros(32).long()), 16)
    with pytest.raises(
        InputError, match=r"training at step 2: expected a finite loss, got nan; look"
    ):
        trainer(tmp_path, given=(given, given), clip=0.0).fit()
