"""Quantization: ranges, number formats, the integer graph, and what its formats could not hold."""

from neurossm.quantization.bounds import Bounds, bounds
from neurossm.quantization.calibrate import Ranges, calibrate
from neurossm.quantization.choices import Choice
from neurossm.quantization.headroom import Headroom, PoleChange, headroom, pole_changes
from neurossm.quantization.losses import Loss, losses
from neurossm.quantization.percentiles import Percentiles
from neurossm.quantization.quantize import Quantization, Quantize

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
    "headroom",
    "losses",
    "pole_changes",
]
