"""Element-wise functions, and final functions such as softmax that a graph does not need."""

from __future__ import annotations

from typing import Any

from torch import fx

from neurossm.nodes import Node, PiecewiseLinear
from neurossm.piecewise import piecewise, ramp
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import operation, refusing
from neurossm_converters.formats.torch.traced.values import added, forced, number, scaled
from neurossm_converters.formats.torch.traced.walk import Walk

NORM = "use BatchNorm1d, which folds into its neighbors"
LOGITS = "leave it out: the largest logit is the largest probability"


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
    slope = number(negative_slope)
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
        knots, slopes, offsets = [number(low)], [0.0, 1.0], [number(low), 0.0]
    if high is not None:
        knots, slopes = [*knots, number(high)], [*slopes, 0.0]
        offsets = [*offsets, number(high)]
    if sorted(knots) != knots:
        raise Unfollowed("a least value below the largest", f"{knots[0]} and {knots[1]}")
    return pointwise(walk, node, signal, ("clamp", *knots, len(slopes), slopes[0]),
                     lambda channels: ramp("clamp", channels, knots, slopes, offsets))  # fmt: skip


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
