"""Dask as an executor of large data sets: samples in shards over a cluster, bit-identical results.

Importing this imports nothing of Dask; it refuses where that is missing.
"""

from neurossm_converters.backends.dask.execute import run, stream
from neurossm_converters.backends.dask.options import DaskOptions

__all__ = ["DaskOptions", "run", "stream"]
