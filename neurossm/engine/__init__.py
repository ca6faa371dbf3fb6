"""Executors of a graph: `reference` (the specification), `fast` (the same bits), `float`."""

from neurossm.engine.run import ENGINES, Record, check_inputs, run

__all__ = ["ENGINES", "Record", "check_inputs", "run"]
