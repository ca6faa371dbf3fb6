"""A Dask cluster as an executor: ``--engine dask``, ``--engine dask:address=tcp://host:8786``."""

from __future__ import annotations

from neurossm.executors import Executor
from neurossm.extras import lacking
from neurossm_converters.backends.dask.execute import run, stream
from neurossm_converters.backends.dask.options import DaskOptions

DASK = Executor(
    "dask", "samples spread over processes or a Dask cluster, the same bits", run, DaskOptions,
    missing=lambda: lacking("dask"), stream=stream,
)  # fmt: skip
