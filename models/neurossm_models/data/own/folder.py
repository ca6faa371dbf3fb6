"""Folders: files of the parts, pairs of the UCR archive, IDX files, recordings by class."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own import idx_folder, text, wav
from neurossm_models.data.own.by_class import holds_classes
from neurossm_models.data.own.source import WHOLE, OwnSource
from neurossm_models.data.own.spec import PARTS, SUFFIXES, TEST, TRAIN, VALID

# where a folder has one set in several forms, the first of these that has most parts
_PREFERRED = (".npz", ".h5", ".hdf5", ".npy", ".ts", ".tsv", ".arff", ".csv", ".txt")
_PAIR = re.compile(r"(?P<name>.+)_(?P<part>TRAIN|VALID|TEST)")
_UPPER = {"TRAIN": TRAIN, "VALID": VALID, "TEST": TEST}

Reader = Callable[[Path], OwnSource]


def read(folder: Path, reader: Callable[[str], Reader]) -> OwnSource:
    """Return the source of a folder.

    Parameters
    ----------
    folder
        The folder.
    reader
        From the ending of a file to what reads it.

    Raises
    ------
    InputError
        If nothing of the folder is data, or several sets are.
    FormatError
        If a file is damaged, or parts do not go together.
    """
    name = f"{folder.resolve().name}/"
    files = _parts_in(folder)
    if files:
        return combined(
            name, str(folder), {p: reader(f.suffix.lower())(f) for p, f in files.items()}
        )
    if idx_folder.images_in(folder):
        return idx_folder.read(folder, name)
    if holds_classes(folder, wav.ENDING):
        return wav.read(folder, name)
    if holds_classes(folder, text.ENDING):
        return text.read_folder(folder, name)
    raise InputError(
        f"data {str(folder)!r}", got="a folder without them",
        expected="train.npz and test.npz (or .h5, .npy, .csv, .tsv, .ts, .arff), NAME_TRAIN.tsv and"
        " NAME_TEST.tsv, IDX files, or folders of *.wav or *.txt by class",
        remedy="name the file itself if it is one",
    )  # fmt: skip


def read_pair(stem: Path, reader: Callable[[str], Reader]) -> OwnSource | None:
    """Return the source of ``FOLDER/NAME`` with ``NAME_TRAIN.tsv`` and so on, None if none is."""
    if not stem.parent.is_dir():
        return None
    files = _pairs_in(stem.parent).get(stem.name)
    if not files:
        return None
    return combined(f"{stem.name}/", str(stem), _read(files, reader))


def _read(files: dict[str, Path], reader: Callable[[str], Reader]) -> dict[str, OwnSource]:
    return {part: reader(path.suffix.lower())(path) for part, path in files.items()}


def _parts_in(folder: Path) -> dict[str, Path]:
    """Return the files of the parts, by part."""
    forms = {}
    for suffix in _PREFERRED:
        there = {part: folder / f"{part}{suffix}" for part in PARTS}
        forms[suffix] = {part: path for part, path in there.items() if path.is_file()}
    best = max(forms.values(), key=len)
    if best:
        return best
    pairs = _pairs_in(folder)
    own = folder.resolve().name
    if len(pairs) > 1 and own not in pairs:
        shown = ", ".join(sorted(pairs)[:5])
        raise InputError(f"data {str(folder)!r}", expected="one data set", got=f"several: {shown}",
                         remedy=f"name one: {folder / sorted(pairs)[0]}")  # fmt: skip
    return pairs.get(own) or next(iter(pairs.values()), {})


def _pairs_in(folder: Path) -> dict[str, dict[str, Path]]:
    """Return files by name and part, of the form that has most parts."""
    found: dict[str, dict[str, dict[str, Path]]] = {}
    for path in sorted(folder.iterdir()):
        match = _PAIR.fullmatch(path.stem)
        if match and path.suffix.lower() in SUFFIXES and path.is_file():
            forms = found.setdefault(match["name"], {})
            forms.setdefault(path.suffix.lower(), {})[_UPPER[match["part"]]] = path
    best = {}
    for name, forms in found.items():
        order = sorted(forms, key=lambda suffix: (-len(forms[suffix]), _PREFERRED.index(suffix)))
        best[name] = forms[order[0]]
    return best


def combined(name: str, where: str, sources: Mapping[str, OwnSource]) -> OwnSource:
    """Return the source of which each of these is a part.

    Raises
    ------
    FormatError
        If a file has parts of its own, or two say different things of themselves.
    """
    for part, source in sources.items():
        if source.has_parts:
            got = f"{' and '.join(source.parts)} in {source.where}"
            raise FormatError(where, expected=f"the {part} part alone", got=got)
    said = {}
    for field in ("dt", "scale", "vocabulary", "order", "channel_names", "class_names"):
        values = {getattr(source, field) for source in sources.values()} - {None, 0, "", ()}
        if len(values) > 1:
            got = " and ".join(str(value) for value in values)
            raise FormatError(where, expected=f"one {field} in all parts", got=got)
        if values:
            said[field] = values.pop()
    first = next(iter(sources.values()))
    return OwnSource(
        name, where, {part: sources[part].parts[WHOLE] for part in PARTS if part in sources},
        provenance=where, remedy=first.remedy, task=first.task, **said,
    )  # fmt: skip
