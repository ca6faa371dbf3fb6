"""Says at the end, unasked, if the browser tests did not run."""

from __future__ import annotations

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium here (Debian: apt-get install chromium): the report was not looked at"


def browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = browser()
    if found is None:
        pytest.skip(MISSING)
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if browser() is None:
        terminalreporter.write_line(f"SKIPPED tests/browser: {MISSING}", yellow=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--axe", action="store_true", help="look at reports with axe-core, a minute")
