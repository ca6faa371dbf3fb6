"""The 8x8 digits of scikit-learn as sequences: 64 steps of one value 0..16. Needs no download."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from neurossm.extras import explained
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.source import Root, Source
from neurossm_models.data.task import Task

TRAIN = 1437
SPLIT_SEED = 0


class Digits(Source):
    """Digits that a package brings along: in no folder."""

    def find(self, root: Root = None) -> str | None:
        """Return the package, or None."""
        return "scikit-learn" if find_spec("sklearn") else None

    def load(self, split: str, root: Root = None, limit: int | None = None) -> Dataset:
        """Return ``"train"`` (1437) or ``"test"`` (360), split by one fixed permutation.

        Raises
        ------
        TargetError
            If scikit-learn is not installed.
        """
        with explained():
            from sklearn.datasets import load_digits
        digits = load_digits()
        order = np.random.default_rng(SPLIT_SEED).permutation(len(digits.target))
        chosen = order[:TRAIN] if split == "train" else order[TRAIN:]
        inputs = digits.data[chosen].astype(np.uint8)[..., None]
        provenance = "UCI optical digits as shipped with scikit-learn, fixed split 1437/360"
        labels = digits.target[chosen].astype(np.int64)
        return Dataset("digits", split, inputs, 1 / 16, labels, provenance)


SOURCE = Digits(
    name="digits",
    about="8x8 digits as 64 steps, 10 classes",
    size="1437 train, 360 test",
    training=1437,
    provenance="UCI optical digits as shipped with scikit-learn",
    license="BSD (scikit-learn); data of the UCI repository",
    task=Task(64, 1 / 16, 10),
    valid=144,
)
