"""Energy of one inference: an interval over published constants, beside digital baselines."""

from neurossm.energy.digital import Baseline, baselines
from neurossm.energy.estimate import estimate
from neurossm.energy.interval import Interval, holds_everywhere
from neurossm.energy.placed import CoreLoad, Load, core_loads, placed_work
from neurossm.energy.rates import RateCase
from neurossm.energy.result import LABEL, Energy, SetEnergy
from neurossm.energy.sensitivity import FACTORS, FORMULA, RateRow, at_spike_rate
from neurossm.energy.step_time import time_on_cores
from neurossm.energy.work import Hops, Work

__all__ = [
    "FACTORS",
    "FORMULA",
    "LABEL",
    "Baseline",
    "CoreLoad",
    "Energy",
    "Hops",
    "Interval",
    "Load",
    "RateCase",
    "RateRow",
    "SetEnergy",
    "Work",
    "at_spike_rate",
    "baselines",
    "core_loads",
    "estimate",
    "holds_everywhere",
    "placed_work",
    "time_on_cores",
]
