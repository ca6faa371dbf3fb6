"""Data sets as sequences of small integers. NumPy only: nothing here imports PyTorch."""

from neurossm_models.data.dataset import Dataset, data_root
from neurossm_models.data.download import fetch
from neurossm_models.data.own import (
    from_arrays,
    from_torch_dataset,
    is_own,
    learn,
    task_from_json,
    task_to_json,
)
from neurossm_models.data.registry import Entry, load, registry, splits, task
from neurossm_models.data.task import Task

__all__ = [
    "Dataset",
    "Entry",
    "Task",
    "data_root",
    "fetch",
    "from_arrays",
    "from_torch_dataset",
    "is_own",
    "learn",
    "load",
    "registry",
    "splits",
    "task",
    "task_from_json",
    "task_to_json",
]
