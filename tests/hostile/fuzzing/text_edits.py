"""Edits of TOML and JSON text: other values, keys, nesting, numbers beyond every range."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from hostile.fuzzing.bytewise import Seeds

DEEP = 5000  # levels; more than an interpreter's stack has
NUMBERS = ("0", "-1", "1", "2", "3", "-0.0", "0.5", "1e308", "1e-320", "1e999", "-1e999", "255",
           "2147483648", "9223372036854775807", "9223372036854775808", "1" + "0" * 30,
           "1" + "0" * 400, "9" * 5000, "0.1" + "3" * 40)  # fmt: skip
TOML_VALUES = (*NUMBERS, "nan", "inf", "-inf", "0x" + "f" * 40, "0x" + "f" * 5000, "true", "false",
               '""', '"mnist"', '"a\\u0000b"', '"\\u001b[2J"', "[]", "{}", "[1, 2]", "[[[]]]",
               "{a = 1}", "1979-05-27T07:32:00Z", "07:32:00", '"' + "x" * 5000 + '"',
               "[" * DEEP + "]" * DEEP, "[" * 400 + "]" * 400, "{a=" * DEEP,
               '"\\U0010ffff"', "'''\n'''")  # fmt: skip
JSON_VALUES = (*NUMBERS, "NaN", "Infinity", "-Infinity", "null", "true", "false", '""', '"x"',
               '"\\u0000"', '"\\ud800"', '"\\u001b[2J"', "[]", "{}", "[1]", '{"a": 1}',
               '"' + "x" * 5000 + '"', "[" * DEEP + "]" * DEEP,
               '{"a":' * DEEP + "1" + "}" * DEEP)  # fmt: skip
SIMPLE = tuple(value for value in JSON_VALUES if len(value) < DEEP)
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
TOML_VALUE = re.compile(r"(?<== )[^\n#]+")
JSON_VALUE = re.compile(r'(?<=: )("[^"\n]*"|[^\[{,\n\]}]+|\[[^\]]*\])')
WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")


def toml(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a TOML text with one to four edits."""
    return _edited(rng, content, TOML_VALUE, TOML_VALUES)


def json_text(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a JSON text with one to four edits, each made on the text or on what it means."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _edited(rng, content, JSON_VALUE, JSON_VALUES)
    if rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 2, 4))):
            document = json_value(rng, document)
        return json.dumps(document, indent=1).encode()
    return _edited(rng, content, JSON_VALUE, JSON_VALUES)


def json_value(rng: Random, value: Any) -> Any:
    """Return a JSON document with one edit somewhere inside."""
    inside = bool(value) and isinstance(value, list | dict)
    if not inside or rng.random() < 0.15:
        return json.loads(rng.choice(SIMPLE), parse_int=_int)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, changed = rng.choice(keys), value.copy()
    what = rng.random()
    if what < 0.15:
        del changed[key]
    elif what < 0.25 and isinstance(changed, dict):
        changed[rng.choice((key + "x", "", "\n", "a/b", "\x1b[2J"))] = changed.pop(key)
    elif what < 0.3 and isinstance(changed, list):
        changed += changed[:1] * rng.choice((1, 1000))
    else:
        changed[key] = json_value(rng, value[key])
    return changed


def _int(text: str) -> int | float:
    return int(text) if len(text) < 4000 else float("inf")


def _edited(rng: Random, content: bytes, value: re.Pattern[str], values: tuple[str, ...]) -> bytes:
    text = content.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(6)
        if kind == 0:
            text = _replace_one(rng, text, NUMBER, rng.choice(NUMBERS))
        elif kind <= 2:
            text = _replace_one(rng, text, value, rng.choice(values))
        elif kind == 3:
            text = _replace_one(rng, text, WORD, rng.choice(WORD.findall(text) or ["x"]))
        else:
            text = _lines(rng, text)
    return text.encode("utf-8", "replace")


def _replace_one(rng: Random, text: str, what: re.Pattern[str], new: str) -> str:
    found = list(what.finditer(text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start()] + new + text[one.end() :]


def _lines(rng: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(one, lines[other])
    elif kind == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 3:
        lines.insert(one, rng.choice(("[x]\n", "[[data]]\n", "a.b.c = 1\n", "\0\n", "\x1b[2J\n",
                                      "é\u2028\n", "\ufeff", "a." * 3000 + "b = 1\n")))  # fmt: skip
    else:
        lines[one] = lines[one].replace("=", rng.choice(("", "==", ":")), 1)
    return "".join(lines)
