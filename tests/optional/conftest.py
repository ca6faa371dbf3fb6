"""Tests that need a package in an environment of its own; what was skipped is said at the end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
skipped: dict[str, str] = {}


@pytest.fixture
def run_in(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a function that runs a script of this folder elsewhere: its last line is JSON."""

    def run(variable: str, script: str, *arguments: object) -> Any:
        python = os.environ.get(variable, "")
        if not python:
            skipped[request.node.name] = f"{variable} is not set (see docs/explanation/energy.md)"
            pytest.skip(skipped[request.node.name])
        command = [python, str(HERE / script), *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for name, reason in skipped.items():
        terminalreporter.write_line(f"OPTIONAL TEST NOT RUN: {name}: {reason}")
