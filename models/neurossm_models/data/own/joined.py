"""All parts of a source concatenated into one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm_models.data.own.source import OwnSource, Part
from neurossm_models.data.rows import Index, Rows, positions_of


class Joined(Rows):
    """Samples of several parts one behind the other, padded with 0 to the longest."""

    def __init__(self, every: list[NDArray[Any] | Rows]) -> None:
        self._every = every
        self._edges = np.cumsum([0, *(rows.shape[0] for rows in every)])
        self._steps = max(rows.shape[1] for rows in every)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        return int(self._edges[-1]), self._steps, int(self._every[0].shape[2])

    def __getitem__(self, index: Index) -> NDArray[Any]:
        positions = positions_of(index, len(self))
        dtype = np.result_type(*(rows[:1].dtype for rows in self._every))
        found = np.zeros((len(positions), *self.shape[1:]), dtype)
        for rows, first, last in zip(self._every, self._edges, self._edges[1:], strict=False):
            mine = (positions >= first) & (positions < last)
            if np.any(mine):
                found[mine, : rows.shape[1]] = rows[positions[mine] - first]
        return found


def joined(source: OwnSource) -> Part:
    """Return all samples of a source; a part alone is itself.

    Raises
    ------
    InputError
        If labels of the parts have unlike shapes.
    """
    parts = list(source.parts.values())
    if len(parts) == 1:
        return parts[0]
    steps = max(part.inputs.shape[1] for part in parts)
    unlike = any(part.inputs.shape[1] != steps for part in parts)
    lengths = None
    if unlike or any(part.lengths is not None for part in parts):
        lengths = np.concatenate([_lengths(part) for part in parts])
    labels = None
    if all(part.labels is not None for part in parts):
        every = [np.asarray(part.labels) for part in parts]
        if len({found.shape[1:] for found in every}) > 1:
            got = " and ".join(str(found.shape) for found in every)
            raise InputError(f"{source.where}: labels of all parts", expected="one shape", got=got)
        labels = np.concatenate(every)
    groups = None
    if all(part.groups is not None for part in parts):
        groups = np.concatenate([np.asarray(part.groups) for part in parts])
    return Part(Joined([part.inputs for part in parts]), labels, lengths, groups)


def _lengths(part: Part) -> NDArray[np.int64]:
    if part.lengths is not None:
        return np.asarray(part.lengths, np.int64)
    return np.full(len(part), part.inputs.shape[1], np.int64)
