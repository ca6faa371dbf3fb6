"""Operands of operations: constants, factors, sums, and values at one step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx

from neurossm_converters.formats.torch.traced.doubles import numbers
from neurossm_converters.formats.torch.traced.signals import (
    Reals,
    Signal,
    Unfollowed,
    aligned,
    constant_rows,
    spread,
)
from neurossm_converters.formats.torch.traced.walk import Walk


def constant(value: Any) -> Any:
    """Return a constant as an array; `Unfollowed` where it is none."""
    if isinstance(value, torch.Tensor):
        if value.is_complex():
            raise Unfollowed("real numbers", "complex ones",
                             "put what computes with them into a module of its own and give its"
                             " converter")  # fmt: skip
        return numbers(value)
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value, dtype=np.float64)
    raise Unfollowed("tensors and numbers", type(value).__name__)


def scaled(walk: Walk, value: Any, factor: Any) -> Any:
    """Return a signal (or constant) times a constant."""
    gain = constant(factor)
    if not isinstance(value, Signal):
        return constant(value) * gain
    dims = aligned([value], [gain])
    by: Reals = constant_rows(gain, dims)
    if value.reduce == "max" and np.any(by < 0):
        raise Unfollowed("a largest value over time at the end", "its negative")
    rows = spread(value, dims)
    found = replace(value, dims=dims, rows=rows.scaled(by), spikes=False, tokens=False)
    if (
        value.reduce == "sum"
        and value.at == walk.steps - 1
        and np.allclose(by * walk.steps, 1, rtol=1e-12, atol=0)
    ):
        return replace(found, reduce="mean", rows=rows)
    return found


def added(walk: Walk, node: fx.Node, left: Any, right: Any) -> Any:
    """Return the sum of signals or constants."""
    if not isinstance(left, Signal) and not isinstance(right, Signal):
        return constant(left) + constant(right)
    if isinstance(left, Signal) and isinstance(right, Signal):
        return _both_added(walk, node, left, right)
    signal, value = (left, right) if isinstance(left, Signal) else (right, left)
    dims = aligned([signal], [constant(value)])
    offset = constant_rows(constant(value), dims)
    if signal.reduce == "sum" and signal.at is not None:
        offset = offset / (signal.at + 1)  # each step brings its part
    rows = spread(signal, dims).scaled(1.0, offset)
    return replace(signal, dims=dims, rows=rows, spikes=False, tokens=False)


def _both_added(walk: Walk, node: fx.Node, left: Signal, right: Signal) -> Signal:
    longer = running(left, right) or running(right, left)
    if longer is not None:
        return longer
    if (left.at, left.reduce) != (right.at, right.reduce) or left.reduce == "max":
        left, right, _ = same_step(walk, node, left, right)
    dims = aligned([left, right], [])
    rows = spread(left, dims).plus(spread(right, dims))
    return Signal(dims, rows, left.at, left.reduce)


def running(sum_so_far: Signal, following: Signal) -> Signal | None:
    """Return a running sum with the next step added; None where that is not what is added."""
    first = sum_so_far.at == 0 and not sum_so_far.reduce
    if (
        (first or sum_so_far.reduce == "sum")
        and not following.reduce
        and sum_so_far.at is not None
        and following.at == sum_so_far.at + 1
        and following.dims == sum_so_far.dims
        and following.rows.key == sum_so_far.rows.key
    ):
        return replace(following, reduce="sum", spikes=False)
    return None


def forced(walk: Walk, node: fx.Node, signal: Any) -> Signal:
    """Return the rows themselves: a mean or sum as the running sum at its last step."""
    return walk.forced(node, signal)


def same_step(
    walk: Walk, node: fx.Node, left: Any, right: Any
) -> tuple[Signal, Signal, tuple[Any, ...]]:
    """Return two signals of the same step, and the axes that they have together."""
    left, right = forced(walk, node, left), forced(walk, node, right)
    if left.at != right.at:
        if None in (left.at, right.at):
            got = "what is known at one step only, at every step"
        else:
            got = f"steps {left.at} and {right.at} together"
        raise Unfollowed("operands of the same step", got,
                         "put what remembers into a module of its own (y, state = cell(x_t, state))"
                         " and give from_torch a converter for it")  # fmt: skip
    return left, right, aligned([left, right], [])


def number(value: Any) -> float:
    """Return a constant that is one number; `Unfollowed` for several."""
    found = constant(value)
    if found.size != 1:
        raise Unfollowed("one number for all", f"{found.size} numbers")
    return float(found.reshape(-1)[0])
