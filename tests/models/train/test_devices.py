"""Everything is moved to the device; products of bfloat16 where a GPU has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.layers import affine
from neurossm_models.s4d import S4D
from neurossm_models.train.devices import check_device, check_precision_of, device_of

HERE = Path(__file__).parents[2] / "support"


def test_training_elsewhere_mixes_no_devices_and_gives_the_same_losses(tmp_path):
    """The device refuses any tensor of the CPU; it computes as the CPU does."""
    found = ran("training_elsewhere.py", tmp_path)
    for name, losses in found["cpu"].items():
        assert found["pretend"][name] == pytest.approx(losses, rel=1e-5), name
        assert losses[-1] < losses[0], name


def test_fine_tuning_elsewhere_is_that_of_the_cpu_and_goes_on_there(tmp_path):
    """The integers are the same; gradients within rounding, which moves none of them here."""
    said = ran("finetuning_elsewhere.py", tmp_path)
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
    """Return what a program of the tests' support prints last."""
    run = subprocess.run(
        [sys.executable, str(HERE / program), str(folder)],
        capture_output=True, text=True, timeout=200, env=_with_tests_on_the_path(),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def _with_tests_on_the_path():
    import os

    return {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}:{':'.join(sys.path)}"}


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
    with pytest.raises(InputError, match="expected cuda:2, got 2 GPUs that PyTorch sees"):
        device_of("cuda:2")
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


def test_bfloat16_is_refused_where_it_is_not(monkeypatch):
    check_precision_of(torch.device("cpu"), "float32")
    with pytest.raises(
        InputError, match=r"precision: expected float32 on cpu, got bfloat16; --set"
    ):
        check_precision_of(torch.device("cpu"), "bfloat16")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(InputError, match="expected a GPU that has bfloat16"):
        check_precision_of(torch.device("cuda"), "bfloat16")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    check_precision_of(torch.device("cuda"), "bfloat16")
