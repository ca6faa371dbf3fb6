"""The model families: one module each, with its `FAMILY`."""

from importlib import import_module
from pkgutil import iter_modules

from neurossm_models.families.family import Family

__all__ = ["FAMILIES", "Family"]

_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY for module in _MODULES if hasattr(module, "FAMILY")
}
