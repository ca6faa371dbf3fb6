"""Chips as data files: limits, times and energies, each number with its source and grade."""

from neurossm.hardware.chip import (
    Arithmetic,
    EnergySet,
    Events,
    Hardware,
    Limits,
    Power,
    Refusal,
    Timing,
)
from neurossm.hardware.load import known_hardware, load_hardware
from neurossm.hardware.quantity import GRADES, Quantity

__all__ = [
    "GRADES",
    "Arithmetic",
    "EnergySet",
    "Events",
    "Hardware",
    "Limits",
    "Power",
    "Quantity",
    "Refusal",
    "Timing",
    "known_hardware",
    "load_hardware",
]
