"""How ``--help`` looks: commands under headings, arguments by their names, old spellings accepted.

Of typer's plain help; no description is cut, whatever the width.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from neurossm.deprecation import deprecated
from neurossm_cli.presentation.tables import folded

# what a newcomer needs first comes first; what is not named here stands before the last heading
HEADINGS = (
    ("Start here", ("demo", "doctor", "install", "data")),
    ("From a network to the chip",
     ("train", "prune", "export", "import", "quantize", "run", "profile", "deploy")),
    ("Look closer", ("show", "verify", "diff", "golden", "sweep", "check", "place")),
)  # fmt: skip
LAST = ("For maintainers of neurossm", ("results", "sdn"))
RENAMED = {"--quantized": "--qat", "--messages": "--activations"}
LONGEST = 1000  # characters of a first sentence: any
COLUMN = 26  # characters of the column of options, which holds almost all


class Command(TyperCommand):
    """A command: its help names arguments as they are typed, and it takes old spellings."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed, with a warning for what has a new name."""
        known = {option for param in self.params for option in param.opts}
        return super().parse_args(ctx, list(_respelled(args, known)))

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence, whole."""
        return super().get_short_help_str(LONGEST)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the line ``Usage:``; what is required has no brackets."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is None:
                continue
            if param.param_type_name == "argument":
                # the type is in the name already, and that it is required in the usage
                shown = record[0].partition(" <")[0], record[1].replace("  [required]", "")
                rows["Arguments"].append(shown)
            else:
                rows["Options"].append(record)
        for heading, found in rows.items():
            if found:
                with formatter.section(heading):
                    _write_definitions(formatter, found)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does."""
        _write_paragraphs(formatter, inspect.cleandoc(self.help or ""))


class Group(TyperGroup):
    """A group of commands, each with the whole first sentence of its help."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the commands are for."""
        _write_paragraphs(formatter, inspect.cleandoc(self.help or ""))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings."""
        shown = {name: self.commands[name] for name in self.list_commands(ctx)
                 if not self.commands[name].hidden}  # fmt: skip
        column = max(map(len, shown))
        for heading, names in self.headings(list(shown)):
            with formatter.section(heading):
                # padded, so that the descriptions of all headings begin in one column
                _write_definitions(
                    formatter,
                    [
                        (name.ljust(column), shown[name].get_short_help_str(LONGEST))
                        for name in names
                    ],
                )

    def headings(self, names: list[str]) -> list[tuple[str, list[str]]]:
        """Return the headings with the names of the commands below them, each once."""
        return [("Commands", names)]


class Main(Group):
    """All commands, in the order in which one meets them."""

    def headings(self, names: list[str]) -> list[tuple[str, list[str]]]:
        """Return the headings with the names of the commands below them, each once."""
        placed = {name for _, group in (*HEADINGS, LAST) for name in group}
        others = ("Others", tuple(name for name in names if name not in placed))
        found = [(heading, [name for name in group if name in names])
                 for heading, group in (*HEADINGS, others, LAST)]  # fmt: skip
        return [(heading, group) for heading, group in found if group]


def _lines(text: str, width: int) -> list[str]:
    """Return a text as lines; a command that it quotes stays on one."""
    kept = re.sub(r"'neurossm [^']+'", lambda found: found[0].replace(" ", "\xa0"), text)
    return [line.replace("\xa0", " ") for line in folded(kept, width)]


def _write_paragraphs(formatter: Any, text: str) -> None:
    """Write paragraphs between words: typer's own breaks names of options at their hyphens."""
    for paragraph in text.split("\n\n"):
        formatter.write_paragraph()
        with formatter.indentation():
            indent = " " * formatter.current_indent
            for line in _lines(" ".join(paragraph.split()), formatter.width - len(indent)):
                formatter.write(f"{indent}{line}\n")


def _write_definitions(formatter: Any, rows: list[tuple[str, str]]) -> None:
    """Write names, each with its text beside it, or below where the name is long."""
    column = min(max(len(name) for name, _ in rows), COLUMN) + 2
    indent = " " * formatter.current_indent
    for name, text in rows:
        width = max(formatter.width - len(indent) - column, 20)
        lines = _lines(text, width)
        if len(name) > column - 2:
            formatter.write(f"{indent}{name}\n")
            name = ""
        for line in lines:
            formatter.write(f"{indent}{name.ljust(column)}{line}\n")
            name = ""


def _respelled(args: Iterable[str], known: set[str]) -> Iterator[str]:
    """Give the words with options as they are called now."""
    given = iter(args)
    for word in given:
        option, equals, value = word.partition("=")
        new = RENAMED.get(option, "")
        if new in known and option not in known:
            deprecated(option, new)
            word = f"{new}{equals}{value}"
        yield word
        if word == "--":
            break
    yield from given
