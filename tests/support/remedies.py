"""What the product tells its users to type: the remedies in its source that hold a command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("cli", "neurossm", "converters", "models", "workflows")
COMMANDS = sorted(file.stem.rstrip("_") for file in (ROOT / "cli/neurossm_cli").glob("[a-z]*.py"))
TYPED = re.compile(
    rf"neurossm (?:{'|'.join(COMMANDS)})\b(?: fetch| show)?"
    r"|--[a-z][a-z-]*(?:[ =](?:train|model)\.\w+)?|pip install|torchrun"
)


def words_typed(text: str) -> tuple[str, ...]:
    """The commands and options that a text tells to type, each once."""
    found = [word.replace("=", " ") for word in TYPED.findall(text)]
    return tuple(dict.fromkeys(found))


def texts(value: ast.AST) -> Iterator[str]:
    """The strings of an expression, ``{}`` where a value is filled in."""
    if isinstance(value, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}"
                      for part in value.values)  # fmt: skip
    elif isinstance(value, ast.Constant):
        if isinstance(value.value, str):
            yield value.value
    else:
        for part in ast.iter_child_nodes(value):
            yield from texts(part)


def remedies() -> dict[str, str]:
    """Each remedy with something to type, by its file and what is to be typed: its text."""
    found: dict[str, str] = {}
    for source in SOURCES:
        for file in sorted((ROOT / source).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for text in _of(node):
                    if typed := words_typed(text):
                        found[f"{file.name}: {' '.join(typed)}"] = text
    return found


def _of(node: ast.AST) -> Iterator[str]:
    named = isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Name) and "remedy" in one.id for one in node.targets
    )
    if named or (isinstance(node, ast.keyword) and node.arg == "remedy"):
        yield from texts(node.value)
