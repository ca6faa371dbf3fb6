"""docs/reference/public-api.md says what is public, and the code agrees."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
import typer

import neurossm
from neurossm.deprecation import GONE
from neurossm.store.encode import SCHEMA_VERSION
from neurossm_cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/public-api.md").read_text(encoding="utf-8")
EXPORTED = ("neurossm_models.train", "neurossm_models.data", "neurossm_models.tasks")
LATER = {"install"}  # commands that the page lists and that may not be here yet


def listed(before: str) -> list[str]:
    """Return the names in backticks of the first list that follows a text."""
    behind = PAGE[PAGE.index(before) + len(before) :].lstrip()
    return re.findall(r"`(\w+)`", behind[: behind.index(".\n")])


def test_the_page_lists_the_names_of_the_package():
    assert listed("from the module that defines them:") == neurossm.__all__


@pytest.mark.parametrize("module", EXPORTED)
def test_the_page_lists_what_the_models_export(module):
    assert listed(f"`{module}`:") == sorted(importlib.import_module(module).__all__)


def test_the_converters_that_the_page_lists_are_exported():
    modules = re.findall(r"^`(neurossm_converters[\w.]+)`:$", PAGE, re.MULTILINE)
    assert len(modules) == 5
    for module in modules:
        names = listed(f"`{module}`:")
        assert names and set(names) <= set(importlib.import_module(module).__all__), module


def test_the_page_lists_every_command():
    found = listed("the keys of their `--json` output:")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert found == sorted(found) and set(found) - set(commands) <= LATER
    assert set(commands) <= set(found)


def test_the_page_says_the_version_of_files_the_group_and_a_warning_that_there_is():
    assert f"`.nssm` files, version {SCHEMA_VERSION}," in PAGE and f"(removed in {GONE})" in PAGE
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert list(groups) == re.findall(r"^The group `([\w.]+)`", PAGE, re.MULTILINE)


def test_all_is_sorted_complete_and_what_type_checkers_see():
    assert neurossm.__all__ == sorted(neurossm.__all__)
    assert {*neurossm._HOMES} - {*neurossm.__all__} == {"Builder", "from_torch"}
    tree = ast.parse((ROOT / "neurossm/__init__.py").read_text())
    seen = {alias.asname or alias.name for block in tree.body if isinstance(block, ast.If)
            for line in block.body if isinstance(line, ast.ImportFrom)
            for alias in line.names}  # fmt: skip
    assert seen == {*neurossm._HOMES}


@pytest.mark.parametrize("name", neurossm.__all__)
def test_a_public_name_has_a_docstring_with_an_example(name):
    text = getattr(neurossm, name).__doc__
    assert text and "    >>> " in text
