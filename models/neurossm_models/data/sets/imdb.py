"""IMDB reviews as characters, LRA's task Text: 2 classes, at most 4096 steps.

As in state-spaces/s4: Unicode characters, the first 4095 and ``<eos>``; in the vocabulary is what
occurs at least 15 times in the (cut) training texts, about 135 tokens. LRA itself uses bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.copies import bounded_content, sized
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.source import RESEARCH, Copied
from neurossm_models.data.task import Task
from neurossm_models.data.tokens import CharacterEncoder, count_characters, padded, vocabulary

STEPS = 4096
LEAST_COUNT = 15
PUBLISHED = 25_000
FOLDERS = ("aclImdb", "imdb/aclImdb")
_PARTS = tuple(f"{split}/{kind}" for split in ("train", "test") for kind in ("neg", "pos"))
_LARGEST_REVIEW = 1_000_000
_REMEDY = "unpack aclImdb_v1.tar.gz there"


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"`` or ``"test"`` (25,000 each), negative reviews first; 1 is positive.

    `limit` keeps as many negative as positive ones, the first of each.

    Raises
    ------
    FormatError
        If a file is damaged.
    """
    paths = [_paths(folder / split / kind) for kind in ("neg", "pos")]
    found = sum(map(len, paths))
    if limit is not None:
        paths = [paths[0][: (limit + 1) // 2], paths[1][: limit // 2]]
    train = [path for kind in ("neg", "pos") for path in _paths(folder / "train" / kind)]
    numbers = vocabulary(count_characters(_texts(train), STEPS), LEAST_COUNT)
    encode = CharacterEncoder(numbers, STEPS)
    rows = [encode(text) for text in _texts([*paths[0], *paths[1]])]
    inputs, lengths = padded(rows, STEPS)
    labels = np.repeat(np.arange(2), [len(part) for part in paths])
    provenance = sized("IMDB reviews (Maas et al.)", found, PUBLISHED)
    return Dataset("imdb", split, inputs[..., None], 1.0, labels, provenance, len(numbers), lengths,
                   token_names=tuple(numbers))  # fmt: skip


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise FormatError(str(folder), expected="reviews, ID_RATING.txt", got="none")
    return paths


def _texts(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield bounded_content(path, _LARGEST_REVIEW).decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(str(path), expected="UTF-8 text", got=error.reason) from None


SOURCE = Copied(
    name="imdb",
    about="reviews as characters, at most 4096 steps, 2 classes (LRA Text)",
    size="25000 train, 25000 test",
    training=25000,
    provenance="Large Movie Review Dataset, Maas et al.",
    license=RESEARCH,
    task=Task(STEPS, 1.0, 2, vocabulary=135),
    copies=((FOLDERS, _PARTS),),
    remedy=_REMEDY,
    read=read,
)
