"""Dask as an executor of large data sets: samples in shards over a cluster, the same bits.

Importing this imports nothing of Dask; `run` refuses where it is missing.
"""

from neurossm_converters.backends.dask.execute import DaskRun, run
from neurossm_converters.backends.dask.options import DaskOptions

__all__ = ["DaskOptions", "DaskRun", "run"]
