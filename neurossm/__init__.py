"""neurossm: spiking state space models from PyTorch to Loihi 2.

Each step is a function named after its command. It takes paths, graphs and data sets, or the text
that one types for them on the command line:

>>> import neurossm
>>> graph = neurossm.export("binary-s4d-smnist")             # a trained run, or net.py:build
>>> made = neurossm.quantize(graph, "mnist:train:512")       # made.graph, made.check, made.report
>>> made.save("m.int.nssm")
>>> neurossm.verify("m.int.nssm", engine="lava").passed      # its golden vectors, bit-exact
>>> found = neurossm.profile("m.int.nssm", "mnist:test:256", floating=graph)
>>> found.to_html("report.html")                             # accuracy, operations, energy

The other steps are `train`, `prune`, `import_network`, `calibrate`, `golden`, `evaluate`, `diff`,
`sweep`, `place`, `deploy` and `make_report`. They return frozen values, most of which have
`as_json`.
`run`, `Stepper`, `Quantize` and `compare` work on graphs and arrays.

What is public is listed in docs/reference/public-api.md. Names are imported when they are first
used, so that importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurossm.comparison import compare
    from neurossm.engine.run import run
    from neurossm.engine.stepper import Stepper
    from neurossm.graph import Graph
    from neurossm.passes.fold_batch_norm import fold_batch_norm
    from neurossm.quantization.quantize import Quantize
    from neurossm.store import load, save
    from neurossm.trace import Trace
    from neurossm_converters.formats.torch import Builder as Builder
    from neurossm_converters.formats.torch import from_torch as from_torch
    from neurossm_workflows.deploy import deploy
    from neurossm_workflows.diff import diff
    from neurossm_workflows.evaluate import evaluate
    from neurossm_workflows.export import export
    from neurossm_workflows.golden import golden
    from neurossm_workflows.import_ import import_network
    from neurossm_workflows.place import place
    from neurossm_workflows.profile import profile
    from neurossm_workflows.prune import prune
    from neurossm_workflows.quantize import calibrate, quantize
    from neurossm_workflows.report import make_report
    from neurossm_workflows.sweep import sweep
    from neurossm_workflows.train import train
    from neurossm_workflows.verify import verify

_HOMES = {
    "Builder": "neurossm_converters.formats.torch",  # needs PyTorch, so not in __all__
    "Graph": "neurossm.graph",
    "Quantize": "neurossm.quantization",
    "Stepper": "neurossm.engine.stepper",
    "Trace": "neurossm.trace",
    "calibrate": "neurossm_workflows.quantize",
    "compare": "neurossm.comparison",
    "deploy": "neurossm_workflows.deploy",
    "diff": "neurossm_workflows.diff",
    "evaluate": "neurossm_workflows.evaluate",
    "export": "neurossm_workflows.export",
    "fold_batch_norm": "neurossm.passes",
    "from_torch": "neurossm_converters.formats.torch",
    "golden": "neurossm_workflows.golden",
    "import_network": "neurossm_workflows.import_",
    "load": "neurossm.store",
    "make_report": "neurossm_workflows.report",  # neurossm.report is a package
    "place": "neurossm_workflows.place",
    "profile": "neurossm_workflows.profile",
    "prune": "neurossm_workflows.prune",
    "quantize": "neurossm_workflows.quantize",
    "run": "neurossm.engine",
    "save": "neurossm.store",
    "sweep": "neurossm_workflows.sweep",
    "train": "neurossm_workflows.train",
    "verify": "neurossm_workflows.verify",
}

# what the steps with ``**options`` take
_OPTIONS = {"export": "ModuleOptions", "import_network": "ImportOptions"}

__all__ = [
    "Graph",
    "Quantize",
    "Stepper",
    "Trace",
    "calibrate",
    "compare",
    "deploy",
    "diff",
    "evaluate",
    "export",
    "fold_batch_norm",
    "golden",
    "import_network",
    "load",
    "make_report",
    "place",
    "profile",
    "prune",
    "quantize",
    "run",
    "save",
    "sweep",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurossm' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    if not _HOMES[name].startswith("neurossm_workflows"):
        return found
    # the commands call these functions too: there errors name options, from here arguments
    step = import_module("neurossm.spelling").by_arguments(found, _OPTIONS.get(name, ""))
    step.__module__ = __name__  # where pickle finds it
    globals()[name] = step
    return step


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
