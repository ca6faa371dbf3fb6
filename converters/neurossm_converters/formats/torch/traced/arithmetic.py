"""Adding, scaling, multiplying and comparing tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx

from neurossm_converters.formats.torch.traced.signals import (
    Signal,
    Unfollowed,
    aligned,
    constant_rows,
    spread,
)
from neurossm_converters.formats.torch.traced.tables import operation
from neurossm_converters.formats.torch.traced.values import (
    added,
    constant,
    forced,
    number,
    same_step,
    scaled,
)
from neurossm_converters.formats.torch.traced.walk import Walk


@operation("add", "radd", "iadd")
def add(walk: Walk, node: fx.Node, left: Any, right: Any, *, alpha: float = 1) -> Any:
    """Add two tensors, or a tensor and a constant."""
    return added(walk, node, left, scaled(walk, right, alpha))


@operation("sub", "subtract", "isub")
def subtract(walk: Walk, node: fx.Node, left: Any, right: Any, *, alpha: float = 1) -> Any:
    """Subtract."""
    return added(walk, node, left, scaled(walk, right, -alpha))


@operation("rsub")
def subtract_from(walk: Walk, node: fx.Node, left: Any, right: Any, *, alpha: float = 1) -> Any:
    """Subtract the first from the second."""
    return added(walk, node, scaled(walk, left, -alpha), right)


@operation("mul", "multiply", "rmul", "imul")
def multiply(walk: Walk, node: fx.Node, left: Any, right: Any) -> Any:
    """Multiply two tensors, or a tensor and a constant."""
    if not isinstance(left, Signal):
        left, right = right, left
    if not isinstance(right, Signal):
        return scaled(walk, left, right)
    left, right, dims = same_step(walk, node, left, right)
    rows = walk.wiring.product(spread(left, dims), spread(right, dims), walk.hint(node))
    return Signal(dims, rows, left.at)


@operation("div", "true_divide", "divide", "truediv", "itruediv")
def divide(walk: Walk, node: fx.Node, left: Any, right: Any, *, rounding_mode: Any = None) -> Any:
    """Divide by a constant."""
    if rounding_mode is not None:
        raise Unfollowed("an exact division", f"rounding_mode={rounding_mode!r}")
    if isinstance(right, Signal):
        raise Unfollowed("a division by a constant", "one by a tensor that depends on the input",
                         "neurons have no division: multiply, or normalize by a constant"
                         )  # fmt: skip
    divisor = constant(right)
    if np.any(divisor == 0):
        raise Unfollowed("a division by numbers other than 0", "0")
    return scaled(walk, left, 1 / divisor)


@operation("neg", "negative")
def negate(walk: Walk, node: fx.Node, signal: Signal) -> Any:
    """Turn the sign."""
    return scaled(walk, signal, -1.0)


@operation("pow", "square", "ipow")
def power(walk: Walk, node: fx.Node, signal: Any, exponent: Any = 2) -> Any:
    """Square, or leave as it is."""
    if isinstance(signal, Signal) and not isinstance(exponent, Signal):
        found = constant(exponent)
        if np.all(found == 1):
            return signal
        if np.all(found == 2):
            return multiply(walk, node, signal, signal)
    raise Unfollowed("a power of 1 or 2", "another")


@operation("where")
def where(walk: Walk, node: fx.Node, condition: Any, left: Any, right: Any) -> Any:
    """Choose by a comparison."""
    if not isinstance(condition, Signal):
        raise Unfollowed("a comparison that depends on the input", "a constant one")
    if not isinstance(left, Signal) and not isinstance(right, Signal):
        difference: Any = constant(left) - constant(right)
    else:
        difference = added(walk, node, left, scaled(walk, right, -1.0))
    return added(walk, node, multiply(walk, node, condition, difference), right)


@operation("gt", "greater", "ge", "greater_equal", "lt", "less", "le", "less_equal")
def compare(walk: Walk, node: fx.Node, left: Any, right: Any) -> Signal:
    """Compare: 1 where it is true. ``x > c`` is ``x >= c'`` with the next larger number c'."""
    if not isinstance(left, Signal):
        raise Unfollowed("a tensor that depends on the input on the left", "a constant")
    if isinstance(right, Signal):
        left, right = added(walk, node, left, scaled(walk, right, -1.0)), 0.0
    left, name = forced(walk, node, left), walk.name(node)
    dims = aligned([left], [constant(right)])
    theta = constant_rows(constant(right), dims)
    if name in ("gt", "greater", "le", "less_equal"):
        theta = np.nextafter(theta, np.inf)
    found = walk.wiring.compared(spread(left, dims), theta, walk.hint(node))
    if name in ("lt", "less", "le", "less_equal"):  # the opposite of the other comparison
        found = found.scaled(-1.0, 1.0)
    return Signal(dims, found, left.at, spikes=True)


@operation("heaviside")
def heaviside(walk: Walk, node: fx.Node, signal: Signal, values: Any) -> Signal:
    """Compare with 0; at 0 itself the result is 0 or 1."""
    at_zero = np.unique(constant(values))
    if at_zero.tolist() not in ([0.0], [1.0]):
        raise Unfollowed("0 or 1 at 0", f"{at_zero.tolist()}")
    signal = forced(walk, node, signal)
    theta = np.full(signal.rows.size, 0.0 if at_zero[0] else np.nextafter(0.0, 1.0))
    rows = walk.wiring.compared(signal.rows, theta, walk.hint(node))
    return Signal(signal.dims, rows, signal.at)


@operation("logical_not", "invert", "bitwise_not")
def opposite(walk: Walk, node: fx.Node, signal: Signal) -> Signal:
    """Turn a comparison around."""
    if not signal.spikes:
        raise Unfollowed("a comparison", "numbers")
    return replace(signal, rows=signal.rows.scaled(-1.0, 1.0))


@operation("logical_and", "and", "bitwise_and")
def both(walk: Walk, node: fx.Node, left: Any, right: Any) -> Any:
    """Tell where both comparisons are true."""
    if not (
        isinstance(left, Signal) and isinstance(right, Signal) and left.spikes and right.spikes
    ):
        raise Unfollowed("two comparisons", "something else")
    return replace(multiply(walk, node, left, right), spikes=True)


@operation("float", "double", "to", "type", "type_as", "half", "bfloat16", "cpu", "cuda", "int",
           "long", "bool")  # fmt: skip
def converted(walk: Walk, node: fx.Node, signal: Signal, *_: Any, **__: Any) -> Signal:
    """Change the type or the device: nothing, unless numbers would be rounded."""
    kind = node.meta.get("dtype")
    whole = kind is not None and not (kind.is_floating_point or kind.is_complex)
    if whole and not (signal.spikes or signal.tokens):
        raise Unfollowed("real numbers", f"a conversion to {str(kind).removeprefix('torch.')}",
                         "leave out what rounds")  # fmt: skip
    if signal.tokens and not whole:
        return replace(signal, tokens=False)
    return signal if whole else replace(signal, spikes=False)


@operation("clone", "contiguous", "detach", "alias", "data", "dropout", "dropout1d", "dropout2d",
           "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "positive", "identity",
           "real")  # fmt: skip
def unchanged(walk: Walk, node: fx.Node, signal: Signal, *_: Any, **__: Any) -> Signal:
    """Leave as it is (dropout in evaluation mode, which the recorded run was in)."""
    training = node.kwargs.get("training", len(node.args) > 2 and node.args[2])
    if "dropout" in walk.name(node) and training:
        raise Unfollowed("dropout that is off", "training=True",
                         "pass training=self.training and call model.eval()")  # fmt: skip
    return signal


@operation("zeros_like", "new_zeros", "ones_like", "new_ones", "full_like", "new_full")
def filled(walk: Walk, node: fx.Node, *args: Any, fill_value: Any = None, **__: Any) -> Any:
    """Make a constant of some shape."""
    name = walk.name(node)
    value = fill_value if fill_value is not None else args[-1]
    filling = 0.0 if "zeros" in name else 1.0 if "ones" in name else number(value)
    return torch.full(node.meta["shape"], filling, dtype=torch.float64)
