"""The parts of the training loop, one step or one epoch at a time."""

from __future__ import annotations

import json
import math
import sys

import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.train import load_recipe, trainer
from neurossm_models.train.measuring import Evaluation
from neurossm_models.train.optimization import lr_factor

# 128 training sequences in 8 steps an epoch, 16 steps in all
TINY = [
    "data.limit=160", "data.valid=32", "model.width=4", "model.state=2", "train.epochs=2",
    "train.batch=16", "train.save_every=3",
]  # fmt: skip


@pytest.fixture
def made(tmp_path):
    def make(*changes):
        torch.manual_seed(0)
        return trainer.RecipeTrainer(load_recipe("binary-s4d-digits", [*TINY, *changes]), tmp_path)

    return make


def epoch(accuracy, loss=1.0):
    return Evaluation("a set", 10, 5, accuracy, loss, (0.25, 0.5))


def test_the_rise_lasts_steps_or_a_share_of_them():
    assert [lr_factor(step, 100, 4) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [lr_factor(step, 40, 0.1) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [lr_factor(step, 100, 1) for step in (0, 1)] == [1, 1]  # one step, not all
    # a quarter of the way down, and behind the end
    assert lr_factor(4 + 24, 100, 4) == pytest.approx(0.5 * (1 + math.sqrt(0.5)))
    assert lr_factor(150, 100, 4) == 0 == lr_factor(4, 4, 4) - 1


def test_each_step_learns_at_the_rate_of_its_place(made):
    run = made("train.warmup=4", "train.lr=0.01", "train.ssm_lr=0.002")
    batches = run._rest_of_epoch()
    for factor in (0.25, 0.5):
        run._train_step(next(batches))
        rates = [group["lr"] for group in run.optimizer.param_groups]
        assert rates == pytest.approx([0.002 * factor, 0.01 * factor])
    assert run.step == 2


def test_gradients_of_one_step_are_not_those_of_the_step_before(made):
    run = made("train.lr=0.0", "train.ssm_lr=0.0", "train.clip=0")
    batches = run._rest_of_epoch()
    first = next(batches)
    found = []
    for batch in (first, next(batches), first):
        run._train_step(batch)
        found.append(torch.cat([part.grad.flatten() for part in run.model.parameters()]).norm())
    # nothing was learned: the same batch has about the same gradients, not their sum with others
    assert float(found[2]) == pytest.approx(float(found[0]), rel=0.5)


def test_what_a_step_adds_to_the_sums_and_the_log(made):
    run = made()
    run._train_step(next(run._rest_of_epoch()))
    (line,) = run.added["steps.jsonl"]
    said = json.loads(line)
    assert said["step"] == 1 and run.sums["count"] == 16
    assert 0 <= run.sums["correct"] <= 16 and run.sums["seconds"] > 0
    assert run.sums["loss"] == pytest.approx(16 * said["loss"])
    assert run._means()["loss"] == pytest.approx(said["loss"])
    assert run._means()["accuracy"] == run.sums["correct"] / 16
    # ten classes, nothing learned
    assert 1 < said["loss"] < 6


def test_a_loss_that_is_no_number_ends_the_run_before_anything_is_learned(made, monkeypatch):
    run = made()
    monkeypatch.setattr(run, "_backward", lambda batch: (math.nan, 0, 16, 16))
    before = [part.detach().clone() for part in run.model.parameters()]
    with pytest.raises(InputError, match="training at step 1: expected a finite loss, got nan"):
        run._train_step(next(run._rest_of_epoch()))
    assert run.step == 0
    assert all(map(torch.equal, before, run.model.parameters()))


def test_of_equal_epochs_the_first_is_the_best_where_the_loss_does_not_choose(made):
    run = made()
    for number, (value, loss, best) in enumerate(
        [(0.5, 1.0, 1), (0.5, 0.9, 1), (0.6, 9.0, 3), (0.5, 0.1, 3)], start=1
    ):
        run.better = False
        run._keep_if_best(epoch(value, loss), number)
        assert (run.best["epoch"], run.better) == (best, best == number), number
    assert run.best == {"accuracy": 0.6, "epoch": 3, "spike_rates": [0.25, 0.5]}


def test_an_epoch_is_the_best_by_its_value_and_then_by_its_loss(made):
    run = made()
    run.best["loss"] = sys.float_info.max
    for number, (value, loss, best) in enumerate(
        [
            (0.5, 1.0, 1),
            (0.4, 0.1, 1),
            (0.5, 1.0, 1),  # the first of equals stays
            (0.5, 0.9, 4),
            (0.6, 2.0, 5),
            (math.nan, 0.0, 5),
            (0.6, math.nan, 5),
        ],
        start=1,
    ):
        run.better = False
        run._keep_if_best(epoch(value, loss), number)
        assert (run.best["epoch"], run.better) == (best, best == number), number
    assert run.best == {"accuracy": 0.6, "epoch": 5, "spike_rates": [0.25, 0.5], "loss": 2.0}


def test_the_first_epoch_is_kept_even_if_it_reached_nothing(made):
    run = made()
    run.best["loss"] = sys.float_info.max
    run._keep_if_best(epoch(math.nan, math.inf), 1)
    assert run.better and run.best["epoch"] == 1
    assert (run.best["accuracy"], run.best["loss"]) == (-1.0, sys.float_info.max)
    run._keep_if_best(epoch(0.0, 3.0), 2)
    assert run.best["epoch"] == 2


@pytest.mark.parametrize(
    ("step", "best", "ended"),
    [
        (0, 0, False), (15, 0, False), (16, 0, True), (17, 0, True),
        (8, 1, False),  # no epoch waited
    ],
)  # fmt: skip
def test_a_run_ends_with_its_last_step(made, step, best, ended):
    run = made()
    run.step, run.best["epoch"] = step, best
    assert run.ended is ended


@pytest.mark.parametrize(
    ("step", "best", "ended"),
    [
        (16, 1, False),  # one epoch waited
        (24, 1, True),  # two
        (25, 1, False),  # only ever at the end of an epoch
        (24, 2, False),
        (80, 10, True),
    ],
)
def test_patience_counts_whole_epochs_behind_the_best(made, step, best, ended):
    run = made("train.epochs=10", "train.patience=2")
    run.step, run.best["epoch"] = step, best
    assert run.ended is ended


def test_a_checkpoint_is_due_every_so_many_steps_but_at_no_end_of_an_epoch(made):
    run = made()
    due = []
    for run.step in range(1, 25):
        if run._save_is_due():
            due.append(run.step)
    assert due == [3, 6, 9, 12, 15, 18, 21]  # not 24, the end of the third
