"""Data sets as sequences of small integers. NumPy only: nothing here imports PyTorch."""

from neurossm_models.data.dataset import Dataset, data_root
from neurossm_models.data.download import fetch
from neurossm_models.data.registry import Entry, load, registry, splits
from neurossm_models.data.task import Task, task

__all__ = ["Dataset", "Entry", "Task", "data_root", "fetch", "load", "registry", "splits", "task"]
