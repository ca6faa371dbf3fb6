"""Permuting, slicing and concatenating tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx

from neurossm_converters.formats.torch.traced.shifting import can_be_cut, cut, joined
from neurossm_converters.formats.torch.traced.signals import (
    Dim,
    Index,
    Rows,
    Signal,
    Unfollowed,
    concatenated,
    constant_rows,
    feature_shape,
    is_feature,
    permuted,
    reshaped,
    shown,
    size_of,
)
from neurossm_converters.formats.torch.traced.tables import State, Window, operation
from neurossm_converters.formats.torch.traced.values import constant, forced, running
from neurossm_converters.formats.torch.traced.walk import Walk

LATER = "a network answers at its last step: take that one, the mean, the sum or the maximum"


def shape_of(walk: Walk, signal: Signal) -> tuple[int, ...]:
    """Return the shape of the tensor."""
    return tuple(size_of(dim, walk.extent) for dim in signal.dims)


def axis(signal: Signal, dim: int, extra: int = 0) -> int:
    """Return the number of an axis, counted from the front."""
    return int(dim) % (len(signal.dims) + extra)


@operation("permute")
def permute(walk: Walk, node: fx.Node, signal: Signal, *dims: Any) -> Signal:
    """Put axes in another order."""
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
    return permuted(signal, [axis(signal, place) for place in order])


@operation("transpose", "swapaxes", "swapdims", "t", "T", "mT")
def transpose(walk: Walk, node: fx.Node, signal: Signal, first: Any = -2, second: Any = -1,
              **named: Any) -> Signal:  # fmt: skip
    """Exchange two axes."""
    first, second = (axis(signal, named.get(f"dim{n}", named.get(f"axis{n}", given)))
                     for n, given in enumerate((first, second)))  # fmt: skip
    order = list(range(len(signal.dims)))
    if walk.name(node) == "T":
        return permuted(signal, order[::-1])
    order[first], order[second] = second, first
    return permuted(signal, order)


@operation("movedim", "moveaxis")
def movedim(walk: Walk, node: fx.Node, signal: Signal, source: Any, destination: Any) -> Signal:
    """Move axes to other places."""
    pairs = [(source, destination)] if isinstance(source, int) else zip(source, destination,
                                                                       strict=True)  # fmt: skip
    moved = {axis(signal, to): axis(signal, of) for of, to in pairs}
    rest = [place for place in range(len(signal.dims)) if place not in moved.values()]
    order = [moved[to] if to in moved else rest.pop(0) for to in range(len(signal.dims))]
    return permuted(signal, order)


@operation("unsqueeze")
def unsqueeze(walk: Walk, node: fx.Node, signal: Signal, dim: int) -> Signal:
    """Add an axis of size 1."""
    place = axis(signal, dim, 1)
    return replace(signal, dims=(*signal.dims[:place], (), *signal.dims[place:]))


@operation("squeeze")
def squeeze(walk: Walk, node: fx.Node, signal: Signal, dim: Any = None) -> Signal:
    """Take out axes of size 1."""
    given = range(len(signal.dims)) if dim is None else [dim] if isinstance(dim, int) else dim
    out = {axis(signal, place) for place in given}
    dims = tuple(d for place, d in enumerate(signal.dims) if place not in out or d)
    return replace(signal, dims=dims)


@operation("reshape", "view", "flatten", "unflatten", "reshape_as", "view_as", "ravel")
def reshape(walk: Walk, node: fx.Node, signal: Signal, *_: Any, **__: Any) -> Signal:
    """Take elements in the same order by other axes."""
    return reshaped(signal, node.meta["shape"], walk.extent)


@operation("expand", "expand_as", "broadcast_to")
def expand(walk: Walk, node: fx.Node, signal: Signal, *_: Any, **__: Any) -> Signal:
    """Repeat axes of size 1."""
    shape = tuple(node.meta["shape"])
    own = ((),) * (len(shape) - len(signal.dims)) + signal.dims
    dims: list[Dim] = [dim or ((size,) if size > 1 else ()) for dim, size in
                       zip(own, shape, strict=True)]  # fmt: skip
    ids = np.arange(signal.rows.size).reshape(feature_shape(own))
    rows = np.broadcast_to(ids, feature_shape(dims)).reshape(-1)
    return replace(signal, dims=tuple(dims), rows=signal.rows.select(rows))


@operation("repeat", "tile", "repeat_interleave")
def repeated(walk: Walk, node: fx.Node, signal: Signal, *args: Any, **kwargs: Any) -> Signal:
    """Repeat features."""
    shape = tuple(node.meta["shape"])
    own = ((),) * (len(shape) - len(signal.dims)) + signal.dims
    sizes = [size_of(dim, walk.extent) for dim in own]
    for dim, before, after in zip(own, sizes, shape, strict=True):
        if before != after and not is_feature(dim):
            raise Unfollowed("features to repeat", shown(dim))
    # any sample and step will do: what is repeated is not them
    ids = torch.arange(signal.rows.size).reshape(feature_shape(own))
    found = getattr(ids.expand(sizes), walk.name(node))(*args, **kwargs)
    for place, dim in enumerate(own):
        found = found if is_feature(dim) else found.narrow(place, 0, 1)
    dims = tuple(
        dim if not is_feature(dim) else ((size,) if size > 1 else ())
        for dim, size in zip(own, shape, strict=True)
    )
    return _picked(signal, found.numpy(), dims)


@operation("flip", "roll", "index_select")
def moved_features(walk: Walk, node: fx.Node, signal: Signal, *args: Any, **kwargs: Any) -> Signal:
    """Reverse, roll or pick features."""
    ids = np.arange(signal.rows.size).reshape(feature_shape(signal.dims))
    args, kwargs = tuple(_tensors_of(a) for a in args), dict(kwargs)
    name = walk.name(node)
    where = kwargs.get("dims", kwargs.get("dim", args[0] if name != "roll" else args[1:2]))
    for place in [where] if isinstance(where, int) else (where or range(len(signal.dims))):
        _features_only(signal, place if isinstance(place, int) else place[0])
    found = getattr(torch, name)(torch.from_numpy(ids), *args, **kwargs).numpy()
    return _picked(signal, found, signal.dims)


@operation("getitem")
def getitem(walk: Walk, node: fx.Node, value: Any, index: Any) -> Any:
    """Take a piece: one of several results, features, or a step."""
    if isinstance(value, tuple | list | dict):
        return value[index]
    if isinstance(value, Window):
        return _cut_once_more(walk, node, value, index)
    if not isinstance(value, Signal):
        raise Unfollowed("a tensor", "a state", "pass a state back to its cell, whole")
    parts = list(index) if isinstance(index, tuple) else [index]
    free = len(value.dims) - sum(1 for part in parts if part is not None and part is not Ellipsis)
    if Ellipsis not in [p for p in parts if p is None or p is Ellipsis]:
        parts.append(Ellipsis)
    place = next(i for i, part in enumerate(parts) if part is Ellipsis)
    parts[place : place + 1] = [slice(None)] * free
    where = 0
    for part in parts:
        if part is None:
            value, where = unsqueeze(walk, node, value, where), where + 1
            continue
        value, kept = _taken(walk, node, value, where, part)
        where += kept
    return value


def _cut_once_more(walk: Walk, node: fx.Node, window: Window, index: Any) -> Any:
    """Take steps of what is longer or shorter than all, and all of the other axes."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [p for p in parts if p is Ellipsis]:
        where = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[where : where + 1] = [slice(None)] * (len(window.signal.dims) - len(parts) + 1)
    for place, part in enumerate(parts):
        if not isinstance(part, slice) or (place != window.place and part != slice(None)):
            raise window.reason
    chosen = parts[window.place] if window.place < len(parts) else slice(None)
    start, stop, stride = chosen.indices(window.length)
    if stride != 1 or stop <= start:
        raise window.reason
    return cut(walk, node, window, window.place, start, stop, Unfollowed("", ""))


