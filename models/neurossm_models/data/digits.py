"""The 8x8 digits of scikit-learn as sequences: 64 steps of one value 0..16. Needs no download."""

from __future__ import annotations

import numpy as np

from neurossm.extras import explained
from neurossm_models.data.dataset import Dataset

TRAIN = 1437
SPLIT_SEED = 0


def load(split: str) -> Dataset:
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
