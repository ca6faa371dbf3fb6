"""Loads the kernels, compiled or interpreted, and launches them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

INTERPRETED_LANES = 128  # the interpreter takes as long for a lane as for some hundred


@cache
def kernels(interpreted: bool) -> ModuleType:
    """Return the module `kernels`: its functions compiled for a GPU, or run by the interpreter.

    Those of `neuron_kernels` are put beside its own. Triton decides which when a function is
    decorated, so the two are two copies of each module; no variable of the environment is read or
    set.
    """
    triton = import_module("triton")  # which has no types
    with triton.knobs.runtime.scope():
        triton.knobs.runtime.interpret = interpreted
        first = _loaded("kernels", interpreted)
        with _imported_as("kernels", first):
            second = _loaded("neuron_kernels", interpreted)
    for name, kernel in vars(second).items():
        vars(first).setdefault(name, kernel)
    return first


def _loaded(name: str, interpreted: bool) -> ModuleType:
    """Return a new copy of a module of this package."""
    spec = spec_from_file_location(
        f"{__package__}.{name}" + "_interpreted" * interpreted,
        Path(__file__).with_name(f"{name}.py"),
    )
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _imported_as(name: str, module: ModuleType) -> Iterator[None]:
    """Within this, who imports a module of this package by its name gets this copy of it."""
    name = f"{__package__}.{name}"
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def power_of_two(number: int) -> int:
    """Return the least power of two that is not below a number of at least 1."""
    return int(2 ** (number - 1).bit_length())


def start(
    module: ModuleType,
    name: str,
    tensors: Sequence[Tensor | None],
    numbers: Sequence[int],
    lanes: int,
    lanes_each: int,
    warps: int,
    **constants: int,
) -> None:
    """Start a kernel on so many lanes, `lanes_each` in a program of so many warps.

    Parameters
    ----------
    module, name
        As `kernels` returned it, and which of them.
    tensors, numbers
        Its first arguments, in its order; None for a tensor that it does not read.
    constants
        What it is compiled for.
    """
    if module.INTERPRETED:
        lanes_each = max(lanes_each, INTERPRETED_LANES)
    grid = (-(-lanes // lanes_each),)
    kernel: Any = getattr(module, name)
    kernel[grid](*tensors, *numbers, LANES=lanes_each, num_warps=warps, **constants)
