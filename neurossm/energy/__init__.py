"""Energy of one inference: an interval over published constants, beside digital baselines."""

from neurossm.energy.break_even import CAVEAT, BreakEven, break_even
from neurossm.energy.digital import Baseline, baselines
from neurossm.energy.estimate import estimate
from neurossm.energy.interval import Interval, holds_everywhere
from neurossm.energy.placed import Hops, Load, Work, placed_work
from neurossm.energy.real_time import RealTime
from neurossm.energy.result import LABEL, Energy, SetEnergy
from neurossm.energy.sensitivity import FACTORS, FORMULA, RateRow, at_spike_rate

__all__ = [
    "CAVEAT",
    "FACTORS",
    "FORMULA",
    "LABEL",
    "Baseline",
    "BreakEven",
    "Energy",
    "Hops",
    "Interval",
    "Load",
    "RateRow",
    "RealTime",
    "SetEnergy",
    "Work",
    "at_spike_rate",
    "baselines",
    "break_even",
    "estimate",
    "holds_everywhere",
    "placed_work",
]
