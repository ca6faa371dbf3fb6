"""Weka's ``.arff`` as the UCR and UEA archives use it, through SciPy's reader.

A sequence a line, its class last; several channels are one relational attribute whose lines are the
channels. Missing values (``?``) at the end are padding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.extras import MissingExtra
from neurossm_models.data.own.ragged import padded, without_end
from neurossm_models.data.own.source import WHOLE, OwnSource, Part, require_file


def read(path: Path) -> OwnSource:
    """Return the source of an ``.arff`` file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is none of these.
    MissingExtra
        Without SciPy.
    """
    try:
        from scipy.io import arff
    except ImportError:
        raise MissingExtra("extra 'data'", expected="the package scipy", got="none",
                           remedy="pip install 'neurossm[data]'") from None  # fmt: skip
    require_file(path, "an .arff file")
    try:
        with path.open(encoding="utf-8") as file:
            rows, meta = arff.loadarff(file)
    except (arff.ArffError, ValueError, StopIteration, OSError, IndexError, KeyError) as error:
        ended = isinstance(error, StopIteration)  # SciPy's way to say that no line is left
        got = "no line @data" if ended else str(error) or type(error).__name__
        raise FormatError(str(path), expected="an .arff file", got=got) from None
    names, types = meta.names(), meta.types()
    if not names or not len(rows):
        raise FormatError(str(path), expected="attributes and data", got="none")
    answer = names[-1] if types[-1] == "nominal" else ""
    values = names[:-1] if answer else names
    kinds = [kind for name, kind in zip(names, types, strict=True) if name in values]
    if kinds == ["relational"]:
        sequences = [_channels(row[values[0]]) for row in rows]
    elif kinds and set(kinds) == {"numeric"}:
        sequences = [without_end(np.array([row[name] for name in values]))[:, None] for row in rows]
    else:
        expected = "numeric attributes, or one that is relational, then the class as nominal"
        raise FormatError(str(path), expected=expected, got=", ".join(sorted(set(types))))
    inputs, lengths = padded(str(path), sequences)
    labels = np.array([row[answer].decode() for row in rows]) if answer else None
    classes = tuple(meta[answer][1]) if answer else ()
    part = Part(inputs, labels, lengths)
    return OwnSource(path.name, str(path), {WHOLE: part}, provenance=str(path),
                     class_names=classes)  # fmt: skip


def _channels(table: Any) -> NDArray[np.float64]:
    """Return a relational value, a line a channel, as ``(L, F)``."""
    columns = [np.asarray(table[name], np.float64) for name in table.dtype.names]
    return without_end(np.stack(columns))
