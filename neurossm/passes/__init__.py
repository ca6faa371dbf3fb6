"""Passes: each takes a valid graph and returns a new valid graph, in a file of its own name."""

from neurossm.passes.bounds import Bounds, bounds
from neurossm.passes.calibrate import Ranges, calibrate
from neurossm.passes.choices import Choice
from neurossm.passes.fold_batch_norm import fold_batch_norm
from neurossm.passes.headroom import Headroom, PoleChange, headroom, pole_changes
from neurossm.passes.losses import Loss, losses
from neurossm.passes.percentiles import Percentiles
from neurossm.passes.quantize import Quantization, Quantize

__all__ = [
    "Bounds",
    "Choice",
    "Headroom",
    "Loss",
    "Percentiles",
    "PoleChange",
    "Quantization",
    "Quantize",
    "Ranges",
    "bounds",
    "calibrate",
    "fold_batch_norm",
    "headroom",
    "losses",
    "pole_changes",
]
