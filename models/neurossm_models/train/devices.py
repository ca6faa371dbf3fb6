"""The device of a training, and the precision of its matrix products."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, get_args

import torch

from neurossm.errors import InputError
from neurossm_models.products import HIGH, float32_products

AUTO: Final = "auto"
DEVICE: Final = "device"
HOST: Final = "host"
DataOn = Literal["auto", "device", "host"]
Precision = Literal["float32", "tf32", "bfloat16"]
FLOAT32, TF32, BFLOAT16 = get_args(Precision)
_APPLE = "'mps' (GPUs of Apple have no float64)"
_AMPERE = (8, 0)  # the compute capability of the first NVIDIA GPUs with TF32


def check_device(where: str, name: str) -> None:
    """Raise `InputError` unless this is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    kind, colon, number = name.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdigit()
    if kind == "mps":
        raise InputError(where, expected="auto, cpu, cuda or cuda:N", got=_APPLE,
                         remedy="--set train.device=cpu, which auto takes on a Mac")  # fmt: skip
    if not (numbered if colon else kind in (AUTO, "cpu", "cuda")):
        raise InputError(where, expected="auto, cpu, cuda or cuda:N", got=repr(name))


def device_of(name: str | torch.device) -> torch.device:
    """Return the device of a name; ``auto`` is a GPU where there is one.

    Under torchrun ``auto`` and ``cuda`` are the GPU of the process: that of its local rank.

    Raises
    ------
    InputError
        If there is no such device, or fewer GPUs than processes of this machine.
    """
    if isinstance(name, torch.device):
        if name.type == "mps":
            check_device("train device", name.type)
        if name.type != "cuda" or name.index is not None:
            return name
        name = name.type
    if not isinstance(name, str):
        raise InputError("train device", expected="auto, cpu, cuda or cuda:N", got=repr(name))
    check_device("train device", name)
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == AUTO and not there):
        return torch.device("cpu")
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    index = int(name.partition(":")[2]) if ":" in name else rank
    if index < there:
        return torch.device("cuda", index)
    if there and ":" not in name:
        raise InputError("train device", expected=f"a GPU for each process, cuda:{rank} here",
                         got=f"{there} that PyTorch sees",
                         remedy=f"torchrun --nproc-per-node={there}")  # fmt: skip
    got = f"{there} GPUs that PyTorch sees" if there else "no GPU that PyTorch sees"
    raise InputError("train device", expected=name, got=got, remedy="--set train.device=cpu")


def check_precision_of(device: torch.device, precision: str) -> None:
    """Raise `InputError` unless the device computes products so."""
    if precision == FLOAT32:
        return
    if device.type != "cuda":
        raise InputError("train precision", expected=f"float32 on {device}", got=precision,
                         remedy="--set train.precision=float32")  # fmt: skip
    has = torch.cuda.is_bf16_supported if precision == BFLOAT16 else lambda: _has_tf32(device)
    if not has():
        got = "a GPU without it"
        raise InputError("train precision", expected=f"a GPU that has {precision}", got=got,
                         remedy="--set train.precision=float32")  # fmt: skip


def _has_tf32(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= _AMPERE


def narrow(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context of a forward pass whose matrix products have this precision."""
    if precision != BFLOAT16:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def products(precision: str) -> AbstractContextManager[object]:
    """Return the context of a forward and backward pass in which products have this precision."""
    return float32_products(HIGH) if precision == TF32 else nullcontext()
