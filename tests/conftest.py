"""Marks of whole folders: what `make quick` leaves out stands in slow.txt."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SLOW = frozenset(
    line.split("  #")[0]
    for line in (HERE / "slow.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def is_slow(path: Path, name: str = "") -> bool:
    """Tell whether slow.txt has a file, a folder that it is in, or a test of it."""
    if HERE not in path.parents:
        return False
    file = path.relative_to(HERE)
    places = [file.as_posix(), *(folder.as_posix() for folder in file.parents)]
    return f"{file.as_posix()}::{name}" in SLOW or not SLOW.isdisjoint(places)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # what will not run is not imported either: a third of the time of `make quick`
    marks = config.getoption("markexpr", "")
    left_out = ("not slow" in marks and is_slow(collection_path)) or (
        "not hostile" in marks and collection_path == HERE / "hostile"
    )
    return True if left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.path, item.name.partition("[")[0]):
            item.add_marker("slow")
        if HERE / "hostile" in item.path.parents:
            item.add_marker("hostile")
