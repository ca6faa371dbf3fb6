"""Loihi 2: the deployment bundle, and running its script here, on a simulator or on a chip.

The network that goes to the chip lives in ``neurossm_chip``, a package of its own that knows
nothing of neurossm: it is copied into every bundle, and run in a child process here. Its
``neurossm_chip.register`` is where neuro-core models of our processes are made known.
"""

from neurossm_converters.backends.loihi2.bundle import check_bundle, default_folder, write_bundle
from neurossm_converters.backends.loihi2.data import BundleData
from neurossm_converters.backends.loihi2.result import ChipRun
from neurossm_converters.backends.loihi2.script import check, run
from neurossm_converters.backends.loihi2.settings import Settings

__all__ = [
    "BundleData",
    "ChipRun",
    "Settings",
    "check",
    "check_bundle",
    "default_folder",
    "run",
    "write_bundle",
]
