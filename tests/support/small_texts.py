"""A small generated text in the layout of WikiText-103, and a recipe's changes to go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurossm_models.data.sets import wikitext

WORDS, STEPS = 30, 64  # words beside <eos>; steps of a segment
CUTOFFS = (8, 20)
CHANGES = [f"model.vocabulary={WORDS + 1}", f"model.classes={WORDS + 1}",
           f"model.cutoffs={list(CUTOFFS)}", "model.width=32", "model.state=8", "data.limit=0",
           "train.threads=1", "train.ssm=fft", "train.neuron=loop"]  # fmt: skip
TEST_LINES, A_LINE = 20, 9


def text(rng: np.random.Generator, lines: int) -> str:
    """Return lines of words of which each says the next one, but for one in ten."""
    said, word = [], 0
    for _ in range(lines):
        words = []
        for _ in range(A_LINE):
            word = int(rng.integers(WORDS)) if rng.random() < 0.1 else (3 * word + 1) % WORDS
            words.append(f"w{word}")
        said.append(" ".join(words))
    return "\n".join(said) + "\n"


def in_place(folder: Path) -> Iterator[Path]:
    """Write it to a folder where data are looked for, and yield that; a fixture yields from it."""
    rng = np.random.default_rng(0)
    (folder / "wikitext-103").mkdir()
    for part, lines in (("train", 250), ("valid", 31), ("test", TEST_LINES)):
        (folder / "wikitext-103" / f"wiki.{part}.tokens").write_text(text(rng, lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wikitext, "STEPS", STEPS)
        patch.setenv("NEUROSSM_DATA", str(folder))
        yield folder
