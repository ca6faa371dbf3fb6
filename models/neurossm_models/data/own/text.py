"""Texts as tokens: the bytes of UTF-8, so that no alphabet has to be learned.

A ``.txt`` file is cut into segments of `SEGMENT` bytes; the task is to say the next one. A folder
of texts by class (``CLASS/*.txt``) is one of sequences, the first `LONGEST` bytes of each file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.copies import unreadable
from neurossm_models.data.labels import NEXT_STEP
from neurossm_models.data.own.by_class import REMEDY, files_by_class, folders_of_parts
from neurossm_models.data.own.ragged import padded
from neurossm_models.data.own.source import WHOLE, OwnSource, Part, require_file

ENDING = ".txt"
SEGMENT = 512
LONGEST = 4096
TOKENS = 256
# bytes beyond ASCII are parts of characters
NAMES = tuple(chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in range(TOKENS))


def read(path: Path) -> OwnSource:
    """Return the source of a ``.txt`` file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it has less than two bytes, or cannot be read.
    """
    require_file(path, "a text")
    content = _bytes(path)
    if len(content) < 2:
        raise FormatError(str(path), expected="a text of at least 2 bytes", got=str(len(content)))
    pieces = [content[first : first + SEGMENT] for first in range(0, len(content), SEGMENT)]
    if len(pieces[-1]) < 2:
        pieces.pop()  # nothing is to be said of it
    inputs, lengths = padded(str(path), [piece[:, None] for piece in pieces])
    return OwnSource(path.name, str(path), {WHOLE: Part(inputs, None, lengths)},
                     vocabulary=TOKENS, provenance=str(path), task=NEXT_STEP,
                     token_names=NAMES)  # fmt: skip


def read_folder(folder: Path, name: str) -> OwnSource:
    """Return the source of a folder of folders of texts.

    Raises
    ------
    FormatError
        For an empty class or an empty text.
    """
    parts = {}
    for part, path in folders_of_parts(folder, ENDING).items():
        files, labels = files_by_class(path, ENDING)
        texts = [_bytes(file, LONGEST)[:, None] for file in files]
        empty = [file for file, text in zip(files, texts, strict=True) if not len(text)]
        if empty:
            raise FormatError(str(empty[0]), expected="a text", got="an empty file")
        inputs, lengths = padded(str(path), texts)
        parts[part] = Part(inputs, np.array(labels, dtype=str), lengths)
    return OwnSource(name, str(folder), parts, vocabulary=TOKENS, provenance=str(folder),
                     token_names=NAMES, remedy=REMEDY)  # fmt: skip


def _bytes(path: Path, most: int = -1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    try:
        with path.open("rb") as file:
            return np.frombuffer(file.read(most), np.uint8)
    except OSError as error:
        raise unreadable(path, error) from None
