"""WikiText-103 for language modeling: words, segments of 8192 steps, the next word as the label.

As in Transformer-XL and state-spaces/s4: words are what stands between blanks, case kept, ``<eos>``
after every line; ``<eos>`` is number 0, the words of the training part follow by frequency (267,735
in all). The stream of a part is cut into segments one after another; the last one is padded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import lines, sized
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import NEXT_STEP, NOTHING
from neurossm_models.data.source import THREE_SPLITS, Copied
from neurossm_models.data.task import Task

STEPS = 8192
VOCABULARY = 267_735
PUBLISHED = {"train": 103_227_021, "valid": 217_646, "test": 245_569}
FOLDERS = ("wikitext-103", "wt103", "wikitext-103-v1")
_NAMINGS = ("wiki.{}.tokens", "{}.txt")
_LONGEST_LINE = 10_000_000
_REMEDY = "put wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens there"


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"``, ``"valid"`` or ``"test"``; `limit`: the first so many segments only.

    The training file is read in any case: its words are the vocabulary.

    Raises
    ------
    FormatError
        If a file is damaged, or has a word that the training part has not.
    """
    naming = next(n for n in _NAMINGS if all((folder / f).exists() for f in _files(n)))
    counts: Counter[str] = Counter()
    for words in _sentences(folder / naming.format("train")):
        counts.update(words)
    # `most_common` keeps equal counts in the order they were met, as Transformer-XL does.
    numbers = {"<eos>": 0}
    for word, _ in counts.most_common():
        numbers.setdefault(word, len(numbers))
    stream = _stream(folder / naming.format(split), numbers)
    provenance = sized("WikiText-103 tokens", len(stream), PUBLISHED[split])
    inputs, labels, lengths = segments(stream, STEPS)
    return Dataset(
        "wikitext103", split, inputs[:limit, :, None], 1.0, labels[:limit], provenance,
        len(numbers), lengths[:limit], kind=NEXT_STEP, consecutive=True,
        token_names=tuple(numbers),
    )  # fmt: skip


def segments(
    stream: NDArray[np.int32], steps: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return inputs and labels (n, steps) and lengths (n,) of a stream of tokens.

    The label of a token is the one after it; the last token of the stream has none.
    """
    count = len(stream) - 1
    rows = -(-count // steps)
    inputs, labels = np.zeros(rows * steps, np.int32), np.full(rows * steps, NOTHING, np.int32)
    inputs[:count], labels[:count] = stream[:-1], stream[1:]
    lengths = np.full(rows, steps, np.int64)
    lengths[-1] = count - (rows - 1) * steps
    return inputs.reshape(rows, steps), labels.reshape(rows, steps), lengths


def _files(naming: str) -> tuple[str, ...]:
    return tuple(naming.format(split) for split in PUBLISHED)


def _sentences(path: Path) -> Iterator[list[str]]:
    for _, line in lines(path, _LONGEST_LINE):
        yield line.split()


def _stream(path: Path, numbers: dict[str, int]) -> NDArray[np.int32]:
    parts = []
    for line, words in enumerate(_sentences(path), 1):
        try:
            parts.append(np.array([*(numbers[word] for word in words), 0], np.int32))
        except KeyError as error:
            got = f"{error.args[0]!r}"[:60]
            where = f"{path} line {line}"
            raise FormatError(where, expected="words of the training part", got=got) from None
    stream = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    if len(stream) < 2:
        raise FormatError(str(path), expected="at least 2 tokens", got=f"{len(stream)}")
    return stream


SOURCE = Copied(
    name="wikitext103",
    about="words in segments of 8192 steps, 267735 classes at every step",
    size="103227021 train, 217646 valid, 245569 test tokens",
    training=-(-(PUBLISHED["train"] - 1) // STEPS),
    provenance="WikiText-103, Merity et al.",
    license="often cited as CC BY-SA 3.0 (Wikipedia)",
    splits=THREE_SPLITS,
    task=Task(STEPS, 1.0, VOCABULARY, VOCABULARY, readout="every-step", bits=19, kind=NEXT_STEP),
    copies=tuple((FOLDERS, _files(naming)) for naming in _NAMINGS),
    remedy=_REMEDY,
    read=read,
)
