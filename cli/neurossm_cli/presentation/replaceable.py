"""What a file of predictions may replace: predictions, and nothing of the user's."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, ZipFile


def by_predictions(path: Path) -> bool:
    """Tell whether predictions may be written there: no file, an empty one, or predictions."""
    try:
        if not path.is_file() or not path.stat().st_size:
            return True
        if path.suffix == ".npz":
            with ZipFile(path) as file:
                return "answers.npy" in file.namelist()
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", errors="replace") as file:
                head = file.readline(10_000).rstrip("\n").split(",")
            return head[0] == "sample" and any(name.startswith("predicted") for name in head[:3])
    except (OSError, BadZipFile):
        return False  # whose it is, nobody knows
    return True  # of no format of ours: refused by who writes
