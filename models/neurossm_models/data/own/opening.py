"""From what names data of one's own to its source: which reader reads what."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from neurossm.errors import InputError
from neurossm_models.data.own.source import OwnSource
from neurossm_models.data.own.spec import PYTHON, SUFFIXES, TONIC, Spec, parse_own

# modules are imported when a file of their format is read
_READERS = {
    ".npz": "npz",
    ".npy": "npy",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
}

Named = str | os.PathLike[str] | OwnSource


def opened(spec: Named) -> tuple[OwnSource, Spec]:
    """Return the source of data of one's own, and which part of it is asked for.

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
    return _source(parsed), parsed


def _source(spec: Spec) -> OwnSource:
    if spec.scheme in (PYTHON, TONIC):
        raise InputError(f"data {spec.text!r}", expected="a path")
    path = Path(spec.source).expanduser()
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return _reader(path.suffix.lower())(path)
    expected = f"a file that ends in {', '.join(SUFFIXES)}, or a folder"
    got = "no such file or folder" if not path.exists() else f"{path.suffix or 'no ending'}"
    raise InputError(f"data {spec.text!r}", expected=expected, got=got)


def _reader(suffix: str) -> Callable[[Path], OwnSource]:
    module = import_module(f"neurossm_models.data.own.{_READERS[suffix]}")
    return module.read  # type: ignore[no-any-return]
