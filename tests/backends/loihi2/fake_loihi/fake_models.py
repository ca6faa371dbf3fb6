"""'Neuro-core models' of the bundle's processes, registered as a member of the INRC would."""

import enum

from lava.magma.compiler import compiler_graphs
from lava.magma.compiler.subcompilers.py import pyproc_compiler
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.model.py.model import AbstractPyProcessModel
from lava.magma.core.resources import Loihi2NeuroCore

from neurossm_chip import register
from neurossm_chip.processes import neurons

# what was chosen as a neuro-core model is compiled and run as the Python model that it is
pyproc_compiler.AbstractNcProcessModel = type("Nothing", (), {})
compiler_graphs.ProcessModelTypes = enum.Enum("Types", {"PY": AbstractPyProcessModel})

for _process in neurons.ON_CHIP.values():
    _cpu = getattr(neurons, f"{_process.__name__}Model")
    _made = type(
        f"Nc{_process.__name__}Model",
        (_cpu, AbstractNcProcessModel),
        {"required_resources": [Loihi2NeuroCore], "__module__": __name__},
    )
    globals()[_made.__name__] = _made
    register(_process, _made)
