"""The block of each model family: ``convert`` in a module of the family's name."""

from importlib import import_module
from pkgutil import iter_modules

from torch import nn

from neurossm_converters.formats.torch.builder import Converter
from neurossm_models.families import FAMILIES

__all__ = ["BLOCKS"]

BLOCKS: dict[type[nn.Module], Converter] = {
    FAMILIES[found.name.replace("_", "-")].block: import_module(f"{__name__}.{found.name}").convert
    for found in iter_modules(__path__)
}
