"""From what names data of one's own to its source: which reader reads what."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own import folder
from neurossm_models.data.own.source import OwnSource
from neurossm_models.data.own.spec import PYTHON, SUFFIXES, TONIC, Spec, parse_own

# modules are imported when a file of their format is read
_READERS = {
    ".npz": "npz",
    ".npy": "npy",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".csv": "tables",
    ".tsv": "ucr",
    ".ts": "ts",
    ".arff": "arff",
    ".txt": "text",
}

Named = str | os.PathLike[str] | OwnSource


def opened(spec: Named, root: str | Path | None = None) -> tuple[OwnSource, Spec]:
    """Return the source of data of one's own, and which part of it is asked for.

    Parameters
    ----------
    spec
        What `is_own`, or a source.
    root
        Data root, where packages keep their data sets.

    Raises
    ------
    InputError
        If there is no such file or folder, or none reads it.
    FormatError
        If it is damaged.
    """
    if isinstance(spec, OwnSource):
        return spec, Spec(spec.name, "", spec.where)
    parsed = parse_own(spec)
    try:
        return _source(parsed, root), parsed
    except OSError as error:
        got = error.strerror or type(error).__name__
        where = str(error.filename or parsed.source)
        raise FormatError(where, expected="something that can be read", got=got) from None


def _source(spec: Spec, root: str | Path | None) -> OwnSource:
    found: OwnSource
    if spec.scheme == PYTHON:
        found = import_module("neurossm_models.data.own.function").read(spec.source)
        return found
    if spec.scheme == TONIC:
        found = import_module("neurossm_models.data.own.tonic").read(spec.source, root)
        return found
    path = Path(spec.source).expanduser()
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return _reader(path.suffix.lower())(path)
    if path.is_dir():
        return folder.read(path, _reader)
    pair = folder.read_pair(path, _reader)
    if pair is not None:
        return pair
    expected = f"a file that ends in {', '.join(SUFFIXES)}, or a folder"
    got = "no such file or folder" if not path.exists() else f"{path.suffix or 'no ending'}"
    raise InputError(f"data {spec.text!r}", expected=expected, got=got)


def _reader(suffix: str) -> Callable[[Path], OwnSource]:
    module = import_module(f"neurossm_models.data.own.{_READERS[suffix]}")
    read: Callable[[Path], OwnSource] = module.read
    return read
