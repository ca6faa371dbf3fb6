"""Training: resuming to the bit, what is logged and kept, and what is never read."""

import json
import signal

import pytest
import torch

from neurossm.errors import FormatError, InputError
from neurossm_models import Network
from neurossm_models.train import (
    evaluate,
    load_model,
    load_recipe,
    measure,
    publish,
    train,
    trainer,
)
from neurossm_models.train.checkpoint import load_tensors, save_tensors
from neurossm_models.train.interrupt import interrupts
from neurossm_models.train.optimization import lr_factor, parameter_groups
from neurossm_models.train.trainer import split_data

# 128 training sequences in 8 steps an epoch, 16 steps in all.
TINY = [
    "data.limit=160",
    "data.valid=32",
    "model.width=8",
    "model.state=4",
    "train.epochs=2",
    "train.batch=16",
    "train.save_every=3",
]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return the folder of a tiny run that was never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    result = train("binary-s4d-digits", TINY, folder)
    assert result.finished and (result.step, result.epoch) == (16, 2)
    return folder


def log_without_times(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("seconds") > 0
    return lines


@pytest.mark.parametrize("stops", [(5,), (8,), (3, 11), (15,)])
def test_a_stopped_and_resumed_run_equals_a_straight_one_to_the_bit(straight, tmp_path, stops):
    for k, stop in enumerate(stops):
        result = train("binary-s4d-digits", TINY, tmp_path, resume=k > 0, stop_after=stop)
        assert not result.finished and result.step == stop
        torch.rand(7)  # somebody else's randomness in between
    assert train("binary-s4d-digits", TINY, tmp_path, resume=True).finished
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, _ = load_tensors(tmp_path / file)
        theirs, _ = load_tensors(straight / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert log_without_times(tmp_path) == log_without_times(straight)
    again = train("binary-s4d-digits", TINY, tmp_path, resume=True)
    assert again.finished and again.step == 16


def test_a_run_killed_after_a_checkpoint_logs_no_epoch_twice(straight, tmp_path):
    train("binary-s4d-digits", TINY, tmp_path, stop_after=7)
    before = (tmp_path / "last" / "state.safetensors").read_bytes()
    train("binary-s4d-digits", TINY, tmp_path, resume=True, stop_after=9)
    (tmp_path / "last" / "state.safetensors").write_bytes(before)  # as if killed at step 9
    train("binary-s4d-digits", TINY, tmp_path, resume=True)
    assert log_without_times(tmp_path) == log_without_times(straight)


def test_a_checkpoint_is_never_taken_between_an_epoch_and_its_evaluation(tmp_path):
    recipe = load_recipe("binary-s4d-digits", [*TINY, "train.save_every=8"])
    run = trainer.RecipeTrainer(recipe, tmp_path)
    due = []
    for run.step in range(1, 25):
        due.append(run._save_is_due())
    assert not any(due)


def test_another_seed_gives_other_weights(straight, tmp_path):
    train("binary-s4d-digits", [*TINY, "train.seed=1"], tmp_path, stop_after=1)
    ours, _ = load_tensors(tmp_path / "last" / "state.safetensors")
    theirs, _ = load_tensors(straight / "last" / "state.safetensors")
    assert not torch.equal(ours["model/blocks.0.mix.weight"], theirs["model/blocks.0.mix.weight"])


def test_the_log_has_a_line_an_epoch_with_all_that_was_measured(straight):
    first, second = log_without_times(straight)
    assert (first["epoch"], first["step"], second["step"]) == (1, 8, 16)
    assert 0 < second["train_loss"] < 3 and 0 <= second["valid_accuracy"] <= 1
    assert len(second["spike_rates"]) == 2 and second["lr"] < first["lr"]


def test_the_best_weights_are_those_of_the_best_epoch(straight):
    lines = log_without_times(straight)
    best = max(line["valid_accuracy"] for line in lines)
    model, recipe = load_model(straight)
    _, valid = split_data(recipe)
    measured = measure(model, valid)
    assert measured.accuracy == best and not model.training
    assert measured.correct == round(best * 32)


def test_a_short_run_on_the_digits_learns(tmp_path):
    changes = ["data.limit=656", "train.batch=16", "train.epochs=5", "data.valid=144"]
    result = train("binary-s4d-digits", changes, tmp_path)
    assert result.valid_accuracy > 0.5, result  # chance is 0.1


def test_the_trainer_never_reads_the_test_set(straight, tmp_path, monkeypatch):
    asked = []
    real = trainer.load
    monkeypatch.setattr(trainer, "load", lambda spec, facts: asked.append(spec) or real(spec))
    train("binary-s4d-digits", TINY, tmp_path, stop_after=2)
    assert asked == ["digits:train:160"]


def test_train_and_validation_part_share_nothing_and_lose_nothing():
    recipe = load_recipe("binary-s4d-digits")
    data, valid = split_data(recipe)
    assert (len(data), len(valid)) == (1293, 144)
    rows = [tuple(row) for part in (data, valid) for row in part.inputs[..., 0].tolist()]
    assert len(set(rows)) == 1437


def test_a_new_run_does_not_overwrite_and_a_resumed_one_does_not_change(straight, tmp_path):
    with pytest.raises(InputError, match="no run there yet, got one; continue it with --resume"):
        train("binary-s4d-digits", TINY, straight)
    with pytest.raises(InputError, match="expected a run to resume, got none"):
        train("binary-s4d-digits", TINY, tmp_path / "none", resume=True)
    with pytest.raises(InputError, match=r"\[train\] epochs: expected 2, got 3"):
        train("binary-s4d-digits", [*TINY, "train.epochs=3"], straight, resume=True)


def test_ctrl_c_stops_after_the_step_at_hand_and_saves(tmp_path, monkeypatch):
    real = trainer.RecipeTrainer._train_step

    def step_and_interrupt(self, batch):
        real(self, batch)
        if self.step == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer.RecipeTrainer, "_train_step", step_and_interrupt)
    result = train("binary-s4d-digits", TINY, tmp_path)
    assert not result.finished and result.step == 4
    _, meta = load_tensors(tmp_path / "last" / "state.safetensors")
    assert meta["step"] == 4


def test_signals_work_as_before_after_a_run():
    before = signal.getsignal(signal.SIGINT)
    with interrupts() as event:
        signal.raise_signal(signal.SIGTERM)
        assert event.is_set()
    assert signal.getsignal(signal.SIGINT) is before


def test_only_a_b_and_dt_learn_slowly_and_without_decay():
    recipe = load_recipe("binary-s4d-digits")
    model = Network(recipe.model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    ssm, rest = parameter_groups(model, recipe.train)
    slow = {names[id(parameter)] for parameter in ssm["params"]}
    leaves = ("log_dt", "log_a_real", "a_imag", "b")
    assert slow == {f"blocks.{i}.ssm.{leaf}" for i in (0, 1) for leaf in leaves}
    assert len(slow) + len(rest["params"]) == len(names)
    assert (ssm["base_lr"], ssm["weight_decay"]) == (0.002, 0.0)
    assert (rest["base_lr"], rest["weight_decay"]) == (0.01, 0.01)


def test_the_learning_rate_rises_linearly_and_falls_as_a_cosine_to_zero():
    factors = [lr_factor(step, 100, 0.1) for step in range(101)]
    assert factors[:10] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert factors[10] == 1.0 and factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert lr_factor(0, 1, 0.0) == 1.0


def test_damaged_or_foreign_weights_are_refused(straight, tmp_path):
    for file in ("recipe.toml", "weights.safetensors"):
        (tmp_path / file).write_bytes((straight / file).read_bytes())
    weights = tmp_path / "weights.safetensors"
    whole = weights.read_bytes()
    for content in (b"", whole[:100], whole[:-1], b"\xff" * 64):
        weights.write_bytes(content)
        with pytest.raises(FormatError, match="expected a neurossm checkpoint"):
            load_model(tmp_path)
    tensors, meta = load_tensors(straight / "weights.safetensors")
    missing = {name: tensor for name, tensor in tensors.items() if name != "decoder.bias"}
    for changed, message in (
        (missing, r"expected decoder.bias of shape \(10,\), got none"),
        ({**tensors, "extra": torch.zeros(1)}, r"expected no extra, got shape \(1,\)"),
        ({**tensors, "decoder.bias": torch.zeros(11)}, r"got shape \(11,\); the weights and"),
    ):
        save_tensors(weights, changed, meta)
        with pytest.raises(FormatError, match=message):
            load_model(tmp_path)


def test_a_finished_run_is_published_with_what_was_measured(straight, tmp_path, monkeypatch):
    card = publish(straight, "tiny", into=tmp_path) / "MODEL_CARD.md"
    measured = evaluate(straight, "test")
    assert measured.data == "digits:test" and measured.count == 360
    assert f"{measured.correct} of 360" in card.read_text()
    assert "delays" not in card.read_text()
    monkeypatch.setattr("neurossm_models.train.evaluation.CHECKPOINTS", tmp_path)
    model, recipe = load_model("tiny")
    ours, theirs = model.state_dict(), load_model(straight)[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert recipe == load_recipe(straight / "recipe.toml")
    with pytest.raises(InputError, match="did you mean 'tiny'"):
        load_model("tinny")


def test_delays_are_kept_and_said(tmp_path):
    train("binary-s4d-digits", [*TINY, "train.epochs=1", "model.delays=[1, 3]"], tmp_path / "run")
    model, recipe = load_model(tmp_path / "run")
    assert recipe.model.delays == model.config.delays == model.blocks[1].delay.steps == (1, 3)
    card = publish(tmp_path / "run", "late", into=tmp_path) / "MODEL_CARD.md"
    assert "delays [1, 3]" in card.read_text()


def test_an_unfinished_run_or_a_name_that_is_a_path_is_not_published(tmp_path):
    train("binary-s4d-digits", TINY, tmp_path / "run", stop_after=8)
    with pytest.raises(InputError, match="a finished run, got 1 of 2 epochs; resume"):
        publish(tmp_path / "run", "half", into=tmp_path)
    for name in ("../up", "", ".", "a/b"):
        with pytest.raises(InputError, match="expected a plain name"):
            publish(tmp_path / "run", name, into=tmp_path)
