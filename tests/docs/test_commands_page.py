"""The page of commands is what the commands say of themselves."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _tool():
    spec = importlib.util.spec_from_file_location("commands_page", ROOT / "tools/commands_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_is_current():
    tool = _tool()
    assert tool.PAGE.read_text() == tool.page(), "make reference"


def test_it_has_every_command():
    text = _tool().page()
    for name in ("demo", "data show", "train", "export", "import", "quantize", "deploy"):
        assert f"\n## {name}\n" in text and f"Usage: neurossm {name} " in text
