"""Folders of files by class: ``CLASS/*.wav``, or ``train/CLASS/*.wav`` and so on."""

from __future__ import annotations

from pathlib import Path

from neurossm.errors import FormatError
from neurossm_models.data.own.source import WHOLE
from neurossm_models.data.own.spec import PARTS

SOUNDS = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".au")
REMEDY = "remove that folder, or put files of the class into the training part too"


def holds_classes(folder: Path, ending: str) -> bool:
    """Tell whether a folder, or the folder of a part in it, has folders of such files."""
    inner = _folders(folder)
    parts = [path for path in inner if path.name in PARTS]
    return any(files_in(path, ending) for each in (inner, *map(_folders, parts)) for path in each)


def folders_of_parts(folder: Path, ending: str) -> dict[str, Path]:
    """Return the folder of each part; of data without parts the folder itself.

    Raises
    ------
    FormatError
        If there are parts and classes side by side.
    """
    inner = _folders(folder)
    parts = {path.name: path for path in inner
             if path.name in PARTS and not files_in(path, ending)}  # fmt: skip
    others = [path.name for path in inner if path.name not in parts]
    if parts and others:
        got = f"{' and '.join(parts)} beside {others[0]!r}"
        raise FormatError(str(folder), expected="folders of parts, or of classes", got=got)
    return {part: parts[part] for part in PARTS if part in parts} or {WHOLE: folder}


def files_by_class(folder: Path, ending: str) -> tuple[list[Path], list[str]]:
    """Return the files in the folders of a folder, and the name of the folder of each.

    Raises
    ------
    FormatError
        For no folders, and for an empty one.
    """
    files: list[Path] = []
    labels: list[str] = []
    for path in _folders(folder):
        own = files_in(path, ending)
        if not own:
            raise FormatError(str(path), expected=f"files of this class (*{ending})", got="none",
                              remedy="remove the folder, or put files into it")  # fmt: skip
        other = next((p for p in sorted(path.iterdir()) if _is_unread(p, ending)), None)
        if other is not None:
            raise FormatError(str(other), expected=f"*{ending} beside others", got=other.suffix,
                              remedy="convert it, or take it out of the folder")  # fmt: skip
        files += own
        labels += [path.name] * len(own)
    if not files:
        raise FormatError(str(folder), expected=f"folders of *{ending}, one a class", got="none")
    return files, labels


def files_in(folder: Path, ending: str) -> list[Path]:
    """Return the files of a folder that end so, in order."""
    there = [path for path in sorted(folder.iterdir()) if path.name[0] != "."]
    return [path for path in there if path.suffix.lower() == ending]


def _is_unread(path: Path, ending: str) -> bool:
    """Tell whether a file is a recording of another format, which would be missing silently."""
    return ending == ".wav" and path.suffix.lower() in SOUNDS and path.name[0] != "."


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
