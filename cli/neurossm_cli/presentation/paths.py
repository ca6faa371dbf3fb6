"""One guard for all paths of all commands: what a command reads, it does not overwrite.

Each option that names a file says in its annotation what for (`READS`, `WRITES`, ...); an option of
type `Path` that does not is an error when the commands are put together. `Commands` wraps every
command, so that the guard runs before any of its work.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo

from neurossm.errors import InputError, NeurossmError
from neurossm_cli.presentation.typed import as_typed

Arguments = Mapping[str, Any]
# no command of ours leaves anything else in a folder of data
OURS = (".nssm", ".html", ".svg", ".csv", ".json", ".pdf", ".safetensors")
NO_DATA = tuple(suffix for suffix in OURS if suffix != ".csv")  # of one's own


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
    """

    files: Callable[[Path, Arguments], Iterable[Path]] | None = None


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


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file, by links of either kind too.

    What is no regular file (a terminal, ``/dev/null``) loses nothing when it is written to.
    """
    try:
        if one.exists() and other.exists():
            return not _is_stream(one) and os.path.samefile(one, other)
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # who opens it says what is wrong with it
        return False


def _is_stream(path: Path) -> bool:
    return not path.is_file() and not path.is_dir()


def _among(files: Iterable[Path], output: Path) -> Path | None:
    return next((file for file in files if same_file(file, output)), None)


def _itself(given: str, output: Path, arguments: Arguments) -> Path | None:
    return _among([Path(given)], output)


def _chip(given: str, output: Path, arguments: Arguments) -> Path | None:
    ours = resources.files("neurossm.hardware") / f"{given}.toml"
    return _among([Path(given), Path(str(ours))], output)


def _recipe(given: str, output: Path, arguments: Arguments) -> Path | None:
    try:
        from neurossm_models.train.recipe import recipe_path

        return _among([recipe_path(given)], output)
    except (ImportError, NeurossmError):  # the command says what is wrong with it
        return None


def _run(given: str, output: Path, arguments: Arguments) -> Path | None:
    try:
        from neurossm_models.train import CHECKPOINTS, RUN_FILES
    except ImportError:
        return None
    folders = (Path(given), CHECKPOINTS / given)
    if (module := Path(given.rpartition(":")[0])).suffix == ".py":  # FILE.py:FUNCTION
        return _among([module], output)
    return _among((folder / name for folder in folders for name in RUN_FILES), output)


def _data(given: str, output: Path, arguments: Arguments) -> Path | None:
    """Return what an output would replace: a file of the data, or one beside it in its folder."""
    try:
        from neurossm_models.data import is_own, registry

        parts = given.split(":")
        named = [Path(":".join(parts[: k + 1])) for k in range(len(parts))]
        if found := _among((file for file in named if file.is_file()), output):
            return found
        if is_own(given):
            return _own_data(given, output)
        places = [entry.found for entry in registry(arguments.get("data_dir") or None)
                  if entry.name == parts[0]]  # fmt: skip
        file = output.resolve()
        inside = any(place and file.is_relative_to(Path(place).resolve()) for place in places)
        return output if inside and file.is_file() and file.suffix not in OURS else None
    except (ImportError, NeurossmError, OSError, RuntimeError, ValueError):
        return None


def _own_data(given: str, output: Path) -> Path | None:
    """Return the output if it is there and may be part of data of one's own."""
    from neurossm_models.data.own import parse_own

    spec = parse_own(given)
    path = Path(spec.source.partition(":")[0] if spec.scheme else spec.source)
    if path.is_file() and same_file(path, output):
        return path
    # a folder of recordings, or arrays that lie beside each other
    folder = path if path.is_dir() else path.parent if path.suffix == ".npy" else None
    file = output.resolve()
    inside = folder is not None and file.is_relative_to(folder.resolve())
    return output if inside and file.is_file() and file.suffix not in NO_DATA else None


READS = Reads(_itself)
READS_CHIP = Reads(_chip)
READS_RECIPE = Reads(_recipe)
READS_RUN = Reads(_run)
READS_DATA = Reads(_data)
WRITES = Writes()
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
        If an output is what another option reads or writes: the same file, by whatever name.
    """
    written: list[Path] = []
    options = tuple(options)
    for option in options:
        if not isinstance(option.role, Writes):
            continue
        for value in option.values(arguments):
            for file in _outputs(option, Path(value), arguments):
                other = _read(file, options, arguments) or _among(written, file)
                if other is not None:
                    raise InputError(
                        f"{option.label} {value}", expected="a file of its own",
                        got=f"the same file as {other}", remedy="give it another name",
                    )  # fmt: skip
                written.append(file)


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
