"""Adding, scaling, multiplying and comparing tensors, and functions of each value by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx

from neurossm.nodes import Node, PiecewiseLinear
from neurossm.piecewise import piecewise, ramp
from neurossm_converters.from_torch.traced.doubles import numbers
from neurossm_converters.from_torch.traced.signals import (
    Reals,
    Signal,
    Unfollowed,
    aligned,
    constant_rows,
    spread,
)
from neurossm_converters.from_torch.traced.walk import Walk, operation, refusing

NORM = "use BatchNorm1d, which folds into its neighbors"
LOGITS = "leave it out: the largest logit is the largest probability"


def constant(value: Any) -> Any:
    """Return a constant as an array; `Unfollowed` where it is none."""
    if isinstance(value, torch.Tensor):
        return numbers(value)
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value, dtype=np.float64)
    raise Unfollowed("tensors and numbers", type(value).__name__)


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


@operation("relu", "sigmoid", "tanh", "silu", "abs", "absolute", "relu6", "hardsigmoid")
def function(walk: Walk, node: fx.Node, signal: Signal, *_: Any, **__: Any) -> Signal:
    """Apply a function that segments stand for."""
    name = {"absolute": "abs"}.get(walk.name(node), walk.name(node))
    return pointwise(walk, node, signal, name, lambda channels: piecewise(name, channels))


@operation("gelu")
def gelu(walk: Walk, node: fx.Node, signal: Signal, *, approximate: str = "none") -> Signal:
    """Apply gelu itself."""
    if approximate != "none":
        raise Unfollowed("gelu itself", f"its approximation by {approximate}",
                         'use approximate="none"')  # fmt: skip
    return pointwise(walk, node, signal, "gelu", lambda channels: piecewise("gelu", channels))


@operation("maximum", "minimum", "fmax", "fmin")
def larger(walk: Walk, node: fx.Node, left: Any, right: Any) -> Any:
    """Take the larger or smaller of two values: one, and by how much the other exceeds it."""
    sign = 1.0 if "max" in walk.name(node) else -1.0
    ahead = scaled(walk, added(walk, node, left, scaled(walk, right, -1.0)), sign)
    above = pointwise(walk, node, ahead, "relu", lambda channels: piecewise("relu", channels))
    return added(walk, node, right, scaled(walk, above, sign))


@operation("leaky_relu", "prelu")
def leaky_relu(walk: Walk, node: fx.Node, signal: Signal, negative_slope: Any = 0.01,
               inplace: bool = False) -> Signal:  # fmt: skip
    """Apply a relu with another slope below 0."""
    slope = _number(negative_slope)
    segments = ([0.0], [slope, 1.0], [0.0, 0.0])
    what = ("leaky_relu", slope)
    return pointwise(walk, node, signal, what, lambda n: ramp("leaky_relu", n, *segments))


@operation("clamp", "clip", "hardtanh", "clamp_min", "clamp_max")
def clamp(walk: Walk, node: fx.Node, signal: Signal, min: Any = None, max: Any = None,
          **more: Any) -> Signal:  # fmt: skip
    """Keep values between two numbers."""
    name = walk.name(node)
    low, high = more.get("min_val", min), more.get("max_val", max)
    if name == "hardtanh":
        low, high = (-1.0 if low is None else low), (1.0 if high is None else high)
    if name == "clamp_max":
        low, high = None, (high if high is not None else low)
    knots, slopes, offsets = [], [1.0], [0.0]
    if low is not None:
        knots, slopes, offsets = [_number(low)], [0.0, 1.0], [_number(low), 0.0]
    if high is not None:
        knots, slopes = [*knots, _number(high)], [*slopes, 0.0]
        offsets = [*offsets, _number(high)]
    if sorted(knots) != knots:
        raise Unfollowed("a least value below the largest", f"{knots[0]} and {knots[1]}")
    return pointwise(walk, node, signal, ("clamp", *knots, len(slopes), slopes[0]),
                     lambda channels: ramp("clamp", channels, knots, slopes, offsets))  # fmt: skip


@operation("zeros_like", "new_zeros", "ones_like", "new_ones", "full_like", "new_full")
def filled(walk: Walk, node: fx.Node, *args: Any, fill_value: Any = None, **__: Any) -> Any:
    """Make a constant of some shape."""
    name = walk.name(node)
    value = fill_value if fill_value is not None else args[-1]
    number = 0.0 if "zeros" in name else 1.0 if "ones" in name else _number(value)
    return torch.full(node.meta["shape"], number, dtype=torch.float64)


@refusing
@operation("softmax", "log_softmax", "argmax")
def refused_at_the_end(walk: Walk, node: fx.Node, *_: Any, **__: Any) -> Signal:
    """Refuse what belongs behind a network."""
    raise Unfollowed("the logits", walk.name(node), LOGITS)


@refusing
@operation("layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize")
def refused_norm(walk: Walk, node: fx.Node, *_: Any, **__: Any) -> Signal:
    """Refuse norms that divide by what the moment brings."""
    raise Unfollowed("a norm by constants", walk.name(node),
                     NORM)  # fmt: skip


def pointwise(walk: Walk, node: fx.Node, signal: Signal, what: Any, make: Any) -> Signal:
    """Apply a node to each value by itself."""
    signal = forced(walk, node, signal)
    made: Node = make(1)
    assert isinstance(made, PiecewiseLinear)
    rows = walk.wiring.pointwise(what, signal.rows, make, walk.hint(node))
    return Signal(signal.dims, rows, signal.at)


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


def forced(walk: Walk, node: fx.Node, signal: Signal) -> Signal:
    """Return the rows themselves: a mean or sum as the running sum at its last step."""
    if not isinstance(signal, Signal):
        raise Unfollowed("a tensor that depends on the input", type(signal).__name__)
    if not signal.reduce:
        return signal
    if signal.reduce == "max":
        raise Unfollowed("the largest value over time as a result", "operations behind it",
                         "apply them at every step, before the maximum")  # fmt: skip
    rows = signal.rows.scaled(1 / walk.steps) if signal.reduce == "mean" else signal.rows
    return replace(signal, rows=walk.wiring.summed(rows, f"{walk.hint(node)}.sum"), reduce="")


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


def _number(value: Any) -> float:
    found = constant(value)
    if found.size != 1:
        raise Unfollowed("one number for all", f"{found.size} numbers")
    return float(found.reshape(-1)[0])
