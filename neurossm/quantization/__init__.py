"""Quantization: ranges, number formats, the integer graph, and what its formats could not hold.

What a node's fields say of their roles is enough for most nodes. Modules here that have more to say
of a type (``quantize_ssm``, ``response``, ``reach``, ...) register it, and are imported below.
"""

from neurossm.quantization import (
    coupled,
    lost_neurons,
    quantize_adaptive,
    quantize_affine,
    quantize_complex,
    quantize_lif,
    quantize_resonator,
    quantize_ssm,
    reach,
    response,
)
from neurossm.quantization.bounds import Bounds, bounds
from neurossm.quantization.calibrate import Ranges, calibrate
from neurossm.quantization.choices import Choice
from neurossm.quantization.headroom import Headroom, PoleChange, headroom, pole_changes
from neurossm.quantization.losses import Loss, losses
from neurossm.quantization.percentiles import Percentiles
from neurossm.quantization.quantize import Quantization, Quantize
from neurossm.quantization.settings import Settings

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
    "Settings",
    "bounds",
    "calibrate",
    "coupled",
    "headroom",
    "losses",
    "lost_neurons",
    "pole_changes",
    "quantize_adaptive",
    "quantize_affine",
    "quantize_complex",
    "quantize_lif",
    "quantize_resonator",
    "quantize_ssm",
    "reach",
    "response",
]
