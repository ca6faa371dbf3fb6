"""`Conv2d` as NIR's `Conv2d`, `Conv1d`, `SumPool2d` or `AvgPool2d`, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm.errors import FormatError
from neurossm.nodes import Conv2d
from neurossm_converters.formats.nir.convention import Real
from neurossm_converters.formats.nir.document import Part


def reason(node: Conv2d, is_line: bool) -> str:
    """Return why NIR cannot hold a convolution, or an empty string."""
    kernel = node.windows.kernel
    if kernel[0] != kernel[1] and not is_line and not pooling(node):
        return f"the nir library takes kernels for square, this one is {kernel[0]} x {kernel[1]}"
    return ""


def write(node: Conv2d, is_line: bool) -> Any:
    """Return the NIR node; `is_line` where all convolutions of the graph have height 1.

    Groups are written out with zeros: the nir library takes the channels of a group for all.
    """
    import nir

    shape, weight = node.windows, _whole(node)
    if is_line:
        return nir.Conv1d(
            input_shape=shape.in_shape[2], weight=weight[:, :, 0], bias=np.array(node.bias),
            stride=shape.stride[1], padding=shape.padding[1], dilation=shape.dilation[1], groups=1,
        )  # fmt: skip
    kind = pooling(node)
    if kind:
        window = {"kernel_size": shape.kernel, "stride": shape.stride, "padding": shape.padding}
        return getattr(nir, kind)(**{name: np.array(value) for name, value in window.items()})
    return nir.Conv2d(
        input_shape=shape.in_shape[1:], weight=weight, bias=np.array(node.bias),
        stride=shape.stride, padding=shape.padding, dilation=shape.dilation, groups=1,
    )  # fmt: skip


def read(found: Part, groups: int, in_shape: list[int], where: str) -> Conv2d:
    """Return the convolution that `write` was given."""
    shape, one = np.array(in_shape), np.ones(2, np.int64)

    def numbers(name: str) -> np.ndarray:
        return found.numbers(name, where).astype(np.int64).ravel()

    if found.kind in ("SumPool2d", "AvgPool2d"):
        kernel = numbers("kernel_size")
        share = 1.0 if found.kind == "SumPool2d" else 1 / float(np.prod(kernel))
        return Conv2d(
            weight=np.full((groups, 1, *kernel), share), bias=np.zeros(groups), in_shape=shape,
            stride=numbers("stride"), padding=numbers("padding"), dilation=one, groups=groups,
        )  # fmt: skip
    if found.kind not in ("Conv1d", "Conv2d"):
        expected = "a NIR Conv2d, Conv1d, SumPool2d or AvgPool2d"
        raise FormatError(where, expected=expected, got=found.kind[:80])
    weight = found.numbers("weight", where)
    stride, padding, dilation = (numbers(name) for name in ("stride", "padding", "dilation"))
    if found.kind == "Conv1d":
        weight = weight[:, :, None]
        stride, dilation = (np.array([1, array[0]]) for array in (stride, dilation))
        padding = np.array([0, padding[0]])
    own, each = weight.shape[1] // groups, len(weight) // groups
    parts = [weight[g * each : (g + 1) * each, g * own : (g + 1) * own] for g in range(groups)]
    return Conv2d(
        weight=np.concatenate(parts), bias=found.numbers("bias", where), in_shape=shape,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


def _whole(node: Conv2d) -> Real:
    """Return the kernel ``(O, I, kh, kw)``, zeros between groups."""
    weight, groups = np.asarray(node.weight), node.groups
    own, each = weight.shape[1], len(weight) // groups
    whole = np.zeros((len(weight), own * groups, *weight.shape[2:]))
    for g in range(groups):
        rows = slice(g * each, (g + 1) * each)
        whole[rows, g * own : (g + 1) * own] = weight[rows]
    return whole


def pooling(node: Conv2d) -> str:
    """Return which pooling of NIR a convolution is; empty: none."""
    shape = node.windows
    if not node.pools or shape.dilation != (1, 1):
        return ""
    weight = float(np.asarray(node.weight).flat[0])
    if weight == 1:
        return "SumPool2d"
    is_mean = weight == 1 / (shape.kernel[0] * shape.kernel[1]) and shape.padding == (0, 0)
    return "AvgPool2d" if is_mean else ""
