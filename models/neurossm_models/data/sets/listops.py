"""ListOps of the Long Range Arena: nested operators on digits, 10 classes, at most 2048 steps.

As in state-spaces/s4: ``]`` becomes ``X``, round brackets are dropped, tokens are what stands
between blanks, numbered by frequency on the training part; ``<eos>`` follows; 18 tokens in all.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.copies import lines, sized
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.source import THREE_SPLITS, Copied
from neurossm_models.data.task import Task
from neurossm_models.data.tokens import END, UNKNOWN, padded, small_type, vocabulary

STEPS = 2048
CLASSES = 10
PUBLISHED = {"train": 96_000, "valid": 2_000, "test": 2_000}
FOLDERS = (
    "listops-1000",
    "lra_release/listops-1000",
    "lra_release/lra_release/listops-1000",
    "listops",
)
_FILES = {"train": "basic_train.tsv", "valid": "basic_val.tsv", "test": "basic_test.tsv"}
_LONGEST_LINE = 100_000
_RENAMED = str.maketrans({"]": "X", "(": None, ")": None})
_REMEDY = "unpack lra_release.gz of the Long Range Arena there"

Rows = list[tuple[list[str], int]]


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"``, ``"valid"`` or ``"test"``; `limit`: the first so many only.

    Raises
    ------
    FormatError
        If a file is damaged.
    """
    counts: Counter[str] = Counter()
    for tokens, _ in (train := _read(folder / _FILES["train"])):
        counts.update(tokens)
    rows = train if split == "train" else _read(folder / _FILES[split])
    numbers = vocabulary(counts)
    kept, kind = rows[:limit], small_type(len(numbers))
    encoded = [np.array([*(numbers.get(t, UNKNOWN) for t in row), END], kind) for row, _ in kept]
    inputs, lengths = padded(encoded, STEPS)
    labels = np.array([label for _, label in kept], np.int64)
    provenance = sized("ListOps (Long Range Arena)", len(rows), PUBLISHED[split])
    return Dataset(
        "listops", split, inputs[..., None], 1.0, labels, provenance, len(numbers), lengths,
        token_names=tuple(numbers),
    )  # fmt: skip


def _read(path: Path) -> Rows:
    rows: Rows = []
    for number, line in lines(path, _LONGEST_LINE):
        if number == 1:
            if line.split("\t") != ["Source", "Target"]:
                raise FormatError(str(path), expected="the header Source, Target", got=line[:60])
            continue
        source, tab, target = line.rpartition("\t")
        if not tab or target not in "0123456789" or len(target) != 1:
            expected = "an expression, a tab and a digit"
            raise FormatError(f"{path} line {number}", expected=expected, got=repr(line[-20:]))
        rows.append((source.translate(_RENAMED).split()[: STEPS - 1], int(target)))
    if not rows:
        raise FormatError(str(path), expected="expressions", got="none")
    return rows


SOURCE = Copied(
    name="listops",
    about="nested operators on digits, at most 2048 steps, 10 classes (LRA ListOps)",
    size="96000 train, 2000 valid, 2000 test",
    training=96000,
    provenance="Long Range Arena release",
    license="Apache-2.0 (the repository of Long Range Arena)",
    splits=THREE_SPLITS,
    task=Task(STEPS, 1.0, CLASSES, vocabulary=18),
    copies=((FOLDERS, tuple(_FILES.values())),),
    remedy=_REMEDY,
    read=read,
)
