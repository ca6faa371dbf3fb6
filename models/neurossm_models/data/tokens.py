"""Texts as tokens: a vocabulary counted on the training part, and rows padded to one length.

Numbering follows torchtext's ``build_vocab_from_iterator``, which state-spaces/s4 uses: specials
first, then by falling frequency, equal ones in the order of their characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAD, UNKNOWN, END = 0, 1, 2
SPECIALS = ("<pad>", "<unk>", "<eos>")
_CODE_POINTS = 0x110000


def vocabulary(counts: Counter[str], least: int = 1) -> dict[str, int]:
    """Return the number of each token that was seen `least` times, after the specials."""
    # a text may hold a special token itself, as WikiText does: it is that token
    kept = (t for t in counts if counts[t] >= least and t not in SPECIALS)
    seen = sorted(kept, key=lambda t: (-counts[t], t))
    return {token: number for number, token in enumerate([*SPECIALS, *seen])}


class CharacterEncoder:
    """Texts to numbers, a character (code point) each; the end is marked with ``<eos>``.

    Parameters
    ----------
    numbers
        Number of each character; what is not in it is ``<unk>``.
    longest
        Numbers of a text at most, the end included; what is beyond is cut off.
    """

    def __init__(self, numbers: dict[str, int], longest: int) -> None:
        self.size, self.longest = len(numbers), longest
        self._table = np.full(_CODE_POINTS, UNKNOWN, small_type(self.size))
        for token, number in numbers.items():
            if token not in SPECIALS:
                self._table[ord(token)] = number

    def __call__(self, text: str) -> NDArray[np.integer[Any]]:
        """Return the numbers of a text."""
        codes = np.frombuffer(text[: self.longest - 1].encode("utf-32-le"), np.uint32)
        return np.append(self._table[codes], self._table.dtype.type(END))


def small_type(size: int) -> np.dtype[Any]:
    """Return the type that tokens of a vocabulary are kept in: uint8 if they fit, else int32."""
    return np.dtype(np.uint8 if size <= 256 else np.int32)


def padded(
    rows: Sequence[NDArray[np.integer[Any]]], longest: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
    """Return rows of tokens as one array (n, longest), `PAD` behind each, and their lengths."""
    inputs = np.full((len(rows), longest), PAD, rows[0].dtype)
    for row, tokens in zip(inputs, rows, strict=True):
        row[: len(tokens)] = tokens
    return inputs, np.array([len(row) for row in rows], np.int64)


def count_characters(texts: Iterable[str], longest: int) -> Counter[str]:
    """Return how often each character occurs in what `CharacterEncoder` keeps of the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text[: longest - 1])
    return counts
