"""A module in double precision on the CPU, without anything that would round to less.

Only so can a graph, which computes in float64, be held against it to the last spike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from neurossm.errors import GraphError
from neurossm_converters.formats.torch.foreign.states import copy_recurrent_layers, reset_states

WIDE = {
    torch.float16: torch.float64, torch.bfloat16: torch.float64, torch.float32: torch.float64,
    torch.complex32: torch.complex128, torch.complex64: torch.complex128,
}  # fmt: skip
_NARROWING = ("float", "half", "bfloat16")
_DEVICES = ("cuda", "mps", "xpu")


class _Wide(TorchFunctionMode):
    """Within this, what forward would convert to float32 or less becomes float64, on the CPU."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__name__", "") in _NARROWING and len(args) == 1:
            return args[0].double()
        if getattr(func, "__name__", "") in _DEVICES:
            return args[0]
        args = tuple(_widened(item) for item in args)
        kwargs = {key: _widened(item) for key, item in (kwargs or {}).items()}
        return func(*args, **kwargs)


def _widened(item: Any) -> Any:
    """Return a type or device that an argument names as the one that is meant here."""
    if isinstance(item, torch.dtype):
        return WIDE.get(item, item)
    named = item.type if isinstance(item, torch.device) else item
    elsewhere = isinstance(named, str) and named.partition(":")[0] in _DEVICES
    return torch.device("cpu") if elsewhere else item


@contextmanager
def in_double() -> Iterator[None]:
    """Within this, forward computes in float64 on the CPU, whatever types and devices it names."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), _Wide():
            yield
    finally:
        torch.set_default_dtype(before)


def fresh(model: nn.Module) -> nn.Module:
    """Return a copy on the CPU in float64 that no run has touched.

    Raises
    ------
    GraphError
        If the module cannot be copied.
    """
    memo: dict[int, Any] = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in _tensors(list(vars(module).values()))
        if value.grad_fn is not None
    }  # results of a run that modules keep have a history, which has no copy
    try:
        copy_recurrent_layers(model, memo)
        copy = deepcopy(model, memo)
    except Exception as error:
        raise GraphError("model", expected="a module that copy.deepcopy can copy",
                         got=f"{type(error).__name__}: {error}",
                         remedy="take out of it what has no copy, such as locks and generators"
                         ) from None  # fmt: skip
    copy = copy.cpu().double()
    reset_states(copy)  # of other libraries, which keep them in the module
    for module in copy.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, torch.Tensor):
                setattr(module, name, value.cpu().to(WIDE.get(value.dtype, value.dtype)))
    return copy


def changed_settings(before: nn.Module, after: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the numbers and texts that a run has set in modules, by path and name."""
    runs, found = dict(after.named_modules()), {}
    for path, module in before.named_modules():
        kept = vars(module)
        new = {
            name: value
            for name, value in vars(runs[path]).items()
            if isinstance(value, bool | int | float | str) and kept.get(name) != value
        }
        if new:
            found[path] = new
    return found


def _tensors(item: Any) -> Iterator[torch.Tensor]:
    if isinstance(item, torch.Tensor):
        yield item
    elif isinstance(item, dict | list | tuple):
        for part in item.values() if isinstance(item, dict) else item:
            yield from _tensors(part)


def numbers(value: torch.Tensor) -> Any:
    """Return a tensor as an array of float64 (or of whole numbers, or complex, as it is)."""
    found = value.detach().cpu().resolve_conj()
    wide = WIDE.get(found.dtype, torch.float64 if found.dtype == torch.bool else found.dtype)
    return found.to(wide).numpy()
