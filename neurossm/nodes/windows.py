"""Windows of a two-dimensional convolution: which input meets which output at each kernel element.

Shapes: input ``(I, H, W)``, output ``(O, H', W')``, kernel ``(O, I / groups, kh, kw)``; channels of
a graph are these flattened in row-major (C) order. Positions outside the input (padding) hold no
synapses: they always send 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import shown
from neurossm.errors import GraphError
from neurossm.nodes.step import Integers, Reals

Pair = tuple[int, int]


class Tap(NamedTuple):
    """One element of the kernel: where it is, and the positions that it connects, in order.

    `outputs` and `inputs` are slices of the last two axes of outputs and inputs, of equal lengths.
    """

    at: Pair
    outputs: tuple[slice, slice]
    inputs: tuple[slice, slice]


@dataclass(frozen=True)
class Windows:
    """Geometry of a convolution.

    Attributes
    ----------
    in_shape
        I, H, W.
    filters
        O.
    kernel, stride, padding, dilation
        Along height and width; padding is added on both sides.
    groups
        Groups of channels that do not see one another; divides I and O.
    """

    in_shape: tuple[int, int, int]
    filters: int
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @property
    def out_size(self) -> Pair:
        """H' and W', as of PyTorch's ``Conv2d``; below 1 where the kernel is larger than all."""
        (_, *sizes), found = self.in_shape, []
        for axis, size in enumerate(sizes):
            reach = self.dilation[axis] * (self.kernel[axis] - 1)
            found.append((size + 2 * self.padding[axis] - reach - 1) // self.stride[axis] + 1)
        return found[0], found[1]

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """O, H', W'."""
        return self.filters, *self.out_size

    def check(self) -> None:
        """Raise `GraphError` for padding beyond the kernel's reach, and where nothing is left."""
        (_, *sizes), (own, along) = self.in_shape, (self.kernel, self.dilation)
        reach = tuple(d * (k - 1) for k, d in zip(own, along, strict=True))
        if self.padding[0] > reach[0] or self.padding[1] > reach[1]:
            expected = f"at most {reach}, as far as the kernel reaches"
            raise GraphError("Conv2d.padding", expected=expected, got=str(self.padding))
        if min(self.out_size) < 1:
            height, width = (1 + r - 2 * p for r, p in zip(reach, self.padding, strict=True))
            expected, got = f"at least {height} x {width}", f"{sizes[0]} x {sizes[1]}"
            raise GraphError("Conv2d.in_shape", expected=expected, got=got)

    def taps(self) -> Iterator[Tap]:
        """Yield the elements of the kernel that connect any input at all, in row-major order."""
        rows = [self._along(0, k) for k in range(self.kernel[0])]
        columns = [self._along(1, k) for k in range(self.kernel[1])]
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                if row is not None and column is not None:
                    yield Tap((y, x), (row[0], column[0]), (row[1], column[1]))

    def _along(self, axis: int, k: int) -> tuple[slice, slice] | None:
        """Return the outputs and inputs that element `k` connects along an axis."""
        stride, size = self.stride[axis], self.in_shape[1 + axis]
        offset = k * self.dilation[axis] - self.padding[axis]  # output o meets o * stride + offset
        first = max(0, -(offset // stride))
        stop = min(self.out_size[axis], (size - 1 - offset) // stride + 1)
        if stop <= first:
            return None
        start = first * stride + offset
        return slice(first, stop), slice(start, (stop - 1) * stride + offset + 1, stride)

    def convolve(self, values: Reals, weight: Reals) -> Reals:
        """Return the sums ``(..., O, H', W')`` for values ``(..., I, H, W)``, real numbers."""
        (channels, _, _), groups = self.in_shape, self.groups
        lead, rest = values.shape[:-3], (channels // groups, *self.in_shape[1:])
        grouped = values.reshape(-1, groups, *rest)
        kernel = weight.reshape(groups, self.filters // groups, *weight.shape[1:])
        sums = np.zeros((len(grouped), groups, self.filters // groups, *self.out_size))
        for tap in self.taps():
            meeting = grouped[..., tap.inputs[0], tap.inputs[1]]
            each = np.ascontiguousarray(kernel[..., tap.at[0], tap.at[1]])
            if rest[0] == 1:  # each channel by itself
                sums[..., tap.outputs[0], tap.outputs[1]] += each[..., None] * meeting
                continue
            added = each @ meeting.reshape(*meeting.shape[:3], -1)  # one product of matrices
            sums[..., tap.outputs[0], tap.outputs[1]] += added.reshape(
                *added.shape[:3], *meeting.shape[3:]
            )
        return sums.reshape(*lead, *self.out_shape)

    def fan_out(self, weight: NDArray[np.generic]) -> Integers:
        """Return how many synapses each input has, ``(I, H, W)``: weights that are not 0."""
        each = np.count_nonzero(weight.reshape(self.groups, -1, *weight.shape[1:]), axis=1).reshape(
            -1, *self.kernel
        )  # (I, kh, kw)
        found = np.zeros(self.in_shape, np.int64)
        for tap in self.taps():
            found[:, tap.inputs[0], tap.inputs[1]] += each[:, tap.at[0], tap.at[1], None, None]
        return found

    def synapses(self, weight: Integers) -> tuple[Integers, Integers, Integers]:
        """Return every synapse: inputs, outputs, weights, sorted by input, then by output.

        Inputs and outputs are flattened; a weight of 0 is no synapse.
        """
        inputs = np.arange(np.prod(self.in_shape)).reshape(self.in_shape)
        outputs = np.arange(np.prod(self.out_shape)).reshape(self.out_shape)
        own, each = weight.shape[1], self.filters // self.groups
        found: list[tuple[Integers, Integers, Integers]] = []
        for tap in self.taps():
            for o, i in np.argwhere(weight[:, :, tap.at[0], tap.at[1]]).tolist():
                here = inputs[o // each * own + i][tap.inputs].ravel()
                value = np.full(here.shape, weight[o, i, tap.at[0], tap.at[1]])
                found.append((here, outputs[o][tap.outputs].ravel(), value))
        if not found:
            none = np.zeros(0, np.int64)
            return none, none, none
        sources, targets, values = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((targets, sources))
        return sources[order], targets[order], values[order]


def whole_numbers(where: str, given: object, size: int, least: int) -> Integers:
    """Return so many whole numbers as a read-only array; raise `GraphError` for others."""
    array = np.asarray(given)
    expected = f"{size} whole numbers from {least} on"
    if array.dtype.kind not in "iu" or array.shape != (size,):
        raise GraphError(where, expected=expected, got=shown(given))
    if array.min() < least or array.max() >= 2**31:
        raise GraphError(where, expected=expected, got=shown(array.tolist()))
    copy = array.astype(np.int64)
    copy.setflags(write=False)
    return copy
