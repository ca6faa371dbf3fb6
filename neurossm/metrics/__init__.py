"""Counts of what a run really did, and of what a dense network of the same shape would do."""

from neurossm.metrics.dense import DenseOperations, dense_operations
from neurossm.metrics.measure import Metrics, measure

__all__ = ["DenseOperations", "Metrics", "dense_operations", "measure"]
