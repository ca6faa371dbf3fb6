"""Matrices of which a file keeps the numbers that are not 0, row by row (FORMAT.md, "Values")."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError
from neurossm.fixed import Quantized
from neurossm.nodes import Array
from neurossm.store.entries import Entries
from neurossm.store.tree import MAX_ARRAY_BYTES, MAX_TOTAL_BYTES, Value, size_in_memory

STARTS = "starts"  # what tells such a group from one of a whole array


def encode_sparse(matrix: Array) -> dict[str, Value]:
    """Return a matrix ``(R, W)`` as its numbers that are not 0, in compressed sparse rows.

    The smallest types of integers are left to `neurossm.store.encode`.

    Raises
    ------
    GraphError
        If all numbers together, zeros too, are more than an array may have.
    """
    whole = matrix.values if isinstance(matrix, Quantized) else matrix
    if size_in_memory(whole.shape) > MAX_ARRAY_BYTES:
        expected, got = f"at most {MAX_ARRAY_BYTES} bytes", str(size_in_memory(whole.shape))
        raise GraphError("sparse weights, with their zeros", expected=expected, got=got)
    rows, columns = np.nonzero(whole)
    starts = np.searchsorted(rows, np.arange(len(whole) + 1))
    found = {"values": whole[rows, columns], "columns": columns, STARTS: starts}
    return {**found, "width": int(whole.shape[1])}


class Room:
    """Counts the memory of the matrices that a file unfolds, so that a small file stays small.

    `TreeReader` counts what is stored; a matrix without its zeros is larger in memory.
    """

    def __init__(self) -> None:
        self._bytes = 0

    def decode(self, entries: Entries) -> NDArray[Any]:
        """Return the matrix of a group with its zeros, the numbers as they are stored.

        Raises
        ------
        FormatError
            If the group is not as FORMAT.md says: one encoding for a matrix, and no other.
        """
        where = entries.where
        values = entries.take("values", np.ndarray)
        columns, starts = (_indices(entries, name) for name in ("columns", STARTS))
        rows, width = len(starts) - 1, entries.take("width", int)
        _require(rows >= 1 and width >= 1, where, "at least one row and column", f"{rows}, {width}")
        size = size_in_memory((rows, width))
        self._bytes += size
        _require(size <= MAX_ARRAY_BYTES, where, f"at most {MAX_ARRAY_BYTES} bytes", size)
        _require(self._bytes <= MAX_TOTAL_BYTES, where,
                 f"at most {MAX_TOTAL_BYTES} bytes in all", self._bytes)  # fmt: skip
        ends = starts[0] == 0 and starts[-1] == len(columns) == len(values) and values.ndim == 1
        _require(bool(ends), f"{where} {STARTS}", "0 to the number of values", str(starts[-1]))
        _require(bool(np.all(np.diff(starts) >= 0)), f"{where} {STARTS}", "rising", "falling")
        row = np.repeat(np.arange(rows), np.diff(starts))
        inside = np.all((columns >= 0) & (columns < width))
        _require(bool(inside), f"{where} columns", f"0 to {width - 1}", "another")
        in_order = np.all(np.diff(row * width + columns) > 0)
        _require(bool(in_order), f"{where} columns", "rising in each row", "another order")
        _require(bool(np.all(values != 0)), f"{where} values", "none that is 0", "0")
        whole: NDArray[Any] = np.zeros((rows, width), values.dtype)
        whole[row, columns] = values
        return whole


def _indices(entries: Entries, name: str) -> NDArray[np.int64]:
    array, where = entries.take(name, np.ndarray), f"{entries.where} {name}"
    _require(array.dtype.kind == "i" and array.ndim == 1, where, "integers on one axis",
             f"{array.dtype} of shape {array.shape}")  # fmt: skip
    return array.astype(np.int64)


def _require(holds: bool, where: str, expected: str, got: object) -> None:
    if not holds:
        raise FormatError(where, expected=expected, got=str(got))
