"""What a user reads says it in the terms of the field, in American spelling: words.toml."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

from words import all_hits, help_texts, hits, python_texts, terms

ALLOWED = Path(__file__).parent / "words_allowed.toml"


def test_no_replaced_term_is_read_by_a_user():
    """A file has exactly the hits that are listed with a reason: an entry with none left fails."""
    listed = tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["allowed"]
    allowed = {(one["file"], one["term"]): one["count"] for one in listed if one["reason"]}
    found = all_hits()
    counts = Counter((hit.file, hit.term) for hit in found)
    new = [str(hit) for hit in found
           if counts[hit.file, hit.term] > allowed.get((hit.file, hit.term), 0)]  # fmt: skip
    stale = [f"{file}: {term} stands there {counts[file, term]} times, {count} are allowed"
             for (file, term), count in allowed.items() if counts[file, term] < count]  # fmt: skip
    assert not new and not stale, "\n".join(new + stale)


def test_docstrings_and_errors_are_read_and_other_strings_are_not():
    source = '''"""The colour of a module."""
GREY = "grey"
def public():
    """Its behaviour,
    modelled."""
    raise InputError("a licence", got=f"{GREY} neighbour")
def _private():
    """A labelled one."""
'''
    found = [(hit.line, hit.found.lower(), hit.instead)
             for hit in hits("x.py", python_texts(ast.parse(source)), terms())]  # fmt: skip
    assert sorted(found) == [
        (1, "colour", "color"), (4, "behaviour", "behavior"), (5, "modelled", "modeled"),
        (6, "licence", "license"), (6, "neighbour", "neighbor"),
    ]  # fmt: skip


def test_a_term_is_found_across_a_line():
    text = iter([(3, "one\nheld\n  out part")])
    assert [(hit.line, hit.found) for hit in hits("x.md", text, terms())] == [(4, "held out")]


def test_the_help_of_every_command_is_read():
    texts = dict(help_texts())
    assert {"", "run", "train"} <= {*texts} and all("Usage:" in text for text in texts.values())
