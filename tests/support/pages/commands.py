"""Whether the commands of a page could be typed: options, names, targets, files; nothing runs."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer
from pages import ROOT
from pages.shell import ELSEWHERE, OF_SHELL
from typer.core import TyperGroup

from neurossm.errors import InputError, NeurossmError
from neurossm_cli.app import app
from neurossm_cli.presentation import paths


def wrong_with(words: Sequence[str], known: Sequence[str]) -> str:
    """Return what is wrong with a command; empty if it could be typed.

    Parameters
    ----------
    words
        The command and its arguments.
    known
        Files and folders that the page has made or shown before.
    """
    name, rest = words[0], list(words[1:])
    name = name.removeprefix(".venv/bin/").removeprefix("$(BIN)/")
    if name in ("uv", "pipx"):
        rest = rest[1:] if rest[:1] in (["pip"], ["run"], ["tool"]) else rest
        return _extras(rest)
    check = CHECKS.get(re.sub(r"^(python|pip)3?(\.\d+)?$", r"\1", name))
    if check is not None:
        return check(rest, known)
    return "" if name in ELSEWHERE or name in OF_SHELL else f"{name}: no command that is known here"


def _make(rest: list[str], known: Sequence[str]) -> str:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    wrong = [w for w in rest if "=" not in w and not w.startswith("-") and w not in targets]
    return f"make {', '.join(wrong)}: no such target" if wrong else ""


def _pip(rest: list[str], known: Sequence[str]) -> str:
    return _extras(rest)


def _extras(words: list[str]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    there = project["optional-dependencies"]
    for word in words:
        asked = re.match(r"(?:neurossm|\.)\[([\w, -]+)\]", word)
        for extra in re.split(r"\s*,\s*", asked[1]) if asked else ():
            if extra not in there:
                return f"{word}: no extra {extra!r}"
    return ""


def _python(rest: list[str], known: Sequence[str]) -> str:
    if rest[:1] == ["-m"] and len(rest) > 1:
        if rest[1] == "pip":
            return _extras(rest[2:])
        if rest[1] == "neurossm":
            return _neurossm(rest[2:], known)
        top = rest[1].partition(".")[0]
        there = importlib.util.find_spec(top) or (ROOT / "tests" / top).is_dir()
        return "" if there or top in ("venv", "pytest") else f"python -m {rest[1]}: no such module"
    if not rest or rest[0] in ("-c", "-"):
        return ""
    file = next((word for word in rest if not word.startswith("-")), "")
    return "" if _is_known(file, known) else f"python {file}: no such file"


def _is_known(file: str, known: Sequence[str]) -> bool:
    return (ROOT / file).exists() or any(
        file == one or file.startswith(f"{one.rstrip('/')}/") for one in known
    )


def _neurossm(rest: list[str], known: Sequence[str]) -> str:
    called = " ".join(["neurossm", *rest])
    try:
        context: Any = _root().make_context("neurossm", list(rest))
        while isinstance(context.command, TyperGroup):
            words = [*context._protected_args, *context.args]
            name, command, words = context.command.resolve_command(context, words)
            context = command.make_context(name, words, parent=context)
        return _names(called, context, known)
    except typer.Exit:  # --help and --version print and end
        return ""
    except typer.TyperException as error:
        return f"{called}: {error.format_message()}"
    except NeurossmError as error:
        return f"{called}: {error}"


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _names(called: str, context: Any, known: Sequence[str]) -> str:
    """Look up what the arguments of a command name."""
    command = inspect.unwrap(context.command.callback)
    given = context.params
    for option in paths.options_of(command):
        look = LOOKS.get(id(option.role))
        for value in option.values(given) if look is not None else ():
            if not _is_known(value.partition(":")[0], known):
                look(value)
    if engine := given.get("engine"):
        _engine(str(engine), known)
    if changes := given.get("set_"):
        from neurossm_models.train.recipe import load_recipe

        own = ["data.path=own.npz"] if given.get("data") else []
        if not str(given["recipe"]).endswith(".toml"):
            load_recipe(given["recipe"], [*own, *map(str, changes)])
    return ""


def _engine(text: str, known: Sequence[str]) -> None:
    from neurossm.executors import choose

    if text.partition(":")[0] not in known:  # a plug-in that the page shows
        choose(text, "--engine")


def _recipe(text: str) -> None:
    from neurossm_models.train.recipe import recipe_path

    if Path(text).suffix != ".toml":
        recipe_path(text)


def _run(text: str) -> None:
    from neurossm_models.train import CHECKPOINTS

    place = Path(text.rpartition(":")[0] or text)
    names = sorted(path.name for path in CHECKPOINTS.iterdir() if path.is_dir())
    if "/" not in text and place.suffix != ".py" and text not in names:
        raise InputError("checkpoint", expected=" | ".join(names), got=repr(text))


def _data(text: str) -> None:
    from neurossm_models.data import is_own
    from neurossm_models.data.own import parse_own
    from neurossm_models.data.registry import parse
    from neurossm_models.data.sets import SOURCES

    if is_own(text):
        parse_own(text)
    elif ":" in text:
        parse(text)
    elif text not in SOURCES:
        raise InputError("data", expected="a registered name or a path", got=repr(text))


def _chip(text: str) -> None:
    from neurossm.hardware import load_hardware

    if Path(text).suffix != ".toml":
        load_hardware(text)


LOOKS: dict[int, Callable[[str], None]] = {
    id(paths.READS_RECIPE): _recipe,
    id(paths.READS_RUN): _run,
    id(paths.READS_DATA): _data,
    id(paths.READS_CHIP): _chip,
}
CHECKS: dict[str, Callable[[list[str], Sequence[str]], str]] = {
    "neurossm": _neurossm,
    "make": _make,
    "pip": _pip,
    "python": _python,
}
