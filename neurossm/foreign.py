"""Code of the user's own while it runs: whatever it does, a command ends with one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
