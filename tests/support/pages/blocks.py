"""Fenced blocks of a page in Markdown, the marks in front of them, and hidden set-up."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

SHELL = ("sh", "bash", "shell")
MARKS = ("not run", "run instead", "file", "setup", "output", "fragment")
_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,}) *(?P<language>[\w.+-]*)(?P<more>.*)")
_TITLE = re.compile(r"""title=["']([^"']+)["']""")
_MARK = re.compile(rf"(?P<name>{'|'.join(MARKS)})(?::[ \t]*(?P<head>[^\n]*))?(?P<body>\n.*)?", re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block, or what a comment hides: a file to write, a set-up to execute.

    Attributes
    ----------
    line
        Of the fence or of the comment, from 1.
    language
        Of the fence; of hidden set-up ``python`` or ``sh``; empty for a file and for no language.
    text
        What is in it, without the indent of the fence.
    title
        The file that it is written to; empty where it is none.
    hidden
        Whether it is in a comment.
    marks
        Names of marks to what stands behind them.
    """

    line: int
    language: str
    text: str
    title: str = ""
    hidden: bool = False
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def left_out(self) -> str:
        """Why it is not executed; empty if it is."""
        return self.marks.get("not run", "") or self.marks.get("fragment", "")


class WrongMark(ValueError):
    """A comment looks like a mark, and is none that means something here."""


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order; raises as `parse`."""
    return parse(page.read_text(encoding="utf-8"))


def parse(text: str) -> list[Block]:
    """Return the blocks of a text in order.

    Raises
    ------
    WrongMark
        If a mark has no block behind it, or lacks its reason, name or text.
    """
    lines, found, marks, at = text.splitlines(), list[Block](), dict[str, str](), 0
    while at < len(lines):
        line, start = lines[at], at
        fence = _FENCE.fullmatch(line)
        if fence and "`" not in fence["more"]:
            at = _end_of_fence(lines, at, fence["ticks"])
            body = textwrap.dedent("\n".join(lines[start + 1 : at]))
            title = _TITLE.search(fence["more"])
            name = title[1] if title else ""
            if "file" in marks and not name:
                raise WrongMark(f"line {start + 1}: a file without title")
            found.append(Block(start + 1, fence["language"], body + "\n", name, marks=marks))
            marks = {}
        elif line.lstrip().startswith("<!--"):
            while "-->" not in lines[at]:
                at += 1
            comment = "\n".join(lines[start : at + 1]).strip()
            _take(comment.removeprefix("<!--").removesuffix("-->"), start + 1, found, marks)
        elif line.strip() and marks:
            raise WrongMark(f"line {start + 1}: expected a block behind {', '.join(marks)}")
        at += 1
    if marks:
        raise WrongMark(f"at the end: expected a block behind {', '.join(marks)}")
    return found


def _end_of_fence(lines: list[str], at: int, ticks: str) -> int:
    end = re.compile(rf" *{ticks[0]}{{{len(ticks)},}} *")
    for number in range(at + 1, len(lines)):
        if end.fullmatch(lines[number]):
            return number
    raise WrongMark(f"line {at + 1}: a block that does not end")


def _take(comment: str, line: int, found: list[Block], marks: dict[str, str]) -> None:
    """Enter a comment: hidden blocks among the blocks, marks for the block to come."""
    mark = _MARK.fullmatch(comment.strip())
    if mark is None:
        return
    name, head = mark["name"], (mark["head"] or "").strip()
    body = textwrap.dedent(mark["body"] or "").strip("\n")
    if name == "setup":
        if head not in ("python", "sh"):
            raise WrongMark(f"line {line}: setup is python or sh, got {head!r}")
        found.append(Block(line, head, body + "\n", hidden=True))
    elif name == "file" and body:
        found.append(Block(line, "", body + "\n", title=head, hidden=True))
    elif name in ("file", "output"):
        marks[name] = head
    else:
        said = body if name == "run instead" else f"{head} {body}".strip()
        if not said:
            raise WrongMark(f"line {line}: {name!r} says nothing")
        marks[name] = said


def indented_commands(text: str) -> int:
    """Return the number of indented blocks, which are not checked, that hold commands of ours."""
    outside, inside = [], False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            inside = not inside
        outside.append("" if inside else line)
    blocks = re.findall(r"(?:^|\n\n)((?: {4}[^\n]*\n?)+)", "\n".join(outside))
    return sum(bool(re.search(r"^ {4}(?:\$ )?neurossm ", block, re.M)) for block in blocks)
