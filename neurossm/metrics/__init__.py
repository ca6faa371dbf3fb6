"""Counts of what a run really did, and of what a dense network of the same shape would do."""

from neurossm.metrics.activity import Activity, ActivityTable, activity
from neurossm.metrics.dense import DenseOperations, dense_operations
from neurossm.metrics.measure import Metrics, measure

__all__ = [
    "Activity",
    "ActivityTable",
    "DenseOperations",
    "Metrics",
    "activity",
    "dense_operations",
    "measure",
]
