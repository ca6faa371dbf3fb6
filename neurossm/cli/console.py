"""What a command says: one JSON document or tables on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DataDirOption = Annotated[
    str, typer.Option("--data-dir", help="Folder of data sets (default: NEUROSSM_DATA or a cache).")
]
SECONDS_BETWEEN_LINES = 10.0
WIDTH_OF_A_PIPE = 160


class Console:
    """Where a command writes.

    Parameters
    ----------
    as_json
        Print the document alone on stdout; tables and sentences are left out.
    """

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console as RichConsole  # not needed for --help

        self.as_json = as_json
        # a pipe has no width of its own: wide enough that no table is cut
        width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
        self._out = RichConsole(highlight=False, soft_wrap=True, width=width)
        self._err = RichConsole(stderr=True, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something on stderr."""
        self._err.print(text, markup=False)

    def say(self, text: str = "") -> None:
        """Say something on stdout, for people only."""
        if not self.as_json:
            self._out.print(text, markup=False)

    def document(self, document: dict[str, Any]) -> None:
        """Print the JSON document, where it was asked for."""
        if self.as_json:
            print(json.dumps(document, indent=2, allow_nan=False))

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = ""
    ) -> None:
        """Print a table on stdout, for people only; numbers to the right."""
        if self.as_json:
            return
        from rich.table import Table

        if title:
            self.say(title)  # the table's own would be folded to the width of its columns
        table = Table(box=None, pad_edge=False)
        for index, column in enumerate(columns):
            numeric = all(isinstance(row[index], int | float) for row in rows) and bool(rows)
            table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._out.print(table, soft_wrap=False)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show progress on stderr: a bar on a terminal, a line now and then elsewhere."""
        if self._err.is_terminal:
            from rich import progress as rich

            columns = (rich.TextColumn("{task.description}"), rich.BarColumn(),
                       rich.MofNCompleteColumn(), rich.TimeRemainingColumn())  # fmt: skip
            with rich.Progress(*columns, console=self._err, transient=True) as bar:
                task = bar.add_task(label, total=total)
                yield lambda done: bar.advance(task, done)
            return
        done_so_far, said = 0, time.monotonic()

        def advance(done: int) -> None:
            nonlocal done_so_far, said
            done_so_far += done
            if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                print(f"{label} {done_so_far}/{total}", file=sys.stderr, flush=True)

        yield advance


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
