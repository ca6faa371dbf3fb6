"""Energy of one inference: an interval over published constants, beside digital baselines."""

from neurossm.energy.digital import Baseline, baselines
from neurossm.energy.estimate import estimate, time_of_step
from neurossm.energy.interval import Interval, holds_everywhere
from neurossm.energy.result import LABEL, Energy, RateCase, SetEnergy
from neurossm.energy.work import Work, work_of

__all__ = [
    "LABEL",
    "Baseline",
    "Energy",
    "Interval",
    "RateCase",
    "SetEnergy",
    "Work",
    "baselines",
    "estimate",
    "holds_everywhere",
    "time_of_step",
    "work_of",
]
