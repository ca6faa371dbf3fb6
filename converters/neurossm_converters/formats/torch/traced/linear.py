"""Sums over features and over time: synapses, readouts, running sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import fx

from neurossm_converters.formats.torch.traced.arithmetic import multiply
from neurossm_converters.formats.torch.traced.shaping import axis
from neurossm_converters.formats.torch.traced.signals import (
    Dim,
    Reals,
    Signal,
    Unfollowed,
    feature_shape,
    is_feature,
    permuted,
    shown,
    width,
)
from neurossm_converters.formats.torch.traced.tables import Useless, operation
from neurossm_converters.formats.torch.traced.values import added, constant, forced, scaled
from neurossm_converters.formats.torch.traced.walk import Walk

_SPARE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@operation("linear")
def linear(walk: Walk, node: fx.Node, signal: Any, weight: Any, bias: Any = None) -> Signal:
    """Apply weights (out, in) along the last axis."""
    return affine(
        walk, node, signal, -1, constant(weight), None if bias is None else constant(bias)
    )


@operation("matmul", "rmatmul", "mm", "bmm")
def matmul(walk: Walk, node: fx.Node, left: Any, right: Any) -> Signal:
    """Multiply by a constant matrix from either side."""
    if isinstance(left, Signal) and isinstance(right, Signal):
        raise Unfollowed("a product with a constant matrix", "two tensors that depend on the input",
                         "a product of each value with another is x * y")  # fmt: skip
    if walk.name(node) == "rmatmul":
        left, right = right, left
    signal, other = (left, right) if isinstance(left, Signal) else (right, left)
    matrix = constant(other)
    if matrix.ndim == 1:
        found = affine(walk, node, signal, -1 if signal is left else max(-2, -len(signal.dims)),
                       matrix[None], None)  # fmt: skip
        place = len(found.dims) - 1 if signal is left else max(len(found.dims) - 2, 0)
        return replace(found, dims=found.dims[:place] + found.dims[place + 1 :])
    if matrix.ndim != 2:
        raise Unfollowed("a matrix of two axes", f"a constant of {matrix.ndim}")
    if signal is left:
        return affine(walk, node, signal, -1, matrix.T, None)
    return affine(walk, node, signal, -2, matrix, None)


@operation("addmm", "baddbmm")
def addmm(walk: Walk, node: fx.Node, bias: Any, left: Any, right: Any, *, beta: float = 1,
          alpha: float = 1) -> Any:  # fmt: skip
    """Multiply by a constant matrix and add."""
    product = scaled(walk, matmul(walk, node, left, right), alpha)
    return added(walk, node, product, scaled(walk, bias, beta))


@operation("einsum")
def einsum(walk: Walk, node: fx.Node, equation: Any, *operands: Any) -> Signal:
    """Contract features with constants, or multiply two tensors value by value."""
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or "." in equation:
        raise Unfollowed("an equation of letters", repr(equation))
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if not arrow:
        raise Unfollowed("an equation with '->'", repr(equation))
    signals = [(o, p) for o, p in zip(operands, parts, strict=True) if isinstance(o, Signal)]
    constants = [(constant(o), p) for o, p in zip(operands, parts, strict=True)
                 if not isinstance(o, Signal)]  # fmt: skip
    signal, own = signals[0]
    for other, letters in signals[1:]:
        if set(letters) != set(own) or len(letters) != len(own):
            raise Unfollowed("the same letters in tensors that depend on the input", equation)
        signal = multiply(walk, node, signal, permuted(other, [letters.index(c) for c in own]))
    return contracted(walk, node, signal, own, constants, result)


def contracted(
    walk: Walk, node: fx.Node, signal: Signal, own: str, constants: Sequence[tuple[Reals, str]],
    result: str, bias: Reals | None = None,
) -> Signal:  # fmt: skip
    """Return an einsum of a signal with constants, as synapses where rows are added."""
    if len(set(own)) != len(own) or len(set(result)) != len(result):
        raise Unfollowed("each letter once in a tensor", f"{own} -> {result}")
    dims = dict(zip(own, signal.dims, strict=True))
    used = {letter for _, letters in constants for letter in letters}
    for letter, dim in dims.items():
        if not is_feature(dim) and (letter not in result or letter in used):
            raise Unfollowed("batch and time left as they are",
                             f"a sum or product along {shown(dim)}")  # fmt: skip
    features = [letter for letter in own if is_feature(dims[letter])]
    spare = dict(zip(features, (c for c in _SPARE if c not in own + result and c not in used),
                     strict=False))  # fmt: skip
    sizes = {letter: width(dims[letter]) for letter in features}
    equation = ",".join([letters for _, letters in constants] + [f + spare[f] for f in features])
    kept = [c for c in result if c not in dims or is_feature(dims[c])]
    target = "".join(kept) + "".join(spare[f] for f in features)
    arrays = [array for array, _ in constants] + [np.eye(sizes[f]) for f in features]
    matrix = np.einsum(f"{equation}->{target}", *arrays) if arrays else np.ones(())
    shape = dict(zip(target, matrix.shape, strict=True))
    matrix = matrix.reshape(math.prod(shape[c] for c in kept), signal.rows.size)
    after = tuple(dims[c] if c in dims and not is_feature(dims[c]) else
                  ((shape[c],) if shape[c] > 1 else ()) for c in result)  # fmt: skip
    return mapped(walk, node, signal, matrix, after, bias)


def mapped(
    walk: Walk, node: fx.Node, signal: Signal, matrix: Reals, dims: tuple[Dim, ...],
    bias: Reals | None = None,
) -> Signal:  # fmt: skip
    """Return ``matrix rows + bias`` by these axes; without synapses where nothing is added."""
    if signal.reduce == "max":
        signal = forced(walk, node, signal)
    bias = np.zeros(len(matrix)) if bias is None else bias
    if signal.reduce == "sum" and signal.at is not None:
        bias = bias / (signal.at + 1)
    if (
        bias.size == matrix.shape[0]
        and np.all(np.count_nonzero(matrix, axis=1) <= 1)
        and (node.op != "call_module")
    ):
        index = np.abs(matrix).argmax(axis=1)
        rows = signal.rows.select(index).scaled(matrix[np.arange(len(index)), index], bias)
    else:
        rows = walk.wiring.linear(signal.rows, matrix, bias, walk.hint(node))
    return replace(signal, dims=dims, rows=rows, spikes=False, tokens=False)


def affine(
    walk: Walk, node: fx.Node, signal: Any, place: int, weight: Reals, bias: Reals | None
) -> Signal:
    """Apply weights (out, in) along one axis, and a bias (out,)."""
    if not isinstance(signal, Signal):
        raise Unfollowed("an input that depends on the input of the network", "a constant")
    place = axis(signal, place)
    dim = signal.dims[place]
    if not is_feature(dim) or width(dim) != weight.shape[1]:
        raise Unfollowed(f"{weight.shape[1]} features along axis {place}", shown(dim))
    own = _SPARE[: len(signal.dims)]
    result = own.replace(own[place], "Z")
    offset = None
    if bias is not None:
        shape = list(feature_shape(signal.dims))
        shape[place] = len(bias)
        turned = bias.reshape((1,) * place + (-1,) + (1,) * (len(shape) - place - 1))
        offset = np.broadcast_to(turned, shape).reshape(-1)
    return contracted(walk, node, signal, own, [(weight, "Z" + own[place])], result, offset)


@operation("sum", "mean")
def reduced(
    walk: Walk, node: fx.Node, signal: Signal, dim: Any = None, keepdim: bool = False,
    dtype: Any = None,
) -> Signal:  # fmt: skip
    """Add or average over features and over time."""
    kind = walk.name(node)
    given = range(len(signal.dims)) if dim is None else [dim] if isinstance(dim, int) else dim
    places = sorted({axis(signal, place) for place in given})
    over = [signal.dims[place] for place in places]
    if any("b" in d or ("t" in d and d != ("t",)) for d in over):
        raise Unfollowed("sums over features or time", "one over " + ", ".join(map(shown, over)),
                         "give dim")  # fmt: skip
    count = math.prod(width(d) for d in over if is_feature(d))
    own = _SPARE[: len(signal.dims)]
    flat = [own[p] for p in places if is_feature(signal.dims[p]) and signal.dims[p]]
    if flat:
        result = "".join(c for c in own if c not in flat)
        found = contracted(walk, node, signal, own, [], result)
        found = scaled(walk, found, 1 / count) if kind == "mean" else found
        dims = iter(found.dims)
        signal = replace(found, dims=tuple(() if c in flat else next(dims) for c in own))
    if ("t",) in over:
        signal = replace(forced(walk, node, signal), at=walk.steps - 1, reduce=kind, spikes=False)
    left = [
        () if p in places else d for p, d in enumerate(signal.dims) if keepdim or p not in places
    ]
    return replace(signal, dims=tuple(left))


@operation("max", "amax")
def largest(
    walk: Walk, node: fx.Node, signal: Signal, dim: Any = None, keepdim: bool = False
) -> Any:
    """Take the largest value over time."""
    given = [dim] if isinstance(dim, int) else dim if isinstance(dim, tuple | list) else []
    places = [axis(signal, place) for place in given]
    if len(places) != 1 or signal.dims[places[0]] != ("t",):
        raise Unfollowed("a maximum over time", "another",
                         "neurons compare with thresholds, not with each other")  # fmt: skip
    signal = forced(walk, node, signal)
    dims = tuple(() if p in places else d for p, d in enumerate(signal.dims)
                 if keepdim or p not in places)  # fmt: skip
    found = replace(signal, dims=dims, at=walk.steps - 1, reduce="max", spikes=False)
    if walk.name(node) == "amax":
        return found
    return found, Useless(Unfollowed("the largest values", "the steps at which they are"))


@operation("cumsum")
def cumsum(walk: Walk, node: fx.Node, signal: Signal, dim: int, *, dtype: Any = None) -> Signal:
    """Add up over time, or over features."""
    place = axis(signal, dim)
    if signal.dims[place] == ("t",):
        rows = walk.wiring.summed(signal.rows, walk.hint(node))
        return replace(signal, rows=rows, spikes=False)
    if not is_feature(signal.dims[place]):
        raise Unfollowed("a running sum over time or features", shown(signal.dims[place]))
    size = feature_shape(signal.dims)[place]
    return affine(walk, node, signal, place, np.tril(np.ones((size, size))), None)
