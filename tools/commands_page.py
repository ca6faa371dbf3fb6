"""Writes docs/reference/commands.md from the help of every command: ``make reference``.

``python tools/commands_page.py [PATH]``; a test holds the page current.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "commands.md"
INTRODUCTION = """\
# Commands

Written by `make reference` from what `neurossm COMMAND --help` prints; do not edit.

Every command takes `--json`: one document on stdout and nothing else there. It exits with 0 done,
1 the check failed, 2 wrong use or bad input (one line that says where, what was expected, what came
and what to do), 130 interrupted. What a command reads it does not overwrite, and output files are
written atomically. `neurossm --install-completion` completes commands, options, recipes,
checkpoints, data sets and engines.
"""


def commands() -> list[tuple[str, ...]]:
    """Return all commands, as typed, in the order of the help."""
    from typer.main import get_command

    from neurossm_cli.app import app

    def under(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        parts = getattr(command, "commands", None)
        if parts is None:
            return [path]
        own = [path] if path else []
        return own + [found for name, part in parts.items() for found in under(part, (*path, name))]

    return under(get_command(app), ())


def help_of(command: tuple[str, ...]) -> str:
    """Return the help of a command, 80 columns wide."""
    from neurossm_cli import main

    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "80"
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
            main([*command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION, f"```text\n{help_of(())}\n```\n"]
    for command in commands():
        parts.append(f"## {' '.join(command)}\n\n```text\n{help_of(command)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
