"""Names of older releases: `held_out` in recipes, logs and results, and `mnist:held-out`."""

import json
import warnings

import numpy as np
import pytest

from neurossm.deprecation import Deprecated
from neurossm.errors import InputError
from neurossm_models.data import load
from neurossm_models.train import load_recipe, train
from neurossm_models.train.checkpoint import load_tensors, save_tensors
from neurossm_models.train.publishing import read_log
from neurossm_models.train.trainer import split_data

TINY = ["data.limit=48", "data.valid=16", "model.width=4", "model.state=4", "model.layers=1",
        "train.epochs=2", "train.batch=16"]  # fmt: skip


def older(text):
    """Return text as an older release wrote it."""
    return text.replace("\nvalid = ", "\nheld_out = ").replace('"valid_', '"held_out_')


def test_an_old_run_resumes_silently_to_the_same_result_with_one_name_in_its_log(tmp_path):
    straight, old = tmp_path / "straight", tmp_path / "old"
    expected = train("binary-s4d-digits", TINY, straight)
    train("binary-s4d-digits", TINY, old, stop_after=2)  # 32 sequences: the first epoch
    for name in ("recipe.toml", "log.jsonl"):
        (old / name).write_text(older((old / name).read_text()))
    state = old / "last/state.safetensors"
    tensors, meta = load_tensors(state)
    meta["added"] = {name: [older(line) for line in lines] for name, lines in meta["added"].items()}
    save_tensors(state, tensors, meta, "")
    assert "held_out = 16" in (old / "recipe.toml").read_text()
    assert "held_out_loss" in (old / "log.jsonl").read_text()

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a run wrote it: nobody is told
        found = train(old / "recipe.toml", None, old, resume=True)

    assert (found.valid, found.step) == (expected.valid, 4)
    lines = [json.loads(line) for line in (old / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all("valid_accuracy" in line and "held_out_accuracy" not in line for line in lines)
    wanted = [
        json.loads(line)["valid_loss"] for line in (straight / "log.jsonl").read_text().splitlines()
    ]
    assert [line["valid_loss"] for line in lines] == wanted


def test_an_old_log_reads_with_the_names_of_today(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"epoch": 1, "step": 2, "seconds": 1.0, "held_out_accuracy": 0.5,'
                   ' "held_out_loss": 0.25}\n')  # fmt: skip
    wanted = {"epoch": 1, "step": 2, "seconds": 1.0, "valid_accuracy": 0.5, "valid_loss": 0.25}
    assert read_log(log) == [wanted]


def test_a_recipe_that_a_person_wrote_reads_and_says_so(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[data]\nname = "digits"\nheld_out = 9\n[model]\n[train]\nepochs = 1\n'
                    "batch = 2\nlr = 0.1\nssm_lr = 0.1\n")  # fmt: skip
    with pytest.warns(Deprecated, match=r"mine.toml \[data\] held_out is deprecated, use valid"):
        assert load_recipe(path).data.valid == 9
    with pytest.warns(Deprecated, match="data.held_out is deprecated, use --set data.valid"):
        assert load_recipe("binary-s4d-digits", ["data.held_out=7"]).data.valid == 7
    path.write_text(path.read_text().replace("held_out = 9", "held_out = 9\nvalid = 9"))
    with pytest.raises(InputError, match="twice"):
        load_recipe(path)


def test_the_old_name_of_the_validation_part_gives_the_same_sequences():
    with pytest.warns(Deprecated, match="digits:held-out is deprecated, use digits:valid"):
        old = load("digits:held-out:5")
    np.testing.assert_array_equal(old.inputs, load("digits:valid:5").inputs)


def test_a_fraction_validates_on_that_part_of_a_registered_data_set():
    parts = split_data(load_recipe("binary-s4d-digits", ["data.valid=0.25", "data.limit=400"]))
    assert [len(part) for part in parts] == [300, 100]


def test_results_have_their_old_fields_for_now(tmp_path):
    result = train("binary-s4d-digits", [*TINY, "train.epochs=1"], tmp_path / "run")
    with pytest.warns(Deprecated, match=r"TrainResult.held_out_accuracy is deprecated"):
        assert result.held_out_accuracy == result.valid_accuracy
    with pytest.warns(Deprecated, match=r"TrainResult.held_out is deprecated"):
        assert result.held_out == result.valid
