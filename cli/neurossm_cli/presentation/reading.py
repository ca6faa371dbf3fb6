"""What the options of a command read, as far as an output would replace it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from neurossm.errors import NeurossmError

Arguments = Mapping[str, Any]
# no command of ours leaves anything else in a folder of data
OURS = (".nssm", ".html", ".svg", ".csv", ".json", ".pdf", ".safetensors")
NO_DATA = tuple(suffix for suffix in OURS if suffix != ".csv")  # of one's own


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file, by links of either kind too.

    What is no regular file (a terminal, ``/dev/null``) loses nothing when it is written to.
    """
    try:
        if one.exists() and other.exists():
            return not _is_stream(one) and os.path.samefile(one, other)
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # who opens it says what is wrong with it
        return False


def _is_stream(path: Path) -> bool:
    return not path.is_file() and not path.is_dir()


def among(files: Iterable[Path], output: Path) -> Path | None:
    """Return the file that an output would replace; None if there is none."""
    return next((file for file in files if same_file(file, output)), None)


def itself(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return the file that was typed if it is the output."""
    return among([Path(given)], output)


def chip(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return the file of a chip, one of ours by its name, if it is the output."""
    ours = resources.files("neurossm.hardware") / f"{given}.toml"
    return among([Path(given), Path(str(ours))], output)


def recipe(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return the file of a recipe, one of ours by its name, if it is the output."""
    try:
        from neurossm_models.train.recipe import recipe_path

        return among([recipe_path(given)], output)
    except (ImportError, NeurossmError):  # the command says what is wrong with it
        return None


def run(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return the file of a run or a checkpoint, or of a module, that is the output."""
    try:
        from neurossm_models.train import CHECKPOINTS, RUN_FILES
    except ImportError:
        return None
    folders = (Path(given), CHECKPOINTS / given)
    if (module := Path(given.rpartition(":")[0])).suffix == ".py":  # FILE.py:FUNCTION
        return among([module], output)
    return among((folder / name for folder in folders for name in RUN_FILES), output)


def data(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return what an output would replace: a file of the data, or one beside it in its folder."""
    try:
        from neurossm_models.data import is_own, registry

        parts = given.split(":")
        named = [Path(":".join(parts[: k + 1])) for k in range(len(parts))]
        if found := among((file for file in named if file.is_file()), output):
            return found
        if is_own(given):
            return _own_data(given, output)
        places = [entry.found for entry in registry(arguments.get("data_dir") or None)
                  if entry.name == parts[0]]  # fmt: skip
        file = output.resolve()
        inside = any(place and file.is_relative_to(Path(place).resolve()) for place in places)
        return output if inside and file.is_file() and file.suffix not in OURS else None
    except (ImportError, NeurossmError, OSError, RuntimeError, ValueError):
        return None


def _own_data(given: str, output: Path) -> Path | None:
    """Return the output if it is there and may be part of data of one's own."""
    from neurossm_models.data.own import parse_own

    spec = parse_own(given)
    path = Path(spec.source.partition(":")[0] if spec.scheme else spec.source)
    if path.is_file() and same_file(path, output):
        return path
    # a folder of recordings, or arrays that lie beside each other
    folder = path if path.is_dir() else path.parent if path.suffix == ".npy" else None
    file = output.resolve()
    inside = folder is not None and file.is_relative_to(folder.resolve())
    return output if inside and file.is_file() and file.suffix not in NO_DATA else None
