"""What is installed: all that the packages read at run time, and nothing of tests or pages."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = PROJECT["tool"]["hatch"]["build"]["targets"]
PACKAGES = BUILD["wheel"]["packages"]
# what users meet first, one of each kind
READ_AT_RUN_TIME = (
    "neurossm/py.typed",
    "neurossm/hardware/loihi2.toml",
    "neurossm_models/recipes/binary-s4d-digits.toml",
    "neurossm_models/checkpoints/binary-s4d-smnist/weights.safetensors",
    "neurossm_models/checkpoints/binary-s4d-digits/recipe.toml",
)


def ours() -> dict[str, Path]:
    """Return every file of the packages that the repository keeps, by its place in a wheel."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    parents = {str(PurePosixPath(package).parent) for package in PACKAGES} - {"."}
    places = {}
    for name in listed:
        parent = next((one for one in parents if name.startswith(f"{one}/")), "")
        if (ROOT / name).is_file():
            places[name.removeprefix(f"{parent}/") if parent else name] = ROOT / name
    return places


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build by the back end that pip calls, without a network."""
    folder.mkdir()
    code = f"import sys; from hatchling.build import {kind} as build; build(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=source, check=True,
                   capture_output=True, text=True, timeout=100)  # fmt: skip
    (made,) = folder.iterdir()
    return made


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_top_folder_is_declared_and_nothing_is_left_out():
    tops = {place.partition("/")[0] for place in ours()}
    assert tops == {PurePosixPath(package).name for package in PACKAGES}
    assert set(READ_AT_RUN_TIME) <= set(ours())
    assert "exclude" not in BUILD["wheel"] and "exclude" not in BUILD["sdist"]
    assert set(PACKAGES) <= set(BUILD["sdist"]["only-include"])
    ignored = [f"{place}/checkpoints" for place in PACKAGES]  # hatch leaves out what git ignores
    found = subprocess.run(["git", "check-ignore", *ignored], cwd=ROOT, capture_output=True)
    assert not found.stdout


@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")
def test_the_wheel_is_the_packages_and_the_sdist_builds_the_same(tmp_path):
    wheel = build("build_wheel", ROOT, tmp_path / "wheel")
    held = content(wheel)
    described = {name for name in held if ".dist-info/" in name}
    assert {name: held[name] for name in held.keys() - described} == {
        name: path.read_bytes() for name, path in ours().items()
    }
    assert wheel.stat().st_size < 4e6  # bytes; checkpoints are a megabyte of it
    source = build("build_sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not [name for name in ("tests", "docs", "hw_tests", "notebooks")
                if (unpacked / name).exists()]  # fmt: skip
    assert content(build("build_wheel", unpacked, tmp_path / "again")) == held
