"""What pages leave out of the tests does not grow unnoticed, nor does README.md."""

from __future__ import annotations

import re

from pages import ROOT, all_pages, name_of
from pages.blocks import blocks_of, indented_commands

LISTED = ROOT / "tests" / "docs" / "not_run.txt"
INDENTED = 0
WORDS = 900


def test_blocks_that_do_not_run_are_listed():
    """A page and line of not_run.txt: page, number of blocks, and their reasons."""
    found = []
    for page in all_pages():
        reasons = [block.left_out for block in blocks_of(page) if block.left_out]
        if reasons:
            found.append(f"{name_of(page)}  {len(reasons)}  {'; '.join(dict.fromkeys(reasons))}")
    listed = [line for line in LISTED.read_text().splitlines() if not line.startswith("#")]
    assert listed == found, "not_run.txt should read:\n" + "\n".join(found)


def test_commands_are_in_fences_where_they_are_checked():
    found = {name_of(page): count for page in all_pages()
             if (count := indented_commands(page.read_text()))}  # fmt: skip
    assert sum(found.values()) <= INDENTED, found


def test_readme_is_short():
    prose = re.sub(r"^```.*?^```$", "", (ROOT / "README.md").read_text(), flags=re.M | re.S)
    words = len(prose.split())
    assert words <= WORDS, f"{words} words outside of blocks"
