"""Pairs of papers of the ACL Anthology Network, one citing the other or not: LRA's task Retrieval.

As in state-spaces/s4: Unicode characters, the first 3999 and ``<eos>`` of each document, numbered
by frequency on the training part (98 tokens). The files of the release: tab-separated, no header,
no quoting, ``label id1 id2 text1 text2``, the label as ``0.0`` or ``1.0``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.copies import lines
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.source import RESEARCH, THREE_SPLITS, Copied
from neurossm_models.data.task import Task
from neurossm_models.data.tokens import CharacterEncoder, padded, vocabulary

STEPS = 4000
PUBLISHED_TRAIN = 147_086
FOLDERS = ("tsv_data", "lra_release/tsv_data", "lra_release/lra_release/tsv_data", "aan")
_FILES = {split: f"new_aan_pairs.{part}.tsv" for split, part in
          (("train", "train"), ("valid", "eval"), ("test", "test"))}  # fmt: skip
_LABELS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
_LONGEST_LINE = 20_000_000
_REMEDY = "unpack lra_release.gz of the Long Range Arena there"


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"``, ``"valid"`` or ``"test"``; `limit`: the first so many pairs only.

    The training file is read in any case: its characters are the vocabulary.

    Raises
    ------
    FormatError
        If a file is damaged.
    """
    counts: Counter[str] = Counter()
    train = 0
    for _, *texts in _read(folder / _FILES["train"]):
        train += 1
        for text in texts:
            counts.update(text)
    numbers = vocabulary(counts)
    encode = CharacterEncoder(numbers, STEPS)
    labels, rows = [], []
    for label, one, two in itertools.islice(_read(folder / _FILES[split]), limit):
        labels.append(label)
        rows += [encode(one), encode(two)]
    flat, lengths = padded(rows, STEPS)
    inputs = flat.reshape(-1, 2, STEPS).swapaxes(1, 2)
    verdict = "as published" if train == PUBLISHED_TRAIN else f"published: {PUBLISHED_TRAIN}"
    provenance = f"AAN pairs (Long Range Arena), the user's copy, {train} to train on ({verdict})"
    answers = np.array(labels, np.int64)
    both = lengths.reshape(-1, 2)
    return Dataset("aan", split, inputs, 1.0, answers, provenance, encode.size, both,
                   token_names=tuple(numbers))  # fmt: skip


def _read(path: Path) -> Iterator[tuple[int, str, str]]:
    number = 0
    for number, line in lines(path, _LONGEST_LINE):
        fields = line.split("\t")
        if len(fields) != 5 or fields[0] not in _LABELS:
            got = f"{len(fields)} fields, the first {fields[0][:20]!r}"
            expected = "label (0.0 or 1.0), id1, id2, text1, text2"
            raise FormatError(f"{path} line {number}", expected=expected, got=got)
        yield _LABELS[fields[0]], fields[3][: STEPS - 1], fields[4][: STEPS - 1]
    if not number:
        raise FormatError(str(path), expected="pairs", got="none")


SOURCE = Copied(
    name="aan",
    about="pairs of papers as characters, at most 4000 steps, 2 classes (LRA Retrieval)",
    size="147086 train",
    training=147086,
    provenance="ACL Anthology Network, Long Range Arena release",
    license=RESEARCH,
    splits=THREE_SPLITS,
    task=Task(STEPS, 1.0, 2, vocabulary=98, readout="pair"),
    copies=((FOLDERS, tuple(_FILES.values())),),
    remedy=_REMEDY,
    read=read,
)
