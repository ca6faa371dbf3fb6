"""Texts that a user reads, and the replaced terms that stand in them.

``python tests/support/words.py`` lists every hit by file; names of files or folders limit it.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = ROOT / "tests/architecture/words.toml"
PACKAGES = (
    "neurossm",
    "models/neurossm_models",
    "converters/neurossm_chip",
    "converters/neurossm_converters",
    "workflows/neurossm_workflows",
    "cli/neurossm_cli",
)
PAGES = (
    "README.md", "FORMAT.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/**/*.md",
    "models/**/*.md", "hw_tests/README.md", "benchmarks/README.md",
    "neurossm/report/templates/*.html",
)  # fmt: skip
ERRORS = re.compile(r"(Error|Failed|Refusal|Warning)$")


@dataclass(frozen=True)
class Hit:
    """A replaced term: file, line, the words, and what to say instead."""

    file: str
    line: int
    term: str
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.found!r}, say: {self.instead}"


def terms() -> dict[str, str]:
    """Return the regular expressions with what to say instead."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    spelling = {rf"\b{old}": new for old, new in listed["spelling"].items()}
    return {**listed["terms"], **spelling}


def hits(file: str, texts: Iterator[tuple[int, str]], listed: dict[str, str]) -> Iterator[Hit]:
    """Yield the replaced terms in the texts of a file, each with its first line."""
    for line, text in texts:
        for term, instead in listed.items():
            # a term may go on in the next line
            pattern = term.replace(" ", r"\s+")
            for found in re.finditer(pattern, text, re.IGNORECASE):
                at = line + text[: found.start()].count("\n")
                yield Hit(file, at, term, " ".join(found[0].split()), instead)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of what a user reads of a file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from python_texts(ast.parse(source))
    else:
        yield 1, source


def python_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield docstrings of a module and its public names, and texts of errors, with their lines."""
    yield from _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ERRORS.search(_called(node)):
            yield from _strings(node)


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
                ) -> Iterator[tuple[int, str]]:  # fmt: skip
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.lineno, value.value
    for inner in node.body:
        public = isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if public and not inner.name.startswith("_"):
            yield from _docstrings(inner)


def _called(node: ast.Call) -> str:
    name = node.func
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


def _strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.lineno, inner.value


def files() -> list[Path]:
    """Return the files whose texts a user reads."""
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return modules + [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]


def help_texts() -> Iterator[tuple[str, str]]:
    """Yield each command with its help as it is printed."""
    import typer
    from typer.testing import CliRunner

    from neurossm_cli.app import app

    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command in ("", *sorted(known)):
        arguments = [*filter(None, [command]), "--help"]
        yield command, CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}).output


def all_hits() -> list[Hit]:
    """Return every hit in files and in the help of commands (``help of NAME``)."""
    listed = terms()
    found: list[Hit] = []
    for path in files():
        found += hits(path.relative_to(ROOT).as_posix(), texts_of(path), listed)
    for command, text in help_texts():
        found += hits(f"help of {command or 'neurossm'}", iter([(1, text)]), listed)
    return found


if __name__ == "__main__":
    wanted = tuple(sys.argv[1:])
    for hit in all_hits():
        if not wanted or hit.file.startswith(wanted):
            print(hit)
