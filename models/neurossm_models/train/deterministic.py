"""Deterministic training: results do not depend on the order of a GPU's threads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from neurossm.errors import InputError
from neurossm_models.products import HIGHEST, float32_products

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_FIXED = (":4096:8", ":16:8")  # sizes with which cuBLAS repeats itself, says NVIDIA
_REFUSED = re.compile(r"(\S+) does not have a deterministic implementation")
_OF_CUBLAS = "this operation is not deterministic because it uses CuBLAS"


@contextmanager
def computing(device: torch.device, deterministic: bool = False) -> Iterator[None]:
    """Set for the whole of a training how its device computes, and put everything back.

    On GPUs products of float32 are of float32 where `precision` says nothing else.

    Parameters
    ----------
    device
        Where.
    deterministic
        Take deterministic algorithms only: PyTorch's, cuDNN's, and cuBLAS's by the environment
        variable CUBLAS_WORKSPACE_CONFIG, which holds for a process that has not yet multiplied on
        its GPU.

    Raises
    ------
    InputError
        If an operation has no deterministic form there, or the variable has another value.
    """
    plain = float32_products(HIGHEST) if device.type == "cuda" else nullcontext()
    if not deterministic:
        with plain:
            yield
        return
    with plain, _workspace(device), _algorithms():
        try:
            yield
        except (RuntimeError, InputError) as error:
            name = operation_in(error) or operation_in(error.__cause__)
            if name is None:
                raise
            raise InputError(
                f"training with deterministic = true on {device}", got=name,
                expected="operations that have a deterministic form",
                remedy="--set train.deterministic=false, or another operation in the module",
            ) from error  # fmt: skip


def operation_in(error: BaseException | None) -> str | None:
    """Return which operation PyTorch refused for want of a deterministic form, if it did."""
    if found := _REFUSED.search(str(error)):
        return found[1]
    return "a product by cuBLAS" if _OF_CUBLAS in str(error) else None


@contextmanager
def _algorithms() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    enabled = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    fixed, tries = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        cudnn.deterministic, cudnn.benchmark = fixed, tries


@contextmanager
def _workspace(device: torch.device) -> Iterator[None]:
    before = os.environ.get(WORKSPACE)
    if device.type != "cuda" or before in _FIXED:
        yield
        return
    if before is not None:
        raise InputError(f"environment variable {WORKSPACE}", got=repr(before),
                         expected=f"{' or '.join(_FIXED)} for deterministic = true",
                         remedy=f"unset {WORKSPACE}")  # fmt: skip
    os.environ[WORKSPACE] = _FIXED[0]
    try:
        yield
    finally:
        os.environ.pop(WORKSPACE, None)