@operation("select")
def select(walk: Walk, node: fx.Node, signal: Signal, dim: int, index: int) -> Any:
    """Take one place of an axis."""
    return _taken(walk, node, signal, axis(signal, dim), index)[0]


@operation("narrow")
def narrow(walk: Walk, node: fx.Node, signal: Signal, dim: int, start: int, length: int) -> Any:
    """Take neighbors."""
    if isinstance(signal, Window):
        if dim % len(signal.signal.dims) != signal.place:
            raise signal.reason
        first = start % signal.length
        return cut(walk, node, signal, signal.place, first, first + length, Unfollowed("", ""))
    place = axis(signal, dim)
    start = start % shape_of(walk, signal)[place]
    return _taken(walk, node, signal, place, slice(start, start + length))[0]


@operation("split", "chunk", "tensor_split", "split_with_sizes", "unsafe_chunk", "unsafe_split")
def split(walk: Walk, node: fx.Node, signal: Signal, *args: Any, **kwargs: Any) -> Any:
    """Cut an axis into pieces."""
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    place = axis(signal, dim)
    size = shape_of(walk, signal)[place]
    name = {"split_with_sizes": "split"}.get(walk.name(node), walk.name(node))
    first = kwargs.get("split_size", kwargs.get("split_size_or_sections", kwargs.get(
        "chunks", kwargs.get("indices_or_sections", args[0] if args else None))))  # fmt: skip
    pieces = getattr(torch, name)(torch.arange(size), first)
    return tuple(
        _taken(walk, node, signal, place, slice(int(p[0]), int(p[-1]) + 1))[0] for p in pieces
    )


