"""One guard for all paths of all commands: what a command reads, it does not overwrite.

Nor does a graph or a trace replace a file of another kind, or such a file a graph or a trace.

Each option that names a file says in its annotation what for (`READS`, `WRITES`, ...); an option of
type `Path` that does not is an error when the commands are put together. `Commands` wraps every
command, so that the guard runs before any of its work.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo

from neurossm.errors import InputError
from neurossm_cli.presentation import reading, replaceable
from neurossm_cli.presentation.help import Command
from neurossm_cli.presentation.reading import Arguments
from neurossm_cli.presentation.typed import as_typed


@dataclass(frozen=True)
class Reads:
    """Marks an option that names what the command reads.

    Attributes
    ----------
    covers
        From what was typed, an output, and all arguments to the file that is read and that the
        output would replace; None if there is none.
    """

    covers: Callable[[str, Path, Arguments], Path | None]


@dataclass(frozen=True)
class Writes:
    """Marks an option that names what the command writes.

    Attributes
    ----------
    files
        From what was typed and all arguments to the files; None: the option names the file itself,
        which must lie in a folder that exists.
    ours
        Whether it replaces only what is a graph or a trace already.
    predictions
        Whether it replaces only what are predictions already.
    """

    files: Callable[[Path, Arguments], Iterable[Path]] | None = None
    ours: bool = False
    predictions: bool = False


@dataclass(frozen=True)
class Option:
    """A parameter of a command that names files."""

    parameter: str
    label: str
    role: Reads | Writes

    def values(self, arguments: Arguments) -> list[str]:
        """Return what was typed for it; nothing where it was left out."""
        given = arguments.get(self.parameter)
        if given is None or given == "":
            return []
        return [str(one) for one in given] if isinstance(given, list | tuple) else [str(given)]


READS = Reads(reading.itself)
READS_CHIP = Reads(reading.chip)
READS_RECIPE = Reads(reading.recipe)
READS_RUN = Reads(reading.run)
READS_DATA = Reads(reading.data)
WRITES = Writes()
WRITES_OURS = Writes(ours=True)  # a graph or a trace
WRITES_PREDICTIONS = Writes(predictions=True)
WRITES_WITH_FOLDER = Writes(lambda file, arguments: [file])  # the command makes its folder


def writes_into(*names: str) -> Writes:
    """Return the mark of an option that names a folder in which these files are written."""
    return Writes(lambda folder, arguments: [folder / name for name in names])


def options_of(command: Callable[..., Any]) -> tuple[Option, ...]:
    """Return the options of a command that name files.

    Raises
    ------
    TypeError
        If a parameter is of type `Path`, and its annotation does not say what for.
    """
    found = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        hint = parameter.annotation
        marks = hint.__metadata__ if get_origin(hint) is Annotated else ()
        role = next((mark for mark in marks if isinstance(mark, Reads | Writes)), None)
        if role is not None:
            found.append(Option(name, _label(name, marks), role))
        elif _holds_path(hint):
            raise TypeError(f"{command.__qualname__}: {name} is a path: mark it READS or WRITES")
    return tuple(found)


def check_paths(options: Iterable[Option], arguments: Arguments) -> None:
    """Refuse, before any work is done, an output that cannot be written or that is read too.

    Raises
    ------
    InputError
        If an output is what another option reads or writes: the same file, by whatever name; or if
        a graph or a trace would replace a file of another kind, or the other way round.
    """
    written: list[Path] = []
    options = tuple(options)
    for option in options:
        if not isinstance(option.role, Writes):
            continue
        for value in option.values(arguments):
            for file in _outputs(option, Path(value), arguments):
                other = _read(file, options, arguments) or reading.among(written, file)
                if other is not None:
                    raise InputError(
                        f"{option.label} {value}", expected="a file of its own",
                        got=f"the same file as {other}", remedy="give it another name",
                    )  # fmt: skip
                written.append(file)
    for option in options:
        if isinstance(option.role, Writes) and option.role.files is None:
            for value in option.values(arguments):
                _check_kind(option.label, Path(value), option.role)


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with the guard in front; raises as `options_of`."""
    options = options_of(command)

    @functools.wraps(command)
    def checked(**arguments: Any) -> Any:
        check_paths(options, arguments)
        with as_typed():
            return command(**arguments)

    return checked


class Commands(typer.Typer):
    """Commands of which each runs behind the guard."""

    def command(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Register a command; as of `typer.Typer`."""
        kwargs.setdefault("cls", Command)
        register = super().command(*args, **kwargs)

        def registered(command: Callable[..., Any]) -> Callable[..., Any]:
            register(guarded(command))
            return command

        return registered


def _outputs(option: Option, path: Path, arguments: Arguments) -> Iterable[Path]:
    from neurossm.store import check_output

    assert isinstance(option.role, Writes)
    if option.role.files is not None:
        return option.role.files(path, arguments)
    check_output(option.label, path)
    return [path]


def _check_kind(label: str, path: Path, role: Writes) -> None:
    from neurossm.store import check_no_graph, check_replaceable

    check = check_replaceable if role.ours else check_no_graph
    check(label, path)
    if role.predictions and not replaceable.by_predictions(path):
        raise InputError(
            f"{label} {path}", expected="a new name, or predictions that may be replaced",
            got="another file", remedy="give it another name",
        )  # fmt: skip


def _read(output: Path, options: Iterable[Option], arguments: Arguments) -> Path | None:
    for option in options:
        if isinstance(option.role, Reads):
            for value in option.values(arguments):
                if found := option.role.covers(value, output, arguments):
                    return found
    return None


def _label(name: str, marks: Iterable[Any]) -> str:
    """Return how an option is typed."""
    info = next((mark for mark in marks if isinstance(mark, OptionInfo | ArgumentInfo)), None)
    if isinstance(info, OptionInfo):
        # in an annotation the first name stands where the default would
        names = [n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str)]
        return names[0] if names else f"--{name.replace('_', '-')}"
    return name.upper()


def _holds_path(hint: Any) -> bool:
    return hint is Path or any(_holds_path(part) for part in get_args(hint))
