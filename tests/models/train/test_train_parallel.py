"""Training on several processes: two that torchrun starts take the steps that one takes."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.train import load_recipe, parallel, train
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.estimates.sequences import check_share
from neurossm_models.train.parallel import Group, processes
from neurossm_models.train.trainer import RecipeTrainer

SUPPORT = Path(__file__).parents[2] / "support"
# 96 training sequences: 6 steps an epoch. Dropout on; 33 held out, which two cannot share evenly.
TINY = [
    "data.limit=129",
    "data.valid=33",
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
    assert "Warning" not in run.stderr, run.stderr
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
    document = torchrun(both, [*TINY, "train.data_on=device"])
    assert document["finished"] and document["step"] == 12
    assert losses(both) == pytest.approx(losses(alone), rel=1e-4) and len(losses(both)) == 12
    assert losses(alone)[-1] != pytest.approx(losses(alone)[0], rel=1e-2), "nothing was learned"
    assert document["valid_accuracy"] == pytest.approx(expected.valid_accuracy, abs=0.031)
    for ours, theirs in zip(lines(both, "log.jsonl"), lines(alone, "log.jsonl"), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)
        assert ours["valid_loss"] == pytest.approx(theirs["valid_loss"], rel=1e-3)
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
    assert document["valid"] == pytest.approx(expected.valid, rel=1e-3)


def test_parts_and_processes_add_up_to_the_gradient_of_the_whole_batch(tmp_path):
    """Of y = w x + b and the mean of (y - l)^2 over N asked steps: 2/N sum (y - l) (x, 1)."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               str(SUPPORT / "gradients_of_two.py"), str(tmp_path)]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr[-3000:]
    x = np.arange(1, 25) / 10
    asked = ~np.isin(np.arange(24), [0, 1, 3, 4, 5, 17, 18])
    off = (0.5 * x + 0.25 - x**2 / 2)[asked]
    weight, bias = 2 * np.mean(off * x[asked]), 2 * np.mean(off)
    for rank in ("0", "1"):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["gradients"]["weight"] == pytest.approx([weight], rel=1e-6)
        assert found["gradients"]["bias"] == pytest.approx([bias], rel=1e-6)
        assert found["meetings"] == [0]  # once, although there are two parts
        assert found["valid"] == pytest.approx(np.mean(off**2), rel=1e-6)  # lr is 0


def launched(monkeypatch, processes):
    monkeypatch.setattr(parallel.dist, "is_torchelastic_launched", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: processes)


def test_each_process_computes_on_the_gpu_of_its_local_rank(monkeypatch):
    launched(monkeypatch, 2)
    current, joined = [], []
    monkeypatch.setattr(torch.cuda, "device", lambda place: current.append(place) or nullcontext())
    monkeypatch.setattr(parallel.dist, "init_process_group", joined.append)
    monkeypatch.setattr(parallel.dist, "destroy_process_group", lambda: None)
    monkeypatch.setattr(parallel.dist, "barrier", lambda: None)
    monkeypatch.setattr(parallel.dist, "get_world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        monkeypatch.setattr(parallel.dist, "get_rank", lambda rank=rank: rank)
        with processes("auto") as group:
            assert group.device == torch.device("cuda", rank) == current[-1]
    assert joined == ["nccl", "nccl"]


def test_one_gpu_for_several_processes_is_refused(monkeypatch):
    launched(monkeypatch, 2)
    monkeypatch.setattr(torch.cuda, "device", lambda place: nullcontext())
    for given in ("cuda:0", torch.device("cuda", 0)):
        with (
            pytest.raises(InputError, match=r"each of the 2 processes of this machine, got cuda:0"
                                            r" for all; --set train\.device=cuda, "),
            processes(given),
        ):  # fmt: skip
            raise AssertionError("it began")


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    recipe = load_recipe("binary-s4d-digits", ["train.batch=15"])
    with pytest.raises(InputError, match=r"batch: expected a multiple of the 2 processes, got 15"):
        check_share(recipe, 2)


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("neurossm_models.train.loop.spread_over", lambda model, group: model)
    run = RecipeTrainer(load_recipe("binary-s4d-digits", TINY), tmp_path, Group(1, 2))
    run.save()
    assert not list(tmp_path.iterdir())
