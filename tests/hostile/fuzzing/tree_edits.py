"""Edits of what a `.nssm` file says, written with the hash that belongs to it.

Damage to the file itself nearly always ends at the hash. These files pass it, so that what checks
the contents is reached: types, references, ranges, the graph and its golden vectors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hostile.fuzzing.bytewise import Seeds

from neurossm.errors import NeurossmError
from neurossm.nodes import NODE_TYPES
from neurossm.store.opening import open_root
from neurossm.store.read import TreeReader
from neurossm.store.tree import smallest_integers
from neurossm.store.write import write_tree

Tree = dict[str, Any]
INTEGERS = (0, 1, -1, 2, 3, 7, 8, 15, 16, 24, 31, 32, 33, 63, 64, 65, 127, 255, 4095, 4096, 2**15,
            2**24, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63))  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-320, 1e-9, 1e9, 1e300, 1.7976931348623157e308)
TEXTS = ("", "x", "graded", "binary", "ternary", "zoh", "bilinear", "hard", "soft", "none", "relu",
         "sigmoid", "neurossm.trace", "\x1b[2J", "é", "x" * 4000)  # fmt: skip


def tree(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a `.nssm` file with one to four edits of its contents, its hash correct."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree.nssm"
        path.write_bytes(content)
        with open_root(path) as root:
            found = TreeReader(path).tree(root, "/neurossm")
        del found["sha256"]
        for _ in range(rng.choice((1, 1, 2, 4))):
            found = _edited(rng, found)
        try:
            write_tree(path, found)
        except NeurossmError:  # beyond the bounds of what can be written
            return content
        return path.read_bytes()


def _edited(rng: Random, value: Tree) -> Tree:
    """Return a tree with one edit somewhere inside; deeper parts are preferred."""
    if not value:
        return {"x": 1}
    name, changed = rng.choice(sorted(value)), dict(value)
    part, what = changed[name], rng.random()
    if isinstance(part, Mapping) and what < 0.85:
        changed[name] = _edited(rng, dict(part))
    elif what < 0.08:
        del changed[name]
    elif what < 0.12:
        changed[rng.choice((name + "x", "0", "é", "\x1b[2J"))] = changed.pop(name)
    elif what < 0.2:
        changed[name] = value[rng.choice(sorted(value))]
    elif what < 0.25:
        changed[name] = rng.choice((1, 1.0, "x", np.zeros(2), {}))
    else:
        changed[name] = _other(rng, name, part)
    return changed


def _other(rng: Random, name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _other_array(rng, value)
    if isinstance(value, int):
        return rng.choice((*INTEGERS, value + 1, value - 1))
    if isinstance(value, float):
        return rng.choice((*FLOATS, -value, value * 2))
    if isinstance(value, str):
        return rng.choice(sorted(NODE_TYPES) if name == "type" else TEXTS)
    return {}


def _other_array(rng: Random, array: np.ndarray) -> np.ndarray:
    changed = np.array(array)
    kind = rng.randrange(8)
    if kind == 0:
        changed = changed[..., None] if changed.ndim < 4 else changed
    elif kind == 1:
        changed = changed.reshape(-1)
    elif kind == 2:
        changed = changed[: rng.randrange(len(changed) + 1)] if changed.ndim else changed
    elif kind == 3:
        changed = np.concatenate([changed, changed]) if changed.ndim else changed
    elif kind == 4:
        changed = changed.T.copy()
    elif changed.dtype.kind == "i":
        changed = changed.astype(np.int64)
        _put(rng, changed, INTEGERS)
    else:
        _put(rng, changed, FLOATS)
    return smallest_integers(changed) if changed.dtype.kind == "i" else changed


def _put(rng: Random, array: np.ndarray, values: tuple[Any, ...]) -> None:
    flat = array.reshape(-1)
    for _ in range(rng.choice((1, 1, 4)) if flat.size else 0):
        flat[rng.randrange(flat.size)] = rng.choice(values)
    if rng.random() < 0.1:
        flat[:] = rng.choice(values)
