"""What options accept, known without the libraries that give it its meaning: help stays fast.

Names of files (chips, recipes, checkpoints) are read from the folders they lie in. The other words
have their home in a package that needs NumPy; a test compares them with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from neurossm.errors import InputError, nearest

RANGE_RULES = ("observed", "percentile", "bound", "tightest")
TASKS = ("classification", "multilabel", "regression", "step-classification",
         "step-regression", "next-step")  # fmt: skip
READOUTS_OF_MODULES = ("mean", "last", "max", "sum", "every-step")
READOUTS_OF_FILES = ("last", "max", "sum", "leaky", "every-step")
NORMALIZE = ("none", "standard")
NIR = ("strict", "auto", "off", "proposed")
FORMATS = ("nir", "netx", "s4")
CONVENTIONS = ("exact", "euler", "snntorch", "norse", "norse-dt", "norse-s", "sinabs",
               "spikingjelly", "rockpool")  # fmt: skip
TIME_UNITS = ("ms", "s")
RESETS = ("nir", "subtract", "subtract-late", "none")
COMPARISONS = ("gt", "ge")
METHODS = ("zoh", "bilinear")
SSM_MAPPINGS = ("state", "channel")
PRUNING_SCOPES = ("erk", "layer", "global")
TARGETS = ("loihi2", "lava")
GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")
ENGINES = ("fast", "reference", "float", "lava", "dask", "gpu", "bundle", "loihi2")
FETCHED = ("mnist",)


def _files(package: str, pattern: str) -> list[Path]:
    """Return the files of a package that match, in order; the package is not imported."""
    found = find_spec(package)
    places = () if found is None else found.submodule_search_locations or ()
    return sorted(file for place in places for file in Path(place).glob(pattern))


def chips() -> tuple[str, ...]:
    """Return the names of the chip files that come with neurossm."""
    return tuple(file.stem for file in _files("neurossm", "hardware/*.toml"))


def recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with neurossm."""
    return tuple(file.stem for file in _files("neurossm_models", "recipes/*.toml"))


def families() -> tuple[str, ...]:
    """Return the families of models, each with a recipe for data of one's own."""
    return tuple(file.stem for file in _files("neurossm_models", "recipes/own/*.toml"))


def tasks_of_recipes() -> tuple[str, ...]:
    """Return what stands behind the family in the names of recipes, without variants."""
    found = {name.removeprefix(f"{family}-") for name in recipes() for family in families()
             if name.startswith(f"{family}-")}  # fmt: skip
    return tuple(sorted(one for one in found if "-" not in one))


def checkpoints() -> tuple[str, ...]:
    """Return the names of the trained networks that come with neurossm."""
    found = _files("neurossm_models", "checkpoints/*/recipe.toml")
    return tuple(file.parent.name for file in found)


def listed(names: Iterable[str]) -> str:
    """Return names as help and messages list them."""
    return " | ".join(names)


def choice(
    names: tuple[str, ...],
    help: str,
    *declarations: str,
    metavar: str,
    of_node: bool = False,
    **more: Any,
) -> Any:
    """Return an option that takes one of some words: listed in its help, checked, completed.

    Parameters
    ----------
    names
        The words.
    help
        What it is; the words stand where it says ``{}``.
    declarations
        How it is typed, where that is not the parameter's name.
    metavar
        What its value is called in the help.
    of_node
        Whether ``NODE=`` may stand in front of the word, or must where `metavar` has no brackets.
    **more
        As of `typer.Option`.
    """
    return typer.Option(
        *declarations,
        metavar=metavar,
        help=help.format(listed(names)),
        callback=_check(names, of_node, metavar),
        autocompletion=_completion(names),
        **more,
    )


def _check(names: tuple[str, ...], of_node: bool, metavar: str) -> Callable[..., Any]:
    def check(param: typer.CallbackParam, value: Any) -> Any:
        for given in value if isinstance(value, list | tuple) else (value,):
            node, equals, word = given.rpartition("=") if of_node and given else ("", "", given)
            where = f"{param.opts[0]} {node!r}" if node else param.opts[0]
            if of_node and not equals and "[" not in metavar:
                continue  # the command says that a node must be named
            if word and word not in names:
                raise InputError(where, expected=listed(names), got=repr(word),
                                 remedy=nearest(word, names))  # fmt: skip
        return value

    return check


def _completion(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
