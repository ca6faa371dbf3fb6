"""Data of one's own, a kind of task each, whose answers are a formula of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

STEPS = 12


def classification(rng, n):
    """Three levels, two channels far apart in range; some sequences end early."""
    labels = rng.integers(0, 3, n)
    x = (labels[:, None, None] - 1.0) * np.array([1.0, 200.0]) + np.array([0.0, 1000.0])
    x = x + rng.normal(size=(n, STEPS, 2)) * np.array([0.2, 40.0])
    lengths = rng.integers(5, STEPS + 1, n)
    x[np.arange(STEPS) >= lengths[:, None]] = 0
    return {"inputs": x, "labels": np.array(["low", "mid", "top"])[labels], "lengths": lengths}


def multilabel(rng, n):
    """Label j is whether channel j is above 0."""
    labels = rng.integers(0, 2, (n, 2))
    x = (2 * labels[:, None] - 1) + 0.3 * rng.normal(size=(n, STEPS, 2))
    return {"inputs": x, "labels": labels}


def regression(rng, n):
    """Twice the mean over the own length, plus 50."""
    x = rng.normal(size=(n, 1, 1)) + 0.1 * rng.normal(size=(n, STEPS, 1))
    lengths = rng.integers(4, STEPS + 1, n)
    inside = np.arange(STEPS) < lengths[:, None]
    x = x * inside[:, :, None]
    return {"inputs": x, "labels": 50 + 2 * x.sum(1) / lengths[:, None], "lengths": lengths}


def step_classification(rng, n):
    """The sign of what comes in at the step."""
    signs = rng.choice([-1, 1], (n, STEPS))
    x = signs * rng.uniform(0.5, 1.5, (n, STEPS))
    lengths = rng.integers(4, STEPS + 1, n)
    return {"inputs": x[:, :, None], "labels": (signs > 0).astype(np.int64), "lengths": lengths}


def step_regression(rng, n):
    """Three times what comes in at the step, less 7; now and then nobody knows."""
    x = rng.normal(size=(n, STEPS, 1))
    labels = 3 * x - 7
    labels[rng.random((n, STEPS)) < 0.1] = np.nan
    return {"inputs": x, "labels": labels}


def next_token(rng, n):
    """Round and round: 0, 1, 2, 3, 0, ... from anywhere."""
    x = (rng.integers(0, 4, (n, 1)) + np.arange(STEPS)) % 4
    return {"inputs": x[:, :, None], "vocabulary": 4}


def next_value(rng, n):
    """Back and forth: each value is the one before, turned around."""
    x = rng.uniform(1, 3, (n, 1)) * (-1.0) ** np.arange(STEPS)
    return {"inputs": x[:, :, None]}


KINDS: dict[str, Callable] = {
    "classification": classification,
    "multilabel": multilabel,
    "regression": regression,
    "step-classification": step_classification,
    "step-regression": step_regression,
    "next-step": next_token,
}
SMALL = (
    "model.width=16", "model.state=4", "model.layers=1", "model.dropout=0.0", "train.batch=16",
    "train.warmup=0.1",
)  # fmt: skip


def write(path: Path, kind: str, n: int = 160, seed: int = 0, make: Callable | None = None) -> str:
    """Write a set as .npz; return its path."""
    arrays = (make or KINDS[kind])(np.random.default_rng(seed), n)
    np.savez(path, **arrays)
    return str(path)
