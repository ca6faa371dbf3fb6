"""Accessibility of every kind of report by axe-core: only where `make axe` has installed it.

One browser and 48 pages take a minute, so it is asked for: ``pytest tests/browser --axe``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from report_examples import examples

from neurossm.report import write_html

TOOL = Path(__file__).parents[2] / "tools" / "axe"


@pytest.fixture
def check(request: pytest.FixtureRequest, chromium: str):
    """Return a function that runs the check on pages."""
    if not request.config.getoption("--axe", default=False):
        pytest.skip("takes a minute: pytest tests/browser --axe, or make axe")
    node = shutil.which("node")
    if node is None or not (TOOL / "node_modules").is_dir():
        pytest.skip("no Node, or no axe-core here: make axe installs it")

    def run(*pages: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [node, TOOL / "check.mjs", *pages], capture_output=True, text=True, timeout=600,
            env={**os.environ, "CHROMIUM": chromium},
        )  # fmt: skip

    return run


def test_no_report_has_a_violation(check, tmp_path):
    pages = []
    for name, report in examples().items():
        pages.append(tmp_path / f"{name}.html")
        write_html(pages[-1], report)
    ended = check(*pages)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{len(pages)} pages, 3 widths, light and dark: 0 problems" in ended.stdout


def test_the_check_sees_what_is_wrong(check, tmp_path):
    page = tmp_path / "bad.html"
    write_html(page, examples()["graph-alone"])
    text = page.read_text(encoding="utf-8").replace('lang="en"', "")
    pale = '<p style="width:2000px;color:#888">words of little contrast</p>'
    page.write_text(text.replace("</main>", f"{pale}</main>"))
    ended = check(page)
    assert ended.returncode == 1
    for said in ("html-has-lang", "color-contrast", "scrolls sideways"):
        assert said in ended.stdout
