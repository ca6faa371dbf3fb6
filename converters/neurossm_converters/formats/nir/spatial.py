"""NIR's convolutions and pooling: `Conv1d`, `Conv2d`, `SumPool2d`, `AvgPool2d`, as `Conv2d`.

Signals are flat here, in C order; their shapes are followed, as NIR's pooling does not say its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.errors import GraphError
from neurossm.nodes import Affine, Conv2d, Node
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.windows import padded_alike

if TYPE_CHECKING:
    from neurossm_converters.formats.nir.leaky import Chain, NodeContext

Shape = tuple[int, ...]
POOLING = ("SumPool2d", "AvgPool2d")
FIELDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("Conv1d", "Conv2d"),
        frozenset({"input_shape", "weight", "bias", "stride", "padding", "dilation", "groups"}),
    ),
    **dict.fromkeys(POOLING, frozenset({"kernel_size", "stride", "padding"})),
}


def convolution(here: NodeContext) -> Chain:
    """Return `Conv1d` or `Conv2d`; a Conv1d has height 1."""
    weight, axes = here.part.numbers("weight", here.where), int(here.part.kind[4])
    if weight.ndim != 2 + axes or 0 in weight.shape:
        expected, got = f"{2 + axes} axes, none empty", f"shape {weight.shape}"
        raise GraphError(f"{here.where}.weight", expected=expected, got=got)
    bias = here.part.numbers("bias", here.where).ravel()
    if bias.size not in (1, len(weight)):
        expected, got = f"{len(weight)} values", f"{bias.size}"
        raise GraphError(f"{here.where}.bias", expected=expected, got=got)
    groups = int(_whole(here, "groups", 1, axes=1)[0])
    stride, dilation = (_whole(here, name, 1, axes) for name in ("stride", "dilation"))
    shape = _input_shape(here, weight.shape[1] * groups, axes)
    if axes == 1:
        shape, weight = (shape[0], 1, *shape[1:]), weight[:, :, None]
        stride, dilation = (1, *stride), (1, *dilation)
    weight, padding = _padded(here, weight, stride, dilation, axes)
    return [("", Conv2d(
        weight=weight, bias=np.broadcast_to(bias, len(weight)), in_shape=np.array(shape),
        stride=np.array(stride), padding=np.array(padding), dilation=np.array(dilation),
        groups=groups,
    ))]  # fmt: skip


def pooling(here: NodeContext) -> Chain:
    """Return `SumPool2d` or `AvgPool2d`: each channel by itself, windows of one weight."""
    if here.shape is None or len(here.shape) != 3:
        raise GraphError(
            here.where,
            expected="channels, height and width in front of it",
            got="a flat signal" if here.shape is None else f"shape {here.shape}",
            remedy="give the Input in front of it that shape, or write it as a Conv2d in groups",
        )
    kernel, stride = (_whole(here, name, 1, 2) for name in ("kernel_size", "stride"))
    padding = _whole(here, "padding", 0, 2)
    mean = here.part.kind == "AvgPool2d"
    if mean and any(padding):
        raise GraphError(
            f"{here.where}.padding",
            expected="0, as NIR does not say whether padding counts in a mean",
            got=str(padding),
            remedy="write it as a Conv2d in groups",
        )
    channels, height, width = here.shape
    weight = 1 / (kernel[0] * kernel[1]) if mean else 1.0
    shape = (channels, height, width)
    pooled = Conv2d.sum_pool(shape, _pair(kernel), _pair(stride), _pair(padding), weight)
    return [("", pooled)]


def sent_shape(part: Part, node: Node, arriving: Shape | None) -> Shape | None:
    """Return the shape of what a part sends; None where it is not known: then it is flat."""
    if isinstance(node, Conv2d):
        channels, height, width = node.windows.out_shape
        return (channels, width) if part.kind == "Conv1d" else (channels, height, width)
    if part.kind == "Input":
        return tuple(int(size) for size in part.numbers("shape", "").ravel())
    return None if isinstance(node, Affine) else arriving


def _pair(numbers: Shape) -> tuple[int, int]:
    return numbers[0], numbers[1]


def _whole(here: NodeContext, name: str, least: int, axes: int) -> Shape:
    """Return a field as whole numbers, one for each axis of space."""
    found = here.part.numbers(name, here.where).ravel()
    fits = found.size in (1, axes) and np.all((found >= least) & (found < 2**31))
    if not fits or np.any(found % 1):
        expected = f"1 or {axes} whole numbers from {least} on"
        raise GraphError(f"{here.where}.{name}", expected=expected, got=str(found[:8]))
    return tuple(int(n) for n in np.broadcast_to(found, axes))


def _input_shape(here: NodeContext, channels: int, axes: int) -> Shape:
    """Return the shape of what arrives: as the part says, or as the parts in front of it do."""
    known = here.shape if here.shape and len(here.shape) == 1 + axes else None
    if "input_shape" in here.part.fields:
        said = (channels, *_whole(here, "input_shape", 1, axes))
        if known is None or known == said:
            return said
        expected, got = f"{known}, which arrives", str(said)
        raise GraphError(f"{here.where}.input_shape", expected=expected, got=got)
    if known is None or known[0] != channels:
        got = "none, and a flat signal in front of it" if known is None else f"shape {known}"
        raise GraphError(f"{here.where}.input_shape", expected=f"that of {channels} channels",
                         got=got)  # fmt: skip
    return known


def _padded(
    here: NodeContext, weight: np.ndarray, stride: Shape, dilation: Shape, axes: int
) -> tuple[np.ndarray, Shape]:
    """Return the kernel ``(O, I, kh, kw)`` and its padding, the same on both sides."""
    said = here.part.fields.get("padding")
    if not isinstance(said, str):
        given = _whole(here, "padding", 0, axes)
        return weight, given if axes == 2 else (0, *given)
    if said == "valid":
        return weight, (0, 0)
    if said != "same" or max(stride) > 1:
        got = repr(said[:80]) if said != "same" else f"'same' with stride {stride}"
        raise GraphError(f"{here.where}.padding", expected="numbers, 'valid', or 'same' with"
                         " stride 1", got=got)  # fmt: skip
    found = padded_alike(weight, dilation)
    if found is None:
        raise GraphError(f"{here.where}.padding", expected="a kernel of odd size, where 'same' pads"
                         " both sides alike", got=str(weight.shape[2:]))  # fmt: skip
    return found
