"""The synapses of a `Conv2d`, each by itself, by FORMAT.md alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm_chip.nssm import Node


def out_size(node: Node) -> tuple[int, int]:
    """Return height and width of what a convolution sends."""
    found = []
    for axis in (0, 1):
        size = int(node.fields["in_shape"][1 + axis]) + 2 * int(node.fields["padding"][axis])
        reach = int(node.fields["dilation"][axis]) * (node.values("weight").shape[2 + axis] - 1)
        found.append((size - reach - 1) // int(node.fields["stride"][axis]) + 1)
    return found[0], found[1]


def synapses(node: Node) -> Any:
    """Return the weights ``(out, in)`` as a sparse matrix: at borders there are fewer."""
    from scipy.sparse import csr_matrix

    weight, groups = node.values("weight"), int(node.fields["groups"])
    filters, own, height, width = weight.shape
    channels, rows, columns = (int(size) for size in node.fields["in_shape"])
    (out_rows, out_columns), (sy, sx) = out_size(node), node.fields["stride"]
    (py, px), (dy, dx) = node.fields["padding"], node.fields["dilation"]
    # one axis each: filter, its position, channel of its group, element of the kernel
    o, y, x, i, k, m = np.ix_(*(np.arange(size, dtype=np.int64) for size in (
        filters, out_rows, out_columns, own, height, width)))  # fmt: skip
    row, column = y * int(sy) - int(py) + k * int(dy), x * int(sx) - int(px) + m * int(dx)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    value = weight[o, i, k, m]
    there = inside & (value != 0)
    target = (o * out_rows + y) * out_columns + x
    source = ((o // (filters // groups) * own + i) * rows + row) * columns + column
    target, source, value = (
        np.broadcast_to(array, there.shape)[there] for array in (target, source, value)
    )
    shape = (filters * out_rows * out_columns, channels * rows * columns)
    return csr_matrix((value, (target, source)), shape=shape)
