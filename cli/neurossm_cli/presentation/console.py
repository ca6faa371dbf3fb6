"""What a command says: one JSON document or tables on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from neurossm.errors import NeurossmWarning
from neurossm_cli.presentation.tables import Head, fold_facts, fold_item, lay_out

if TYPE_CHECKING:
    from neurossm_workflows.listener import Listener

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
DetailsOption = Annotated[
    bool, typer.Option("--details", help="Print all tables instead of a summary.")
]
SECONDS_BETWEEN_LINES = 10.0
IN_A_PIPE = 80  # columns
_alone: list[TextIO] = []  # where documents go while everything else is kept off stdout
_printed: list[dict[str, Any]] = []  # the documents of the command that runs


class Stopped(Exception):
    """A command was interrupted, has kept what it did, and said so."""


@contextmanager
def documents_alone(asked: bool) -> Iterator[None]:
    """Within this, stdout has the document alone: what else is printed goes to stderr.

    Data and networks of the user's are code, which may print.
    """
    _printed.clear()
    if not asked:
        yield
        return
    _alone.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _alone.pop()


def document_printed() -> bool:
    """Tell whether the last command printed its document: there is to be one."""
    return bool(_printed)


def print_document(document: dict[str, Any]) -> None:
    """Print a JSON document on stdout."""
    _printed.append(document)
    print(json.dumps(document, indent=2, allow_nan=False), file=_alone[-1] if _alone else None)


def write_json(path: Path, document: dict[str, Any], label: str) -> None:
    """Write a JSON document into the file that an option of this name gave."""
    from neurossm.store import write_text

    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n", label)


class Console:
    """Where a command writes.

    Parameters
    ----------
    as_json
        Print the document alone on stdout; tables and sentences are left out.
    other_data
        Whether the user insists on data that a graph was not made for.
    """

    def __init__(self, as_json: bool, other_data: bool = False) -> None:
        from rich.console import Console as RichConsole  # not needed for --help

        self.as_json, self.other_data = as_json, other_data
        self._noted: set[str] = set()
        self._out = RichConsole(highlight=False, soft_wrap=True, emoji=False)
        self._err = RichConsole(stderr=True, highlight=False, emoji=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something on stderr."""
        self._err.print(text, markup=False)

    @property
    def listener(self) -> Listener:
        """What tells a workflow's notes and progress here; a note is said once."""
        from neurossm_workflows.listener import Listener

        return Listener(lambda text: self.note_once(f"note: {text}"), self.note, self.progress)

    def note_once(self, text: str) -> None:
        """Say something on stderr that has not been said."""
        if text not in self._noted:
            self._noted.add(text)
            self.note(text)

    @contextmanager
    def warnings_noted(self) -> Iterator[list[str]]:
        """Within this, our own warnings are notes; gives their texts."""
        import warnings

        said: list[str] = []
        shown = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **others: Any) -> None:
            if issubclass(category, NeurossmWarning):
                said.append(str(message))
                self.note(str(message))
            else:
                shown(message, category, *where, **others)

        with warnings.catch_warnings():
            warnings.simplefilter("always", NeurossmWarning)
            warnings.showwarning = show
            yield said

    def say(self, text: str = "") -> None:
        """Say something on stdout, for people only."""
        if self.as_json:
            return
        # a terminal would break words; in a pipe a sentence is a line
        lines = fold_item(text, self._out.width) if self._out.is_terminal else [text]
        for line in lines:
            self._out.print(line, markup=False)

    def document(self, document: dict[str, Any]) -> None:
        """Print the JSON document, where it was asked for."""
        if self.as_json:
            print_document(document)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        title: str = "",
        keys: int = 1,
    ) -> None:
        """Print a table on stdout, for people only; nothing in it is cut.

        The first `keys` columns name a row: they are never folded. In a pipe, which has no width,
        lines have 80 characters, or COLUMNS.
        """
        if self.as_json:
            return
        if title:
            self.say(title)
        for line in lay_out(columns, rows, self._width(), keys):
            style = "bold" if isinstance(line, Head) else None
            self._out.print(line, markup=False, style=style)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names with what they are, on stdout, for people only; what is long is folded."""
        if self.as_json:
            return
        for line in fold_facts(rows, self._width()):
            self._out.print(line, markup=False)

    def _width(self) -> int:
        if self._out.is_terminal:
            return self._out.width
        given = os.environ.get("COLUMNS", "")
        return int(given) if given.isascii() and given.isdigit() and int(given) else IN_A_PIPE

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show progress on stderr: a bar on a terminal, a line now and then elsewhere."""
        if self._err.is_terminal:
            from rich import progress as rich

            from neurossm_cli.presentation.forecast import Compilations, Forecast

            with Compilations() as compilations:
                columns = (rich.TextColumn("{task.description}"), rich.BarColumn(),
                           rich.MofNCompleteColumn(), Forecast(compilations))  # fmt: skip
                with rich.Progress(*columns, console=self._err, transient=True) as bar:
                    task, done_in_all = bar.add_task(label, total=total), 0

                    def move(done: int) -> None:
                        nonlocal done_in_all
                        done_in_all += done
                        if compilations.any_since_asked():  # no sample takes that long again
                            bar.reset(task, completed=done_in_all)
                        else:
                            bar.advance(task, done)

                    yield move
            return
        done_so_far, said = 0, time.monotonic()

        def advance(done: int) -> None:
            nonlocal done_so_far, said
            done_so_far += done
            if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                print(f"{label} {done_so_far}/{total}", file=sys.stderr, flush=True)

        yield advance
