"""Lava as an executor: the integer graph on bit-true process models, in a child process.

Importing this imports nothing of Lava; `status` says whether it can be used here.
"""

from neurossm_converters.backends.lava.child import LavaError
from neurossm_converters.backends.lava.execute import LavaRun, run, run_timed
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.orders import Plan
from neurossm_converters.backends.lava.plan import make_plan
from neurossm_converters.backends.lava.shim import LavaStatus, require_lava, status

__all__ = [
    "LavaError",
    "LavaOptions",
    "LavaRun",
    "LavaStatus",
    "Plan",
    "make_plan",
    "require_lava",
    "run",
    "run_timed",
    "status",
]
