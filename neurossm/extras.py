"""Optional packages: which extra brings which, and one line where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from neurossm.errors import TargetError

# lava-nc declares Python < 3.11 and pins old versions of what we have, so no resolver installs it
# beside us; it runs with what the extra brings and an import-time shim of ours. This command
# installs it with all that the extra brings, also where there is no pip
INSTALL_LAVA = "neurossm install lava"
LAVA_VERSION = "0.10.0"
LAVA_SHA256 = "d646723e888a72868dac77d31beee3eef1f540366a8c1a8578a2dc3302470926"  # of its wheel


@dataclass(frozen=True)
class Extra:
    """An extra of the package.

    Attributes
    ----------
    name
        What stands in brackets.
    packages
        What it installs, by their names on the package index.
    modules
        What these are imported as.
    brings
        What of neurossm needs it.
    own_command
        What installs it where pip alone cannot; empty: pip does.
    """

    name: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    brings: str
    own_command: str = ""

    @property
    def command(self) -> str:
        """What installs it beside a neurossm that is installed already."""
        return self.own_command or f"pip install 'neurossm[{self.name}]'"


LAVA = Extra(
    "lava",
    ("scipy", "asteval", "lava-nc"),
    ("scipy", "asteval", "lava"),
    "--engine lava, deploy --target lava, demo",
    INSTALL_LAVA,
)
EXTRAS = (
    Extra("torch", ("torch", "safetensors"), ("torch", "safetensors"),
          "train, sdn, export, results, demo, profile --model"),
    Extra("data", ("scikit-learn",), ("sklearn",), "the digits data set"),
    Extra("nir", ("nir",), ("nir",), "export --nir (import reads NIR files without it)"),
    Extra("plot", ("matplotlib",), ("matplotlib",), "sweep --plot, the notebooks"),
    Extra("dask", ("distributed",), ("distributed", "dask"), "--engine dask"),
    Extra("gpu", ("triton",), ("triton",), "training by kernels of a GPU, and --engine gpu"),
    LAVA,
)  # fmt: skip


class MissingExtra(TargetError, ImportError):
    """An optional package is not installed; the message has the command that installs it."""

    def __str__(self) -> str:
        return str(self.args[0])  # an ImportError keeps another one


def extra_of(module: str) -> Extra | None:
    """Return the extra that brings a module, None if none does."""
    top = module.partition(".")[0]
    return next((extra for extra in EXTRAS if top in extra.modules), None)


def lacking(name: str) -> str:
    """Return what of an extra is not installed, with the command; empty if all is. Imports none."""
    extra = next(extra for extra in EXTRAS if extra.name == name)
    absent = [module for module in extra.modules if find_spec(module) is None]
    return f"no {absent[0]} is installed; {extra.command}" if absent else ""


def missing(error: ImportError) -> MissingExtra | None:
    """Return what an import that failed means; None if no extra of ours would help."""
    module = (error.name or "").partition(".")[0]
    extra = extra_of(module)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return None
    package = extra.packages[extra.modules.index(module)] if module != "dask" else "distributed"
    return MissingExtra(
        f"extra {extra.name!r}", expected=f"the package {package}", got="none", remedy=extra.command
    )


@contextmanager
def explained() -> Iterator[None]:
    """Within this, an import that fails for want of an extra raises `MissingExtra`."""
    try:
        yield
    except MissingExtra:
        raise
    except ImportError as error:
        found = missing(error)
        if found is None:
            raise
        raise found from None


def load(module: str) -> ModuleType:
    """Import a module that needs an extra; `MissingExtra` where that is not installed."""
    with explained():
        return import_module(module)
