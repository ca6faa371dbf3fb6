"""Products of float32 under PyTorch's switch: what follows it, what does not.

A CPU without such units computes the same under both settings, so the tests look at the switch.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from neurossm_models import products
from neurossm_models.products import HIGH, HIGHEST, exact_product, float32_products
from neurossm_models.s4d import S4D


def settings():
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def seen_by(monkeypatch, function):
    """Return under which settings a function's products were computed, in their order."""
    seen = []
    plain = torch.Tensor.__matmul__

    def watched(left, right):
        seen.append(settings())
        return plain(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    function()
    monkeypatch.undo()
    return seen


def test_settings_hold_for_the_block_and_are_put_back():
    before = settings()
    assert before == ("highest", True)  # PyTorch's own
    with float32_products(HIGH):
        assert settings() == ("high", True) and torch.backends.cuda.matmul.allow_tf32
        with float32_products(HIGHEST):
            assert settings() == ("highest", False) and not torch.backends.cuda.matmul.allow_tf32
        assert settings() == ("high", True)
    assert settings() == before
    with pytest.raises(ValueError, match="inside"), float32_products(HIGH):
        raise ValueError("inside")
    assert settings() == before


def test_the_middle_setting_is_put_back():
    torch.set_float32_matmul_precision("medium")
    try:
        with float32_products(HIGHEST):
            assert settings()[0] == "highest"
        assert settings()[0] == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


NEWER = """
import torch
from neurossm_models.products import HIGH, HIGHEST, float32_products
matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
matmul.fp32_precision = "tf32"
cudnn.conv.fp32_precision = "ieee"
with float32_products(HIGHEST):
    assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
    assert matmul.fp32_precision == "ieee" or matmul.fp32_precision == "none"
with float32_products(HIGH):
    assert (matmul.allow_tf32, cudnn.allow_tf32) == (True, True)
assert (matmul.fp32_precision, cudnn.conv.fp32_precision) == ("tf32", "ieee")
"""


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="newer names: PyTorch 2.9"
)
def test_the_newer_names_of_the_switch_are_put_back_too():
    """In a process of its own: the older names cannot be read any more once these were used."""
    run = subprocess.run([sys.executable, "-c", NEWER], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_an_exact_product_is_exact_whatever_is_set_forward_and_backward(monkeypatch):
    left = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    right = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)

    def both():
        with float32_products(HIGH):
            products._Exact.apply(left, right).square().sum().backward()

    assert seen_by(monkeypatch, both) == 3 * [("highest", False)]
    with torch.no_grad():
        product = torch.einsum("bmk,bkn->bmn", left, right)
        torch.testing.assert_close(left.grad, 2 * torch.einsum("bmn,bkn->bmk", product, right))
        torch.testing.assert_close(right.grad, 2 * torch.einsum("bmk,bmn->bkn", left, product))


def test_the_kernel_of_a_layer_is_an_exact_product(monkeypatch):
    layer, asked = S4D(3, 4), []
    monkeypatch.setattr(
        "neurossm_models.convolution.exact_product", lambda a, b: asked.append(1) or a @ b
    )
    layer.kernel(7)
    assert asked == [1]


def test_the_product_of_the_cpu_is_the_plain_one():
    x = torch.randn(2, 2, requires_grad=True)
    assert torch.equal(exact_product(x, x), x @ x)
    assert exact_product(x, x).grad_fn.name() == (x @ x).grad_fn.name() == "MmBackward0"
    elsewhere = torch.randn(2, 2, requires_grad=True, device="meta")
    assert exact_product(elsewhere, elsewhere).grad_fn.name() == "_ExactBackward"
