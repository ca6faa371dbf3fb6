"""Prints the matrix of node types and concerns behind the tests: ``pytest --matrix``."""

import sys

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="print the matrix of conformance")


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    cells = sys.modules.get("conformance.cells")
    if cells is None or not config.getoption("--matrix"):
        return
    concerns = sorted({concern for concern, _ in cells.SEEN})
    for kind in dict.fromkeys(kind for _, kind in cells.SEEN):
        terminalreporter.section(kind)
        for concern in concerns:
            said = cells.SEEN.get((concern, kind), "not run")
            terminalreporter.write_line(f"{concern:16} {said}")
