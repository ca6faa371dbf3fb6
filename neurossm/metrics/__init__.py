"""Counts of what a run really did, and of what a dense network of the same shape would do."""

from neurossm.metrics.activity import Activity, ActivityTable, activity
from neurossm.metrics.answers import answers
from neurossm.metrics.dense import DenseOperations, dense_operations
from neurossm.metrics.measure import Metrics, measure
from neurossm.metrics.multiplications import (
    GROUPS,
    Multiplications,
    Recorded,
    check_multiplications,
    multiplications,
)

__all__ = [
    "GROUPS",
    "Activity",
    "ActivityTable",
    "DenseOperations",
    "Metrics",
    "Multiplications",
    "Recorded",
    "activity",
    "answers",
    "check_multiplications",
    "dense_operations",
    "measure",
    "multiplications",
]
