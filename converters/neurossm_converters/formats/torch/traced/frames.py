"""Finds the line of the user's own files at which something happens."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import torch

UNKNOWN = "an unknown place"
_HERE, _TORCH = str(Path(__file__).parents[2]), str(Path(torch.__file__).parent)


def user_frame() -> str:
    """Return file and line of the innermost frame that is neither PyTorch's nor of here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_HERE, _TORCH, "<")):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "an unknown place"


def call_site() -> int:
    """Return a number for the place in the code, and in all that called it, of what happens now."""
    found: list[tuple[int, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found.append((id(frame.f_code), frame.f_lasti))
        frame = frame.f_back
    return hash(tuple(found))


def raised_at(error: BaseException) -> str:
    """Return file and line of the innermost frame of an error outside PyTorch and this package."""
    found, trace = UNKNOWN, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith((_HERE, _TORCH, "<")):
            found = f"{Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
