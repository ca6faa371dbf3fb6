"""Runs on data of one's own: what lies in the folder, resuming, what is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import small_sets
import torch

from neurossm.errors import InputError
from neurossm_models.data import learn, task_from_json
from neurossm_models.train import data_changes, evaluate, load_model, load_recipe, publish, train
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.own_data import described

TINY = [*small_sets.SMALL, "train.epochs=2", "train.save_every=3"]  # 112 train: 7 steps an epoch


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_sets.write(tmp_path_factory.mktemp("data") / "mine.npz", "classification")


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "straight"
    said = []
    result = train("gsu", [f"data.path={data}", *TINY], folder, tell=said.append)
    assert result.finished and result.step == 14
    return folder, said


def same_bits(one, two):
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, theirs = (load_tensors(folder / file)[0] for folder in (one, two))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_recipe_in_the_folder_is_complete(data, straight):
    folder, _ = straight
    recipe = load_recipe(folder / "recipe.toml")
    model = recipe.model
    assert (model.in_features, model.classes, model.readout) == (2, 3, "mean")
    text = (folder / "recipe.toml").read_text()
    assert "held_out" not in text and f'path = "{data}"' in text and 'device = "auto"' in text
    facts = task_from_json((folder / "facts.json").read_text())
    assert facts.class_names == ("low", "mid", "top") and facts.scaling.unit.shape == (2,)
    assert facts.scaling.unit[1] > 50 * facts.scaling.unit[0]  # the ranges are 200 apart


def test_what_was_learned_of_the_data_is_said_in_a_few_lines(straight):
    (said,) = straight[1]
    first, second, third = said.splitlines()
    assert first == "data: classification, 2 channels, 3 classes (low, mid, top)"
    assert second.startswith("112 sequences to train, 24 to choose the best epoch, of at most 12")
    assert re.match(r"one unit of the input is \S+ to \S+, one per channel; 12 bits", third)


@pytest.mark.parametrize("changes", [[], ["train.workers=2"]])
def test_a_stopped_and_resumed_run_equals_a_straight_one_to_the_bit(
    data, straight, tmp_path, changes
):
    sets = [f"data.path={data}", *TINY, *changes]
    for k, stop in enumerate((4, 9, None)):
        result = train("gsu", sets, tmp_path, resume=k > 0, stop_after=stop)
        torch.rand(3)
    assert result.finished
    same_bits(tmp_path, straight[0])  # background threads too


def test_data_read_on_demand_train_the_same_bits(straight, tmp_path):
    import h5py

    with h5py.File(tmp_path / "mine.h5", "w") as file:
        arrays = small_sets.classification(np.random.default_rng(0), 160)
        for name, array in arrays.items():
            texts = array.dtype.kind == "U"
            file[name] = array.astype(object) if texts else array
    sets = [f"data.path={tmp_path / 'mine.h5'}", *TINY, "train.workers=1"]
    assert train("gsu", sets, tmp_path / "run").finished
    same_bits(tmp_path / "run", straight[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: {**a, "inputs": 2 * a["inputs"]}, "facts.json scaling: expected"),
        (lambda a: {**a, "labels": np.where(a["labels"] == "mid", "xid", a["labels"])},
         'class_names: expected ["low", "mid", "top"], got ["low", "top", "xid"]'),
    ],
)  # fmt: skip
def test_a_run_is_not_resumed_with_other_data(tmp_path, change, says):
    path = tmp_path / "mine.npz"
    small_sets.write(path, "classification", n=160)
    sets = [f"data.path={path}", *TINY]
    train("binary-s4d", sets, tmp_path / "run", stop_after=2)
    with np.load(path) as arrays:
        changed = change(dict(arrays))
    np.savez(path, **changed)
    with pytest.raises(InputError, match=re.escape(says)):
        train("binary-s4d", sets, tmp_path / "run", resume=True)


def test_a_run_is_not_resumed_with_more_data_of_the_same_kind(tmp_path):
    path, labels = tmp_path / "mine.npz", np.arange(160) % 3
    arrays = {"inputs": np.repeat(labels, 4).reshape(160, 4, 1), "labels": labels}
    sets = [f"data.path={path}", *TINY]
    np.savez(path, **arrays)
    train("binary-s4d", sets, tmp_path / "run", stop_after=2)
    np.savez(path, **{name: np.concatenate([array, array]) for name, array in arrays.items()})
    says = "expected 112 and 24 sequences to train and to choose by, got 224 and 48"
    with pytest.raises(InputError, match=says):
        train("binary-s4d", sets, tmp_path / "run", resume=True)


def test_patience_ends_a_run_that_gets_no_better(data, tmp_path):
    sets = [f"data.path={data}", *TINY, "train.epochs=30", "train.lr=0.0", "train.ssm_lr=0.0",
            "train.patience=2"]  # fmt: skip
    result = train("binary-s4d", sets, tmp_path)
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert result.finished and result.epoch == len(log) == result.best_epoch + 2 < 30
    again = train("binary-s4d", sets, tmp_path, resume=True)
    assert again.finished and again.epoch == result.epoch
    assert publish(tmp_path, "early", into=tmp_path / "published")


def test_a_batch_in_parts_is_the_batch(data, tmp_path):
    """Without batch norm, whose statistics are of a part, parts differ by rounding alone."""
    losses = []
    for parts in (1, 4):
        sets = [f"data.path={data}", *TINY, "model.norm=none", f"train.accumulate={parts}"]
        train("spikingssm", sets, tmp_path / str(parts))
        lines = (tmp_path / str(parts) / "steps.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and losses[0][-1] < losses[0][0]


def test_a_card_says_what_was_measured(data, tmp_path):
    data = small_sets.write(tmp_path / "mine.npz", "regression")
    sets = [f"data.path={data}", *TINY]
    train("spike-ssm", sets, tmp_path / "run")
    folder = publish(tmp_path / "run", "mine", into=tmp_path / "published")
    test = evaluate(folder, "test")
    card = (folder / "MODEL_CARD.md").read_text()
    assert f"| test scores | {test.scores.text()} on 24 answers" in card
    assert "| data | mine.npz; a validation part" in card and "validation MSE |" in card
    assert "SPikE-SSM" in card and (folder / "facts.json").exists()
    model, recipe = load_model(folder)
    assert recipe.model.classes == 1 and not model.training


def test_a_registered_data_set_by_a_family():
    changes = data_changes("digits:train:500")
    recipe = load_recipe("spikingssm", changes)
    assert (recipe.data.name, recipe.data.valid, recipe.data.limit) == ("digits", 144, 500)
    assert (recipe.model.in_features, recipe.model.classes) == (1, 10)


def test_facts_in_words():
    facts = learn(learn_tokens())
    assert described(facts, 10, 2).startswith("data: classification, 5 tokens, 2 classes\n10 ")


def learn_tokens():
    from neurossm_models.data.own import OwnSource, Part

    inputs = np.arange(60).reshape(12, 5, 1) % 5
    return OwnSource("t", "t", {"": Part(inputs, np.arange(12) % 2)}, vocabulary=5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["data.name=digits"], "expected a name or a path, got both"),
        (["model.in_features=3"], "in_features=3: expected 2 for data"),
        (["model.classes=2"], "classes=2: expected at least 3 for data"),
        (
            ["model.readout=every-step"],
            "readout=every-step: expected 'mean' (or last, max, sum, leaky)",
        ),
        (["model.vocabulary=9"], "vocabulary=9: expected 0 (values)"),
        (["data.task=regresion"], "did you mean 'regression'"),
        (["train.batch=500"], "batch: expected at most 112, the sequences of the training part"),
        (["train.accumulate=5"], "accumulate: expected a divisor of 16"),
        (["train.device=gpu"], "device=gpu: expected auto, cpu, cuda or cuda:N, got 'gpu'"),
        (["train.precision=half"], "precision=half: expected one of float32, tf32, bfloat16"),
        (["train.class_weights=even"], "class_weights=even: expected one of none, balanced"),
        (["data.bits=40"], "bits: expected 1 to 23"),
        (["data.valid=0.9", "data.test=0.2"], "valid"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_line(data, tmp_path, changes, says):
    with pytest.raises(InputError) as error:
        train("binary-s4d", [f"data.path={data}", *TINY, *changes], tmp_path / "run")
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_path_names_no_part_and_no_registered_data(tmp_path):
    for path, says in (("mine.npz:train", "expected data without a part, got 'mine.npz:train'"),
                       ("digits", "got 'digits'; data.name=digits for a regis")):  # fmt: skip
        with pytest.raises(InputError, match=re.escape(says)):
            train("binary-s4d", [f"data.path={path}"], tmp_path / "run")


def test_no_data_are_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"expected a name or a path, got neither; --data FILE"):
        train("binary-s4d", [], tmp_path)
    for spec, says in (("mine.npz:test", "expected the training part, got test"),
                       ("nothing", "expected a file, a folder, or one of aan")):  # fmt: skip
        with pytest.raises(InputError, match=says):
            data_changes(spec)
