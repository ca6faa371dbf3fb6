"""Your own data wherever ``NAME:SPLIT`` is accepted; docs/how-to/data.md describes the formats."""

from neurossm_models.data.own.facts import task_from_json, task_to_json
from neurossm_models.data.own.learning import learn
from neurossm_models.data.own.loading import load_own
from neurossm_models.data.own.memory import from_arrays, from_torch_dataset
from neurossm_models.data.own.source import OwnSource, Part
from neurossm_models.data.own.spec import SUFFIXES, Spec, is_own, parse_own
from neurossm_models.data.own.split import SplitRule, parse_split

__all__ = [
    "SUFFIXES",
    "OwnSource",
    "Part",
    "Spec",
    "SplitRule",
    "from_arrays",
    "from_torch_dataset",
    "is_own",
    "learn",
    "load_own",
    "parse_own",
    "parse_split",
    "task_from_json",
    "task_to_json",
]
