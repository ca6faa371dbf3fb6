"""Each kind of task is learned to what a formula says, and measured on a part never touched."""

from __future__ import annotations

import json

import numpy as np
import pytest
import small_sets
import torch

from neurossm_models.train import evaluate, load_facts, load_model, train


def trained(folder, kind, *changes, make=None, family="spikingssm", epochs=40):
    data = small_sets.write(folder / "mine.npz", kind, make=make)
    sets = [f"data.path={data}", f"data.task={kind}", *small_sets.SMALL, f"train.epochs={epochs}"]
    return train(family, [*sets, *changes], folder / "run"), folder / "run"


def reached(run):
    return evaluate(run, "test").scores.values


def test_classes_of_sequences_that_end_early(tmp_path):
    result, run = trained(tmp_path, "classification", epochs=15)
    assert result.finished and result.valid_accuracy == 1.0
    found = evaluate(run, "test")
    assert found.accuracy == 1.0 and found.count == 24  # 0.15 of 160
    assert found.scores.class_names == ("low", "mid", "top")
    assert found.scores.confusion.sum() == 24


def test_several_labels(tmp_path):
    result, run = trained(tmp_path, "multilabel", epochs=15)
    assert result.metric == "macro_f1" and result.valid == 1.0
    assert reached(run)["subset_accuracy"] == 1.0
    assert reached(run)["mean_average_precision"] == 1.0


@pytest.mark.parametrize("readout", ["mean", "leaky"])
def test_a_number_a_sequence_in_its_own_units(tmp_path, readout):
    result, run = trained(tmp_path, "regression", f'model.readout="{readout}"', epochs=60)
    assert result.metric == "mse" and result.valid_accuracy is None
    facts = load_facts(run)
    assert abs(facts.target.offset[0] - 50) < 1 and 1.5 < facts.target.unit[0] < 2.6
    assert reached(run)["r2"] > 0.95  # spread 2, errors below half a unit
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert result.valid == min(line["valid_mse"] for line in lines)


def test_a_class_at_every_step(tmp_path):
    result, run = trained(tmp_path, "step-classification", epochs=15)
    found = evaluate(run, "test")
    assert result.valid_accuracy > 0.98 and found.accuracy > 0.98
    assert 24 * 4 <= found.count < 24 * 12  # the steps of each, not the padding


def test_a_number_at_every_step(tmp_path):
    _, run = trained(tmp_path, "step-regression", epochs=40)
    assert reached(run)["r2"] > 0.95 and load_model(run)[1].model.readout == "every-step"


def test_the_next_token(tmp_path):
    result, run = trained(tmp_path, "next-step", epochs=25)
    assert result.metric == "perplexity" and 1 <= result.valid < 1.05  # of four: 4
    assert reached(run)["accuracy"] == 1.0


def test_the_next_value(tmp_path):
    result, run = trained(tmp_path, "next-step", make=small_sets.next_value, epochs=40)
    assert result.metric == "mse" and reached(run)["r2"] > 0.95


def test_rare_classes_count_as_much_as_common_ones(tmp_path):
    """Nine of ten are class 0 and nothing tells them apart: balanced, no class is preferred."""

    def make(rng, n):
        return {"inputs": np.ones((n, 4, 1)), "labels": (np.arange(n) % 10 == 0).astype(int)}

    odds = {}
    for weights in ("none", "balanced"):
        folder = tmp_path / weights
        folder.mkdir()
        _, run = trained(folder, "classification", f"train.class_weights={weights}", make=make,
                         epochs=20)  # fmt: skip
        model, _ = load_model(run)
        with torch.no_grad():
            odds[weights] = torch.softmax(model(torch.ones(1, 4, 1)), 1)[0, 1].item()
    assert odds["none"] < 0.25 and 0.35 < odds["balanced"] < 0.65
