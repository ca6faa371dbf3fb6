"""PyTorch's own layers, and their functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx, nn

from neurossm.nodes import Embedding
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.builder import array
from neurossm_converters.formats.torch.traced import activations
from neurossm_converters.formats.torch.traced.activations import LOGITS, NORM, pointwise
from neurossm_converters.formats.torch.traced.arithmetic import multiply
from neurossm_converters.formats.torch.traced.linear import affine
from neurossm_converters.formats.torch.traced.shaping import axis, narrow
from neurossm_converters.formats.torch.traced.shifting import can_be_cut, padded
from neurossm_converters.formats.torch.traced.signals import (
    Reals,
    Signal,
    Unfollowed,
    feature_shape,
    is_feature,
    reshaped,
    shown,
)
from neurossm_converters.formats.torch.traced.spatial import convolved, is_spatial
from neurossm_converters.formats.torch.traced.tables import Window, layer, operation, refusing
from neurossm_converters.formats.torch.traced.values import added, constant, forced, scaled
from neurossm_converters.formats.torch.traced.walk import Walk

PAST = (
    "a graph sees past steps through recurrences and shifts alone: in place of padding and"
    " convolutions over time train with a kernel of size 1 behind a recurrence, such as"
    " neurossm_models.s4d.S4D, or add linear layers of shifted steps"
)
AS_MANY = "as many steps and features as before"


@layer(nn.Linear)
def _linear(walk: Walk, node: fx.Node, module: nn.Linear, signal: Any) -> Signal:
    bias = None if module.bias is None else array(module.bias)
    return affine(walk, node, signal, -1, array(module.weight), bias)


@refusing
@layer(nn.ReplicationPad1d, nn.ReflectionPad1d, nn.CircularPad1d)
def _padding(walk: Walk, node: fx.Node, module: nn.Module, *_: Any) -> Signal:
    raise Unfollowed(AS_MANY, type(module).__name__, PAST)


@refusing
@layer(nn.ConstantPad1d, nn.ZeroPad1d)
def _zeros(walk: Walk, node: fx.Node, module: Any, signal: Any = None) -> Any:
    return _padded(walk, node, signal, module.padding, module.value, type(module).__name__)


@refusing
@operation("pad")
def pad(
    walk: Walk, node: fx.Node, signal: Any = None, pad: Any = (), mode: str = "constant",
    value: Any = None,
) -> Any:  # fmt: skip
    """Put zeros in front of the steps, of which as many are cut off behind: a shift."""
    return _padded(walk, node, signal, pad if mode == "constant" else None, value, "padding")


def _padded(walk: Walk, node: fx.Node, signal: Any, sizes: Any, value: Any, name: str) -> Any:
    error = Unfollowed(AS_MANY, name, PAST)
    inner = signal.signal if isinstance(signal, Window) else signal
    if not isinstance(inner, Signal) or sizes is None or value not in (None, 0):
        raise error
    pairs = dict(enumerate(zip(sizes[::2], sizes[1::2], strict=True), start=1))
    places = [len(inner.dims) - back for back, pair in pairs.items() if any(pair)]
    if not places:
        return signal
    if len(places) != 1 or not can_be_cut(inner, places[0]):
        raise error
    before, behind = pairs[len(inner.dims) - places[0]]
    return padded(walk, node, signal, places[0], int(before), int(behind), error)


@layer(nn.Conv1d)
def _conv1d(walk: Walk, node: fx.Node, module: nn.Conv1d, signal: Any) -> Signal:
    bias = None if module.bias is None else array(module.bias)
    weight = array(module.weight)
    if is_spatial(signal, 1) and module.padding_mode == "zeros":
        return convolved(walk, node, signal, weight, bias, module.stride, module.padding,
                         module.dilation, module.groups)  # fmt: skip
    settings = (module.stride, module.padding, module.groups)
    return _pointwise_conv(walk, node, signal, weight, bias, *settings)


@operation("conv1d")
def conv1d(
    walk: Walk, node: fx.Node, signal: Any, weight: Any, bias: Any = None, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Signal:  # fmt: skip
    """Apply a convolution of kernel size 1, or one over an axis that is not time."""
    found = None if bias is None else constant(bias)
    if is_spatial(signal, 1):
        return convolved(walk, node, signal, constant(weight), found, stride, padding, dilation,
                         groups)  # fmt: skip
    return _pointwise_conv(walk, node, signal, constant(weight), found, stride, padding, groups)


def _pointwise_conv(
    walk: Walk, node: fx.Node, signal: Any, weight: Reals, bias: Reals | None, stride: Any,
    padding: Any, groups: int,
) -> Signal:  # fmt: skip
    single = padding in (0, (0,), "valid", "same") and stride in (1, (1,))
    if weight.shape[2] != 1 or not single:
        raise Unfollowed("a kernel of size 1, without stride and padding",
                         f"one of size {weight.shape[2]}, stride {stride}, padding {padding}",
                         PAST)  # fmt: skip
    outs, ins = weight.shape[:2]
    full = np.zeros((outs, ins * groups))
    for group in range(groups):
        rows = slice(group * outs // groups, (group + 1) * outs // groups)
        full[rows, group * ins : (group + 1) * ins] = weight[rows, :, 0]
    return affine(walk, node, signal, -2, full, bias)


@layer(nn.BatchNorm1d, nn.BatchNorm2d)
def _batch_norm(walk: Walk, node: fx.Node, module: Any, signal: Signal) -> Signal:
    if module.running_mean is None or module.running_var is None:
        raise Unfollowed("running statistics", "none", "train with track_running_stats=True")
    mean, var = array(module.running_mean), array(module.running_var)
    gain, offset = (None if p is None else array(p) for p in (module.weight, module.bias))
    return _normalized(walk, node, signal, mean, var, gain, offset, module.eps)


@operation("batch_norm")
def batch_norm(
    walk: Walk, node: fx.Node, signal: Signal, running_mean: Any, running_var: Any,
    weight: Any = None, bias: Any = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Signal:  # fmt: skip
    """Normalize by running statistics."""
    if training or running_mean is None or running_var is None:
        raise Unfollowed("running statistics", "those of the moment", "call model.eval()")
    mean, var = constant(running_mean), constant(running_var)
    gain, offset = (None if p is None else constant(p) for p in (weight, bias))
    return _normalized(walk, node, signal, mean, var, gain, offset, eps)


def _normalized(
    walk: Walk, node: fx.Node, signal: Signal, mean: Reals, var: Reals, weight: Reals | None,
    bias: Reals | None, eps: float,
) -> Signal:  # fmt: skip
    gain = (1 if weight is None else weight) / np.sqrt(var + eps)
    offset = (0 if bias is None else bias) - mean * gain
    place = 1 if len(signal.dims) > 1 else 0
    if not is_feature(signal.dims[place]):
        raise Unfollowed(f"features along axis {place}", shown(signal.dims[place]),
                         "transpose to (batch, features, time) first, as BatchNorm1d wants it,"
                         " or merge batch and time into one axis"
                         )  # fmt: skip
    shape = (-1,) + (1,) * (len(signal.dims) - place - 1)
    found = added(walk, node, scaled(walk, signal, gain.reshape(shape)), offset.reshape(shape))
    assert isinstance(found, Signal)
    return found


@layer(nn.Embedding)
def _embedding(walk: Walk, node: fx.Node, module: nn.Embedding, signal: Signal) -> Signal:
    if module.max_norm is not None:
        raise Unfollowed("rows as they are", f"max_norm = {module.max_norm:g}",
                         "train without max_norm")  # fmt: skip
    return _looked_up(walk, node, signal, array(module.weight))


@operation("embedding")
def embedding(
    walk: Walk, node: fx.Node, signal: Signal, weight: Any, padding_idx: Any = None,
    max_norm: Any = None, *_: Any, **__: Any,
) -> Signal:  # fmt: skip
    """Look tokens up in a table."""
    if max_norm is not None:
        raise Unfollowed("rows as they are", f"max_norm = {max_norm}", "train without max_norm")
    if not isinstance(signal, Signal):
        raise Unfollowed("tokens that are an input", "constants")
    return _looked_up(walk, node, signal, constant(weight))


def _looked_up(walk: Walk, node: fx.Node, signal: Signal, table: Reals) -> Signal:
    if not signal.tokens or signal.rows.size != 1:
        raise Unfollowed("tokens straight from an input, one a step", "something else",
                         "give an example of whole numbers (torch.long)")  # fmt: skip
    hint, rows = walk.hint(node), signal.rows

    def make() -> Any:
        return walk.wiring.add(hint, Embedding(table=table), walk.wiring.node(rows, f"{hint}.in"))

    found = walk.wiring.once(("embedding", table.tobytes(), rows.key), make)
    width = (table.shape[1],) if table.shape[1] > 1 else ()
    return Signal((*signal.dims, width), found, signal.at)


@layer(nn.GLU)
def _glu(walk: Walk, node: fx.Node, module: nn.GLU, signal: Signal) -> Any:
    return glu(walk, node, signal, module.dim)


@operation("glu")
def glu(walk: Walk, node: fx.Node, signal: Signal, dim: int = -1) -> Any:
    """Gate the first half of the features by the sigmoid of the second."""
    place = axis(signal, dim)
    half = feature_shape(signal.dims)[place] // 2
    signal = forced(walk, node, signal)
    value, gate = (_half(walk, node, signal, place, start, half) for start in (0, half))
    opened = pointwise(walk, node, gate, "sigmoid", lambda channels: piecewise("sigmoid", channels))
    return multiply(walk, node, value, opened)


def _half(walk: Walk, node: fx.Node, signal: Signal, place: int, start: int, half: int) -> Signal:
    found = narrow(walk, node, signal, place, start, half)
    assert isinstance(found, Signal)
    return found


@layer(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
def _unchanged(walk: Walk, node: fx.Node, module: nn.Module, signal: Signal) -> Signal:
    return signal


@layer(nn.Flatten, nn.Unflatten)
def _reshape(walk: Walk, node: fx.Node, module: nn.Module, signal: Signal) -> Signal:
    return reshaped(signal, node.meta["shape"], walk.extent)


@layer(nn.ReLU, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.ReLU6, nn.Hardsigmoid)
def _function(walk: Walk, node: fx.Node, module: nn.Module, signal: Signal) -> Signal:
    name = type(module).__name__.lower()
    return pointwise(walk, node, signal, name, lambda channels: piecewise(name, channels))


@layer(nn.GELU)
def _gelu(walk: Walk, node: fx.Node, module: nn.GELU, signal: Signal) -> Signal:
    return activations.gelu(walk, node, signal, approximate=module.approximate)


@layer(nn.LeakyReLU)
def _leaky_relu(walk: Walk, node: fx.Node, module: nn.LeakyReLU, signal: Signal) -> Signal:
    return activations.leaky_relu(walk, node, signal, module.negative_slope)


@layer(nn.PReLU)
def _prelu(walk: Walk, node: fx.Node, module: nn.PReLU, signal: Signal) -> Signal:
    return activations.leaky_relu(walk, node, signal, module.weight)


@layer(nn.Hardtanh)
def _hardtanh(walk: Walk, node: fx.Node, module: nn.Hardtanh, signal: Signal) -> Signal:
    return activations.clamp(walk, node, signal, module.min_val, module.max_val)


@refusing
@layer(nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.RMSNorm)
def _refused_norm(walk: Walk, node: fx.Node, module: nn.Module, *_: Any) -> Signal:
    raise Unfollowed("a norm by constants", type(module).__name__, NORM)


@refusing
@layer(nn.Softmax, nn.LogSoftmax)
def _softmax(walk: Walk, node: fx.Node, module: nn.Module, *_: Any) -> Signal:
    raise Unfollowed("the logits", type(module).__name__, LOGITS)
