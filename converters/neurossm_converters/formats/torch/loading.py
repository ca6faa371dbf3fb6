"""A module of one's own from a file of Python, with its weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from neurossm.errors import InputError
from neurossm.foreign import run_file, running
from neurossm_converters.formats.torch.builder import Converter
from neurossm_converters.formats.torch.traced.frames import UNKNOWN, raised_at

# arguments that the function may ask for by name: facts of the data, as in a recipe
FACTS = ("in_features", "classes", "vocabulary", "steps")


def build_module(spec: str, weights: str | Path | None = None) -> nn.Module:
    """Return the module that a function of a file builds, in evaluation mode.

    The file is run, as ``python FILE`` would. Weights are read without running code from them, onto
    the CPU.

    Parameters
    ----------
    spec
        ``FILE.py:FUNCTION``; the function takes no arguments and returns an `nn.Module` (a class
        does as well).
    weights
        A file of ``torch.save(model.state_dict(), ...)``, also under the key ``state_dict``,
        ``model_state_dict`` or ``model`` of a dictionary, or a ``.safetensors`` file. None where
        the function loads them.

    Raises
    ------
    InputError
        For a file or function that is not there or fails, and for weights that do not fit: missing,
        unexpected, of another shape.
    """
    return build_with(spec, weights)[0]


def build_with(
    spec: str,
    weights: str | Path | None = None,
    converters: str = "",
    facts: Callable[[], Mapping[str, int]] | None = None,
) -> tuple[nn.Module, dict[type[nn.Module], Converter]]:
    """Return the module as `build_module` does, and the converters that stand beside it.

    Parameters
    ----------
    spec, weights
        As of `build_module`.
    converters
        Name of a dictionary in the same file: module type to function, as `from_torch` takes it.
        Empty: none.
    facts
        Returns the facts of the data by the names of `FACTS`; called if the function has an
        argument of such a name without a default. None: the function takes no arguments.

    Raises
    ------
    InputError
        As `build_module`; if there is no such dictionary, or it holds something else.
    """
    path, _, name = spec.rpartition(":")
    if not path or not name.isidentifier():
        raise InputError(f"module {spec!r}", expected="FILE.py:FUNCTION", got="something else")
    loaded = run_file(f"file {path!r}", Path(path))
    function = getattr(loaded, name, None)
    if not callable(function):
        own = (key for key, value in vars(loaded).items() if callable(value)
               and getattr(value, "__module__", "") == loaded.__name__)  # fmt: skip
        names = sorted(own)
        raise InputError(f"module {spec!r}", expected=f"a function {name!r} in {path}", got="none",
                         remedy=f"there are: {', '.join(names)}" if names else "")  # fmt: skip
    given = _arguments(f"module {spec!r}", function, facts)
    try:
        model = function(**given)
    except (Exception, SystemExit) as error:
        with running(f"module {spec!r}{_place(error)}",
                     "a function that builds the module"):  # fmt: skip
            raise
    if not isinstance(model, nn.Module):
        raise InputError(f"module {spec!r}", expected="an nn.Module", got=type(model).__name__,
                         remedy="return the module from the function")  # fmt: skip
    if weights is not None:
        load_weights(model, Path(weights))
    return model.eval(), _converters(loaded, converters, path)


def _arguments(
    where: str,
    function: Callable[..., Any],
    facts: Callable[[], Mapping[str, int]] | None,
) -> dict[str, int]:
    """Return the facts of the data for the arguments that have no default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a callable without a signature
        return {}
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in parameters
              if one.default is inspect.Parameter.empty and one.kind not in kinds]  # fmt: skip
    known = FACTS if facts is not None else ()
    unknown = [name for name in needed if name not in known]
    if unknown:
        taken = f"a function of no arguments, or of {', '.join(known)}" if known else (
            "a function without arguments")  # fmt: skip
        raise InputError(where, expected=f"{taken}, that builds the module",
                         got=f"one that requires {', '.join(unknown)}",
                         remedy="give them defaults")  # fmt: skip
    if not needed or facts is None:
        return {}
    values = facts()
    return {name: values[name] for name in needed}


def _converters(loaded: ModuleType, name: str, path: str) -> dict[type[nn.Module], Converter]:
    found = getattr(loaded, name, None) if name else {}
    if not isinstance(found, Mapping):
        raise InputError(f"converters {name!r}", expected=f"a dictionary {name!r} in {path}",
                         got="none" if found is None else type(found).__name__,
                         remedy=f"{name} = {{MyLayer: my_converter}}")  # fmt: skip
    for kind, function in found.items():
        if not (isinstance(kind, type) and issubclass(kind, nn.Module) and callable(function)):
            raise InputError(f"converters {name!r}", expected="module types to functions",
                             got=f"{kind!r}: {function!r}")  # fmt: skip
    return dict(found)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights into a module; raises `InputError` as `build_module` does."""
    found = _read(path)
    own = model.state_dict()
    found = _renamed(found, own)
    missing, unexpected = sorted(set(own) - set(found)), sorted(set(found) - set(own))
    misshapen = [key for key in own if key in found and own[key].shape != found[key].shape]
    if missing or unexpected or misshapen:
        words = [_listed("missing", missing), _listed("unexpected", unexpected)]
        words += [
            f"{key!r} of shape {tuple(found[key].shape)} instead of {tuple(own[key].shape)}"
            for key in misshapen[:3]
        ]
        raise InputError(
            f"weights {str(path)!r}", expected=f"those of the module ({len(own)} tensors)",
            got="; ".join(word for word in words if word),
            remedy="build the module with the settings that it was trained with",
        )  # fmt: skip
    model.load_state_dict(found)


def _place(error: BaseException) -> str:
    """Return where in the user's files an error was raised; empty where in none."""
    place = raised_at(error)
    return "" if place == UNKNOWN else f" at {place}"


def _read(path: Path) -> dict[str, torch.Tensor]:
    where = f"weights {str(path)!r}"
    if not path.is_file():
        raise InputError(where, expected="a file", got="none")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(str(path), device="cpu")
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            where, expected="tensors, as torch.save(model.state_dict(), ...) or safetensors write",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            remedy="save the state_dict alone: objects in a file would have to run code",
        ) from None  # fmt: skip
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InputError(where, expected="a dictionary of tensors (a state_dict)",
                         got=type(found).__name__,
                         remedy="torch.save(model.state_dict(), path)")  # fmt: skip
    return found


def _renamed(found: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return keys without what wrappers put in front: DataParallel, torch.compile."""
    for prefix in ("module.", "_orig_mod.", "model.") * 2:  # in whatever order they were put
        if found and not set(found) & set(own) and all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    return found


def _listed(word: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{word} {', '.join(repr(name) for name in names[:4])}{more}"
