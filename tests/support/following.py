"""What one does with a remedy that a command printed: the words to type, from the line itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

WORDS = {"NEW": "new.nssm", "DATA": "digits:train:4", "FAMILY": "spikingssm", "FILE": "t.npz"}
Follow = Callable[[str, list[str]], list[str]]


def quoted(err: str, words: list[str]) -> list[str]:
    """The command between quotes."""
    found = re.findall(r"['`]neurossm ([^'`]+)['`]", err)
    return [WORDS.get(word, word) for word in shlex.split(found[0])]


def ending(err: str, words: list[str]) -> list[str]:
    """The command at the end of the line."""
    return [WORDS.get(word, word) for word in shlex.split(err.rpartition("neurossm ")[2])]


def option(*more: str) -> Follow:
    """The same command, with the option that the message names."""

    def follow(err: str, words: list[str]) -> list[str]:
        assert more[0] in err
        return [*words, *more]

    return follow


def printed(pattern: str) -> Follow:
    """The same command, with the option and the value that the message gives."""

    def follow(err: str, words: list[str]) -> list[str]:
        found = re.search(pattern, err)
        assert found, err
        return [*words, *shlex.split(found[1] if found.groups() else found[0])]

    return follow


def setting(err: str, words: list[str]) -> list[str]:
    """The same command, with the setting of the recipe that the message gives."""
    (told,) = re.findall(r"--set (\S+=\S+)", err)
    key = told.rstrip(",)").partition("=")[0]
    same = [k for k, word in enumerate(words) if word.startswith(f"{key}=")]
    if not same:
        return [*words, "--set", told.rstrip(",)")]
    return [told.rstrip(",)") if k in same else word for k, word in enumerate(words)]


def instead(old: str, new: str, said: str) -> Follow:
    """The same command, with another word, as the message says."""

    def follow(err: str, words: list[str]) -> list[str]:
        assert re.search(said, err), err
        return [new if word == old else word for word in words]

    return follow


def told(said: str, *command: str) -> Follow:
    """Another command, that the message names without its arguments."""

    def follow(err: str, words: list[str]) -> list[str]:
        assert said in err, err
        return list(command)

    return follow


def without(word: str) -> Follow:
    def follow(err: str, words: list[str]) -> list[str]:
        assert f"without {word}" in err
        return [one for one in words if one != word]

    return follow


def first_count(err: str, words: list[str]) -> list[str]:
    spec = re.search(r"at most (\d+) samples \(--data (\S+:\1)\)", err)
    return [spec[2] if word in ("digits:test:9", "long.npz") else word for word in words]


def run_again(err: str, words: list[str]) -> list[str]:
    found = re.search(r"(\S+/recipe.toml) is its recipe, and (--out \S+ --resume)", err)
    return ["train", found[1], *found[2].split()]


@dataclass(frozen=True)
class Case:
    """A command that stops with a remedy, and what one does then.

    `remedy` is the key of the remedy in `remedies()`; empty where it has nothing to type.
    """

    command: str
    follow: Follow
    remedy: str = ""
