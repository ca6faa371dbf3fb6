"""Convolutions and pooling over axes of space, behind those of batch and time."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx, nn

from neurossm.nodes import Conv2d
from neurossm_converters.formats.torch.builder import array
from neurossm_converters.formats.torch.traced.signals import (
    Dim,
    Reals,
    Signal,
    Unfollowed,
    feature_shape,
    is_feature,
    shown,
)
from neurossm_converters.formats.torch.traced.tables import layer, operation, refusing
from neurossm_converters.formats.torch.traced.values import constant, forced
from neurossm_converters.formats.torch.traced.walk import Walk
from neurossm_converters.formats.windows import padded_alike

POOL = (
    "train with nn.AvgPool2d, or with a stride in the convolution: synapses add up what a window"
    " sends, and do not compare it"
)
LAYOUT = "merge batch and time in front, as in x.flatten(0, 1), or call it step by step"


def is_spatial(signal: Any, axes: int) -> bool:
    """Tell whether the last axes, of channels and space, are features, and no others."""
    if not isinstance(signal, Signal) or len(signal.dims) < 1 + axes:
        return False
    lead, own = signal.dims[: -1 - axes], signal.dims[-1 - axes :]
    sizes = feature_shape(lead)
    return all(map(is_feature, own)) and all(size == 1 for size in sizes)


def convolved(
    walk: Walk, node: fx.Node, signal: Any, weight: Reals, bias: Reals | None, stride: Any,
    padding: Any, dilation: Any, groups: int,
) -> Signal:  # fmt: skip
    """Convolve over the last one or two axes, as many as the kernel has."""
    axes = weight.ndim - 2
    shape = _shape(signal, axes)
    stride, dilation = _whole(stride, axes), _whole(dilation, axes)
    if axes == 1:
        weight, stride, dilation = weight[:, :, None], (1, *stride), (1, *dilation)
    if padding == "same":
        found = padded_alike(weight, dilation)
        if found is None:
            raise Unfollowed("padding that is the same on both sides",
                             "'same', of an even kernel with dilation", "use an odd kernel"
                             )  # fmt: skip
        weight, sizes = found
    else:
        sizes = (0, 0) if padding == "valid" else _whole(padding, axes)
        sizes = (0, *sizes) if len(sizes) == 1 else sizes
    made = Conv2d(
        weight=weight, bias=np.zeros(len(weight)) if bias is None else bias,
        in_shape=np.array(shape), stride=np.array(stride), padding=np.array(sizes),
        dilation=np.array(dilation), groups=groups,
    )  # fmt: skip
    return _added(walk, node, signal, made, axes)


def pooled(
    walk: Walk, node: fx.Node, signal: Any, kernel: Any, stride: Any, padding: Any, axes: int,
    weight: float | None = None,
) -> Signal:  # fmt: skip
    """Add up windows of each channel, times `weight`: by default one over their size."""
    shape, kernel = _shape(signal, axes), _whole(kernel, axes)
    stride = kernel if stride is None or stride == () else _whole(stride, axes)
    padding = _whole(padding, axes)
    if axes == 1:
        kernel, stride, padding = (1, *kernel), (1, *stride), (0, *padding)
    weight = 1 / (kernel[0] * kernel[1]) if weight is None else weight
    windows, steps, sizes = ((pair[0], pair[1]) for pair in (kernel, stride, padding))
    if windows == steps == (1, 1) and weight == 1:
        return forced(walk, node, signal)
    made = Conv2d.sum_pool((shape[0], shape[1], shape[2]), windows, steps, sizes, weight)
    return _added(walk, node, signal, made, axes)


def _shape(signal: Any, axes: int) -> tuple[int, ...]:
    """Return channels, height and width of a tensor."""
    if not is_spatial(signal, axes):
        what = " and ".join(shown(dim) for dim in signal.dims) if isinstance(signal, Signal) else ""
        space = "height and width" if axes == 2 else "length"
        raise Unfollowed(f"features along the last {1 + axes} axes, of channels, {space}, and none"
                         " in front", what or "a constant", LAYOUT)  # fmt: skip
    shape = feature_shape(signal.dims[-1 - axes :])
    return shape if axes == 2 else (shape[0], 1, shape[1])


def _whole(value: Any, axes: int) -> tuple[int, ...]:
    several = isinstance(value, tuple | list)
    given = [int(n) for n in value] if several else [int(value)]
    return tuple(given * axes if len(given) == 1 else given)


def _added(walk: Walk, node: fx.Node, signal: Signal, made: Conv2d, axes: int) -> Signal:
    signal = forced(walk, node, signal)
    rows, hint = signal.rows, walk.hint(node)
    weight, bias = np.asarray(made.weight), np.asarray(made.bias)
    key = ("conv2d", rows.key, weight.shape, weight.tobytes(), bias.tobytes(), made.windows)

    def make() -> Any:
        return walk.wiring.add(hint, made, walk.wiring.sender(rows, f"{hint}.in"))

    found = walk.wiring.once(key, make)
    sizes = made.windows.out_shape
    own: list[Dim] = [(size,) if size > 1 else () for size in (sizes[0], *sizes[3 - axes :])]
    return Signal((*signal.dims[: -1 - axes], *own), found, signal.at)


# -- layers ---------------------------------------------------------------------------------------


@layer(nn.Conv2d)
def _conv2d(walk: Walk, node: fx.Node, module: nn.Conv2d, signal: Any) -> Signal:
    if module.padding_mode != "zeros":
        raise Unfollowed("padding with zeros", repr(module.padding_mode),
                         "train with padding_mode='zeros'")  # fmt: skip
    bias = None if module.bias is None else array(module.bias)
    return convolved(walk, node, signal, array(module.weight), bias, module.stride, module.padding,
                     module.dilation, module.groups)  # fmt: skip


@operation("conv2d")
def conv2d(
    walk: Walk, node: fx.Node, signal: Any, weight: Any, bias: Any = None, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Signal:  # fmt: skip
    """Convolve over height and width."""
    found = None if bias is None else constant(bias)
    return convolved(walk, node, signal, constant(weight), found, stride, padding, dilation, groups)


@layer(nn.AvgPool1d, nn.AvgPool2d)
def _average(walk: Walk, node: fx.Node, module: Any, signal: Any) -> Signal:
    settings = (module.ceil_mode, module.count_include_pad)
    axes = 1 if isinstance(module, nn.AvgPool1d) else 2
    return _mean(walk, node, signal, axes, module.kernel_size, module.stride, module.padding,
                 *settings, getattr(module, "divisor_override", None))  # fmt: skip


@operation("avg_pool2d")
def avg_pool2d(
    walk: Walk, node: fx.Node, signal: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None,
) -> Signal:  # fmt: skip
    """Average windows over height and width."""
    return _mean(walk, node, signal, 2, kernel_size, stride, padding, ceil_mode, count_include_pad,
                 divisor_override)  # fmt: skip


@operation("avg_pool1d")
def avg_pool1d(
    walk: Walk, node: fx.Node, signal: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Signal:  # fmt: skip
    """Average windows over the last axis."""
    return _mean(walk, node, signal, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)


def _mean(
    walk: Walk, node: fx.Node, signal: Any, axes: int, kernel: Any, stride: Any, padding: Any,
    ceil: bool, counts_padding: bool, divisor: Any = None,
) -> Signal:  # fmt: skip
    if ceil:
        raise Unfollowed("windows that lie inside", "ceil_mode=True", "use ceil_mode=False")
    if any(_whole(padding, axes)) and not counts_padding:
        raise Unfollowed("one divisor for all windows", "count_include_pad=False",
                         "use count_include_pad=True, or no padding")  # fmt: skip
    weight = None if divisor is None else 1 / float(divisor)
    return pooled(walk, node, signal, kernel, stride, padding, axes, weight)


@layer(nn.LPPool1d, nn.LPPool2d)
def _lp_pool(walk: Walk, node: fx.Node, module: Any, signal: Any) -> Signal:
    axes = 1 if isinstance(module, nn.LPPool1d) else 2
    return _norm(walk, node, signal, axes, module.norm_type, module.kernel_size, module.stride,
                 module.ceil_mode)  # fmt: skip


@operation("lp_pool2d")
def lp_pool2d(
    walk: Walk, node: fx.Node, signal: Any, norm_type: Any, kernel_size: Any, stride: Any = None,
    ceil_mode: bool = False,
) -> Signal:  # fmt: skip
    """Add up windows over height and width, where the norm is 1."""
    return _norm(walk, node, signal, 2, norm_type, kernel_size, stride, ceil_mode)


def _norm(
    walk: Walk, node: fx.Node, signal: Any, axes: int, power: Any, kernel: Any, stride: Any,
    ceil: bool,
) -> Signal:  # fmt: skip
    if float(power) != 1 or ceil:
        got = "ceil_mode=True" if ceil else f"norm_type={power}"
        raise Unfollowed("sums of windows: norm_type=1", got, "use norm_type=1, or nn.AvgPool2d")
    return pooled(walk, node, signal, kernel, stride, 0, axes, 1.0)


@layer(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
def _adaptive(walk: Walk, node: fx.Node, module: Any, signal: Any) -> Signal:
    axes = 1 if isinstance(module, nn.AdaptiveAvgPool1d) else 2
    return _to_size(walk, node, signal, axes, module.output_size)


@operation("adaptive_avg_pool2d")
def adaptive_avg_pool2d(walk: Walk, node: fx.Node, signal: Any, output_size: Any) -> Signal:
    """Average over equal windows, so many along height and width."""
    return _to_size(walk, node, signal, 2, output_size)


def _to_size(walk: Walk, node: fx.Node, signal: Any, axes: int, wanted: Any) -> Signal:
    sizes = _shape(signal, axes)[3 - axes :]
    given = wanted if isinstance(wanted, tuple | list) else (wanted,) * axes
    counts = [size if n is None else int(n) for n, size in zip(given, sizes, strict=True)]
    if any(size % n for n, size in zip(counts, sizes, strict=True)):
        raise Unfollowed("windows of one size", f"{tuple(counts)} windows over {sizes}",
                         "choose numbers that divide the sizes")  # fmt: skip
    kernel = tuple(size // n for n, size in zip(counts, sizes, strict=True))
    return pooled(walk, node, signal, kernel, kernel, 0, axes)


@refusing
@layer(nn.MaxPool1d, nn.MaxPool2d, nn.FractionalMaxPool2d)
@layer(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
def _max_pool(walk: Walk, node: fx.Node, module: nn.Module, *_: Any, **__: Any) -> Signal:
    raise Unfollowed("windows that are added up", type(module).__name__, POOL)


@refusing
@operation("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d",
           "max_pool1d_with_indices", "max_pool2d_with_indices", "boolean_dispatch")  # fmt: skip
def _max_pooled(walk: Walk, node: fx.Node, *_: Any, **__: Any) -> Signal:
    raise Unfollowed("windows that are added up", walk.name(node), POOL)
