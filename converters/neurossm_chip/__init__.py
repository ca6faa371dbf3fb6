"""The graph of a deployment bundle on Lava: on its CPU simulator, or on a Loihi 2.

Needs numpy, h5py and lava-nc; runs on Python 3.8 and newer, because the Python of the machines with
chips is not ours to choose. Knows nothing of neurossm itself: it reads the file by FORMAT.md.
"""

from neurossm_chip.registry import register

__all__ = ["register"]
