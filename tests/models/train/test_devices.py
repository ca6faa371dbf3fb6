"""Everything is moved to the device; products of bfloat16 where a GPU has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm.errors import InputError
from neurossm_models.layers import affine
from neurossm_models.s4d import S4D
from neurossm_models.train import Trainer
from neurossm_models.train.devices import check_device, check_precision_of, device_of

HERE = Path(__file__).parents[2] / "support"


def test_training_elsewhere_mixes_no_devices_and_gives_the_same_losses(tmp_path):
    """The device refuses any tensor of the CPU; it computes as the CPU does."""
    found, said = ran("training_elsewhere.py", tmp_path)
    for name, losses in found["cpu"].items():
        assert found["pretend"][name] == pytest.approx(losses, rel=1e-5), name
        assert losses[-1] < losses[0], name
    for device in found:  # batches that are cut on it are the same to the bit
        assert found[device]["data there"] == found[device]["next-step"]
    moved = "resumed with device {}, was {}: sums are rounded otherwise, and dropout"
    for one, two in (("pretend", "cpu"), ("cpu", "pretend")):  # those that stayed are not named
        assert said.count(moved.format(one, two)) == 1
    stayed = found["cpu"]["step-regression"]
    assert found["cpu"]["moved"] == pytest.approx(stayed, rel=1e-5)


def test_fine_tuning_elsewhere_is_that_of_the_cpu_and_goes_on_there(tmp_path):
    """The integers are the same; gradients within rounding, which moves none of them here."""
    said, _ = ran("finetuning_elsewhere.py", tmp_path)
    # parameters leave the device, of which the mixing has most; what the nodes send does not:
    # 16 samples of 12 steps of 8 features
    assert said["left"] == 2 * 8 * 8 < 16 * 12 * 8
    for family, found in said["runs"].items():
        losses = found["cpu"]  # before, of three steps, at the end; then the spike rate
        for kind in ("there", "resumed"):
            assert found[kind][:2] == losses[:2], family
            assert found[kind] == pytest.approx(losses, rel=1e-5), (family, kind)
        assert losses[-2] < losses[0] and losses[-1] > 0.05, family


def ran(program, folder):
    """Return what a program of the tests' support prints last, and what it says beside."""
    run = subprocess.run(
        [sys.executable, str(HERE / program), str(folder)],
        capture_output=True, text=True, timeout=200, env=_with_tests_on_the_path(),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1]), run.stderr


def _with_tests_on_the_path():
    import os

    return {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}:{':'.join(sys.path)}"}


@pytest.mark.parametrize("name", [0, None, b"cpu"])
def test_what_is_no_name_of_a_device_is_refused(name):
    with pytest.raises(InputError, match="train device: expected auto, cpu, cuda or cuda:N, got"):
        device_of(name)


def test_names_of_devices():
    assert device_of("cpu") == torch.device("cpu") == device_of(torch.device("cpu"))
    for right in ("auto", "cpu", "cuda", "cuda:3"):
        check_device("device", right)
    for wrong in ("gpu", "cuda:", "cuda:x", "cpu:1", ""):
        with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:N"):
            check_device("device", wrong)


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("auto") == device_of("cuda") == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of("auto") == torch.device("cuda", 1)
    assert device_of("cuda:0") == torch.device("cuda", 0)
    assert device_of(torch.device("cuda")) == torch.device("cuda", 1)
    assert device_of(torch.device("cuda:0")) == torch.device("cuda", 0)
    with pytest.raises(InputError, match="expected cuda:2, got 2 GPUs that PyTorch sees"):
        device_of("cuda:2")
    monkeypatch.setenv("LOCAL_RANK", "2")
    for name in ("auto", "cuda"):
        said = (
            "a GPU for each process, cuda:2 here, got 2 that PyTorch sees; torchrun --nproc-per-n"
        )
        with pytest.raises(InputError, match=said):
            device_of(name)
    assert device_of("cpu") == torch.device("cpu")
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == torch.device("cpu")
    with pytest.raises(InputError, match=r"got no GPU that PyTorch sees; --set train\.device=cpu"):
        device_of("cuda")


def test_only_products_are_of_the_narrow_type():
    x, weight, bias = torch.randn(6, 2, 5), torch.randn(4, 6), torch.randn(4)
    exact = affine(x, weight, bias)
    layer = S4D(6, 4)
    layer.form = "fft"
    kernel, y = layer.kernel(9), layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = affine(x, weight, bias)
        assert torch.equal(layer.kernel(9), kernel) and torch.equal(layer(x), y)
    assert narrow.dtype == torch.float32 and not torch.equal(narrow, exact)
    assert float((narrow - exact).abs().max()) < 0.1


def test_narrow_products_are_refused_where_they_are_not(monkeypatch):
    check_precision_of(torch.device("cpu"), "float32")
    for name in ("bfloat16", "tf32"):
        with pytest.raises(
            InputError, match=rf"precision: expected float32 on cpu, got {name}; --set train\.prec"
        ):
            check_precision_of(torch.device("cpu"), name)
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    for name in ("bfloat16", "tf32"):
        with pytest.raises(InputError, match=f"expected a GPU that has {name}"):
            check_precision_of(gpu, name)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    check_precision_of(gpu, "bfloat16")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_precision_of(gpu, "tf32")


def test_tf32_holds_in_the_steps_and_nowhere_else(tmp_path, monkeypatch):
    """Its switch is on in the forward and the backward pass; what is measured is float32."""
    monkeypatch.setattr("neurossm_models.train.loop.check_precision_of", lambda *given: None)
    seen = []

    def watch(when):
        return lambda *given: seen.append((when, torch.get_float32_matmul_precision()))

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Linear(3, 2)

        def forward(self, x):
            watch("forward" if self.training else "measured")()
            y = self.down(x[:, 0])
            if self.training:
                y.register_hook(watch("backward"))
            return y

    x = torch.randn(8, 1, 3)
    loader = DataLoader(TensorDataset(x, (x.sum((1, 2)) > 0).long()), 8)
    for precision, wanted in (("tf32", "high"), ("float32", "highest")):
        seen.clear()
        Trainer(Watched(), loader, loader, epochs=2, device="cpu", precision=precision,
                out=tmp_path / precision).fit()  # fmt: skip
        assert {when for when, _ in seen} == {"forward", "backward", "measured"}
        assert all(set_to == ("highest" if when == "measured" else wanted) for when, set_to in seen)


@pytest.mark.parametrize("device", ["mps", "mps:0", torch.device("mps")])
def test_a_gpu_of_apple_is_an_error_that_says_what_to_set(device):
    with pytest.raises(InputError, match=r"float64.*train.device=cpu"):
        device_of(device)


def test_auto_on_a_mac_takes_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_of("auto") == torch.device("cpu")
