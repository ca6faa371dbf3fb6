"""Passes: each takes a valid graph and returns a new valid graph, in a file of its own name."""

from neurossm.passes.calibrate import Ranges, calibrate
from neurossm.passes.fold_batch_norm import fold_batch_norm
from neurossm.passes.quantize import Quantize

__all__ = ["Quantize", "Ranges", "calibrate", "fold_batch_norm"]
