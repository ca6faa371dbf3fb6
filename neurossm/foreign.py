"""Code of the user's own while it runs: whatever it does, a command ends with one clear line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from neurossm.errors import InputError, NeurossmError


@contextmanager
def running(where: str, expected: str, remedy: str = "") -> Iterator[None]:
    """Within this, code of the user's runs: what it raises becomes an `InputError`.

    ``sys.exit`` counts as an error, too: a file that is a program ends nothing but itself.

    Parameters
    ----------
    where, expected, remedy
        As of an `InputError`.

    Raises
    ------
    InputError
        With type and message of what was raised; those of neurossm itself stay as they are.
    """
    try:
        yield
    except NeurossmError:
        raise
    except SystemExit as error:
        got = "sys.exit()" if error.code is None else f"sys.exit({error.code!r})"
        remedy = remedy or "keep a program under 'if __name__ == \"__main__\":'"
        raise InputError(where, expected=expected, got=got, remedy=remedy) from error
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise InputError(where, expected=expected, got=got, remedy=remedy) from error


def run_file(where: str, path: Path) -> ModuleType:
    """Run a file of Python as ``python FILE`` does, and return what it defines.

    It may import what lies beside it.

    Raises
    ------
    InputError
        If there is no such file, or it fails; names its line then.
    """
    if not path.is_file():
        raise InputError(where, problem="there is no such Python file",
                         remedy="give its path from the folder that you are in")  # fmt: skip
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(where, problem="it is not a Python file (.py)")
    module = module_from_spec(spec)
    folder, before = str(path.resolve().parent), sys.modules.get(path.stem)
    sys.path.insert(0, folder)
    sys.modules[path.stem] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        with running(f"{where}{_line_of(error, path)}", "a file of Python that runs"):
            raise
    finally:
        sys.path.remove(folder)
        if before is not None:
            sys.modules[path.stem] = before
    return module


def _line_of(error: BaseException, path: Path) -> str:
    """Return in which line of a file an error was raised; nothing where in none."""
    found, trace = "", error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            found = f" at {path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
