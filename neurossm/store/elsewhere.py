"""Remedies for a file of another kind, as far as its name and its groups tell."""

from __future__ import annotations

import shlex
from collections.abc import Container
from pathlib import Path

FOREIGN = ("layer", "node")  # groups at the top of files of netx and of NIR
WEIGHTS = (".pt", ".pth", ".ckpt")
DATA = (".npz", ".npy", ".csv", ".tsv", ".ts", ".arff", ".wav")
ARRAYS = ("inputs", "train", "train_inputs", "test_inputs")  # names in HDF5 data of one's own


def remedy_for(path: Path, groups: Container[str] = ()) -> str:
    """Return the command that takes such a file, empty where none is known.

    Parameters
    ----------
    path
        A file, or a folder.
    groups
        Names at the top of an HDF5 file.
    """
    name, kind = shlex.quote(str(path)), path.suffix.lower()
    if "neurossm" in groups:
        return f"'neurossm show {name}' shows it: it runs, or can be quantized, as it is"
    if any(group in groups for group in FOREIGN):
        return f"'neurossm import {name} -o NEW' makes a graph of it"
    if (path / "recipe.toml").is_file():
        return f"'neurossm export {name} -o NEW' makes a graph of the run"
    if kind == ".py":
        return f"'neurossm export {name}:FUNCTION --data DATA -o NEW' makes a graph of a module"
    if kind in WEIGHTS:
        return (
            f"'neurossm import {name} --data DATA -o NEW' reads a checkpoint of state-spaces/s4,"
            f" 'neurossm export FILE.py:FUNCTION --weights {name} --data DATA -o NEW' one of your"
            " own module"
        )
    if kind == ".toml":
        return f"'neurossm train {name}' trains by a recipe"
    if kind in DATA or any(array in groups for array in ARRAYS):
        return f"'neurossm data show {name}' says what data are taken for"
    return ""
