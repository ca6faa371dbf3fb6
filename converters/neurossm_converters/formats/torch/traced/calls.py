"""Arguments and results of recorded calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import permutations
from typing import Any

from torch.utils import _pytree as pytree

from neurossm_converters.formats.torch.traced.signals import Rows, Signal, Unfollowed, size_of


def dims_of(signal: Signal, rows: Rows, shape: tuple[int, ...], extent: dict[str, int]) -> Any:
    """Return the axes of a module's result: those of its input, with features of another size.

    Raises
    ------
    Unfollowed
        If the shape leaves it open which axis is what.
    """
    kinds = [dim if any(isinstance(a, str) for a in dim) else None for dim in signal.dims]
    fitting = []
    for order in dict.fromkeys([tuple(kinds), *permutations(kinds)]):
        dims = tuple(kind if kind is not None else (size,) if size != 1 else ()
                     for kind, size in zip(order, shape, strict=False))  # fmt: skip
        total = 1
        for dim in dims:
            for atom in dim:
                total *= atom if isinstance(atom, int) else 1
        sizes = tuple(size_of(dim, extent) for dim in dims)
        if len(order) == len(shape) and sizes == shape and total == rows.size:
            if order == tuple(kinds):
                return dims
            fitting.append(dims)
    if len(fitting) != 1:
        raise Unfollowed(f"batch, time and {rows.size} features, as its node sends them",
                         f"a result of shape {shape}")  # fmt: skip
    return fitting[0]


def is_shape(item: Any) -> bool:
    """Tell whether this is the shape of a tensor."""
    return isinstance(item, tuple) and all(isinstance(size, int) for size in item)


def in_slices(item: Any) -> list[Any]:
    """Return what stands in slices, which trees do not open."""
    return [
        part
        for leaf in pytree.tree_leaves(item) if isinstance(leaf, slice)
        for part in (leaf.start, leaf.stop, leaf.step)
    ]  # fmt: skip


def positional(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments with PyTorch's other names for them replaced."""
    kwargs = {key: value for key, value in kwargs.items() if key != "inplace" or value}
    for name in ("input", "self", "tensors"):
        if name in kwargs:
            args = (kwargs.pop(name), *args)
    if "other" in kwargs and len(args) == 1:
        args = (*args, kwargs.pop("other"))
    names = {"axis": "dim", "axes": "dims", "keepdims": "keepdim"}
    return tuple(args), {names.get(key, key): value for key, value in kwargs.items()}


def check_arguments(handler: Callable[..., Any], *args: Any) -> None:
    """Raise `Unfollowed` unless a handler takes these: some, a tuple, and those by name."""
    *before, given, named = args
    try:
        inspect.signature(handler).bind(*before, *given, **named)
    except TypeError as error:
        raise Unfollowed("its usual arguments", f"others ({error})") from None
