"""From the command line and on several processes; the example and the documents."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_sets
import torch

from neurossm_models.train import train
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.parallel import GlobalBatchNorm1d

ROOT = Path(__file__).parents[3]


def test_two_processes_take_the_steps_of_one_on_data_of_ones_own(tmp_path):
    data = small_sets.write(tmp_path / "mine.npz", "step-regression", n=100)
    sets = [f"data.path={data}", *small_sets.SMALL, "train.epochs=2", "model.dropout=0.2",
            "train.accumulate=2"]  # fmt: skip
    train("binary-s4d", sets, tmp_path / "alone")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               "-m", "neurossm", "train", "binary-s4d", f"--out={tmp_path / 'both'}", "--json",
               *(f"--set={item}" for item in sets)]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr[-3000:]
    document = json.loads(run.stdout)
    assert document["metric"] == "mse" and document["valid_accuracy"] is None
    losses, scores = {}, {}
    for name in ("alone", "both"):
        lines = (tmp_path / name / "steps.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
        log = (tmp_path / name / "log.jsonl").read_text().splitlines()
        scores[name] = [json.loads(line)["valid_mse"] for line in log]
    # each process and part has batch norms of its own share here, but for the whole of a part
    assert losses["both"][0] == pytest.approx(losses["alone"][0], rel=0.2)
    assert len(losses["both"]) == len(losses["alone"]) and losses["both"][-1] < losses["both"][0]
    assert scores["both"][-1] == pytest.approx(scores["alone"][-1], rel=0.5)


def test_a_module_on_two_processes_takes_the_steps_of_one(tmp_path, monkeypatch):
    script = tmp_path / "both.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(ROOT / "examples")!r})
import torch
from torch.utils.data import DataLoader
from train_my_module import MyModule, waves
from neurossm_models.train import Trainer
torch.manual_seed(0)
loaders = (DataLoader(waves(64, 1), 16, shuffle=True), DataLoader(waves(40, 2), 16))
Trainer(MyModule(), *loaders, out=sys.argv[1], epochs=2, lr=0.01).fit()
""")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               str(script), str(tmp_path / "both")]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr[-3000:]
    monkeypatch.setattr(sys, "argv", ["both.py", str(tmp_path / "alone")])
    exec(compile(script.read_text(), "both.py", "exec"), {})
    one, two = (load_tensors(tmp_path / name / "last/state.safetensors")[0]
                for name in ("alone", "both"))  # fmt: skip
    for name in one:
        if name.startswith("model/"):
            torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)
    lines = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("alone", "both")]
    for ours, theirs in zip(*lines, strict=True):
        ours, theirs = json.loads(ours), json.loads(theirs)
        assert abs(ours["valid_accuracy"] - theirs["valid_accuracy"]) < 0.026  # one of 40
        assert ours["valid_loss"] == pytest.approx(theirs["valid_loss"], rel=1e-3)


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 5)])
def test_a_batch_norm_of_all_processes_is_that_of_one(shape, monkeypatch):
    import torch.distributed as dist

    monkeypatch.setattr(dist, "get_world_size", lambda: 1)
    monkeypatch.setattr(dist, "all_reduce", lambda total: None)
    plain = torch.nn.BatchNorm1d(3)
    ours = GlobalBatchNorm1d.of(torch.nn.BatchNorm1d(3))
    x = torch.randn(shape) * 3 + 1
    torch.testing.assert_close(ours(x), plain(x))
    torch.testing.assert_close(ours.running_var, plain.running_var)


def test_the_example_learns(tmp_path):
    path = ROOT / "examples" / "train_my_module.py"
    spec = importlib.util.spec_from_file_location("train_my_module", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(tmp_path) > 0.9  # chance is 0.5


def test_what_the_page_shows_runs(tmp_path, monkeypatch):
    """Each recipe and module that docs/how-to/training.md shows is taken as it stands there."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "how-to" / "training.md").read_text()
    blocks = dict(re.findall(r"`(\w+\.(?:toml|py))`:\n\n```\w+\n(.*?)```", text, re.S))
    for name, block in blocks.items():
        Path(name).write_text(block)
    assert set(blocks) >= {"recordings.toml", "module.toml", "my_model.py"}
    small_sets.write(Path("recordings.npz"), "regression")
    small_sets.write(Path("mine.npz"), "classification")
    for name in ("recordings.toml", "module.toml"):
        assert train(name, ["train.epochs=1"], Path(name).with_suffix("")).finished
