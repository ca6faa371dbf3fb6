"""Marks of whole folders: what `make quick` leaves out stands in slow.txt."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def said_to_be_slow() -> list[str]:
    """Return the folders, files and tests of slow.txt."""
    lines = (HERE / "slow.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("  #")[0] for line in lines if not line.startswith("#")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = said_to_be_slow()
    for item in items:
        if HERE not in item.path.parents:
            continue
        file = item.path.relative_to(HERE).as_posix()
        name = item.name.partition("[")[0]
        if any(file == s or file.startswith(f"{s}/") or f"{file}::{name}" == s for s in slow):
            item.add_marker("slow")
        if file.startswith("hostile/"):
            item.add_marker("hostile")
