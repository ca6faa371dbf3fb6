"""A run that resumes on another kind of device, or in other forms: what is kept, what is said.

Weights and moments are moved in `test_devices.py`, on a pretended device.
"""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm.errors import FormatError, InputError
from neurossm_models.train import Trainer, generators, train
from neurossm_models.train.checkpoint import load_tensors, save_tensors
from neurossm_models.train.sections import may_move

TINY = ["data.limit=96", "data.valid=32", "model.width=4", "model.state=2", "train.epochs=2",
        "train.batch=16", "train.ssm=fft", "train.neuron=loop"]  # fmt: skip
CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)
STATE = "last/state.safetensors"


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    train("binary-s4d-digits", TINY, folder)
    return (folder / "steps.jsonl").read_bytes()


def from_a_gpu(folder, older=False):
    """Make of a checkpoint one that a GPU wrote."""
    tensors, meta = load_tensors(folder / STATE)
    assert meta["computed"] == {
        "device": "cpu", "precision": "float32", "ssm": "fft", "neuron": "loop"
    }  # fmt: skip
    meta["computed"] |= {"device": "cuda", "precision": "tf32"}
    if older:
        del meta["computed"]
    kept = torch.arange(16, dtype=torch.uint8)
    save_tensors(folder / STATE, {**tensors, "cuda_rng": kept}, meta)
    return kept


@pytest.mark.parametrize("older", [False, True])
def test_from_a_gpu_to_the_cpu(straight, tmp_path, capfd, older):
    """Here the CPU computed all along: so the losses are those of a run that stayed."""
    train("binary-s4d-digits", TINY, tmp_path, stop_after=3)
    kept = from_a_gpu(tmp_path, older)
    capfd.readouterr()
    train("binary-s4d-digits", TINY, tmp_path, resume=True, stop_after=5)
    was = "device cpu, was cuda" + ("" if older else "; precision float32, was tf32")
    assert f"resumed with {was}: sums are rounded otherwise, and dropout" in capfd.readouterr().err
    train("binary-s4d-digits", TINY, tmp_path, resume=True)
    assert "resumed with" not in capfd.readouterr().err  # it stayed
    assert (tmp_path / "steps.jsonl").read_bytes() == straight
    assert torch.equal(load_tensors(tmp_path / STATE)[0]["cuda_rng"], kept)  # for the way back


def test_a_checkpoint_of_an_older_release_that_stayed_on_the_cpu(tmp_path, capfd):
    train("binary-s4d-digits", TINY, tmp_path, stop_after=3)
    tensors, meta = load_tensors(tmp_path / STATE)
    del meta["computed"]
    save_tensors(tmp_path / STATE, tensors, meta)
    train("binary-s4d-digits", TINY, tmp_path, resume=True, stop_after=4)
    assert "resumed with" not in capfd.readouterr().err


def test_generators_are_restored_by_the_kind_of_device(monkeypatch):
    put, drawn = [], torch.tensor([7, 8], dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: drawn + device.index)
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: put.append((device, state))
    )
    here = generators.states(CPU, {})
    assert list(here) == ["torch_rng"] and torch.equal(here["torch_rng"], torch.get_rng_state())
    there = generators.states(GPU, {})
    assert there.keys() == {"torch_rng", "cuda_rng"} and there["cuda_rng"].tolist() == [8, 9]
    weights = {"model/a": torch.zeros(1)}
    kept = generators.restore({**there, **weights}, CPU, "c")
    assert put == [] and kept.keys() == {"cuda_rng"}
    assert torch.equal(generators.states(CPU, kept)["cuda_rng"], there["cuda_rng"])
    assert generators.restore({**there, **weights}, GPU, "c") == {}
    ((device, state),) = put
    assert device == GPU and torch.equal(state, there["cuda_rng"])
    assert generators.restore(here, GPU, "c") == {} and len(put) == 1  # it was never there


def test_a_damaged_state_of_a_gpus_generator_is_refused(monkeypatch):
    def refuse(state, device):
        raise RuntimeError("RNG state is wrong size")

    monkeypatch.setattr(torch.cuda, "set_rng_state", refuse)
    state = {"torch_rng": torch.get_rng_state(), "cuda_rng": torch.zeros(1, dtype=torch.uint8)}
    with pytest.raises(FormatError, match="c cuda_rng: expected the state of PyTorch's generator"):
        generators.restore(state, GPU, "c")


def test_which_settings_may_be_others():
    for key, before, now in (("device", "cuda", "cpu"), ("precision", "tf32", "float32"),
                             ("ssm", "fft", "native"), ("neuron", "loop", "native"),
                             ("deterministic", True, False), ("workers", 0, 2)):  # fmt: skip
        assert may_move(key, before, now) and may_move(key, repr(before), repr(now))
    for key, before, now in (("neuron", "sdn:f", "loop"), ("neuron", "loop", "'boundary'"),
                             ("lr", 0.1, 0.2), ("threads", 1, 2), ("batch", 8, 4)):  # fmt: skip
        assert not may_move(key, before, now)


def test_a_recipe_may_move_and_may_not_change(straight, tmp_path, capfd):
    train("binary-s4d-digits", TINY, tmp_path, stop_after=3)
    native = [*TINY, "train.neuron=native", "train.workers=1", "train.device=cpu"]
    train("binary-s4d-digits", native, tmp_path, resume=True, stop_after=4)
    assert "resumed with neuron native, was loop: sums are rounded otherwise, so" in (
        capfd.readouterr().err
    )
    for change in ("train.neuron=boundary", "train.lr=0.5"):
        with pytest.raises(InputError, match="resume with the settings the run was started with"):
            train("binary-s4d-digits", [*TINY, change], tmp_path, resume=True)


def test_a_trainer_may_move_and_may_not_change(tmp_path):
    x = torch.randn(8, 1, 3)
    loader = DataLoader(TensorDataset(x, (x.sum((1, 2)) > 0).long()), 4)

    class Flat(nn.Linear):
        def forward(self, x):
            return super().forward(x[:, 0])

    def trainer(**settings):
        return Trainer(Flat(3, 2), loader, loader, out=tmp_path, epochs=2, **settings)

    trainer(device="auto").fit(stop_after=1)
    assert json.loads((tmp_path / "trainer.json").read_text())["device"] == "auto"
    with pytest.raises(InputError, match=r"lr: expected 0\.001, got 0\.5"):
        trainer(lr=0.5).fit(resume=True)
    assert trainer(device="cpu", deterministic=True).fit(resume=True).finished
