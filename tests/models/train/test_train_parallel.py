"""Training on several processes: two that torchrun starts take the steps that one takes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.train import load_recipe, train
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.parallel import Group
from neurossm_models.train.start import _check_share
from neurossm_models.train.trainer import RecipeTrainer

# 96 training sequences: 6 steps an epoch. Dropout on; 33 held out, which two cannot share evenly.
TINY = [
    "data.limit=129",
    "data.held_out=33",
    "model.width=8",
    "model.state=4",
    "model.dropout=0.3",
    "train.epochs=2",
    "train.batch=16",
    "train.save_every=4",
]


def torchrun(folder, sets, *more, recipe="binary-s4d-digits"):
    """Train on two processes as a user does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "neurossm", "train", recipe, f"--out={folder}", "--json", *more]
    run = subprocess.run(
        command + [f"--set={item}" for item in sets], capture_output=True, text=True, timeout=280
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)  # one document: one process speaks


def lines(folder, file):
    return [json.loads(line) for line in (folder / file).read_text().splitlines()]


def losses(folder):
    found = lines(folder, "steps.jsonl")
    assert [line["step"] for line in found] == list(range(1, len(found) + 1))
    return [line["loss"] for line in found]


def test_two_processes_take_the_steps_of_one(tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    expected = train("binary-s4d-digits", TINY, alone)
    document = torchrun(both, TINY)
    assert document["finished"] and document["step"] == 12
    assert losses(both) == pytest.approx(losses(alone), rel=1e-4) and len(losses(both)) == 12
    assert losses(alone)[-1] != pytest.approx(losses(alone)[0], rel=1e-2), "nothing was learned"
    assert document["held_out_accuracy"] == pytest.approx(expected.held_out_accuracy, abs=0.031)
    for ours, theirs in zip(lines(both, "log.jsonl"), lines(alone, "log.jsonl"), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)
        assert ours["held_out_loss"] == pytest.approx(theirs["held_out_loss"], rel=1e-3)
        assert ours["spike_rates"] == pytest.approx(theirs["spike_rates"], rel=1e-2)
    (one, _), (two, _) = (load_tensors(run / "last/state.safetensors") for run in (alone, both))
    assert one.keys() == two.keys()
    assert torch.equal(one["torch_rng"], two["torch_rng"])
    for name in one:
        if "running" in name:
            torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)


def test_two_processes_draw_what_an_adaptive_softmax_drops_as_one(tmp_path):
    tokens = np.random.default_rng(0).integers(0, 30, (40, 12)) // 2
    np.savez(tmp_path / "tokens.npz", inputs=tokens[:, :, None], vocabulary=15)
    sets = [f"data.path={tmp_path / 'tokens.npz'}", "data.task=next-step", "model.cutoffs=[4,9]",
            "model.readout=every-step", "model.width=16", "model.state=4", "model.dropout=0.1",
            "model.embedding_dropout=0.3", "model.softmax_dropout=0.3", "train.batch=4",
            "train.epochs=2", "train.ssm=fft", "train.neuron=loop"]  # fmt: skip
    expected = train("spikingssm", sets, tmp_path / "alone")
    document = torchrun(tmp_path / "both", sets, recipe="spikingssm")
    assert expected.metric == "perplexity" and document["step"] == expected.step > 8
    assert losses(tmp_path / "both") == pytest.approx(losses(tmp_path / "alone"), rel=1e-4)
    assert document["held_out"] == pytest.approx(expected.held_out, rel=1e-3)


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    recipe = load_recipe("binary-s4d-digits", ["train.batch=15"])
    with pytest.raises(InputError, match=r"batch: expected a multiple of the 2 processes, got 15"):
        _check_share(recipe, Group(0, 2))


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("neurossm_models.train.loop.spread_over", lambda model, group: model)
    run = RecipeTrainer(load_recipe("binary-s4d-digits", TINY), tmp_path, Group(1, 2))
    run.save()
    assert not list(tmp_path.iterdir())
