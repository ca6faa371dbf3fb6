"""Packages with entry points, made in a folder as pip would leave them."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugin"


def installed(folder: Path, project: Path = PLUGIN) -> Path:
    """Lay out a project with one module in a folder, with the metadata that pip writes."""
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    module = about["name"].replace("-", "_")
    shutil.copyfile(project / f"{module}.py", folder / f"{module}.py")
    described(folder, about["name"], about["entry-points"]["neurossm.executors"])
    return folder


def described(folder: Path, name: str, points: dict[str, str]) -> None:
    """Write the metadata of a distribution with entry points."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{key} = {value}\n" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[neurossm.executors]\n{lines}")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Callable[[str, str, dict[str, str]], None]:
    """Install a package: a module's source, its name, its entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, source: str, points: dict[str, str]) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        described(tmp_path, name, points)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Path:
    """Install the sample plug-in; gives its folder."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    monkeypatch.delitem(sys.modules, "sample_executor", raising=False)
    return tmp_path