@operation("unbind")
def unbind(walk: Walk, node: fx.Node, signal: Signal, dim: int = 0) -> Any:
    """Take an axis apart."""
    place = axis(signal, dim)
    if signal.dims[place] == ("t",):
        signal = forced(walk, node, signal)
    return tuple(
        _taken(walk, node, signal, place, i)[0] for i in range(shape_of(walk, signal)[place])
    )


@operation("cat", "concat", "concatenate")
def cat(walk: Walk, node: fx.Node, tensors: Any, dim: int = 0) -> Any:
    """Put tensors one behind the other: features, or all steps in their order."""
    signals = [t.signal if isinstance(t, Window) else t for t in tensors
               if isinstance(t, Signal | Window)]  # fmt: skip
    place = axis(signals[0], dim)
    shifted = joined(walk, node, tensors, place)
    if shifted is not None:
        return shifted
    for tensor in tensors:
        if isinstance(tensor, Window):
            raise tensor.reason
    whole = _all_steps(walk, node, tensors)
    if whole is not None and signals[0].dims[place] == ():
        return replace(whole, dims=(*whole.dims[:place], ("t",), *whole.dims[place + 1 :]))
    return _joined(walk, node, tensors, place)


@operation("stack")
def stack(walk: Walk, node: fx.Node, tensors: Any, dim: int = 0) -> Any:
    """Put tensors beside each other along a new axis: features, or all steps in their order."""
    signals = [t for t in tensors if isinstance(t, Signal)]
    place = axis(signals[0], dim, 1)
    whole = _all_steps(walk, node, tensors)
    if whole is not None:
        return replace(whole, dims=(*whole.dims[:place], ("t",), *whole.dims[place:]))
    raised = [unsqueeze(walk, node, t, place) if isinstance(t, Signal) else
              np.expand_dims(constant(t), place) for t in tensors]  # fmt: skip
    return _joined(walk, node, raised, place)


def _all_steps(walk: Walk, node: fx.Node, tensors: Any) -> Signal | None:
    """Return the signal of which these are all steps in order; None where they are not."""
    if len(tensors) != walk.steps or not all(isinstance(t, Signal) for t in tensors):
        return None
    first: Signal = tensors[0]
    rest: list[Signal] = list(tensors[1:])
    in_order = [t.at for t in tensors] == list(range(walk.steps))
    if not in_order or any(t.dims != first.dims for t in rest):
        return None
    if running(first, replace(tensors[1], reduce="")) and all(t.reduce == "sum" for t in rest):
        rows = walk.wiring.summed(tensors[-1].rows, walk.hint(node))
        return Signal(first.dims, rows)
    if any(t.rows.key != first.rows.key or t.reduce for t in tensors):
        return None
    return replace(first, at=None)


