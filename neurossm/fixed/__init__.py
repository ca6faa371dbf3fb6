"""Fixed-point arithmetic: the only place where neurossm rounds, shifts or saturates."""

from neurossm.fixed.arithmetic import (
    accumulator_bound,
    ceil_to,
    fit_frac,
    multiply_shift,
    project_poles,
    round_inside,
    round_leaks,
    round_to,
    saturate,
    shift,
    symmetric_limit,
)
from neurossm.fixed.formats import (
    ACCUMULATOR_BITS,
    LEAK_FRAC,
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
    Fixed,
    Quantized,
)
from neurossm.fixed.scaling import Scaling, TargetScaling
from neurossm.fixed.whole import whole_numbers

__all__ = [
    "ACCUMULATOR_BITS",
    "LEAK_FRAC",
    "MESSAGE_BITS",
    "POLE_BITS",
    "STATE_BITS",
    "WEIGHT_BITS",
    "WIDEST_LEAK_FRAC",
    "Fixed",
    "Quantized",
    "Scaling",
    "TargetScaling",
    "accumulator_bound",
    "ceil_to",
    "fit_frac",
    "multiply_shift",
    "project_poles",
    "round_inside",
    "round_leaks",
    "round_to",
    "saturate",
    "shift",
    "symmetric_limit",
    "whole_numbers",
]
