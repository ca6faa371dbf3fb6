"""The data sets that come with neurossm: one module each, with its `SOURCE`."""

from importlib import import_module
from pkgutil import iter_modules

from neurossm_models.data.source import Source

__all__ = ["SOURCES"]

_FOUND = [import_module(f"{__name__}.{found.name}").SOURCE for found in iter_modules(__path__)]
SOURCES: dict[str, Source] = {
    source.name: source for source in sorted(_FOUND, key=lambda source: source.name)
}
