"""Engines of the core: `reference` (the specification), `fast` (bit-identical results), `float`.

`run` and `execute` take these and every other executor that is installed.
"""

from neurossm.engine.inputs import Record, check_inputs, padded_inputs
from neurossm.engine.run import execute, run

__all__ = ["Record", "check_inputs", "execute", "padded_inputs", "run"]
