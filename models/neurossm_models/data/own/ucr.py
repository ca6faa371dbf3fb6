"""The UCR archive's ``.tsv``: a sequence a line, its class first; nan at the end is padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.own.ragged import numbers_of, padded, text_lines, without_end
from neurossm_models.data.own.source import WHOLE, OwnSource, Part


def read(path: Path) -> OwnSource:
    """Return the source of a ``.tsv`` file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        For a cell that is no number, with line and column.
    """
    labels, sequences = [], []
    for number, line in text_lines(path, "the UCR archive's .tsv"):
        if not line.strip():
            continue
        label, *cells = line.split("\t")
        if not cells:
            raise FormatError(f"{path}: line {number}", expected="a class, a tab, and values",
                              got=repr(line[:40]))  # fmt: skip
        labels.append(label.strip())
        values = numbers_of(f"{path}: line {number}", cells, 2)
        sequences.append(without_end(values)[:, None])
    inputs, lengths = padded(str(path), sequences)
    part = Part(inputs.astype(np.float64), np.array(labels, dtype=str), lengths)
    return OwnSource(path.name, str(path), {WHOLE: part}, provenance=str(path))
