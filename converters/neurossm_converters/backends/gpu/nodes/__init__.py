"""Implementations of nodes on a device: one module per node or kind of node, found by itself."""

import pkgutil
from importlib import import_module

from neurossm_converters.backends.gpu.form import FORMS

for _info in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_info.name}")

__all__ = ["FORMS"]
