"""Whether what was printed has the shape of what a page shows: other numbers, the same words."""

from __future__ import annotations

import difflib
import re

# not within a word, as in int8, S4D, loihi2
_NUMBER = re.compile(
    r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)*(?:e[-+]?\d+)?"
    r"(?: ?(?P<prefix>[fpnuµmkMGT])?(?P<unit>s|J|W|B|Hz)\b)?(?!\w)"
)
_ANY_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)*(?:e[-+]?\d+)?"
_RULES = re.compile(r"[─━│┃┌┐└┘├┤┬┴┼╭╮╯╰═╌]+")


def differs(expected: str, printed: str) -> str:
    """Return what differs, as a diff of lines; empty if the shapes are the same.

    Numbers stand for any number, with any prefix of their unit; ``...`` within a line for any text,
    and as a line for any lines. Blank lines, runs of blanks and rules of tables do not count.
    """
    wanted, found = _lines(expected), _lines(printed)
    pattern = "".join(map(_pattern, wanted))
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in found)):
        return ""
    shown = difflib.unified_diff(wanted, found, "the page", "printed", lineterm="", n=1)
    return "\n".join(shown) or f"expected {wanted}, got {found}"


def _lines(text: str) -> list[str]:
    lines = (" ".join(_RULES.sub(" ", line).split()) for line in text.splitlines())
    return [line for line in lines if line]


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:[^\n]*\n)*?"
    parts, at = [], 0
    for number in _NUMBER.finditer(line):
        parts += [_words(line[at : number.start()]), _ANY_NUMBER]
        if number["unit"]:
            parts.append(rf" ?[fpnuµmkMGT]?{number['unit']}")
        at = number.end()
    return "".join([*parts, _words(line[at:]), r"\n"])


def _words(text: str) -> str:
    return "".join(r"[^\n]*" if part == "..." else re.escape(part)
                   for part in re.split(r"(\.\.\.)", text))  # fmt: skip
