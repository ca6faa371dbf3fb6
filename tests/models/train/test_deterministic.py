"""Deterministic training: what is set, that it is put back, and what has no such form."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm.errors import InputError
from neurossm_models.train import Trainer, load_recipe, train
from neurossm_models.train.deterministic import WORKSPACE, computing, operation_in
from neurossm_models.train.loop import Loop

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def settings():
    cudnn = torch.backends.cudnn
    algorithms = (torch.are_deterministic_algorithms_enabled(), cudnn.deterministic)
    products = (torch.get_float32_matmul_precision(), cudnn.allow_tf32)
    return (*algorithms, cudnn.benchmark, os.environ.get(WORKSPACE), *products)


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = settings()
    yield
    assert settings() == before


def test_everything_is_set_for_the_training_and_put_back():
    plain = (False, False, True, None, "highest", True)
    assert settings() == plain
    with computing(CPU):
        assert settings() == plain  # the CPU's arithmetic is nobody's business
    with computing(GPU):
        assert settings() == (False, False, True, None, "highest", False)
    with computing(CPU, deterministic=True):
        assert settings() == (True, True, False, None, "highest", True)
    with computing(GPU, deterministic=True):
        assert settings() == (True, True, False, ":4096:8", "highest", False)
    assert settings() == plain


def test_a_workspace_of_the_users_stays_if_it_is_a_fixed_one(monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with computing(GPU, deterministic=True):
        assert os.environ[WORKSPACE] == ":16:8"
    monkeypatch.setenv(WORKSPACE, ":0:0")
    said = r"expected :4096:8 or :16:8.*got ':0:0'; unset CUBLAS"
    with pytest.raises(InputError, match=said), computing(GPU, deterministic=True):
        raise AssertionError("the block ran")
    with computing(CPU, deterministic=True):
        assert os.environ[WORKSPACE] == ":0:0"
    monkeypatch.delenv(WORKSPACE)


def test_warnings_that_the_user_asked_for_stay():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with computing(CPU, deterministic=True):
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_which_operation_was_refused():
    cublas = ("Deterministic behavior was enabled with either `torch.use_deterministic_algorithms"
              "(True)`, but this operation is not deterministic because it uses CuBLAS and you have"
              " CUDA >= 10.2")  # fmt: skip
    assert operation_in(RuntimeError(cublas)) == "a product by cuBLAS"
    assert operation_in(RuntimeError("shapes differ")) is None is operation_in(None)
    with pytest.raises(RuntimeError, match="shapes differ"), computing(CPU, deterministic=True):
        raise RuntimeError("shapes differ")


class Unpooled(nn.Module):
    """Uses an operation that has no deterministic form on any device."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(4, 4)

    def forward(self, x):
        where = torch.tensor([0, 2, 4, 6]).expand(len(x), 1, 4)
        return nn.functional.max_unpool1d(self.up(x[..., 0])[:, None], where, 2)[:, 0, :2]


def test_an_operation_without_a_deterministic_form_is_one_line(tmp_path):
    x = torch.randn(8, 4, 1)
    loader = DataLoader(TensorDataset(x, (x.sum((1, 2)) > 0).long()), 4)
    run = {"out": tmp_path / "a", "epochs": 1, "device": "cpu"}
    with pytest.raises(InputError) as error:
        Trainer(Unpooled(), loader, loader, deterministic=True, **run).fit()
    said = str(error.value)
    assert said.startswith("training with deterministic = true on cpu: expected operations that")
    assert "got max_unpooling2d_forward_out; --set train.deterministic=false" in said
    assert "\n" not in said
    assert Trainer(Unpooled(), loader, loader, **run).fit().finished  # the remedy works


def test_a_recipe_says_so_and_the_bits_are_the_same(tmp_path, monkeypatch):
    tiny = ["data.limit=96", "data.valid=32", "model.width=4", "model.state=2",
            "train.epochs=1", "train.batch=16", "train.ssm=fft", "train.neuron=loop"]  # fmt: skip
    assert load_recipe("binary-s4d-digits", tiny).train.deterministic is False
    seen, call = [], Loop._call

    def watched(self, batch):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return call(self, batch)

    monkeypatch.setattr(Loop, "_call", watched)
    train("binary-s4d-digits", tiny, tmp_path / "a")
    train("binary-s4d-digits", [*tiny, "train.deterministic=true"], tmp_path / "b")
    assert seen == [False] * 4 + [True] * 4
    assert (tmp_path / "a/steps.jsonl").read_bytes() == (tmp_path / "b/steps.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"deterministic=1: expected true or false, got 1"):
        load_recipe("binary-s4d-digits", ["train.deterministic=1"])
