"""What says the version says the same one, and the files of the forge are well formed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_changelog_citation_and_package_have_one_version_and_date():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert released[0][0] == version and [v for v, _ in released] == sorted(
        (v for v, _ in released), key=lambda text: tuple(map(int, text.split("."))), reverse=True
    )
    assert re.search(r"^version: (\S+)$", citation, re.M)[1] == version
    assert re.search(r'^date-released: "(\S+)"$', citation, re.M)[1] == released[0][1]


@pytest.mark.parametrize("file", [".github/workflows/ci.yml", ".pre-commit-config.yaml",
                                  "RELEASING.md", "CONTRIBUTING.md",
                                  ".github/PULL_REQUEST_TEMPLATE.md"])  # fmt: skip
def test_every_make_target_that_is_named_exists(file):
    text = (ROOT / file).read_text()
    named = set(re.findall(r"\bmake ([a-z-]+)\b", text))
    assert named and named <= TARGETS, named - TARGETS


def test_ci_runs_every_python_that_the_package_promises():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [row.rsplit(" ", 1)[1] for row in project["classifiers"]
                if re.search(r":: Python :: 3\.\d+$", row)]  # fmt: skip
    ran = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())[1]
    assert [text.strip(' "') for text in ran.split(",")] == promised
