"""Checks of the inputs of a network: shapes, tokens and lengths.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm.errors import InputError


def check_lengths(lengths: Tensor, r: Tensor) -> None:
    """Raise `InputError` unless there is a length of 1 to L for each sequence of (H, B, L)."""
    _, batch, steps = r.shape
    if lengths.shape != (batch,):
        expected, got = f"shape ({batch},)", f"shape {tuple(lengths.shape)}"
        raise InputError("network lengths", expected=expected, got=got)
    if lengths.device.type == "cpu" and not 1 <= int(lengths.min()) <= int(lengths.max()) <= steps:
        got = f"{int(lengths.min())} to {int(lengths.max())}"
        raise InputError("network lengths", expected=f"1 to {steps} steps", got=got)


def check_tokens(x: Tensor, count: int) -> None:
    """Raise `InputError` unless x holds tokens below `count`; on the CPU, where looking is free."""
    if x.dtype not in (torch.int32, torch.int64):
        kind = str(x.dtype).removeprefix("torch.")
        raise InputError("network input", expected="tokens of int32 or int64", got=kind)
    if x.device.type == "cpu":
        low, high = int(x.min()), int(x.max())
        if low < 0 or high >= count:
            got = f"{low} to {high}"
            raise InputError("network input", expected=f"tokens 0 to {count - 1}", got=got)


def check_shape(right: bool, expected: str, x: Tensor) -> None:
    """Raise `InputError` with what was expected, unless it is right."""
    if not right:
        raise InputError(
            "network input", expected=f"shape {expected}", got=f"shape {tuple(x.shape)}"
        )
