"""Executors of a graph: `reference` (the specification), `fast` (the same bits), `float`."""

from neurossm.engine.inputs import Record, check_inputs, padded_inputs
from neurossm.engine.run import ENGINES, run

__all__ = ["ENGINES", "Record", "check_inputs", "padded_inputs", "run"]
