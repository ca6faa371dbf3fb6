"""Passes: each takes a valid graph and returns a new valid graph, in a file of its own name."""

from neurossm.passes.balance_states import balance_states
from neurossm.passes.fold_batch_norm import fold_batch_norm
from neurossm.passes.fold_pooling import fold_average_pooling

__all__ = ["balance_states", "fold_average_pooling", "fold_batch_norm"]