def _joined(walk: Walk, node: fx.Node, tensors: Any, place: int) -> Signal:
    """Concatenate along an axis of features."""
    signals = [t for t in tensors if isinstance(t, Signal)]
    if any((t.at, t.reduce) != (signals[0].at, signals[0].reduce) for t in signals):
        signals = [forced(walk, node, t) for t in signals]
        if any(t.at != signals[0].at for t in signals):
            raise Unfollowed("tensors of the same step, or all steps in their order",
                             "tensors of several steps", LATER)  # fmt: skip
    rest = iter(signals)
    first, pieces, sizes, start = signals[0], [], [], 0
    for tensor in tensors:
        part = next(rest) if isinstance(tensor, Signal) else _constant_like(first, tensor, place)
        ids = np.arange(part.rows.size).reshape(feature_shape(part.dims))
        if not is_feature(part.dims[place]):
            raise Unfollowed("features to concatenate", shown(part.dims[place]))
        others = [d for n, d in enumerate(part.dims) if n != place]
        if others != [d for n, d in enumerate(first.dims) if n != place]:
            raise Unfollowed("the same axes in all tensors", "others")
        pieces.append(part.rows)
        sizes.append(ids + start)
        start += part.rows.size
    order = np.concatenate(sizes, axis=place)
    dims = list(first.dims)
    dims[place] = (order.shape[place],) if order.shape[place] > 1 else ()
    rows = concatenated(pieces).select(order.reshape(-1))
    return replace(first, dims=tuple(dims), rows=rows, spikes=False)


def _constant_like(first: Signal, value: Any, place: int) -> Signal:
    array = constant(value)
    dims = list(first.dims)
    dims[place] = (array.shape[place],) if array.shape[place] > 1 else ()
    return replace(first, dims=tuple(dims), rows=Rows((), constant_rows(array, tuple(dims))))


def _taken(walk: Walk, node: fx.Node, signal: Any, place: int, part: Any) -> tuple[Any, int]:
    """Return a piece along an axis, and how many axes are left of it, 1 or 0."""
    if isinstance(signal, Window):
        if isinstance(part, slice) and part == slice(None):
            return signal, 1
        raise signal.reason
    dim, whole = signal.dims[place], shape_of(walk, signal)[place]
    if isinstance(part, slice) and part.indices(whole) == (0, whole, 1):
        return signal, 1
    if isinstance(part, Signal | State):
        raise Unfollowed("a place that is the same for all data", "one that depends on the input")
    if isinstance(part, torch.Tensor | list | np.ndarray):
        part = part.numpy() if isinstance(part, torch.Tensor) else np.asarray(part)
    if dim == ("t",):
        return _step(walk, node, signal, place, part)
    _features_only(signal, place)
    ids = np.arange(signal.rows.size).reshape(feature_shape(signal.dims))
    if isinstance(part, slice | np.ndarray):
        found = ids[(slice(None),) * place + (part,)]
        if found.ndim != ids.ndim or not found.size:
            raise Unfollowed("some features along one axis", "none, or along several")
        dims = list(signal.dims)
        dims[place] = (found.shape[place],) if found.shape[place] > 1 else ()
        return _picked(signal, found, tuple(dims)), 1
    found = np.take(ids, int(part), axis=place)
    return _picked(signal, found, signal.dims[:place] + signal.dims[place + 1 :]), 0


def _step(walk: Walk, node: fx.Node, signal: Signal, place: int, part: Any) -> tuple[Any, int]:
    kept = not isinstance(part, int | np.integer)
    if isinstance(part, slice):
        start, stop, stride = part.indices(walk.steps)
        if stride != 1 or stop != start + 1:
            error = Unfollowed("all steps, or one", f"steps {start} to {stop}",
                               "cut the data, not what the network makes of them")  # fmt: skip
            if stride != 1 or stop <= start or not can_be_cut(signal, place):
                raise error
            return cut(walk, node, signal, place, start, stop, error), 1
        part = start
    elif kept:
        raise Unfollowed("all steps, or one", "some")
    signal = forced(walk, node, signal)
    dims = signal.dims[:place] + (((),) if kept else ()) + signal.dims[place + 1 :]
    return replace(signal, dims=dims, at=int(part) % walk.steps), int(kept)


def _picked(signal: Signal, ids: Index, dims: tuple[Dim, ...]) -> Signal:
    return replace(signal, dims=dims, rows=signal.rows.select(ids.reshape(-1)))


def _features_only(signal: Signal, place: int) -> None:
    if not is_feature(signal.dims[place]):
        raise Unfollowed("features along this axis", shown(signal.dims[place]), LATER)


def _tensors_of(value: Any) -> Any:
    return torch.as_tensor(constant(value)).long() if isinstance(value, torch.Tensor) else value
