"""Tensors that kernels keep for the backward pass outside of autograd, for counting memory.

`torch.autograd.graph.saved_tensors_hooks` sees what an operation saves; what a function of ours
keeps as an attribute it does not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_LISTENER: ContextVar[list[Any] | None] = ContextVar("kept", default=None)


def tell(values: Any) -> None:
    """Say what is kept: tensors and arrays in lists and tuples; heard while somebody listens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener.append(values)


@contextmanager
def listening() -> Iterator[list[Any]]:
    """Give a list of what is kept by the forward passes that run in this thread meanwhile."""
    told: list[Any] = []
    token = _LISTENER.set(told)
    try:
        yield told
    finally:
        _LISTENER.reset(token)
