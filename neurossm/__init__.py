"""neurossm: spiking state space models from PyTorch to Loihi 2.

Public names are imported when they are first used, so that importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurossm.comparison import compare
    from neurossm.engine.run import run
    from neurossm.engine.stepper import Stepper
    from neurossm.graph import Graph
    from neurossm.passes.fold_batch_norm import fold_batch_norm
    from neurossm.quantization.calibrate import calibrate
    from neurossm.quantization.quantize import Quantize
    from neurossm.store import load, save
    from neurossm.trace import Trace
    from neurossm_converters.formats.torch import Builder as Builder
    from neurossm_converters.formats.torch import from_torch as from_torch

_HOMES = {
    "Builder": "neurossm_converters.formats.torch",  # needs PyTorch, so not in __all__
    "Graph": "neurossm.graph",
    "Quantize": "neurossm.quantization",
    "Stepper": "neurossm.engine.stepper",
    "Trace": "neurossm.trace",
    "calibrate": "neurossm.quantization",
    "compare": "neurossm.comparison",
    "fold_batch_norm": "neurossm.passes",
    "from_torch": "neurossm_converters.formats.torch",
    "load": "neurossm.store",
    "run": "neurossm.engine",
    "save": "neurossm.store",
}

__all__ = [
    "Graph",
    "Quantize",
    "Stepper",
    "Trace",
    "calibrate",
    "compare",
    "fold_batch_norm",
    "load",
    "run",
    "save",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurossm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
