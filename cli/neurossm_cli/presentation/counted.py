"""Counts with their nouns: one sample, 2 samples."""

from __future__ import annotations


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun: ``1 sample``, ``1,024 samples``.

    Parameters
    ----------
    count
        How many.
    noun
        What one is called.
    several
        What several are called; empty: the noun with an s.
    """
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"
